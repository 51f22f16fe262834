//! A stand-in for the AWS CLI on nodes whose host has none: the two commands by which preflight asks
//! who the executor would be and what it may. The credentials are the instance's own, from its metadata
//! service, and nothing is changed: of a modify it knows the rehearsal alone.

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::AttributeBooleanValue;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use futures::FutureExt as _;
use serde_json::json;

use crate::executor::identity;
use crate::process::Process;
use lab::node::Output;

/// The exit code of the CLI's second version for words that it does not know.
pub const UNKNOWN_WORDS: i32 = 252;
/// Its exit code where it lacks credentials, or what goes with them.
pub const NO_CREDENTIALS: i32 = 253;
/// Its exit code for a refusal of the API.
pub const REFUSED: i32 = 254;
/// Its exit code for anything else.
const OTHER: i32 = 255;

/// Answers one command as the CLI does.
pub async fn main(process: Process<'_>) -> Output {
    let words: Vec<&str> = process.argv.iter().skip(1).map(String::as_str).collect();
    let (asked, region) = match CliQuestion::parse(&words) {
        Ok((asked, Some(region))) => (asked, region),
        Ok((_, None)) => return fail(NO_CREDENTIALS, "You must specify a region."),
        Err(complaint) => return fail(UNKNOWN_WORDS, &complaint),
    };
    let credentials = match identity::of_the_instance(&process).await {
        Ok(credentials) => credentials,
        Err(why) => return fail(NO_CREDENTIALS, &format!("Unable to locate credentials. {why}")),
    };
    match asked {
        CliQuestion::Identity => say_identity(&process, credentials, region).await,
        CliQuestion::Rehearsal { interface, check } => {
            rehearse(&process, credentials, region, &interface, check).await
        }
    }
}

/// A question that can be asked of the CLI: of a modify it knows the rehearsal alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CliQuestion {
    /// `sts get-caller-identity`.
    Identity,
    /// `ec2 modify-network-interface-attribute --dry-run` of an ENI's source/dest check.
    Rehearsal { interface: String, check: bool },
}

impl CliQuestion {
    /// Reads the words behind `aws`: the question, and the region where one is named.
    ///
    /// # Errors
    /// The CLI's complaint, where it does not know all of them.
    pub fn parse(words: &[&str]) -> Result<(Self, Option<String>), String> {
        let read = match words {
            ["sts", "get-caller-identity", options @ ..] => parse_identity(options),
            ["ec2", "modify-network-interface-attribute", options @ ..] => parse_rehearsal(options),
            _ => return Err("aws: error: argument command: Invalid choice".to_owned()),
        };
        read.ok_or_else(|| format!("aws: error: Unknown options: {}", words.join(" ")))
    }
}

fn parse_identity(options: &[&str]) -> Option<(CliQuestion, Option<String>)> {
    let mut region = None;
    for pair in options.chunks(2) {
        match pair {
            ["--region", name] => region = Some((*name).to_owned()),
            ["--output", "json"] => {}
            _ => return None,
        }
    }
    Some((CliQuestion::Identity, region))
}

fn parse_rehearsal(options: &[&str]) -> Option<(CliQuestion, Option<String>)> {
    let (mut region, mut interface, mut check, mut dry_run) = (None, None, None, false);
    let mut words = options.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--dry-run" => dry_run = true,
            "--source-dest-check" => check = Some(true),
            "--no-source-dest-check" => check = Some(false),
            "--network-interface-id" => interface = words.next(),
            "--region" => region = words.next(),
            _ => return None,
        }
    }
    let (interface, check) = (interface?.to_owned(), check?);
    dry_run.then_some((CliQuestion::Rehearsal { interface, check }, region.map(str::to_owned)))
}

/// The CLI's words on a refusal of the API.
pub fn refusal_words(operation: &str, code: &str, message: &str) -> String {
    format!("\nAn error occurred ({code}) when calling the {operation} operation: {message}")
}

async fn say_identity(process: &Process<'_>, credentials: Credentials, region: String) -> Output {
    let config = sdk_config(process, credentials, region, "AWS_ENDPOINT_URL_STS");
    let sts = aws_sdk_sts::Client::new(&config);
    match sts.get_caller_identity().send().boxed().await {
        Ok(answer) => {
            let text = json!({
                "UserId": answer.user_id(), "Account": answer.account(), "Arn": answer.arn(),
            });
            Output { code: 0, stdout: format!("{text:#}\n").into_bytes(), stderr: Vec::new() }
        }
        Err(error) => refuse("GetCallerIdentity", &error),
    }
}

async fn rehearse(
    process: &Process<'_>,
    credentials: Credentials,
    region: String,
    interface: &str,
    check: bool,
) -> Output {
    let config = sdk_config(process, credentials, region, "AWS_ENDPOINT_URL_EC2");
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let value = AttributeBooleanValue::builder().value(check).build();
    let rehearsal = ec2
        .modify_network_interface_attribute()
        .dry_run(true)
        .network_interface_id(interface)
        .source_dest_check(value);
    match rehearsal.send().boxed().await {
        Ok(_) => Output { code: 0, stdout: Vec::new(), stderr: Vec::new() },
        Err(error) => refuse("ModifyNetworkInterfaceAttribute", &error),
    }
}

fn sdk_config(
    process: &Process<'_>,
    credentials: Credentials,
    region: String,
    own_endpoint: &str,
) -> SdkConfig {
    let host = process.host;
    let endpoint = [own_endpoint, "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|name| identity::read_variable(process, name));
    let provider = aws_credential_types::provider::SharedCredentialsProvider::new(credentials);
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(provider)
        .http_client(host.http_client())
        .sleep_impl(host.sleep())
        .time_source(host.time_source())
        .retry_config(RetryConfig::disabled());
    config.set_endpoint_url(endpoint.map(str::to_owned));
    config.build()
}

fn refuse<E>(operation: &str, error: &SdkError<E>) -> Output
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.code() {
        Some(code) => {
            let message = error.message().unwrap_or_default();
            let text = refusal_words(operation, code, message);
            fail(REFUSED, &text)
        }
        None => fail(OTHER, &DisplayErrorContext(error).to_string()),
    }
}

fn fail(code: i32, text: &str) -> Output {
    Output { code, stdout: Vec::new(), stderr: format!("{text}\n").into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In earnest it cannot.
    #[test]
    fn a_modify_without_the_flag_is_not_understood() {
        let eni = ["--network-interface-id", "eni-1", "--region", "r"];
        let with = |more: &[&'static str]| parse_rehearsal(&[&eni[..], more].concat()).is_some();
        assert!(with(&["--dry-run", "--no-source-dest-check"]));
        assert!(with(&["--source-dest-check", "--dry-run"]));
        assert!(!with(&["--no-source-dest-check"]));
        assert!(!with(&["--dry-run"]));
        assert!(!with(&["--dry-run", "--no-source-dest-check", "--no-dry-run"]));
    }
}

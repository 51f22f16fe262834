//! The instance's own identity, from its metadata service (IMDSv2) and from nowhere else: no
//! environment, no file, so that no credential can reach the executor through routerd.

use std::time::Duration;

use aws_config::imds::Client;
use aws_config::imds::client::error::ImdsError;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use futures::FutureExt;
use serde::Deserialize;

use crate::process::Process;

const ENDPOINT: &str = "http://169.254.169.254";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(6);

/// The document with the credentials, as the metadata service writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetadataCredentials {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    secret_access_key: String,
    #[serde(default)]
    token: String,
}

/// # Errors
/// Why there is none, and what to do about it.
pub(crate) async fn of_the_instance(process: &Process<'_>) -> Result<Credentials, String> {
    if read_variable(process, "AWS_EC2_METADATA_DISABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err("no identity: AWS_EC2_METADATA_DISABLED is true, and the executor takes its \
                    credentials from the metadata service alone"
            .into());
    }
    let endpoint = read_variable(process, "AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(ENDPOINT);
    let client = client(process, endpoint)?;
    let role = get(&client, endpoint, ROLES).await?;
    let role = role.lines().next().unwrap_or_default().trim();
    let text = get(&client, endpoint, &format!("{ROLES}{role}")).await?;
    let document: MetadataCredentials = serde_json::from_str(&text).map_err(|_| {
        format!("no identity: what the metadata service says of role {role} cannot be read")
    })?;
    credentials(role, document)
}

/// A variable that is set and not empty.
pub(crate) fn read_variable<'p>(process: &'p Process<'_>, name: &str) -> Option<&'p str> {
    process.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// `ProviderConfig::empty` reads nothing but the network, given an explicit endpoint.
fn client(process: &Process<'_>, endpoint: &str) -> Result<Client, String> {
    let config = ProviderConfig::empty()
        .with_http_client(process.host.http_client())
        .with_sleep_impl(process.host.sleep())
        .with_time_source(process.host.time_source());
    let builder = Client::builder()
        .configure(&config)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(TIMEOUT)
        .endpoint(endpoint)
        .map_err(|error| {
            format!("no identity: AWS_EC2_METADATA_SERVICE_ENDPOINT {endpoint}: {error}")
        })?;
    Ok(builder.build())
}

async fn get(client: &Client, endpoint: &str, path: &str) -> Result<String, String> {
    match client.get(path).boxed().await {
        Ok(answer) => Ok(answer.as_ref().to_owned()),
        Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => {
            Err("no identity: this instance has no role: attach an instance profile".into())
        }
        Err(ImdsError::ErrorResponse(answer)) => {
            let status = answer.response().status().as_u16();
            Err(format!("no identity: the metadata service at {endpoint} answers HTTP {status}"))
        }
        Err(_) => Err(format!(
            "no identity: the metadata service at {endpoint} does not answer: the executor runs \
             on the instance and uses the instance's role alone"
        )),
    }
}

fn credentials(role: &str, document: MetadataCredentials) -> Result<Credentials, String> {
    let MetadataCredentials { code, message, access_key_id, secret_access_key, token } = document;
    if code != "Success" {
        let reason = format!("{code} {message}");
        let reason = reason.trim_end();
        return Err(format!("no identity: the metadata service answers for role {role}: {reason}"));
    }
    if [&access_key_id, &secret_access_key, &token].iter().any(|part| part.is_empty()) {
        return Err(format!(
            "no identity: the metadata service gives incomplete credentials for role {role}"
        ));
    }
    Ok(Credentials::new(access_key_id, secret_access_key, Some(token), None, "IMDSv2"))
}

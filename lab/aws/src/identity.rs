//! The operator's identity: the chain's winner, asked of STS before and after, and its credentials for
//! as long as the run lasts.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::error::DisplayErrorContext;
use chrono::{DateTime, Utc};
use lab::ec2::AwsConnection;
use lab::operator::OperatorWatch;
use reports::record::{OperatorIdentified, Renewal};

use crate::chain::{Environment, WantedIdentity, partition_of, session_name};
use crate::credentials::{RenewedCredentials, RoleSession, Source};
use crate::errors::explain;
use crate::open::AwsLabError;
use crate::urls::find_elsewhere;

/// Who asks from here on.
pub struct ResolvedIdentity {
    pub credentials: SharedCredentialsProvider,
    pub watch: OperatorWatch,
    pub record: OperatorIdentified,
}

/// Asks STS who the chain's winner is. `connection` has the credentials of the SDK's own chain.
///
/// # Errors
/// Where the chain has no credentials, or STS refuses them; in its own words.
pub async fn resolve_identity(
    wanted: &WantedIdentity,
    connection: &AwsConnection,
    environment: Environment<'_>,
    run_id: &str,
) -> Result<ResolvedIdentity, AwsLabError> {
    let ambient = connection.credentials.clone();
    let found = ambient.provide_credentials().await.map_err(|error| {
        // What stands behind a word and a colon is hidden like a value.
        let said =
            DisplayErrorContext(&error).to_string().replace("credentials: ", "credentials, ");
        AwsLabError::NoCredentials(explain(&said))
    })?;
    let found = with_variables_end(found, environment);
    let told = Ambient::of(&found);
    let (source, first, renewal, caller_before) = match &wanted.role_arn {
        None => (Source::Ambient(ambient), found, told.renewal, None),
        Some(role_arn) => {
            let before = ask_caller(&sts_of(connection)).await?;
            let source = Source::Role(RoleSession {
                sts: sts_of(connection),
                role_arn: role_arn.clone(),
                session_name: session_name(run_id),
            });
            let first = source.fetch().await.map_err(|error| AwsLabError::NotAssumed {
                role_arn: role_arn.clone(),
                caller: before.clone(),
                why: explain(&DisplayErrorContext(&error).to_string()),
            })?;
            (source, first, told.renewal.of_role(), Some(before))
        }
    };
    let expires_at = first.expiry().map(DateTime::<Utc>::from);
    let watch = OperatorWatch::of(expires_at, renewal);
    let renewed = RenewedCredentials::new(source, first, connection.time.clone(), watch.clone());
    let credentials = SharedCredentialsProvider::new(renewed);
    let asking = AwsConnection { credentials: credentials.clone(), ..connection.clone() };
    let caller = ask_caller(&sts_of(&asking)).await?;
    let partition = partition_of(&caller).unwrap_or("unknown").to_owned();
    let record = OperatorIdentified {
        link: wanted.link,
        profile: environment("AWS_PROFILE").filter(|name| !name.is_empty()),
        source: told.source,
        assumed_role: wanted.role_arn.clone(),
        caller_before,
        caller,
        session_name: wanted.role_arn.is_some().then(|| session_name(run_id)),
        expires_at,
        renewal,
        elsewhere: find_elsewhere(&connection.urls, &connection.region, &partition),
        partition,
    };
    Ok(ResolvedIdentity { credentials, watch, record })
}

fn sts_of(connection: &AwsConnection) -> aws_sdk_sts::Client {
    let mut config = aws_sdk_sts::config::Builder::from(&connection.sdk_config());
    config.set_endpoint_url(connection.urls.sts.clone());
    aws_sdk_sts::Client::from_conf(config.build())
}

/// The caller's ARN.
async fn ask_caller(sts: &aws_sdk_sts::Client) -> Result<String, AwsLabError> {
    const CALL: &str = "sts GetCallerIdentity";
    let answer = sts.get_caller_identity().send().await.map_err(|error| {
        let why = explain(&DisplayErrorContext(&error).to_string());
        AwsLabError::Refused { call: CALL, why }
    })?;
    answer
        .arn
        .ok_or_else(|| AwsLabError::Refused { call: CALL, why: "its answer has no Arn".to_owned() })
}

/// The word of the credentials of the SDK's own chain on themselves.
struct Ambient {
    source: String,
    renewal: Renewal,
}

impl Ambient {
    fn of(found: &Credentials) -> Self {
        let features = found.get_property::<Vec<AwsCredentialFeature>>();
        let features = features.map(Vec::as_slice).unwrap_or_default();
        let names: Vec<String> = features.iter().map(|it| format!("{it:?}")).collect();
        let source = if names.is_empty() { "not said".to_owned() } else { names.join(", ") };
        let fixed = features.contains(&AwsCredentialFeature::CredentialsEnvVars)
            || found.expiry().is_none();
        let renewal = match found.session_token() {
            None => Renewal::NotNeeded,
            Some(_) if fixed => Renewal::Impossible,
            Some(_) => Renewal::Possible,
        };
        Self { source, renewal }
    }
}

/// The environment's session ends when `aws configure export-credentials --format env` says so; the
/// SDK does not read that.
fn with_variables_end(mut found: Credentials, environment: Environment<'_>) -> Credentials {
    let fixed = found.session_token().is_some() && found.expiry().is_none();
    let said = environment("AWS_CREDENTIAL_EXPIRATION");
    let end = said.and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
    if let Some(end) = end.filter(|_| fixed) {
        *found.expiry_mut() = Some(SystemTime::from(end));
    }
    found
}

/// A role's session can be had anew for as long as its source lasts.
trait OfRole {
    fn of_role(self) -> Self;
}

impl OfRole for Renewal {
    fn of_role(self) -> Self {
        match self {
            Self::NotNeeded | Self::Possible => Self::Possible,
            Self::Impossible => Self::Impossible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(expires: Option<SystemTime>, by: Vec<AwsCredentialFeature>) -> Credentials {
        let token = Some("a token".to_owned());
        let mut found = Credentials::new("an id", "a key", token, expires, "a test");
        found.set_property(by);
        found
    }

    #[test]
    fn a_session_that_was_exported_cannot_be_had_anew() {
        use AwsCredentialFeature::{CredentialsEnvVars, CredentialsProfile, CredentialsSso};
        let then = Some(SystemTime::UNIX_EPOCH);
        let keys = Credentials::new("an id", "a key", None, None, "a test");
        for (found, renewal) in [
            (keys, Renewal::NotNeeded),
            (session(None, vec![CredentialsEnvVars]), Renewal::Impossible),
            (session(then, vec![CredentialsEnvVars]), Renewal::Impossible),
            (session(None, vec![CredentialsProfile]), Renewal::Impossible),
            (session(then, vec![CredentialsSso, CredentialsProfile]), Renewal::Possible),
        ] {
            assert_eq!(Ambient::of(&found).renewal, renewal, "{found:?}");
        }
    }

    #[test]
    fn the_end_of_an_exported_session_is_the_variables() {
        let said = |_: &str| Some("2026-01-02T03:04:05+00:00".to_owned());
        let found = with_variables_end(session(None, vec![]), &said);
        assert!(found.expiry().is_some());
        let unsaid = |_: &str| None;
        assert!(with_variables_end(session(None, vec![]), &unsaid).expiry().is_none());
    }
}

//! An open lab on AWS: the scenarios' [`Lab`], with the SDK's own client for the network and ssh to
//! the nodes.

use std::rc::Rc;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::defaults::default_http_client_plugin_v2;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_types::region::Region;
use lab::Lab;
use lab::clock::Clock;
use lab::ec2::{AwsConnection, Reader};
use lab::manifest::Manifest;
use lab::operator::Notices;
use lab::ssh_transport::SshTransport;
use reports::record::Kind;

use crate::chain::{Environment, choose_identity};
use crate::identity::{ResolvedIdentity, resolve_identity};
use crate::locate::NodeLocator;
use crate::ssh_config::SshFolder;
use crate::urls::choose_urls;

/// Why a lab on AWS cannot be opened. Nothing was touched then.
#[derive(Debug, thiserror::Error)]
pub enum AwsLabError {
    #[error("ssh's configuration cannot be written: {0}")]
    Ssh(#[source] std::io::Error),
    #[error("the SDK was built without a way to the network")]
    NoNetwork,
    #[error(
        "nothing here says who asks AWS, and nothing was touched: name a profile (AWS_PROFILE), sign in \
         (aws sso login), or set a key; the SDK says: {0}"
    )]
    NoCredentials(String),
    #[error("{caller} cannot assume {role_arn}: {why}")]
    NotAssumed { role_arn: String, caller: String, why: String },
    #[error("{call} was refused: {why}")]
    Refused { call: &'static str, why: String },
}

/// Opens the lab of a manifest for a run. STS is asked who asks; nothing else yet.
///
/// # Errors
/// Where this machine lacks something that it needs, or STS knows no such operator.
pub async fn open_aws_lab(
    manifest: Manifest,
    run_id: &str,
    assume_role: Option<&str>,
    environment: Environment<'_>,
) -> Result<Lab, AwsLabError> {
    let clock = Clock::System;
    let folder = Rc::new(SshFolder::make(&manifest).map_err(AwsLabError::Ssh)?);
    let ambient = connect_as_ambient(&manifest, run_id, environment, clock).await?;
    let wanted = choose_identity(assume_role, environment, &manifest);
    let resolved = resolve_identity(&wanted, &ambient, environment, run_id).await?;
    let ResolvedIdentity { credentials, watch, record } = resolved;
    let connection = AwsConnection { credentials, ..ambient };
    let notices = Notices::default();
    let elsewhere = record.elsewhere.clone();
    notices.add(Kind::OperatorIdentified(record));
    let locator = NodeLocator {
        folder: folder.clone(),
        reader: Reader::new(&connection),
        notices: notices.clone(),
    };
    let nodes = SshTransport::new(folder.access()).that_looks_by(Rc::new(locator));
    // AWS keeps itself.
    let lab = Lab::new(manifest, clock, &connection, Rc::new(nodes), Rc::new(|| Ok(())));
    Ok(lab.that_is_asked_by(watch, &elsewhere, notices))
}

/// The connection of whoever the SDK's own chain finds.
async fn connect_as_ambient(
    manifest: &Manifest,
    run_id: &str,
    environment: Environment<'_>,
    clock: Clock,
) -> Result<AwsConnection, AwsLabError> {
    let http_client = find_http_client().ok_or(AwsLabError::NoNetwork)?;
    let region = manifest.aws.region.clone();
    Ok(AwsConnection {
        credentials: load_ambient_chain(&region, &http_client, clock).await?,
        region,
        http_client,
        sleep: clock.sdk_sleep(),
        time: clock.sdk_time(),
        urls: choose_urls(manifest, environment),
        app_name: Some(app_name(run_id)),
        retry_partition: format!("aws-{run_id}"),
    })
}

fn find_http_client() -> Option<SharedHttpClient> {
    let plugin = default_http_client_plugin_v2(BehaviorVersion::latest())?;
    plugin.runtime_components(&RuntimeComponentsBuilder::new("none")).http_client()
}

/// For CloudTrail: a user agent has no slash in a name.
fn app_name(run_id: &str) -> String {
    format!("lab-smoke.{run_id}")
}

async fn load_ambient_chain(
    region: &str,
    http_client: &SharedHttpClient,
    clock: Clock,
) -> Result<SharedCredentialsProvider, AwsLabError> {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(http_client.clone())
        .sleep_impl(clock.sdk_sleep())
        .time_source(clock.sdk_time())
        .load()
        .await;
    config.credentials_provider().ok_or(AwsLabError::NoNetwork)
}

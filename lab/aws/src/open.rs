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
use futures::future::LocalBoxFuture;
use lab::Lab;
use lab::clock::Clock;
use lab::ec2::{AwsConnection, ServiceUrls};
use lab::manifest::Manifest;
use lab::node::{Node, Output};
use lab::shell::{Heard, Transport, TransportError};
use lab::ssh_transport::SshTransport;

use crate::ssh_config::SshFolder;

/// Why a lab on AWS cannot be opened. Nothing was touched then.
#[derive(Debug, thiserror::Error)]
pub enum AwsLabError {
    #[error("ssh's configuration cannot be written: {0}")]
    Ssh(#[source] std::io::Error),
    #[error("the SDK was built without a way to the network")]
    NoNetwork,
}

/// An open lab on AWS.
pub struct OpenAws {
    pub lab: Lab,
}

/// Opens the lab of a manifest for a run. Nothing is asked of AWS or of a node yet.
///
/// # Errors
/// Where this machine lacks something that it needs.
pub async fn open_aws_lab(manifest: Manifest, run_id: &str) -> Result<OpenAws, AwsLabError> {
    let clock = Clock::System;
    let folder = SshFolder::make(&manifest).map_err(AwsLabError::Ssh)?;
    let http_client = find_http_client().ok_or(AwsLabError::NoNetwork)?;
    let region = manifest.aws.region.clone();
    let connection = AwsConnection {
        credentials: ambient_credentials(&region, &http_client, clock).await?,
        region,
        http_client,
        sleep: clock.sdk_sleep(),
        time: clock.sdk_time(),
        urls: ServiceUrls::default(),
        app_name: Some(app_name(run_id)),
        retry_partition: format!("aws-{run_id}"),
    };
    let nodes = Rc::new(AwsNodes { ssh: SshTransport::new(folder.access()), _folder: folder });
    // AWS keeps itself.
    Ok(OpenAws { lab: Lab::new(manifest, clock, &connection, nodes, Rc::new(|| Ok(()))) })
}

fn find_http_client() -> Option<SharedHttpClient> {
    let plugin = default_http_client_plugin_v2(BehaviorVersion::latest())?;
    plugin.runtime_components(&RuntimeComponentsBuilder::new("none")).http_client()
}

/// For CloudTrail: a user agent has no slash in a name.
fn app_name(run_id: &str) -> String {
    format!("lab-smoke.{run_id}")
}

/// Whoever the SDK's own chain finds.
async fn ambient_credentials(
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

/// The nodes over ssh, whose configuration lives as long as this.
struct AwsNodes {
    ssh: SshTransport,
    _folder: SshFolder,
}

impl Transport for AwsNodes {
    fn run<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        stdin: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>> {
        self.ssh.run(node, argv, stdin)
    }

    fn follow<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        heard: &'a Heard,
    ) -> LocalBoxFuture<'a, Result<i32, TransportError>> {
        self.ssh.follow(node, argv, heard)
    }
}

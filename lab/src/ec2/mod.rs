//! The cloud client: a reader for everyone. What EC2 is asked to change is `act`'s.

mod capture;
mod facts;
mod guards;
mod identity;
mod inbound;
mod neighbours;
mod place;
mod protection;
mod reader;
mod rehearse;
mod role;
mod shutdown;
mod sighted;
mod state;
mod storage;

pub use facts::{
    Address, BlockDevice, Instance, Missing, NetworkInterface, RouteTable, Subnet, Tags, Volume,
    Vpc,
};
pub use guards::{NetworkAcl, SecurityGroup};
pub use identity::Identity;
pub use inbound::{Inbound, InboundRule, RuleSource, Sender};
pub use neighbours::{Endpoint, NatGateway, Peering, TransitAttachment};
pub use place::InstancePlace;
pub use protection::{InstanceTypeLimits, Protection};
pub use reader::{Answer, ReadError, Reader};
pub(crate) use rehearse::leave_out_encoded;
pub use rehearse::{Allowance, OwnCall, Rehearsed};
pub use role::{RoleLimits, Simulation};
pub use shutdown::OnShutdown;
pub use sighted::{Sighted, seen_with};
pub use state::InstanceState;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;
use std::time::Duration;

/// The parts that the clients are made of: where AWS is, who asks, and whose time it is.
#[derive(Clone)]
pub struct AwsConnection {
    pub region: String,
    pub credentials: aws_credential_types::provider::SharedCredentialsProvider,
    pub http_client: SharedHttpClient,
    pub sleep: SharedAsyncSleep,
    pub time: SharedTimeSource,
    /// Other endpoints than AWS's own.
    pub urls: ServiceUrls,
    /// The user agent's word on who asks, for CloudTrail: the run's id.
    pub app_name: Option<String>,
    /// Unique for each run: the SDK's retry quota is otherwise shared by the whole process.
    pub retry_partition: String,
}

/// Where a service is asked that is not asked at AWS's own endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceUrls {
    pub ec2: Option<String>,
    pub sts: Option<String>,
    pub iam: Option<String>,
}

impl ServiceUrls {
    /// All services at one place.
    pub fn all_at(url: &str) -> Self {
        let url = Some(url.to_owned());
        Self { ec2: url.clone(), sts: url.clone(), iam: url }
    }
}

/// An attempt that takes longer has no answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// A read with all its repetitions.
const READ_TIMEOUT: Duration = Duration::from_secs(40);

impl AwsConnection {
    /// The settings that all clients share, without an endpoint. Reads are repeated up to five times: a smoke polls, and EC2 throttles pollers.
    pub fn sdk_config(&self) -> aws_types::SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(READ_TIMEOUT)
            .build();
        let mut config = aws_types::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_types::region::Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .http_client(self.http_client.clone())
            .sleep_impl(self.sleep.clone())
            .time_source(self.time.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(5))
            .timeout_config(timeouts);
        // A name that the user agent may not have is nobody's: the request is the same.
        let app_name = self.app_name.clone().and_then(|name| AppName::new(name).ok());
        config.set_app_name(app_name);
        config.build()
    }

    fn ec2_config(&self) -> aws_sdk_ec2::config::Builder {
        let mut config = aws_sdk_ec2::config::Builder::from(&self.sdk_config())
            .retry_partition(RetryPartition::new(self.retry_partition.clone()));
        config.set_endpoint_url(self.urls.ec2.clone());
        config
    }

    fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::from_conf(self.ec2_config().build())
    }

    fn sts(&self) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::config::Builder::from(&self.sdk_config())
            .retry_partition(RetryPartition::new(self.retry_partition.clone()));
        config.set_endpoint_url(self.urls.sts.clone());
        aws_sdk_sts::Client::from_conf(config.build())
    }

    fn iam(&self) -> aws_sdk_iam::Client {
        let mut config = aws_sdk_iam::config::Builder::from(&self.sdk_config())
            .retry_partition(RetryPartition::new(self.retry_partition.clone()));
        config.set_endpoint_url(self.urls.iam.clone());
        aws_sdk_iam::Client::from_conf(config.build())
    }
}

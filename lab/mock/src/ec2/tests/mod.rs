//! The endpoint as the real SDK sees it: every operation, refusal and fault, in virtual time.

#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod assign;
mod boundaries;
mod describe;
mod every;
mod faults;
mod identity;
mod lifecycle;
mod options;
mod refusals;
mod script;
mod throwaway;
mod waiters;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use chrono::{DateTime, Utc};

use crate::cloud::Cloud;
use crate::connector::Connector;
use crate::faults::Faults;
use crate::machines::Machines;
use crate::world::{Shared, World};
use lab::clock::Clock;
use lab::node::Node;

const REGION: &str = "ap-northeast-1";

/// The example lab, and the operator's clients of it.
struct ExampleLab {
    shared: Shared,
    clock: Clock,
    ec2: aws_sdk_ec2::Client,
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    /// The interface of routerd-cloud.
    eni: String,
    /// The interface of cloud-client.
    other_eni: String,
    /// routerd-cloud.
    instance: String,
}

impl ExampleLab {
    /// Must be called inside a paused runtime.
    fn new() -> Self {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let cloud = Cloud::example(7, now, true);
        let eni_of = |node| {
            let instance = cloud.instance_of(node).unwrap();
            cloud.interfaces_of(&instance.id)[0].id.clone()
        };
        let (eni, other_eni) = (eni_of(Node::RouterdCloud), eni_of(Node::CloudClient));
        let instance = cloud.instance_of(Node::RouterdCloud).unwrap().id.clone();
        let shared = Shared::new(World {
            seed: 7,
            now,
            cloud,
            machines: Machines::default(),
            faults: Faults::default(),
            at_first_end: None,
        });
        let clock = Clock::starting_at(now);
        let operator = shared.lock().cloud.operator.clone();
        let keys = Credentials::new(
            operator.access_key_id,
            operator.secret_access_key,
            None,
            None,
            "tests",
        );
        let config = config(
            clock,
            Connector::operator(shared.clone(), clock),
            SharedCredentialsProvider::new(keys),
        );
        Self {
            ec2: ec2(&config),
            iam: aws_sdk_iam::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            shared,
            clock,
            eni,
            other_eni,
            instance,
        }
    }

    fn cloud(&self) -> Cloud {
        self.shared.lock().cloud.clone()
    }

    /// The configuration of a program on a node: what it may comes from the metadata service.
    fn node_config(&self, node: Node) -> SdkConfig {
        let http = Connector::instance(self.shared.clone(), self.clock, node);
        let provider = ProviderConfig::empty()
            .with_http_client(http.clone())
            .with_sleep_impl(self.clock.sdk_sleep())
            .with_time_source(self.clock.sdk_time());
        let imds = ImdsCredentialsProvider::builder().configure(&provider).build();
        config(self.clock, http, SharedCredentialsProvider::new(imds))
    }

    fn on_node(&self, node: Node) -> aws_sdk_ec2::Client {
        ec2(&self.node_config(node))
    }

    fn elapsed_ms(&self) -> i64 {
        (self.clock.now() - "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap())
            .num_milliseconds()
    }
}

fn config(clock: Clock, http: SharedHttpClient, keys: SharedCredentialsProvider) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .http_client(http)
        .credentials_provider(keys)
        .sleep_impl(clock.sdk_sleep())
        .time_source(clock.sdk_time())
        .retry_config(RetryConfig::standard())
        .timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10)).build(),
        )
        .build()
}

/// With a retry quota of its own: the SDK's is one for the process otherwise.
fn ec2(config: &SdkConfig) -> aws_sdk_ec2::Client {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let partition = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    aws_sdk_ec2::Client::from_conf(
        aws_sdk_ec2::config::Builder::from(config)
            .retry_partition(aws_smithy_runtime::client::retries::RetryPartition::new(partition))
            .build(),
    )
}

/// The status, code and message of a refusal.
fn refusal<T: std::fmt::Debug, E>(result: Result<T, SdkError<E, HttpResponse>>) -> ServiceRefusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = result.unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    let (code, message) = match &error {
        SdkError::ServiceError(context) => (context.err().code(), context.err().message()),
        other => panic!("not an answer of the service: {other:?}"),
    };
    ServiceRefusal {
        status,
        code: code.unwrap().to_owned(),
        message: message.unwrap_or_default().to_owned(),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct ServiceRefusal {
    status: u16,
    code: String,
    message: String,
}

impl ServiceRefusal {
    fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned() }
    }
}

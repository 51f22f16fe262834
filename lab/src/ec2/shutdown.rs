//! The fate of an instance that shuts itself down, as its dead man's switch does.

use aws_sdk_ec2::types::{InstanceAttributeName, ShutdownBehavior};
use serde::{Deserialize, Serialize};

use super::Missing;
use super::reader::{Answer, ReadError, Reader, call, join_pages, make_unreadable};

/// EC2's way with an instance whose operating system powers off. A word that is not known here is
/// kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnShutdown {
    Stop,
    Terminate,
    Other(String),
}

impl Reader {
    /// The fate of this instance where it powers itself off.
    pub async fn on_shutdown(&self, instance_id: &str) -> Result<Answer<OnShutdown>, ReadError> {
        const CALL: &str = "ec2 DescribeInstanceAttribute";
        self.count();
        let request = self
            .ec2
            .describe_instance_attribute()
            .instance_id(instance_id)
            .attribute(InstanceAttributeName::InstanceInitiatedShutdownBehavior);
        let page = call!("ec2 DescribeInstanceAttribute", request)?;
        let value = page.value.instance_initiated_shutdown_behavior().and_then(|it| it.value());
        let found = value.map(|value| match ShutdownBehavior::from(value) {
            ShutdownBehavior::Stop => OnShutdown::Stop,
            ShutdownBehavior::Terminate => OnShutdown::Terminate,
            other => OnShutdown::Other(other.as_str().to_owned()),
        });
        let pages = vec![page.captured];
        let resource = format!("instance {instance_id}");
        let missing = Missing { resource, field: "InstanceInitiatedShutdownBehavior" };
        let found = found.ok_or(missing).map_err(make_unreadable(CALL, &pages))?;
        Ok(join_pages(CALL, found, pages))
    }
}

//! Where an instance is by now. Its addresses change with each start, so they are no facts that anybody
//! decides on.

use std::net::IpAddr;

use aws_sdk_ec2::types as sdk;
use reports::redact::Form;

use super::InstanceState;
use super::reader::{Answer, ReadError, Reader, call, make_filter};

/// An instance's addresses, as `DescribeInstances` answers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstancePlace {
    pub instance_id: String,
    pub state: InstanceState,
    pub public: Option<IpAddr>,
    pub private: Option<IpAddr>,
}

impl Reader {
    /// By filter: one that EC2 does not show yet is none, and no error.
    pub async fn instance_place(
        &self,
        instance_id: &str,
    ) -> Result<Answer<Option<InstancePlace>>, ReadError> {
        self.count();
        let request =
            self.ec2.describe_instances().filters(make_filter("instance-id", instance_id));
        let page = call!("ec2 DescribeInstances", request)?;
        let instances = page.value.reservations().iter().flat_map(sdk::Reservation::instances);
        let mut places = instances.filter(|it| it.instance_id() == Some(instance_id));
        let address = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        let place = places.next().map(|it| InstancePlace {
            instance_id: instance_id.to_owned(),
            state: InstanceState::parse(
                it.state()
                    .and_then(sdk::InstanceState::name)
                    .map_or("unknown", sdk::InstanceStateName::as_str),
            ),
            public: address(it.public_ip_address()),
            private: address(it.private_ip_address()),
        });
        Ok(Answer {
            value: place,
            call: "ec2 DescribeInstances".to_owned(),
            raw: vec![page.captured.body],
            form: Form::Xml,
            attempts: page.captured.attempts,
        })
    }
}

//! Facts of an instance that no describe of it says: what protects it, and how much its type holds.

use aws_sdk_ec2::types as sdk;

use super::Missing;
use super::facts::require_field;
use super::reader::{
    Answer, ReadError, Reader, at_most_one, call, describe, join_pages, make_filter,
    make_unreadable,
};

/// A protection of an instance, which refuses what it is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// `disableApiStop`: neither stopped nor terminated.
    Stop,
    /// `disableApiTermination`.
    Termination,
}

impl Protection {
    /// The attribute's name, as `disableApiStop`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "disableApiStop",
            Self::Termination => "disableApiTermination",
        }
    }
}

/// An instance type, as `DescribeInstanceTypes` answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceTypeLimits {
    pub instance_type: String,
    /// `Ipv4AddressesPerInterface`: the primary one is among them.
    pub ipv4_addresses_per_interface: usize,
}

impl Reader {
    /// Whether the instance has this protection. Fails where EC2 does not know the instance.
    pub async fn protection(
        &self,
        id: &str,
        protection: Protection,
    ) -> Result<Answer<bool>, ReadError> {
        const CALL: &str = "ec2 DescribeInstanceAttribute";
        self.count();
        let request = self
            .ec2
            .describe_instance_attribute()
            .instance_id(id)
            .attribute(sdk::InstanceAttributeName::from(protection.as_str()));
        let page = call!("ec2 DescribeInstanceAttribute", request)?;
        let value = match protection {
            Protection::Stop => page.value.disable_api_stop(),
            Protection::Termination => page.value.disable_api_termination(),
        };
        let value = value.and_then(|it| it.value);
        let pages = vec![page.captured];
        let value = require_field(value, id, protection.as_str());
        Ok(join_pages(CALL, value.map_err(make_unreadable(CALL, &pages))?, pages))
    }

    /// The limits of an instance type; `None` where EC2 does not list it.
    pub async fn instance_type_limits(
        &self,
        instance_type: &str,
    ) -> Result<Answer<Option<InstanceTypeLimits>>, ReadError> {
        let request =
            self.ec2.describe_instance_types().filters(make_filter("instance-type", instance_type));
        let found: Result<Answer<Vec<InstanceTypeLimits>>, ReadError> = describe!(
            self,
            "ec2 DescribeInstanceTypes",
            request,
            instance_types,
            InstanceTypeLimits
        );
        at_most_one(found?, instance_type, |it| &it.instance_type)
    }
}

impl TryFrom<&sdk::InstanceTypeInfo> for InstanceTypeLimits {
    type Error = Missing;

    fn try_from(info: &sdk::InstanceTypeInfo) -> Result<Self, Missing> {
        let name = require_field(info.instance_type(), "an instance type", "InstanceType")?;
        let name = name.as_str().to_owned();
        let most = info.network_info().and_then(|it| it.ipv4_addresses_per_interface);
        let most = most.and_then(|it| usize::try_from(it).ok());
        Ok(Self {
            ipv4_addresses_per_interface: require_field(most, &name, "Ipv4AddressesPerInterface")?,
            instance_type: name,
        })
    }
}

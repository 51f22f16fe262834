//! EC2's facts, as the harness's own types. A field that the smoke decides on and that the answer
//! lacks is an error when it is read, never a default (contract §4.4: the upstream executor takes a
//! missing `SourceDestCheck` for false).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use aws_sdk_ec2::types as sdk;
use chrono::{DateTime, Utc};
use reports::record::Goal;
use reports::redact::Redactor;
use serde::{Deserialize, Serialize};

use super::InstanceState;

/// The tags of a resource, key to value. A secret's value is read as its digest.
pub type Tags = BTreeMap<String, String>;

/// A field that the answer lacks, or whose value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{resource} has no readable {field}")]
pub struct Missing {
    pub resource: String,
    pub field: &'static str,
}

/// An ENI, as `DescribeNetworkInterfaces` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub network_interface_id: String,
    pub owner_id: String,
    pub vpc_id: String,
    pub subnet_id: String,
    pub mac_address: String,
    pub source_dest_check: bool,
    pub primary_address: Ipv4Addr,
    /// Sorted.
    pub secondary_addresses: Vec<Ipv4Addr>,
    /// Sorted ids.
    pub security_groups: Vec<String>,
    pub instance_id: Option<String>,
    pub tags: Tags,
}

impl NetworkInterface {
    /// Whether the ENI has the address, as its primary or a secondary one.
    pub fn has(&self, address: Ipv4Addr) -> bool {
        self.primary_address == address || self.secondary_addresses.contains(&address)
    }

    /// Whether it looks so.
    pub fn meets(&self, goal: Goal) -> bool {
        match goal {
            Goal::Assigned(address) => self.has(address),
            Goal::Unassigned(address) => !self.has(address),
            Goal::SourceDestCheck(on) => self.source_dest_check == on,
        }
    }
}

/// An instance, as `DescribeInstances` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub instance_id: String,
    pub state: InstanceState,
    pub instance_type: String,
    pub vpc_id: Option<String>,
    pub subnet_id: Option<String>,
    /// Sorted.
    pub network_interface_ids: Vec<String>,
    /// By volume id.
    pub block_devices: Vec<BlockDevice>,
    /// ARN.
    pub instance_profile: Option<String>,
    /// `InstanceLifecycle`, as `spot`; none of an instance on demand.
    pub lifecycle: Option<String>,
    /// `RootDeviceType`, as `ebs`.
    pub root_device_type: Option<String>,
    /// `LaunchTime`: of its last start.
    pub launched_at: Option<DateTime<Utc>>,
    pub tags: Tags,
}

/// An EBS volume as its instance has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    pub volume_id: String,
    /// `DeviceName`, as `/dev/xvda`.
    pub device_name: String,
    pub delete_on_termination: bool,
}

/// A subnet, as `DescribeSubnets` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub subnet_id: String,
    pub vpc_id: String,
    /// Another account shares it with this one where it is not this one's.
    pub owner_id: String,
    /// `AvailabilityZone`, as `ap-northeast-1a`.
    pub availability_zone: String,
    pub cidr_block: String,
    pub tags: Tags,
}

/// A VPC, as `DescribeVpcs` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    pub vpc_id: String,
    pub owner_id: String,
    pub cidr_block: String,
    pub is_default: bool,
    pub tags: Tags,
}

/// A route table, as `DescribeRouteTables` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    pub route_table_id: String,
    pub main: bool,
    /// Explicit associations, sorted.
    pub subnet_ids: Vec<String>,
    /// Destination to target, as `0.0.0.0/0` to `igw-…`.
    pub routes: BTreeMap<String, String>,
}

/// An elastic IP address, as `DescribeAddresses` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub allocation_id: String,
    pub public_ip: Ipv4Addr,
    pub network_interface_id: Option<String>,
    pub association_id: Option<String>,
    pub tags: Tags,
}

/// An EBS volume, as `DescribeVolumes` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    pub volume_id: String,
    /// `State`, as `available` or `in-use`.
    pub state: String,
    pub attached_to: Vec<String>,
    /// `CreateTime`.
    pub created_at: Option<DateTime<Utc>>,
    pub tags: Tags,
}

pub(super) fn require_field<T>(
    value: Option<T>,
    resource: &str,
    field: &'static str,
) -> Result<T, Missing> {
    value.ok_or_else(|| Missing { resource: resource.to_owned(), field })
}

fn address(text: Option<&str>, resource: &str, field: &'static str) -> Result<Ipv4Addr, Missing> {
    require_field(text.and_then(|text| text.parse().ok()), resource, field)
}

/// A time that only tells people how old something is: one that cannot be read is none.
pub(super) fn read_time(time: Option<&aws_smithy_types::DateTime>) -> Option<DateTime<Utc>> {
    time.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()))
}

pub(super) fn read_tags(tags: &[sdk::Tag]) -> Tags {
    let pair = |tag: &sdk::Tag| {
        let (key, value) = (tag.key()?.to_owned(), tag.value().unwrap_or_default());
        // A secret is known by its digest alone, in memory as in the journal that it is compared with.
        let value = Redactor::default().pair(&key, value).into_owned();
        Some((key, value))
    };
    tags.iter().filter_map(pair).collect()
}

impl TryFrom<&sdk::NetworkInterface> for NetworkInterface {
    type Error = Missing;

    fn try_from(eni: &sdk::NetworkInterface) -> Result<Self, Missing> {
        let id = require_field(
            eni.network_interface_id.clone(),
            "a network interface",
            "NetworkInterfaceId",
        )?;
        let mut primary = None;
        let mut secondary = Vec::new();
        for private in eni.private_ip_addresses() {
            let ip = address(private.private_ip_address(), &id, "PrivateIpAddress")?;
            if require_field(private.primary, &id, "Primary of a private address")? {
                primary = Some(ip);
            } else {
                secondary.push(ip);
            }
        }
        secondary.sort_unstable();
        let mut groups: Vec<_> =
            eni.groups().iter().filter_map(|group| group.group_id.clone()).collect();
        groups.sort();
        Ok(Self {
            owner_id: require_field(eni.owner_id.clone(), &id, "OwnerId")?,
            vpc_id: require_field(eni.vpc_id.clone(), &id, "VpcId")?,
            subnet_id: require_field(eni.subnet_id.clone(), &id, "SubnetId")?,
            mac_address: require_field(eni.mac_address.clone(), &id, "MacAddress")?,
            source_dest_check: require_field(eni.source_dest_check, &id, "SourceDestCheck")?,
            primary_address: require_field(primary, &id, "primary private address")?,
            secondary_addresses: secondary,
            security_groups: groups,
            instance_id: eni.attachment().and_then(|attachment| attachment.instance_id.clone()),
            tags: read_tags(eni.tag_set()),
            network_interface_id: id,
        })
    }
}

impl TryFrom<&sdk::Instance> for Instance {
    type Error = Missing;

    fn try_from(instance: &sdk::Instance) -> Result<Self, Missing> {
        let id = require_field(instance.instance_id.clone(), "an instance", "InstanceId")?;
        let state = instance.state().and_then(|state| state.name.as_ref());
        let mut enis: Vec<_> = instance
            .network_interfaces()
            .iter()
            .filter_map(|eni| eni.network_interface_id.clone())
            .collect();
        enis.sort();
        Ok(Self {
            state: InstanceState::parse(require_field(state, &id, "State")?.as_str()),
            block_devices: block_devices(instance, &id)?,
            instance_type: require_field(instance.instance_type.as_ref(), &id, "InstanceType")?
                .as_str()
                .to_owned(),
            vpc_id: instance.vpc_id.clone(),
            subnet_id: instance.subnet_id.clone(),
            network_interface_ids: enis,
            instance_profile: instance
                .iam_instance_profile()
                .and_then(|profile| profile.arn.clone()),
            lifecycle: instance.instance_lifecycle().map(|it| it.as_str().to_owned()),
            root_device_type: instance.root_device_type().map(|it| it.as_str().to_owned()),
            launched_at: read_time(instance.launch_time()),
            tags: read_tags(instance.tags()),
            instance_id: id,
        })
    }
}

fn block_devices(instance: &sdk::Instance, id: &str) -> Result<Vec<BlockDevice>, Missing> {
    let mut devices = Vec::new();
    for mapping in instance.block_device_mappings() {
        // What is no EBS volume ends with its instance.
        let Some(ebs) = mapping.ebs() else { continue };
        devices.push(BlockDevice {
            volume_id: require_field(ebs.volume_id.clone(), id, "VolumeId of a block device")?,
            device_name: mapping.device_name.clone().unwrap_or_default(),
            // Where it is not said, it may outlive the instance.
            delete_on_termination: ebs.delete_on_termination.unwrap_or(false),
        });
    }
    devices.sort_by(|a, b| a.volume_id.cmp(&b.volume_id));
    Ok(devices)
}

impl TryFrom<&sdk::Subnet> for Subnet {
    type Error = Missing;

    fn try_from(subnet: &sdk::Subnet) -> Result<Self, Missing> {
        let id = require_field(subnet.subnet_id.clone(), "a subnet", "SubnetId")?;
        Ok(Self {
            vpc_id: require_field(subnet.vpc_id.clone(), &id, "VpcId")?,
            owner_id: require_field(subnet.owner_id.clone(), &id, "OwnerId")?,
            availability_zone: require_field(
                subnet.availability_zone.clone(),
                &id,
                "AvailabilityZone",
            )?,
            cidr_block: require_field(subnet.cidr_block.clone(), &id, "CidrBlock")?,
            tags: read_tags(subnet.tags()),
            subnet_id: id,
        })
    }
}

impl TryFrom<&sdk::Vpc> for Vpc {
    type Error = Missing;

    fn try_from(vpc: &sdk::Vpc) -> Result<Self, Missing> {
        let id = require_field(vpc.vpc_id.clone(), "a VPC", "VpcId")?;
        Ok(Self {
            owner_id: require_field(vpc.owner_id.clone(), &id, "OwnerId")?,
            cidr_block: require_field(vpc.cidr_block.clone(), &id, "CidrBlock")?,
            is_default: require_field(vpc.is_default, &id, "IsDefault")?,
            tags: read_tags(vpc.tags()),
            vpc_id: id,
        })
    }
}

impl TryFrom<&sdk::RouteTable> for RouteTable {
    type Error = Missing;

    fn try_from(table: &sdk::RouteTable) -> Result<Self, Missing> {
        let id = require_field(table.route_table_id.clone(), "a route table", "RouteTableId")?;
        let associations = table.associations();
        let mut subnet_ids: Vec<_> =
            associations.iter().filter_map(|association| association.subnet_id.clone()).collect();
        subnet_ids.sort();
        let mut routes = BTreeMap::new();
        for route in table.routes() {
            let destination = route
                .destination_cidr_block()
                .or(route.destination_ipv6_cidr_block())
                .or(route.destination_prefix_list_id());
            let destination = require_field(destination, &id, "destination of a route")?;
            let target = require_field(route_target(route), &id, "target of a route")?;
            routes.insert(destination.to_owned(), target.to_owned());
        }
        Ok(Self {
            main: associations.iter().any(|association| association.main == Some(true)),
            subnet_ids,
            routes,
            route_table_id: id,
        })
    }
}

fn route_target(route: &sdk::Route) -> Option<&str> {
    route
        .gateway_id()
        .or(route.network_interface_id())
        .or(route.nat_gateway_id())
        .or(route.transit_gateway_id())
        .or(route.vpc_peering_connection_id())
        .or(route.instance_id())
        .or(route.egress_only_internet_gateway_id())
        .or(route.local_gateway_id())
        .or(route.carrier_gateway_id())
        .or(route.core_network_arn())
}

impl TryFrom<&sdk::Address> for Address {
    type Error = Missing;

    fn try_from(eip: &sdk::Address) -> Result<Self, Missing> {
        let id = require_field(eip.allocation_id.clone(), "an elastic IP address", "AllocationId")?;
        Ok(Self {
            public_ip: address(eip.public_ip(), &id, "PublicIp")?,
            network_interface_id: eip.network_interface_id.clone(),
            association_id: eip.association_id.clone(),
            tags: read_tags(eip.tags()),
            allocation_id: id,
        })
    }
}

impl TryFrom<&sdk::Volume> for Volume {
    type Error = Missing;

    fn try_from(volume: &sdk::Volume) -> Result<Self, Missing> {
        let id = require_field(volume.volume_id.clone(), "a volume", "VolumeId")?;
        let mut attached_to: Vec<_> = volume
            .attachments()
            .iter()
            .filter_map(|attachment| attachment.instance_id.clone())
            .collect();
        attached_to.sort();
        Ok(Self {
            state: require_field(volume.state.as_ref(), &id, "State")?.as_str().to_owned(),
            attached_to,
            created_at: read_time(volume.create_time()),
            tags: read_tags(volume.tags()),
            volume_id: id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_meets_a_goal_or_its_opposite() {
        let address = |text: &str| text.parse::<Ipv4Addr>().expect("an address");
        let interface = NetworkInterface {
            network_interface_id: "eni-1".to_owned(),
            owner_id: "123456789012".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            subnet_id: "subnet-1".to_owned(),
            mac_address: "02:00:00:00:00:04".to_owned(),
            source_dest_check: true,
            primary_address: address("10.88.60.4"),
            secondary_addresses: vec![address("10.88.60.9")],
            security_groups: Vec::new(),
            instance_id: None,
            tags: Tags::new(),
        };
        for (of, has) in [("10.88.60.4", true), ("10.88.60.9", true), ("10.88.60.7", false)] {
            assert_eq!(interface.meets(Goal::Assigned(address(of))), has, "{of}");
            assert_eq!(interface.meets(Goal::Unassigned(address(of))), !has, "{of}");
        }
        assert!(interface.meets(Goal::SourceDestCheck(true)));
        assert!(!interface.meets(Goal::SourceDestCheck(false)));
    }

    #[test]
    fn what_is_not_said_of_a_volume_may_outlive_its_instance() {
        let of = |ebs: sdk::EbsInstanceBlockDevice| {
            sdk::InstanceBlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build()
        };
        let ebs = sdk::EbsInstanceBlockDevice::builder().volume_id("vol-1");
        let instance = sdk::Instance::builder()
            .block_device_mappings(of(ebs.clone().build()))
            .block_device_mappings(of(ebs.volume_id("vol-2").delete_on_termination(true).build()))
            .block_device_mappings(sdk::InstanceBlockDeviceMapping::builder().build())
            .build();
        let read = block_devices(&instance, "i-1").expect("readable");
        let read: Vec<_> =
            read.iter().map(|it| (it.volume_id.as_str(), it.delete_on_termination)).collect();
        assert_eq!(read, [("vol-1", false), ("vol-2", true)]);
    }

    #[test]
    fn tags_are_read_by_their_keys() {
        let tag = sdk::Tag::builder().key("lab-smoke").value("sam-smoke").build();
        assert_eq!(read_tags(&[tag]), [("lab-smoke".to_owned(), "sam-smoke".to_owned())].into());
    }
}

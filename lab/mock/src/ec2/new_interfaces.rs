//! A new network interface, from whatever asks for one: its subnet, addresses and groups.

use std::net::Ipv4Addr;

use super::error::{ApiError, SECURITY_GROUP, SUBNET};
use super::params::Params;
use super::private_addresses::{check_range, find_address_holder, free_addresses};
use super::render;
use crate::cloud::{Cloud, LaunchAddress, NetworkInterface, PrivateAddress, Subnet, Tags, ids};

/// The interface that is asked for.
#[derive(Clone, Debug, Default)]
pub struct NewInterface {
    pub subnet_id: String,
    pub description: String,
    pub primary: Option<Ipv4Addr>,
    pub secondary: Vec<Ipv4Addr>,
    /// How many more, wherever there is room.
    pub secondary_count: usize,
    pub groups: Vec<String>,
    pub tags: Tags,
}

impl NewInterface {
    /// Addresses and groups as the parameters after `prefix` say them.
    pub fn read(params: &Params, prefix: &str) -> Result<Self, ApiError> {
        let name = |field: &str| format!("{prefix}{field}");
        let mut wanted = Self {
            subnet_id: params.text(&name("SubnetId")).unwrap_or_default().to_owned(),
            description: params.text(&name("Description")).unwrap_or_default().to_owned(),
            primary: params.address(&name("PrivateIpAddress"))?,
            secondary_count: params.number(&name("SecondaryPrivateIpAddressCount"))?.unwrap_or(0),
            groups: params.list(&name("SecurityGroupId")).into_iter().map(str::to_owned).collect(),
            ..Self::default()
        };
        let list = name("PrivateIpAddresses");
        for number in params.numbers(&list) {
            let address = params.address(&format!("{list}.{number}.PrivateIpAddress"))?;
            let address = address.ok_or_else(|| ApiError::missing(&list))?;
            if params.flag(&format!("{list}.{number}.Primary"))? != Some(true) {
                wanted.secondary.push(address);
            } else if wanted.primary.replace(address).is_some() {
                return Err(ApiError::invalid_combination(
                    "Only one primary private IP address can be specified.",
                ));
            }
        }
        if !wanted.secondary.is_empty() && wanted.secondary_count > 0 {
            return Err(ApiError::invalid_combination(
                "The parameter privateIpAddresses cannot be used with the parameter secondaryPrivateIpAddressCount",
            ));
        }
        Ok(wanted)
    }
}

/// Made and not yet attached to anything.
pub fn make(cloud: &mut Cloud, wanted: &NewInterface) -> Result<NetworkInterface, ApiError> {
    let subnet = render::find_by_id(&SUBNET, &mut cloud.subnets, &wanted.subnet_id)?.clone();
    let groups = groups(cloud, &subnet, &wanted.groups)?;
    let addresses = addresses(cloud, &subnet, wanted)?;
    let id = cloud.new_id("eni");
    let private = |(position, address)| PrivateAddress { address, primary: position == 0 };
    Ok(NetworkInterface {
        mac: ids::make_mac(cloud.seed, &id),
        description: wanted.description.clone(),
        vpc_id: subnet.vpc_id,
        subnet_id: subnet.id,
        source_dest_check: true,
        private_addresses: addresses.into_iter().enumerate().map(private).collect(),
        groups,
        instance_id: None,
        attachment: None,
        launch_address: LaunchAddress::Never,
        tags: wanted.tags.clone(),
        id,
    })
}

/// The VPC's default group where none is asked for.
fn groups(cloud: &mut Cloud, subnet: &Subnet, wanted: &[String]) -> Result<Vec<String>, ApiError> {
    for id in wanted {
        let group = render::find_by_id(&SECURITY_GROUP, &mut cloud.security_groups, id)?;
        if group.vpc_id != subnet.vpc_id {
            return Err(ApiError::bad(
                "InvalidParameter",
                format!(
                    "Security group {id} and subnet {} belong to different networks.",
                    subnet.id
                ),
            ));
        }
    }
    if !wanted.is_empty() {
        return Ok(wanted.to_vec());
    }
    let all = cloud.security_groups.values();
    let default = all.filter(|group| group.vpc_id == subnet.vpc_id && group.name == "default");
    Ok(default.map(|group| group.id.clone()).collect())
}

/// The primary first.
fn addresses(
    cloud: &Cloud,
    subnet: &Subnet,
    wanted: &NewInterface,
) -> Result<Vec<Ipv4Addr>, ApiError> {
    let named: Vec<Ipv4Addr> =
        wanted.primary.into_iter().chain(wanted.secondary.iter().copied()).collect();
    check_range(subnet, &named)?;
    for address in &named {
        if find_address_holder(cloud, &subnet.vpc_id, *address).is_some() {
            return Err(ApiError::bad(
                "InvalidIPAddress.InUse",
                format!("Address {address} is in use."),
            ));
        }
    }
    let missing = usize::from(wanted.primary.is_none());
    let mut free = free_addresses(cloud, subnet, &named, missing + wanted.secondary_count)?;
    let rest = free.split_off(missing);
    Ok(free.into_iter().chain(named).chain(rest).collect())
}

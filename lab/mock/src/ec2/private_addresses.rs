//! The operation that the smoke turns on: a secondary private address comes to an interface, moves
//! or goes. Neither operation has a `DryRun`.

use std::net::Ipv4Addr;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, INTERFACE};
use super::render;
use super::xml::Xml;
use crate::cloud::{Cloud, NetworkInterface, Subnet, instance_types};

const ENI: Resources = Resources::Of { kind: "network-interface", parameter: "NetworkInterfaceId" };

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::change(
        "AssignPrivateIpAddresses",
        ENI,
        &[
            "NetworkInterfaceId",
            "PrivateIpAddress.N",
            "SecondaryPrivateIpAddressCount",
            "AllowReassignment",
        ],
        assign,
    )
    .without_dry_run(),
    ApiOperation::change(
        "UnassignPrivateIpAddresses",
        ENI,
        &["NetworkInterfaceId", "PrivateIpAddress.N"],
        unassign,
    )
    .without_dry_run(),
];

/// An interface that is attached to nothing has no instance type to limit it.
const UNATTACHED_LIMIT: usize = 50;

fn assign(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("NetworkInterfaceId")?;
    let listed = params.addresses("PrivateIpAddress")?;
    let count: Option<usize> = params.number("SecondaryPrivateIpAddressCount")?;
    let may_move = params.flag("AllowReassignment")? == Some(true);
    render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
    let wanted = match (listed.is_empty(), count) {
        (false, None) => listed,
        (true, Some(count)) => free_addresses_beside(call.cloud, id, count)?,
        (false, Some(_)) => {
            return Err(ApiError::invalid_combination(
                "The parameter privateIpAddresses cannot be used with the parameter secondaryPrivateIpAddressCount",
            ));
        }
        (true, None) => {
            return Err(ApiError::bad(
                "MissingParameter",
                "Either privateIpAddresses or secondaryPrivateIpAddressCount must be specified",
            ));
        }
    };
    if let Some(subnet) = subnet_of(call.cloud, id) {
        check_range(subnet, &wanted)?;
    }
    check_holders(call.cloud, id, &wanted, may_move)?;
    check_limit(call.cloud, id, &wanted)?;
    for address in &wanted {
        take(call.cloud, id, *address);
    }
    Ok(assigned(id, &wanted))
}

fn subnet_of<'a>(cloud: &'a Cloud, eni_id: &str) -> Option<&'a Subnet> {
    cloud.subnets.get(&cloud.interface(eni_id)?.subnet_id)
}

/// Inside the subnet, and none of those that AWS keeps.
pub fn check_range(subnet: &Subnet, wanted: &[Ipv4Addr]) -> Result<(), ApiError> {
    for address in wanted {
        if !subnet.cidr.contains(address) {
            return Err(ApiError::invalid_value(
                "Address does not fall within the subnet's address range",
            ));
        }
        if subnet.reserves(*address) {
            return Err(ApiError::invalid_value("Address is in subnet's reserved address range"));
        }
    }
    Ok(())
}

/// Another interface's secondary address moves where that is allowed; its primary never does.
fn check_holders(
    cloud: &Cloud,
    eni_id: &str,
    wanted: &[Ipv4Addr],
    may_move: bool,
) -> Result<(), ApiError> {
    let vpc_id = cloud.interface(eni_id).map(|eni| eni.vpc_id.as_str());
    for address in wanted {
        let holder = cloud.network_interfaces.values().find(|eni| {
            eni.id != eni_id && Some(eni.vpc_id.as_str()) == vpc_id && eni.owns(*address)
        });
        let Some(holder) = holder else { continue };
        if !may_move {
            return Err(ApiError::invalid_value(format!(
                "[{address}] assigned, but move is not allowed."
            )));
        }
        if holder.primary() == Some(*address) {
            return Err(ApiError::invalid_value("secondary-addresses"));
        }
    }
    Ok(())
}

fn check_limit(cloud: &Cloud, eni_id: &str, wanted: &[Ipv4Addr]) -> Result<(), ApiError> {
    let Some(eni) = cloud.interface(eni_id) else { return Ok(()) };
    let added = wanted.iter().filter(|address| !eni.owns(**address)).count();
    if eni.private_addresses.len() + added > limit(cloud, eni) {
        return Err(ApiError::bad(
            "PrivateIpAddressLimitExceeded",
            "Number of private addresses will exceed limit.",
        ));
    }
    Ok(())
}

fn limit(cloud: &Cloud, eni: &NetworkInterface) -> usize {
    eni.instance_id
        .as_ref()
        .and_then(|id| cloud.instances.get(id))
        .and_then(|instance| instance_types::find(&instance.instance_type))
        .map_or(UNATTACHED_LIMIT, |found| found.ipv4_addresses_per_interface)
}

fn free_addresses_beside(
    cloud: &Cloud,
    eni_id: &str,
    count: usize,
) -> Result<Vec<Ipv4Addr>, ApiError> {
    subnet_of(cloud, eni_id).map_or(Ok(vec![]), |subnet| free_addresses(cloud, subnet, &[], count))
}

/// The lowest addresses of the subnet that nobody has, and that are not in `taken`.
pub fn free_addresses(
    cloud: &Cloud,
    subnet: &Subnet,
    taken: &[Ipv4Addr],
    count: usize,
) -> Result<Vec<Ipv4Addr>, ApiError> {
    let is_held = |address: Ipv4Addr| find_address_holder(cloud, &subnet.vpc_id, address).is_some();
    let free: Vec<Ipv4Addr> = subnet
        .cidr
        .hosts()
        .filter(|address| !subnet.reserves(*address) && !taken.contains(address))
        .filter(|address| !is_held(*address))
        .take(count)
        .collect();
    if free.len() < count {
        return Err(ApiError::bad(
            "InsufficientFreeAddressesInSubnet",
            format!("There are not enough free addresses in subnet '{}'", subnet.id),
        ));
    }
    Ok(free)
}

/// Who has an address in a VPC.
pub fn find_address_holder<'a>(
    cloud: &'a Cloud,
    vpc_id: &str,
    address: Ipv4Addr,
) -> Option<&'a NetworkInterface> {
    cloud.network_interfaces.values().find(|eni| eni.vpc_id == vpc_id && eni.owns(address))
}

/// From whoever has it; an Elastic IP address on it moves along.
fn take(cloud: &mut Cloud, eni_id: &str, address: Ipv4Addr) {
    let vpc_id = cloud.interface(eni_id).map(|eni| eni.vpc_id.clone());
    let mut previous_holder = None;
    for eni in cloud.network_interfaces.values_mut() {
        if eni.id == eni_id {
            eni.add_secondary(address);
        } else if Some(&eni.vpc_id) == vpc_id.as_ref() && eni.owns(address) {
            eni.remove_secondary(address);
            previous_holder = Some(eni.id.clone());
        }
    }
    let moved = cloud.addresses.values_mut().filter_map(|a| a.association.as_mut()).find(|a| {
        a.private_address == address && Some(&a.network_interface_id) == previous_holder.as_ref()
    });
    if let Some(association) = moved {
        eni_id.clone_into(&mut association.network_interface_id);
    }
}

fn assigned(eni_id: &str, addresses: &[Ipv4Addr]) -> Xml {
    let mut xml = Xml::new();
    xml.leaf("networkInterfaceId", eni_id);
    xml.items("assignedPrivateIpAddressesSet", addresses, |xml, address| {
        xml.leaf("privateIpAddress", address);
    });
    xml.items("assignedIpv4PrefixSet", [(); 0], |_, ()| {});
    xml
}

fn unassign(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("NetworkInterfaceId")?;
    params.required_list("PrivateIpAddress")?;
    let addresses = params.addresses("PrivateIpAddress")?;
    let eni = render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
    if addresses.iter().any(|address| !eni.owns(*address)) {
        return Err(ApiError::invalid_value(format!(
            "Some of the specified addresses are not assigned to interface {id}"
        )));
    }
    if addresses.iter().any(|address| eni.primary() == Some(*address)) {
        return Err(ApiError::invalid_value(format!(
            "The primary private IP address of interface {id} cannot be unassigned"
        )));
    }
    for address in &addresses {
        eni.remove_secondary(*address);
    }
    // An Elastic IP address on an unassigned address is disassociated.
    for address in call.cloud.addresses.values_mut() {
        address.association.take_if(|association| {
            association.network_interface_id == id
                && addresses.contains(&association.private_address)
        });
    }
    Ok(render::return_true())
}

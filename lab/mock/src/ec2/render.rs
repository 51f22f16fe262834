//! The parts that several describes write: tags, groups, names, times, addresses.

use std::net::Ipv4Addr;

use chrono::{DateTime, SecondsFormat, Utc};

use super::error::{ApiError, IdKind};
use super::xml::Xml;
use crate::cloud::{Cloud, ElasticIp, InstanceState, NetworkInterface, Tags};

pub fn tag_set(xml: &mut Xml, tags: &Tags) {
    xml.items("tagSet", tags, |xml, (key, value)| {
        xml.leaf("key", key);
        xml.leaf("value", value);
    });
}

pub fn group_set(xml: &mut Xml, cloud: &Cloud, groups: &[String]) {
    xml.items("groupSet", groups, |xml, id| {
        xml.leaf("groupId", id);
        xml.leaf_if("groupName", cloud.security_groups.get(id).map(|group| &group.name));
    });
}

/// EC2's: with milliseconds.
pub fn format_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// IAM's: without.
pub fn time_seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub fn private_dns_name(cloud: &Cloud, address: Ipv4Addr) -> String {
    format!("ip-{}.{}.compute.internal", dashed(address), cloud.region)
}

pub fn public_dns_name(cloud: &Cloud, address: Ipv4Addr) -> String {
    format!("ec2-{}.{}.compute.amazonaws.com", dashed(address), cloud.region)
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

/// Who may see an address's association ids: describes of interfaces do, those of instances do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Association {
    WithIds,
    WithoutIds,
}

/// Nothing where no public address is there.
pub fn write_association(
    xml: &mut Xml,
    cloud: &Cloud,
    eni: &NetworkInterface,
    private: Ipv4Addr,
    ids: Association,
) {
    let Some(public) = cloud.public_address_on(eni, private) else { return };
    let elastic = cloud.address_on(&eni.id, private);
    xml.element("association", |xml| {
        if let Some(elastic) = elastic.filter(|_| ids == Association::WithIds) {
            association_ids(xml, elastic);
        }
        // An address of Amazon's pool is Amazon's.
        xml.leaf("ipOwnerId", elastic.map_or("amazon", |_| &cloud.account_id));
        xml.leaf("publicDnsName", public_dns_name(cloud, public));
        xml.leaf("publicIp", public);
    });
}

fn association_ids(xml: &mut Xml, address: &ElasticIp) {
    xml.leaf("allocationId", &address.allocation_id);
    xml.leaf_if("associationId", address.association.as_ref().map(|a| &a.id));
}

/// Every private address of the interface, the primary first.
pub fn private_addresses(xml: &mut Xml, cloud: &Cloud, eni: &NetworkInterface, ids: Association) {
    xml.items("privateIpAddressesSet", &eni.private_addresses, |xml, private| {
        write_association(xml, cloud, eni, private.address, ids);
        xml.leaf("primary", private.primary);
        xml.leaf("privateDnsName", private_dns_name(cloud, private.address));
        xml.leaf("privateIpAddress", private.address);
    });
}

/// Writes the part of an interface that it shows wherever it is shown: in its own describe and in
/// its instance's.
pub fn write_interface_fields(
    xml: &mut Xml,
    cloud: &Cloud,
    eni: &NetworkInterface,
    ids: Association,
) {
    xml.leaf("description", &eni.description);
    group_set(xml, cloud, &eni.groups);
    xml.leaf("interfaceType", "interface");
    xml.items("ipv6AddressesSet", [(); 0], |_, ()| {});
    xml.leaf("macAddress", &eni.mac);
    xml.leaf("networkInterfaceId", &eni.id);
    xml.leaf("ownerId", &cloud.account_id);
    if let Some(primary) = eni.primary() {
        xml.leaf("privateDnsName", private_dns_name(cloud, primary));
        xml.leaf("privateIpAddress", primary);
    }
    private_addresses(xml, cloud, eni, ids);
    xml.leaf("sourceDestCheck", eni.source_dest_check);
    xml.leaf("subnetId", &eni.subnet_id);
    xml.leaf("vpcId", &eni.vpc_id);
}

pub fn write_state(xml: &mut Xml, name: &str, state: InstanceState) {
    xml.element(name, |xml| {
        xml.leaf("code", state.code());
        xml.leaf("name", state.as_str());
    });
}

/// The answer of most changes.
pub fn return_true() -> Xml {
    let mut xml = Xml::new();
    xml.leaf("return", true);
    xml
}

/// All items, or those whose ids are asked for; one that is not there is an error, as AWS's is.
pub fn find_by_ids<'a, T>(
    kind: &IdKind,
    all: &'a std::collections::BTreeMap<String, T>,
    ids: &[&str],
) -> Result<Vec<&'a T>, ApiError> {
    if ids.is_empty() {
        return Ok(all.values().collect());
    }
    for id in ids {
        kind.check(id)?;
    }
    let missing: Vec<&str> = ids.iter().copied().filter(|id| !all.contains_key(*id)).collect();
    if !missing.is_empty() {
        return Err(kind.not_found(&missing));
    }
    Ok(all.iter().filter(|(id, _)| ids.contains(&id.as_str())).map(|(_, item)| item).collect())
}

/// The item with this id.
pub fn find_by_id<'a, T>(
    kind: &IdKind,
    all: &'a mut std::collections::BTreeMap<String, T>,
    id: &str,
) -> Result<&'a mut T, ApiError> {
    kind.check(id)?;
    all.get_mut(id).ok_or_else(|| kind.not_found(&[id]))
}

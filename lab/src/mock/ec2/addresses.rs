//! Elastic IP addresses.

use std::net::Ipv4Addr;

use super::action::{Action, Call, Resources};
use super::error::{ALLOCATION, ASSOCIATION, ApiError};
use super::filters::{self, Field};
use super::render;
use super::xml::Xml;
use crate::mock::cloud::{Address, AddressAssociation, Cloud};

pub const ACTIONS: &[Action] = &[
    Action::describe(
        "DescribeAddresses",
        &["AllocationId.N", "PublicIp.N", "Filter.N.Name", "Filter.N.Value.N"],
        describe,
    ),
    Action::change(
        "ReleaseAddress",
        Resources::Of { kind: "elastic-ip", parameter: "AllocationId" },
        &["AllocationId"],
        release,
    ),
    Action::change("DisassociateAddress", Resources::Any, &["AssociationId"], disassociate),
];

const FIELDS: &[Field<Address>] = &[
    ("allocation-id", |_, address| vec![address.allocation_id.clone()]),
    ("association-id", |_, address| associated(address, |a| a.id.clone())),
    ("domain", |_, _| vec!["vpc".to_owned()]),
    ("instance-id", |cloud, address| instance(cloud, address).into_iter().collect()),
    ("network-border-group", |cloud, _| vec![cloud.region.clone()]),
    ("network-interface-id", |_, address| associated(address, |a| a.network_interface_id.clone())),
    ("network-interface-owner-id", |cloud, address| {
        associated(address, |_| cloud.account_id.clone())
    }),
    ("private-ip-address", |_, address| associated(address, |a| a.private_address.to_string())),
    ("public-ip", |_, address| vec![address.public_ip.to_string()]),
];

fn associated(address: &Address, shown: impl Fn(&AddressAssociation) -> String) -> Vec<String> {
    address.association.iter().map(shown).collect()
}

fn instance(cloud: &Cloud, address: &Address) -> Option<String> {
    let association = address.association.as_ref()?;
    cloud.interface(&association.network_interface_id)?.instance_id.clone()
}

fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let mut chosen = render::chosen(&ALLOCATION, &cloud.addresses, &params.list("AllocationId"))?;
    let public: Vec<Ipv4Addr> = params.addresses("PublicIp")?;
    for wanted in &public {
        if !cloud.addresses.values().any(|address| address.public_ip == *wanted) {
            return Err(ApiError::bad(
                "InvalidAddress.NotFound",
                format!("Address '{wanted}' not found."),
            ));
        }
    }
    if !public.is_empty() {
        chosen.retain(|address| public.contains(&address.public_ip));
    }
    let selected = filters::select(cloud, params, FIELDS, Some(|a| &a.tags), chosen)?;
    let mut xml = Xml::new();
    xml.items("addressesSet", selected, |xml, address| {
        xml.leaf("publicIp", address.public_ip);
        xml.leaf("allocationId", &address.allocation_id);
        xml.leaf("domain", "vpc");
        xml.leaf_if("instanceId", instance(cloud, address));
        if let Some(association) = &address.association {
            xml.leaf("associationId", &association.id);
            xml.leaf("networkInterfaceId", &association.network_interface_id);
            xml.leaf("networkInterfaceOwnerId", &cloud.account_id);
            xml.leaf("privateIpAddress", association.private_address);
        }
        render::tag_set(xml, &address.tags);
        xml.leaf("publicIpv4Pool", "amazon");
        xml.leaf("networkBorderGroup", &cloud.region);
    });
    Ok(xml)
}

fn release(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AllocationId")?;
    let address = render::one(&ALLOCATION, &mut call.cloud.addresses, id)?;
    if address.association.is_some() {
        return Err(ApiError::bad(
            "InvalidIPAddress.InUse",
            format!("Address {} is in use.", address.public_ip),
        ));
    }
    call.cloud.addresses.remove(id);
    Ok(render::done())
}

fn disassociate(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AssociationId")?;
    ASSOCIATION.check(id)?;
    call.cloud
        .addresses
        .values_mut()
        .find_map(|address| address.association.take_if(|association| association.id == id))
        .ok_or_else(|| ASSOCIATION.not_found(&[id]))?;
    Ok(render::done())
}

//! Elastic IP addresses.

use std::net::Ipv4Addr;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ALLOCATION, ASSOCIATION, ApiError, INSTANCE, INTERFACE};
use super::filters::{self, FilterField};
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::{AddressAssociation, Cloud, ElasticIp};

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeAddresses",
        &["AllocationId.N", "PublicIp.N", "Filter.N.Name", "Filter.N.Value.N"],
        describe,
    ),
    ApiOperation::change(
        "ReleaseAddress",
        Resources::Of { kind: "elastic-ip", parameter: "AllocationId" },
        &["AllocationId"],
        release,
    ),
    ApiOperation::change(
        "AllocateAddress",
        Resources::New { kind: "elastic-ip", with: &[] },
        &[
            "Domain",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        allocate,
    ),
    ApiOperation::change(
        "AssociateAddress",
        Resources::Many(&[
            ("elastic-ip", "AllocationId"),
            ("network-interface", "NetworkInterfaceId"),
            ("instance", "InstanceId"),
        ]),
        &[
            "AllocationId",
            "InstanceId",
            "NetworkInterfaceId",
            "PrivateIpAddress",
            "AllowReassociation",
        ],
        associate,
    ),
    ApiOperation::change(
        "DisassociateAddress",
        Resources::Associated { parameter: "AssociationId" },
        &["AssociationId"],
        disassociate,
    ),
];

const FIELDS: &[FilterField<ElasticIp>] = &[
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

fn associated(address: &ElasticIp, shown: impl Fn(&AddressAssociation) -> String) -> Vec<String> {
    address.association.iter().map(shown).collect()
}

fn instance(cloud: &Cloud, address: &ElasticIp) -> Option<String> {
    let association = address.association.as_ref()?;
    cloud.interface(&association.network_interface_id)?.instance_id.clone()
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let mut chosen =
        render::find_by_ids(&ALLOCATION, &cloud.addresses, &params.list("AllocationId"))?;
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

fn release(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AllocationId")?;
    let address = render::find_by_id(&ALLOCATION, &mut call.cloud.addresses, id)?;
    if address.association.is_some() {
        return Err(ApiError::bad(
            "InvalidIPAddress.InUse",
            format!("Address {} is in use.", address.public_ip),
        ));
    }
    call.cloud.addresses.remove(id);
    Ok(render::return_true())
}

fn disassociate(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AssociationId")?;
    ASSOCIATION.check(id)?;
    call.cloud
        .addresses
        .values_mut()
        .find_map(|address| address.association.take_if(|association| association.id == id))
        .ok_or_else(|| ASSOCIATION.not_found(&[id]))?;
    Ok(render::return_true())
}

/// AWS's default quota.
const MOST: usize = 5;

fn allocate(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    call.params.one_of("Domain", &["vpc"])?;
    let tags = tags::read_specified_tags(call.params, &["elastic-ip"], "elastic-ip")?;
    if call.cloud.addresses.len() >= MOST {
        return Err(ApiError::bad(
            "AddressLimitExceeded",
            "The maximum number of addresses has been reached.",
        ));
    }
    let taken = |public: Ipv4Addr| call.cloud.addresses.values().any(|a| a.public_ip == public);
    let public_ip = (10..=250)
        .map(|host| Ipv4Addr::new(203, 0, 113, host))
        .find(|public| !taken(*public))
        .ok_or_else(|| {
            ApiError::bad("InsufficientAddressCapacity", "There are no more addresses.")
        })?;
    let allocation_id = call.cloud.new_id("eipalloc");
    let mut xml = Xml::new();
    xml.leaf("publicIp", public_ip);
    xml.leaf("allocationId", &allocation_id);
    xml.leaf("domain", "vpc");
    xml.leaf("publicIpv4Pool", "amazon");
    xml.leaf("networkBorderGroup", &call.cloud.region);
    let address =
        ElasticIp { allocation_id: allocation_id.clone(), public_ip, association: None, tags };
    call.cloud.addresses.insert(allocation_id, address);
    Ok(xml)
}

/// To a private address of an interface; it takes the place of the address that was there.
fn associate(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("AllocationId")?;
    let may_move = params.flag("AllowReassociation")?;
    let eni_id = target(call)?;
    let eni = render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, &eni_id)?;
    let private = match params.address("PrivateIpAddress")? {
        Some(address) if !eni.owns(address) => {
            return Err(ApiError::invalid_value(format!(
                "The private IP address {address} is not assigned to interface {eni_id}"
            )));
        }
        Some(address) => Some(address),
        None => eni.primary(),
    };
    let vpc_id = eni.vpc_id.clone();
    if !call.cloud.internet_gateways.values().any(|g| g.vpc_id.as_ref() == Some(&vpc_id)) {
        return Err(ApiError::bad(
            "Gateway.NotAttached",
            format!("Network {vpc_id} is not attached to any internet gateway"),
        ));
    }
    let private_address = private.ok_or_else(|| ApiError::missing("PrivateIpAddress"))?;
    let new = AddressAssociation {
        id: call.cloud.new_id("eipassoc"),
        network_interface_id: eni_id.clone(),
        private_address,
    };
    let address = render::find_by_id(&ALLOCATION, &mut call.cloud.addresses, id)?;
    if let Some(existing) = &address.association {
        let same =
            existing.network_interface_id == eni_id && existing.private_address == private_address;
        if same {
            return Ok(associated_as(&existing.id));
        }
        if may_move == Some(false) {
            return Err(ApiError::bad(
                "Resource.AlreadyAssociated",
                format!("resource {id} is already associated with associate-id {}", existing.id),
            ));
        }
    }
    for other in call.cloud.addresses.values_mut() {
        other.association.take_if(|association| {
            association.network_interface_id == eni_id
                && association.private_address == private_address
        });
    }
    if let Some(eni) = call.cloud.network_interfaces.get_mut(&eni_id)
        && eni.primary() == Some(private_address)
    {
        eni.launch_address.release();
    }
    let xml = associated_as(&new.id);
    render::find_by_id(&ALLOCATION, &mut call.cloud.addresses, id)?.association = Some(new);
    Ok(xml)
}

fn associated_as(id: &str) -> Xml {
    let mut xml = render::return_true();
    xml.leaf("associationId", id);
    xml
}

/// The interface, or the one of an instance that has one only.
fn target(call: &mut ApiCall<'_>) -> Result<String, ApiError> {
    let params = call.params;
    match (params.text("NetworkInterfaceId"), params.text("InstanceId")) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, Some(id)) => {
            render::find_by_id(&INSTANCE, &mut call.cloud.instances, id)?;
            match call.cloud.interfaces_of(id).as_slice() {
                [only] => Ok(only.id.clone()),
                [] => Err(ApiError::bad(
                    "IncorrectInstanceState",
                    format!("The instance '{id}' is not in a valid state for this operation."),
                )),
                _ => Err(ApiError::bad(
                    "InvalidInstanceID",
                    format!(
                        "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
                    ),
                )),
            }
        }
        (None, None) => Err(ApiError::bad(
            "MissingParameter",
            "Either InstanceId or NetworkInterfaceId must be specified",
        )),
        (Some(_), Some(_)) => Err(ApiError::invalid_combination(
            "You may specify either an instance ID or a network interface ID, not both",
        )),
    }
}

//! Subnets.

use ipnet::Ipv4Net;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, SUBNET, VPC};
use super::filters::{self, FilterField};
use super::paging;
use super::params::Params;
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::zones::list_zones;
use crate::cloud::{Cloud, Subnet};

const TARGET: Resources = Resources::Of { kind: "subnet", parameter: "SubnetId" };

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeSubnets",
        &["SubnetId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change(
        "CreateSubnet",
        Resources::New { kind: "subnet", with: &[("vpc", "VpcId")] },
        &[
            "VpcId",
            "CidrBlock",
            "AvailabilityZone",
            "AvailabilityZoneId",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        create,
    ),
    ApiOperation::change("DeleteSubnet", TARGET, &["SubnetId"], delete),
    ApiOperation::change(
        "ModifySubnetAttribute",
        TARGET,
        &["SubnetId", "MapPublicIpOnLaunch.Value"],
        modify,
    )
    .without_dry_run(),
];

const FIELDS: &[FilterField<Subnet>] = &[
    ("availability-zone", |_, subnet| vec![subnet.availability_zone.clone()]),
    ("availability-zone-id", |_, subnet| vec![subnet.availability_zone_id.clone()]),
    ("available-ip-address-count", |cloud, subnet| vec![available(cloud, subnet).to_string()]),
    ("cidr", |_, subnet| vec![subnet.cidr.to_string()]),
    ("cidr-block", |_, subnet| vec![subnet.cidr.to_string()]),
    ("cidrBlock", |_, subnet| vec![subnet.cidr.to_string()]),
    ("default-for-az", |_, _| vec!["false".to_owned()]),
    ("map-public-ip-on-launch", |_, subnet| vec![subnet.map_public_ip_on_launch.to_string()]),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("state", |_, _| vec!["available".to_owned()]),
    ("subnet-arn", |cloud, subnet| vec![cloud.arn("subnet", &subnet.id)]),
    ("subnet-id", |_, subnet| vec![subnet.id.clone()]),
    ("vpc-id", |_, subnet| vec![subnet.vpc_id.clone()]),
];

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen = render::find_by_ids(&SUBNET, &cloud.subnets, &params.list("SubnetId"))?;
    let selected = filters::select(cloud, params, FIELDS, Some(|s| &s.tags), chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("SubnetId"), selected)?;
    let mut xml = Xml::new();
    xml.items("subnetSet", page, |xml, subnet| detail(xml, cloud, subnet));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn detail(xml: &mut Xml, cloud: &Cloud, subnet: &Subnet) {
    xml.leaf("subnetId", &subnet.id);
    xml.leaf("subnetArn", cloud.arn("subnet", &subnet.id));
    xml.leaf("state", "available");
    xml.leaf("ownerId", &cloud.account_id);
    xml.leaf("vpcId", &subnet.vpc_id);
    xml.leaf("cidrBlock", subnet.cidr);
    xml.items("ipv6CidrBlockAssociationSet", [(); 0], |_, ()| {});
    xml.leaf("availableIpAddressCount", available(cloud, subnet));
    xml.leaf("availabilityZone", &subnet.availability_zone);
    xml.leaf("availabilityZoneId", &subnet.availability_zone_id);
    xml.leaf("defaultForAz", false);
    xml.leaf("mapPublicIpOnLaunch", subnet.map_public_ip_on_launch);
    xml.leaf("assignIpv6AddressOnCreation", false);
    render::tag_set(xml, &subnet.tags);
}

fn available(cloud: &Cloud, subnet: &Subnet) -> usize {
    let used: usize = cloud
        .network_interfaces
        .values()
        .filter(|eni| eni.subnet_id == subnet.id)
        .map(|eni| eni.private_addresses.len())
        .sum();
    let all = 1_usize << (32 - subnet.cidr.prefix_len());
    all.saturating_sub(5 + used)
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let vpc_id = params.required("VpcId")?;
    let cidr = params.cidr("CidrBlock")?;
    let tags = tags::read_specified_tags(params, &["subnet"], "subnet")?;
    let within = render::find_by_id(&VPC, &mut call.cloud.vpcs, vpc_id)?.cidr;
    check_range(call.cloud, vpc_id, within, cidr)?;
    let (availability_zone, availability_zone_id) = zone(call.cloud, params)?;
    let subnet = Subnet {
        id: call.cloud.new_id("subnet"),
        vpc_id: vpc_id.to_owned(),
        cidr,
        availability_zone,
        availability_zone_id,
        map_public_ip_on_launch: false,
        tags,
    };
    call.cloud.associate_default_acl(vpc_id, &subnet.id);
    let mut xml = Xml::new();
    xml.element("subnet", |xml| detail(xml, call.cloud, &subnet));
    call.cloud.subnets.insert(subnet.id.clone(), subnet);
    Ok(xml)
}

fn check_range(cloud: &Cloud, vpc_id: &str, vpc: Ipv4Net, cidr: Ipv4Net) -> Result<(), ApiError> {
    if !(16..=28).contains(&cidr.prefix_len()) || !vpc.contains(&cidr) {
        return Err(ApiError::bad("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    let overlaps = |other: Ipv4Net| other.contains(&cidr) || cidr.contains(&other);
    if cloud.subnets.values().any(|other| other.vpc_id == vpc_id && overlaps(other.cidr)) {
        return Err(ApiError::bad(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{cidr}' conflicts with another subnet"),
        ));
    }
    Ok(())
}

/// The name and the id; the first zone where none is asked for.
fn zone(cloud: &Cloud, params: &Params) -> Result<(String, String), ApiError> {
    let all = list_zones(&cloud.region);
    let (name, id) = (params.text("AvailabilityZone"), params.text("AvailabilityZoneId"));
    if name.is_some() && id.is_some() {
        return Err(ApiError::invalid_combination(
            "Only one of AvailabilityZone, AvailabilityZoneId can be specified",
        ));
    }
    let found = all.iter().find(|(own_name, own_id)| {
        name.is_none_or(|name| name == own_name) && id.is_none_or(|id| id == *own_id)
    });
    let (name, id) = found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        ApiError::invalid_value(format!(
            "Value ({}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
            name.or(id).unwrap_or_default(),
            names.join(", ")
        ))
    })?;
    Ok((name.clone(), (*id).to_owned()))
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("SubnetId")?;
    render::find_by_id(&SUBNET, &mut call.cloud.subnets, id)?;
    if call.cloud.network_interfaces.values().any(|eni| eni.subnet_id == id) {
        return Err(ApiError::dependencies("subnet", id));
    }
    call.cloud.subnets.remove(id);
    for table in call.cloud.route_tables.values_mut() {
        table.associations.retain(|association| association.subnet_id.as_deref() != Some(id));
    }
    for acl in call.cloud.network_acls.values_mut() {
        acl.associations.retain(|association| association.subnet_id != id);
    }
    Ok(render::return_true())
}

fn modify(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("SubnetId")?;
    let on = call
        .params
        .flag("MapPublicIpOnLaunch.Value")?
        .ok_or_else(|| ApiError::invalid_combination("No attributes specified."))?;
    render::find_by_id(&SUBNET, &mut call.cloud.subnets, id)?.map_public_ip_on_launch = on;
    Ok(render::return_true())
}

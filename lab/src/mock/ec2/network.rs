//! VPCs and subnets.

use super::action::{Action, Call};
use super::error::{ApiError, SUBNET, VPC};
use super::filters::{self, Field};
use super::paging;
use super::render;
use super::xml::Xml;
use crate::mock::cloud::{Cloud, Subnet, Vpc, ids};

pub const ACTIONS: &[Action] = &[
    Action::describe(
        "DescribeVpcs",
        &["VpcId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe_vpcs,
    ),
    Action::describe(
        "DescribeSubnets",
        &["SubnetId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe_subnets,
    ),
];

const VPC_FIELDS: &[Field<Vpc>] = &[
    ("cidr", |_, vpc| vec![vpc.cidr.to_string()]),
    ("cidr-block-association.cidr-block", |_, vpc| vec![vpc.cidr.to_string()]),
    ("is-default", |_, vpc| vec![vpc.is_default.to_string()]),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("state", |_, _| vec!["available".to_owned()]),
    ("vpc-id", |_, vpc| vec![vpc.id.clone()]),
];

fn describe_vpcs(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen = render::chosen(&VPC, &cloud.vpcs, &params.list("VpcId"))?;
    let selected = filters::select(cloud, params, VPC_FIELDS, Some(|vpc| &vpc.tags), chosen)?;
    let (page, next) = paging::page(params, &paging::USUAL, Some("VpcId"), selected)?;
    let mut xml = Xml::new();
    xml.items("vpcSet", page, |xml, vpc| {
        xml.leaf("vpcId", &vpc.id);
        xml.leaf("ownerId", &cloud.account_id);
        xml.leaf("state", "available");
        xml.leaf("cidrBlock", vpc.cidr);
        xml.items("cidrBlockAssociationSet", [vpc.cidr], |xml, cidr| {
            xml.leaf("associationId", ids::id("vpc-cidr-assoc", cloud.seed, &vpc.id));
            xml.leaf("cidrBlock", cidr);
            xml.element("cidrBlockState", |xml| xml.leaf("state", "associated"));
        });
        xml.leaf("dhcpOptionsId", ids::id("dopt", cloud.seed, "default"));
        xml.leaf("instanceTenancy", "default");
        xml.leaf("isDefault", vpc.is_default);
        render::tag_set(xml, &vpc.tags);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

const SUBNET_FIELDS: &[Field<Subnet>] = &[
    ("availability-zone", |_, subnet| vec![subnet.availability_zone.clone()]),
    ("availability-zone-id", |_, subnet| vec![subnet.availability_zone_id.clone()]),
    ("available-ip-address-count", |cloud, subnet| vec![available(cloud, subnet).to_string()]),
    ("cidr", |_, subnet| vec![subnet.cidr.to_string()]),
    ("cidr-block", |_, subnet| vec![subnet.cidr.to_string()]),
    ("cidrBlock", |_, subnet| vec![subnet.cidr.to_string()]),
    ("default-for-az", |_, _| vec!["false".to_owned()]),
    ("map-public-ip-on-launch", |_, _| vec!["false".to_owned()]),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("state", |_, _| vec!["available".to_owned()]),
    ("subnet-arn", |cloud, subnet| vec![cloud.arn("subnet", &subnet.id)]),
    ("subnet-id", |_, subnet| vec![subnet.id.clone()]),
    ("vpc-id", |_, subnet| vec![subnet.vpc_id.clone()]),
];

fn describe_subnets(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen = render::chosen(&SUBNET, &cloud.subnets, &params.list("SubnetId"))?;
    let selected = filters::select(cloud, params, SUBNET_FIELDS, Some(|s| &s.tags), chosen)?;
    let (page, next) = paging::page(params, &paging::USUAL, Some("SubnetId"), selected)?;
    let mut xml = Xml::new();
    xml.items("subnetSet", page, |xml, subnet| {
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
        xml.leaf("mapPublicIpOnLaunch", false);
        xml.leaf("assignIpv6AddressOnCreation", false);
        render::tag_set(xml, &subnet.tags);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
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

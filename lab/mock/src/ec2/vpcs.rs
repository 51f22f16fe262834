//! VPCs, with what AWS makes and unmakes along with them.

use ipnet::Ipv4Net;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, VPC};
use super::filters::{self, FilterField};
use super::paging;
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::{
    Cloud, Permission, RouteOrigin, RouteTable, RouteTableAssociation, RouteTarget, SecurityGroup,
    Tags, Vpc, VpcRoute, ids,
};

const TARGET: Resources = Resources::Of { kind: "vpc", parameter: "VpcId" };

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeVpcs",
        &["VpcId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change(
        "CreateVpc",
        Resources::New { kind: "vpc", with: &[] },
        &[
            "CidrBlock",
            "InstanceTenancy",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        create,
    ),
    ApiOperation::change("DeleteVpc", TARGET, &["VpcId"], delete),
    ApiOperation::change(
        "ModifyVpcAttribute",
        TARGET,
        &["VpcId", "EnableDnsSupport.Value", "EnableDnsHostnames.Value"],
        modify,
    )
    .without_dry_run(),
    ApiOperation::describe("DescribeVpcAttribute", &["VpcId", "Attribute"], describe_attribute),
];

/// AWS's default quota.
const MOST: usize = 5;

const FIELDS: &[FilterField<Vpc>] = &[
    ("cidr", |_, vpc| vec![vpc.cidr.to_string()]),
    ("cidr-block-association.cidr-block", |_, vpc| vec![vpc.cidr.to_string()]),
    ("cidr-block-association.association-id", |cloud, vpc| vec![cidr_association(cloud, vpc)]),
    ("cidr-block-association.state", |_, _| vec!["associated".to_owned()]),
    ("dhcp-options-id", |cloud, _| vec![dhcp_options(cloud)]),
    ("is-default", |_, vpc| vec![vpc.is_default.to_string()]),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("state", |_, _| vec!["available".to_owned()]),
    ("vpc-id", |_, vpc| vec![vpc.id.clone()]),
];

fn cidr_association(cloud: &Cloud, vpc: &Vpc) -> String {
    ids::make_id("vpc-cidr-assoc", cloud.seed, &vpc.id)
}

fn dhcp_options(cloud: &Cloud) -> String {
    ids::make_id("dopt", cloud.seed, "default")
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen = render::find_by_ids(&VPC, &cloud.vpcs, &params.list("VpcId"))?;
    let selected = filters::select(cloud, params, FIELDS, Some(|vpc| &vpc.tags), chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("VpcId"), selected)?;
    let mut xml = Xml::new();
    xml.items("vpcSet", page, |xml, vpc| detail(xml, cloud, vpc, "available"));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn detail(xml: &mut Xml, cloud: &Cloud, vpc: &Vpc, state: &str) {
    xml.leaf("vpcId", &vpc.id);
    xml.leaf("ownerId", &cloud.account_id);
    xml.leaf("state", state);
    xml.leaf("cidrBlock", vpc.cidr);
    xml.items("cidrBlockAssociationSet", [vpc.cidr], |xml, cidr| {
        xml.leaf("associationId", cidr_association(cloud, vpc));
        xml.leaf("cidrBlock", cidr);
        xml.element("cidrBlockState", |xml| xml.leaf("state", "associated"));
    });
    xml.leaf("dhcpOptionsId", dhcp_options(cloud));
    xml.leaf("instanceTenancy", "default");
    xml.leaf("isDefault", vpc.is_default);
    render::tag_set(xml, &vpc.tags);
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let cidr = params.cidr("CidrBlock")?;
    if !(16..=28).contains(&cidr.prefix_len()) {
        return Err(ApiError::bad("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    params.one_of("InstanceTenancy", &["default"])?;
    let tags = tags::read_specified_tags(params, &["vpc"], "vpc")?;
    if call.cloud.vpcs.len() >= MOST {
        return Err(ApiError::bad(
            "VpcLimitExceeded",
            "The maximum number of VPCs has been reached.",
        ));
    }
    let vpc = make(call.cloud, cidr, tags);
    let mut xml = Xml::new();
    xml.element("vpc", |xml| detail(xml, call.cloud, &vpc, "pending"));
    Ok(xml)
}

/// With its main route table, its default security group and its default network ACL.
fn make(cloud: &mut Cloud, cidr: Ipv4Net, tags: Tags) -> Vpc {
    let vpc = Vpc {
        id: cloud.new_id("vpc"),
        cidr,
        is_default: false,
        dns_support: true,
        dns_hostnames: false,
        tags,
    };
    let main = RouteTableAssociation { id: cloud.new_id("rtbassoc"), main: true, subnet_id: None };
    let table = RouteTable {
        id: cloud.new_id("rtb"),
        vpc_id: vpc.id.clone(),
        routes: vec![local_route(cidr)],
        associations: vec![main],
        tags: Tags::new(),
    };
    let id = cloud.new_id("sg");
    let group = SecurityGroup {
        name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        vpc_id: vpc.id.clone(),
        ingress: vec![Permission { groups: vec![id.clone()], ..Permission::everything() }],
        egress: vec![Permission { ranges: vec![Ipv4Net::default()], ..Permission::everything() }],
        tags: Tags::new(),
        id,
    };
    cloud.route_tables.insert(table.id.clone(), table);
    cloud.security_groups.insert(group.id.clone(), group);
    cloud.add_default_acl(&vpc.id);
    cloud.vpcs.insert(vpc.id.clone(), vpc.clone());
    vpc
}

pub fn local_route(cidr: Ipv4Net) -> VpcRoute {
    VpcRoute {
        destination: cidr,
        target: RouteTarget::Local,
        origin: RouteOrigin::CreateRouteTable,
    }
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("VpcId")?;
    render::find_by_id(&VPC, &mut call.cloud.vpcs, id)?;
    let cloud = &mut *call.cloud;
    let is_used = cloud.subnets.values().any(|subnet| subnet.vpc_id == id)
        || cloud.network_interfaces.values().any(|eni| eni.vpc_id == id)
        || cloud.internet_gateways.values().any(|g| g.vpc_id.as_deref() == Some(id))
        || cloud.security_groups.values().any(|g| g.vpc_id == id && g.name != "default")
        || cloud.network_acls.values().any(|acl| acl.vpc_id == id && !acl.is_default)
        || cloud.route_tables.values().any(|t| t.vpc_id == id && !t.is_main());
    if is_used {
        return Err(ApiError::dependencies("vpc", id));
    }
    cloud.vpcs.remove(id);
    cloud.security_groups.retain(|_, group| group.vpc_id != id);
    cloud.network_acls.retain(|_, acl| acl.vpc_id != id);
    cloud.route_tables.retain(|_, table| table.vpc_id != id);
    Ok(render::return_true())
}

fn modify(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("VpcId")?;
    let support = call.params.flag("EnableDnsSupport.Value")?;
    let hostnames = call.params.flag("EnableDnsHostnames.Value")?;
    let vpc = render::find_by_id(&VPC, &mut call.cloud.vpcs, id)?;
    match (support, hostnames) {
        (Some(on), None) => vpc.dns_support = on,
        (None, Some(true)) if !vpc.dns_support => {
            return Err(ApiError::invalid_combination(
                "Enabling DNS hostnames requires DNS support to be enabled",
            ));
        }
        (None, Some(on)) => vpc.dns_hostnames = on,
        (None, None) => return Err(ApiError::invalid_combination("No attributes specified.")),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid_combination(
                "Fields for multiple attribute types specified",
            ));
        }
    }
    Ok(render::return_true())
}

fn describe_attribute(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("VpcId")?;
    let vpc = render::find_by_id(&VPC, &mut call.cloud.vpcs, id)?;
    call.params.required("Attribute")?;
    let attribute = call.params.one_of("Attribute", &["enableDnsSupport", "enableDnsHostnames"])?;
    let mut xml = Xml::new();
    xml.leaf("vpcId", id);
    match attribute {
        Some("enableDnsSupport") => {
            xml.element("enableDnsSupport", |xml| xml.leaf("value", vpc.dns_support));
        }
        _ => xml.element("enableDnsHostnames", |xml| xml.leaf("value", vpc.dns_hostnames)),
    }
    Ok(xml)
}

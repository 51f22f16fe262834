//! Security groups: describe, make, unmake.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, SECURITY_GROUP, VPC};
use super::filters::{self, FilterField};
use super::paging;
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::{Cloud, Permission, SecurityGroup};

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeSecurityGroups",
        &[
            "GroupId.N",
            "GroupName.N",
            "Filter.N.Name",
            "Filter.N.Value.N",
            "MaxResults",
            "NextToken",
        ],
        describe,
    ),
    ApiOperation::change(
        "CreateSecurityGroup",
        Resources::New { kind: "security-group", with: &[("vpc", "VpcId")] },
        &[
            "GroupName",
            "GroupDescription",
            "VpcId",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        create,
    ),
    ApiOperation::change(
        "DeleteSecurityGroup",
        Resources::Of { kind: "security-group", parameter: "GroupId" },
        &["GroupId"],
        delete,
    ),
];

const FIELDS: &[FilterField<SecurityGroup>] = &[
    ("description", |_, group| vec![group.description.clone()]),
    ("egress.ip-permission.cidr", |_, group| cidrs(&group.egress)),
    ("egress.ip-permission.from-port", |_, group| ports(&group.egress, |(from, _)| from)),
    ("egress.ip-permission.group-id", |_, group| peers(&group.egress)),
    ("egress.ip-permission.user-id", |cloud, group| owners(cloud, &group.egress)),
    ("egress.ip-permission.protocol", |_, group| protocols(&group.egress)),
    ("egress.ip-permission.to-port", |_, group| ports(&group.egress, |(_, to)| to)),
    ("group-id", |_, group| vec![group.id.clone()]),
    ("group-name", |_, group| vec![group.name.clone()]),
    ("ip-permission.cidr", |_, group| cidrs(&group.ingress)),
    ("ip-permission.from-port", |_, group| ports(&group.ingress, |(from, _)| from)),
    ("ip-permission.group-id", |_, group| peers(&group.ingress)),
    ("ip-permission.user-id", |cloud, group| owners(cloud, &group.ingress)),
    ("ip-permission.protocol", |_, group| protocols(&group.ingress)),
    ("ip-permission.to-port", |_, group| ports(&group.ingress, |(_, to)| to)),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("vpc-id", |_, group| vec![group.vpc_id.clone()]),
];

fn cidrs(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().flat_map(|p| &p.ranges).map(ToString::to_string).collect()
}

fn peers(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().flat_map(|permission| permission.groups.clone()).collect()
}

fn owners(cloud: &Cloud, permissions: &[Permission]) -> Vec<String> {
    peers(permissions).iter().map(|_| cloud.account_id.clone()).collect()
}

fn ports(permissions: &[Permission], side: fn((i32, i32)) -> i32) -> Vec<String> {
    permissions.iter().filter_map(|p| p.ports).map(|ports| side(ports).to_string()).collect()
}

fn protocols(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().map(|permission| permission.protocol.clone()).collect()
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let mut chosen =
        render::find_by_ids(&SECURITY_GROUP, &cloud.security_groups, &params.list("GroupId"))?;
    by_name(cloud, &params.list("GroupName"), &mut chosen)?;
    let selected = filters::select(cloud, params, FIELDS, Some(|group| &group.tags), chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("GroupId"), selected)?;
    let mut xml = Xml::new();
    xml.items("securityGroupInfo", page, |xml, group| {
        xml.leaf("ownerId", &cloud.account_id);
        xml.leaf("groupId", &group.id);
        xml.leaf("securityGroupArn", cloud.arn("security-group", &group.id));
        xml.leaf("groupName", &group.name);
        xml.leaf("groupDescription", &group.description);
        xml.leaf("vpcId", &group.vpc_id);
        permissions(xml, cloud, "ipPermissions", &group.ingress);
        permissions(xml, cloud, "ipPermissionsEgress", &group.egress);
        render::tag_set(xml, &group.tags);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

/// Names are for the default VPC's groups; the others have ids only.
fn by_name(
    cloud: &Cloud,
    names: &[&str],
    chosen: &mut Vec<&SecurityGroup>,
) -> Result<(), ApiError> {
    let in_default_vpc =
        |group: &SecurityGroup| cloud.vpcs.get(&group.vpc_id).is_some_and(|vpc| vpc.is_default);
    for name in names {
        if !cloud.security_groups.values().any(|g| in_default_vpc(g) && g.name == *name) {
            return Err(ApiError::bad(
                "InvalidGroup.NotFound",
                format!("The security group '{name}' does not exist in default VPC"),
            ));
        }
    }
    if !names.is_empty() {
        chosen.retain(|group| in_default_vpc(group) && names.contains(&group.name.as_str()));
    }
    Ok(())
}

fn permissions(xml: &mut Xml, cloud: &Cloud, name: &str, permissions: &[Permission]) {
    xml.items(name, permissions, |xml, permission| {
        xml.leaf("ipProtocol", &permission.protocol);
        xml.leaf_if("fromPort", permission.ports.map(|(from, _)| from));
        xml.leaf_if("toPort", permission.ports.map(|(_, to)| to));
        xml.items("groups", &permission.groups, |xml, id| {
            xml.leaf("userId", &cloud.account_id);
            xml.leaf("groupId", id);
            xml.leaf_if("description", permission.descriptions.get(id));
        });
        xml.items("ipRanges", &permission.ranges, |xml, range| {
            xml.leaf("cidrIp", range);
            xml.leaf_if("description", permission.descriptions.get(&range.to_string()));
        });
        xml.items("ipv6Ranges", [(); 0], |_, ()| {});
        xml.items("prefixListIds", [(); 0], |_, ()| {});
    });
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let (name, description) = (params.required("GroupName")?, params.required("GroupDescription")?);
    check_name(name)?;
    let tags = tags::read_specified_tags(params, &["security-group"], "security-group")?;
    let vpc_id = vpc(call)?;
    if call.cloud.security_groups.values().any(|g| g.vpc_id == vpc_id && g.name == name) {
        return Err(ApiError::bad(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc_id}'"),
        ));
    }
    let group = SecurityGroup {
        id: call.cloud.new_id("sg"),
        name: name.to_owned(),
        description: description.to_owned(),
        vpc_id,
        ingress: vec![],
        egress: vec![Permission {
            ranges: vec![ipnet::Ipv4Net::default()],
            ..Permission::everything()
        }],
        tags,
    };
    let mut xml = render::return_true();
    xml.leaf("groupId", &group.id);
    render::tag_set(&mut xml, &group.tags);
    xml.leaf("securityGroupArn", call.cloud.arn("security-group", &group.id));
    call.cloud.security_groups.insert(group.id.clone(), group);
    Ok(xml)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name == "default" {
        return Err(ApiError::invalid_value("Cannot use reserved security group name: default"));
    }
    if name.starts_with("sg-") {
        return Err(ApiError::invalid_value("Group names may not be in the format sg-*"));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if name.chars().count() > 255 || !name.chars().all(good) {
        return Err(ApiError::invalid_value(format!(
            "Value ({name}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."
        )));
    }
    Ok(())
}

/// The one that is asked for, else the default VPC.
fn vpc(call: &mut ApiCall<'_>) -> Result<String, ApiError> {
    if let Some(id) = call.params.text("VpcId") {
        return Ok(render::find_by_id(&VPC, &mut call.cloud.vpcs, id)?.id.clone());
    }
    let default = call.cloud.vpcs.values().find(|vpc| vpc.is_default);
    default
        .map(|vpc| vpc.id.clone())
        .ok_or_else(|| ApiError::bad("VPCIdNotSpecified", "No default VPC for this user"))
}

/// Not while an interface or another group's rule names it.
fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("GroupId")?;
    let cloud = &mut *call.cloud;
    let group = render::find_by_id(&SECURITY_GROUP, &mut cloud.security_groups, id)?;
    if group.name == "default" {
        return Err(ApiError::bad(
            "CannotDelete",
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"),
        ));
    }
    let names_it = |group: &SecurityGroup| {
        let all = group.ingress.iter().chain(&group.egress);
        group.id != id && all.flat_map(|permission| &permission.groups).any(|named| named == id)
    };
    if cloud.network_interfaces.values().any(|eni| eni.groups.iter().any(|own| own == id))
        || cloud.security_groups.values().any(names_it)
    {
        return Err(ApiError::bad(
            "DependencyViolation",
            format!("resource {id} has a dependent object"),
        ));
    }
    cloud.security_groups.remove(id);
    let mut xml = render::return_true();
    xml.leaf("groupId", id);
    Ok(xml)
}

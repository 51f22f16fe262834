//! Security groups.

use super::action::{Action, Call};
use super::error::{ApiError, SECURITY_GROUP};
use super::filters::{self, Field};
use super::paging;
use super::render;
use super::xml::Xml;
use crate::mock::cloud::{Cloud, Permission, SecurityGroup};

pub const ACTIONS: &[Action] = &[Action::describe(
    "DescribeSecurityGroups",
    &["GroupId.N", "GroupName.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
    describe,
)];

const FIELDS: &[Field<SecurityGroup>] = &[
    ("description", |_, group| vec![group.description.clone()]),
    ("egress.ip-permission.cidr", |_, group| cidrs(&group.egress)),
    ("egress.ip-permission.from-port", |_, group| ports(&group.egress, |(from, _)| from)),
    ("egress.ip-permission.protocol", |_, group| protocols(&group.egress)),
    ("egress.ip-permission.to-port", |_, group| ports(&group.egress, |(_, to)| to)),
    ("group-id", |_, group| vec![group.id.clone()]),
    ("group-name", |_, group| vec![group.name.clone()]),
    ("ip-permission.cidr", |_, group| cidrs(&group.ingress)),
    ("ip-permission.from-port", |_, group| ports(&group.ingress, |(from, _)| from)),
    ("ip-permission.protocol", |_, group| protocols(&group.ingress)),
    ("ip-permission.to-port", |_, group| ports(&group.ingress, |(_, to)| to)),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("vpc-id", |_, group| vec![group.vpc_id.clone()]),
];

fn cidrs(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().flat_map(|p| &p.ranges).map(ToString::to_string).collect()
}

fn ports(permissions: &[Permission], side: fn((i32, i32)) -> i32) -> Vec<String> {
    permissions.iter().filter_map(|p| p.ports).map(|ports| side(ports).to_string()).collect()
}

fn protocols(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().map(|permission| permission.protocol.clone()).collect()
}

fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let mut chosen =
        render::chosen(&SECURITY_GROUP, &cloud.security_groups, &params.list("GroupId"))?;
    by_name(cloud, &params.list("GroupName"), &mut chosen)?;
    let selected = filters::select(cloud, params, FIELDS, Some(|group| &group.tags), chosen)?;
    let (page, next) = paging::page(params, &paging::USUAL, Some("GroupId"), selected)?;
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
        });
        xml.items("ipRanges", &permission.ranges, |xml, range| xml.leaf("cidrIp", range));
        xml.items("ipv6Ranges", [(); 0], |_, ()| {});
        xml.items("prefixListIds", [(); 0], |_, ()| {});
    });
}

//! The rules of security groups, one by one: allow, revoke, describe.

use ipnet::Ipv4Net;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, RULE, SECURITY_GROUP};
use super::filters::{self, FilterField};
use super::paging;
use super::params::Params;
use super::render;
use super::xml::Xml;
use crate::cloud::{Cloud, Permission, SecurityGroup, Tags, ids};

const GROUP: Resources = Resources::Of { kind: "security-group", parameter: "GroupId" };

const RULES: &[&str] = &[
    "GroupId",
    "IpPermissions.N.IpProtocol",
    "IpPermissions.N.FromPort",
    "IpPermissions.N.ToPort",
    "IpPermissions.N.IpRanges.N.CidrIp",
    "IpPermissions.N.IpRanges.N.Description",
    "IpPermissions.N.Groups.N.GroupId",
    "IpPermissions.N.Groups.N.UserId",
    "IpPermissions.N.Groups.N.Description",
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
];
const RULES_OR_IDS: &[&str] = &[
    "GroupId",
    "SecurityGroupRuleId.N",
    "IpPermissions.N.IpProtocol",
    "IpPermissions.N.FromPort",
    "IpPermissions.N.ToPort",
    "IpPermissions.N.IpRanges.N.CidrIp",
    "IpPermissions.N.IpRanges.N.Description",
    "IpPermissions.N.Groups.N.GroupId",
    "IpPermissions.N.Groups.N.UserId",
    "IpPermissions.N.Groups.N.Description",
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
];

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::change("AuthorizeSecurityGroupIngress", GROUP, RULES, |call| {
        authorize(call, INGRESS)
    }),
    ApiOperation::change("AuthorizeSecurityGroupEgress", GROUP, RULES, |call| {
        authorize(call, EGRESS)
    }),
    ApiOperation::change("RevokeSecurityGroupIngress", GROUP, RULES_OR_IDS, |call| {
        revoke(call, INGRESS)
    }),
    ApiOperation::change("RevokeSecurityGroupEgress", GROUP, RULES_OR_IDS, |call| {
        revoke(call, EGRESS)
    }),
    ApiOperation::describe(
        "DescribeSecurityGroupRules",
        &["SecurityGroupRuleId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
];

const INGRESS: bool = false;
const EGRESS: bool = true;

/// One protocol and port range, to or from one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    id: String,
    group_id: String,
    egress: bool,
    protocol: String,
    ports: Option<(i32, i32)>,
    peer: Peer,
    description: Option<String>,
    tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Peer {
    Range(Ipv4Net),
    Group(String),
}

impl Peer {
    fn as_text(&self) -> String {
        match self {
            Self::Range(range) => range.to_string(),
            Self::Group(id) => id.clone(),
        }
    }
}

impl Rule {
    fn new(
        seed: u64,
        group_id: &str,
        egress: bool,
        (protocol, ports): (&str, Option<(i32, i32)>),
        peer: Peer,
        description: Option<String>,
    ) -> Self {
        let label = format!("{group_id}/{egress}/{protocol}/{ports:?}/{}", peer.as_text());
        Self {
            id: ids::make_id("sgr", seed, &label),
            group_id: group_id.to_owned(),
            egress,
            protocol: protocol.to_owned(),
            ports,
            peer,
            description,
            tags: Tags::new(),
        }
    }

    /// The rule as AWS names it in its refusals.
    fn shown(&self) -> String {
        let protocol = match self.protocol.as_str() {
            "-1" => "ALL".to_owned(),
            other => other.to_uppercase(),
        };
        let ports = self
            .ports
            .map_or_else(String::new, |(from, to)| format!(", from port: {from}, to port: {to}"));
        format!("\"peer: {}, {protocol}{ports}, ALLOW\"", self.peer.as_text())
    }
}

fn side(group: &SecurityGroup, egress: bool) -> &[Permission] {
    if egress { &group.egress } else { &group.ingress }
}

fn rules_of(cloud: &Cloud, group: &SecurityGroup, egress: bool) -> Vec<Rule> {
    let mut rules = Vec::new();
    for permission in side(group, egress) {
        let ranges = permission.ranges.iter().copied().map(Peer::Range);
        let groups = permission.groups.iter().cloned().map(Peer::Group);
        rules.extend(ranges.chain(groups).map(|peer| {
            let description = permission.descriptions.get(&peer.as_text()).cloned();
            let what = (permission.protocol.as_str(), permission.ports);
            Rule::new(cloud.seed, &group.id, egress, what, peer, description)
        }));
    }
    rules
}

fn authorize(call: &mut ApiCall<'_>, egress: bool) -> Result<Xml, ApiError> {
    let id = call.params.required("GroupId")?;
    render::find_by_id(&SECURITY_GROUP, &mut call.cloud.security_groups, id)?;
    let wanted = requested(call, id, egress)?;
    for rule in &wanted {
        let group = &call.cloud.security_groups[id];
        if rules_of(call.cloud, group, egress).iter().any(|own| own.id == rule.id) {
            return Err(ApiError::bad(
                "InvalidPermission.Duplicate",
                format!("the specified rule {} already exists", rule.shown()),
            ));
        }
        add(render::find_by_id(&SECURITY_GROUP, &mut call.cloud.security_groups, id)?, rule);
    }
    let mut xml = render::return_true();
    let cloud = &*call.cloud;
    xml.items("securityGroupRuleSet", &wanted, |xml, rule| detail(xml, cloud, rule));
    Ok(xml)
}

fn add(group: &mut SecurityGroup, rule: &Rule) {
    let all = if rule.egress { &mut group.egress } else { &mut group.ingress };
    let same = |own: &Permission| own.protocol == rule.protocol && own.ports == rule.ports;
    let position = all.iter().position(same).unwrap_or_else(|| {
        all.push(Permission {
            protocol: rule.protocol.clone(),
            ports: rule.ports,
            ..Permission::everything()
        });
        all.len() - 1
    });
    let permission = &mut all[position];
    match &rule.peer {
        Peer::Range(range) => permission.ranges.push(*range),
        Peer::Group(id) => permission.groups.push(id.clone()),
    }
    if let Some(description) = &rule.description {
        permission.descriptions.insert(rule.peer.as_text(), description.clone());
    }
}

fn remove(group: &mut SecurityGroup, rule: &Rule) {
    let all = if rule.egress { &mut group.egress } else { &mut group.ingress };
    for permission in all.iter_mut() {
        if permission.protocol != rule.protocol || permission.ports != rule.ports {
            continue;
        }
        match &rule.peer {
            Peer::Range(range) => permission.ranges.retain(|own| own != range),
            Peer::Group(id) => permission.groups.retain(|own| own != id),
        }
        permission.descriptions.remove(&rule.peer.as_text());
    }
    all.retain(|permission| !(permission.ranges.is_empty() && permission.groups.is_empty()));
}

fn revoke(call: &mut ApiCall<'_>, egress: bool) -> Result<Xml, ApiError> {
    let id = call.params.required("GroupId")?;
    render::find_by_id(&SECURITY_GROUP, &mut call.cloud.security_groups, id)?;
    let own = rules_of(call.cloud, &call.cloud.security_groups[id], egress);
    let rule_ids = call.params.list("SecurityGroupRuleId");
    let wanted =
        if rule_ids.is_empty() { requested(call, id, egress)? } else { by_id(&own, &rule_ids)? };
    if wanted.iter().any(|rule| own.iter().all(|own| own.id != rule.id)) {
        return Err(ApiError::bad(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        ));
    }
    let group = render::find_by_id(&SECURITY_GROUP, &mut call.cloud.security_groups, id)?;
    for rule in &wanted {
        remove(group, rule);
    }
    let mut xml = render::return_true();
    xml.items("revokedSecurityGroupRuleSet", &wanted, |xml, rule| {
        xml.leaf("securityGroupRuleId", &rule.id);
        xml.leaf("groupId", &rule.group_id);
        xml.leaf("isEgress", rule.egress);
        peer(xml, rule);
        if let Peer::Group(id) = &rule.peer {
            xml.leaf("referencedGroupId", id);
        }
    });
    Ok(xml)
}

fn by_id(own: &[Rule], wanted: &[&str]) -> Result<Vec<Rule>, ApiError> {
    wanted
        .iter()
        .map(|id| {
            RULE.check(id)?;
            own.iter().find(|rule| rule.id == *id).cloned().ok_or_else(|| RULE.not_found(&[id]))
        })
        .collect()
}

/// The rules of a request: in its list, or the one in its flat parameters.
fn requested(call: &mut ApiCall<'_>, group_id: &str, egress: bool) -> Result<Vec<Rule>, ApiError> {
    let params = call.params;
    let mut rules = Vec::new();
    let mut prefixes: Vec<String> =
        params.numbers("IpPermissions").iter().map(|n| format!("IpPermissions.{n}.")).collect();
    if prefixes.is_empty() {
        params.required("IpProtocol")?;
        prefixes.push(String::new());
    }
    for prefix in prefixes {
        let what = protocol_and_ports(params, &prefix)?;
        let peers = peers(call, &prefix)?;
        if peers.is_empty() {
            return Err(ApiError::bad(
                "InvalidParameterValue",
                "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly, and a source or destination.",
            ));
        }
        rules.extend(peers.into_iter().map(|(peer, description)| {
            let what = (what.0.as_str(), what.1);
            Rule::new(call.cloud.seed, group_id, egress, what, peer, description)
        }));
    }
    Ok(rules)
}

fn protocol_and_ports(
    params: &Params,
    prefix: &str,
) -> Result<(String, Option<(i32, i32)>), ApiError> {
    let protocol = match params.required(&format!("{prefix}IpProtocol"))? {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        other => other,
    };
    let is_number = protocol.parse::<u8>().is_ok() || protocol == "-1";
    if !is_number && !["tcp", "udp", "icmp", "icmpv6"].contains(&protocol) {
        return Err(ApiError::invalid_value(format!(
            "Invalid value '{protocol}' for IP protocol. Unknown protocol."
        )));
    }
    if is_number {
        return Ok((protocol.to_owned(), None));
    }
    let from: Option<i32> = params.number(&format!("{prefix}FromPort"))?;
    let to: Option<i32> = params.number(&format!("{prefix}ToPort"))?;
    let (Some(from), Some(to)) = (from, to) else {
        return Err(ApiError::invalid_value(
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        ));
    };
    let highest = if protocol.starts_with("icmp") { 255 } else { 65535 };
    if !(-1..=highest).contains(&from) || !(-1..=highest).contains(&to) || from > to && to != -1 {
        return Err(ApiError::invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})")));
    }
    Ok((protocol.to_owned(), Some((from, to))))
}

fn peers(call: &mut ApiCall<'_>, prefix: &str) -> Result<Vec<(Peer, Option<String>)>, ApiError> {
    let params = call.params;
    if prefix.is_empty() {
        return Ok(vec![(Peer::Range(params.cidr("CidrIp")?), None)]);
    }
    let mut peers = Vec::new();
    let text = |name: String| params.text(&name).map(str::to_owned);
    for number in params.numbers(&format!("{prefix}IpRanges")) {
        let range = params.required(&format!("{prefix}IpRanges.{number}.CidrIp"))?;
        let parsed: Ipv4Net = range
            .parse()
            .map_err(|_| ApiError::invalid_value(format!("CIDR block {range} is malformed")))?;
        let description = text(format!("{prefix}IpRanges.{number}.Description"));
        peers.push((Peer::Range(parsed.trunc()), description));
    }
    for number in params.numbers(&format!("{prefix}Groups")) {
        let id = params.required(&format!("{prefix}Groups.{number}.GroupId"))?;
        render::find_by_id(&SECURITY_GROUP, &mut call.cloud.security_groups, id)?;
        let description = text(format!("{prefix}Groups.{number}.Description"));
        peers.push((Peer::Group(id.to_owned()), description));
    }
    Ok(peers)
}

const FIELDS: &[FilterField<Rule>] = &[
    ("group-id", |_, rule| vec![rule.group_id.clone()]),
    ("security-group-rule-id", |_, rule| vec![rule.id.clone()]),
];

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let all: Vec<Rule> = cloud
        .security_groups
        .values()
        .flat_map(|group| [INGRESS, EGRESS].map(|egress| rules_of(cloud, group, egress)))
        .flatten()
        .collect();
    let wanted = params.list("SecurityGroupRuleId");
    by_id(&all, &wanted)?;
    let chosen = all.iter().filter(|r| wanted.is_empty() || wanted.contains(&r.id.as_str()));
    let selected = filters::select(cloud, params, FIELDS, Some(|rule| &rule.tags), chosen)?;
    let (page, next) =
        paging::take_page(params, &paging::USUAL, Some("SecurityGroupRuleId"), selected)?;
    let mut xml = Xml::new();
    xml.items("securityGroupRuleSet", page, |xml, rule| detail(xml, cloud, rule));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn detail(xml: &mut Xml, cloud: &Cloud, rule: &Rule) {
    xml.leaf("securityGroupRuleId", &rule.id);
    xml.leaf("securityGroupRuleArn", cloud.arn("security-group-rule", &rule.id));
    xml.leaf("groupId", &rule.group_id);
    xml.leaf("groupOwnerId", &cloud.account_id);
    xml.leaf("isEgress", rule.egress);
    peer(xml, rule);
    if let Peer::Group(id) = &rule.peer {
        xml.element("referencedGroupInfo", |xml| {
            xml.leaf("groupId", id);
            xml.leaf("userId", &cloud.account_id);
        });
    }
    render::tag_set(xml, &rule.tags);
}

fn peer(xml: &mut Xml, rule: &Rule) {
    xml.leaf("ipProtocol", &rule.protocol);
    xml.leaf("fromPort", rule.ports.map_or(-1, |(from, _)| from));
    xml.leaf("toPort", rule.ports.map_or(-1, |(_, to)| to));
    xml.leaf_if("description", rule.description.as_ref());
    if let Peer::Range(range) = &rule.peer {
        xml.leaf("cidrIpv4", range);
    }
}

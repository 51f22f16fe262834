//! The guards that let packets through or do not: security groups with their rules, and network ACLs.

use std::collections::BTreeSet;

use aws_sdk_ec2::types as sdk;
use serde::{Deserialize, Serialize};

use super::Missing;
use super::facts::{Tags, read_tags, require_field};
use super::inbound::{InboundRule, read_inbound_rules};
use super::reader::{
    Answer, ReadError, Reader, call, describe, join_pages, make_filter, make_unreadable,
};

/// A security group with its rules, as `DescribeSecurityGroups` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub group_id: String,
    /// Each rule as `tcp 22-22 10.0.0.0/8`, one for each source.
    pub ingress: BTreeSet<String>,
    pub egress: BTreeSet<String>,
    /// The same as `ingress`, for whoever asks what comes in.
    #[serde(skip)]
    pub inbound: Vec<InboundRule>,
    pub tags: Tags,
}

/// A network ACL with its entries, as `DescribeNetworkAcls` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAcl {
    pub network_acl_id: String,
    pub subnet_ids: BTreeSet<String>,
    /// Each entry as `ingress 100 allow -1 0.0.0.0/0`.
    pub entries: BTreeSet<String>,
    pub tags: Tags,
}

impl Reader {
    /// All of the VPC.
    pub async fn security_groups(
        &self,
        vpc_id: &str,
    ) -> Result<Answer<Vec<SecurityGroup>>, ReadError> {
        let request = self.ec2.describe_security_groups().filters(make_filter("vpc-id", vpc_id));
        describe!(self, "ec2 DescribeSecurityGroups", request, security_groups, SecurityGroup)
    }

    /// All of the VPC.
    pub async fn network_acls(&self, vpc_id: &str) -> Result<Answer<Vec<NetworkAcl>>, ReadError> {
        let request = self.ec2.describe_network_acls().filters(make_filter("vpc-id", vpc_id));
        describe!(self, "ec2 DescribeNetworkAcls", request, network_acls, NetworkAcl)
    }
}

impl TryFrom<&sdk::SecurityGroup> for SecurityGroup {
    type Error = Missing;

    fn try_from(group: &sdk::SecurityGroup) -> Result<Self, Missing> {
        let rules = |all: &[sdk::IpPermission]| all.iter().flat_map(rules_of).collect();
        Ok(Self {
            group_id: require_field(group.group_id.clone(), "a security group", "GroupId")?,
            inbound: group.ip_permissions().iter().flat_map(read_inbound_rules).collect(),
            ingress: rules(group.ip_permissions()),
            egress: rules(group.ip_permissions_egress()),
            tags: read_tags(group.tags()),
        })
    }
}

fn rules_of(rule: &sdk::IpPermission) -> Vec<String> {
    let port = |port: Option<i32>| port.map_or("all".to_owned(), |port| port.to_string());
    let what = format!(
        "{} {}-{}",
        rule.ip_protocol().unwrap_or("?"),
        port(rule.from_port),
        port(rule.to_port)
    );
    let four = rule.ip_ranges().iter().filter_map(|it| it.cidr_ip.clone());
    let six = rule.ipv6_ranges().iter().filter_map(|it| it.cidr_ipv6.clone());
    let groups = rule.user_id_group_pairs().iter().filter_map(|it| it.group_id.clone());
    let lists = rule.prefix_list_ids().iter().filter_map(|it| it.prefix_list_id.clone());
    four.chain(six).chain(groups).chain(lists).map(|from| format!("{what} {from}")).collect()
}

impl TryFrom<&sdk::NetworkAcl> for NetworkAcl {
    type Error = Missing;

    fn try_from(acl: &sdk::NetworkAcl) -> Result<Self, Missing> {
        let subnets = acl.associations().iter().filter_map(|it| it.subnet_id.clone());
        Ok(Self {
            network_acl_id: require_field(
                acl.network_acl_id.clone(),
                "a network ACL",
                "NetworkAclId",
            )?,
            subnet_ids: subnets.collect(),
            entries: acl.entries().iter().map(entry_of).collect(),
            tags: read_tags(acl.tags()),
        })
    }
}

fn entry_of(entry: &sdk::NetworkAclEntry) -> String {
    let way = if entry.egress == Some(true) { "egress" } else { "ingress" };
    let number = entry.rule_number.map_or("?".to_owned(), |number| number.to_string());
    let action = entry.rule_action.as_ref().map_or("?", |action| action.as_str());
    let protocol = entry.protocol().unwrap_or("?");
    let cidr = entry.cidr_block().or(entry.ipv6_cidr_block()).unwrap_or("?");
    let ports = entry.port_range().map(|range| {
        let port = |port: Option<i32>| port.map_or("all".to_owned(), |port| port.to_string());
        format!(" {}-{}", port(range.from), port(range.to))
    });
    let kind = entry.icmp_type_code().map(|it| {
        let number = |it: Option<i32>| it.map_or("all".to_owned(), |it| it.to_string());
        format!(" type {} code {}", number(it.r#type), number(it.code))
    });
    let more = ports.or(kind).unwrap_or_default();
    format!("{way} {number} {action} {protocol} {cidr}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_one_line_for_each_of_its_sources() {
        let rule = sdk::IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(22)
            .ip_ranges(sdk::IpRange::builder().cidr_ip("10.0.0.0/8").build())
            .ipv6_ranges(sdk::Ipv6Range::builder().cidr_ipv6("2001:db8::/32").build())
            .user_id_group_pairs(sdk::UserIdGroupPair::builder().group_id("sg-1").build())
            .prefix_list_ids(sdk::PrefixListId::builder().prefix_list_id("pl-1").build())
            .build();
        let from = ["10.0.0.0/8", "2001:db8::/32", "sg-1", "pl-1"];
        assert_eq!(rules_of(&rule), from.map(|from| format!("tcp 22-22 {from}")));
        let all = sdk::IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let rule = sdk::IpPermission::builder().ip_protocol("-1").ip_ranges(all).build();
        assert_eq!(rules_of(&rule), ["-1 all-all 0.0.0.0/0"]);
    }

    #[test]
    fn an_entry_says_its_way_its_action_and_its_ports() {
        let entry = sdk::NetworkAclEntry::builder()
            .rule_number(100)
            .rule_action(sdk::RuleAction::Deny)
            .protocol("6")
            .cidr_block("10.88.60.0/24");
        let ports = sdk::PortRange::builder().from(22).to(23).build();
        let kind = sdk::IcmpTypeCode::builder().r#type(8).build();
        let table = [
            (entry.clone().egress(false), "ingress 100 deny 6 10.88.60.0/24"),
            (entry.clone(), "ingress 100 deny 6 10.88.60.0/24"),
            (entry.clone().egress(true), "egress 100 deny 6 10.88.60.0/24"),
            (entry.clone().port_range(ports), "ingress 100 deny 6 10.88.60.0/24 22-23"),
            (entry.icmp_type_code(kind), "ingress 100 deny 6 10.88.60.0/24 type 8 code all"),
        ];
        for (entry, words) in table {
            assert_eq!(entry_of(&entry.build()), words);
        }
    }
}

//! Packets that a security group lets in: its inbound rules, asked about one kind of packet.

use std::net::Ipv4Addr;

use aws_sdk_ec2::types as sdk;
use ipnet::Ipv4Net;

use super::guards::SecurityGroup;

/// One inbound rule of a security group, for one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundRule {
    /// `IpProtocol`, as `tcp`, `icmp` or `-1`.
    pub protocol: String,
    /// Ports, or ICMP's type and code; -1 is every one, and so is none.
    pub first: Option<i32>,
    pub last: Option<i32>,
    pub source: RuleSource,
}

/// Whom a rule lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    Range(Ipv4Net),
    /// The members of a group, by their interfaces' own addresses.
    Group(String),
    /// A prefix list, or addresses of IPv6: whether it covers an address cannot be seen here.
    Unseen(String),
}

/// A kind of packet that a rule may let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    Tcp(u16),
    Udp(u16),
    Icmp { kind: u8, code: u8 },
}

impl std::fmt::Display for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "tcp {port}"),
            Self::Udp(port) => write!(f, "udp {port}"),
            Self::Icmp { kind, code } => write!(f, "icmp type {kind} code {code}"),
        }
    }
}

/// The sender of a packet, as rules name him.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    pub address: Ipv4Addr,
    /// The groups of the interface whose own address that is. Those do not cover what a router
    /// passes on.
    pub groups: &'a [String],
}

impl SecurityGroup {
    /// Whether a rule of the group lets such a packet in from there.
    pub fn admits(&self, packet: Inbound, sender: Sender<'_>) -> bool {
        self.inbound.iter().any(|rule| rule.covers(packet) && rule.source.covers(sender))
    }
}

impl InboundRule {
    fn covers(&self, packet: Inbound) -> bool {
        let every = |it: Option<i32>| it.is_none_or(|it| it == -1);
        let ports = |port: u16| {
            let port = i32::from(port);
            let (first, last) = (self.first.unwrap_or(-1), self.last.unwrap_or(-1));
            (first, last) == (-1, -1) || (first..=last).contains(&port)
        };
        match (self.protocol.as_str(), packet) {
            ("-1", _) => true,
            ("tcp" | "6", Inbound::Tcp(port)) | ("udp" | "17", Inbound::Udp(port)) => ports(port),
            ("icmp" | "1", Inbound::Icmp { kind, code }) => {
                let same = |it: Option<i32>, wanted: u8| it == Some(i32::from(wanted));
                every(self.first)
                    || same(self.first, kind) && (every(self.last) || same(self.last, code))
            }
            _ => false,
        }
    }
}

impl RuleSource {
    fn covers(&self, sender: Sender<'_>) -> bool {
        match self {
            Self::Range(range) => range.contains(&sender.address),
            Self::Group(group) => sender.groups.contains(group),
            Self::Unseen(_) => false,
        }
    }
}

/// Each rule of a permission, one for each source.
pub(super) fn read_inbound_rules(permission: &sdk::IpPermission) -> Vec<InboundRule> {
    let unseen = |text: &str| RuleSource::Unseen(text.to_owned());
    let range = |text: &str| text.parse().map_or_else(|_| unseen(text), RuleSource::Range);
    let four = permission.ip_ranges().iter().filter_map(|it| it.cidr_ip()).map(range);
    let six = permission.ipv6_ranges().iter().filter_map(|it| it.cidr_ipv6()).map(unseen);
    let groups = permission.user_id_group_pairs().iter().filter_map(|it| it.group_id());
    let groups = groups.map(|id| RuleSource::Group(id.to_owned()));
    let lists = permission.prefix_list_ids().iter().filter_map(|it| it.prefix_list_id());
    let sources = four.chain(six).chain(groups).chain(lists.map(unseen));
    let protocol = permission.ip_protocol().unwrap_or("?");
    sources
        .map(|source| InboundRule {
            protocol: protocol.to_owned(),
            first: permission.from_port,
            last: permission.to_port,
            source,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ec2::Tags;

    #[test]
    fn a_rule_lets_in_what_it_names_from_whom_it_names() {
        let errors = Inbound::Icmp { kind: 3, code: 4 };
        let own = ["sg-1".to_owned()];
        let range = |text: &str| RuleSource::Range(text.parse().expect("a network"));
        let anyone = || range("0.0.0.0/0");
        // Protocol, ports or type and code, source; the packet; whether it comes in from 10.88.60.4.
        let table = [
            ("-1", None, None, anyone(), errors, true),
            ("-1", None, None, range("192.0.2.0/24"), errors, false),
            ("icmp", Some(-1), Some(-1), anyone(), errors, true),
            ("icmp", Some(3), Some(-1), anyone(), errors, true),
            ("icmp", Some(3), Some(4), anyone(), errors, true),
            ("icmp", Some(3), Some(1), anyone(), errors, false),
            ("icmp", Some(8), Some(-1), anyone(), errors, false),
            ("icmp", Some(3), Some(4), range("10.88.60.4/32"), errors, true),
            ("tcp", Some(22), Some(22), anyone(), Inbound::Tcp(22), true),
            ("tcp", Some(20), Some(30), anyone(), Inbound::Tcp(22), true),
            ("tcp", Some(23), Some(30), anyone(), Inbound::Tcp(22), false),
            ("tcp", Some(22), Some(22), anyone(), Inbound::Udp(22), false),
            ("17", Some(7311), Some(7311), anyone(), Inbound::Udp(7311), true),
            ("udp", None, None, anyone(), Inbound::Udp(7311), true),
            ("tcp", None, None, RuleSource::Group(own[0].clone()), Inbound::Tcp(22), true),
            ("tcp", None, None, RuleSource::Group("sg-2".into()), Inbound::Tcp(22), false),
            ("tcp", None, None, RuleSource::Unseen("pl-1".into()), Inbound::Tcp(22), false),
        ];
        for (protocol, first, last, source, packet, expected) in table {
            let rule = InboundRule { protocol: protocol.to_owned(), first, last, source };
            let shown = format!("{rule:?} {packet}");
            let group = SecurityGroup {
                group_id: "sg-1".to_owned(),
                ingress: BTreeSet::new(),
                egress: BTreeSet::new(),
                inbound: vec![rule],
                tags: Tags::new(),
            };
            let address = Ipv4Addr::new(10, 88, 60, 4);
            assert_eq!(group.admits(packet, Sender { address, groups: &own }), expected, "{shown}");
        }
    }
}

//! The traffic that a security group's permission or a network ACL's entry lets through, and its
//! match in nft.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;

use lab_mock::cloud::{self, Permission};

/// First and last.
pub type Ports = (u16, u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Any,
    Tcp(Option<Ports>),
    Udp(Option<Ports>),
    /// The type and the code; none is every one.
    Icmp(Option<(u8, Option<u8>)>),
    Number(u8),
}

/// One permission, its referenced groups expanded to their members' addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPermission {
    pub protocol: Protocol,
    pub peers: BTreeSet<Ipv4Net>,
}

/// A network ACL. An entry that comes first decides; where none does, nothing passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    pub ingress: Vec<AclEntry>,
    pub egress: Vec<AclEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// The lowest number decides first.
    pub number: u32,
    pub rule: AclRule,
    pub protocol: Protocol,
    pub cidr: Ipv4Net,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclRule {
    Allow,
    Deny,
}

impl Acl {
    pub fn of(acl: &cloud::NetworkAcl) -> Self {
        let entries = |egress| {
            let of_this_way = acl.entries.iter().filter(|entry| entry.egress == egress);
            of_this_way.filter_map(AclEntry::of).collect()
        };
        Self { ingress: entries(false), egress: entries(true) }
    }

    /// The default ACL: everything passes.
    pub fn open() -> Self {
        let all = AclEntry {
            number: 100,
            rule: AclRule::Allow,
            protocol: Protocol::Any,
            cidr: Ipv4Net::default(),
        };
        Self { ingress: vec![all.clone()], egress: vec![all] }
    }
}

/// Whose address is compared with the peers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Source,
    Destination,
}

impl Side {
    fn field(self) -> &'static str {
        match self {
            Self::Source => "ip saddr",
            Self::Destination => "ip daddr",
        }
    }
}

impl Protocol {
    /// None for a protocol or ports that EC2 would not have taken.
    pub fn of(permission: &Permission) -> Option<Self> {
        // A security group writes ICMP's type and code where other protocols have ports.
        Self::named(&permission.protocol, permission.ports, permission.ports)
    }

    fn named(
        protocol: &str,
        ports: Option<(i32, i32)>,
        type_and_code: Option<(i32, i32)>,
    ) -> Option<Self> {
        match protocol {
            "-1" => Some(Self::Any),
            "tcp" | "6" => ranged(ports, Self::Tcp),
            "udp" | "17" => ranged(ports, Self::Udp),
            "icmp" | "1" => icmp(type_and_code),
            "icmpv6" => Some(Self::Number(58)),
            number => Some(Self::Number(number.parse().ok()?)),
        }
    }

    /// With a blank behind it, where it says anything.
    fn matched(self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Tcp(None) => "meta l4proto tcp ".to_owned(),
            Self::Udp(None) => "meta l4proto udp ".to_owned(),
            Self::Tcp(Some(ports)) => format!("tcp dport {} ", span(ports)),
            Self::Udp(Some(ports)) => format!("udp dport {} ", span(ports)),
            Self::Icmp(None) => "meta l4proto icmp ".to_owned(),
            Self::Icmp(Some((kind, None))) => format!("icmp type {kind} "),
            Self::Icmp(Some((kind, Some(code)))) => format!("icmp type {kind} icmp code {code} "),
            Self::Number(number) => format!("meta l4proto {number} "),
        }
    }
}

fn ranged(ports: Option<(i32, i32)>, of: fn(Option<Ports>) -> Protocol) -> Option<Protocol> {
    match ports {
        None | Some((-1, -1)) => Some(of(None)),
        Some((first, last)) => {
            let (first, last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
            (first <= last).then_some(of(Some((first, last))))
        }
    }
}

fn icmp(type_and_code: Option<(i32, i32)>) -> Option<Protocol> {
    let which = match type_and_code {
        None | Some((-1, _)) => None,
        Some((kind, -1)) => Some((u8::try_from(kind).ok()?, None)),
        Some((kind, code)) => Some((u8::try_from(kind).ok()?, Some(u8::try_from(code).ok()?))),
    };
    Some(Protocol::Icmp(which))
}

fn span((first, last): Ports) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

impl PeerPermission {
    /// The match, with a blank behind it; none where there is nobody to let through.
    pub(super) fn matched(&self, side: Side) -> Option<String> {
        let peers = peers(side, &self.peers)?;
        Some(format!("{peers}{}", self.protocol.matched()))
    }
}

impl AclEntry {
    /// None for what EC2 would not have taken.
    fn of(entry: &cloud::AclEntry) -> Option<Self> {
        Some(Self {
            number: entry.number,
            rule: if entry.allow { AclRule::Allow } else { AclRule::Deny },
            protocol: Protocol::named(&entry.protocol, entry.ports, entry.icmp)?,
            cidr: entry.cidr.trunc(),
        })
    }

    pub(super) fn matched(&self, side: Side) -> String {
        let peers = peers(side, &BTreeSet::from([self.cidr])).unwrap_or_default();
        format!("{peers}{}", self.protocol.matched())
    }
}

/// nft refuses a set whose prefixes overlap, so they are merged first.
fn peers(side: Side, peers: &BTreeSet<Ipv4Net>) -> Option<String> {
    let merged = Ipv4Net::aggregate(&peers.iter().copied().collect());
    let field = side.field();
    match merged.as_slice() {
        [] => None,
        [all] if all.prefix_len() == 0 => Some(String::new()),
        [one] => Some(format!("{field} {one} ")),
        many => {
            let many: Vec<_> = many.iter().map(ToString::to_string).collect();
            Some(format!("{field} {{ {} }} ", many.join(", ")))
        }
    }
}

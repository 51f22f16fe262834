//! Network ACLs: numbered rules around whole subnets.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{Cloud, Tags, ids};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    pub id: String,
    pub vpc_id: String,
    pub is_default: bool,
    pub entries: Vec<AclEntry>,
    pub associations: Vec<AclAssociation>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEntry {
    pub number: u32,
    pub egress: bool,
    /// IANA's number; `-1` is every protocol.
    pub protocol: String,
    pub allow: bool,
    pub cidr: Ipv4Net,
    pub ports: Option<(i32, i32)>,
    /// Type and code.
    pub icmp: Option<(i32, i32)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclAssociation {
    pub id: String,
    pub subnet_id: String,
}

/// The number of the rule that nobody can take away: everything else is denied.
pub const LAST_RULE: u32 = 32767;

impl AclEntry {
    fn everything(number: u32, egress: bool, allow: bool) -> Self {
        Self {
            number,
            egress,
            protocol: "-1".to_owned(),
            allow,
            cidr: Ipv4Net::default(),
            ports: None,
            icmp: None,
        }
    }

    /// The rules that every ACL ends with.
    pub fn last_rules() -> Vec<Self> {
        [true, false].map(|egress| Self::everything(LAST_RULE, egress, false)).into()
    }
}

/// One packet at a subnet's border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// IANA's number.
    pub protocol: u8,
    /// The other end's address.
    pub peer: Ipv4Addr,
    /// TCP's and UDP's.
    pub destination_port: Option<u16>,
    /// ICMP's type and code.
    pub icmp: Option<(u8, u8)>,
}

impl NetworkAcl {
    /// The first entry that matches decides, and nothing is remembered: an answer needs an entry of
    /// its own.
    pub fn allows(&self, egress: bool, packet: &Crossing) -> bool {
        let matching =
            self.entries.iter().filter(|entry| entry.egress == egress && entry.matches(packet));
        matching.min_by_key(|entry| entry.number).is_some_and(|entry| entry.allow)
    }
}

impl AclEntry {
    fn matches(&self, packet: &Crossing) -> bool {
        let number = match self.protocol.as_str() {
            "-1" => None,
            number => Some(number),
        };
        let protocol = number.is_none_or(|number| number == packet.protocol.to_string());
        let within = |(first, last): (i32, i32), port: u16| {
            (first, last) == (-1, -1) || (first..=last).contains(&i32::from(port))
        };
        let ports = number.is_none()
            || self
                .ports
                .zip(packet.destination_port)
                .is_none_or(|(span, port)| within(span, port));
        let same = |wanted: i32, seen: u8| wanted == -1 || wanted == i32::from(seen);
        let icmp = number.is_none()
            || self.icmp.zip(packet.icmp).is_none_or(|(wanted, seen)| {
                same(wanted.0, seen.0) && (wanted.0 == -1 || same(wanted.1, seen.1))
            });
        protocol && ports && icmp && self.cidr.contains(&packet.peer)
    }
}

impl Cloud {
    pub fn acl_of(&self, subnet_id: &str) -> Option<&NetworkAcl> {
        let guards =
            |acl: &&NetworkAcl| acl.associations.iter().any(|it| it.subnet_id == subnet_id);
        self.network_acls.values().find(guards)
    }

    /// The ACL that AWS makes with a VPC: it lets everything pass, and has every subnet that no
    /// other has.
    pub fn add_default_acl(&mut self, vpc_id: &str) {
        let entry = |egress| AclEntry::everything(100, egress, true);
        let mut entries = vec![entry(true), entry(false)];
        entries.extend(AclEntry::last_rules());
        let acl = NetworkAcl {
            id: ids::make_id("acl", self.seed, vpc_id),
            vpc_id: vpc_id.to_owned(),
            is_default: true,
            entries,
            associations: vec![],
            tags: Tags::new(),
        };
        self.network_acls.insert(acl.id.clone(), acl);
    }

    /// A new subnet is with its VPC's default ACL.
    pub fn associate_default_acl(&mut self, vpc_id: &str, subnet_id: &str) {
        let id = ids::make_id("aclassoc", self.seed, subnet_id);
        let mut acls = self.network_acls.values_mut();
        if let Some(acl) = acls.find(|acl| acl.is_default && acl.vpc_id == vpc_id) {
            acl.associations.push(AclAssociation { id, subnet_id: subnet_id.to_owned() });
        }
    }
}

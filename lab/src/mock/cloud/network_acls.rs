//! Network ACLs: numbered rules around whole subnets.

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

    /// What every ACL ends with.
    pub fn last_rules() -> Vec<Self> {
        [true, false].map(|egress| Self::everything(LAST_RULE, egress, false)).into()
    }
}

impl Cloud {
    /// The ACL that AWS makes with a VPC: it lets everything pass, and has every subnet that no
    /// other has.
    pub fn add_default_acl(&mut self, vpc_id: &str) {
        let entry = |egress| AclEntry::everything(100, egress, true);
        let mut entries = vec![entry(true), entry(false)];
        entries.extend(AclEntry::last_rules());
        let acl = NetworkAcl {
            id: ids::id("acl", self.seed, vpc_id),
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
        let id = ids::id("aclassoc", self.seed, subnet_id);
        let mut acls = self.network_acls.values_mut();
        if let Some(acl) = acls.find(|acl| acl.is_default && acl.vpc_id == vpc_id) {
            acl.associations.push(AclAssociation { id, subnet_id: subnet_id.to_owned() });
        }
    }
}

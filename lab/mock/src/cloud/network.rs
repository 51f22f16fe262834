//! VPCs, subnets, route tables, security groups, network interfaces and Elastic IP addresses.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{Crossing, LaunchAddress, Tags};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    pub id: String,
    pub cidr: Ipv4Net,
    pub is_default: bool,
    #[serde(default = "on")]
    pub dns_support: bool,
    #[serde(default)]
    pub dns_hostnames: bool,
    pub tags: Tags,
}

fn on() -> bool {
    true
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: String,
    pub vpc_id: String,
    pub cidr: Ipv4Net,
    pub availability_zone: String,
    pub availability_zone_id: String,
    #[serde(default)]
    pub map_public_ip_on_launch: bool,
    pub tags: Tags,
}

impl Subnet {
    /// AWS keeps the first four addresses of a subnet and the last for itself.
    pub fn reserves(&self, address: Ipv4Addr) -> bool {
        let first = u32::from(self.cidr.network());
        let last = u32::from(self.cidr.broadcast());
        let address = u32::from(address);
        (first..first + 4).contains(&address) || address == last
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    pub id: String,
    pub vpc_id: String,
    pub routes: Vec<VpcRoute>,
    pub associations: Vec<RouteTableAssociation>,
    pub tags: Tags,
}

impl RouteTable {
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|association| association.main)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcRoute {
    pub destination: Ipv4Net,
    pub target: RouteTarget,
    pub origin: RouteOrigin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteTarget {
    /// The VPC's own.
    Local,
    InternetGateway(String),
    NetworkInterface(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteOrigin {
    /// Made with the table.
    CreateRouteTable,
    /// Made by CreateRoute.
    CreateRoute,
}

/// A subnet without one of its own is with the VPC's main table, and no association says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    pub id: String,
    pub main: bool,
    pub subnet_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    pub vpc_id: String,
    pub ingress: Vec<Permission>,
    pub egress: Vec<Permission>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permission {
    /// `-1` is every protocol.
    pub protocol: String,
    /// Absent where the protocol has none.
    pub ports: Option<(i32, i32)>,
    pub ranges: Vec<Ipv4Net>,
    pub groups: Vec<String>,
    /// By range or group.
    #[serde(default)]
    pub descriptions: BTreeMap<String, String>,
}

impl Permission {
    /// Every protocol and port, to or from nobody yet.
    pub fn everything() -> Self {
        Self {
            protocol: "-1".to_owned(),
            ports: None,
            ranges: vec![],
            groups: vec![],
            descriptions: BTreeMap::new(),
        }
    }

    /// Whether it lets this packet through, where the other end is in these groups.
    pub fn permits(&self, packet: &Crossing, peers_groups: &[String]) -> bool {
        let number = match self.protocol.as_str() {
            "-1" => None,
            "tcp" => Some("6"),
            "udp" => Some("17"),
            "icmp" => Some("1"),
            "icmpv6" => Some("58"),
            number => Some(number),
        };
        let protocol = number.is_none_or(|number| number == packet.protocol.to_string());
        let ports = number.is_none() || self.ports.is_none_or(|ports| names(ports, packet));
        let peer = self.ranges.iter().any(|range| range.contains(&packet.peer))
            || self.groups.iter().any(|group| peers_groups.contains(group));
        protocol && ports && peer
    }
}

/// A permission has ICMP's type and code where that of another protocol has ports; -1 is every one.
fn names((first, last): (i32, i32), packet: &Crossing) -> bool {
    match (packet.icmp, packet.destination_port) {
        _ if (first, last) == (-1, -1) => true,
        (Some((kind, code)), _) => {
            first == -1 || (first == i32::from(kind) && (last == -1 || last == i32::from(code)))
        }
        (None, Some(port)) => (first..=last).contains(&i32::from(port)),
        (None, None) => true,
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub id: String,
    pub mac: String,
    pub description: String,
    pub vpc_id: String,
    pub subnet_id: String,
    pub source_dest_check: bool,
    /// The primary first.
    pub private_addresses: Vec<PrivateAddress>,
    pub groups: Vec<String>,
    /// The instance that it is attached to; set and cleared together with `attachment`.
    pub instance_id: Option<String>,
    pub attachment: Option<Attachment>,
    #[serde(default)]
    pub launch_address: LaunchAddress,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateAddress {
    pub address: Ipv4Addr,
    pub primary: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: String,
    pub device_index: u32,
    pub delete_on_termination: bool,
    pub attached_at: DateTime<Utc>,
}

impl NetworkInterface {
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.private_addresses.iter().map(|private| private.address)
    }

    pub fn owns(&self, address: Ipv4Addr) -> bool {
        self.addresses().any(|own| own == address)
    }

    pub fn primary(&self) -> Option<Ipv4Addr> {
        self.private_addresses.iter().find(|private| private.primary).map(|p| p.address)
    }

    pub fn status(&self) -> &'static str {
        if self.attachment.is_some() { "in-use" } else { "available" }
    }

    /// Adds a secondary address, unless it is there.
    pub fn add_secondary(&mut self, address: Ipv4Addr) {
        if !self.owns(address) {
            self.private_addresses.push(PrivateAddress { address, primary: false });
        }
    }

    /// Removes a secondary address; the primary stays.
    pub fn remove_secondary(&mut self, address: Ipv4Addr) {
        self.private_addresses.retain(|private| private.primary || private.address != address);
    }
}

/// An Elastic IP address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElasticIp {
    pub allocation_id: String,
    pub public_ip: Ipv4Addr,
    pub association: Option<AddressAssociation>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressAssociation {
    pub id: String,
    pub network_interface_id: String,
    pub private_address: Ipv4Addr,
}

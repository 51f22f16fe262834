//! The model of what the fabric enforces, taken from the world model: ports, owners, rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use ipnet::Ipv4Net;

use super::permit::{Acl, PeerPermission, Protocol};
use lab_mock::cloud::{Cloud, NetworkInterface, Permission, RouteTable, RouteTarget};

/// Which network interface is which device of the fabric. Made once, when the lab is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    /// By the interface's id.
    pub wires: BTreeMap<String, Wire>,
}

/// A virtual cable whose other end is in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    pub device: String,
    /// Packets to the interface carry it, and a rule of the kernel sends them to the device.
    pub mark: u32,
    pub mac: String,
}

/// The first interface's; the others follow.
const FIRST_MARK: u32 = 0x104;

impl Wiring {
    /// One cable for each interface that is attached to an instance.
    pub fn of(cloud: &Cloud) -> Self {
        let attached = cloud.network_interfaces.values().filter(|eni| eni.instance_id.is_some());
        let wires = (FIRST_MARK..).zip(attached).map(|(mark, eni)| {
            let wire = Wire { device: device(&eni.id), mark, mac: eni.mac.clone() };
            (eni.id.clone(), wire)
        });
        Self { wires: wires.collect() }
    }
}

/// A device's name has at most 15 characters.
fn device(eni_id: &str) -> String {
    let tail: String = eni_id.chars().skip(eni_id.chars().count().saturating_sub(8)).collect();
    format!("eni-{tail}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceDestCheck {
    On,
    Off,
}

/// A VPC, as far as packets are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fabric {
    pub ports: Vec<Port>,
    /// By id.
    pub subnets: BTreeMap<String, FabricSubnet>,
    /// Addresses of interfaces that nothing listens behind: a stopped instance, or none.
    pub silent: BTreeSet<Ipv4Addr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FabricSubnet {
    /// The VPC's router in it.
    pub gateway: Ipv4Addr,
    pub acl: Acl,
    /// The longest prefix first.
    pub routes: Vec<PrefixRoute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixRoute {
    pub destination: Ipv4Net,
    pub mark: u32,
}

/// A network interface of a running instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub wire: Wire,
    pub subnet: String,
    /// Primary and secondary.
    pub addresses: Vec<Ipv4Addr>,
    pub check: SourceDestCheck,
    pub ingress: Vec<PeerPermission>,
    pub egress: Vec<PeerPermission>,
}

impl Fabric {
    /// The world at this moment.
    pub fn of(cloud: &Cloud, wiring: &Wiring, now: DateTime<Utc>) -> Self {
        let mut fabric = Self::default();
        for eni in cloud.network_interfaces.values() {
            let running =
                eni.instance_id.as_ref().is_some_and(|id| cloud.instance_running(id, now));
            match wiring.wires.get(&eni.id).filter(|_| running) {
                Some(wire) => fabric.ports.push(port(cloud, eni, wire)),
                None => fabric.silent.extend(eni.addresses()),
            }
        }
        for port in &fabric.ports {
            let Some(subnet) = cloud.subnets.get(&port.subnet) else { continue };
            let gateway = subnet.cidr.hosts().next().unwrap_or(subnet.cidr.network());
            let routes = routes(cloud, &subnet.vpc_id, &port.subnet, wiring);
            let subnet = FabricSubnet { gateway, acl: acl(cloud, &port.subnet), routes };
            fabric.subnets.insert(port.subnet.clone(), subnet);
        }
        fabric
    }

    /// Addresses that a port has here and had not there: those that are to be announced.
    pub fn gained<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (&'a Port, Ipv4Addr)> {
        self.ports.iter().flat_map(|port| {
            let had = before.ports.iter().find(|old| old.wire == port.wire);
            let is_new = move |a: &&Ipv4Addr| !had.is_some_and(|old| old.addresses.contains(a));
            port.addresses.iter().filter(is_new).map(move |address| (port, *address))
        })
    }
}

fn port(cloud: &Cloud, eni: &NetworkInterface, wire: &Wire) -> Port {
    let groups = || eni.groups.iter().filter_map(|id| cloud.security_groups.get(id));
    let permits = |permission: &Permission| permit(cloud, permission);
    Port {
        wire: wire.clone(),
        subnet: eni.subnet_id.clone(),
        addresses: eni.addresses().collect(),
        check: if eni.source_dest_check { SourceDestCheck::On } else { SourceDestCheck::Off },
        ingress: groups().flat_map(|group| &group.ingress).filter_map(permits).collect(),
        egress: groups().flat_map(|group| &group.egress).filter_map(permits).collect(),
    }
}

/// A referenced group stands for the private addresses of its members.
fn permit(cloud: &Cloud, permission: &Permission) -> Option<PeerPermission> {
    let members = cloud
        .network_interfaces
        .values()
        .filter(|eni| eni.groups.iter().any(|group| permission.groups.contains(group)))
        .flat_map(NetworkInterface::addresses)
        .map(Ipv4Net::from);
    let peers = permission.ranges.iter().map(Ipv4Net::trunc).chain(members).collect();
    Some(PeerPermission { protocol: Protocol::of(permission)?, peers })
}

/// A subnet always has one; a world that was saved before there were any has none.
fn acl(cloud: &Cloud, subnet_id: &str) -> Acl {
    cloud.acl_of(subnet_id).map_or_else(Acl::open, Acl::of)
}

/// The prefixes that the subnet's route table sends to an interface.
fn routes(cloud: &Cloud, vpc_id: &str, subnet_id: &str, wiring: &Wiring) -> Vec<PrefixRoute> {
    let tables = || cloud.route_tables.values().filter(|table| table.vpc_id == vpc_id);
    let own = tables().find(|table| {
        table.associations.iter().any(|one| one.subnet_id.as_deref() == Some(subnet_id))
    });
    let main = || tables().find(|table| table.associations.iter().any(|one| one.main));
    let mut routes: Vec<_> =
        own.or_else(main).map(|table| to_interfaces(table, wiring)).unwrap_or_default();
    routes.sort_by_key(|route| std::cmp::Reverse(route.destination.prefix_len()));
    routes
}

fn to_interfaces(table: &RouteTable, wiring: &Wiring) -> Vec<PrefixRoute> {
    let to_one = |route: &lab_mock::cloud::VpcRoute| match &route.target {
        RouteTarget::NetworkInterface(id) => {
            let mark = wiring.wires.get(id)?.mark;
            Some(PrefixRoute { destination: route.destination.trunc(), mark })
        }
        RouteTarget::Local | RouteTarget::InternetGateway(_) => None,
    };
    table.routes.iter().filter_map(to_one).collect()
}

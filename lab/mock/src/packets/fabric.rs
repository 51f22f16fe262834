//! The VPC between its ENIs: who answers ARP, the source check, the destination check, the route
//! table. The only place here that asks what the cloud knows.

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::Loss;
use super::wire::Wire;
use crate::cloud::{Cloud, NetworkInterface, Permission, RouteTarget, SecurityGroup};
use crate::machines::{Link, Tuple};
use crate::world::World;
use lab::node::Node;

/// Whether a node takes and sends packets at all.
pub fn is_up(world: &World, node: Node, now: DateTime<Utc>) -> bool {
    let machine = world.machines.get(node);
    let instance = machine.instance_id.as_deref();
    instance.is_none_or(|id| world.cloud.instance_running(id, now)) && !machine.hung
}

/// The ENI that the route table of a subnet names for a destination.
fn route_target<'a>(
    cloud: &'a Cloud,
    from: &NetworkInterface,
    destination: Ipv4Addr,
) -> Option<&'a NetworkInterface> {
    let tables = || cloud.route_tables.values().filter(|table| table.vpc_id == from.vpc_id);
    let own = tables().find(|table| {
        table.associations.iter().any(|a| a.subnet_id.as_ref() == Some(&from.subnet_id))
    });
    let main = || tables().find(|table| table.associations.iter().any(|a| a.main));
    let routes = own.or_else(main)?.routes.iter();
    let best = routes
        .filter(|route| route.destination.contains(&destination))
        .max_by_key(|route| route.destination.prefix_len())?;
    match &best.target {
        RouteTarget::NetworkInterface(id) => cloud.interface(id),
        RouteTarget::Local | RouteTarget::InternetGateway(_) => None,
    }
}

/// Whether the network ACLs let a packet from one subnet to another pass; inside one nobody asks them.
fn crosses(cloud: &Cloud, from: &NetworkInterface, to: &NetworkInterface, wire: &Wire) -> bool {
    let allows = |subnet_id: &str, egress: bool, peer: Ipv4Addr| {
        cloud.acl_of(subnet_id).is_none_or(|acl| acl.allows(egress, &wire.crossing(peer)))
    };
    from.subnet_id == to.subnet_id
        || (allows(&from.subnet_id, true, wire.destination)
            && allows(&to.subnet_id, false, wire.source))
}

/// Whether the security groups let through a packet that opens a flow, or an ICMP error: answers are
/// let through, as the groups keep state, and errors about a flow are no answers.
fn admits(cloud: &Cloud, from: &NetworkInterface, to: &NetworkInterface, wire: &Wire) -> bool {
    if wire.answers_something() {
        return true;
    }
    // A group that a permission names stands for its members' addresses.
    let members = |peer| cloud.owner_of(peer).map_or(&[][..], |eni| eni.groups.as_slice());
    let permit = |permissions: &[Permission], peer| {
        let packet = wire.crossing(peer);
        permissions.iter().any(|permission| permission.permits(&packet, members(peer)))
    };
    groups(cloud, from).any(|group| permit(&group.egress, wire.destination))
        && groups(cloud, to).any(|group| permit(&group.ingress, wire.source))
}

fn groups<'a>(
    cloud: &'a Cloud,
    eni: &'a NetworkInterface,
) -> impl Iterator<Item = &'a SecurityGroup> {
    eni.groups.iter().filter_map(|id| cloud.security_groups.get(id))
}

/// Whether the VPC answers an ARP request that an ENI makes: for the gateway, and for an address
/// that another ENI owns.
pub(super) fn answers_arp(world: &mut World, asking_mac: &str, address: Ipv4Addr) -> bool {
    let owner = world.cloud.owner_of(address);
    let asking = world.cloud.network_interfaces.values().find(|eni| eni.mac == asking_mac);
    let subnet = asking.and_then(|eni| world.cloud.subnets.get(&eni.subnet_id));
    // The VPC's own router has the first address of each subnet.
    let is_gateway = subnet.is_some_and(|subnet| subnet.cidr.hosts().next() == Some(address));
    let hit = is_gateway || owner.is_some_and(|eni| eni.mac != asking_mac);
    let counters = &mut world.machines.fabric;
    *(if hit { &mut counters.c_arp_hit } else { &mut counters.c_arp_miss }) += 1;
    hit
}

/// Carries a packet from the ENI with this MAC, and says which node's interface gets it.
pub(super) fn carry_packet(
    world: &mut World,
    mac: &str,
    wire: &Wire,
) -> Result<(Node, String), Loss> {
    let (cloud, counters) = (&world.cloud, &mut world.machines.fabric);
    let Some(from) = cloud.network_interfaces.values().find(|eni| eni.mac == mac) else {
        return Err(Loss::Outside);
    };
    if from.source_dest_check && !from.owns(wire.source) {
        counters.drop_src_check += 1;
        return Err(Loss::SourceCheck);
    }
    let target =
        cloud.owner_of(wire.destination).or_else(|| route_target(cloud, from, wire.destination));
    let Some(to) = target else {
        counters.drop_no_owner += 1;
        return Err(Loss::NoOwner);
    };
    if to.source_dest_check && !to.owns(wire.destination) {
        counters.drop_dst_check += 1;
        return Err(Loss::DestinationCheck);
    }
    if !crosses(cloud, from, to, wire) {
        counters.drop_acl += 1;
        return Err(Loss::NetworkAcl);
    }
    if !admits(cloud, from, to, wire) {
        counters.drop_sg += 1;
        return Err(Loss::SecurityGroup);
    }
    attached(world, &to.mac).ok_or(Loss::Outside)
}

/// The node's interface that an ENI is.
fn attached(world: &World, mac: &str) -> Option<(Node, String)> {
    world.machines.iter().find_map(|(node, machine)| {
        let is_it = |i: &&crate::machines::Interface| i.link == Link::Vpc && i.mac == mac;
        machine.interfaces.iter().find(is_it).map(|i| (node, i.name.clone()))
    })
}

/// How long there and back takes: by the links on the way, with jitter from the seed.
pub(super) fn round_trip(
    world: &World,
    near: Tuple,
    answer: &Wire,
    sender: Node,
    other: Node,
) -> Duration {
    let (base_us, underlay_ms) = match (is_cloud(sender), is_cloud(other)) {
        _ if sender == other => (40, 0),
        (true, true) => (300, 0),
        (false, false) => (250, 0),
        (true, false) | (false, true) => (4_200, 2 * world.faults.underlay.delay_ms),
    };
    let jitter = Sha256::new()
        .chain_update(world.seed.to_be_bytes())
        .chain_update(format!("{near:?}{answer:?}"))
        .finalize();
    Duration::from_micros(base_us + base_us * u64::from(jitter[0]) / 1024)
        + Duration::from_millis(underlay_ms)
}

fn is_cloud(node: Node) -> bool {
    matches!(node, Node::RouterdCloud | Node::CloudClient)
}

//! The VPC between its ENIs: who answers ARP, the source check, the destination check, the route
//! table. The only place here that asks what the cloud knows.

use std::net::Ipv4Addr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Loss;
use super::wire::Wire;
use crate::mock::cloud::{Cloud, NetworkInterface};
use crate::mock::machines::{Link, Tuple};
use crate::mock::world::World;
use crate::node::Node;

/// The VPC's own router in the subnet.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 1);

/// Whether a node takes and sends packets at all.
pub fn is_up(world: &World, node: Node) -> bool {
    let machine = world.machines.get(node);
    let runs = machine.instance_id.as_deref().is_none_or(|id| runs(&world.cloud, id));
    runs && !machine.hung
}

fn runs(_cloud: &Cloud, _instance_id: &str) -> bool {
    true
}

/// The ENI that a route table of the VPC names for a destination.
fn route_target(_cloud: &Cloud, _destination: Ipv4Addr) -> Option<&NetworkInterface> {
    None
}

fn admits(_cloud: &Cloud, _to: &NetworkInterface, _wire: &Wire) -> bool {
    true
}

/// Whether the VPC answers an ARP request that an ENI makes: for the gateway, and for an address
/// that another ENI owns.
pub(super) fn answers_arp(world: &mut World, asking_mac: &str, address: Ipv4Addr) -> bool {
    let owner = world.cloud.owner_of(address);
    let hit = address == GATEWAY || owner.is_some_and(|eni| eni.mac != asking_mac);
    let counters = &mut world.machines.fabric;
    *(if hit { &mut counters.c_arp_hit } else { &mut counters.c_arp_miss }) += 1;
    hit
}

/// Carries a packet from the ENI with this MAC, and says which node's interface gets it.
pub(super) fn carry(world: &mut World, mac: &str, wire: &Wire) -> Result<(Node, String), Loss> {
    let (cloud, counters) = (&world.cloud, &mut world.machines.fabric);
    let Some(from) = cloud.network_interfaces.values().find(|eni| eni.mac == mac) else {
        return Err(Loss::Outside);
    };
    if from.source_dest_check && !owns(from, wire.source) {
        counters.drop_src_check += 1;
        return Err(Loss::SourceCheck);
    }
    let target = cloud.owner_of(wire.destination).or_else(|| route_target(cloud, wire.destination));
    let Some(to) = target else {
        counters.drop_no_owner += 1;
        return Err(Loss::NoOwner);
    };
    if to.source_dest_check && !owns(to, wire.destination) {
        counters.drop_dst_check += 1;
        return Err(Loss::DestinationCheck);
    }
    if !admits(cloud, to, wire) {
        counters.drop_sg += 1;
        return Err(Loss::SecurityGroup);
    }
    attached(world, &to.mac).ok_or(Loss::Outside)
}

fn owns(eni: &NetworkInterface, address: Ipv4Addr) -> bool {
    eni.private_addresses.contains(&address)
}

/// The node's interface that an ENI is.
fn attached(world: &World, mac: &str) -> Option<(Node, String)> {
    world.machines.iter().find_map(|(node, machine)| {
        let is_it = |i: &&crate::mock::machines::Interface| i.link == Link::Vpc && i.mac == mac;
        machine.interfaces.iter().find(is_it).map(|i| (node, i.name.clone()))
    })
}

/// How long there and back takes: by the links on the way, with jitter from the seed.
pub(super) fn round_trip(
    seed: u64,
    near: Tuple,
    answer: &Wire,
    sender: Node,
    other: Node,
) -> Duration {
    let base_us = match (is_cloud(sender), is_cloud(other)) {
        _ if sender == other => 40,
        (true, true) => 300,
        (false, false) => 250,
        (true, false) | (false, true) => 4_200,
    };
    let jitter = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(format!("{near:?}{answer:?}"))
        .finalize();
    Duration::from_micros(base_us + base_us * u64::from(jitter[0]) / 1024)
}

fn is_cloud(node: Node) -> bool {
    matches!(node, Node::RouterdCloud | Node::CloudClient)
}

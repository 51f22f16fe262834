//! One packet, hop by hop, until it arrives, dies or calls for an error.

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};

use super::hooks::{self, Passage};
use super::wire::{IcmpError, Wire, WireBody};
use super::{Fragment, Loss, fabric, track};
use crate::machines::{
    Direction, Hook, Interface, Link, Machine, Neighbour, NextHop, PERMANENT, SeenPacket,
};
use crate::world::World;
use lab::node::Node;

/// How a walk ended.
pub(super) enum WalkEnd {
    /// `at` is where it ended and where its answer begins: another node where an impostor took it.
    Delivered {
        node: Node,
        at: Node,
        wire: Wire,
    },
    /// `node` owes the sender an ICMP error about the packet as it had it.
    Error {
        node: Node,
        error: IcmpError,
        about: Wire,
    },
    /// Nobody answered the ARP of the node that made the packet.
    LocalArpFailed {
        node: Node,
    },
    NoLocalRoute,
    Lost(Loss),
}

/// The outcome of one step.
enum WalkStep {
    /// On to the interface of another node.
    To {
        node: Node,
        dev: String,
        wire: Wire,
    },
    End(WalkEnd),
}

/// More hops than the lab has.
const MAX_HOPS: usize = 12;

/// Carries a packet that `origin` makes.
pub(super) fn walk_packet(
    world: &mut World,
    now: DateTime<Utc>,
    wire: Wire,
    origin: Node,
) -> WalkEnd {
    let mut step = emit(world, now, wire, origin);
    for _ in 0..MAX_HOPS {
        match step {
            WalkStep::End(end) => return end,
            WalkStep::To { node, dev, wire } => step = receive(world, now, wire, node, &dev),
        }
    }
    WalkEnd::Lost(Loss::Loop)
}

/// The node that makes the packet.
fn emit(world: &mut World, now: DateTime<Utc>, mut wire: Wire, node: Node) -> WalkStep {
    if !fabric::is_up(world, node, now) {
        return lost(Loss::Dead(node));
    }
    let machine = world.machines.get_mut(node);
    let Some(hop) = machine.next_hop(wire.destination) else {
        return WalkStep::End(WalkEnd::NoLocalRoute);
    };
    if hop.dev == "lo" {
        return WalkStep::End(WalkEnd::Delivered { node, at: node, wire });
    }
    let mut track = track::find(machine, now, &wire);
    for hook in [Hook::Output, Hook::Postrouting] {
        if hooks::pass_hook(machine, hook, &mut wire, &mut track, ("lo", &hop.dev))
            == Passage::Dropped
        {
            return lost(Loss::Filtered(node));
        }
    }
    track::confirm(machine, now, track);
    transmit(world, now, wire, node, &hop, Maker::Local)
}

/// A node that gets a packet from a link.
fn receive(
    world: &mut World,
    now: DateTime<Utc>,
    mut wire: Wire,
    node: Node,
    dev: &str,
) -> WalkStep {
    if !fabric::is_up(world, node, now) {
        return lost(Loss::Dead(node));
    }
    let machine = world.machines.get_mut(node);
    if !machine.interface(dev).is_some_and(|interface| interface.up) {
        return lost(Loss::Dead(node));
    }
    record(machine, now, &wire, dev, Direction::In);
    let mut track = track::find(machine, now, &wire);
    if hooks::pass_hook(machine, Hook::Prerouting, &mut wire, &mut track, (dev, ""))
        == Passage::Dropped
    {
        return lost(Loss::Filtered(node));
    }
    if let Err(loss) = check_source(machine, node, &wire, dev) {
        return lost(loss);
    }
    if machine.has_address(wire.destination) {
        if hooks::pass_hook(machine, Hook::Input, &mut wire, &mut track, (dev, ""))
            == Passage::Dropped
        {
            return lost(Loss::Filtered(node));
        }
        track::confirm(machine, now, track);
        return WalkStep::End(WalkEnd::Delivered { node, at: node, wire });
    }
    forward(world, now, wire, track, node, dev)
}

/// A router that passes it on.
fn forward(
    world: &mut World,
    now: DateTime<Utc>,
    mut wire: Wire,
    mut track: track::Track,
    node: Node,
    dev: &str,
) -> WalkStep {
    let machine = world.machines.get_mut(node);
    if !machine.forwards() {
        return lost(Loss::NotForwarding(node));
    }
    let Some(hop) = machine.next_hop(wire.destination) else {
        return error(node, IcmpError::NetworkUnreachable, wire);
    };
    if wire.ttl <= 1 {
        return error(node, IcmpError::TimeExceeded, wire);
    }
    let mtu = machine.interface(&hop.dev).map_or(u32::MAX, |interface| interface.mtu);
    if wire.fragment == Fragment::Never && wire.bytes > mtu {
        return error(node, IcmpError::FragmentationNeeded { mtu }, wire);
    }
    let before = wire;
    wire.ttl -= 1;
    for hook in [Hook::Forward, Hook::Postrouting] {
        if hooks::pass_hook(machine, hook, &mut wire, &mut track, (dev, &hop.dev))
            == Passage::Dropped
        {
            return lost(Loss::Filtered(node));
        }
    }
    track::confirm(machine, now, track);
    if let Some(copied) = hooks::apply_beneath(machine, &mut wire, (dev, &hop.dev)) {
        return WalkStep::End(WalkEnd::Delivered { node: copied, at: node, wire });
    }
    transmit(world, now, wire, node, &hop, Maker::Another(before))
}

/// Who made a packet: errors about one's own are told without a packet.
enum Maker {
    Local,
    /// The packet as it came in.
    Another(Wire),
}

fn transmit(
    world: &mut World,
    now: DateTime<Utc>,
    wire: Wire,
    node: Node,
    hop: &NextHop,
    maker: Maker,
) -> WalkStep {
    let Some(interface) = world.machines.get(node).interface(&hop.dev).cloned() else {
        return lost(Loss::Outside);
    };
    if world.machines.get_mut(node).loses_to_cold_neighbour(hop.address, &wire) {
        return lost(Loss::NoArpAnswer(node));
    }
    let reached = match interface.link {
        Link::Vpc if fabric::answers_arp(world, &interface.mac, hop.address) => {
            resolved(world, node, hop, true);
            record(world.machines.get_mut(node), now, &wire, &hop.dev, Direction::Out);
            Some(fabric::carry_packet(world, &interface.mac, &wire))
        }
        Link::Lan if permanent(world, node, hop).is_some() => {
            record(world.machines.get_mut(node), now, &wire, &hop.dev, Direction::Out);
            permanent(world, node, hop)
        }
        Link::Lan => lan_neighbour(world, now, node, hop.address).map(|next| {
            resolved(world, node, hop, true);
            record(world.machines.get_mut(node), now, &wire, &hop.dev, Direction::Out);
            Ok(next)
        }),
        Link::Vpc => None,
        Link::Overlay if is_uncovered(world, node, wire.destination) => {
            return match maker {
                Maker::Local => lost(Loss::BlackHole),
                Maker::Another(before) => error(node, IcmpError::HostUnreachable, before),
            };
        }
        Link::Overlay => {
            record(world.machines.get_mut(node), now, &wire, &hop.dev, Direction::Out);
            Some(through_overlay(world, node, &wire))
        }
        Link::Cable(other) => {
            record(world.machines.get_mut(node), now, &wire, &hop.dev, Direction::Out);
            Some(end_of_cable(world, node, other))
        }
        Link::Outside | Link::Loopback => Some(Err(Loss::Outside)),
    };
    match (reached, maker) {
        (Some(Ok((node, dev))), _) => WalkStep::To { node, dev, wire },
        (Some(Err(loss)), _) => lost(loss),
        (None, Maker::Local) => {
            resolved(world, node, hop, false);
            WalkStep::End(WalkEnd::LocalArpFailed { node })
        }
        (None, Maker::Another(before)) => {
            resolved(world, node, hop, false);
            error(node, IcmpError::HostUnreachable, before)
        }
    }
}

/// Where an entry that was made by hand leads: to the interface with that MAC, if there is one.
fn permanent(world: &World, node: Node, hop: &NextHop) -> Option<Result<(Node, String), Loss>> {
    let mut table = world.machines.get(node).neighbours.iter();
    let entry = table
        .find(|one| one.address == hop.address && one.dev == hop.dev && one.state == PERMANENT)?;
    let is_it = |i: &&Interface| i.link == Link::Lan && entry.mac.as_ref() == Some(&i.mac);
    let owner = world.machines.iter().find_map(|(node, machine)| {
        machine.interfaces.iter().find(is_it).map(|i| (node, i.name.clone()))
    });
    Some(owner.ok_or(Loss::Outside))
}

/// Who on the on-prem LAN answers ARP for an address.
fn lan_neighbour(
    world: &World,
    now: DateTime<Utc>,
    asking: Node,
    address: Ipv4Addr,
) -> Option<(Node, String)> {
    world.machines.iter().find_map(|(node, machine)| {
        let lan = machine.interfaces.iter().find(|i| i.link == Link::Lan && i.up)?;
        let answers = node != asking
            && fabric::is_up(world, node, now)
            && machine.answers_arp(&lan.name, address);
        answers.then(|| (node, lan.name.clone()))
    })
}

/// WireGuard has no peer for an address outside every `allowedIPs`.
fn is_uncovered(world: &World, node: Node, address: Ipv4Addr) -> bool {
    node == Node::RouterdCloud && world.machines.overlay.uncovered == Some(address)
}

impl Machine {
    /// Whether the packet dies while its neighbour is looked for.
    fn loses_to_cold_neighbour(&mut self, address: Ipv4Addr, wire: &Wire) -> bool {
        let is_echo = matches!(wire.body, WireBody::Echo { .. });
        match &mut self.cold_neighbour {
            Some(cold) if is_echo && cold.address == address && cold.losses > 0 => {
                cold.losses -= 1;
                true
            }
            _ => false,
        }
    }
}

fn through_overlay(world: &mut World, node: Node, wire: &Wire) -> Result<(Node, String), Loss> {
    let faults = &mut world.faults;
    if faults.underlay_losses[usize::from(node != Node::RouterdCloud)].take(faults.underlay) {
        return Err(Loss::Underlay);
    }
    let overlay = &world.machines.overlay;
    let too_large = overlay.black_hole_above_bytes.is_some_and(|limit| wire.bytes > limit);
    let this_way = overlay.black_hole_from.is_none_or(|sender| sender == node);
    let other = if node == Node::RouterdCloud { Node::OnpremRouter } else { Node::RouterdCloud };
    let refused = is_uncovered(world, other, wire.source);
    if !overlay.up || (too_large && this_way) || refused {
        return Err(Loss::BlackHole);
    }
    let end = world.machines.get(other).interfaces.iter().find(|i| i.link == Link::Overlay);
    end.map(|interface| (other, interface.name.clone())).ok_or(Loss::Outside)
}

fn end_of_cable(world: &World, node: Node, other: Node) -> Result<(Node, String), Loss> {
    let mut interfaces = world.machines.get(other).interfaces.iter();
    let end = interfaces.find(|interface| interface.link == Link::Cable(node));
    end.map(|interface| (other, interface.name.clone())).ok_or(Loss::Outside)
}

/// Checks a packet's source as the kernel does before it routes.
fn check_source(machine: &Machine, node: Node, wire: &Wire, dev: &str) -> Result<(), Loss> {
    if machine.has_address(wire.source) {
        return Err(Loss::Martian(node));
    }
    let back = machine.next_hop(wire.source);
    if machine.filters_reverse_path(dev) && back.is_none_or(|hop| hop.dev != dev) {
        return Err(Loss::ReversePath(node));
    }
    Ok(())
}

/// Notes in the neighbour table what ARP found.
fn resolved(world: &mut World, node: Node, hop: &NextHop, found: bool) {
    let mac = found.then(|| mac_of(world, hop.address)).flatten();
    let state = if found { "REACHABLE" } else { "FAILED" };
    let entry = Neighbour { address: hop.address, dev: hop.dev.clone(), mac, state: state.into() };
    let table = &mut world.machines.get_mut(node).neighbours;
    table.retain(|neighbour| (neighbour.address, &neighbour.dev) != (hop.address, &hop.dev));
    table.push(entry);
    table.sort_by_key(|neighbour| neighbour.address);
}

fn mac_of(world: &World, address: Ipv4Addr) -> Option<String> {
    if let Some(eni) = world.cloud.owner_of(address) {
        return Some(eni.mac.clone());
    }
    world.machines.iter().find_map(|(_, machine)| {
        let interface = machine.interfaces.iter().find(|i| i.link == Link::Lan)?;
        machine.answers_arp(&interface.name, address).then(|| interface.mac.clone())
    })
}

fn record(machine: &mut Machine, now: DateTime<Utc>, wire: &Wire, dev: &str, direction: Direction) {
    let (kind, ports) = wire.seen();
    machine.capture.push(SeenPacket {
        at: now,
        dev: dev.into(),
        direction,
        transport: wire.transport(),
        source: wire.source,
        destination: wire.destination,
        ports,
        kind,
        bytes: wire.bytes,
        ttl: wire.ttl,
        may_be_cut: wire.fragment == Fragment::Allowed,
        mark: wire.mark,
    });
}

fn lost(loss: Loss) -> WalkStep {
    WalkStep::End(WalkEnd::Lost(loss))
}

fn error(node: Node, error: IcmpError, about: Wire) -> WalkStep {
    WalkStep::End(WalkEnd::Error { node, error, about })
}

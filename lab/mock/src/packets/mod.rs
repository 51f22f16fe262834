//! How packets go: ENI ownership, source/dest check, routes, neighbours, translation rules. A
//! packet is walked hop by hop through the world, and its answer back.
//!
//! The VPC does not decrement a TTL inside a subnet and every forwarding node does, so the canary
//! of the source/dest check is `ping -t 2` from cloud-client to the captured address: it dies on
//! onprem-router, whose time-exceeded has a source that routerd-cloud's ENI does not own.

mod fabric;
mod hooks;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod track;
mod walk;
mod wire;

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::machines::{Mark, Tuple};
use super::world::World;
use lab::node::Node;
use lab::shell::ssh;

use walk::{WalkEnd, walk_packet};
use wire::{Segment, Wire, WireBody};

pub use fabric::is_up;
pub use wire::IcmpError;

/// A packet that a program on a node sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub from: Node,
    /// None: the kernel chooses.
    pub source: Option<Ipv4Addr>,
    pub destination: Ipv4Addr,
    pub ttl: u8,
    /// With its headers.
    pub bytes: u32,
    pub fragment: Fragment,
    pub payload: Payload,
}

/// Whether routers may cut it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    Allowed,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Echo {
        id: u16,
        sequence: u16,
    },
    /// Opens a connection.
    Syn {
        source_port: u16,
        destination_port: u16,
    },
    /// To which nothing answers.
    Datagram {
        source_port: u16,
        destination_port: u16,
    },
    /// Data on an open one, to be acknowledged.
    Data {
        source_port: u16,
        destination_port: u16,
    },
}

/// The fate of a packet, as far as the sender learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Answered(RoundTrip),
    /// A reset: nobody listens there.
    Refused(RoundTrip),
    /// An ICMP error came back.
    Error {
        from: Ipv4Addr,
        error: IcmpError,
        round_trip: Duration,
    },
    /// The sender's own kernel got no answer to its ARP requests; `from` is its own address.
    HostUnreachable {
        from: Ipv4Addr,
    },
    /// The sender has no route.
    NetworkUnreachable,
    /// The sender's own interface does not take it.
    TooLong {
        mtu: u32,
    },
    Lost(Loss),
}

/// A packet that arrived, and its answer that did as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// Who answered, whatever the address says.
    pub by: Node,
    /// The flow as the sender sees it.
    pub near: Tuple,
    /// The flow as who answered saw it.
    pub far: Tuple,
    /// Where the answer claims to come from.
    pub source: Ipv4Addr,
    /// The rest of its TTL.
    pub ttl: u8,
    pub round_trip: Duration,
}

/// Where a packet, or its answer, ended without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    NoArpAnswer(Node),
    SourceCheck,
    DestinationCheck,
    NoOwner,
    NetworkAcl,
    SecurityGroup,
    /// By a rule of the node.
    Filtered(Node),
    /// Its source is one of the node's own addresses.
    Martian(Node),
    ReversePath(Node),
    NotForwarding(Node),
    /// Off, stopped or hung.
    Dead(Node),
    BlackHole,
    /// On the way between the routers.
    Underlay,
    Outside,
    /// An answer that no socket of the node waits for.
    Unexpected(Node),
    Loop,
}

/// Sends a packet and carries it to its end.
pub fn send(world: &mut World, now: DateTime<Utc>, packet: Packet) -> Delivery {
    send_marked(world, now, packet, 0)
}

/// The same with a nonce at the beginning of its payload.
pub fn send_marked(world: &mut World, now: DateTime<Utc>, packet: Packet, nonce: u64) -> Delivery {
    let machine = world.machines.get(packet.from);
    let Some(hop) = machine.next_hop(packet.destination) else {
        return Delivery::NetworkUnreachable;
    };
    let source = packet.source.unwrap_or(hop.source);
    let mtu = machine.interface(&hop.dev).map_or(u32::MAX, |interface| interface.mtu);
    if packet.fragment == Fragment::Never && packet.bytes > mtu {
        return Delivery::TooLong { mtu };
    }
    let mut wire = outgoing(packet, source);
    let near = wire.tuple();
    wire.mark =
        Mark { nonce, sequence: first_number(world.seed, near, packet.payload), ..wire.mark };
    match walk_packet(world, now, wire, packet.from) {
        WalkEnd::Delivered { node, at, wire } => {
            answer(world, now, (packet.from, near), (node, at), wire)
        }
        WalkEnd::Error { node, error, about } => {
            report(world, now, (packet.from, near), node, error, about)
        }
        WalkEnd::LocalArpFailed { .. } => Delivery::HostUnreachable { from: source },
        WalkEnd::NoLocalRoute => Delivery::NetworkUnreachable,
        WalkEnd::Lost(loss) => Delivery::Lost(loss),
    }
}

/// The number that the stack begins to count with, or that ping writes for the time.
fn first_number(seed: u64, flow: Tuple, payload: Payload) -> u32 {
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(format!("{flow:?}{payload:?}"))
        .finalize();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

fn outgoing(packet: Packet, source: Ipv4Addr) -> Wire {
    let body = match packet.payload {
        Payload::Echo { id, sequence } => WireBody::Echo { id, sequence },
        Payload::Syn { source_port, destination_port } => {
            WireBody::Tcp { source_port, destination_port, segment: Segment::Syn }
        }
        Payload::Data { source_port, destination_port } => {
            WireBody::Tcp { source_port, destination_port, segment: Segment::Data }
        }
        Payload::Datagram { source_port, destination_port } => {
            WireBody::Datagram { source_port, destination_port }
        }
    };
    Wire {
        source,
        destination: packet.destination,
        ttl: packet.ttl,
        bytes: packet.bytes,
        fragment: packet.fragment,
        mark: Mark { scale: 7, ..Mark::default() },
        body,
    }
}

/// Sends back the reply of the stack of the node where a packet arrived, and says how it fares.
fn answer(
    world: &mut World,
    now: DateTime<Utc>,
    (sender, near): (Node, Tuple),
    (by, at): (Node, Node),
    arrived: Wire,
) -> Delivery {
    let machine = world.machines.get(by);
    let listens = |port| match port {
        ssh::PORT => machine.sshd.running,
        port => machine.listening.contains(&port),
    };
    let Some(reply) = arrived.reply(listens) else {
        return Delivery::Lost(Loss::Unexpected(by));
    };
    let far = arrived.tuple();
    let refused = reply.is_reset();
    match walk_packet(world, now, reply, at) {
        WalkEnd::Delivered { node, wire, .. } if node == sender && wire.answers(near) => {
            let round_trip = fabric::round_trip(world, near, &wire, sender, by);
            let answer =
                RoundTrip { by, near, far, source: wire.source, ttl: wire.ttl, round_trip };
            if refused { Delivery::Refused(answer) } else { Delivery::Answered(answer) }
        }
        WalkEnd::Delivered { node, .. } => Delivery::Lost(Loss::Unexpected(node)),
        WalkEnd::LocalArpFailed { node } => Delivery::Lost(Loss::NoArpAnswer(node)),
        WalkEnd::NoLocalRoute => Delivery::Lost(Loss::NotForwarding(by)),
        WalkEnd::Error { .. } => Delivery::Lost(Loss::Unexpected(by)),
        WalkEnd::Lost(loss) => Delivery::Lost(loss),
    }
}

/// A router's ICMP error on its way to who sent the packet.
fn report(
    world: &mut World,
    now: DateTime<Utc>,
    (sender, near): (Node, Tuple),
    router: Node,
    error: IcmpError,
    about: Wire,
) -> Delivery {
    let machine = world.machines.get(router);
    let Some(hop) = machine.next_hop(about.source) else {
        return Delivery::Lost(Loss::NotForwarding(router));
    };
    let message = Wire {
        source: hop.source,
        destination: about.source,
        ttl: 64,
        bytes: 56,
        fragment: Fragment::Allowed,
        mark: Mark::default(),
        body: WireBody::Error { error, about: about.tuple() },
    };
    match walk_packet(world, now, message, router) {
        WalkEnd::Delivered { node, wire, .. } if node == sender => {
            let round_trip = fabric::round_trip(world, near, &wire, sender, router);
            Delivery::Error { from: wire.source, error, round_trip }
        }
        WalkEnd::Delivered { node, .. } => Delivery::Lost(Loss::Unexpected(node)),
        WalkEnd::LocalArpFailed { node } => Delivery::Lost(Loss::NoArpAnswer(node)),
        WalkEnd::Lost(loss) => Delivery::Lost(loss),
        WalkEnd::Error { .. } | WalkEnd::NoLocalRoute => {
            Delivery::Lost(Loss::NotForwarding(router))
        }
    }
}

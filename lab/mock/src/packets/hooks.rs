//! A node's packet rules at one hook: filters, stateless rewrites, and what conntrack translates.

use super::track::{self, Track};
use super::wire::{Wire, WireBody};
use crate::machines::{ChainKind, ChainPolicy, Hook, Machine, Match, NftAction, Rule};
use lab::node::Node;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Through,
    Dropped,
}

/// The interfaces that a packet came by and goes by; empty where not known yet.
pub(super) type Interfaces<'a> = (&'a str, &'a str);

/// Takes a packet through one hook of a node.
pub(super) fn pass_hook(
    machine: &Machine,
    hook: Hook,
    wire: &mut Wire,
    track: &mut Track,
    interfaces: Interfaces<'_>,
) -> Passage {
    if hook == Hook::Prerouting {
        // Raw rules stand before conntrack, as far as `notrack` is concerned.
        if let Passage::Dropped = filter(machine, hook, wire, track, interfaces) {
            return Passage::Dropped;
        }
        destination_rules(machine, wire, track, interfaces);
        track::translate_destination(machine, wire, track);
        return Passage::Through;
    }
    if hook == Hook::Postrouting {
        source_rules(machine, wire, track, interfaces);
        track::translate_source(machine, wire, track);
    }
    filter(machine, hook, wire, track, interfaces)
}

fn filter(
    machine: &Machine,
    hook: Hook,
    wire: &mut Wire,
    track: &mut Track,
    interfaces: Interfaces<'_>,
) -> Passage {
    for chain in machine.nft.chains(ChainKind::Filter, hook) {
        match run(machine, &chain.rules, wire, track, interfaces) {
            Some(Passage::Dropped) => return Passage::Dropped,
            None if chain.policy == ChainPolicy::Drop => return Passage::Dropped,
            Some(Passage::Through) | None => {}
        }
    }
    Passage::Through
}

/// Treats a packet that the node passes on, beneath all its tables; answers whose copy takes it.
pub(super) fn apply_beneath(
    machine: &Machine,
    wire: &mut Wire,
    interfaces: Interfaces<'_>,
) -> Option<Node> {
    for rule in &machine.beneath {
        if !matches(machine, rule, wire, &Track::None, interfaces) {
            continue;
        }
        match rule.action {
            NftAction::SetSource(address) => wire.source = address,
            NftAction::SetDestination(address) => wire.destination = address,
            NftAction::Reopen => {
                wire.mark = wire.mark.reopened();
                wire.ttl = 64;
            }
            NftAction::Impose(node) => return Some(node),
            _ => {}
        }
    }
    None
}

/// One chain's verdict, where it comes to one.
fn run(
    machine: &Machine,
    rules: &[Rule],
    wire: &mut Wire,
    track: &mut Track,
    interfaces: Interfaces<'_>,
) -> Option<Passage> {
    for rule in rules {
        if !matches(machine, rule, wire, track, interfaces) {
            continue;
        }
        match rule.action {
            NftAction::Drop => return Some(Passage::Dropped),
            NftAction::Accept => return Some(Passage::Through),
            NftAction::Notrack => *track = Track::None,
            NftAction::SetSource(address) => wire.source = address,
            NftAction::SetDestination(address) => wire.destination = address,
            NftAction::Counter
            | NftAction::Masquerade
            | NftAction::Snat(_)
            | NftAction::Dnat(_)
            | NftAction::Reopen
            | NftAction::Impose(_) => {}
        }
    }
    None
}

/// The rules that translate at a hook: nftables' chains, then the legacy table.
fn nat_rules(machine: &Machine, hook: Hook) -> impl Iterator<Item = &Rule> {
    let chains = machine.nft.chains(ChainKind::Nat, hook);
    let nft = chains.into_iter().flat_map(|chain| &chain.rules);
    nft.chain(machine.legacy_nat.at(hook))
}

/// The first packet of a flow meets the destination rules.
fn destination_rules(
    machine: &Machine,
    wire: &Wire,
    track: &mut Track,
    interfaces: Interfaces<'_>,
) {
    let Track::New(mut entry) = track.clone() else { return };
    let hit = |rule: &Rule| match rule.action {
        NftAction::Dnat(to) if matches(machine, rule, wire, track, interfaces) => Some(to),
        _ => None,
    };
    if let Some(to) = nat_rules(machine, Hook::Prerouting).find_map(hit) {
        entry.reply.source = to;
        *track = Track::New(entry);
    }
}

/// The first packet of a flow meets the source rules.
fn source_rules(machine: &Machine, wire: &Wire, track: &mut Track, interfaces: Interfaces<'_>) {
    let Track::New(mut entry) = track.clone() else { return };
    let own = || machine.interface(interfaces.1)?.addresses.first().map(ipnet::Ipv4Net::addr);
    let hit = |rule: &Rule| {
        if !matches(machine, rule, wire, track, interfaces) {
            return None;
        }
        match rule.action {
            NftAction::Snat(to) => Some(to),
            NftAction::Masquerade => own(),
            _ => None,
        }
    };
    if let Some(to) = nat_rules(machine, Hook::Postrouting).find_map(hit) {
        entry.reply.destination = to;
        *track = Track::New(entry);
    }
}

fn matches(
    machine: &Machine,
    rule: &Rule,
    wire: &Wire,
    track: &Track,
    (incoming, outgoing): Interfaces<'_>,
) -> bool {
    rule.matches.iter().all(|condition| match condition {
        Match::Source(net) => net.contains(&wire.source),
        Match::Destination(net) => net.contains(&wire.destination),
        Match::Protocol(transport) => *transport == wire.transport(),
        Match::DestinationPort(port) => wire.tcp_destination_port() == Some(*port),
        Match::DatagramTo(port) => {
            matches!(wire.body, WireBody::Datagram { destination_port, .. } if destination_port == *port)
        }
        Match::EchoReply => matches!(wire.body, WireBody::EchoReply { .. }),
        Match::InInterface(name) => name == incoming,
        Match::OutInterface(name) => name == outgoing,
        Match::EstablishedOrRelated => track::is_established(machine, track),
    })
}

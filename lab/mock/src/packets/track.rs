//! Connection tracking on one node: which flow a packet belongs to, and its translation.

use chrono::{DateTime, Utc};

use super::wire::{Wire, WireBody};
use crate::machines::{Machine, Tracked, Tuple};

/// The state that conntrack gives a packet while it is on the node. Entries are named by their index.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Track {
    /// Not tracked.
    None,
    /// The first packet of its flow; not in the table yet.
    New(Tracked),
    Original(usize),
    Reply(usize),
    /// An error about a packet of the flow, on its way to who opened it.
    RelatedToOriginal(usize),
    /// An error about an answer, on its way to who answered.
    RelatedToReply(usize),
}

/// Looks a packet up. Nothing is tracked where no rule asks for it.
pub(super) fn find(machine: &mut Machine, now: DateTime<Utc>, wire: &Wire) -> Track {
    if !machine.nft.tracks() && machine.legacy_nat.is_empty() {
        machine.conntrack.clear();
        return Track::None;
    }
    machine.conntrack.retain(|entry| entry.expires_at > now);
    let tuple = wire.tuple();
    let position = |matches: &dyn Fn(&Tracked) -> bool| machine.conntrack.iter().position(matches);
    if let WireBody::Error { about, .. } = wire.body {
        // The router that complains saw the flow after this node's translation.
        return position(&|entry| entry.reply == about.inverse())
            .map(Track::RelatedToOriginal)
            .or_else(|| {
                position(&|entry| entry.original == about.inverse()).map(Track::RelatedToReply)
            })
            .unwrap_or(Track::None);
    }
    position(&|entry| entry.original == tuple && is_request(wire))
        .map(Track::Original)
        .or_else(|| position(&|entry| entry.reply == tuple && is_answer(wire)).map(Track::Reply))
        .or_else(|| is_request(wire).then(|| Track::New(Tracked::new(tuple, now))))
        .unwrap_or(Track::None)
}

/// Echo ids are the same both ways, so a reply's tuple alone could be another flow's request.
fn is_request(wire: &Wire) -> bool {
    !matches!(wire.body, WireBody::EchoReply { .. })
}

/// Nor is a request an answer, though its tuple be that of one: conntrack compares the ICMP types.
fn is_answer(wire: &Wire) -> bool {
    !matches!(wire.body, WireBody::Echo { .. })
}

/// Keeps what the packet that leaves taught.
pub(super) fn confirm(machine: &mut Machine, now: DateTime<Utc>, track: Track) {
    match track {
        Track::New(entry) => machine.conntrack.push(entry),
        Track::Original(at) => machine.conntrack[at].refresh(now),
        Track::Reply(at) => {
            machine.conntrack[at].replied = true;
            machine.conntrack[at].refresh(now);
        }
        Track::None | Track::RelatedToOriginal(_) | Track::RelatedToReply(_) => {}
    }
}

pub(super) fn is_established(machine: &Machine, track: &Track) -> bool {
    match track {
        Track::Original(at) => machine.conntrack[*at].replied,
        Track::Reply(_) | Track::RelatedToOriginal(_) | Track::RelatedToReply(_) => true,
        Track::None | Track::New(_) => false,
    }
}

/// At prerouting: where the packet really goes.
pub(super) fn translate_destination(machine: &Machine, wire: &mut Wire, track: &Track) {
    match track {
        Track::New(entry) => wire.destination = entry.reply.source,
        Track::Original(at) => wire.destination = machine.conntrack[*at].reply.source,
        Track::Reply(at) => wire.destination = machine.conntrack[*at].original.source,
        Track::RelatedToOriginal(at) => {
            let original = machine.conntrack[*at].original;
            wire.destination = original.source;
            set_subject(wire, original);
        }
        Track::RelatedToReply(at) => {
            let reply = machine.conntrack[*at].reply;
            wire.destination = reply.source;
            set_subject(wire, reply);
        }
        Track::None => {}
    }
}

/// At postrouting: where the packet claims to come from.
pub(super) fn translate_source(machine: &Machine, wire: &mut Wire, track: &Track) {
    match track {
        Track::New(entry) => wire.source = entry.reply.destination,
        Track::Original(at) => wire.source = machine.conntrack[*at].reply.destination,
        Track::Reply(at) => wire.source = machine.conntrack[*at].original.destination,
        Track::None | Track::RelatedToOriginal(_) | Track::RelatedToReply(_) => {}
    }
}

fn set_subject(wire: &mut Wire, flow: Tuple) {
    if let WireBody::Error { about, .. } = &mut wire.body {
        *about = flow;
    }
}

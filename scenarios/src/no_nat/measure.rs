//! Comparison of what was sent with what arrived, and with what the routers saw of it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use lab::node::Node;

use super::path::{CapturedPath, View};
use super::plan::{PacketKind, PacketPlan, Way, find_kind, list_kinds};
use lab::shell::wire::{CapturedPacket, Direction, Opening, Packet, PacketBody};

/// The packets that each node's capture saw.
pub type Captures = BTreeMap<Node, Vec<CapturedPacket>>;

/// A connection of the run's own: source and destination port, as the program says that opened it.
pub type Ports = (u16, u16);

/// The findings of one comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathFindings {
    /// Packets that arrived as they were sent.
    pub as_sent: usize,
    pub wrong: Vec<String>,
}

impl PathFindings {
    fn complain(&mut self, what: String) {
        if !self.wrong.contains(&what) {
            self.wrong.push(what);
        }
    }
}

/// The part of a packet that makes it the same one at two places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PacketIdentity<'a> {
    Payload { transport: u8, payload: &'a [u8] },
    Opening { sequence: u32, acknowledges: Option<u32> },
}

fn identity(packet: &Packet) -> PacketIdentity<'_> {
    match &packet.body {
        PacketBody::Echo { reply, payload, .. } => {
            PacketIdentity::Payload { transport: if *reply { 0 } else { 8 }, payload }
        }
        PacketBody::Datagram { payload, .. } => PacketIdentity::Payload { transport: 17, payload },
        PacketBody::Opening(Opening { sequence, acknowledges, .. }) => {
            PacketIdentity::Opening { sequence: *sequence, acknowledges: *acknowledges }
        }
    }
}

fn captured(
    captures: &Captures,
    node: Node,
    direction: Direction,
) -> impl Iterator<Item = &CapturedPacket> {
    let all = captures.get(&node).into_iter().flatten();
    all.filter(move |seen| seen.direction == direction)
}

/// Datagrams and echoes of one way: whether each arrived as it was sent.
pub fn measure_payloads(plan: &PacketPlan, way: usize, captures: &Captures) -> PathFindings {
    let mut found = PathFindings::default();
    let there = plan.ways[way];
    let number = u8::try_from(way).unwrap_or(0);
    for wanted in list_kinds(plan, number) {
        let (from, to) =
            if wanted.reply { (there.far, there.near) } else { (there.near, there.far) };
        let of = |node, direction| -> Vec<&Packet> {
            let all = captured(captures, node, direction).map(|seen| &seen.packet);
            all.filter(|packet| find_kind(plan, packet) == Some(wanted)).collect()
        };
        let (sent, arrived) = (of(from, Direction::Out), of(to, Direction::In));
        if sent.is_empty() && (!wanted.reply || arrived.is_empty()) {
            found.complain(format!("{wanted} did not leave {from}"));
            continue;
        }
        if arrived.is_empty() {
            found.complain(format!("{wanted} left {from} and did not arrive at {to}"));
        }
        for packet in &sent {
            as_meant(plan, there, wanted, from, packet, &mut found);
        }
        for packet in &arrived {
            let same = |one: &&Packet| identity(one) == identity(packet);
            let times = arrived.iter().copied().filter(same).count();
            let sent: Vec<&Packet> = sent.iter().copied().filter(same).collect();
            if !sent.is_empty() && times > sent.len() {
                found.complain(format!("left {from} once and arrived at {to} again: {packet}"));
            }
            if sent.is_empty() {
                found.complain(format!("arrived at {to} and did not leave {from}: {packet}"));
            }
            compare(plan, plan.hops, (&sent, packet), &mut found);
        }
    }
    found
}

/// On its sender's own wire it has the addresses and the port that the program asked for.
fn as_meant(
    plan: &PacketPlan,
    way: Way,
    wanted: PacketKind,
    from: Node,
    packet: &Packet,
    found: &mut PathFindings,
) {
    let ends =
        if wanted.reply { (way.destination, way.source) } else { (way.source, way.destination) };
    let port = match &packet.body {
        PacketBody::Datagram { destination_port, .. } => *destination_port == wanted.token.port,
        _ => true,
    };
    if (packet.source, packet.destination) != ends || !port {
        found.complain(format!("left {from} otherwise than it was sent: {packet}"));
    }
    let whole = !packet.may_be_cut && packet.bytes == plan.mtu_bytes;
    // Whether a reply may be cut is the answering kernel's to say.
    if wanted.token.full && !wanted.reply && !whole {
        let bytes = plan.mtu_bytes;
        found.complain(format!("left {from} with other than {bytes} bytes in one piece: {packet}"));
    }
}

/// One packet where it was sent and elsewhere, with so many hops between. What is lost is sent again,
/// and need not be the same: its sender may have learned a path's MTU meanwhile.
fn compare(
    plan: &PacketPlan,
    hops: u8,
    (sent, after): (&[&Packet], &Packet),
    found: &mut PathFindings,
) {
    let mut closest: Option<(&Packet, Vec<String>)> = None;
    for before in sent {
        let differences = differences(plan, hops, before, after);
        if closest.as_ref().is_none_or(|(_, least)| differences.len() < least.len()) {
            closest = Some((before, differences));
        }
    }
    let Some((before, differences)) = closest else { return };
    if differences.is_empty() {
        found.as_sent += 1;
    }
    for difference in differences {
        found.complain(format!("{before}: {difference}"));
    }
}

fn differences(plan: &PacketPlan, hops: u8, before: &Packet, after: &Packet) -> Vec<String> {
    let mut all = Vec::new();
    if before.ttl.saturating_sub(hops) != after.ttl {
        let (sent, left) = (before.ttl, after.ttl);
        all.push(format!("TTL {sent} became {left}, and there are {hops} hops"));
    }
    let mut same = |what: &str, before: String, after: String| {
        if before != after {
            all.push(format!("{what} {before} became {after}"));
        }
    };
    same("source", before.source.to_string(), after.source.to_string());
    same("destination", before.destination.to_string(), after.destination.to_string());
    same("length", before.bytes.to_string(), after.bytes.to_string());
    same("may be cut", before.may_be_cut.to_string(), after.may_be_cut.to_string());
    match (&before.body, &after.body) {
        (
            PacketBody::Echo { id, sequence, payload, .. },
            PacketBody::Echo { id: id_now, sequence: sequence_now, payload: payload_now, .. },
        ) => {
            same("id", id.to_string(), id_now.to_string());
            same("sequence", sequence.to_string(), sequence_now.to_string());
            same("payload", hex::encode(payload), hex::encode(payload_now));
        }
        (
            PacketBody::Datagram { source_port: from, destination_port: to, payload },
            PacketBody::Datagram {
                source_port: from_now,
                destination_port: to_now,
                payload: payload_now,
            },
        ) => {
            same("source port", from.to_string(), from_now.to_string());
            same("destination port", to.to_string(), to_now.to_string());
            same("payload", hex::encode(payload), hex::encode(payload_now));
        }
        (PacketBody::Opening(a), PacketBody::Opening(b)) => {
            same("source port", a.source_port.to_string(), b.source_port.to_string());
            same(
                "destination port",
                a.destination_port.to_string(),
                b.destination_port.to_string(),
            );
            same("sequence", a.sequence.to_string(), b.sequence.to_string());
            same(
                "acknowledgement",
                format!("{:?}", a.acknowledges),
                format!("{:?}", b.acknowledges),
            );
            same("window", a.window.to_string(), b.window.to_string());
            same("options", hex::encode(&a.options), hex::encode(&b.options));
            let lowered = plan.clamps_mss && b.mss.is_some() && b.mss < a.mss;
            if !lowered {
                same("MSS", format!("{:?}", a.mss), format!("{:?}", b.mss));
            }
        }
        _ => same("kind", before.to_string(), after.to_string()),
    }
    all
}

fn opening(packet: &Packet) -> Option<&Opening> {
    match &packet.body {
        PacketBody::Opening(opening) => Some(opening),
        _ => None,
    }
}

/// The first packets of the run's own connections, one way: the far end saw the SYN that the near
/// end sent, and the near end the SYN-ACK that the far end sent, field by field.
pub fn measure_handshakes(
    plan: &PacketPlan,
    way: usize,
    own: &[Ports],
    captures: &Captures,
) -> PathFindings {
    let mut found = PathFindings::default();
    let Way { near, far, source, destination } = plan.ways[way];
    if own.is_empty() {
        found.complain(format!("no connection from {near} to {far} came about"));
    }
    for &(from, to) in own {
        let name = format!("{near}'s connection {from} > {to}");
        let syns: Vec<&Packet> = captured(captures, near, Direction::Out)
            .map(|seen| &seen.packet)
            .filter(|packet| {
                let ends = (packet.source, packet.destination) == (source, destination);
                ends && opening(packet).is_some_and(|it| {
                    it.acknowledges.is_none() && (it.source_port, it.destination_port) == (from, to)
                })
            })
            .collect();
        if syns.is_empty() {
            found.complain(format!("{name} is not on its own wire as it was opened"));
            continue;
        }
        // One that nobody answered may have been opened again from the same port.
        let answered = |packet: &&Packet| is_answered_by(packet, near, captures);
        let syns: Vec<&Packet> = match syns.iter().copied().find(answered) {
            None => syns,
            Some(syn) => syns.into_iter().filter(|it| identity(it) == identity(syn)).collect(),
        };
        let Some(sequence) = opening(syns[0]).map(|it| it.sequence) else { continue };
        let at = |node, direction, acknowledges: Option<u32>, number: Option<u32>| {
            let all = captured(captures, node, direction).map(|seen| &seen.packet);
            let is_it = |packet: &&Packet| {
                opening(packet).is_some_and(|it| {
                    it.acknowledges == acknowledges
                        && number.is_none_or(|it_is| it.sequence == it_is)
                })
            };
            all.filter(is_it).collect::<Vec<&Packet>>()
        };
        match at(far, Direction::In, None, Some(sequence)).first() {
            Some(arrived) => compare(plan, plan.hops, (&syns, arrived), &mut found),
            None => found.complain(format!("{far} never saw the SYN of {name}")),
        }
        let acknowledges = Some(sequence.wrapping_add(1));
        let answers = at(near, Direction::In, acknowledges, None);
        let Some(answer) = answers.first() else {
            found.complain(format!("{name} was not answered"));
            continue;
        };
        let number = opening(answer).map(|it| it.sequence);
        let sent = at(far, Direction::Out, acknowledges, number);
        if sent.is_empty() {
            found.complain(format!("{far} never sent the SYN-ACK of {name}"));
        }
        compare(plan, plan.hops, (&sent, answer), &mut found);
    }
    found
}

/// A packet on its way, as one end sent it, each time that it did.
struct Travelling<'a> {
    sent: Vec<&'a Packet>,
    /// By the number of the way that it goes.
    way: usize,
}

/// Whether this run sent a packet that goes that way. Others connect to the same ports, and no capture
/// need have begun when they did.
fn is_own(plan: &PacketPlan, own: &[Vec<Ports>; 2], way: usize, packet: &Packet) -> bool {
    match opening(packet) {
        Some(it) if it.acknowledges.is_none() => {
            own[way].contains(&(it.source_port, it.destination_port))
        }
        Some(it) => own[1 - way].contains(&(it.destination_port, it.source_port)),
        None => find_kind(plan, packet).is_some(),
    }
}

/// The run's own packets that arrived, both ways.
fn delivered<'a>(
    plan: &PacketPlan,
    own: &[Vec<Ports>; 2],
    captures: &'a Captures,
) -> Vec<Travelling<'a>> {
    let mut all: Vec<Travelling<'a>> = Vec::new();
    for (way, Way { near, far, .. }) in plan.ways.into_iter().enumerate() {
        let arrived: BTreeSet<_> =
            captured(captures, far, Direction::In).map(|seen| identity(&seen.packet)).collect();
        for seen in captured(captures, near, Direction::Out) {
            let packet = &seen.packet;
            let is_own = is_own(plan, own, way, packet);
            if !is_own || !arrived.contains(&identity(packet)) {
                continue;
            }
            let same = |it: &&mut Travelling<'_>| identity(it.sent[0]) == identity(packet);
            match all.iter_mut().find(same) {
                Some(known) => known.sent.push(packet),
                None => all.push(Travelling { sent: vec![packet], way }),
            }
        }
    }
    all
}

/// One router: whatever arrived came in by the one interface and left by the other, unchanged but
/// for its TTL, and was on no other. `members` are devices that are a part of another.
pub fn measure_passage(
    plan: &PacketPlan,
    router: Node,
    path: &CapturedPath,
    members: &BTreeMap<String, String>,
    own: &[Vec<Ports>; 2],
    captures: &Captures,
) -> PathFindings {
    let mut found = PathFindings::default();
    let sightings = captures.get(&router).map(Vec::as_slice).unwrap_or_default();
    for Travelling { sent, way } in delivered(plan, own, captures) {
        let packet = sent[0];
        let view = &path.0[way];
        // The first router on the way takes one, the second the other.
        let first = (router == Node::RouterdCloud) == (way == 0);
        let before = (plan.hops == 2).then_some(u8::from(!first));
        let mut places = [false, false];
        let same = sightings.iter().filter(|seen| identity(&seen.packet) == identity(packet));
        for seen in same {
            match place(view, members, seen) {
                DevicePlace::Other => {
                    let device = &seen.device;
                    found.complain(format!("{router} has it on {device}: {}", seen.packet));
                }
                DevicePlace::Part => {}
                DevicePlace::Expected(index) => {
                    places[index] = true;
                    let hops = before
                        .map_or(packet.ttl - seen.packet.ttl.min(packet.ttl), |hops| {
                            hops + u8::from(index == 1)
                        });
                    compare(plan, hops, (&sent, &seen.packet), &mut found);
                }
            }
        }
        for (seen, device, how) in
            [(places[0], &view.incoming, "come in by"), (places[1], &view.outgoing, "leave by")]
        {
            if !seen {
                found.complain(format!("did not {how} {router}'s {device}: {packet}"));
            }
        }
    }
    found
}

enum DevicePlace {
    /// Where it comes in, or where it leaves.
    Expected(usize),
    /// A device that is a part of one of these.
    Part,
    Other,
}

fn place(
    View { incoming, outgoing, .. }: &View,
    members: &BTreeMap<String, String>,
    seen: &CapturedPacket,
) -> DevicePlace {
    match seen.direction {
        Direction::In if seen.device == *incoming => DevicePlace::Expected(0),
        Direction::Out if seen.device == *outgoing => DevicePlace::Expected(1),
        _ => match members.get(&seen.device) {
            Some(whole) if whole == incoming || whole == outgoing => DevicePlace::Part,
            _ => DevicePlace::Other,
        },
    }
}

/// Whether all that was to be sent has arrived and was answered, so that nothing need be waited for.
pub fn is_complete(plan: &PacketPlan, captures: &Captures) -> bool {
    (0..2).all(|way| {
        let Way { near, far, .. } = plan.ways[way];
        let wanted = list_kinds(plan, u8::try_from(way).unwrap_or(0));
        wanted.into_iter().all(|wanted| {
            let to = if wanted.reply { near } else { far };
            captured(captures, to, Direction::In)
                .any(|seen| find_kind(plan, &seen.packet) == Some(wanted))
        })
    })
}

/// Whether the answer to what opens a connection has come back to who sent it.
fn is_answered_by(syn: &Packet, near: Node, captures: &Captures) -> bool {
    let acknowledges = opening(syn).map(|it| it.sequence.wrapping_add(1));
    captured(captures, near, Direction::In)
        .filter_map(|seen| opening(&seen.packet))
        .any(|it| it.acknowledges == acknowledges)
}

/// Whether every capture on the way has told of the run's own packets that arrived, which the ends may
/// know before the routers.
pub fn is_told_everywhere(plan: &PacketPlan, own: &[Vec<Ports>; 2], captures: &Captures) -> bool {
    let sighted = |node: Node, packet: &Packet| {
        let all = captures.get(&node).into_iter().flatten();
        all.filter(|seen| identity(&seen.packet) == identity(packet)).count()
    };
    plan.ways.into_iter().enumerate().all(|(way, Way { near, far, source, destination })| {
        let own = |direction, node| {
            captured(captures, node, direction)
                .map(|seen| &seen.packet)
                .filter(|it| (it.source, it.destination) == (source, destination))
                .filter(|it| is_own(plan, own, way, it))
        };
        let opened = |it: &&Packet| opening(it).is_some_and(|it| it.acknowledges.is_none());
        own(Direction::Out, near).filter(opened).all(|syn| is_answered_by(syn, near, captures))
            && own(Direction::In, far).all(|packet| {
                sighted(near, packet) > 0
                    && [Node::RouterdCloud, Node::OnpremRouter]
                        .into_iter()
                        .all(|router| sighted(router, packet) > 1)
            })
    })
}

#[cfg(test)]
#[path = "measure_spec.rs"]
mod spec;

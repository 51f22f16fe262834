//! One clean lab's captures, and what each change to them is called.

use std::net::Ipv4Addr;

use super::super::plan::Token;
use super::*;
use lab::shell::wire::Opening;

const NONCE: u32 = 0x00c0_ffee;
const PORT: u16 = 443;
const OWN: [Ports; 1] = [(40_000, 22)];

fn plan() -> PacketPlan {
    let [cloud, onprem] = [7, 9].map(|end| Ipv4Addr::new(10, 88, 60, end));
    let (near, far) = (Node::CloudClient, Node::OnpremClient);
    PacketPlan {
        nonce: NONCE,
        ways: [
            Way { near, far, source: cloud, destination: onprem },
            Way { near: far, far: near, source: onprem, destination: cloud },
        ],
        ports: vec![PORT],
        hops: 2,
        mtu_bytes: 1420,
        clamps_mss: false,
    }
}

fn paths() -> [(Node, CapturedPath); 2] {
    let [cloud, onprem] = plan().ways.map(|way| way.source);
    let path = |inside: &str, outside: &str| {
        let view = |incoming: &str, outgoing: &str, source, destination| View {
            incoming: incoming.to_owned(),
            outgoing: outgoing.to_owned(),
            source,
            destination,
        };
        CapturedPath([view(inside, outside, cloud, onprem), view(outside, inside, onprem, cloud)])
    };
    [
        (Node::RouterdCloud, path("ens5", "wg-hybrid")),
        (Node::OnpremRouter, path("wg-hybrid", "br-lan")),
    ]
}

/// A packet at each place that it passes on its way.
fn carried(captures: &mut Captures, way: usize, packet: &Packet) {
    let Way { near, far, .. } = plan().ways[way];
    let routers = if way == 0 { [0, 1] } else { [1, 0] };
    let mut add = |node, device: &str, direction, hops| {
        let packet = Packet { ttl: packet.ttl - hops, ..packet.clone() };
        captures.entry(node).or_default().push(CapturedPacket {
            device: device.to_owned(),
            direction,
            packet,
        });
    };
    add(near, "eth", Direction::Out, 0);
    for (hops, index) in (0..).zip(routers) {
        let (router, path) = &paths()[index];
        add(*router, &path.0[way].incoming, Direction::In, hops);
        add(*router, &path.0[way].outgoing, Direction::Out, hops + 1);
    }
    add(far, "eth", Direction::In, 2);
}

fn packet(way: usize, bytes: u16, body: PacketBody) -> Packet {
    let Way { source, destination, .. } = plan().ways[way];
    Packet { source, destination, ttl: 64, may_be_cut: false, bytes, body }
}

fn echo(way: usize, token: Token, reply: bool) -> Packet {
    let payload = [[7; 8], [token.way; 8], token.bytes(NONCE)].concat();
    packet(
        way,
        if token.full { 1420 } else { 84 },
        PacketBody::Echo { reply, id: 5, sequence: 1, payload },
    )
}

fn opening(way: usize, ports: Ports, sequence: u32, acknowledges: Option<u32>) -> Packet {
    let opening = Opening {
        source_port: ports.0,
        destination_port: ports.1,
        sequence,
        acknowledges,
        window: 64_240,
        mss: Some(1460),
        options: vec![4, 2, 1, 3, 3, 7],
    };
    packet(way, 60, PacketBody::Opening(opening))
}

fn clean() -> Captures {
    let mut captures = Captures::new();
    for (way, number) in [(0, 0_u8), (1, 1)] {
        for full in [false, true] {
            let token = Token { way: number, full, port: 0 };
            carried(&mut captures, way, &echo(way, token, false));
            carried(&mut captures, 1 - way, &echo(1 - way, token, true));
            let payload = Token { port: PORT, ..token }.bytes(NONCE).to_vec();
            let body =
                PacketBody::Datagram { source_port: 50_000, destination_port: PORT, payload };
            carried(&mut captures, way, &packet(way, if full { 1420 } else { 64 }, body));
        }
        let sequence = 1000 + u32::from(number);
        carried(&mut captures, way, &opening(way, (40_000, 22), sequence, None));
        let answer = opening(1 - way, (22, 40_000), 77 + sequence, Some(sequence + 1));
        carried(&mut captures, 1 - way, &answer);
    }
    captures
}

/// The findings of all six: payloads, handshakes, passages.
fn judged(plan: &PacketPlan, captures: &Captures) -> [PathFindings; 6] {
    let own = [OWN.to_vec(), OWN.to_vec()];
    let members = BTreeMap::from([("lan1".to_owned(), "br-lan".to_owned())]);
    let passage = |index: usize| {
        let (router, path) = &paths()[index];
        super::measure_passage(plan, *router, path, &members, &own, captures)
    };
    [
        measure_payloads(plan, 0, captures),
        measure_payloads(plan, 1, captures),
        measure_handshakes(plan, 0, &own[0], captures),
        measure_handshakes(plan, 1, &own[1], captures),
        passage(0),
        passage(1),
    ]
}

fn complain(plan: &PacketPlan, captures: &Captures) -> [bool; 6] {
    judged(plan, captures).map(|found| !found.wrong.is_empty())
}

#[test]
fn a_clean_lab_has_all_as_it_was_sent() {
    let found = judged(&plan(), &clean());
    assert!(found.iter().all(|found| found.wrong.is_empty()), "{found:#?}");
    assert!(found.iter().all(|found| found.as_sent > 0));
    assert!(is_complete(&plan(), &clean()));
    assert!(is_told_everywhere(&plan(), &[OWN.to_vec(), OWN.to_vec()], &clean()));
    // A bridge's port sees what the bridge does.
    let mut captures = clean();
    let port = captures[&Node::OnpremRouter].iter().filter(|seen| seen.device == "br-lan");
    let port: Vec<_> =
        port.map(|seen| CapturedPacket { device: "lan1".to_owned(), ..seen.clone() }).collect();
    captures.entry(Node::OnpremRouter).or_default().extend(port);
    assert_eq!(complain(&plan(), &captures), [false; 6]);
}

/// A router's capture that begins late misses what others sent before: nothing is waited for there.
#[test]
fn only_the_runs_own_packets_are_waited_for_on_the_routers() {
    let own = [OWN.to_vec(), OWN.to_vec()];
    let mut captures = clean();
    let other = opening(0, (40_001, 22), 5000, None);
    carried(&mut captures, 0, &other);
    let router = captures.get_mut(&Node::RouterdCloud).expect("a capture");
    let is_other =
        |seen: &CapturedPacket| super::opening(&seen.packet).is_some_and(|it| it.sequence == 5000);
    router.retain(|seen| !is_other(seen));
    assert!(is_told_everywhere(&plan(), &own, &captures));
    for lost in [Node::RouterdCloud, Node::OnpremRouter] {
        let mut captures = clean();
        captures.get_mut(&lost).expect("a capture").pop();
        assert!(!is_told_everywhere(&plan(), &own, &captures), "{lost}");
    }
}

/// Who sends again has learned a path's MTU meanwhile, and announces smaller segments.
#[test]
fn a_segment_that_is_sent_again_need_not_be_the_same() {
    let mut again = opening(0, (40_000, 22), 1000, None);
    let PacketBody::Opening(it) = &mut again.body else { panic!("an opening") };
    it.mss = Some(1380);
    let mut captures = clean();
    carried(&mut captures, 0, &again);
    assert_eq!(complain(&plan(), &captures), [false; 6]);
    let is = |seen: &CapturedPacket, mss: u16| {
        let it = super::opening(&seen.packet);
        it.is_some_and(|it| it.acknowledges.is_none() && it.mss == Some(mss))
    };
    // The first one is lost behind the router: what arrives is the second.
    let arrived = captures.get_mut(&Node::OnpremClient).expect("a capture");
    arrived.retain(|seen| seen.direction == Direction::Out || !is(seen, 1460));
    assert_eq!(complain(&plan(), &captures), [false; 6]);
    // Nobody sent it so.
    let sent = captures.get_mut(&Node::CloudClient).expect("a capture");
    sent.retain(|seen| seen.direction == Direction::In || !is(seen, 1380));
    assert_eq!(complain(&plan(), &captures), [false, false, true, false, true, true]);
}

type PacketEdit = fn(&mut CapturedPacket) -> bool;

fn is_echo(seen: &CapturedPacket) -> bool {
    matches!(seen.packet.body, PacketBody::Echo { reply: false, .. })
}

fn is_datagram(seen: &CapturedPacket) -> bool {
    matches!(seen.packet.body, PacketBody::Datagram { .. })
}

fn syn(seen: &mut CapturedPacket) -> Option<&mut Opening> {
    match &mut seen.packet.body {
        PacketBody::Opening(it) if it.acknowledges.is_none() => Some(it),
        _ => None,
    }
}

// Which of the six assertions turns.
const THERE: [bool; 6] = [true, false, false, false, false, false];
const BACK: [bool; 6] = [false, true, false, false, false, false];
const HAND: [bool; 6] = [false, false, true, false, false, false];
const FIRST: [bool; 6] = [false, false, false, false, true, false];
const SECOND: [bool; 6] = [false, false, false, false, false, true];

type PacketCase = (&'static str, Node, Direction, PacketEdit, [bool; 6], &'static str);

/// Each packet that a node's capture saw in one direction is kept where the change says so.
#[test]
fn each_change_on_the_way_is_called_what_it_is() {
    let (near, far) = (Node::CloudClient, Node::OnpremClient);
    let (first, second) = (Node::RouterdCloud, Node::OnpremRouter);
    let (out, inward) = (Direction::Out, Direction::In);
    // payload there, back; handshake there, back; path by the first router, by the second.
    let table: [PacketCase; 16] = [
        (
            "source",
            far,
            inward,
            |s| {
                if is_datagram(s) {
                    s.packet.source = Ipv4Addr::new(10, 88, 60, 50);
                }
                true
            },
            THERE,
            "source 10.88.60.7 became 10.88.60.50",
        ),
        (
            "TTL",
            far,
            inward,
            |s| {
                if is_echo(s) {
                    s.packet.ttl -= 1;
                }
                true
            },
            THERE,
            "TTL 64 became 61, and there are 2 hops",
        ),
        (
            "id",
            far,
            inward,
            |s| {
                if let PacketBody::Echo { id, reply: false, .. } = &mut s.packet.body {
                    *id = 6;
                }
                true
            },
            THERE,
            "id 5 became 6",
        ),
        (
            "port",
            far,
            inward,
            |s| {
                if let PacketBody::Datagram { source_port, .. } = &mut s.packet.body {
                    *source_port = 1;
                }
                true
            },
            THERE,
            "source port 50000 became 1",
        ),
        (
            "payload",
            far,
            inward,
            |s| {
                if let PacketBody::Datagram { payload, .. } = &mut s.packet.body {
                    payload.push(0);
                }
                true
            },
            THERE,
            "did not leave cloud-client",
        ),
        ("lost", far, inward, |s| !is_datagram(s), THERE, "and did not arrive"),
        (
            "cut",
            far,
            inward,
            |s| {
                if is_datagram(s) {
                    s.packet.may_be_cut = true;
                }
                true
            },
            THERE,
            "may be cut false became true",
        ),
        (
            "reply's source",
            near,
            inward,
            |s| {
                if matches!(s.packet.body, PacketBody::Echo { reply: true, .. }) {
                    s.packet.source = Ipv4Addr::new(10, 88, 60, 50);
                }
                true
            },
            THERE,
            "became 10.88.60.50",
        ),
        (
            "back",
            near,
            inward,
            |s| {
                if is_datagram(s) {
                    s.packet.ttl = 60;
                }
                true
            },
            BACK,
            "TTL",
        ),
        (
            "SYN's sequence",
            far,
            inward,
            |s| {
                if let Some(it) = syn(s) {
                    it.sequence += 1;
                }
                true
            },
            HAND,
            "onprem-client never saw the SYN",
        ),
        (
            "SYN's options",
            far,
            inward,
            |s| {
                if let Some(it) = syn(s) {
                    it.options.clear();
                }
                true
            },
            HAND,
            "options",
        ),
        (
            "SYN's window",
            far,
            inward,
            |s| {
                if let Some(it) = syn(s) {
                    it.window = 1;
                }
                true
            },
            HAND,
            "window 64240 became 1",
        ),
        (
            "SYN's MSS",
            far,
            inward,
            |s| {
                if let Some(it) = syn(s) {
                    it.mss = Some(1380);
                }
                true
            },
            HAND,
            "MSS Some(1460) became Some(1380)",
        ),
        (
            "another interface",
            first,
            out,
            |s| {
                if s.device == "wg-hybrid" && is_echo(s) {
                    s.device = "bypass".to_owned();
                }
                true
            },
            FIRST,
            "routerd-cloud has it on bypass",
        ),
        (
            "not there",
            second,
            inward,
            |s| !(s.device == "wg-hybrid" && is_datagram(s)),
            SECOND,
            "did not come in by onprem-router's wg-hybrid",
        ),
        (
            "translated between",
            first,
            out,
            |s| {
                if s.device == "wg-hybrid" && is_datagram(s) {
                    s.packet.source = Ipv4Addr::new(169, 254, 120, 1);
                }
                true
            },
            FIRST,
            "source 10.88.60.7 became 169.254.120.1",
        ),
    ];
    for (what, node, direction, change, expected, words) in table {
        let mut captures = clean();
        let seen = captures.entry(node).or_default();
        seen.retain_mut(|seen| seen.direction != direction || change(seen));
        let found = judged(&plan(), &captures);
        let given = found.clone().map(|found| !found.wrong.is_empty());
        // What no longer is the same packet has not passed the routers either.
        let measured = |at: usize| given[at] == expected[at];
        assert!((0..6).all(measured), "{what}: {found:#?}");
        let said: Vec<_> = found.iter().flat_map(|found| &found.wrong).collect();
        assert!(said.iter().any(|said| said.contains(words)), "{what}: {said:?}");
    }
}

/// Both ends see the same where two clients translate for each other.
/// A program on the way may send each datagram twice, which its receiver never tells.
#[test]
fn what_left_once_arrives_once() {
    let mut captures = clean();
    let far = captures.get_mut(&Node::OnpremClient).expect("captured");
    let is_first = |it: &&CapturedPacket| is_datagram(it) && it.direction == Direction::In;
    let again = far.iter().find(is_first).expect("a datagram").clone();
    far.push(again);
    let [payloads, ..] = judged(&plan(), &captures);
    assert_eq!(payloads.wrong.len(), 1, "{:?}", payloads.wrong);
    assert!(payloads.wrong[0].contains("arrived at onprem-client again"), "{:?}", payloads.wrong);
}

#[test]
fn what_leaves_otherwise_than_it_was_meant_is_no_proof() {
    let mut captures = clean();
    for seen in captures.values_mut().flatten().filter(|seen| is_datagram(seen)) {
        seen.packet.source = Ipv4Addr::new(192, 0, 2, 1);
    }
    let [there, ..] = judged(&plan(), &captures);
    assert!(there.wrong[0].contains("left cloud-client otherwise than it was sent"), "{there:?}");
}

#[test]
fn a_clamp_that_the_facts_name_may_lower_the_mss_and_nothing_else() {
    for (clamps_mss, mss, right) in
        [(true, 1380, true), (true, 1500, false), (false, 1380, false), (false, 1460, true)]
    {
        let mut captures = clean();
        for seen in captures.entry(Node::OnpremClient).or_default() {
            if seen.direction == Direction::In
                && let Some(it) = syn(seen)
            {
                it.mss = Some(mss);
            }
        }
        let plan = PacketPlan { clamps_mss, ..plan() };
        let found = measure_handshakes(&plan, 0, &OWN, &captures);
        assert_eq!(found.wrong.is_empty(), right, "{clamps_mss} {mss}: {found:?}");
    }
}

#[test]
fn without_a_connection_or_an_answer_there_is_no_handshake() {
    let captures = clean();
    let said =
        |own: &[Ports], captures: &Captures| measure_handshakes(&plan(), 0, own, captures).wrong;
    assert!(said(&[], &captures)[0].contains("no connection from cloud-client"));
    assert!(said(&[(1, 22)], &captures)[0].contains("is not on its own wire"));
    let mut mute = clean();
    mute.entry(Node::CloudClient).or_default().retain(|seen| seen.direction == Direction::Out);
    assert!(said(&OWN, &mute)[0].contains("was not answered"), "{:?}", said(&OWN, &mute));
    let mut impostor = clean();
    impostor.entry(Node::OnpremClient).or_default().retain(|seen| seen.direction == Direction::In);
    assert!(said(&OWN, &impostor)[0].contains("never sent the SYN-ACK"));
}

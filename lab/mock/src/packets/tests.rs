//! The truth table of the kernel lab, row by row.

#![allow(clippy::unwrap_used)]

use super::testing::{
    AddressSetting, CAPTURED, CLIENT, CheckSetting, make_test_world, router_eni, set_router_eni,
    test_start_time,
};
use super::*;
use crate::machines::{ChainKind, FabricCounters, Hook, Match, NftAction, Rule, Transport};

fn ping(world: &mut World, from: Node, destination: Ipv4Addr, ttl: u8) -> Delivery {
    let payload = Payload::Echo { id: 1, sequence: 1 };
    let fragment = Fragment::Allowed;
    let packet = Packet { from, source: None, destination, ttl, bytes: 84, fragment, payload };
    send(world, test_start_time(), packet)
}

fn connect(world: &mut World, from: Node, destination: Ipv4Addr) -> Delivery {
    let payload = Payload::Syn { source_port: 40_000, destination_port: 22 };
    let fragment = Fragment::Never;
    let packet = Packet { from, source: None, destination, ttl: 64, bytes: 60, fragment, payload };
    send(world, test_start_time(), packet)
}

/// The TTL of the answer.
fn ttl(delivery: Delivery) -> Option<u8> {
    match delivery {
        Delivery::Answered(answer) => Some(answer.ttl),
        _ => None,
    }
}

/// `SSH_CONNECTION` as the server has it, without the source port.
fn ssh(delivery: Delivery) -> Option<(String, String)> {
    match delivery {
        Delivery::Answered(RoundTrip { far, .. }) => {
            Some((far.source.to_string(), far.destination.to_string()))
        }
        _ => None,
    }
}

fn nonzero(counters: FabricCounters) -> Vec<&'static str> {
    [
        ("arp-hit", counters.c_arp_hit),
        ("arp-miss", counters.c_arp_miss),
        ("src", counters.drop_src_check),
        ("dst", counters.drop_dst_check),
        ("owner", counters.drop_no_owner),
        ("acl", counters.drop_acl),
        ("sg", counters.drop_sg),
    ]
    .into_iter()
    .filter_map(|(name, count)| (count > 0).then_some(name))
    .collect()
}

#[test]
fn the_vpc_passes_and_drops_what_the_kernel_lab_does() {
    type Case = (&'static str, AddressSetting, CheckSetting, Option<u8>, &'static [&'static str]);
    let cases: [Case; 4] = [
        ("baseline", AddressSetting::Free, CheckSetting::On, None, &["arp-miss", "src"]),
        ("check off only", AddressSetting::Free, CheckSetting::Off, None, &["arp-miss"]),
        ("assigned only", AddressSetting::Assigned, CheckSetting::On, Some(62), &[]),
        ("assigned, check off", AddressSetting::Assigned, CheckSetting::Off, Some(62), &[]),
    ];
    for (name, address, check, answer_ttl, counters) in cases {
        let mut world = make_test_world();
        set_router_eni(&mut world, address, check);
        let there = ping(&mut world, Node::CloudClient, CAPTURED, 64);
        let back = ping(&mut world, Node::OnpremClient, CLIENT, 64);
        let ssh_there = ssh(connect(&mut world, Node::CloudClient, CAPTURED));
        let ssh_back = ssh(connect(&mut world, Node::OnpremClient, CLIENT));
        assert_eq!((ttl(there), ttl(back)), (answer_ttl, answer_ttl), "{name}: ping");
        let pair = |a: Ipv4Addr, b: Ipv4Addr| answer_ttl.map(|_| (a.to_string(), b.to_string()));
        assert_eq!(ssh_there, pair(CLIENT, CAPTURED), "{name}: ssh there");
        assert_eq!(ssh_back, pair(CAPTURED, CLIENT), "{name}: ssh back");
        let seen: Vec<_> =
            nonzero(world.machines.fabric).into_iter().filter(|c| *c != "arp-hit").collect();
        assert_eq!(seen, counters, "{name}: counters");
    }
}

#[test]
fn the_canary_tells_the_check_and_only_the_check() {
    let cases = [
        (AddressSetting::Assigned, CheckSetting::On, Delivery::Lost(Loss::SourceCheck)),
        (AddressSetting::Free, CheckSetting::On, Delivery::HostUnreachable { from: CLIENT }),
        (AddressSetting::Free, CheckSetting::Off, Delivery::HostUnreachable { from: CLIENT }),
    ];
    for (address, check, expected) in cases {
        let mut world = make_test_world();
        set_router_eni(&mut world, address, check);
        assert_eq!(ping(&mut world, Node::CloudClient, CAPTURED, 2), expected);
    }
    let mut world = make_test_world();
    set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
    let answer = ping(&mut world, Node::CloudClient, CAPTURED, 2);
    let Delivery::Error { from, error, .. } = answer else { panic!("{answer:?}") };
    assert_eq!((from, error), (Ipv4Addr::new(10, 99, 0, 2), IcmpError::TimeExceeded));
}

#[test]
fn a_network_acl_is_asked_at_a_subnets_border_for_each_packet_and_never_inside() {
    let mut world = make_test_world();
    let subnet_id = router_eni(&mut world).subnet_id.clone();
    let acl_id = world.cloud.acl_of(&subnet_id).unwrap().id.clone();
    let deny = |world: &mut World, egress| {
        let entries = &mut world.cloud.network_acls.get_mut(&acl_id).unwrap().entries;
        entries.retain(|entry| entry.egress != egress);
    };
    let router = [10, 88, 60, 4].into();
    let mut closed = world.clone();
    deny(&mut closed, true);
    assert!(ttl(ping(&mut closed, Node::CloudClient, router, 64)).is_some(), "inside");
    // The client moves into a subnet that no ACL guards.
    let client = world.cloud.network_interfaces.values_mut().find(|eni| eni.owns(CLIENT));
    client.unwrap().subnet_id = "subnet-elsewhere".into();
    assert!(ttl(ping(&mut world, Node::CloudClient, router, 64)).is_some(), "the default one");
    for egress in [true, false] {
        let mut closed = world.clone();
        deny(&mut closed, egress);
        let lost = ping(&mut closed, Node::CloudClient, router, 64);
        assert_eq!(lost, Delivery::Lost(Loss::NetworkAcl), "egress: {egress}");
        assert!(nonzero(closed.machines.fabric).contains(&"acl"), "egress: {egress}");
    }
}

/// Whether the routerd node masquerades whatever leaves it.
#[derive(Clone, Copy, PartialEq)]
enum Nat {
    None,
    Masquerade,
}

/// Every row of the kernel lab's full run, in its order and on one world: what passes, with which
/// addresses, and which of the fabric's counters move.
#[test]
fn the_kernel_labs_full_run_row_by_row() {
    use AddressSetting::{Assigned, Free};
    use CheckSetting::{Off, On};
    let through = ["arp-hit"].as_slice();
    let closed = ["arp-hit", "arp-miss", "src", "dst"].as_slice();
    let plain = Some(("10.88.60.7", "10.88.60.9"));
    let rows = [
        ("baseline", Free, On, Nat::None, None, None, None, closed),
        ("check off", Free, Off, Nat::None, None, Some(63), None, &["arp-hit", "arp-miss"]),
        ("check on", Free, On, Nat::None, None, None, None, closed),
        ("assigned", Assigned, On, Nat::None, Some(62), None, plain, &["arp-hit", "dst"]),
        ("both", Assigned, Off, Nat::None, Some(62), Some(63), plain, through),
        (
            "both, masquerade",
            Assigned,
            Off,
            Nat::Masquerade,
            Some(62),
            Some(63),
            Some(("10.99.0.1", "10.88.60.4")),
            through,
        ),
        ("masquerade removed", Assigned, Off, Nat::None, Some(62), Some(63), plain, through),
        ("undone", Free, On, Nat::None, None, None, None, closed),
    ];
    let mut world = make_test_world();
    capture_prefix(&mut world);
    for (name, address, check, nat, ttl_between, ttl_behind, sources, counters) in rows {
        set_router_eni(&mut world, address, check);
        world.machines.routerd_cloud.nft.remove("ip", "nat");
        if nat == Nat::Masquerade {
            postrouting(&mut world, Node::RouterdCloud, rule(vec![], NftAction::Masquerade));
        }
        for node in Node::ALL {
            world.machines.get_mut(node).conntrack.clear();
        }
        world.machines.fabric = FabricCounters::default();
        let there = ttl(ping(&mut world, Node::CloudClient, CAPTURED, 64));
        let back = ttl(ping(&mut world, Node::OnpremClient, CLIENT, 64));
        assert_eq!((there, back), (ttl_between, ttl_between), "{name}: ping");
        let behind = ttl(ping(&mut world, Node::CloudClient, BEHIND, 64));
        assert_eq!(behind, ttl_behind, "{name}: the captured prefix");
        let there = ssh(connect(&mut world, Node::CloudClient, CAPTURED)).map(|(from, _)| from);
        let back = ssh(connect(&mut world, Node::OnpremClient, CLIENT)).map(|(from, _)| from);
        let seen = there.as_deref().zip(back.as_deref());
        assert_eq!(seen, sources, "{name}: what ssh says of the source");
        assert_eq!(nonzero(world.machines.fabric), counters, "{name}: counters");
    }
}

const BEHIND: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

/// A route of the VPC for a prefix behind the on-prem router.
fn capture_prefix(world: &mut World) {
    let id = router_eni(world).id.clone();
    let vpc = router_eni(world).vpc_id.clone();
    let is_own = |t: &&mut crate::cloud::RouteTable| t.vpc_id == vpc;
    let table = world.cloud.route_tables.values_mut().find(is_own).unwrap();
    table.routes.push(crate::cloud::VpcRoute {
        destination: "192.168.77.0/24".parse().unwrap(),
        target: crate::cloud::RouteTarget::NetworkInterface(id),
        origin: crate::cloud::RouteOrigin::CreateRoute,
    });
}

#[test]
fn a_captured_prefix_needs_the_check_off() {
    let cases = [
        (AddressSetting::Free, CheckSetting::On, None, "dst"),
        (AddressSetting::Free, CheckSetting::Off, Some(63), ""),
        (AddressSetting::Assigned, CheckSetting::On, None, "dst"),
        (AddressSetting::Assigned, CheckSetting::Off, Some(63), ""),
    ];
    for (address, check, answer_ttl, counter) in cases {
        let mut world = make_test_world();
        set_router_eni(&mut world, address, check);
        capture_prefix(&mut world);
        let answer = ping(&mut world, Node::CloudClient, BEHIND, 64);
        assert_eq!(ttl(answer), answer_ttl, "{answer:?}");
        assert_eq!(nonzero(world.machines.fabric).contains(&"dst"), counter == "dst");
    }
}

/// The observations of one case in the kernel lab's table of NAT cases.
struct CaseObservations {
    ssh_there: Option<&'static str>,
    ssh_back: Option<&'static str>,
    /// Pairs on onprem-client's and cloud-client's wire and in the overlay.
    onprem: &'static [(&'static str, &'static str)],
    cloud: &'static [(&'static str, &'static str)],
    overlay: &'static [(&'static str, &'static str)],
    tracked: usize,
    translated: usize,
}

const PLAIN: &[(&str, &str)] = &[(".7", ".9"), (".9", ".7")];
const OUTER: &[(&str, &str)] = &[(".7", ".9"), (".9", ".7"), (".9", "o"), ("o", ".9")];

fn rule(matches: Vec<Match>, action: NftAction) -> Vec<(Vec<Match>, NftAction)> {
    vec![(matches, action)]
}

fn postrouting(world: &mut World, node: Node, rules: Vec<(Vec<Match>, NftAction)>) {
    let chain = (ChainKind::Nat, Hook::Postrouting, 100);
    world.machines.get_mut(node).nft.add(("ip", "nat"), chain, rules);
}

fn host(last: u8) -> ipnet::Ipv4Net {
    Ipv4Addr::new(10, 88, 60, last).into()
}

const OVERLAY_CLOUD: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

fn oif(name: &str) -> Match {
    Match::OutInterface(name.into())
}

#[test]
fn each_observation_sees_of_a_translation_what_it_does_in_the_kernel_lab() {
    type Setup = fn(&mut World);
    let unarmed: Setup = |world| {
        for node in [Node::RouterdCloud, Node::OnpremRouter] {
            world.machines.get_mut(node).nft.tables.clear();
        }
    };
    let cases: Vec<(&str, Setup, CaseObservations)> = vec![
        (
            "no rule at all",
            unarmed,
            CaseObservations {
                ssh_there: Some(".7"),
                ssh_back: Some(".9"),
                onprem: PLAIN,
                cloud: PLAIN,
                overlay: PLAIN,
                tracked: 0,
                translated: 0,
            },
        ),
        (
            "conntrack armed",
            |_| {},
            CaseObservations {
                ssh_there: Some(".7"),
                ssh_back: Some(".9"),
                onprem: PLAIN,
                cloud: PLAIN,
                overlay: PLAIN,
                tracked: 4,
                translated: 0,
            },
        ),
        (
            "masquerade",
            |world| {
                postrouting(world, Node::RouterdCloud, rule(vec![], NftAction::Masquerade));
            },
            CaseObservations {
                ssh_there: Some("o"),
                ssh_back: Some(".4"),
                onprem: OUTER,
                cloud: &[(".4", ".7"), (".7", ".4"), (".7", ".9"), (".9", ".7")],
                overlay: OUTER,
                tracked: 4,
                translated: 4,
            },
        ),
        (
            "legacy masquerade",
            |world| {
                let matches = vec![oif("wg-hybrid")];
                let rule = Rule { handle: 1, matches, action: NftAction::Masquerade };
                world.machines.routerd_cloud.legacy_nat.postrouting.push(rule);
            },
            CaseObservations {
                ssh_there: Some("o"),
                ssh_back: Some(".9"),
                onprem: OUTER,
                cloud: PLAIN,
                overlay: OUTER,
                tracked: 4,
                translated: 2,
            },
        ),
        (
            "stateless rewrite before routing",
            |world| {
                let nft = &mut world.machines.routerd_cloud.nft;
                nft.tables.clear();
                let matches = vec![Match::Source(host(7)), Match::Destination(host(9))];
                let chain = (ChainKind::Filter, Hook::Prerouting, -300);
                nft.add(("ip", "raw"), chain, rule(matches, NftAction::SetSource(OVERLAY_CLOUD)));
            },
            CaseObservations {
                ssh_there: None,
                ssh_back: None,
                onprem: &[(".9", ".7")],
                cloud: PLAIN,
                overlay: &[(".9", ".7")],
                tracked: 0,
                translated: 0,
            },
        ),
        (
            "stateless rewrite",
            |world| {
                let nft = &mut world.machines.routerd_cloud.nft;
                nft.tables.clear();
                let there = vec![oif("wg-hybrid"), Match::Source(host(7))];
                let back = vec![Match::Destination(OVERLAY_CLOUD.into())];
                let (pre, post) = (Hook::Prerouting, Hook::Postrouting);
                let set = NftAction::SetSource(OVERLAY_CLOUD);
                nft.add(("ip", "out"), (ChainKind::Filter, post, 0), rule(there, set));
                let reset = NftAction::SetDestination(CLIENT);
                nft.add(("ip", "in"), (ChainKind::Filter, pre, -300), rule(back, reset));
            },
            CaseObservations {
                ssh_there: Some("o"),
                ssh_back: None,
                onprem: &[(".9", ".7"), (".9", "o"), ("o", ".9")],
                cloud: PLAIN,
                overlay: &[(".9", ".7"), (".9", "o"), ("o", ".9")],
                tracked: 0,
                translated: 0,
            },
        ),
        (
            "double translation",
            |world| {
                let flow = |source| vec![Match::Source(source), Match::Destination(host(9))];
                let hide = rule(flow(host(7)), NftAction::Snat(OVERLAY_CLOUD));
                postrouting(world, Node::RouterdCloud, hide);
                let show = rule(flow(OVERLAY_CLOUD.into()), NftAction::Snat(CLIENT));
                postrouting(world, Node::OnpremRouter, show);
            },
            CaseObservations {
                ssh_there: Some(".7"),
                ssh_back: Some(".9"),
                onprem: PLAIN,
                cloud: PLAIN,
                overlay: OUTER,
                tracked: 4,
                translated: 2,
            },
        ),
        (
            "ICMP alone",
            |world| {
                let matches = vec![oif("wg-hybrid"), Match::Protocol(Transport::Icmp)];
                postrouting(world, Node::RouterdCloud, rule(matches, NftAction::Masquerade));
            },
            CaseObservations {
                ssh_there: Some(".7"),
                ssh_back: Some(".9"),
                onprem: OUTER,
                cloud: PLAIN,
                overlay: OUTER,
                tracked: 4,
                translated: 1,
            },
        ),
    ];
    for (name, setup, expected) in cases {
        let mut world = make_test_world();
        set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
        setup(&mut world);
        let there = ping_as(&mut world, Node::CloudClient, CAPTURED, 1);
        let back = ping_as(&mut world, Node::OnpremClient, CLIENT, 2);
        let passes = name != "stateless rewrite before routing";
        assert_eq!((ttl(there).is_some(), ttl(back).is_some()), (passes, passes), "{name}: ping");
        let source = |delivery| ssh(delivery).map(|(source, _)| short(source.parse().unwrap()));
        let ssh_there = source(connect(&mut world, Node::CloudClient, CAPTURED));
        let ssh_back = source(connect(&mut world, Node::OnpremClient, CLIENT));
        assert_eq!(ssh_there.as_deref(), expected.ssh_there, "{name}: ssh there");
        assert_eq!(ssh_back.as_deref(), expected.ssh_back, "{name}: ssh back");
        for (node, dev, pairs) in [
            (Node::OnpremClient, "eth0", expected.onprem),
            (Node::CloudClient, "ens5", expected.cloud),
            (Node::RouterdCloud, "wg-hybrid", expected.overlay),
        ] {
            assert_eq!(icmp_pairs(&world, node, dev), pairs, "{name}: {node}");
        }
        let table = &world.machines.routerd_cloud.conntrack;
        let translated = table.iter().filter(|e| e.reply != e.original.inverse()).count();
        assert_eq!((table.len(), translated), (expected.tracked, expected.translated), "{name}");
    }
}

#[test]
fn a_flow_that_was_tracked_before_the_rule_stays_clean() {
    let mut world = make_test_world();
    set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
    ping_as(&mut world, Node::CloudClient, CAPTURED, 1);
    postrouting(&mut world, Node::RouterdCloud, rule(vec![], NftAction::Masquerade));
    let far = |delivery| match delivery {
        Delivery::Answered(answer) => short(answer.far.source),
        other => format!("{other:?}"),
    };
    assert_eq!(far(ping_as(&mut world, Node::CloudClient, CAPTURED, 1)), ".7", "the old flow");
    assert_eq!(far(ping_as(&mut world, Node::CloudClient, CAPTURED, 2)), "o", "a new flow");
}

fn ping_as(world: &mut World, from: Node, destination: Ipv4Addr, id: u16) -> Delivery {
    let payload = Payload::Echo { id, sequence: 1 };
    let fragment = Fragment::Allowed;
    let packet = Packet { from, source: None, destination, ttl: 64, bytes: 84, fragment, payload };
    send(world, test_start_time(), packet)
}

/// `.7` for 10.88.60.7, `o` for the overlay's address on routerd-cloud.
fn short(address: Ipv4Addr) -> String {
    if address == OVERLAY_CLOUD { "o".into() } else { format!(".{}", address.octets()[3]) }
}

fn icmp_pairs(world: &World, node: Node, dev: &str) -> Vec<(&'static str, &'static str)> {
    let names = [".4", ".7", ".9", "o"];
    let name = |address| names.into_iter().find(|name| *name == short(address)).unwrap();
    let mut pairs: Vec<_> = world
        .machines
        .get(node)
        .capture
        .since(0)
        .filter(|packet| packet.dev == dev && packet.transport == Transport::Icmp)
        .map(|packet| (name(packet.source), name(packet.destination)))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

#[test]
fn nodes_that_are_off_or_hang_answer_nothing() {
    let mut world = make_test_world();
    set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
    world.machines.onprem_router.hung = true;
    let answer = ping(&mut world, Node::CloudClient, CAPTURED, 64);
    assert_eq!(answer, Delivery::Lost(Loss::Dead(Node::OnpremRouter)));
    let mut world = make_test_world();
    set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
    let id = world.machines.routerd_cloud.instance_id.clone().unwrap();
    let instance = world.cloud.instances.get_mut(&id).unwrap();
    instance.enter(crate::cloud::InstanceState::Stopped, test_start_time());
    let answer = ping(&mut world, Node::CloudClient, CAPTURED, 64);
    assert_eq!(answer, Delivery::Lost(Loss::Dead(Node::RouterdCloud)));
}

#[test]
fn a_black_hole_takes_large_packets_only() {
    let mut world = make_test_world();
    set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
    world.machines.overlay.black_hole_above_bytes = Some(1_200);
    assert_eq!(ttl(ping(&mut world, Node::CloudClient, CAPTURED, 64)), Some(62));
    let payload = Payload::Echo { id: 5, sequence: 1 };
    let (from, destination, fragment) = (Node::CloudClient, CAPTURED, Fragment::Allowed);
    let large =
        Packet { from, source: None, destination, ttl: 64, bytes: 1_300, fragment, payload };
    assert_eq!(send(&mut world, test_start_time(), large), Delivery::Lost(Loss::BlackHole));
    let never = Packet { fragment: Fragment::Never, bytes: 1_500, ..large };
    let answer = send(&mut world, test_start_time(), never);
    let needed = IcmpError::FragmentationNeeded { mtu: 1_420 };
    assert!(matches!(answer, Delivery::Error { error, .. } if error == needed), "{answer:?}");
}

#[test]
fn the_captured_address_on_the_router_itself_answers_from_there() {
    let mut world = make_test_world();
    set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
    let ens5 = &mut world.machines.routerd_cloud.interfaces[1];
    ens5.addresses.push(host(9));
    let answer = ping(&mut world, Node::CloudClient, CAPTURED, 64);
    let Delivery::Answered(answer) = answer else { panic!("{answer:?}") };
    assert_eq!((answer.by, answer.ttl), (Node::RouterdCloud, 64));
}

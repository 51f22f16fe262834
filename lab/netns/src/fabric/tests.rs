//! Tests of what the ruleset says for which world.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use ipnet::Ipv4Net;

use super::permit::Side;
use super::*;
use lab::node::Node;
use lab_mock::cloud::{
    Cloud, InstanceState, NetworkInterface, Permission, PrivateAddress, RouteOrigin, RouteTarget,
    VpcRoute,
};

const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_323_045, 0).unwrap()
}

fn cloud() -> Cloud {
    Cloud::example(7, now(), true)
}

fn eni(cloud: &mut Cloud, node: Node) -> &mut NetworkInterface {
    let id = cloud.instance_of(node).unwrap().id.clone();
    cloud.network_interfaces.values_mut().find(|eni| eni.instance_id.as_ref() == Some(&id)).unwrap()
}

fn rendered(cloud: &Cloud) -> String {
    render_ruleset(&Fabric::of(cloud, &Wiring::of(&self::cloud()), now()))
}

fn device(node: Node) -> String {
    let mut cloud = cloud();
    let id = eni(&mut cloud, node).id.clone();
    Wiring::of(&cloud).wires[&id].device.clone()
}

/// The elements that are put into a set, as one text.
fn elements(text: &str, set: &str) -> String {
    let start = format!("add element {set} {{ ");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&start)?.strip_suffix(" }"));
    lines.collect::<Vec<_>>().join(", ")
}

/// A chain's rules, in their order.
fn rules<'a>(text: &'a str, chain: &str) -> Vec<&'a str> {
    let start = format!("add rule inet vpc {chain} ");
    text.lines().filter_map(|line| line.strip_prefix(&start)).collect()
}

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn permission(protocol: &str, ports: Option<(i32, i32)>, ranges: &[&str]) -> Permission {
    let ranges = ranges.iter().map(|range| net(range)).collect();
    Permission {
        protocol: protocol.into(),
        ports,
        ranges,
        groups: vec![],
        descriptions: std::collections::BTreeMap::default(),
    }
}

#[test]
fn a_permission_is_matched_by_protocol_ports_and_peers() {
    let cases = [
        ("-1", None, "10.88.60.0/24", Some("ip saddr 10.88.60.0/24 ")),
        ("-1", None, "0.0.0.0/0", Some("")),
        ("tcp", Some((22, 22)), "0.0.0.0/0", Some("tcp dport 22 ")),
        ("6", Some((22, 22)), "0.0.0.0/0", Some("tcp dport 22 ")),
        (
            "tcp",
            Some((1000, 2000)),
            "192.0.2.1/32",
            Some("ip saddr 192.0.2.1/32 tcp dport 1000-2000 "),
        ),
        ("tcp", None, "0.0.0.0/0", Some("meta l4proto tcp ")),
        ("tcp", Some((-1, -1)), "0.0.0.0/0", Some("meta l4proto tcp ")),
        ("udp", Some((4789, 4789)), "0.0.0.0/0", Some("udp dport 4789 ")),
        ("17", Some((0, 65535)), "0.0.0.0/0", Some("udp dport 0-65535 ")),
        ("icmp", Some((-1, -1)), "0.0.0.0/0", Some("meta l4proto icmp ")),
        ("icmp", None, "0.0.0.0/0", Some("meta l4proto icmp ")),
        ("icmp", Some((8, -1)), "0.0.0.0/0", Some("icmp type 8 ")),
        ("1", Some((3, 4)), "0.0.0.0/0", Some("icmp type 3 icmp code 4 ")),
        ("50", None, "0.0.0.0/0", Some("meta l4proto 50 ")),
        ("icmpv6", None, "0.0.0.0/0", Some("meta l4proto 58 ")),
        // What EC2 would not have taken permits nothing.
        ("tcp", Some((22, 21)), "0.0.0.0/0", None),
        ("tcp", Some((0, 65536)), "0.0.0.0/0", None),
        ("icmp", Some((256, 0)), "0.0.0.0/0", None),
        ("carrier-pigeon", None, "0.0.0.0/0", None),
    ];
    for (protocol, ports, range, expected) in cases {
        let permission = permission(protocol, ports, &[range]);
        let permit = Protocol::of(&permission)
            .map(|protocol| PeerPermission { protocol, peers: [net(range)].into() });
        let matched = permit.and_then(|permit| permit.matched(Side::Source));
        assert_eq!(matched.as_deref(), expected, "{permission:?}");
    }
}

#[test]
fn peers_that_overlap_are_merged_and_none_is_nobody() {
    let permit = |peers: &[&str]| PeerPermission {
        protocol: Protocol::Any,
        peers: peers.iter().map(|peer| net(peer)).collect(),
    };
    let matched = |peers: &[&str]| permit(peers).matched(Side::Destination);
    assert_eq!(matched(&[]), None);
    assert_eq!(
        matched(&["10.88.60.7/32", "10.88.60.0/24", "192.0.2.0/24"]).unwrap(),
        "ip daddr { 10.88.60.0/24, 192.0.2.0/24 } "
    );
    assert_eq!(matched(&["10.0.0.0/8", "0.0.0.0/0"]).unwrap(), "");
}

#[test]
fn an_address_has_its_owner_in_both_families_and_the_source_check_knows_it() {
    let (router, client) = (device(Node::RouterdCloud), device(Node::CloudClient));
    let mut cloud = cloud();
    let before = rendered(&cloud);
    eni(&mut cloud, Node::RouterdCloud).add_secondary(CAPTURED);
    let after = rendered(&cloud);
    for family in ["arp", "inet"] {
        let owners = |text: &str| elements(text, &format!("{family} vpc owner"));
        assert!(!owners(&before).contains("10.88.60.9"));
        let mark = owners(&after)
            .split(", ")
            .find_map(|e| e.strip_prefix("10.88.60.4 : ").map(str::to_owned));
        assert!(owners(&after).contains(&format!("10.88.60.9 : {}", mark.unwrap())));
    }
    let own = elements(&after, "inet vpc own");
    for pair in [(&router, 4), (&router, 9), (&client, 7)] {
        assert!(own.contains(&format!("\"{}\" . 10.88.60.{}", pair.0, pair.1)), "{own}");
    }
    assert_eq!(elements(&after, "inet vpc gateways"), "10.88.60.1");
}

#[test]
fn only_an_interface_without_the_check_is_not_checked() {
    let mut cloud = cloud();
    assert_eq!(elements(&rendered(&cloud), "inet vpc nocheck"), "");
    eni(&mut cloud, Node::RouterdCloud).source_dest_check = false;
    let router = device(Node::RouterdCloud);
    assert_eq!(elements(&rendered(&cloud), "inet vpc nocheck"), format!("\"{router}\""));
}

#[test]
fn a_stopped_instance_keeps_its_addresses_and_is_silent() {
    let mut cloud = cloud();
    let id = cloud.instance_of(Node::CloudClient).unwrap().id.clone();
    cloud.instances.get_mut(&id).unwrap().state = InstanceState::Stopped;
    let text = rendered(&cloud);
    assert_eq!(elements(&text, "inet vpc silent"), "10.88.60.7");
    assert!(!elements(&text, "inet vpc owner").contains("10.88.60.7"));
    assert!(!elements(&text, "inet vpc ports").contains(&device(Node::CloudClient)));
}

#[test]
fn an_interface_that_no_cable_leads_to_is_silent() {
    let mut cloud = cloud();
    let mut foreign = eni(&mut cloud, Node::CloudClient).clone();
    foreign.id = "eni-0000000000000f00d".into();
    foreign.private_addresses = vec![PrivateAddress { address: CAPTURED, primary: true }];
    cloud.network_interfaces.insert(foreign.id.clone(), foreign);
    assert_eq!(elements(&rendered(&cloud), "inet vpc silent"), "10.88.60.9");
}

#[test]
fn permissions_come_in_order_and_the_rest_is_dropped_and_counted() {
    let text = rendered(&cloud());
    let chain = device(Node::CloudClient).replace('-', "_");
    assert_eq!(
        rules(&text, &format!("sgin_{chain}")),
        [
            "tcp dport 22 accept",
            "ip saddr 10.88.60.0/24 accept",
            "icmp type 3 accept",
            "ip saddr 10.99.0.0/30 meta l4proto icmp accept",
            "counter name drop_sg_in drop"
        ]
    );
    assert_eq!(
        rules(&text, &format!("sgout_{chain}")),
        ["return", "counter name drop_sg_out drop"]
    );
}

#[test]
fn without_a_permission_everything_is_dropped() {
    let mut cloud = cloud();
    for group in cloud.security_groups.values_mut() {
        group.ingress.clear();
        group.egress.clear();
    }
    let (text, chain) = (rendered(&cloud), device(Node::RouterdCloud).replace('-', "_"));
    assert_eq!(rules(&text, &format!("sgin_{chain}")), ["counter name drop_sg_in drop"]);
    assert_eq!(rules(&text, &format!("sgout_{chain}")), ["counter name drop_sg_out drop"]);
}

#[test]
fn a_referenced_group_is_its_members_addresses() {
    let mut cloud = cloud();
    eni(&mut cloud, Node::RouterdCloud).add_secondary(CAPTURED);
    let group_id = eni(&mut cloud, Node::CloudClient).groups[0].clone();
    let group = cloud.security_groups.get_mut(&group_id).unwrap();
    let from_self = Permission { groups: vec![group_id], ..permission("udp", Some((53, 53)), &[]) };
    group.ingress = vec![from_self];
    let (text, chain) = (rendered(&cloud), device(Node::CloudClient).replace('-', "_"));
    assert_eq!(
        rules(&text, &format!("sgin_{chain}"))[0],
        "ip saddr { 10.88.60.4/32, 10.88.60.7/32, 10.88.60.9/32 } udp dport 53 accept"
    );
}

#[test]
fn the_longest_prefix_of_the_route_table_comes_first() {
    let mut cloud = cloud();
    let router = eni(&mut cloud, Node::RouterdCloud).clone();
    for table in cloud.route_tables.values_mut().filter(|table| table.vpc_id == router.vpc_id) {
        for prefix in ["192.168.0.0/16", "192.168.77.0/24"] {
            table.routes.push(VpcRoute {
                destination: net(prefix),
                target: RouteTarget::NetworkInterface(router.id.clone()),
                origin: RouteOrigin::CreateRoute,
            });
        }
    }
    let text = rendered(&cloud);
    let mark = Wiring::of(&cloud).wires[&router.id].mark;
    let chain = format!("rtb_{}", router.subnet_id.replace('-', "_"));
    let to = |prefix| format!("ip daddr {prefix} meta mark set {mark:#x} accept");
    assert_eq!(rules(&text, &chain), [to("192.168.77.0/24"), to("192.168.0.0/16")]);
}

#[test]
fn a_network_acls_entries_decide_by_their_numbers_and_the_rest_is_denied() {
    let mut fabric = Fabric::of(&cloud(), &Wiring::of(&cloud()), now());
    let (id, subnet) = fabric.subnets.iter_mut().next().unwrap();
    let entry = |number, rule, protocol, cidr| AclEntry { number, rule, protocol, cidr: net(cidr) };
    subnet.acl.ingress = vec![
        entry(200, AclRule::Allow, Protocol::Any, "0.0.0.0/0"),
        entry(100, AclRule::Deny, Protocol::Icmp(None), "192.0.2.0/24"),
    ];
    let suffix = id.replace('-', "_");
    let text = render_ruleset(&fabric);
    assert_eq!(
        rules(&text, &format!("aclin_{suffix}")),
        [
            "ip saddr 192.0.2.0/24 meta l4proto icmp counter name drop_acl drop",
            "return",
            "counter name drop_acl drop"
        ]
    );
    // The default one's own last rule, and the renderer's.
    let drop = "counter name drop_acl drop";
    assert_eq!(rules(&text, &format!("aclout_{suffix}")), ["return", drop, drop]);
}

#[test]
fn no_network_acl_is_asked_inside_a_subnet() {
    let (router, client) = (device(Node::RouterdCloud), device(Node::CloudClient));
    let pairs = elements(&rendered(&cloud()), "inet vpc neighbours");
    assert!(pairs.contains(&format!("\"{router}\" . \"{client}\"")), "{pairs}");
    let mut fabric = Fabric::of(&cloud(), &Wiring::of(&cloud()), now());
    fabric.ports[0].subnet = "subnet-elsewhere".into();
    let pairs = elements(&render_ruleset(&fabric), "inet vpc neighbours");
    assert!(!pairs.contains(&format!("\"{router}\" . \"{client}\"")), "{pairs}");
}

#[test]
fn an_empty_world_is_a_ruleset_without_elements() {
    let text = render_ruleset(&Fabric::default());
    assert!(!text.contains("add element"), "{text}");
    for counter in COUNTERS {
        assert!(text.contains(&format!("counter inet vpc {counter}")), "{counter}");
        assert!(
            text.matches(counter).count() >= 2 || counter == "drop_sg_out" || counter == "drop_acl"
        );
    }
}

#[test]
fn what_is_gained_is_what_must_be_announced() {
    let wiring = Wiring::of(&cloud());
    let before = Fabric::of(&cloud(), &wiring, now());
    let mut cloud = cloud();
    eni(&mut cloud, Node::RouterdCloud).add_secondary(CAPTURED);
    let after = Fabric::of(&cloud, &wiring, now());
    let gained: Vec<_> = after.gained(&before).map(|(_, address)| address).collect();
    assert_eq!(gained, [CAPTURED]);
    assert_eq!(before.gained(&after).count(), 0);
    assert_eq!(after.gained(&Fabric::default()).count(), 3);
}

#[test]
fn every_time_to_live_but_the_last_is_given_back() {
    let text = ttl_table();
    for ttl in [1, 64, 254] {
        assert!(text.contains(&format!("chain t{ttl} {{ ip ttl set {}; }}", ttl + 1)));
        assert!(text.contains(&format!("{ttl} : jump t{ttl}")));
    }
    assert!(!text.contains("t255"));
}

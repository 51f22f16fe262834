//! Tests of what the ruleset says for which network ACLs, and that it says what the model does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};

use super::permit::Side;
use super::*;
use lab_mock::cloud::{self, AclAssociation, Cloud, Crossing, NetworkAcl};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_323_045, 0).unwrap()
}

fn cloud() -> Cloud {
    Cloud::example(7, now(), true)
}

fn rendered(cloud: &Cloud) -> String {
    render_ruleset(&Fabric::of(cloud, &Wiring::of(&self::cloud()), now()))
}

fn subnet_id(cloud: &Cloud) -> String {
    cloud.owner_of([10, 88, 60, 7].into()).unwrap().subnet_id.clone()
}

/// The rules of the lab's subnet, of one direction.
fn rules(cloud: &Cloud, direction: &str) -> Vec<String> {
    let start = format!("add rule inet vpc acl{direction}_{} ", subnet_id(cloud).replace('-', "_"));
    let text = rendered(cloud);
    text.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

/// Protocol, ports, ICMP's type and code.
type What = (&'static str, Option<(i32, i32)>, Option<(i32, i32)>);

fn entry(number: u32, allow: bool, (protocol, ports, icmp): What, cidr: &str) -> cloud::AclEntry {
    let (protocol, cidr) = (protocol.to_owned(), cidr.parse().unwrap());
    cloud::AclEntry { number, egress: false, protocol, allow, cidr, ports, icmp }
}

/// The lab's subnet's own.
fn acl(cloud: &mut Cloud) -> &mut NetworkAcl {
    let id = cloud.acl_of(&subnet_id(cloud)).unwrap().id.clone();
    cloud.network_acls.get_mut(&id).unwrap()
}

const DROP: &str = "counter name drop_acl drop";

#[test]
fn an_entry_is_matched_by_protocol_ports_type_and_cidr() {
    let cases: [(What, &str, Option<&str>); 21] = [
        (("-1", None, None), "0.0.0.0/0", Some("")),
        (("-1", Some((22, 22)), Some((8, 0))), "0.0.0.0/0", Some("")),
        (("-1", None, None), "192.0.2.0/24", Some("ip saddr 192.0.2.0/24 ")),
        (("-1", None, None), "192.0.2.77/24", Some("ip saddr 192.0.2.0/24 ")),
        (("-1", None, None), "192.0.2.7/32", Some("ip saddr 192.0.2.7/32 ")),
        (("6", Some((22, 22)), None), "0.0.0.0/0", Some("tcp dport 22 ")),
        (("6", Some((0, 65535)), None), "0.0.0.0/0", Some("tcp dport 0-65535 ")),
        (("6", Some((-1, -1)), None), "0.0.0.0/0", Some("meta l4proto tcp ")),
        (
            ("6", Some((1024, 65535)), None),
            "10.0.0.0/8",
            Some("ip saddr 10.0.0.0/8 tcp dport 1024-65535 "),
        ),
        (("17", Some((53, 53)), None), "0.0.0.0/0", Some("udp dport 53 ")),
        (("17", Some((4789, 4790)), None), "0.0.0.0/0", Some("udp dport 4789-4790 ")),
        // Ports are no matter of ICMP, nor types of TCP.
        (("1", Some((22, 22)), Some((-1, -1))), "0.0.0.0/0", Some("meta l4proto icmp ")),
        (("1", None, Some((8, -1))), "0.0.0.0/0", Some("icmp type 8 ")),
        (("1", None, Some((8, 0))), "0.0.0.0/0", Some("icmp type 8 icmp code 0 ")),
        (("1", None, Some((3, 4))), "0.0.0.0/0", Some("icmp type 3 icmp code 4 ")),
        (("50", None, None), "0.0.0.0/0", Some("meta l4proto 50 ")),
        (("58", None, None), "0.0.0.0/0", Some("meta l4proto 58 ")),
        // What EC2 would not have taken is no rule.
        (("6", Some((23, 22)), None), "0.0.0.0/0", None),
        (("17", Some((0, 65536)), None), "0.0.0.0/0", None),
        (("1", None, Some((256, 0))), "0.0.0.0/0", None),
        (("carrier-pigeon", None, None), "0.0.0.0/0", None),
    ];
    for (what, cidr, expected) in cases {
        let acl = NetworkAcl { entries: vec![entry(7, true, what, cidr)], ..empty() };
        let matched = Acl::of(&acl).ingress.first().map(|entry| entry.matched(Side::Source));
        assert_eq!(matched.as_deref(), expected, "{what:?} {cidr}");
        let leaving = Acl::of(&acl).ingress.first().map(|it| it.matched(Side::Destination));
        assert_eq!(leaving, expected.map(|text| text.replace("saddr", "daddr")), "{what:?}");
    }
}

fn empty() -> NetworkAcl {
    NetworkAcl {
        id: "acl-0".into(),
        vpc_id: "vpc-0".into(),
        is_default: false,
        entries: vec![],
        associations: vec![],
        tags: cloud::Tags::new(),
    }
}

#[test]
fn the_default_one_lets_everything_pass_and_says_that_the_rest_would_not() {
    let everything = ["return", DROP, DROP];
    for direction in ["in", "out"] {
        assert_eq!(rules(&cloud(), direction), everything, "{direction}");
    }
    let mut without = cloud();
    without.network_acls.clear();
    assert_eq!(rules(&without, "in"), ["return", DROP], "a world from before there were any");
}

#[test]
fn entries_decide_by_number_each_in_its_direction() {
    let mut cloud = cloud();
    let ssh = ("6", Some((22, 22)), None);
    acl(&mut cloud).entries = vec![
        entry(300, true, ("-1", None, None), "10.88.0.0/16"),
        entry(100, false, ssh, "10.88.61.0/24"),
        cloud::AclEntry { egress: true, ..entry(100, true, ssh, "0.0.0.0/0") },
        entry(200, true, ssh, "0.0.0.0/0"),
    ];
    assert_eq!(
        rules(&cloud, "in"),
        [
            "ip saddr 10.88.61.0/24 tcp dport 22 counter name drop_acl drop",
            "tcp dport 22 return",
            "ip saddr 10.88.0.0/16 return",
            DROP,
        ]
    );
    assert_eq!(rules(&cloud, "out"), ["tcp dport 22 return", DROP]);
    acl(&mut cloud).entries.clear();
    assert_eq!(rules(&cloud, "in"), [DROP], "without an entry nothing passes");
}

#[test]
fn a_subnet_has_the_one_that_it_is_associated_with() {
    let mut cloud = cloud();
    let subnet_id = subnet_id(&cloud);
    let vpc_id = acl(&mut cloud).vpc_id.clone();
    acl(&mut cloud).associations.retain(|one| one.subnet_id != subnet_id);
    let association = AclAssociation { id: "aclassoc-0".into(), subnet_id };
    let own = NetworkAcl { vpc_id, associations: vec![association], ..empty() };
    cloud.network_acls.insert(own.id.clone(), own);
    for direction in ["in", "out"] {
        assert_eq!(rules(&cloud, direction), [DROP], "{direction}");
    }
}

/// An ACL keeps no state: it is asked before anything that knows of flows.
#[test]
fn answers_are_asked_as_well() {
    let text = rendered(&cloud());
    let chain = |name: &str| {
        let start = text.rfind(&format!("  chain {name} {{\n")).unwrap();
        text[start..].split("  }").next().unwrap().to_owned()
    };
    let lines: Vec<_> = chain("crossing").lines().skip(1).map(|it| it.trim().to_owned()).collect();
    assert_eq!(
        lines[..4],
        [
            "iifname . oifname @neighbours goto sg",
            "iifname vmap @acl_out",
            "oifname vmap @acl_in",
            "goto sg"
        ]
    );
    assert_eq!(text.matches("ct state").count(), 1);
    assert!(chain("sg").contains("ct state established accept"));
}

/// Every pair of entries in both orders, against every packet: the ruleset, read as the kernel
/// reads it, lets pass what the model does.
#[test]
fn the_ruleset_and_the_model_agree_on_every_pair_of_entries() {
    let shapes: [What; 9] = [
        ("-1", None, None),
        ("6", Some((22, 22)), None),
        ("6", Some((1024, 65535)), None),
        ("6", Some((-1, -1)), None),
        ("17", Some((22, 22)), None),
        ("1", None, Some((-1, -1))),
        ("1", None, Some((8, -1))),
        ("1", None, Some((3, 4))),
        ("50", None, None),
    ];
    let entries = |number| {
        let cidrs = ["0.0.0.0/0", "10.88.60.0/24", "10.88.60.7/32"];
        let places = cidrs.into_iter().flat_map(move |cidr| [true, false].map(|it| (cidr, it)));
        places.flat_map(move |(cidr, allow)| {
            shapes.map(|shape| entry(number, allow, shape, cidr)).to_vec()
        })
    };
    let mut compared = 0;
    for first in entries(100) {
        for second in entries(200) {
            // Not in the order of their numbers.
            let acl = NetworkAcl { entries: vec![second, first.clone()], ..empty() };
            let mut fabric = Fabric::default();
            let subnet = FabricSubnet {
                gateway: [10, 88, 61, 1].into(),
                acl: Acl::of(&acl),
                routes: vec![],
            };
            fabric.subnets.insert("s".into(), subnet);
            let text = render_ruleset(&fabric);
            let start = "add rule inet vpc aclin_s ";
            let rules: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(start)).collect();
            for packet in packets() {
                let wanted = acl.allows(false, &packet);
                assert_eq!(passes(&rules, &packet), wanted, "{packet:?} {:?}", acl.entries);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 54 * 54 * packets().len());
}

fn packets() -> Vec<Crossing> {
    let peers: [Ipv4Addr; 3] =
        ["10.88.60.7", "10.88.60.8", "192.0.2.1"].map(|it| it.parse().unwrap());
    let of = |peer| {
        let packet =
            |protocol, destination_port, icmp| Crossing { protocol, peer, destination_port, icmp };
        [
            packet(6, Some(22), None),
            packet(6, Some(40000), None),
            packet(17, Some(22), None),
            packet(1, None, Some((8, 0))),
            packet(1, None, Some((0, 0))),
            packet(1, None, Some((3, 4))),
            packet(50, None, None),
        ]
    };
    peers.into_iter().flat_map(of).collect()
}

/// Reads the few words that the renderer knows as nft does: the first rule that matches decides.
fn passes(rules: &[&str], packet: &Crossing) -> bool {
    for rule in rules {
        let mut words = rule.split(' ');
        let mut matches = true;
        loop {
            let next = words.next().unwrap();
            let mut value = || words.next().unwrap();
            matches &= match next {
                "return" if matches => return true,
                "counter" if matches => return false,
                "return" | "counter" => break,
                "ip" => {
                    assert_eq!(value(), "saddr");
                    value().parse::<ipnet::Ipv4Net>().unwrap().contains(&packet.peer)
                }
                "meta" => {
                    assert_eq!(value(), "l4proto");
                    let number = match value() {
                        "tcp" => 6,
                        "udp" => 17,
                        "icmp" => 1,
                        number => number.parse().unwrap(),
                    };
                    packet.protocol == number
                }
                name @ ("tcp" | "udp") => {
                    assert_eq!(value(), "dport");
                    let span = value();
                    let (first, last) = span.split_once('-').unwrap_or((span, span));
                    let span = first.parse().unwrap()..=last.parse().unwrap();
                    packet.protocol == if name == "tcp" { 6 } else { 17 }
                        && packet.destination_port.is_some_and(|port| span.contains(&port))
                }
                "icmp" => {
                    let (what, wanted) = (value(), value().parse::<u8>().unwrap());
                    packet.icmp.is_some_and(|(kind, code)| {
                        wanted == if what == "type" { kind } else { code }
                    })
                }
                other => panic!("{other} in {rule}"),
            };
        }
    }
    panic!("no last rule");
}

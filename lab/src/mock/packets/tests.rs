//! The truth table of the kernel lab, row by row.

use super::testing::{Address, CAPTURED, CLIENT, Check, lab, router_eni, set, start};
use super::*;
use crate::mock::machines::FabricCounters;

fn ping(world: &mut World, from: Node, destination: Ipv4Addr, ttl: u8) -> Delivery {
    let payload = Payload::Echo { id: 1, sequence: 1 };
    let fragment = Fragment::Allowed;
    let packet = Packet { from, source: None, destination, ttl, bytes: 84, fragment, payload };
    send(world, start(), packet)
}

fn connect(world: &mut World, from: Node, destination: Ipv4Addr) -> Delivery {
    let payload = Payload::Syn { source_port: 40_000, destination_port: 22 };
    let fragment = Fragment::Never;
    let packet = Packet { from, source: None, destination, ttl: 64, bytes: 60, fragment, payload };
    send(world, start(), packet)
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
        Delivery::Answered(Answer { far, .. }) => {
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
        ("sg", counters.drop_sg),
    ]
    .into_iter()
    .filter_map(|(name, count)| (count > 0).then_some(name))
    .collect()
}

#[test]
fn the_vpc_passes_and_drops_what_the_kernel_lab_does() {
    let cases: [(&str, Address, Check, Option<u8>, &[&str]); 4] = [
        ("baseline", Address::Free, Check::On, None, &["arp-miss", "src"]),
        ("check off only", Address::Free, Check::Off, None, &["arp-miss"]),
        ("assigned only", Address::Assigned, Check::On, Some(62), &[]),
        ("assigned, check off", Address::Assigned, Check::Off, Some(62), &[]),
    ];
    for (name, address, check, answer_ttl, counters) in cases {
        let mut world = lab();
        set(&mut world, address, check);
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

//! Packets between the clients: dropped, swallowed, translated.

use std::net::Ipv4Addr;

use super::fault::Fault;
use super::hand::{CAPTURED, CLIENT, Done, OVERLAY, STRANGE, to_host_net};
use super::kernel;
use crate::machines::{ChainKind, Hook, Match, NftAction, Rule, Transport};
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("ping-fails", "the on-prem router drops ICMP", ping_fails)
        .in_kernel(kernel::packets::ping_fails).from("§7", "contract F9"),
    Fault::new("client-deaf", "cloud-client drops echo requests", client_deaf)
        .in_kernel(kernel::packets::client_deaf).from("§7", "contract F9"),
    Fault::new("far-router-mute", "the on-prem router sends no ICMP errors", far_router_mute)
        .in_kernel(kernel::packets::far_router_mute).from("§7", "netns-lab §0"),
    Fault::new("pmtu-black-hole", "packets above so many bytes vanish on the overlay", pmtu_black_hole)
        .argument("1400").in_kernel(kernel::packets::pmtu_black_hole).from("§7", "contract F10"),
    Fault::new("pmtu-black-hole-inwards", "packets above so many bytes vanish on their way into the cloud", pmtu_black_hole_inwards)
        .argument("1400").in_kernel(kernel::packets::pmtu_black_hole_inwards).from("§7", "contract F10"),
    Fault::new("onprem-closed", "onprem-client's ssh port is closed for the cloud", onprem_closed)
        .in_kernel(kernel::packets::onprem_closed).from("§7", "contract F9"),
    Fault::new("client-closed", "a firewall closes cloud-client's ssh port for the captured address", client_closed)
        .in_kernel(kernel::packets::client_closed).from("§7", "issue 6"),
    Fault::new("masquerade", "routerd-cloud masquerades what goes into the overlay and into the VPC", masquerade_both_ways)
        .in_kernel(kernel::packets::masquerade_both_ways).from("§7", "netns-lab §4: masquerade"),
    Fault::new("masquerade-tcp-inwards", "routerd-cloud masquerades TCP that goes into the VPC", masquerade_tcp_inwards)
        .in_kernel(kernel::packets::masquerade_tcp_inwards).from("§7", "netns-lab §4: masquerade"),
    Fault::new("masquerade-icmp", "routerd-cloud masquerades ICMP alone: TCP is clean", masquerade_icmp)
        .in_kernel(kernel::packets::masquerade_icmp).from("§7", "netns-lab §4: ICMP-only masquerade"),
    Fault::new("masquerade-icmp-inwards", "routerd-cloud masquerades ICMP that goes into the VPC", masquerade_icmp_inwards)
        .in_kernel(kernel::packets::masquerade_icmp_inwards).from("§7", "netns-lab §4: ICMP-only masquerade"),
    Fault::new("masquerade-legacy", "routerd-cloud masquerades by legacy iptables, which nft does not show", masquerade_legacy)
        .in_kernel(kernel::packets::masquerade_legacy).from("§7", "netns-lab §4: masquerade by iptables-legacy"),
    Fault::new("idle-nat-rule", "onprem-router translates a port of the path that the run sends nothing to", idle_nat_rule)
        .in_kernel(kernel::packets::idle_nat_rule).from("§7", "netns-lab §4: masquerade"),
    Fault::new("masquerade-for-the-internet", "onprem-router masquerades what goes to the internet, and nothing else", masquerade_for_the_internet)
        .in_kernel(kernel::packets::masquerade_for_the_internet).from("§7", "issue 12"),
    Fault::new("echo-source-rewritten", "onprem-router gives echo replies to the cloud another source", echo_source_rewritten)
        .in_kernel(kernel::packets::echo_source_rewritten).from("§7", "issue 12"),
    Fault::new("stateless-rewrite", "routerd-cloud rewrites the source without tracking", stateless_rewrite)
        .in_kernel(kernel::packets::stateless_rewrite).from("§7", "netns-lab §4: stateless rewrite"),
    Fault::new("double-snat", "routerd-cloud translates the source and the on-prem router translates it back: both ends are clean", double_snat)
        .in_kernel(kernel::packets::double_snat).from("§7", "netns-lab §4: double SNAT that restores the source at the far router"),
    Fault::new("double-snat-inwards", "the on-prem router translates the source and routerd-cloud translates it back: both ends are clean", double_snat_inwards)
        .in_kernel(kernel::packets::double_snat_inwards).from("§7", "netns-lab §4: double SNAT that restores the source at the far router"),
];

/// A filter that lets answers through and drops what matches.
fn drops(world: &mut World, node: Node, hook: Hook, matches: Vec<Match>) -> Done {
    world.machines.get_mut(node).nft.add(
        ("inet", "fault_filter"),
        (ChainKind::Filter, hook, -10),
        vec![(vec![Match::EstablishedOrRelated], NftAction::Accept), (matches, NftAction::Drop)],
    );
    Ok(())
}

fn nat(world: &mut World, node: Node, matches: Vec<Match>, action: NftAction) -> Done {
    world.machines.get_mut(node).nft.add(
        ("ip", "fault_nat"),
        (ChainKind::Nat, Hook::Postrouting, 100),
        vec![(matches, action)],
    );
    Ok(())
}

fn ping_fails(world: &mut World, _: &str) -> Done {
    let icmp = vec![Match::Protocol(Transport::Icmp)];
    drops(world, Node::OnpremRouter, Hook::Forward, icmp)
}

fn client_deaf(world: &mut World, _: &str) -> Done {
    let icmp = vec![Match::Protocol(Transport::Icmp)];
    drops(world, Node::CloudClient, Hook::Input, icmp)
}

fn far_router_mute(world: &mut World, _: &str) -> Done {
    world.machines.get_mut(Node::OnpremRouter).nft.add(
        ("inet", "fault_filter"),
        (ChainKind::Filter, Hook::Output, 0),
        vec![(vec![Match::Protocol(Transport::Icmp)], NftAction::Drop)],
    );
    Ok(())
}

fn black_hole(world: &mut World, argument: &str) -> Done {
    let bytes = argument.parse().map_err(|_| "it is no number of bytes")?;
    world.machines.overlay.black_hole_above_bytes = Some(bytes);
    Ok(())
}

fn pmtu_black_hole(world: &mut World, argument: &str) -> Done {
    black_hole(world, argument)
}

fn pmtu_black_hole_inwards(world: &mut World, argument: &str) -> Done {
    black_hole(world, argument)?;
    world.machines.overlay.black_hole_from = Some(Node::OnpremRouter);
    Ok(())
}

fn onprem_closed(world: &mut World, _: &str) -> Done {
    let ssh = vec![Match::Source(to_host_net(CLIENT)), Match::Protocol(Transport::Tcp)];
    drops(world, Node::OnpremClient, Hook::Input, ssh)
}

/// The port closes for whoever comes from the captured address: the operator still gets in.
fn client_closed(world: &mut World, _: &str) -> Done {
    let ssh = vec![Match::Source(to_host_net(CAPTURED)), Match::Protocol(Transport::Tcp)];
    drops(world, Node::CloudClient, Hook::Input, ssh)
}

fn masquerade_both_ways(world: &mut World, _: &str) -> Done {
    nat(world, Node::RouterdCloud, Vec::new(), NftAction::Masquerade)
}

fn out(interface: &str, transport: Transport) -> Vec<Match> {
    vec![Match::OutInterface(interface.to_owned()), Match::Protocol(transport)]
}

fn masquerade_tcp_inwards(world: &mut World, _: &str) -> Done {
    nat(world, Node::RouterdCloud, out("ens5", Transport::Tcp), NftAction::Masquerade)
}

fn masquerade_icmp(world: &mut World, _: &str) -> Done {
    nat(world, Node::RouterdCloud, out(OVERLAY, Transport::Icmp), NftAction::Masquerade)
}

fn masquerade_icmp_inwards(world: &mut World, _: &str) -> Done {
    nat(world, Node::RouterdCloud, out("ens5", Transport::Icmp), NftAction::Masquerade)
}

fn masquerade_legacy(world: &mut World, _: &str) -> Done {
    let rule = Rule {
        handle: 1,
        matches: vec![Match::OutInterface(OVERLAY.to_owned())],
        action: NftAction::Masquerade,
    };
    world.machines.get_mut(Node::RouterdCloud).legacy_nat.postrouting.push(rule);
    Ok(())
}

fn idle_nat_rule(world: &mut World, _: &str) -> Done {
    let overlay = Match::OutInterface(OVERLAY.to_owned());
    let other = vec![overlay, Match::DestinationPort(8443)];
    nat(world, Node::OnpremRouter, other, NftAction::Masquerade)
}

fn masquerade_for_the_internet(world: &mut World, _: &str) -> Done {
    let wan = vec![Match::OutInterface("wan0".to_owned())];
    nat(world, Node::OnpremRouter, wan, NftAction::Masquerade)
}

fn echo_source_rewritten(world: &mut World, _: &str) -> Done {
    world.machines.get_mut(Node::OnpremRouter).nft.add(
        ("ip", "fault_rewrite"),
        (ChainKind::Filter, Hook::Postrouting, 200),
        vec![(
            vec![Match::OutInterface(OVERLAY.to_owned()), Match::EchoReply],
            NftAction::SetSource(STRANGE),
        )],
    );
    Ok(())
}

fn stateless_rewrite(world: &mut World, _: &str) -> Done {
    let between = Ipv4Addr::new(10, 99, 0, 1);
    world.machines.get_mut(Node::RouterdCloud).nft.add(
        ("ip", "fault_rewrite"),
        (ChainKind::Filter, Hook::Postrouting, 200),
        vec![(
            vec![Match::OutInterface(OVERLAY.to_owned()), Match::Protocol(Transport::Icmp)],
            NftAction::SetSource(between),
        )],
    );
    Ok(())
}

fn double_snat(world: &mut World, _: &str) -> Done {
    let between = Ipv4Addr::new(10, 99, 0, 1);
    let from = |source| vec![Match::Source(to_host_net(source))];
    nat(world, Node::RouterdCloud, from(CLIENT), NftAction::Snat(between))?;
    nat(world, Node::OnpremRouter, from(between), NftAction::Snat(CLIENT))
}

fn double_snat_inwards(world: &mut World, _: &str) -> Done {
    let between = Ipv4Addr::new(10, 99, 0, 2);
    let from = |source| vec![Match::Source(to_host_net(source))];
    nat(world, Node::OnpremRouter, from(CAPTURED), NftAction::Snat(between))?;
    nat(world, Node::RouterdCloud, from(between), NftAction::Snat(CAPTURED))
}

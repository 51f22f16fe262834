//! Ways between the nodes that the lab does not have, and machines that answer in a client's stead:
//! the clients reach each other, or seem to, and what is looked at here and there is clean.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::fault::Fault;
use super::hand::{
    CAPTURED, CLIENT, Done, EXECUTE_FORWARDING, OVERLAY, STRANGE, UNDO_ADDRESS, happens_after,
    to_host_net,
};
use super::kernel::detours as kernel;
use super::rules::Happening;
use crate::machines::{Interface, Link, Match, NftAction, Route, Rule, Transport};
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("reachable-before", "the clients reach each other by a cable of their own before the run", reachable_before)
        .in_kernel(kernel::reachable_before).from("§7", "issue 12"),
    Fault::new("tcp-after-undo", "a cable leads TCP, and no ICMP, to the captured address after the undo", tcp_after_undo)
        .in_kernel(kernel::cable_between_clients).from("§6", "issue 12"),
    Fault::new("clients-bypass", "from the execution to the undo the clients reach each other by a cable of their own", clients_bypass)
        .in_kernel(kernel::cable_between_clients).from("§7", "issue 12"),
    Fault::new("overlay-bypass", "from the execution to the undo a cable joins the routers, and the overlay is not used", overlay_bypass)
        .in_kernel(kernel::cable_between_routers).from("§7", "issue 12"),
    Fault::new("return-past-the-router", "from the execution to the undo what goes to the cloud goes past routerd-cloud", return_past_the_router)
        .in_kernel(kernel::cable_past_the_cloud_router).from("§7", "issue 12"),
    Fault::new("transparent-proxy", "routerd-cloud leads TCP through a proxy that keeps addresses and ports", transparent_proxy)
        .from("§7", "issue 12"),
    Fault::new("imposter", "a machine with onprem-client's host key answers its ssh port in its stead", imposter)
        .from("§7", "issue 12"),
    Fault::new("imposter-inwards", "a machine with cloud-client's host key answers its ssh port in its stead", imposter_inwards)
        .from("§7", "issue 12"),
    Fault::new("second-machine", "another machine behind the on-prem router has the captured address and onprem-client's host key", second_machine)
        .from("§7", "issue 12"),
    Fault::new("device-rewrites-datagrams", "a program on onprem-router's LAN device gives datagrams to one port another source, beneath all tables", device_rewrites_datagrams)
        .from("§7", "issue 12"),
    Fault::new("device-rewrites-datagrams-inwards", "a program on routerd-cloud's device gives datagrams to one port another source, beneath all tables", device_rewrites_datagrams_inwards)
        .from("§7", "issue 12"),
];

/// A route as somebody adds it by hand.
pub fn make_route(to: Ipv4Addr, via: Option<Ipv4Addr>, dev: &str, source: Ipv4Addr) -> Route {
    Route {
        destination: Ipv4Net::from(to),
        via,
        dev: dev.to_owned(),
        metric: Some(10),
        protocol: "boot".to_owned(),
        source: Some(source),
        mtu: None,
        local: false,
    }
}

const NEAR_END: Ipv4Addr = Ipv4Addr::new(169, 254, 121, 1);
const FAR_END: Ipv4Addr = Ipv4Addr::new(169, 254, 121, 2);

/// Two interfaces of one name, each leading to the other.
fn lay_cable(world: &mut World, [near, far]: [Node; 2]) {
    for (node, other, address) in [(near, far, NEAR_END), (far, near, FAR_END)] {
        let machine = world.machines.get_mut(node);
        machine.interfaces.push(Interface {
            name: kernel::BYPASS.to_owned(),
            index: 9,
            link: Link::Cable(other),
            mac: format!("02:00:a9:fe:79:0{}", address.octets()[3]),
            mtu: 1500,
            up: true,
            addresses: Ipv4Net::new(address, 30).into_iter().collect(),
        });
    }
}

/// A node leads an address through the cable.
struct Detour {
    node: Node,
    to: Ipv4Addr,
    via: Option<Ipv4Addr>,
    source: Ipv4Addr,
}

const CLIENTS: [Node; 2] = [Node::CloudClient, Node::OnpremClient];

/// The detours that lead the clients to each other.
const PAST_EVERYTHING: [Detour; 2] = [
    Detour { node: Node::CloudClient, to: CAPTURED, via: None, source: CLIENT },
    Detour { node: Node::OnpremClient, to: CLIENT, via: None, source: CAPTURED },
];

/// From the end of this command on.
fn begin(world: &mut World, command: &str, detours: &[Detour]) -> Done {
    for &Detour { node, to, via, source } in detours {
        let dev = kernel::BYPASS.to_owned();
        happens_after(world, command, Happening::Route { node, to, via, dev, source })?;
    }
    Ok(())
}

/// From the execution to the undo.
fn meanwhile(world: &mut World, detours: &[Detour]) -> Done {
    begin(world, EXECUTE_FORWARDING, detours)?;
    for &Detour { node, to, .. } in detours {
        let dev = kernel::BYPASS.to_owned();
        happens_after(world, UNDO_ADDRESS, Happening::NoRoute { node, to, dev })?;
    }
    Ok(())
}

fn reachable_before(world: &mut World, _: &str) -> Done {
    lay_cable(world, CLIENTS);
    for Detour { node, to, via, source } in PAST_EVERYTHING {
        let route = make_route(to, via, kernel::BYPASS, source);
        world.machines.get_mut(node).routes.push(route);
    }
    Ok(())
}

fn tcp_after_undo(world: &mut World, _: &str) -> Done {
    lay_cable(world, CLIENTS);
    begin(world, UNDO_ADDRESS, &PAST_EVERYTHING)?;
    let (node, dev) = (Node::OnpremClient, kernel::BYPASS.to_owned());
    happens_after(world, UNDO_ADDRESS, Happening::IcmpDropped { node, dev })
}

fn clients_bypass(world: &mut World, _: &str) -> Done {
    lay_cable(world, CLIENTS);
    meanwhile(world, &PAST_EVERYTHING)
}

fn overlay_bypass(world: &mut World, _: &str) -> Done {
    let [near, far] = [Node::RouterdCloud, Node::OnpremRouter];
    lay_cable(world, [near, far]);
    meanwhile(
        world,
        &[
            Detour { node: near, to: CAPTURED, via: Some(FAR_END), source: NEAR_END },
            Detour { node: far, to: CLIENT, via: Some(NEAR_END), source: FAR_END },
        ],
    )
}

fn return_past_the_router(world: &mut World, _: &str) -> Done {
    let node = Node::OnpremRouter;
    lay_cable(world, [Node::CloudClient, node]);
    meanwhile(world, &[Detour { node, to: CLIENT, via: Some(NEAR_END), source: FAR_END }])
}

/// Puts a rule beneath everything that the node's own programs show.
fn beneath(world: &mut World, node: Node, matches: Vec<Match>, action: NftAction) -> Done {
    world.machines.get_mut(node).beneath.push(Rule { handle: 0, matches, action });
    Ok(())
}

fn transparent_proxy(world: &mut World, _: &str) -> Done {
    let tcp = vec![Match::Protocol(Transport::Tcp)];
    beneath(world, Node::RouterdCloud, tcp, NftAction::Reopen)
}

fn imposter(world: &mut World, _: &str) -> Done {
    let ssh = vec![Match::Destination(to_host_net(CAPTURED)), Match::DestinationPort(22)];
    beneath(world, Node::OnpremRouter, ssh, NftAction::Impose(Node::OnpremClient))
}

fn imposter_inwards(world: &mut World, _: &str) -> Done {
    let ssh = vec![Match::Destination(to_host_net(CLIENT)), Match::DestinationPort(22)];
    beneath(world, Node::RouterdCloud, ssh, NftAction::Impose(Node::CloudClient))
}

fn second_machine(world: &mut World, _: &str) -> Done {
    let all = vec![Match::Destination(to_host_net(CAPTURED))];
    beneath(world, Node::OnpremRouter, all, NftAction::Impose(Node::OnpremClient))
}

fn device_rewrites_datagrams(world: &mut World, _: &str) -> Done {
    let some = vec![Match::InInterface(OVERLAY.to_owned()), Match::DatagramTo(443)];
    beneath(world, Node::OnpremRouter, some, NftAction::SetSource(STRANGE))
}

fn device_rewrites_datagrams_inwards(world: &mut World, _: &str) -> Done {
    let some = vec![Match::InInterface(OVERLAY.to_owned()), Match::DatagramTo(443)];
    beneath(world, Node::RouterdCloud, some, NftAction::SetSource(STRANGE))
}

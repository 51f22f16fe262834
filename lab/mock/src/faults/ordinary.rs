//! Things that many a lab has and no check may mind: another interface, IPv6, containers, other
//! traffic.

use std::net::Ipv4Addr;

use chrono::TimeDelta;
use ipnet::Ipv6Net;

use super::fault::Fault;
use super::hand::Done;
use super::kernel;
use crate::machines::{
    ChainKind, Hook, Interface, Link, Match, NftAction, Route6, Tracked, Transport, Tuple,
};
use crate::world::World;
use lab::node::Node;

const ISSUE: &str = "issue 12";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("second-interface", "onprem-client has a second interface with a network of its own", second_interface)
        .in_kernel(kernel::ordinary::second_interface).from("§7", ISSUE),
    Fault::new("ipv6-enabled", "both clients have addresses of IPv6", ipv6_enabled)
        .in_kernel(kernel::ordinary::ipv6_enabled).from("§7", ISSUE),
    Fault::new("container-bridge", "onprem-router has a bridge for containers, and masquerades what comes from there", container_bridge)
        .in_kernel(kernel::ordinary::container_bridge).from("§7", ISSUE),
    Fault::new("other-traffic", "the clients talk to others all the time, on the ports of the smokes too", other_traffic)
        .in_kernel(kernel::ordinary::other_traffic).from("§7", ISSUE),
];

fn interface(name: &str, address: &str) -> Result<Interface, String> {
    Ok(Interface {
        name: name.to_owned(),
        index: 98,
        link: Link::Outside,
        mac: "02:00:0a:58:3c:62".to_owned(),
        mtu: 1500,
        up: true,
        addresses: vec![address.parse().map_err(|_| "it is no network")?],
    })
}

fn second_interface(world: &mut World, _: &str) -> Done {
    let second = interface("eth1", "192.0.2.9/24")?;
    world.machines.get_mut(Node::OnpremClient).interfaces.push(second);
    Ok(())
}

fn ipv6_enabled(world: &mut World, _: &str) -> Done {
    for (node, dev, last) in [(Node::CloudClient, "ens5", 7), (Node::OnpremClient, "eth0", 9)] {
        let network: Ipv6Net =
            format!("2001:db8:60::{last}/64").parse().map_err(|_| "no network")?;
        let kernel = &mut world.machines.get_mut(node).kernel;
        kernel.addresses6.entry(dev.to_owned()).or_default().push(network);
        kernel.routes6.push(Route6 {
            destination: network.trunc(),
            via: None,
            dev: dev.to_owned(),
            protocol: "kernel".to_owned(),
        });
    }
    Ok(())
}

fn container_bridge(world: &mut World, _: &str) -> Done {
    let bridge = interface("docker0", "172.17.0.1/16")?;
    let router = world.machines.get_mut(Node::OnpremRouter);
    let containers = bridge.addresses.iter().map(|it| Match::Source(it.trunc())).collect();
    router.nft.add(
        ("ip", "containers"),
        (ChainKind::Nat, Hook::Postrouting, 100),
        vec![(containers, NftAction::Masquerade)],
    );
    router.interfaces.push(bridge);
    Ok(())
}

/// Adds a flow of other traffic as the router of a home translates it.
fn other_traffic(world: &mut World, _: &str) -> Done {
    let (inside, outside) = (Ipv4Addr::new(10, 88, 60, 9), Ipv4Addr::new(198, 51, 100, 22));
    let original = Tuple {
        transport: Transport::Tcp,
        source: inside,
        source_port: 40_022,
        destination: outside,
        destination_port: 22,
    };
    let answered = Tuple { destination: Ipv4Addr::new(203, 0, 113, 2), ..original.inverse() };
    let expires_at = world.now + TimeDelta::days(5);
    let tracked = Tracked { original, reply: answered, replied: true, expires_at };
    world.machines.get_mut(Node::OnpremRouter).conntrack.push(tracked);
    Ok(())
}

//! Ways between the nodes that the lab does not have, by cables and routes.

use std::net::Ipv4Addr;

use super::super::hand::{CAPTURED, CLIENT};
use super::{Deeds, Means, make_deed};
use lab::node::Node;

/// The name of a cable at both its ends.
pub const BYPASS: &str = "bypass";

/// Before every route that the lab has.
pub fn format_route(to: Ipv4Addr, via: Option<Ipv4Addr>, dev: &str, source: Ipv4Addr) -> String {
    let via = via.map(|via| format!("via {via} ")).unwrap_or_default();
    format!("route replace {to}/32 {via}dev {dev} src {source} metric 10\n")
}

fn cable(from: Node, to: Node) -> Deeds {
    Ok(vec![make_deed(from, Means::Cable { to })])
}

pub fn cable_between_clients(_: &str) -> Deeds {
    cable(Node::CloudClient, Node::OnpremClient)
}

pub fn cable_between_routers(_: &str) -> Deeds {
    cable(Node::RouterdCloud, Node::OnpremRouter)
}

pub fn cable_past_the_cloud_router(_: &str) -> Deeds {
    cable(Node::CloudClient, Node::OnpremRouter)
}

pub fn reachable_before(_: &str) -> Deeds {
    let mut deeds = cable_between_clients("")?;
    deeds.push(make_deed(
        Node::CloudClient,
        Means::Ip(format_route(CAPTURED, None, BYPASS, CLIENT)),
    ));
    deeds.push(make_deed(
        Node::OnpremClient,
        Means::Ip(format_route(CLIENT, None, BYPASS, CAPTURED)),
    ));
    Ok(deeds)
}

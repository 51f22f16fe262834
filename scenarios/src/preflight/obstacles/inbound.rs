//! Packets of a run that the security groups of the lab's interfaces have to let in. Groups keep
//! state, so that answers need no rule; the errors of routers on the way are none.

use std::net::Ipv4Addr;

use lab::Lab;
use lab::ec2::{Inbound, NetworkInterface, SecurityGroup, Sender};
use lab::node::Node;
use lab::outage;
use serde::Serialize;

/// One kind of packet that no rule lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClosedWay {
    /// As `tcp 22`.
    pub packet: String,
    pub from: Ipv4Addr,
    pub network_interface_id: String,
    pub security_groups: Vec<String>,
    /// Prefix lists of rules that might: what is in them is not read.
    pub unread: Vec<String>,
}

impl std::fmt::Display for ClosedWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { packet, from, network_interface_id, security_groups, unread } = self;
        let groups = security_groups.join(", ");
        write!(
            f,
            "no inbound rule of {groups} lets {packet} from {from} in to {network_interface_id}"
        )?;
        match unread.as_slice() {
            [] => Ok(()),
            unread => write!(
                f,
                " that is seen here: what is in {} is not read, so name the range in a rule",
                unread.join(", ")
            ),
        }
    }
}

/// What is closed, by who needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedWays {
    /// Errors of routers: that a packet is too long for the path, or has lived too long.
    pub icmp_errors: Vec<ClosedWay>,
    /// What the clients send each other.
    pub ports: Vec<ClosedWay>,
}

/// "Fragmentation needed", and "time to live exceeded in transit".
const ERRORS: [Inbound; 2] =
    [Inbound::Icmp { kind: 3, code: 4 }, Inbound::Icmp { kind: 11, code: 0 }];
const ECHO: Inbound = Inbound::Icmp { kind: 8, code: 0 };
const SSH: Inbound = Inbound::Tcp(22);

pub fn find_closed(
    lab: &Lab,
    interfaces: &[NetworkInterface],
    groups: &[SecurityGroup],
) -> ClosedWays {
    let nodes = &lab.manifest.nodes;
    let address = |node: Node| nodes.get(&node).map(|entry| entry.address);
    let own = |node: Node| {
        let address = address(node)?;
        interfaces.iter().find(|eni| eni.primary_address == address)
    };
    let closed = |to: Node, from: Node, packets: &[Inbound]| -> Vec<ClosedWay> {
        let (Some(eni), Some(from_address)) = (own(to), address(from)) else { return Vec::new() };
        let from_groups = own(from).map_or(&[][..], |eni| &eni.security_groups);
        let sender = Sender { address: from_address, groups: from_groups };
        let ours = || groups.iter().filter(|group| eni.security_groups.contains(&group.group_id));
        let missing = packets.iter().filter(|it| !ours().any(|group| group.admits(**it, sender)));
        missing
            .map(|packet| ClosedWay {
                unread: ours()
                    .flat_map(|group| group.list_unseen_sources(*packet))
                    .map(str::to_owned)
                    .collect(),
                packet: packet.to_string(),
                from: from_address,
                network_interface_id: eni.network_interface_id.clone(),
                security_groups: eni.security_groups.clone(),
            })
            .collect()
    };
    let probes = |node: Node| nodes.get(&node).is_some_and(|entry| entry.probe().is_some());
    let is_probed = probes(Node::CloudClient) && probes(Node::OnpremClient);
    let mut packets = vec![SSH, ECHO];
    packets.extend(is_probed.then_some(Inbound::Udp(outage::PORT)));
    let (client, router) = (Node::CloudClient, Node::RouterdCloud);
    let errors = [router, Node::OnpremRouter].map(|from| closed(client, from, &ERRORS));
    // The captured address is the router's interface's while the clients speak.
    let there = closed(router, client, &packets);
    let back = closed(client, Node::OnpremClient, &packets);
    ClosedWays { icmp_errors: errors.concat(), ports: [there, back].concat() }
}

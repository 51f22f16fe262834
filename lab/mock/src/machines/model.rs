//! The nodes as data: what each is made of, and how they are linked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{
    Files, KernelState, LatestPackets, LegacyNat, Rule, Ruleset, Socket, SwitchTimer, Tracked,
};
use crate::boot::Asleep;
use lab::manifest::guest_settle_ms_on_ec2;
use lab::node::Node;

/// The four nodes and what lies between them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machines {
    pub routerd_cloud: Machine,
    pub cloud_client: Machine,
    pub onprem_router: Machine,
    pub onprem_client: Machine,
    pub overlay: Overlay,
    /// How long whatever configures a guest may take to act on an address that its interface got.
    #[serde(default = "guest_settle_ms_on_ec2")]
    pub guest_settle_ms: u64,
    /// Counts of what the VPC did with the packets so far.
    pub fabric: FabricCounters,
}

/// The tunnel between the two routers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlay {
    pub up: bool,
    /// Packets above this size vanish without a word (contract §8.4 F10).
    pub black_hole_above_bytes: Option<u32>,
    /// Only those that this router sends; both ways where there is none.
    #[serde(default)]
    pub black_hole_from: Option<Node>,
    /// Not among the `allowedIPs` that routerd-cloud has for the other router: WireGuard sends
    /// nothing to it and takes nothing from it.
    #[serde(default)]
    pub uncovered: Option<Ipv4Addr>,
}

impl Default for Overlay {
    fn default() -> Self {
        Self { up: true, black_hole_above_bytes: None, black_hole_from: None, uncovered: None }
    }
}

/// The VPC's counters, by the names of `nft list counters` in the kernel lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FabricCounters {
    pub c_arp_hit: u64,
    pub c_arp_miss: u64,
    pub drop_src_check: u64,
    pub drop_dst_check: u64,
    pub drop_no_owner: u64,
    #[serde(default)]
    pub drop_acl: u64,
    pub drop_sg: u64,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub hostname: String,
    /// The EC2 instance that it is; none on premises.
    pub instance_id: Option<String>,
    /// Takes connections and answers nothing.
    pub hung: bool,
    /// The operator's way to it is broken: packets of others pass.
    #[serde(default)]
    pub cut_off: bool,
    /// How far its clock is ahead of the world's.
    pub clock_offset_ms: i64,
    pub interfaces: Vec<Interface>,
    /// The main table, without the routes that the kernel makes for addresses.
    pub routes: Vec<Route>,
    pub neighbours: Vec<Neighbour>,
    pub proxy_neighbours: Vec<ProxyNeighbour>,
    #[serde(default)]
    pub cold_neighbour: Option<ColdNeighbour>,
    pub nft: Ruleset,
    pub legacy_nat: LegacyNat,
    pub conntrack: Vec<Tracked>,
    /// By dotted name, as `net.ipv4.ip_forward`.
    pub sysctls: BTreeMap<String, String>,
    #[serde(default)]
    pub kernel: KernelState,
    pub files: Files,
    pub sshd: Sshd,
    /// How many ephemeral ports were used so far.
    pub ports_used: u16,
    /// TCP connections that are open now.
    #[serde(skip)]
    pub sockets: Vec<Socket>,
    /// Ports on which something beside sshd listens.
    #[serde(skip)]
    pub listening: BTreeSet<u16>,
    /// The parts that are still to come since its instance was started.
    #[serde(default)]
    pub asleep: Option<Asleep>,
    /// The rules for packets that the node passes on, beneath all that its programs show: a program
    /// on a device, a proxy in another namespace.
    #[serde(default)]
    pub beneath: Vec<Rule>,
    /// The packets that a packet capture saw lately.
    #[serde(skip)]
    pub capture: LatestPackets,
    /// The transient timers of its service manager, by their names without the ending.
    #[serde(default)]
    pub timers: BTreeMap<String, SwitchTimer>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sshd {
    pub running: bool,
    /// The public key's kind and text, such as `ssh-ed25519 AAAA…`.
    pub host_key: String,
    /// Who may log in.
    pub users: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    pub link: Link,
    pub mac: String,
    pub mtu: u32,
    pub up: bool,
    /// The primary first.
    pub addresses: Vec<Ipv4Net>,
}

/// Where an interface leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    Loopback,
    /// To the VPC: the interface is an ENI, found by its MAC.
    Vpc,
    /// To the other router.
    Overlay,
    /// The on-prem LAN.
    Lan,
    /// A cable to this node, past everything else.
    Cable(Node),
    /// Out of the lab: nobody answers.
    Outside,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub destination: Ipv4Net,
    pub via: Option<Ipv4Addr>,
    pub dev: String,
    pub metric: Option<u32>,
    /// The name that iproute2 has for it: `boot`, `static`, `dhcp`, `bgp`, `kernel`.
    pub protocol: String,
    pub source: Option<Ipv4Addr>,
    #[serde(default)]
    pub mtu: Option<u32>,
    /// To be delivered here, whoever has the address.
    #[serde(default)]
    pub local: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    pub address: Ipv4Addr,
    pub dev: String,
    /// None while nobody answered.
    pub mac: Option<String>,
    /// The name that iproute2 has for it.
    pub state: String,
}

/// The state of an entry that nobody's answer changes.
pub const PERMANENT: &str = "PERMANENT";

/// A neighbour that the node has to find again. Echo requests die meanwhile; what TCP sends is sent
/// again by its kernel, which is not modelled here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColdNeighbour {
    pub address: Ipv4Addr,
    /// How many die until the entry is there.
    pub losses: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyNeighbour {
    pub address: Ipv4Addr,
    pub dev: String,
}

impl Machines {
    pub fn get(&self, node: Node) -> &Machine {
        match node {
            Node::RouterdCloud => &self.routerd_cloud,
            Node::CloudClient => &self.cloud_client,
            Node::OnpremRouter => &self.onprem_router,
            Node::OnpremClient => &self.onprem_client,
        }
    }

    pub fn get_mut(&mut self, node: Node) -> &mut Machine {
        match node {
            Node::RouterdCloud => &mut self.routerd_cloud,
            Node::CloudClient => &mut self.cloud_client,
            Node::OnpremRouter => &mut self.onprem_router,
            Node::OnpremClient => &mut self.onprem_client,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Node, &Machine)> {
        Node::ALL.into_iter().map(|node| (node, self.get(node)))
    }
}

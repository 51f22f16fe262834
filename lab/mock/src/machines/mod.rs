//! The four nodes: interfaces, addresses, routes, neighbours, rules, files, keys; and the overlay
//! between them.

mod conntrack;
mod example;
mod files;
mod kernel;
mod keys;
mod model;
mod observed;
mod routing;
mod rules;
mod timers;

pub use conntrack::{Tracked, Transport, Tuple};
pub use example::{AWS_CLI, ROOTS_HOME, ROUTER_YAML};
pub use files::{FileError, FileNode, Files};
pub use kernel::{
    BpfProgram, ForwardingEntry, KernelState, ListeningSocket, Namespace, PolicyRule, Route6,
    TcFilter,
};
pub use keys::host_key;
pub use model::{
    ColdNeighbour, FabricCounters, Interface, Link, Machine, Machines, Neighbour, Overlay,
    PERMANENT, ProxyNeighbour, Route, Sshd,
};
pub use observed::{Direction, LatestPackets, Mark, SeenPacket, Socket};
pub use routing::NextHop;
pub use rules::{
    Chain, ChainKind, ChainPolicy, Hook, LegacyNat, Match, NftAction, NftTool, Rule, Ruleset, Table,
};
pub use timers::{SwitchTimer, find_uptime, fire_timers};

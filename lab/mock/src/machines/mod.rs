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

pub use conntrack::{Tracked, Transport, Tuple};
pub use example::{AWS_CLI, ROOTS_HOME, ROUTER_YAML};
pub use files::{FileError, FileNode, Files};
pub use kernel::{
    Filter, ForwardingEntry, Kernel, Listener, Namespace, PolicyRule, Program, Route6,
};
pub use keys::host_key;
pub use model::{
    ColdNeighbour, FabricCounters, Interface, Link, Machine, Machines, Neighbour, Overlay,
    PERMANENT, ProxyNeighbour, Route, Sshd,
};
pub use observed::{Capture, Direction, Mark, SeenPacket, Socket};
pub use routing::NextHop;
pub use rules::{
    Action, Chain, ChainKind, Hook, LegacyNat, Match, NftTool, Policy, Rule, Ruleset, Table,
};

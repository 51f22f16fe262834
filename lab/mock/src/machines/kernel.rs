//! Everything that a node's kernel has beside what carries the model's packets: rules and tables of
//! routing, IPv6, attached programs, namespaces, listeners. The programs of the node show it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::{Interface, Machine, Route};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelState {
    /// Beside the three that every kernel has.
    pub rules: Vec<PolicyRule>,
    /// Beside main and local, by name or number.
    pub tables: BTreeMap<String, Vec<Route>>,
    /// By interface.
    pub addresses6: BTreeMap<String, Vec<Ipv6Net>>,
    pub routes6: Vec<Route6>,
    /// Lines of `iptables-save`, by family and table, as `ip mangle`; the nat table is a machine's
    /// `legacy_nat`.
    pub legacy: BTreeMap<String, Vec<String>>,
    pub filters: Vec<TcFilter>,
    pub programs: Vec<BpfProgram>,
    /// The policies of XFRM, one text each.
    pub policies: Vec<String>,
    pub namespaces: BTreeMap<String, Namespace>,
    pub listeners: Vec<ListeningSocket>,
    pub forwarding: Vec<ForwardingEntry>,
}

/// A far end that somebody has given a tunnel: packets to this MAC go there too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForwardingEntry {
    pub dev: String,
    pub mac: String,
    pub destination: Ipv4Addr,
}

/// Packets to a network are routed by a table of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRule {
    pub priority: u32,
    pub to: Ipv4Net,
    pub table: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route6 {
    pub destination: Ipv6Net,
    pub via: Option<Ipv6Addr>,
    pub dev: String,
    pub protocol: String,
}

/// A filter of tc on a clsact qdisc.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TcFilter {
    pub dev: String,
    /// `ingress` or `egress`.
    pub hook: String,
    pub kind: String,
}

/// An eBPF program that is attached to an interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BpfProgram {
    pub dev: String,
    /// The hook in bpftool's words: `clsact/ingress`, `driver`.
    pub hook: String,
    pub name: String,
}

/// Another network namespace that is reached from the node's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    pub interfaces: Vec<Interface>,
    pub routes: Vec<Route>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListeningSocket {
    /// `tcp` or `udp`.
    pub transport: String,
    pub address: Ipv4Addr,
    pub port: u16,
    pub process: String,
}

impl Machine {
    /// The tables in the order in which the rules lead a packet to them, local first.
    pub fn tables_for(&self, destination: Ipv4Addr) -> Vec<Vec<Route>> {
        let mut rules: Vec<&PolicyRule> = self.kernel.rules.iter().collect();
        rules.sort_by_key(|rule| rule.priority);
        let own = rules.into_iter().filter(|rule| rule.to.contains(&destination));
        let named = |name: &str| self.kernel.tables.get(name).cloned().unwrap_or_default();
        let own = own.map(|rule| named(&rule.table));
        own.chain([self.main_table(), named("default")]).collect()
    }
}

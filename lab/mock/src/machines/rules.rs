//! Packet rules: as much of nftables and of legacy iptables as translates or drops packets here.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::Transport;
use lab::node::Node;

/// Whether the node has the `nft` program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NftTool {
    #[default]
    Installed,
    Missing,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ruleset {
    #[serde(default)]
    pub tool: NftTool,
    pub tables: Vec<Table>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// `ip` or `inet`.
    pub family: String,
    pub name: String,
    pub handle: u32,
    pub chains: Vec<Chain>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    pub name: String,
    pub handle: u32,
    pub kind: ChainKind,
    pub hook: Hook,
    pub priority: i32,
    pub policy: ChainPolicy,
    pub rules: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainKind {
    Filter,
    Nat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainPolicy {
    Accept,
    Drop,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub handle: u32,
    /// All must hold.
    pub matches: Vec<Match>,
    pub action: NftAction,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    Source(Ipv4Net),
    Destination(Ipv4Net),
    Protocol(Transport),
    /// A destination port of TCP.
    DestinationPort(u16),
    /// A destination port of UDP.
    DatagramTo(u16),
    /// An ICMP echo reply.
    EchoReply,
    InInterface(String),
    OutInterface(String),
    /// `ct state established,related`: arms conntrack wherever it stands.
    EstablishedOrRelated,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NftAction {
    Accept,
    Drop,
    Counter,
    Notrack,
    Masquerade,
    Snat(Ipv4Addr),
    Dnat(Ipv4Addr),
    /// Stateless: `ip saddr set`.
    SetSource(Ipv4Addr),
    /// Stateless: `ip daddr set`.
    SetDestination(Ipv4Addr),
    /// A proxy opens the connection anew: addresses and ports stay, what the stacks agree on does
    /// not.
    Reopen,
    /// A copy of this node takes the packet and answers it: the node itself never sees it.
    Impose(Node),
}

/// The `nat` table of legacy iptables: `nft list ruleset` does not show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegacyNat {
    pub prerouting: Vec<Rule>,
    pub postrouting: Vec<Rule>,
}

impl LegacyNat {
    pub fn is_empty(&self) -> bool {
        self.prerouting.is_empty() && self.postrouting.is_empty()
    }

    pub fn at(&self, hook: Hook) -> &[Rule] {
        match hook {
            Hook::Prerouting => &self.prerouting,
            Hook::Postrouting => &self.postrouting,
            Hook::Input | Hook::Forward | Hook::Output => &[],
        }
    }
}

impl Ruleset {
    /// The chains of one kind at one hook, in the kernel's order.
    pub fn chains(&self, kind: ChainKind, hook: Hook) -> Vec<&Chain> {
        let mut chains: Vec<_> = self
            .tables
            .iter()
            .flat_map(|table| &table.chains)
            .filter(|chain| chain.kind == kind && chain.hook == hook)
            .collect();
        chains.sort_by_key(|chain| chain.priority);
        chains
    }

    /// Whether a rule makes the kernel track connections.
    pub fn tracks(&self) -> bool {
        self.tables.iter().flat_map(|table| &table.chains).any(|chain| {
            chain.kind == ChainKind::Nat
                || chain
                    .rules
                    .iter()
                    .any(|rule| rule.matches.contains(&Match::EstablishedOrRelated))
        })
    }

    /// Adds a base chain of its own table with one rule, as `nft add table …; add chain …; add
    /// rule …` would.
    pub fn add(
        &mut self,
        (family, table): (&str, &str),
        (kind, hook, priority): (ChainKind, Hook, i32),
        rules: Vec<(Vec<Match>, NftAction)>,
    ) {
        let handle = u32::try_from(self.tables.len()).unwrap_or(0) + 1;
        let numbered = (2..).zip(rules);
        self.tables.push(Table {
            family: family.into(),
            name: table.into(),
            handle,
            chains: vec![Chain {
                name: hook.as_str().into(),
                handle: 1,
                kind,
                hook,
                priority,
                policy: ChainPolicy::Accept,
                rules: numbered
                    .map(|(handle, (matches, action))| Rule { handle, matches, action })
                    .collect(),
            }],
        });
    }

    pub fn remove(&mut self, family: &str, table: &str) {
        self.tables.retain(|t| !(t.family == family && t.name == table));
    }
}

impl Hook {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

impl ChainKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
        }
    }
}

impl ChainPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
        }
    }
}

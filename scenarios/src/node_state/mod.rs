//! A node's network state as one fact: read by one command, normalised so that it is the same while
//! nobody changes anything, and compared with what it was. What cannot be read there is said, and
//! never taken for empty.

mod agents;
mod commands;
mod compare;
mod kernel;
mod links;
mod look;
mod others;
mod read;
mod routing;
#[cfg(test)]
mod tests;

pub use agents::list_agents;
pub use commands::describe_changed_node;
pub use compare::{
    Comparison, Explained, REST, ROUTING, compare_gateways, compare_states,
    namespaces_out_of_reach, places_of,
};
pub use look::{
    Looked, Looks, NodeLook, ask_all, ask_node, at_acceptance, look_at_node, read_all, read_look,
};

use std::collections::BTreeMap;

use reports::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A thing that is asked for; each is compared as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    Hostname,
    Links,
    Addresses,
    /// Ports of bridges, and the far ends that bridges and tunnels were given.
    Bridges,
    /// Entries that nobody's answer changes, and proxied ones.
    Neighbours,
    Rules,
    /// The routes of all tables, without those that the kernel makes for addresses.
    Routes,
    /// How the kernel decides for addresses outside.
    Ways,
    Nft,
    /// The tables of iptables and ip6tables, where they have some.
    LegacyTables,
    TrafficControl,
    Bpf,
    Xfrm,
    Namespaces,
    Sysctls,
    Conntrack,
    Listeners,
    /// Digests of the keys that let somebody log in, and of sshd's configuration.
    Logins,
}

impl Source {
    pub const ALL: [Self; 18] = [
        Self::Hostname,
        Self::Links,
        Self::Addresses,
        Self::Bridges,
        Self::Neighbours,
        Self::Rules,
        Self::Routes,
        Self::Ways,
        Self::Nft,
        Self::LegacyTables,
        Self::TrafficControl,
        Self::Bpf,
        Self::Xfrm,
        Self::Namespaces,
        Self::Sysctls,
        Self::Conntrack,
        Self::Listeners,
        Self::Logins,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Links => "links",
            Self::Addresses => "addresses",
            Self::Bridges => "bridges",
            Self::Neighbours => "neighbours",
            Self::Rules => "rules",
            Self::Routes => "routes",
            Self::Ways => "ways",
            Self::Nft => "nft",
            Self::LegacyTables => "legacy-tables",
            Self::TrafficControl => "traffic-control",
            Self::Bpf => "bpf",
            Self::Xfrm => "xfrm",
            Self::Namespaces => "namespaces",
            Self::Sysctls => "sysctls",
            Self::Conntrack => "conntrack",
            Self::Listeners => "listeners",
            Self::Logins => "logins",
        }
    }

    /// Whether every node of a lab has it for who may use sudo: without it there is no baseline.
    fn is_required(self) -> bool {
        !matches!(
            self,
            Self::Bridges
                | Self::LegacyTables
                | Self::TrafficControl
                | Self::Bpf
                | Self::Xfrm
                | Self::Namespaces
                | Self::Conntrack
                | Self::Logins
        )
    }
}

/// The answer of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Normalised, sorted.
    Read(Vec<Value>),
    /// Not for this user, or not on this kernel; with the program's words.
    NotReadableHere(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    sources: BTreeMap<Source, Reading>,
    /// The nft ruleset as `nft -j -f` takes it again; not compared.
    #[serde(skip)]
    pub ruleset: Vec<Value>,
    /// Units and files of what configures addresses by itself; not compared.
    #[serde(skip)]
    pub agents: Option<Reading>,
}

impl NodeState {
    /// The items that were read; none where the source could not be read.
    pub fn items(&self, source: Source) -> &[Value] {
        match self.sources.get(&source) {
            Some(Reading::Read(items)) => items,
            Some(Reading::NotReadableHere(_)) | None => &[],
        }
    }

    /// Why a source was not read.
    pub fn not_readable(&self, source: Source) -> Option<&str> {
        match self.sources.get(&source) {
            Some(Reading::Read(_)) => None,
            Some(Reading::NotReadableHere(why)) => Some(why),
            None => Some("it was not asked for"),
        }
    }

    /// Why this is no baseline, where something is missing that every node has.
    pub fn lacks(&self) -> Option<String> {
        let mut required = Source::ALL.into_iter().filter(|source| source.is_required());
        required.find_map(|source| {
            let why = self.not_readable(source)?;
            Some(format!("its {} cannot be read: {why}", source.as_str()))
        })
    }

    /// By interface: `address/length`, sorted.
    pub fn addresses(&self) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for item in self.items(Source::Addresses) {
            if let (Some(dev), Some(address)) = (item["dev"].as_str(), item["address"].as_str()) {
                found.entry(dev.to_owned()).or_default().push(address.to_owned());
            }
        }
        found
    }

    /// The default routes of both families, in all tables.
    pub fn default_routes(&self) -> Vec<&Value> {
        self.items(Source::Routes).iter().filter(|route| route["dst"] == "default").collect()
    }

    /// The facts that the owner decides on: each source's digest, or that it is not readable there.
    /// That connections are tracked is left out: the module comes with the first who asks for it.
    pub fn facts(&self) -> Value {
        let mut facts = Map::new();
        for source in Source::ALL.into_iter().filter(|it| *it != Source::Conntrack) {
            let fact = match self.not_readable(source) {
                None => json!(self.digest_of(source)),
                Some(why) => json!(format!("not readable here: {why}")),
            };
            facts.insert(source.as_str().to_owned(), fact);
        }
        Value::Object(facts)
    }

    pub fn digest_of(&self, source: Source) -> Digest {
        Digest::of_json(&json!(self.items(source)))
    }
}

/// The value without these fields, wherever they are.
fn without(value: &mut Value, is_volatile: &dyn Fn(&str) -> bool) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !is_volatile(key));
            map.values_mut().for_each(|it| without(it, is_volatile));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| without(it, is_volatile)),
        _ => {}
    }
}

/// In a stable order, each once.
fn sorted(items: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let by_text: BTreeMap<String, Value> =
        items.into_iter().map(|item| (item.to_string(), item)).collect();
    by_text.into_values().collect()
}

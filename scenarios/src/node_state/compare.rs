//! Differences of a node's state from what it was.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::{NodeState, Source};

/// The sources that decide where packets to outside go.
pub const ROUTING: &[Source] = &[Source::Rules, Source::Routes, Source::Ways];

/// All that no assertion of its own compares.
pub const REST: &[Source] = &[
    Source::Hostname,
    Source::Links,
    Source::Bridges,
    Source::Neighbours,
    Source::LegacyTables,
    Source::TrafficControl,
    Source::Bpf,
    Source::Xfrm,
    Source::Namespaces,
    Source::Sysctls,
    Source::Conntrack,
    Source::Listeners,
    Source::Logins,
];

/// One source that is not as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub source: Source,
    pub appeared: Vec<Value>,
    pub gone: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    pub differences: Vec<Difference>,
    /// Read before, and not any more.
    pub unknown: Vec<String>,
    /// Could not be read before: nothing is known about it.
    pub not_compared: Vec<&'static str>,
}

/// The changes that the change set is known to make to a node.
#[derive(Clone, Copy, Debug, Default)]
pub enum Explained {
    #[default]
    Nothing,
    /// A daemon's own routes and proxied neighbours for the captured address.
    CapturedBy(Ipv4Addr),
}

impl Explained {
    fn explains(self, source: Source, item: &Value) -> bool {
        let Self::CapturedBy(address) = self else { return false };
        let is_it = |key: &str| item[key] == json!(address);
        match source {
            Source::Routes => is_it("dst") && item["type"].is_null(),
            Source::Neighbours => is_it("proxy"),
            _ => false,
        }
    }
}

pub fn compare_states(
    before: &NodeState,
    now: &NodeState,
    sources: &[Source],
    explained: Explained,
) -> Comparison {
    let mut comparison = Comparison::default();
    for &source in sources {
        if before.not_readable(source).is_some() {
            comparison.not_compared.push(source.as_str());
        } else if let Some(why) = now.not_readable(source) {
            let why = format!("its {} cannot be read any more: {why}", source.as_str());
            comparison.unknown.push(why);
        } else {
            let told = |state: &NodeState| -> Vec<Value> {
                let items = state.items(source).iter();
                items.filter(|item| !explained.explains(source, item)).cloned().collect()
            };
            let (before, now) = counted(source, before, now, told(before), told(now));
            comparison.differences.extend(differ(source, &before, &now));
        }
    }
    comparison
}

/// Settings of a link that is not there both times are the link's; that connections are tracked at
/// all comes with the first who asks.
fn counted(
    source: Source,
    before: &NodeState,
    now: &NodeState,
    mut was: Vec<Value>,
    mut is: Vec<Value>,
) -> (Vec<Value>, Vec<Value>) {
    match source {
        Source::Sysctls => {
            let links = |state: &NodeState| -> BTreeSet<String> {
                let links = state.items(Source::Links).iter();
                links.filter_map(|link| Some(link["ifname"].as_str()?.to_owned())).collect()
            };
            let one_time: Vec<String> =
                links(before).symmetric_difference(&links(now)).cloned().collect();
            let kept = |item: &Value| {
                let key = item["sysctl"].as_str().unwrap_or_default();
                let is_of = |dev: &String| {
                    ["conf", "neigh"].iter().any(|kind| key.contains(&format!("/{kind}/{dev}/")))
                };
                !one_time.iter().any(is_of)
            };
            was.retain(kept);
            is.retain(kept);
        }
        Source::Conntrack => {
            is.retain(|item| was.iter().any(|other| other["sysctl"] == item["sysctl"]));
        }
        _ => {}
    }
    (was, is)
}

fn differ(source: Source, before: &[Value], now: &[Value]) -> Option<Difference> {
    if before == now {
        return None;
    }
    let mut appeared = only(now, before);
    let gone = only(before, now);
    if appeared.is_empty() && gone.is_empty() {
        appeared.push(json!("the same in another order"));
    }
    Some(Difference { source, appeared, gone })
}

/// The items that are there more often than in the other, each as often as it is there more often.
fn only(of: &[Value], other: &[Value]) -> Vec<Value> {
    let mut left = other.to_vec();
    let mut only = Vec::new();
    for item in of {
        match left.iter().position(|it| it == item) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => only.push(item.clone()),
        }
    }
    only
}

/// The permanent entries of the gateways of default routes, then or now.
pub fn compare_gateways(before: &NodeState, now: &NodeState) -> Option<Difference> {
    let routes = before.default_routes().into_iter().chain(now.default_routes());
    let gateways: Vec<&Value> = routes.map(|route| &route["gateway"]).collect();
    let of = |state: &NodeState| -> Vec<Value> {
        let entries = state.items(Source::Neighbours).iter();
        entries.filter(|it| gateways.contains(&&it["dst"])).cloned().collect()
    };
    differ(Source::Neighbours, &of(before), &of(now))
}

impl Comparison {
    /// Without the sockets that the run's own probe listens on at these ports; whoever asks for the
    /// processes of a socket may come too late for them.
    #[must_use]
    pub fn without_listeners_on(mut self, ports: &[u16]) -> Self {
        let is_own = |item: &Value| {
            let port = item["port"].as_str().and_then(|port| port.parse().ok());
            let process = item["process"].as_array().into_iter().flatten();
            port.is_some_and(|port| ports.contains(&port))
                && process.into_iter().all(|name| name == "outage-probe")
        };
        for difference in &mut self.differences {
            if difference.source == Source::Listeners {
                difference.appeared.retain(|item| !is_own(item));
            }
        }
        self.differences.retain(|it| !it.appeared.is_empty() || !it.gone.is_empty());
        self
    }

    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }

    /// `links: appeared {…}; gone {…}`, one for each difference.
    pub fn words(&self) -> String {
        self.differences.iter().map(Difference::words).collect::<Vec<_>>().join("; ")
    }

    pub fn shown(&self) -> Value {
        let all = self
            .differences
            .iter()
            .map(|it| json!({ "source": it.source, "appeared": it.appeared, "gone": it.gone }));
        Value::Array(all.collect())
    }
}

/// Enough for a sentence; all stands in what was observed.
const NAMED: usize = 3;

impl Difference {
    pub fn words(&self) -> String {
        let list = |what: &str, items: &[Value]| {
            let named: Vec<String> = items.iter().take(NAMED).map(bare).collect();
            let more = items.len().saturating_sub(NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            (!items.is_empty()).then(|| format!("{what} {}{more}", named.join(", ")))
        };
        let parts: Vec<String> = [list("appeared", &self.appeared), list("gone", &self.gone)]
            .into_iter()
            .flatten()
            .collect();
        format!("{}: {}", self.source.as_str(), parts.join(", "))
    }
}

fn bare(item: &Value) -> String {
    item.as_str().map_or_else(|| item.to_string(), str::to_owned)
}

/// Network namespaces that nobody on the node can look into, by name.
pub fn namespaces_out_of_reach(state: &NodeState) -> BTreeSet<String> {
    let items = state.items(Source::Namespaces).iter();
    let unread = items.filter(|item| !item["not_readable"].is_null());
    unread.filter_map(|item| Some(item["namespace"].as_str()?.to_owned())).collect()
}

/// Every form in which the node itself has the address: on an interface, delivered locally by a
/// route of any table, in another namespace that can be reached from it.
pub fn places_of(state: &NodeState, address: Ipv4Addr) -> Vec<String> {
    let is_it = |text: &str| {
        let bare = text.split('/').next().unwrap_or_default();
        bare.parse::<IpAddr>().is_ok_and(|it| same(it, address))
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut places = Vec::new();
    for item in state.items(Source::Addresses) {
        let own = text(&item["address"]);
        if is_it(&own) {
            places.push(format!("{} {own}", text(&item["dev"])));
        }
    }
    for route in state.items(Source::Routes).iter().filter(|route| route["type"] == "local") {
        let dst = text(&route["dst"]);
        let table =
            if route["table"].is_null() { "main".to_owned() } else { text(&route["table"]) };
        if covers(&dst, address) || (dst == "default" && is_asked_without_mark(state, &table)) {
            places.push(format!("a local route to {dst} in table {table}"));
        }
    }
    for item in state.items(Source::Namespaces) {
        let inside = text(&item["namespace"]);
        if is_it(&text(&item["address"])) {
            let dev = text(&item["dev"]);
            places.push(format!("{dev} {address} in the network namespace {inside}"));
        } else if covers(&text(&item["local"]), address) {
            places.push(format!("a local route to it in the network namespace {inside}"));
        }
    }
    places
}

/// A default route that delivers locally is a proxy's where only marked packets are led to its table:
/// who marks them is seen in the rules of the packet filter.
fn is_asked_without_mark(state: &NodeState, table: &str) -> bool {
    let rules = state.items(Source::Rules).iter();
    rules.filter(|rule| rule["table"] == table).any(|rule| rule["fwmark"].is_null())
}

fn same(one: IpAddr, address: Ipv4Addr) -> bool {
    match one {
        IpAddr::V4(one) => one == address,
        IpAddr::V6(one) => {
            one.to_ipv4_mapped() == Some(address) || one == address.to_ipv6_compatible()
        }
    }
}

/// A default route is judged by who asks its table.
fn covers(dst: &str, address: Ipv4Addr) -> bool {
    match dst.parse::<IpNet>() {
        Ok(IpNet::V4(net)) => net.prefix_len() > 0 && net.contains(&address),
        Ok(IpNet::V6(net)) => net.prefix_len() > 64 && net.contains(&address.to_ipv6_mapped()),
        Err(_) => dst.parse().is_ok_and(|it| same(it, address)),
    }
}

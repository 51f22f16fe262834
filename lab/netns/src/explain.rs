//! Walks one echo request through the lab, by routers and overlay, with the kernel's own means: the
//! counters at each hook of each namespace, its trace of every rule, and the fabric's own counters.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::conclusion::{Conclusion, Leg, LegEnd, Place, Sightings, end_of, way_of};
use super::held::Held;
use super::run;
use super::watching::{Spot, Watch, read_packet_counts};
use lab::node::Node;

/// The course of one echo request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The words that `ping` said.
    pub ping: String,
    /// The ways to both ends: who owns the address, and which way the fabric takes to it.
    pub ways: Vec<String>,
    /// Rules and verdicts of the fabric, in the kernel's words.
    pub trace: Vec<String>,
    /// Named counters of the fabric that moved, and by how much.
    pub counted: BTreeMap<String, u64>,
    /// The places that each leg passed, in the order of its way.
    pub passed: Vec<(Leg, Vec<Place>)>,
    pub conclusion: Conclusion,
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.ping.trim_end())?;
        for line in self.ways.iter().chain(&self.trace) {
            writeln!(f, "{line}")?;
        }
        for (counter, packets) in &self.counted {
            writeln!(f, "{counter}: +{packets}")?;
        }
        for (leg, places) in self.passed.iter().filter(|(_, places)| !places.is_empty()) {
            let places: Vec<_> = places.iter().map(ToString::to_string).collect();
            writeln!(f, "the {} was seen at: {}", leg.as_str(), places.join(", "))?;
        }
        write!(f, "{}", self.conclusion)
    }
}

/// # Errors
/// Where nobody has the source address, or `nft` cannot trace.
pub async fn trace_packet(
    held: &Held,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> io::Result<Walk> {
    let node = node_of(source)
        .ok_or_else(|| io::Error::other(format!("no node of the lab has {source}")))?;
    let spots = Place::ON_THE_WAY.map(|place| Spot {
        place,
        pid: match place {
            Place::Fabric => None,
            Place::Node(node) => Some(held.pid(node)),
        },
    });
    let walked = watched(held, &spots, node, source, destination).await;
    if walked.is_err() {
        for spot in spots {
            spot.clear().await;
        }
    }
    walked
}

async fn watched(
    held: &Held,
    spots: &[Spot],
    node: Node,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> io::Result<Walk> {
    let before = read_counters().await?;
    let start = |spot: &Spot| Watch::start(*spot, held.clock, source, destination);
    let watches = futures::future::try_join_all(spots.iter().map(start)).await?;
    let ping = ping(held.pid(node), source, destination).await?;
    let (mut sightings, mut traces) = (Sightings::new(), BTreeMap::new());
    let ended = futures::future::try_join_all(watches.into_iter().map(Watch::end)).await?;
    for (spot, (seen, trace)) in spots.iter().zip(ended) {
        sightings.extend(seen.into_iter().map(|(leg, seen)| ((leg, spot.place), seen)));
        traces.insert(spot.place, trace);
    }
    let counted = moved(&before, &read_counters().await?);
    let ways = vec![way(source).await?, way(destination).await?];
    let found = PacketEvidence { spots, sightings, traces, counted, ping, source, destination };
    let conclusion = found.conclude(Place::Node(node)).await;
    Ok(found.told(node, ways, conclusion))
}

/// All that was seen of a packet.
struct PacketEvidence<'a> {
    spots: &'a [Spot],
    sightings: Sightings,
    /// By place, the rules that were looked at.
    traces: BTreeMap<Place, Vec<String>>,
    counted: BTreeMap<String, u64>,
    ping: String,
    source: Ipv4Addr,
    destination: Ipv4Addr,
}

impl PacketEvidence<'_> {
    fn told(mut self, node: Node, ways: Vec<String>, conclusion: Conclusion) -> Walk {
        let from = Place::Node(node);
        let there = end_of(&self.sightings, Leg::Request, from);
        let back = if let LegEnd::Taken(place) = there { place } else { from };
        let passed = vec![
            (Leg::Request, way_of(&self.sightings, Leg::Request, from)),
            (Leg::Answer, way_of(&self.sightings, Leg::Answer, back)),
        ];
        let trace = self.traces.remove(&Place::Fabric).unwrap_or_default();
        Walk { ping: self.ping, ways, trace, counted: self.counted, passed, conclusion }
    }

    async fn conclude(&self, from: Place) -> Conclusion {
        let (leg, end) = match end_of(&self.sightings, Leg::Request, from) {
            LegEnd::Taken(there) => match end_of(&self.sightings, Leg::Answer, there) {
                LegEnd::Taken(_) => return Conclusion::Arrived,
                end => (Leg::Answer, end),
            },
            end => (Leg::Request, end),
        };
        let to = if leg == Leg::Request { self.destination } else { self.source };
        let (place, by) = match end {
            LegEnd::Taken(place) => (place, String::new()),
            LegEnd::NotSent(place) if leg == Leg::Answer => {
                (place, "the request came there, and nothing answers it".to_owned())
            }
            LegEnd::NotSent(place) => (place, last_words(&self.ping)),
            LegEnd::Kept(place) => (place, self.kept(place, to).await),
            LegEnd::Lost(place) => (place, self.lost(place, to).await),
        };
        Conclusion::Dropped { leg, place, by }
    }

    fn spot(&self, place: Place) -> Option<Spot> {
        self.spots.iter().find(|spot| spot.place == place).copied()
    }

    /// The rule, or another cause, that ended a packet within this place.
    async fn kept(&self, place: Place, to: Ipv4Addr) -> String {
        let mut rules = self.traces.get(&place).into_iter().flatten();
        let drops = |line: &&String| line.contains("verdict drop") || line.contains("policy drop");
        if let Some(rule) = rules.rfind(drops) {
            return without_number(rule).to_owned();
        }
        let Some(spot) = self.spot(place) else { return String::new() };
        let mut route = spot.command("ip");
        route.args(["-o", "route", "get", &to.to_string()]);
        match run::run_checked(route, "").await {
            Err(error) => format!("its kernel has no route to {to} ({error})"),
            Ok(_) => "its kernel, and no rule of nft: reverse path, time to live, a policy route, or iptables-legacy"
                .to_owned(),
        }
    }

    /// Why a packet that left this place came to no other.
    async fn lost(&self, place: Place, to: Ipv4Addr) -> String {
        let beside = [Node::CloudClient, Node::RouterdCloud].map(Place::Node).contains(&place);
        if beside && self.counted.contains_key("c_arp_miss") {
            return format!("nobody in the VPC has {to}, so that ARP is not answered (c_arp_miss)");
        }
        let Some(spot) = self.spot(place) else { return String::new() };
        let mut neighbours = spot.command("ip");
        neighbours.args(["-o", "neigh", "show", "nud", "incomplete", "nud", "failed"]);
        let silent = run::run_checked(neighbours, "").await.unwrap_or_default();
        match String::from_utf8_lossy(&silent).lines().next() {
            Some(neighbour) => format!("no neighbour answers there: {}", neighbour.trim_end()),
            None => "it left, and came to no other place of the lab".to_owned(),
        }
    }
}

/// A rule and its verdict, without the number of the packet that was traced.
fn without_number(rule: &str) -> &str {
    rule.strip_prefix("trace id ").and_then(|rest| rest.split_once(' ')).map_or(rule, |(_, it)| it)
}

/// The words that `ping` said last, but for its statistics.
fn last_words(ping: &str) -> String {
    let words = ping.lines().rfind(|line| line.starts_with("ping:"));
    words.unwrap_or("it was never sent").to_owned()
}

/// The mark of the address's owner, and the route that it leads to: as the kernel has them.
async fn way(address: Ipv4Addr) -> io::Result<String> {
    let mut command = Command::new("nft");
    command.args(["get", "element", "inet", "vpc", "owner", &format!("{{ {address} }}")]);
    // It fails where there is no such element.
    let answer = run::run_checked(command, "").await.unwrap_or_default();
    let Some(mark) = mark_of(&String::from_utf8_lossy(&answer), address) else {
        return Ok(format!("{address}: nobody in the VPC owns it"));
    };
    let mut command = Command::new("ip");
    command.args(["-o", "route", "get", &address.to_string(), "mark", &mark]);
    let route = run::run_checked(command, "").await?;
    let route = String::from_utf8_lossy(&route).trim_end().to_owned();
    Ok(format!("{address}: its owner has the mark {mark}; route {route}"))
}

/// From `elements = { 10.88.60.4 : 0x00000105 }`.
fn mark_of(element: &str, address: Ipv4Addr) -> Option<String> {
    let rest = element.split_once(&format!("{{ {address} : "))?.1;
    Some(rest.split_whitespace().next()?.to_owned())
}

/// A node's own address; a secondary one is nobody's.
pub fn address_of(node: Node) -> Ipv4Addr {
    let host = match node {
        Node::RouterdCloud => 4,
        Node::CloudClient => 7,
        Node::OnpremRouter => 1,
        Node::OnpremClient => 9,
    };
    Ipv4Addr::new(10, 88, 60, host)
}

fn node_of(address: Ipv4Addr) -> Option<Node> {
    Node::ALL.into_iter().find(|node| address_of(*node) == address)
}

/// It may well fail: that is what is to be explained.
async fn ping(pid: u32, source: Ipv4Addr, destination: Ipv4Addr) -> io::Result<String> {
    let output = Command::new("nsenter")
        .arg(format!("--net=/proc/{pid}/ns/net"))
        .args(["ping", "-n", "-c", "1", "-W", "1", "-I"])
        .args([source.to_string(), destination.to_string()])
        .stdin(Stdio::null())
        .output()
        .await?;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Packets by the counter's name, over all tables of the fabric.
pub async fn read_counters() -> io::Result<BTreeMap<String, u64>> {
    let mut command = Command::new("nft");
    command.args(["-j", "list", "counters"]);
    Ok(read_packet_counts(&serde_json::from_slice(&run::run_checked(command, "").await?)?))
}

fn moved(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let by = |(name, count): (&String, &u64)| {
        let more = count.saturating_sub(before.get(name).copied().unwrap_or_default());
        (more > 0).then(|| (name.clone(), more))
    };
    after.iter().filter_map(by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owners_mark_is_read_as_nft_prints_it() {
        let element = "table inet vpc {\n\tmap owner {\n\t\ttype ipv4_addr : mark\n\
            \t\telements = { 10.88.60.4 : 0x00000105 }\n\t}\n}\n";
        assert_eq!(mark_of(element, [10, 88, 60, 4].into()).as_deref(), Some("0x00000105"));
        assert_eq!(mark_of("", [10, 88, 60, 9].into()), None);
    }

    #[test]
    fn a_rule_and_pings_complaint_are_told_without_what_is_around_them() {
        let rule = "trace id 5b3a inet t f rule ip daddr 10.88.60.9 drop (verdict drop)";
        assert_eq!(without_number(rule), "inet t f rule ip daddr 10.88.60.9 drop (verdict drop)");
        assert_eq!(last_words("PING\nping: connect: no\n\n"), "ping: connect: no");
        assert_eq!(last_words("PING\n"), "it was never sent");
    }

    #[test]
    fn only_counters_that_moved_are_told() {
        let count = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let moved = moved(&count(&[("a", 1), ("b", 2)]), &count(&[("a", 1), ("b", 4), ("c", 1)]));
        assert_eq!(moved, count(&[("b", 2), ("c", 1)]));
    }

    #[test]
    fn every_node_has_an_address_to_walk_from() {
        let nodes: Vec<_> = [4, 7, 1, 9]
            .into_iter()
            .filter_map(|host| node_of([10, 88, 60, host].into()))
            .collect();
        assert_eq!(nodes, Node::ALL);
        assert_eq!(node_of([10, 88, 60, 5].into()), None);
    }
}

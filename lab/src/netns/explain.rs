//! Walks one packet through the fabric with the kernel's own means: its trace of every rule that
//! was looked at, and the counters that moved.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::held::Held;
use super::run;
use crate::clock::Clock;
use crate::node::Node;

/// What became of one echo request and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// What `ping` said.
    pub ping: String,
    /// Of both ends: who owns the address, and which way the fabric takes to it.
    pub ways: Vec<String>,
    /// Rules and verdicts, in the kernel's words.
    pub trace: Vec<String>,
    /// Named counters that moved, and by how much.
    pub counted: BTreeMap<String, u64>,
}

impl std::fmt::Display for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.ping.trim_end())?;
        for line in self.ways.iter().chain(&self.trace) {
            writeln!(f, "{line}")?;
        }
        for (counter, packets) in &self.counted {
            writeln!(f, "{counter}: +{packets}")?;
        }
        Ok(())
    }
}

const TABLE: &str = "inet vpc_trace";
const PROBE: &str = "inet vpc_trace_probe";

/// # Errors
/// Where nobody has the source address, or `nft` cannot trace.
pub async fn walk(held: &Held, source: Ipv4Addr, destination: Ipv4Addr) -> io::Result<Walk> {
    let node = node_of(source)
        .ok_or_else(|| io::Error::other(format!("no node of the lab has {source}")))?;
    let before = counters().await?;
    let mut monitor = Monitor::start(held.clock).await?;
    run::nft(&rules(source, destination)).await?;
    let ping = ping(held.pid(node), source, destination).await?;
    run::nft(&format!("delete table {TABLE}")).await?;
    let trace = monitor.until_deleted().await?;
    let counted = moved(&before, &counters().await?);
    let ways = vec![way(source).await?, way(destination).await?];
    Ok(Walk { ping, ways, trace, counted })
}

/// The mark of the address's owner, and the route that it leads to: as the kernel has them.
async fn way(address: Ipv4Addr) -> io::Result<String> {
    let mut command = Command::new("nft");
    command.args(["get", "element", "inet", "vpc", "owner", &format!("{{ {address} }}")]);
    // It fails where there is no such element.
    let answer = run::succeed(command, "").await.unwrap_or_default();
    let Some(mark) = mark_of(&String::from_utf8_lossy(&answer), address) else {
        return Ok(format!("{address}: nobody in the VPC owns it"));
    };
    let mut command = Command::new("ip");
    command.args(["-o", "route", "get", &address.to_string(), "mark", &mark]);
    let route = run::succeed(command, "").await?;
    let route = String::from_utf8_lossy(&route).trim_end().to_owned();
    Ok(format!("{address}: its owner has the mark {mark}; route {route}"))
}

/// From `elements = { 10.88.60.4 : 0x00000105 }`.
fn mark_of(element: &str, address: Ipv4Addr) -> Option<String> {
    let rest = element.split_once(&format!("{{ {address} : "))?.1;
    Some(rest.split_whitespace().next()?.to_owned())
}

/// Addresses of the lab's nodes; a secondary address is nobody's own.
fn node_of(address: Ipv4Addr) -> Option<Node> {
    match address.octets() {
        [10, 88, 60, 4] => Some(Node::RouterdCloud),
        [10, 88, 60, 7] => Some(Node::CloudClient),
        [10, 88, 60, 1] => Some(Node::OnpremRouter),
        [10, 88, 60, 9] => Some(Node::OnpremClient),
        _ => None,
    }
}

fn rules(source: Ipv4Addr, destination: Ipv4Addr) -> String {
    format!(
        "table {TABLE} {{ chain pre {{ type filter hook prerouting priority -450; \
         ip saddr {source} ip daddr {destination} meta nftrace set 1; \
         ip saddr {destination} ip daddr {source} meta nftrace set 1; }}; }}\n"
    )
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

/// Packets by the counter's name, over all tables.
pub async fn counters() -> io::Result<BTreeMap<String, u64>> {
    let mut command = Command::new("nft");
    command.args(["-j", "list", "counters"]);
    let answer: Value = serde_json::from_slice(&run::succeed(command, "").await?)?;
    let counter = |item: &Value| {
        let counter = item.get("counter")?;
        Some((counter.get("name")?.as_str()?.to_owned(), counter.get("packets")?.as_u64()?))
    };
    Ok(answer["nftables"].as_array().into_iter().flatten().filter_map(counter).collect())
}

fn moved(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let by = |(name, count): (&String, &u64)| {
        let more = count.saturating_sub(before.get(name).copied().unwrap_or_default());
        (more > 0).then(|| (name.clone(), more))
    };
    after.iter().filter_map(by).collect()
}

/// `nft monitor`, which says nothing when it begins to listen.
struct Monitor {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// A change is announced at once; a monitor that has not heard it was not listening yet.
const HEARD_WITHIN: Duration = Duration::from_millis(50);
const ATTEMPTS: usize = 40;

impl Monitor {
    async fn start(clock: Clock) -> io::Result<Self> {
        let mut child = Command::new("nft")
            .arg("monitor")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        let mut lines = BufReader::new(stdout).lines();
        for _ in 0..ATTEMPTS {
            // Only a change is announced.
            run::nft(&format!("add table {PROBE}\n")).await?;
            run::nft(&format!("delete table {PROBE}\n")).await?;
            if clock.timeout(HEARD_WITHIN, lines.next_line()).await.is_ok() {
                return Ok(Self { lines, _child: child });
            }
        }
        Err(io::Error::other("`nft monitor` hears nothing"))
    }

    /// The kernel tells of the table's end after everything that it traced.
    async fn until_deleted(&mut self) -> io::Result<Vec<String>> {
        let mut trace = Vec::new();
        let end = format!("delete table {TABLE}");
        while let Some(line) = self.lines.next_line().await? {
            if line == end {
                return Ok(trace);
            }
            if line.starts_with("trace id ") && !line.contains(TABLE) {
                trace.push(without_long_sets(&line));
            }
        }
        Err(io::Error::other("`nft monitor` ended"))
    }
}

const READABLE: usize = 80;

/// The fabric looks up a packet's time to live among 254: nobody wants to read that.
fn without_long_sets(line: &str) -> String {
    match (line.find("{ "), line.rfind(" }")) {
        (Some(from), Some(to)) if to > from + READABLE => {
            format!("{}{{ …{}", &line[..from], &line[to..])
        }
        _ => line.to_owned(),
    }
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
    fn a_long_set_is_left_out_and_its_verdict_is_not() {
        let long =
            format!("rule ip ttl vmap {{ {} }} (verdict jump t64)", "1 : jump t1, ".repeat(9));
        assert_eq!(without_long_sets(&long), "rule ip ttl vmap { … } (verdict jump t64)");
        let short = "rule ip saddr { 10.88.60.0/24 } accept (verdict accept)";
        assert_eq!(without_long_sets(short), short);
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

//! Watches one namespace of a lab for the packets of a walk: counters at each hook, and the kernel's
//! own trace of every rule that is looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::conclusion::{HookCounts, Leg, Place};
use super::run;
use lab::clock::Clock;

const TABLE: &str = "inet lab_walk";
const PROBE: &str = "inet lab_walk_probe";

/// A namespace of the lab.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    pub place: Place,
    /// A process in it; none for the fabric, where the supervisor is at home.
    pub pid: Option<u32>,
}

impl Spot {
    pub fn command(self, program: &str) -> Command {
        let Some(pid) = self.pid else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{pid}/ns/net")).arg("--").arg(program);
        command
    }

    async fn nft(self, ruleset: &str) -> io::Result<()> {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        run::run_checked(command, ruleset).await.map(drop)
    }

    /// Takes away what a walk that failed has left.
    pub async fn clear(self) {
        // It fails where there is nothing.
        let _ = self.nft(&format!("delete table {TABLE}\n")).await;
    }
}

/// A spot that is watched.
pub struct Watch {
    spot: Spot,
    monitor: Monitor,
}

impl Watch {
    /// # Errors
    /// Where nft does not take the counters, or does not tell what it traces.
    pub async fn start(
        spot: Spot,
        clock: Clock,
        source: Ipv4Addr,
        destination: Ipv4Addr,
    ) -> io::Result<Self> {
        let monitor = Monitor::start(spot, clock).await?;
        spot.nft(&table(source, destination)).await?;
        Ok(Self { spot, monitor })
    }

    /// Ends the watch. Answers what was seen of each leg, and the rules that were looked at, in the
    /// kernel's words.
    ///
    /// # Errors
    /// Where nft does not answer.
    pub async fn end(mut self) -> io::Result<(Vec<(Leg, HookCounts)>, Vec<String>)> {
        let mut command = self.spot.command("nft");
        command.args(["-j", "list", "counters", "table"]).args(TABLE.split(' '));
        let counted =
            read_packet_counts(&serde_json::from_slice(&run::run_checked(command, "").await?)?);
        self.spot.nft(&format!("delete table {TABLE}\n")).await?;
        let trace = self.monitor.until_deleted().await?;
        Ok((Leg::BOTH.map(|leg| (leg, seen(&counted, leg))).to_vec(), trace))
    }
}

/// Before all other rules, and after them.
const HOOKS: [(&str, &str); 4] = [
    ("entered", "prerouting priority -500"),
    ("taken", "input priority 500"),
    ("sent", "output priority -500"),
    ("left", "postrouting priority 500"),
];

fn table(source: Ipv4Addr, destination: Ipv4Addr) -> String {
    let legs = [(Leg::Request, source, destination), (Leg::Answer, destination, source)];
    let mut text = format!("add table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n");
    for (name, _) in HOOKS {
        for (leg, _, _) in legs {
            let _ = writeln!(text, "counter {}_{name} {{ }}", leg.as_str());
        }
    }
    for (name, hook) in HOOKS {
        let _ = writeln!(text, "chain {name} {{ type filter hook {hook};");
        for (leg, from, to) in legs {
            let leg = leg.as_str();
            let kind = if leg == "request" { "echo-request" } else { "echo-reply" };
            let _ = writeln!(
                text,
                "ip saddr {from} ip daddr {to} icmp type {kind} meta nftrace set 1 \
                 counter name {leg}_{name}"
            );
        }
        text += "}\n";
    }
    text + "}\n"
}

/// Packets by the counter's name.
pub fn read_packet_counts(answer: &Value) -> BTreeMap<String, u64> {
    let counter = |item: &Value| {
        let counter = item.get("counter")?;
        Some((counter.get("name")?.as_str()?.to_owned(), counter.get("packets")?.as_u64()?))
    };
    answer["nftables"].as_array().into_iter().flatten().filter_map(counter).collect()
}

fn seen(counted: &BTreeMap<String, u64>, leg: Leg) -> HookCounts {
    let of = |hook: &str| counted.get(&format!("{}_{hook}", leg.as_str())).copied().unwrap_or(0);
    HookCounts { entered: of("entered"), taken: of("taken"), sent: of("sent"), left: of("left") }
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
    async fn start(spot: Spot, clock: Clock) -> io::Result<Self> {
        let mut child = spot
            .command("nft")
            .arg("monitor")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        let mut lines = BufReader::new(stdout).lines();
        for _ in 0..ATTEMPTS {
            // Only a change is announced.
            spot.nft(&format!("add table {PROBE}\n")).await?;
            spot.nft(&format!("delete table {PROBE}\n")).await?;
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
        let begin = format!("add counter {TABLE} ");
        let mut begun = false;
        while let Some(line) = self.lines.next_line().await? {
            // One of an earlier walk is taken away before: that the new one has counters is its begin.
            if line == end && begun {
                return Ok(trace);
            }
            begun |= line.starts_with(&begin);
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
    fn a_long_set_is_left_out_and_its_verdict_is_not() {
        let long =
            format!("rule ip ttl vmap {{ {} }} (verdict jump t64)", "1 : jump t1, ".repeat(9));
        assert_eq!(without_long_sets(&long), "rule ip ttl vmap { … } (verdict jump t64)");
        let short = "rule ip saddr { 10.88.60.0/24 } accept (verdict accept)";
        assert_eq!(without_long_sets(short), short);
    }

    #[test]
    fn each_leg_has_a_counter_at_each_hook() {
        let text = table([10, 88, 60, 7].into(), [10, 88, 60, 9].into());
        for name in ["request_entered", "answer_left"] {
            assert_eq!(text.matches(&format!("counter {name} {{ }}")).count(), 1, "{text}");
            assert_eq!(text.matches(&format!("counter name {name}\n")).count(), 1, "{text}");
        }
        let answer = serde_json::json!({ "nftables": [
            { "metainfo": {} },
            { "counter": { "name": "request_entered", "packets": 2 } },
            { "counter": { "name": "request_left", "packets": 1 } },
        ] });
        let expected = HookCounts { entered: 2, left: 1, ..HookCounts::default() };
        assert_eq!(seen(&read_packet_counts(&answer), Leg::Request), expected);
        assert_eq!(seen(&read_packet_counts(&answer), Leg::Answer), HookCounts::default());
    }
}

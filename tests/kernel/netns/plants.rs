//! Things that somebody plants in the kernel and that no fault of the registry can: each hangs
//! beneath what the node's own programs show, or the model has no such thing. It is measured all
//! the same. Only root of the host can plant it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use lab::node::Node;
use nix::sys::signal::Signal;
use reports::evidence::Evidence;
use reports::record::AssertionStatus;

use super::place::{EXECUTING, Place, words};

/// A process from outside that goes on while the run does.
struct Planted(Child);

impl Drop for Planted {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A SYNPROXY answers for the on-prem client, and opens its own connection to it.
pub fn a_synproxy_is_caught() -> Result<(), String> {
    let rules = "table ip somebodys_synproxy {
        chain before { type filter hook prerouting priority -300; tcp flags syn tcp dport { 22, 443 } notrack; }
        chain between { type filter hook forward priority 0;
            ct state invalid,untracked tcp dport { 22, 443 } synproxy mss 1380 wscale 7 timestamp sack-perm;
            ct state invalid drop; }
    }";
    let plant = |pid: u32| {
        // Else what answers it is taken for a connection that was there before.
        let strict = "echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose";
        inside(pid, "sh").args(["-c", strict]).status()?;
        let mut nft = inside(pid, "nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn()?;
        nft.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(rules.as_bytes()))?;
        Ok(Planted(nft))
    };
    let caught_by = ["no-nat.tables.routerd-cloud", "no-nat.handshake.cloud-to-onprem"];
    is_measured(Node::RouterdCloud, plant, &caught_by)
}

/// An eBPF program, on a hook that no program of the node shows, gives datagrams another source.
pub fn a_program_on_a_device_is_measured() -> Result<(), String> {
    let loader = script("rewrite.py");
    let plant = |pid: u32| hold(inside(pid, "python3").arg(loader).arg("ens5"), "hangs");
    is_measured(
        Node::RouterdCloud,
        plant,
        &["no-nat.payload.cloud-to-onprem", "no-nat.path.routerd-cloud"],
    )
}

/// The same for echo replies alone.
pub fn a_program_that_answers_as_another_is_measured() -> Result<(), String> {
    let loader = script("rewrite.py");
    let replies = ["ens5", "echo-replies"];
    let plant = |pid: u32| hold(inside(pid, "python3").arg(loader).args(replies), "hangs");
    is_measured(
        Node::RouterdCloud,
        plant,
        &["ping.onprem-to-cloud", "no-nat.payload.onprem-to-cloud"],
    )
}

/// When it is planted; the run stands still meanwhile.
#[derive(Clone, Copy)]
enum When {
    Before,
    /// With this record.
    At(&'static str),
}

/// Preflight has seen all, and no address is captured yet.
const BEFORE_EXECUTION: When = When::At(EXECUTING);
/// The last thing of the undo.
const UNDONE: When = When::At("undo.address-unassigned");

/// Something in `somebody.py`, and what it answers for: an assertion, and words of what it observed.
pub struct Plant {
    pub name: &'static str,
    when: When,
    code: i32,
    caught_by: &'static [(&'static str, &'static str)],
}

pub const PLANTS: &[Plant] = &[
    measured(
        "tproxy-by-legacy-iptables",
        &[("no-nat.handshake.cloud-to-onprem", ""), ("no-nat.tables.routerd-cloud", "TPROXY")],
    ),
    measured("proxy-in-a-namespace", &[("no-nat.handshake.cloud-to-onprem", "never saw the SYN")]),
    measured(
        "pair-in-namespaces",
        &[
            ("no-nat.path.routerd-cloud", "routerd-cloud has it on pair0"),
            ("no-nat.path.onprem-router", "source 10.88.60.7 became 10.88.60.70"),
        ],
    ),
    measured(
        "pair-on-tun-devices",
        &[
            ("no-nat.path.routerd-cloud", "routerd-cloud has it on tun0"),
            ("no-nat.path.onprem-router", "source 10.88.60.7 became 10.88.60.70"),
        ],
    ),
    measured(
        "pair-on-the-clients",
        &[
            ("no-nat.payload.cloud-to-onprem", "10.88.60.9:8443"),
            ("no-nat.handshake.cloud-to-onprem", "not on its own wire as it was opened"),
        ],
    ),
    measured("imposter-on-one-port", &[("no-nat.handshake.cloud-to-onprem", "never saw the SYN")]),
    measured("second-machine-answers-too", &[("ping.cloud-to-onprem", "(DUP!)")]),
    Plant {
        name: "address-in-other-forms",
        when: BEFORE_EXECUTION,
        code: 6,
        caught_by: &[
            ("os-address.absent", "::ffff:10.88.60.9"),
            ("os-address.absent", "a local route to 10.88.60.9 in table 99"),
            ("os-address.absent", "10.88.60.9 in the network namespace of a process"),
        ],
    },
    Plant {
        name: "other-ways-out",
        when: BEFORE_EXECUTION,
        code: 6,
        caught_by: &[
            ("default-gateway.cloud-client", "fe80::1"),
            ("default-gateway.onprem-client", "02:00:00:00:00:66"),
        ],
    },
    Plant {
        name: "tcp-by-a-process-with-two-ends",
        when: UNDONE,
        code: 6,
        caught_by: &[("restored.captured-address-unreachable", "onprem-client answers")],
    },
    Plant {
        name: "much-that-is-left",
        when: UNDONE,
        code: 6,
        caught_by: &[
            ("restored.default-gateway.routerd-cloud", "192.0.2.77"),
            ("restored.default-gateway.cloud-client", "203.0.113.0/24"),
            ("restored.node-state.routerd-cloud", "xdp"),
            ("restored.node-state.routerd-cloud", "10.88.60.9"),
            ("restored.node-state.cloud-client", "1400"),
            ("restored.node-state.cloud-client", "accept_local"),
            ("restored.node-state.onprem-router", "192.0.2.78"),
            ("restored.node-state.onprem-router", "192.0.2.79"),
            ("restored.node-state.onprem-client", "left0"),
            ("restored.node-state.onprem-client", "8080"),
            ("restored.node-state.onprem-client", "authorized_keys"),
            ("restored.programs", ""),
        ],
    },
    Plant {
        name: "settings-that-are-left",
        when: UNDONE,
        code: 6,
        caught_by: &[
            ("restored.node-state.routerd-cloud", "block"),
            ("restored.default-gateway.routerd-cloud", "nexthop"),
            ("restored.node-state.routerd-cloud", "icmp_ratelimit"),
            ("restored.node-state.onprem-router", "disabled"),
            ("restored.node-addresses", "192.0.2.80"),
            ("restored.node-state.cloud-client", "deprecated"),
            ("restored.node-state.onprem-client", "/etc/hosts"),
        ],
    },
    Plant {
        name: "reachable-by-the-router",
        when: When::Before,
        code: 1,
        caught_by: &[("preflight.captured-address-silent", "")],
    },
    Plant {
        name: "router-that-answers-a-port",
        when: When::Before,
        code: 1,
        caught_by: &[("preflight.os-address", "a local route to default in table 205")],
    },
];

/// It was there before the run, so that no comparison of before and after knows it.
const fn measured(name: &'static str, caught_by: &'static [(&'static str, &'static str)]) -> Plant {
    Plant { name, when: When::Before, code: 1, caught_by }
}

impl Plant {
    pub fn is_caught(&self) -> Result<(), String> {
        let script = script("somebody.py");
        let plant = |pids: &[u32]| {
            let mut python = Command::new("python3");
            python.arg(script).arg(self.name).args(pids.iter().map(u32::to_string));
            hold(&mut python, "planted")
        };
        let (ended, evidence) = run_with(self.when, plant)?;
        let all = || evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
        let is_seen = |(id, words): &(&str, &str)| {
            all().any(|it| {
                let said = format!("{} {}", it.message.as_deref().unwrap_or_default(), it.observed);
                it.id == *id && it.status == AssertionStatus::Failed && said.contains(words)
            })
        };
        let unseen: Vec<_> = self.caught_by.iter().filter(|it| !is_seen(it)).collect();
        if ended.code() == Some(self.code) && unseen.is_empty() {
            return Ok(());
        }
        Err(format!("it ended with {ended}; not seen: {unseen:?}; {}", failed(&evidence)))
    }
}

/// Plants it before the address is executed, and looks that these assertions say so.
fn is_measured(
    node: Node,
    plant: impl FnOnce(u32) -> std::io::Result<Planted>,
    caught_by: &[&str],
) -> Result<(), String> {
    let index = Node::ALL.iter().position(|it| *it == node).ok_or("no such node")?;
    let (ended, evidence) = run_with(BEFORE_EXECUTION, |pids: &[u32]| plant(pids[index]))?;
    let failed = failed(&evidence);
    if !ended.success() && caught_by.iter().all(|id| failed.contains(id)) {
        return Ok(());
    }
    Err(format!("it ended with {ended}; {failed}"))
}

fn failed(evidence: &Evidence) -> String {
    let all = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    let failed = all.filter(|it| it.status == AssertionStatus::Failed);
    format!("failed: {}", failed.map(|it| it.id.as_str()).collect::<Vec<_>>().join(", "))
}

/// A whole run, with something planted by the processes of all nodes.
fn run_with(
    when: When,
    plant: impl FnOnce(&[u32]) -> std::io::Result<Planted>,
) -> Result<(ExitStatus, Evidence), String> {
    let place = Place::new()?;
    let id = place.call("lab up netns --time-to-live 10m", 0)?.trim().to_owned();
    let pids = Node::ALL.map(|node| a_process(&place, node));
    let pids = pids.into_iter().collect::<Result<Vec<u32>, String>>()?;
    let command = format!("run --lab netns:{id} --out run");
    let (mut running, planted);
    match when {
        When::Before => {
            planted = plant(&pids).map_err(words)?;
            running = place.begin(&command)?;
        }
        When::At(record) => {
            running = place.begin(&command)?;
            running.until(record)?;
            running.signal(Signal::SIGSTOP)?;
            let done = plant(&pids).map_err(words);
            running.signal(Signal::SIGCONT)?;
            planted = done?;
        }
    }
    let ended = running.end()?;
    drop(planted);
    let evidence = place.evidence("run");
    place.call("lab down", 0)?;
    Ok((ended, evidence?))
}

/// A program that says so once it holds what it has planted.
fn hold(command: &mut Command, said: &str) -> std::io::Result<Planted> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(pipe) = child.stdout.take() {
        BufReader::new(pipe).read_line(&mut line)?;
    }
    let planted = Planted(child);
    if line.trim() == said {
        Ok(planted)
    } else {
        Err(std::io::Error::other("nothing was planted"))
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kernel/netns").join(name)
}

/// A program in the network namespace of this process, with the host's files.
fn inside(pid: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["-n", "-t", &pid.to_string(), program]);
    command
}

/// A process of the node, by the host's count.
fn a_process(place: &Place, node: Node) -> Result<u32, String> {
    let asked = format!("lab exec {node} -- stat -L -c %i /proc/self/ns/net /proc/self/ns/mnt");
    let said = place.call(&asked, 0)?;
    let wanted: Vec<&str> = said.split_whitespace().collect();
    for entry in std::fs::read_dir("/proc").map_err(words)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let is_in = |kind: &str, inode: &str| {
            let link = std::fs::read_link(entry.path().join("ns").join(kind)).unwrap_or_default();
            link.to_str() == Some(&format!("{kind}:[{inode}]"))
        };
        if let [net, mnt] = wanted[..]
            && is_in("net", net)
            && is_in("mnt", mnt)
        {
            return Ok(pid);
        }
    }
    Err(format!("no process of {node} is seen"))
}

//! What somebody plants in the kernel that no fault of the registry can: it hangs beneath what the
//! node's own programs show, or the model has no such thing. It is measured all the same. Only root
//! of the host can plant it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lab::node::Node;
use reports::record::AssertionStatus;

use super::place::{Place, words};

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
        let mut nft = inside(pid, "nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn()?;
        nft.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(rules.as_bytes()))?;
        Ok(Planted(nft))
    };
    is_measured(Node::RouterdCloud, plant, &["no-nat.tables.routerd-cloud"])
}

/// An eBPF program, on a hook that no program of the node shows, gives datagrams another source.
pub fn a_program_on_a_device_is_measured() -> Result<(), String> {
    let loader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kernel/netns/rewrite.py");
    let plant = |pid: u32| {
        let mut python = inside(pid, "python3");
        let mut python = python.arg(&loader).arg("ens5").stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(said) = python.stdout.take() {
            BufReader::new(said).read_line(&mut line)?;
        }
        match line.trim() {
            "hangs" => Ok(Planted(python)),
            _ => Err(std::io::Error::other("the program was not loaded")),
        }
    };
    is_measured(
        Node::RouterdCloud,
        plant,
        &["no-nat.payload.cloud-to-onprem", "no-nat.path.routerd-cloud"],
    )
}

/// Plants it once the address is executed, and looks that these assertions say so.
fn is_measured(
    node: Node,
    plant: impl FnOnce(u32) -> std::io::Result<Planted>,
    caught_by: &[&str],
) -> Result<(), String> {
    let place = Place::new()?;
    let id = place.call("lab up netns --time-to-live 10m", 0)?.trim().to_owned();
    let pid = first_process(&place, node)?;
    let mut running = place.begin(&format!("run --lab netns:{id} --out run"))?;
    place.until_captured(&mut running)?;
    let planted = plant(pid).map_err(words)?;
    let ended = running.end()?;
    drop(planted);
    let evidence = place.evidence("run");
    place.call("lab down", 0)?;
    let evidence = evidence?;
    let all = || evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    let failed: Vec<&str> =
        all().filter(|it| it.status == AssertionStatus::Failed).map(|it| it.id.as_str()).collect();
    if !ended.success() && caught_by.iter().all(|id| failed.contains(id)) {
        return Ok(());
    }
    Err(format!("it ended with {ended}; failed: {}", failed.join(", ")))
}

/// A program in the network namespace of this process, with the host's files.
fn inside(pid: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["-n", "-t", &pid.to_string(), program]);
    command
}

/// A process of the node, by the host's count.
fn first_process(place: &Place, node: Node) -> Result<u32, String> {
    let asked = format!("lab exec {node} -- stat -L -c %i /proc/self/ns/net");
    let wanted = place.call(&asked, 0)?.trim().to_owned();
    for entry in std::fs::read_dir("/proc").map_err(words)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let link = std::fs::read_link(entry.path().join("ns/net")).unwrap_or_default();
        if link.to_str() == Some(&format!("net:[{wanted}]")) {
            return Ok(pid);
        }
    }
    Err(format!("no process of {node} is seen"))
}

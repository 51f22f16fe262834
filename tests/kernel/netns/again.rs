//! Which lab is meant, and which run: a manifest that describes a lab, and a run that may be alive on
//! another machine.

use std::collections::BTreeMap;
use std::process::Command;

use lab::manifest::Manifest;
use lab_mock::cloud::InstanceState;
use nix::sys::signal::Signal;
use reports::folder::RUN_FILE;
use reports::journal::read_file;
use reports::record::{AssertionStatus, Kind};

use super::place::{Place, complaint, said, words};

/// While that lab lives; with what the operator wrote in it.
pub fn a_manifest_stands_for_the_lab_that_it_describes() -> Result<(), String> {
    let place = Place::new()?;
    place.call("lab up netns --time-to-live 10m", 0)?;
    let lab = place.lab()?;
    let text = std::fs::read_to_string(lab.path().join("lab.toml")).map_err(words)?;
    let own = text.replacen("name = \"netns\"", "name = \"of-mine\"", 1).replacen(
        "guest_settle_ms = 750",
        "guest_settle_ms = 700",
        1,
    );
    std::fs::write(place.path("own.toml"), &own).map_err(words)?;
    let another = own.replace("network_interface_id = \"eni-", "network_interface_id = \"eni-0");
    std::fs::write(place.path("another.toml"), shortened(&another)).map_err(words)?;
    let ran = place.call("run --lab own.toml --out run", 0);
    let refused = [
        place.call("run --lab another.toml --out another", 8),
        place.call("run --lab own.toml --seed 7 --out seeded", 2),
        place.call("run --lab own.toml --executor f --out made", 2),
    ];
    place.call("lab down", 0)?;
    let gone = place.call("preflight --lab own.toml --out gone", 8);
    ran.and(gone)?;
    refused.into_iter().collect::<Result<Vec<_>, _>>()?;
    for name in ["another", "seeded", "made", "gone"] {
        if place.path(name).exists() {
            return Err(format!("{name} was begun"));
        }
    }
    let journal = std::fs::read_to_string(place.path("run/journal.jsonl")).map_err(words)?;
    let used = ["of-mine", "guest_settle_ms = 700"].iter().all(|words| journal.contains(words));
    if used { Ok(()) } else { Err("another manifest was used".to_owned()) }
}

/// The lab's own manifest has its instances terminated; what was granted is another thing.
pub fn a_recovery_does_what_was_granted() -> Result<(), String> {
    for (wanted, state) in [("stop", InstanceState::Stopped), ("keep", InstanceState::Running)] {
        let place = Place::new()?;
        place.call("lab up netns --time-to-live 10m", 0)?;
        let lab = place.lab()?;
        let text = std::fs::read_to_string(lab.path().join("lab.toml")).map_err(words)?;
        let own = text.replace("instances = \"terminate\"", &format!("instances = \"{wanted}\""));
        if own == text {
            return Err(format!("the lab's own manifest terminates nothing: {text}"));
        }
        std::fs::write(place.path("own.toml"), own).map_err(words)?;
        let mut running = place.begin("run --lab own.toml --out run")?;
        // Both actions are executed: a row that is only approved would be left with its node.
        running.until("no-nat.tables.routerd-cloud")?;
        running.signal(Signal::SIGKILL)?;
        running.end()?;
        let recovered = place.call("recover run", 0);
        let world = super::place::block_on(lab_netns::read_world(&lab))?.map_err(words);
        place.call("lab down", 0)?;
        recovered?;
        let world = world?;
        let now = world.now;
        let states: Vec<_> = world.cloud.instances.values().map(|it| it.state_at(now)).collect();
        if !states.iter().all(|it| *it == state) {
            return Err(format!("{wanted} was granted: {states:?}"));
        }
    }
    Ok(())
}

/// A guest that is late needs to be waited for as long as on EC2, whoever wrote the manifest.
pub fn a_fault_gets_the_time_that_it_needs() -> Result<(), String> {
    let place = Place::new()?;
    place.call("lab up netns --time-to-live 10m", 0)?;
    let text = std::fs::read_to_string(place.lab()?.path().join("lab.toml")).map_err(words)?;
    std::fs::write(place.path("own.toml"), text).map_err(words)?;
    place.call("preflight --lab own.toml --inject os-address-late --out run", 3)?;
    let journal = std::fs::read_to_string(place.path("run/journal.jsonl"));
    place.call("recover run", 0)?;
    place.call("lab down", 0)?;
    if journal.map_err(words)?.contains("guest_settle_ms = 10000") {
        Ok(())
    } else {
        Err("the guest is not waited for".to_owned())
    }
}

/// An instance that a run has stopped is started for the next one, and its nodes are then what they
/// were.
pub fn a_lab_that_a_run_has_stopped_is_used_again() -> Result<(), String> {
    let place = Place::new()?;
    let id = place.call("lab up netns --time-to-live 10m", 0)?.trim().to_owned();
    let text = std::fs::read_to_string(place.lab()?.path().join("lab.toml")).map_err(words)?;
    let own = text.replacen("instances = \"terminate\"", "instances = \"stop\"", 1);
    if own == text {
        return Err(format!("the lab's manifest does not terminate: {text}"));
    }
    std::fs::write(place.path("own.toml"), own).map_err(words)?;
    let ran = place.call("run --lab own.toml --out first", 0);
    let listed = place.call("lab list", 0)?;
    // Whether its owner is asked is up to what else the first run has left.
    let again = complaint(&mut place.words(&format!("preflight --lab netns:{id} --out second")))?;
    let evidence = place.evidence("second");
    place.call("lab down", 0)?;
    ran?;
    let run = place.run_id("first")?;
    if !listed.contains(&format!("  stopped  {run}  ")) {
        return Err(listed);
    }
    if !again.contains(&format!("{run} left routerd-cloud and cloud-client stopped: started again"))
    {
        return Err(again);
    }
    let evidence = evidence?;
    let mut all = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    match all.find(|it| it.id == "preflight.instances") {
        Some(it) if it.status == AssertionStatus::Passed => {}
        other => return Err(format!("{other:?}")),
    }
    let [before, after] = ["first", "second"].map(|run| nodes(&place, run));
    let (before, after) = (before?, after?);
    if before == after { Ok(()) } else { Err(format!("{before:#?} is not {after:#?}")) }
}

/// The facts of the nodes that the owner decides on.
fn nodes(place: &Place, run: &str) -> Result<BTreeMap<String, serde_json::Value>, String> {
    let records = read_file(&place.path(run)).map_err(words)?.records;
    let facts = records.into_iter().find_map(|record| match record.kind {
        Kind::FactsRecorded(recorded) => Some(recorded.facts.nodes),
        _ => None,
    });
    facts.filter(|nodes| nodes.len() == 4).ok_or_else(|| format!("{run} has no facts of its nodes"))
}

/// Nothing starts what a run has terminated: the next one says so before it begins.
pub fn a_lab_that_a_run_has_terminated_says_by_which() -> Result<(), String> {
    let place = Place::new()?;
    let id = place.call("lab up netns --time-to-live 10m", 0)?.trim().to_owned();
    let fresh = place.call("lab list", 0)?;
    place.call(&format!("run --lab netns:{id} --out first"), 0)?;
    let listed = place.call("lab list", 0)?;
    let mut again = place.words(&format!("run --lab netns:{id} --out second"));
    let refused = again.output().map_err(words)?;
    place.call("lab up netns --time-to-live 10m", 0)?;
    let which = complaint(&mut place.words("lab exec cloud-client -- true"))?;
    for lab in place.call("lab list", 0)?.lines().filter_map(|line| line.split(' ').next()) {
        place.call(&format!("lab down --id {lab}"), 0)?;
    }
    let run = place.run_id("first")?;
    let by = format!("terminated by {run}");
    let remedy = format!("lab-smoke lab down --id {id}");
    if !fresh.contains("s  running  -  until ") {
        return Err(fresh);
    }
    if !(listed.contains("  terminated  ") && listed.contains(&format!("({by}: {remedy})"))) {
        return Err(listed);
    }
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    if refused.status.code() != Some(8) || !told.contains(&by) || !told.contains(&remedy) {
        return Err(format!("{}: {told}", refused.status));
    }
    if place.path("second").exists() {
        return Err("a run was begun".to_owned());
    }
    if which.contains("--id") { Ok(()) } else { Err(which) }
}

/// An id has 17 digits.
fn shortened(text: &str) -> String {
    let shorter = |line: &str| {
        if line.starts_with("network_interface_id") {
            format!("{}\"", &line[..line.len() - 2])
        } else {
            line.to_owned()
        }
    };
    text.lines().map(|line| shorter(line) + "\n").collect()
}

/// A copy of its folder, on a machine that does not see the run's process: its lease on the node says
/// that it lives.
pub fn a_lease_on_the_node_keeps_others_from_recovering() -> Result<(), String> {
    let place = Place::new()?;
    let mut running = place.begin("run --lab netns --keep --out run")?;
    place.until_captured(&mut running)?;
    running.signal(Signal::SIGKILL)?;
    running.end()?;
    said(Command::new("cp").arg("-r").arg(place.path("run")).arg(place.path("copy")), 0)?;
    let file = place.path("copy").join(RUN_FILE);
    let text = std::fs::read_to_string(&file).map_err(words)?;
    let mut there: serde_json::Value = serde_json::from_str(&text).map_err(words)?;
    there["host"] = "another-machine".into();
    std::fs::write(&file, there.to_string()).map_err(words)?;
    let refused = place.call("recover copy", 8);
    let records = read_file(&place.path("copy")).map_err(words)?.records;
    let recovered = place.call("recover run", 0);
    place.call("lab down", 0)?;
    refused.and(recovered)?;
    let began = records.iter().any(|record| matches!(record.kind, Kind::RecoveryStarted(_)));
    if began { Err("the copy was recovered".to_owned()) } else { Ok(()) }
}

/// On one lab that stands: what the planner stored for the first is imported for two hours.
pub fn one_run_after_the_other_passes() -> Result<(), String> {
    let place = Place::new()?;
    place.call("lab up netns --time-to-live 10m", 0)?;
    let text = std::fs::read_to_string(place.lab()?.path().join("lab.toml")).map_err(words)?;
    let mut own: Manifest = Manifest::parse("lab.toml", &text).map_err(words)?;
    lab_smoke_tests::in_turn::stands(&mut own);
    std::fs::write(place.path("own.toml"), own.to_toml().map_err(words)?).map_err(words)?;
    let ran = ["first", "second"]
        .map(|name| place.call(&format!("run --lab own.toml --out {name}"), 0).map(drop));
    place.call("lab down", 0)?;
    ran.into_iter().collect()
}

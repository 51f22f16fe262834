//! `lab-smoke run --lab netns`: the same scenarios, unchanged, with the kernel's packets, real sshd
//! and real processes. Ignored, with the reason, where this machine cannot build the lab; under
//! `LAB_SMOKE_REQUIRE_NETNS=1` it fails there instead.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use lab::netns::probe::probe;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use reports::evidence::Evidence;
use reports::folder::EVIDENCE_FILE;
use reports::record::{FlowOutage, LabKind, Outage, OutageRecorded, Verdict};

fn main() -> ExitCode {
    let trials = vec![
        trial("the_whole_smoke_passes_in_the_kernel", whole_smoke),
        trial("a_run_killed_in_the_middle_is_recovered_in_the_kernel", killed_and_recovered),
        trial("a_lab_lives_by_itself_until_it_is_taken_down", lab_by_itself),
    ];
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, run: fn() -> Result<(), String>) -> Trial {
    Trial::ignorable_test(name, move || {
        let report = probe();
        if report.is_able() {
            return run().map(|()| Completion::Completed).map_err(Failed::from);
        }
        if std::env::var("LAB_SMOKE_REQUIRE_NETNS").as_deref() == Ok("1") {
            return Err(Failed::from(report.to_string()));
        }
        Ok(Completion::ignored_with(report.to_string()))
    })
}

/// Standard output of a call that ended with the exit code.
fn lab_smoke(words: &[&str], code: i32) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_lab-smoke"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    if output.status.code() == Some(code) {
        Ok(out)
    } else {
        Err(format!("{words:?} ended with {}:\n{out}{err}", output.status))
    }
}

fn whole_smoke() -> Result<(), String> {
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = place.path().join("run");
    let folder = out.to_str().ok_or("a path that is no text")?;
    lab_smoke(&["run", "--lab", "netns", "--out", folder], 0)?;
    let bytes = std::fs::read(out.join(EVIDENCE_FILE)).map_err(|error| error.to_string())?;
    let evidence: Evidence = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let kind = evidence.run.as_ref().map(|run| run.lab_kind);
    if (kind, evidence.verdict.verdict) != (Some(LabKind::Netns), Verdict::Pass) {
        return Err(format!("{kind:?}: {:?}", evidence.verdict));
    }
    outages(&evidence.outages)
}

/// The address comes with `execute` and goes with `undo`, in both directions.
fn outages(outages: &[OutageRecorded]) -> Result<(), String> {
    let wrong = |what: &OutageRecorded| Err(format!("{what:?}"));
    let [execute, undo] = outages else { return Err(format!("{outages:?}")) };
    for (recorded, scenario) in [(execute, "execute"), (undo, "undo")] {
        let Outage::Measured { flows } = &recorded.outage else { return wrong(recorded) };
        let comes = |flow: &FlowOutage| flow.reachable_after_us.is_some();
        let goes = |flow: &FlowOutage| flow.unreachable_after_us.is_some();
        let known = |flow: &FlowOutage| flow.outage_us.is_some() && flow.noise_floor_us.is_some();
        let right = |flow: &FlowOutage| {
            known(flow) && comes(flow) == (scenario == "execute") && goes(flow) != comes(flow)
        };
        let whole = recorded.scenario == scenario && flows.len() == 2 && recorded.raw.len() == 2;
        if !whole || !flows.iter().all(right) {
            return wrong(recorded);
        }
    }
    Ok(())
}

/// `kill -9` in the middle of execute: the supervisor still holds the lab, and recovery finds it.
fn killed_and_recovered() -> Result<(), String> {
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = place.path().join("run");
    let folder = out.to_str().ok_or("a path that is no text")?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab-smoke"))
        .args(["run", "--lab", "netns", "--format", "json", "--out", folder])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let said = child.stdout.take().ok_or("no stdout")?;
    let executing = |line: &String| line.contains("routerctl action execute");
    let there = BufReader::new(said).lines().map_while(Result::ok).any(|line| executing(&line));
    child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
    if !there {
        return Err("the run never came to execute".to_owned());
    }
    let labs = lab_smoke(&["lab", "list"], 0)?;
    let id = labs.split_whitespace().next().ok_or("the lab is gone with the harness")?;
    let before = captured_address_holder(id)?;
    let recovered = lab_smoke(&["recover", folder], 0);
    let after = captured_address_holder(id);
    lab_smoke(&["lab", "down", "--id", id], 0)?;
    recovered?;
    match after? {
        None => Ok(()),
        Some(eni) => Err(format!("{eni} still has the address (before recovery: {before:?})")),
    }
}

/// Who has the captured address, by the lab's own world.
fn captured_address_holder(id: &str) -> Result<Option<String>, String> {
    let folder = lab::netns::find(&lab::netns::home(), Some(id)).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let world = runtime.block_on(lab::netns::read_world(&folder)).map_err(|e| e.to_string())?;
    let captured = std::net::Ipv4Addr::new(10, 88, 60, 9);
    Ok(world.cloud.owner_of(captured).map(|eni| eni.id.clone()))
}

fn lab_by_itself() -> Result<(), String> {
    let id = lab_smoke(&["lab", "up", "netns"], 0)?;
    let id = id.trim();
    let there = lab_smoke(&["lab", "list"], 0)?;
    let host = lab_smoke(&["lab", "exec", "--id", id, "cloud-client", "--", "hostname"], 0);
    let walk = lab_smoke(&["lab", "explain", "--id", id, "10.88.60.7", "10.88.60.9"], 0);
    lab_smoke(&["lab", "down", "--id", id], 0)?;
    let gone = lab_smoke(&["lab", "list"], 0)?;
    if !there.contains(id) || gone.contains(id) {
        return Err(format!("{id} is not in {there:?}, or still in {gone:?}"));
    }
    if host?.trim() != "cloud-client" {
        return Err("a command did not run on cloud-client".to_owned());
    }
    // Nobody owns the captured address yet: the client's ARP request is not answered.
    if walk?.contains("c_arp_miss") { Ok(()) } else { Err("no ARP miss".to_owned()) }
}

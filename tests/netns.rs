//! `lab-smoke run --lab netns`: the same scenarios, unchanged, with the kernel's packets, real sshd
//! and real processes. Ignored, with the reason, where this machine cannot build the lab; under
//! `LAB_SMOKE_REQUIRE_NETNS=1` it fails there instead.

use std::process::{Command, ExitCode, Stdio};

use lab::netns::probe::probe;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use reports::evidence::Evidence;
use reports::folder::EVIDENCE_FILE;
use reports::record::{LabKind, Verdict};

fn main() -> ExitCode {
    let trials = vec![
        trial("the_whole_smoke_passes_in_the_kernel", whole_smoke),
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
    if (kind, evidence.verdict.verdict) == (Some(LabKind::Netns), Verdict::Pass) {
        Ok(())
    } else {
        Err(format!("{kind:?}: {:?}", evidence.verdict))
    }
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

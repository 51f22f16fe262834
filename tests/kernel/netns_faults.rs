//! The kernel lab's faults: each is put into a lab of its own by the kernel's means, the whole smoke
//! runs on it, and what turns is what the registry says and what the mock gives. Ignored, with the
//! reason, where this machine cannot; under `LAB_SMOKE_REQUIRE_NETNS=1` that is a failure.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use harness::faults::{KnownFault, list_faults};
use lab_netns::probe::{self, HostReport};
use lab_smoke_tests::sensitivity::{Case, turned_and_tripped};
use lab_smoke_tests::smoke::Prior;
use libtest_mimic::{Completion, Failed, Trial};
use reports::evidence::Evidence;
use reports::folder::EVIDENCE_FILE;
use reports::record::AssertionStatus;

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> =
        list_faults().filter(|fault| fault.labs.contains(&"netns")).map(trial).collect();
    let name = "netns_faults::a_fault_of_the_mock_alone_is_refused";
    trials.push(Trial::test(name, || Ok(refused()?)));
    trials
}

/// The abilities of this machine, asked once and by the first who needs it.
static HERE: LazyLock<HostReport> = LazyLock::new(probe::probe_host);

fn trial(fault: &'static KnownFault) -> Trial {
    Trial::ignorable_test(format!("netns_faults::{}", fault.name), move || {
        let able = HERE.is_able();
        let report = if able { probe::for_fault(fault.name) } else { HERE.clone() };
        if report.is_able() {
            return caught(fault).map(|()| Completion::Completed).map_err(Failed::from);
        }
        if std::env::var("LAB_SMOKE_REQUIRE_NETNS").as_deref() == Ok("1") {
            return Err(Failed::from(report.to_string()));
        }
        Ok(Completion::ignored_with(report.to_string()))
    })
}

fn caught(fault: &'static KnownFault) -> Result<(), String> {
    let prior = if fault.name == "check-off" { Prior::CheckOff } else { Prior::CheckOn };
    let answer = fault.answer_with(true).ok_or("it is no fault with the check on")?;
    let teardown = lab::manifest::Instances::Terminate;
    let case = Case { fault, prior: Prior::CheckOn, teardown, answer };
    let (_, on_the_mock) = Case { prior, ..case }.run();
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (code, evidence) = in_the_kernel(fault.name, &place.path().join("run"))?;
    let mut wrong = Vec::new();
    let expected = case.expected();
    let (turned, tripped) = turned_and_tripped(&evidence);
    let given = (turned, tripped, code);
    if given != (expected.turned.clone(), expected.tripped.clone(), expected.exit_code.into()) {
        wrong.push(format!("expected {expected:?}\n  given    {given:?}"));
    }
    let (mock, kernel) = (&on_the_mock.evidence, &evidence);
    if mock.verdict.verdict != kernel.verdict.verdict {
        let verdicts = (mock.verdict.verdict, kernel.verdict.verdict);
        wrong.push(format!("the verdict of the mock and of the kernel: {verdicts:?}"));
    }
    wrong.extend(differences(&statuses(mock), &statuses(kernel)));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n  {}", wrong.join("\n  "), complaints(kernel)))
}

/// One run of the program itself, on a lab that is made for it and gone afterwards.
fn in_the_kernel(fault: &str, out: &Path) -> Result<(i32, Evidence), String> {
    let folder = out.to_str().ok_or("a path that is no text")?;
    let output = lab_smoke(&["run", "--lab", "netns", "--inject", fault, "--out", folder])?;
    let said = || {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{}:\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
    };
    let bytes = std::fs::read(out.join(EVIDENCE_FILE)).map_err(|_| said())?;
    let evidence = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    Ok((output.status.code().ok_or_else(said)?, evidence))
}

fn lab_smoke(words: &[&str]) -> Result<std::process::Output, String> {
    Command::new(env!("CARGO_BIN_EXE_lab-smoke"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())
}

/// The status of every assertion that was made; of a scenario without any its own.
fn statuses(evidence: &Evidence) -> BTreeMap<String, AssertionStatus> {
    let all = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    all.map(|assertion| (assertion.id.clone(), assertion.status)).collect()
}

/// The model is wrong where they are not the same.
fn differences(
    mock: &BTreeMap<String, AssertionStatus>,
    kernel: &BTreeMap<String, AssertionStatus>,
) -> Vec<String> {
    let ids: std::collections::BTreeSet<_> = mock.keys().chain(kernel.keys()).collect();
    ids.into_iter()
        .filter(|id| mock.get(*id) != kernel.get(*id))
        .map(|id| format!("{id}: the mock {:?}, the kernel {:?}", mock.get(id), kernel.get(id)))
        .collect()
}

fn complaints(evidence: &Evidence) -> String {
    let all = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    let bad =
        all.filter(|it| matches!(it.status, AssertionStatus::Failed | AssertionStatus::Unknown));
    bad.map(|it| format!("{}: {}", it.id, it.message.as_deref().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join("\n  ")
}

/// Before anything is built: no folder is made.
fn refused() -> Result<(), String> {
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = place.path().join("run");
    let folder = out.to_str().ok_or("a path that is no text")?;
    let words = ["run", "--lab", "netns", "--inject", "doctor-sam-fails", "--out", folder];
    let output = lab_smoke(&words)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(2) || out.exists() {
        return Err(format!("{}: {said}", output.status));
    }
    let named = ["doctor-sam-fails", "masquerade-legacy", "double-snat"];
    if named.iter().all(|name| said.contains(name)) { Ok(()) } else { Err(said) }
}

//! `lab-smoke run` as a shell starts it, on the mock lab: what it prints, leaves and answers.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lab_smoke_tests::binary::choose_binary;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reports::evidence::Evidence;
use reports::folder::{EVIDENCE_FILE, Locked, RunFolder};
use reports::journal::JOURNAL_FILE;
use reports::record::{Part, Record, ScenarioStatus, Verdict};
use tempfile::TempDir;

/// A working directory of its own.
struct Place(TempDir);

#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(choose_binary(env!("CARGO_BIN_EXE_lab-smoke")));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn call(&self, words: &[&str]) -> Answer {
        let Output { status, stdout, stderr } = self.command(words).output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Answer { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn journal(&self, run: &str) -> String {
        fs::read_to_string(self.path(run).join(JOURNAL_FILE)).expect("a journal")
    }

    fn evidence(&self, run: &str) -> Evidence {
        let text = fs::read(self.path(run).join(EVIDENCE_FILE)).expect("evidence");
        serde_json::from_slice(&text).expect("evidence")
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(self.0.path()).expect("readable").next().is_none()
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

#[test]
fn the_whole_smoke_passes_and_leaves_its_folder() {
    let place = Place::new();
    let answer = place.call(&["run"]);
    assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""), "{answer:?}");

    let tests = answer.out.lines().filter_map(|line| line.strip_prefix("test "));
    let shown: Vec<&str> =
        tests.filter_map(|line| line.split_once(" ... ")).map(|(name, _)| name.trim()).collect();
    let sequence: Vec<&str> = scenarios::SEQUENCE.iter().map(|scenario| scenario.name).collect();
    assert_eq!(shown, sequence);
    assert!(answer.out.contains("\nverdict: pass (exit 0)\n"), "{answer:?}");

    let run = last_line(&answer.out);
    assert!(run.starts_with("lab-smoke-runs/"), "{run}");
    let mode = fs::metadata(place.path(run)).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(place.evidence(run).verdict.verdict, Verdict::Pass);

    let evidence = fs::read_to_string(place.path(run).join(EVIDENCE_FILE)).expect("evidence");
    let validator = jsonschema::validator_for(&reports::schema::schema_value()).expect("a schema");
    let evidence = serde_json::from_str(&evidence).expect("JSON");
    let errors: Vec<_> = validator.iter_errors(&evidence).map(|it| it.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn a_folder_holds_one_run() {
    let place = Place::new();
    let first = place.call(&["run", "--out", "here/there"]);
    assert_eq!((first.code, last_line(&first.out)), (Some(0), "here/there"));
    let journal = place.journal("here/there");
    let second = place.call(&["run", "--out", "here/there"]);
    assert_eq!((second.code, second.out.as_str()), (Some(2), ""), "{second:?}");
    assert!(second.err.contains("here/there holds another run"), "{second:?}");
    assert_eq!(place.journal("here/there"), journal);
}

#[test]
fn a_seed_writes_the_same_journal_wherever_it_is_and_however_it_is_shown() {
    let place = Place::new();
    let first = place.call(&["run", "--seed", "7"]);
    let (first, again) = (last_line(&first.out), place.call(&["run", "--seed", "7"]));
    assert_eq!(last_line(&again.out), format!("{first}-2"));
    place.call(&["run", "--seed", "7", "--out", "here", "--format", "json"]);
    for other in [last_line(&again.out), "here"] {
        assert!(place.journal(first) == place.journal(other), "{first} and {other} differ");
    }
    place.call(&["run", "--seed", "8", "--out", "other"]);
    assert!(place.journal(first) != place.journal("other"));
}

#[test]
fn json_is_the_journal_and_nothing_else() {
    let place = Place::new();
    let answer = place.call(&["run", "--format", "json", "--out", "here"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.out == place.journal("here"), "stdout is not the journal");
    for line in answer.out.lines() {
        serde_json::from_str::<Record>(line).expect(line);
    }
    assert!(answer.err.contains("verdict: pass (exit 0)"), "{answer:?}");
    assert_eq!(last_line(&answer.err), "here");
}

#[test]
fn a_filter_judges_a_part_and_runs_what_belongs_to_it() {
    let place = Place::new();
    let answer = place.call(&["run", "--out", "here", "--", "ping"]);
    assert_eq!(answer.code, Some(7), "{answer:?}");
    assert!(answer.out.starts_with("prerequisite: preflight, undo-plan, gate, "), "{answer:?}");
    assert!(answer.out.contains("\ntest result: ok. 1 passed; 0 failed; "), "{answer:?}");
    let evidence = place.evidence("here");
    let part = |name: &str| evidence.scenarios.iter().find(|it| it.name == name).map(|it| it.part);
    for (name, expected) in [
        ("execute", Part::Prerequisite),
        ("ping", Part::Judged),
        ("ssh", Part::Excluded),
        ("restored", Part::Followup),
    ] {
        assert_eq!(part(name), Some(expected), "{name}");
    }
}

#[test]
fn what_only_reads_needs_no_gate() {
    let place = Place::new();
    let answer = place.call(&["run", "--out", "here", "--", "--exact", "preflight"]);
    assert_eq!(answer.code, Some(7), "{answer:?}");
    assert!(place.evidence("here").mutations.is_empty());
}

#[test]
fn a_report_is_made_again_identical() {
    let place = Place::new();
    let out = place.call(&["run"]).out;
    let run = last_line(&out);
    let file = place.path(run).join(EVIDENCE_FILE);
    let first = fs::read(&file).expect("evidence");
    let id = run.strip_prefix("lab-smoke-runs/").expect("the default folder");
    for name in [run, id] {
        fs::remove_file(&file).expect("removed");
        let report = place.call(&["report", name]);
        assert_eq!((report.code, report.out), (Some(0), format!("{run}/{EVIDENCE_FILE}\n")));
        assert!(fs::read(&file).expect("evidence") == first, "it differs");
    }
}

/// `lab-smoke run | head -1`, with stdout in `format`.
fn read_one_line_and_leave(format: &str) {
    let place = Place::new();
    let mut command = place.command(&["run", "--out", "here", "--format", format]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{format}: {err}");
    assert!(!err.contains("panicked"), "{err}");
    let evidence = place.evidence("here");
    assert_eq!(evidence.verdict.verdict, Verdict::Pass);
    assert_eq!(evidence.residue.as_deref(), Some(&[][..]), "the lab is restored");
    assert!(evidence.mutations.iter().any(|it| it.undone.is_some()), "something was undone");
}

#[test]
fn a_reader_that_leaves_does_not_stop_the_undo() {
    read_one_line_and_leave("human");
    read_one_line_and_leave("json");
}

#[test]
fn a_full_disk_behind_stdout_does_not_stop_the_undo() {
    for words in [&["run", "--out", "here"][..], &["run", "--out", "here", "--format", "json"]] {
        let place = Place::new();
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux");
        let output = place.command(words).stdout(full).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(err.matches("the printer is gone").count(), 1, "{err}");
        assert_eq!(place.evidence("here").verdict.verdict, Verdict::Pass);
    }
}

/// Sends SIGTERM once the go is burnt; none where the run was faster than the signal.
fn terminated_after_the_gate() -> Option<Evidence> {
    let place = Place::new();
    let mut command = place.command(&["run", "--out", "here", "--format", "json"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let burnt = lines.find(|line| line.as_ref().expect("UTF-8").contains("\"kind\":\"go-burnt\""));
    burnt.expect("the gate is passed").expect("UTF-8");
    // Until it is waited for, the process id is the child's, ended or not.
    let pid = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("sent");
    lines.for_each(drop);
    let code = child.wait().expect("it ends").code();
    let evidence = place.evidence("here");
    let heard = !evidence.signals.is_empty();
    assert_eq!(code, Some(if heard { 143 } else { 0 }), "{:?}", evidence.verdict);
    heard.then_some(evidence)
}

#[test]
fn a_signal_after_the_gate_brings_the_lab_back() {
    const ATTEMPTS: usize = 20;
    let evidence = (0..ATTEMPTS).find_map(|_| terminated_after_the_gate());
    let evidence = evidence.expect("one run of many is slower than a signal");
    assert_eq!(evidence.signals, ["SIGTERM"]);
    assert_eq!(evidence.verdict.verdict, Verdict::Interrupted);
    assert_eq!(evidence.residue.as_deref(), Some(&[][..]));
    let restored = evidence.scenarios.iter().find(|it| it.name == "restored");
    assert_eq!(restored.map(|it| it.status), Some(ScenarioStatus::Passed));
}

#[test]
fn a_fault_fails_its_scenario_with_its_complaint_and_the_lab_is_restored() {
    let place = Place::new();
    let answer = place.call(&["run", "--inject", "masquerade-icmp", "--out", "here"]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.out.contains("\n---- no-nat ----\nfailed\n  no-nat."), "{}", answer.out);
    assert!(answer.out.contains("\nverdict: fail (exit 1)\n  no-nat: no-nat."), "{}", answer.out);
    assert_eq!(place.evidence("here").residue.as_deref(), Some(&[][..]));
}

#[test]
fn a_fault_that_does_not_exist_makes_nothing() {
    let place = Place::new();
    for fault in ["no-such-fault", "latency=soon"] {
        let answer = place.call(&["run", "--inject", fault]);
        assert_eq!((answer.code, answer.out.as_str()), (Some(2), ""), "{answer:?}");
        assert!(place.is_empty(), "{fault}");
    }
}

#[test]
fn faults_are_listed_each_with_a_scenarios_assertion() {
    let place = Place::new();
    let listed = place.call(&["faults", "--format", "json"]);
    let faults: Vec<serde_json::Value> = serde_json::from_str(&listed.out).expect("JSON");
    let names: BTreeSet<&str> = faults.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names.len(), faults.len(), "a name stands twice");
    assert!(names.len() >= 10, "{names:?}");
    let people = place.call(&["faults"]).out;
    for name in names {
        assert!(people.contains(&format!("\n{name}")), "{name}");
    }
}

#[test]
fn a_folder_that_another_process_holds_is_unavailable() {
    let place = Place::new();
    let folder = RunFolder::create(&place.path("here")).expect("made");
    let Locked::Taken(_held) = folder.try_lock("the night shift").expect("io") else {
        panic!("nobody else holds it");
    };
    let answer = place.call(&["run", "--out", "here"]);
    assert_eq!(answer.code, Some(8), "{answer:?}");
    assert!(answer.err.contains("held by the night shift"), "{answer:?}");
}

#[test]
fn the_served_mock_says_what_to_export_and_ends_with_a_signal() {
    let place = Place::new();
    let mut command = place.command(&["mock", "serve"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let endpoint = lines.next().expect("a line").expect("UTF-8");
    assert!(endpoint.starts_with("export AWS_ENDPOINT_URL=http://127.0.0.1:"), "{endpoint}");
    let rest: BTreeSet<String> = lines
        .map(|line| line.expect("UTF-8"))
        .take_while(|line| !line.starts_with("export ROLE_NAME="))
        .filter_map(|line| Some(line.strip_prefix("export ")?.split_once('=')?.0.to_owned()))
        .collect();
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ENI_ID"] {
        assert!(rest.contains(name), "{name}: {rest:?}");
    }
    let pid = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("sent");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

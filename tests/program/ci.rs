//! What a CI job does: the workflow of `docs/CI.md`, annotations, and a limit on the time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lab_smoke_tests::documents::root;
use reports::evidence::Evidence;
use reports::folder::EVIDENCE_FILE;
use reports::record::Verdict;

/// As a runner starts it: the program on the PATH, and a file for the job's summary.
fn bash(folder: &Path, text: &str) -> Output {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_lab-smoke"));
    let path = std::env::var("PATH").unwrap_or_default();
    let beside = program.parent().expect("a folder").display().to_string();
    let mut command = Command::new("bash");
    command.args(["-e", "-c", text]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", format!("{beside}:{path}"));
    command.env("GITHUB_STEP_SUMMARY", folder.join("step-summary.md"));
    command.output().expect("it starts")
}

fn evidence(run: &Path) -> Evidence {
    let bytes = fs::read(run.join(EVIDENCE_FILE)).expect("evidence");
    serde_json::from_slice(&bytes).expect("evidence")
}

/// The `run:` blocks of the document's workflow, in their order.
fn blocks(document: &str) -> Vec<String> {
    let (_, workflow) = document.split_once("```yaml\n").expect("a workflow");
    let (workflow, _) = workflow.split_once("```").expect("its end");
    let mut blocks = Vec::new();
    let mut lines = workflow.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((indent, command)) = line.split_once("run: ") else { continue };
        if command != "|" {
            blocks.push(command.to_owned());
            continue;
        }
        let mut block = String::new();
        while let Some(next) = lines.next_if(|it| it.starts_with(&format!("{indent}  "))) {
            block.push_str(next.trim_start());
            block.push('\n');
        }
        blocks.push(block);
    }
    blocks
}

#[test]
fn the_workflow_of_the_guide_runs_in_an_empty_folder() {
    let document = fs::read_to_string(root().join("docs/CI.md")).expect("CI.md");
    let blocks = blocks(&document);
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    let place = tempfile::tempdir().expect("a folder");
    for block in &blocks {
        let ended = bash(place.path(), block);
        assert!(ended.status.success(), "{block}: {ended:?}");
    }
    for name in ["junit.xml", "run.tar", "run/summary.md"] {
        assert!(place.path().join(name).exists(), "{name}");
    }
    let summary = fs::read_to_string(place.path().join("step-summary.md")).expect("a summary");
    assert!(summary.starts_with("## lab-smoke: pass (exit 0)\n"), "{summary}");
}

#[test]
fn what_does_not_hold_is_annotated_and_the_last_line_stays_the_folder() {
    let place = tempfile::tempdir().expect("a folder");
    let words = "lab-smoke run --out run --github --inject ssh-port-closed";
    let ended = bash(place.path(), words);
    let (out, err) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!((ended.status.code(), out.lines().last()), (Some(1), Some("run")), "{err}");
    let annotations: Vec<_> = err.lines().filter(|line| line.starts_with("::error ")).collect();
    assert!(annotations[0].starts_with("::error title=lab-smoke%3A fail (exit 1)::"), "{err}");
    assert!(annotations.len() > 1, "{err}");
    let summary = fs::read_to_string(place.path().join("step-summary.md")).expect("a summary");
    assert!(summary.contains("| preflight | **failed** |"), "{summary}");
    let none = bash(place.path(), "lab-smoke run --lab nowhere.toml --github");
    let err = String::from_utf8_lossy(&none.stderr);
    assert_eq!(none.status.code(), Some(2));
    assert!(err.contains("::error title=lab-smoke::nowhere.toml"), "{err}");
}

/// In the mock's time, and never inside an undo. None of these is the very instant of the go, where a limit may come
/// before it or after.
#[test]
fn a_run_that_takes_too_long_is_undone_and_ends_as_by_sigterm() {
    let place = tempfile::tempdir().expect("a folder");
    let whole = bash(place.path(), "lab-smoke run --seed 7 --out whole --timeout 1d");
    assert!(whole.status.success(), "{whole:?}");
    let mut cut_after_a_change = 0;
    for seconds in [5, 10, 15, 20, 30, 40, 60, 90] {
        let run = format!("cut-{seconds}");
        let words = format!("lab-smoke run --seed 7 --out {run} --timeout {seconds}s");
        let ended = bash(place.path(), &words);
        let evidence = evidence(&place.path().join(&run));
        if ended.status.success() {
            assert!(evidence.signals.is_empty(), "it ended before: {run}");
            continue;
        }
        assert_eq!(ended.status.code(), Some(143), "{run}: {ended:?}");
        assert_eq!(evidence.signals, ["timeout"]);
        assert_eq!(evidence.verdict.verdict, Verdict::Interrupted);
        assert!(evidence.verdict.reasons.iter().any(|it| it.contains("timeout")), "{run}");
        let left = evidence.residue.as_deref();
        if evidence.mutations.iter().any(|it| it.undone.is_some()) {
            assert_eq!(left, Some(&[][..]), "{run}: the lab is restored");
            cut_after_a_change += 1;
        } else {
            assert!(left.unwrap_or_default().is_empty(), "{run}: {left:?}");
        }
    }
    assert!(cut_after_a_change > 0, "none of them came to a change: choose other times");
}

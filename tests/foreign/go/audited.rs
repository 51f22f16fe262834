//! An auditor's program, which shares nothing with ours, answers from packed runs: of a run as it should
//! be, and for each question of one in which the answer is another.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use reports::bundle::Bundle;
use reports::digest::Digest;
use reports::journal::{JOURNAL_FILE, read_chain};
use reports::record::{Intent, Kind, Permit, Record};
use serde_json::{Value, json};

use super::place::{OWNER, Place, keygen};
use crate::referee::python;

fn audit(place: &Place, archive: &str, signers: &str) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/auditor/audit.py");
    let mut command = Command::new(python());
    // Nothing but the standard library.
    command.args(["-I", "-S"]).arg(program).arg(place.path(archive)).arg(place.path(signers));
    command.output().expect("Python starts")
}

fn answers(place: &Place, archive: &str, signers: &str) -> Value {
    let output = audit(place, archive, signers);
    assert!(output.status.success(), "{archive}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Packed as it is.
fn of_run(place: &Place, run: &str) -> Value {
    assert_eq!(place.code(&format!("pack {run}")), 0);
    answers(place, &format!("{run}.tar"), "trusted")
}

fn of_fault(place: &Place, fault: &str) -> Value {
    let words = format!("run --lab mock --seed 7 --out {fault} --inject {fault}");
    assert_ne!(place.code(&words), 0, "{fault}");
    of_run(place, fault)
}

/// What somebody makes of it who rewrites the journal and chains it anew.
fn rewritten(place: &Place, run: &str, edit: impl Fn(&mut Kind)) -> Value {
    let mut bundle = Bundle::read(&place.path(run)).expect("a run");
    let chain = read_chain(bundle.file(JOURNAL_FILE).expect("a journal")).expect("it holds");
    let (mut prev, mut text) = (Digest::zero(), String::new());
    for record in &chain.records {
        let mut record = Record { prev, ..record.clone() };
        edit(&mut record.kind);
        let line = serde_json::to_string(&record).expect("JSON");
        prev = Digest::of(&line);
        text.push_str(&line);
        text.push('\n');
    }
    bundle.put(JOURNAL_FILE, text.into_bytes());
    fs::write(place.path("edited.tar"), bundle.to_archive().expect("packed")).expect("written");
    answers(place, "edited.tar", "trusted")
}

pub fn each_question_is_answered_and_changes() {
    let place = Place::new();
    keygen(&place.path(""), &["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", "operator"]);
    let owner = format!("{OWNER} namespaces=\"lab-smoke-go\" {}\n", place.public("owner"));
    let operator = format!("operator namespaces=\"lab-smoke-seal\" {}\n", place.public("operator"));
    fs::write(place.path("trusted"), owner + &operator).expect("written");
    fs::write(place.path("others"), operator).expect("written");
    place.preflight("run");
    let asks = of_run(&place, "run");
    assert_eq!((&asks["who_gave_the_go"], &asks["ended"]), (&Value::Null, &Value::Null));
    fs::remove_file(place.path("run.tar")).expect("removed");
    place.go("run");
    assert_eq!(place.code("resume run"), 0);
    assert_eq!(place.code("seal run --key operator"), 0);
    let good = of_run(&place, "run");

    assert_eq!(good["who_gave_the_go"]["given_by"], OWNER);
    assert_eq!(good["who_gave_the_go"]["for"]["address"], "10.88.60.9/32");
    assert!(good["who_gave_the_go"]["key"].as_str().is_some_and(|key| key.starts_with("SHA256:")));
    for empty in ["outside_the_go", "refused", "left"] {
        assert_eq!(good[empty], json!([]), "{empty}");
    }
    assert_eq!(
        good["not_looked_at"],
        json!(["claim-ready: not-applicable", "doctor: not-applicable"])
    );
    assert_eq!(good["repeated"], json!({"preflight": 2, "undo-plan": 2}), "it was resumed");
    assert_eq!((&good["ended"], &good["sealed"]["whole"]), (&json!("pass"), &json!(true)));
    assert!(good["before_and_after"]["final"].is_object());
    assert!(good["cost"]["instance_seconds"].as_u64().is_some_and(|it| it > 0));
    assert!(good["mutations"].as_array().is_some_and(|it| it.len() > 5));

    let others = answers(&place, "run.tar", "others");
    assert_eq!(others["who_gave_the_go"]["given_by"], Value::Null, "nobody whom they trust");
    let stopped = of_fault(&place, "foreign-holder");
    assert_eq!(stopped["refused"], json!(["hard stop 2"]));
    assert!(stopped["not_looked_at"].as_array().expect("a list").contains(&json!("ping: not-run")));
    assert_eq!(
        (&stopped["before_and_after"]["final"], &stopped["sealed"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(stopped["repeated"], json!({}));
    assert_ne!(stopped["cost"], good["cost"]);
    assert_ne!(of_fault(&place, "planner-replaced")["programs"], good["programs"]);
    assert_ne!(of_fault(&place, "masquerade")["left"], json!([]));
    forged(&place, &good);
}

fn forged(place: &Place, good: &Value) {
    let other_step = rewritten(place, "run", |kind| {
        if let Kind::Intent(Intent { permit: Permit::Undo, undo: Some(step), .. }) = kind {
            "undo.something-else".clone_into(step);
        }
    });
    assert_ne!(other_step["outside_the_go"], json!([]));
    assert_eq!(other_step["sealed"]["whole"], false, "the seal is of another journal");
    let ids = rewritten(place, "run", |kind| {
        if let Kind::Outcome(outcome) = kind {
            outcome.request_id = Some("0a1b2c3d-example".to_owned());
        }
    });
    assert_ne!(ids["mutations"], good["mutations"]);
    let mut bundle = Bundle::read(&place.path("run")).expect("a run");
    let mut journal = bundle.file(JOURNAL_FILE).expect("a journal").to_vec();
    let middle = journal.len() / 2;
    journal[middle] ^= 1;
    bundle.put(JOURNAL_FILE, journal);
    fs::write(place.path("broken.tar"), bundle.to_archive().expect("packed")).expect("written");
    assert!(!audit(place, "broken.tar", "trusted").status.success(), "a byte was flipped");
}

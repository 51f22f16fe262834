//! Journals that somebody wrote anew, with a chain that verifies: what they show is not what was
//! signed, or nobody signed anything.

use std::fs;

use reports::digest::{Digest, canonical_json};
use reports::record::{Kind, ProofOutcome};
use serde_json::{Value, json};

use super::case::Case;
use super::place::{OWNER, Place, copy, substance};

/// The run's journal with other lines, and each line's digest of the one before made anew.
fn rewrite(place: &Place, run: &str, edit: impl FnOnce(&mut Vec<Value>)) {
    let path = place.path(run).join("journal.jsonl");
    let text = fs::read_to_string(&path).expect("a journal");
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    edit(&mut lines);
    let (mut prev, mut text) = (Digest::zero(), String::new());
    for (seq, line) in lines.iter_mut().enumerate() {
        line["seq"] = seq.into();
        line["prev"] = prev.to_string().into();
        let line = line.to_string();
        prev = Digest::of(&line);
        text.push_str(&(line + "\n"));
    }
    fs::write(path, text).expect("written");
}

/// Each step that ends something is gone from the plan.
fn without_teardown(lines: &mut [Value]) {
    for line in lines.iter_mut().filter(|line| line["kind"] == "undo-planned") {
        let steps = line["data"]["steps"].as_array_mut().expect("steps");
        let before = steps.len();
        steps.retain(|step| !step["id"].as_str().is_some_and(|id| id.starts_with("teardown.")));
        assert!(steps.len() < before, "there is a teardown");
    }
}

fn world(place: &Place, run: &str) -> Vec<u8> {
    fs::read(place.path(run).join("world.json")).expect("a world")
}

/// The owner would see no teardown and sign one.
pub fn shown_is_not_signed() {
    let place = Case::copy_of_the_prepared();
    rewrite(&place, "run", |lines| without_teardown(lines));
    let before = world(&place, "run");
    let go = format!("go run --key owner --by {OWNER} --expires 2h");
    let commands = [
        go.as_str(),
        "status run",
        "report run",
        "resume run --lab lab.toml",
        "recover run --lab lab.toml",
    ];
    for command in commands {
        let answer = place.call(&command.split_whitespace().collect::<Vec<_>>());
        assert_eq!(answer.code, Some(2), "{command}: {answer:?}");
        assert!(answer.err.contains("(undo-planned): the undo plan has"), "{answer:?}");
        assert!(answer.err.contains("journal line "), "{answer:?}");
    }
    assert!(world(&place, "run") == before, "something was touched");
}

/// With the plan's digest made anew as well: what the owner signs is what he saw, and the run that
/// would do another thing is refused at the gate.
pub fn another_plan_is_signed() {
    let place = Place::new();
    place.preflight("run");
    rewrite(&place, "run", |lines| {
        without_teardown(lines);
        for line in lines.iter_mut().filter(|line| line["kind"] == "undo-planned") {
            let digest = Digest::of(canonical_json(&line["data"]["steps"]));
            line["data"]["digest"] = digest.to_string().into();
        }
    });
    let words = ["go", "run", "--key", "owner", "--by", OWNER, "--expires", "2h"];
    let shown = place.call(&words);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(!shown.out.contains("teardown."), "{}", shown.out);
    let before = substance(&place.world("run"));
    let answer = place.call(&["resume", "run", "--lab", "lab.toml"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(answer.out.contains("the go was refused (undo-plan)"), "{answer:?}");
    assert!(substance(&place.world("run")) == before, "something was changed");
}

/// After a preflight alone, two records that nobody earned.
fn burnt_without_a_go(place: &Place, self_granted: bool) {
    rewrite(place, "run", |lines| {
        let plan = lines.iter().rev().find(|line| line["kind"] == "undo-planned");
        let plan = plan.expect("an undo plan")["data"]["digest"].clone();
        let at = lines.last().expect("a record")["at"].clone();
        let digest = match fs::read(place.path("run/go.json")) {
            Ok(bytes) => Digest::of(bytes).to_string(),
            Err(_) => Digest::of("forged").to_string(),
        };
        lines.push(json!({ "kind": "go-verified", "at": at, "data": {
            "go_digest": digest, "principal": OWNER, "key_fingerprint": "SHA256:forged",
            "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z",
            "undo_plan_digest": plan, "self_granted": self_granted,
        } }));
        lines.push(json!({ "kind": "go-burnt", "at": at, "data": {
            "go_digest": digest, "path": format!("/var/lib/lab-smoke/burnt-{digest}.json"),
        } }));
    });
}

fn nothing_was_ended(place: &Place, before: &Value, what: &str) {
    let world = place.world("run");
    assert!(substance(&world) == *before, "{what}: something was ended");
    let running = lab_mock::running_instances(&world, world.now);
    assert!(running.is_empty(), "{what}: {running:?} go on costing");
}

/// Nobody gave a go: whoever wrote these records has nothing terminated, released or deleted.
pub fn burnt_by_nobody() {
    type Forge = fn(&Place);
    let table: &[(&str, Forge)] = &[
        ("no go at all", |place| burnt_without_a_go(place, false)),
        ("the lab's own, which was not given", |place| burnt_without_a_go(place, true)),
        ("a stranger's", |place| {
            place.go("run");
            fs::remove_file(place.path("run/go.json.sig")).expect("removed");
            let words = ["-q", "-Y", "sign", "-f", "stranger", "-n", "lab-smoke-go", "run/go.json"];
            super::place::keygen(&place.path(""), &words);
            burnt_without_a_go(place, false);
        }),
    ];
    for (what, forge) in table {
        let place = Place::new();
        place.preflight("run");
        forge(&place);
        let before = substance(&place.world("run"));
        let answer = place.call(&["recover", "run"]);
        assert_eq!(answer.code, Some(6), "{what}: {answer:?}");
        nothing_was_ended(&place, &before, what);
        assert_eq!(proof(&place), Some(ProofOutcome::None), "{what}");
        let listed = ["aws ec2 terminate-instances", "aws ec2 release-address"];
        for command in listed {
            assert!(answer.out.contains(command), "{what}: {command}: {answer:?}");
        }
        assert_eq!(place.code("recover run"), 6, "{what}: repeated, it answers the same");
    }
}

/// Who writes a go writes to the owner's terminal, too: what he writes is shown and not sent.
pub fn says_nothing_to_the_terminal() {
    const STRANGE: &str = "\u{1b}[2K\rverdict: pass (exit 0)";
    let place = Place::new();
    place.preflight("run");
    place.go("run");
    let path = place.path("run/go.json");
    let text = fs::read_to_string(&path).expect("a go");
    let mut go: Value = serde_json::from_str(&text).expect("JSON");
    go[STRANGE] = 1.into();
    fs::write(&path, canonical_json(&go)).expect("written");
    fs::remove_file(place.path("run/go.json.sig")).expect("removed");
    let words = ["-q", "-Y", "sign", "-f", "owner", "-n", "lab-smoke-go", "run/go.json"];
    super::place::keygen(&place.path(""), &words);
    let answer = place.call(&["resume", "run", "--lab", "lab.toml"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(answer.out.contains("unknown field"), "{answer:?}");
    for said in [&answer.out, &answer.err] {
        assert!(!said.contains(['\u{1b}', '\r']), "{answer:?}");
    }
}

/// The outcome that the last recovery found for the proof.
fn proof(place: &Place) -> Option<ProofOutcome> {
    place.records("run").iter().rev().find_map(|record| match &record.kind {
        Kind::ProofSought(sought) => Some(sought.outcome),
        _ => None,
    })
}

/// The owner gave a go, and the node never saw it used: nothing was begun with it.
pub fn a_go_that_was_never_burnt() {
    let place = Place::new();
    place.preflight("run");
    place.go("run");
    burnt_without_a_go(&place, false);
    let before = substance(&place.world("run"));
    let answer = place.call(&["recover", "run"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    nothing_was_ended(&place, &before, "a go that was not used");
    assert_eq!(proof(&place), Some(ProofOutcome::NeverBurnt));
}

/// A run that died after its burn, with the node as it then was.
fn died(place: &Place, after: &str) {
    let words = ["resume", "run", "--lab", "lab.toml", "--format", "json"];
    let before = place.records("run").len();
    let answer = place.call(&words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let records = place.records("run");
    let at = records
        .iter()
        .skip(before)
        .position(|record| serde_json::to_string(record).expect("JSON").contains(after));
    let keep = before + at.unwrap_or_else(|| panic!("no record has {after}")) + 1;
    let path = place.path("run/journal.jsonl");
    let text = fs::read_to_string(&path).expect("a journal");
    let lines: Vec<&str> = text.lines().take(keep).collect();
    fs::write(path, lines.join("\n") + "\n").expect("written");
}

/// Where this run's own plan has ended the node that had the burn, the signature is the proof, and
/// the evidence says so; a signer who is none any more proves nothing.
pub fn the_node_is_gone() {
    let place = Case::copy_of_the_prepared();
    died(&place, "\"kind\":\"ec2-terminate-instance\"");
    copy(&place.path("run"), &place.path("copy"));
    assert_eq!(place.code("recover run"), 0, "resume was given the manifest, and recover finds it");
    assert_eq!(proof(&place), Some(ProofOutcome::SignatureAlone));
    let evidence = fs::read_to_string(place.path("run/evidence.json")).expect("evidence");
    let evidence: Value = serde_json::from_str(&evidence).expect("JSON");
    assert_eq!(evidence["gate"]["proof"]["outcome"], "signature-alone");
    fs::remove_dir_all(place.path("run")).expect("removed");
    fs::rename(place.path("copy"), place.path("run")).expect("renamed");
    place.signers("");
    place.call(&["recover", "run"]);
    assert_eq!(proof(&place), Some(ProofOutcome::None));
}

/// The manifest outside may have changed since: what is done is the granted plan.
pub fn recovered_with_a_changed_manifest() {
    let place = Case::copy_of_the_prepared();
    died(&place, "\"kind\":\"go-burnt\"");
    let text = fs::read_to_string(place.path("lab.toml")).expect("a manifest");
    let another = text.replacen("vpc_id = \"vpc-", "vpc_id = \"vpc-0000", 1);
    let another: String = another
        .lines()
        .map(|line| match line.strip_prefix("vpc_id = \"vpc-0000") {
            Some(rest) => format!("vpc_id = \"vpc-0000{}\n", &rest[4..]),
            None => line.to_owned() + "\n",
        })
        .collect();
    fs::write(place.path("another.toml"), another).expect("written");
    let before = world(&place, "run");
    let refused = place.call(&["recover", "run", "--lab", "another.toml"]);
    assert_eq!(refused.code, Some(8), "{refused:?}");
    assert!(refused.err.contains("describes another lab than the run's"), "{refused:?}");
    assert_eq!(place.code("recover run --lab nowhere.toml"), 8);
    assert!(world(&place, "run") == before, "something was touched");
}

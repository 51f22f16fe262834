//! The owner's go, end to end on the mock: the way it is meant to be given, and the ways to cheat,
//! each of which is refused by the rule that its table names and mutates nothing.
//!
//! Needs ssh-keygen; without it every trial is ignored with the reason, and fails where
//! `LAB_SMOKE_REQUIRE_FOREIGN=1`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::LazyLock;

use lab::mock::world::World;
use lab::node::Node;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use reports::digest::canonical_json;
use reports::journal::read_file;
use reports::record::{Kind, Permit, Record};
use serde_json::{Value, json};
use tempfile::TempDir;

const OWNER: &str = "owner@example.com";

fn main() -> ExitCode {
    let mut trials = vec![
        trial("a_go_that_is_given_is_used_once", given_and_used),
        trial("the_wait_ends_with_the_go_the_wait_or_stop_7", waiting),
        trial("without_consent_nothing_is_stopped_and_the_commands_are_said", no_consent),
        trial("a_lab_that_another_run_holds_is_left_alone", held),
        trial("the_facts_are_the_same_later_and_other_on_a_changed_lab", facts),
        trial("an_earlier_go_is_kept_beside_the_new_one", given_again),
        trial("a_run_that_awaits_nothing_takes_no_go", not_pending),
        trial("status_says_where_a_run_is", status),
        trial("a_go_can_be_waited_for_by_resume", resume_waits),
        trial("a_signal_while_pending_parks", signal),
        trial("the_owners_guide_shows_what_happens", transcripts),
        trial("a_mock_go_is_not_good_on_a_real_lab", real_lab),
    ];
    for (name, rule, edit) in EDITS {
        trials.push(trial_of(format!("edited/{name}/unsigned"), move || {
            cheat("signature", |case| case.edit(*edit).write())
        }));
        trials.push(trial_of(format!("edited/{name}/signed-again"), move || {
            cheat(rule, |case| case.edit(*edit).sign())
        }));
    }
    for (name, rule, how) in CHEATS {
        trials.push(trial_of(format!("cheat/{name}"), move || cheat(rule, how)));
    }
    for (name, rule, how) in CHEATS_SEEN_AT_THE_GATE {
        trials.push(trial_of(format!("at-the-gate/{name}"), move || at_the_gate(rule, *how)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, body: fn()) -> Trial {
    trial_of(name.to_owned(), body)
}

fn trial_of(name: String, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        let found = Command::new("ssh-keygen").arg("-?").output().is_ok();
        let required = std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1");
        match (found, required) {
            (true, _) => {
                body();
                Ok(Completion::Completed)
            }
            (false, true) => Err(Failed::from("there is no ssh-keygen")),
            (false, false) => Ok(Completion::ignored_with("there is no ssh-keygen")),
        }
    })
}

/// A working directory with keys, allowed signers and the mock's manifest.
struct Place(TempDir);

#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        for key in ["owner", "stranger"] {
            keygen(&place.path(""), &["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", key]);
        }
        place.signers(&format!("{OWNER} namespaces=\"lab-smoke-go\" {}", place.public("owner")));
        place
    }

    /// The mock's manifest, with this text as its allowed signers.
    fn signers(&self, text: &str) {
        fs::write(self.path("signers"), text).expect("written");
        let words = ["lab", "example", "--mock", "--seed", "7", "--allowed-signers", "signers"];
        let manifest = self.call(&words);
        assert_eq!(manifest.code, Some(0), "{manifest:?}");
        fs::write(self.path("lab.toml"), manifest.out).expect("written");
    }

    fn public(&self, key: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{key}.pub"))).expect("a public key");
        text.trim().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn call(&self, words: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("SSH_AUTH_SOCK");
        let Output { status, stdout, stderr } = command.output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Answer { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// Calls and answers the code.
    fn code(&self, line: &str) -> i32 {
        let answer = self.call(&line.split_whitespace().collect::<Vec<_>>());
        answer.code.unwrap_or_else(|| panic!("{line}: {answer:?}"))
    }

    fn preflight(&self, out: &str) {
        assert_eq!(self.code(&format!("preflight --lab lab.toml --seed 7 --out {out}")), 3);
    }

    fn go(&self, run: &str) {
        assert_eq!(self.code(&format!("go {run} --key owner --by {OWNER} --expires 2h")), 0);
    }

    fn records(&self, run: &str) -> Vec<Record> {
        read_file(&self.path(run)).expect("a journal").records
    }

    fn world(&self, run: &str) -> World {
        let bytes = fs::read(self.path(run).join("world.json")).expect("a world");
        serde_json::from_slice(&bytes).expect("a world")
    }

    fn put_world(&self, run: &str, world: &World) {
        let bytes = serde_json::to_vec(world).expect("JSON");
        fs::write(self.path(run).join("world.json"), bytes).expect("written");
    }

    fn status(&self, run: &str) -> Value {
        let answer = self.call(&["status", run, "--format", "json"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        serde_json::from_str(&answer.out).expect("JSON")
    }
}

fn keygen(dir: &Path, words: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    let output = command.args(words).current_dir(dir).stdin(Stdio::null()).output();
    let output = output.expect("ssh-keygen starts");
    assert!(output.status.success(), "{words:?}: {output:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("readable").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn kinds(records: &[Record]) -> Vec<&'static str> {
    records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::GoBurnt(_) => Some("burnt"),
            Kind::Intent(intent) if intent.permit == Permit::Cost => Some("cost"),
            Kind::Intent(_) => Some("mutation"),
            _ => None,
        })
        .collect()
}

fn refusal(records: &[Record]) -> Option<(String, String)> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoRefused(it) => Some((it.rule.clone(), it.reason.clone())),
        _ => None,
    })
}

/// The cloud and the nodes' files, without power states.
fn substance(world: &World) -> Value {
    let mut cloud = serde_json::to_value(&world.cloud).expect("JSON");
    let instances = cloud["instances"].as_object_mut().expect("instances");
    for instance in instances.values_mut().filter_map(Value::as_object_mut) {
        for power in ["state", "changed_at", "transition", "state_reason", "launched_at"] {
            instance.remove(power);
        }
    }
    let files = world.machines.iter().map(|(node, machine)| (node.to_string(), &machine.files));
    json!({ "cloud": cloud, "files": files.collect::<std::collections::BTreeMap<_, _>>() })
}

/// A run that awaits its go and has a good one; every case works on its own copy.
struct Prepared {
    place: Place,
}

static PREPARED: LazyLock<Prepared> = LazyLock::new(|| {
    let place = Place::new();
    place.preflight("run");
    place.go("run");
    Prepared { place }
});

/// One way to cheat, being made.
struct Case {
    place: Place,
    go: Value,
}

impl Case {
    fn new() -> Self {
        let place = Self::copy_of_the_prepared();
        let go = fs::read(place.path("run/go.json")).expect("a go");
        Self { place, go: serde_json::from_slice(&go).expect("JSON") }
    }

    fn copy_of_the_prepared() -> Place {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let from = PREPARED.place.0.path();
        for name in ["owner", "owner.pub", "stranger", "stranger.pub", "signers", "lab.toml"] {
            fs::copy(from.join(name), temp.path().join(name)).expect("copied");
        }
        copy(&from.join("run"), &temp.path().join("run"));
        Place(temp)
    }

    fn edit(&mut self, edit: fn(&mut Value)) -> &mut Self {
        edit(&mut self.go);
        self
    }

    fn bytes(&self) -> String {
        canonical_json(&self.go)
    }

    fn write(&mut self) {
        fs::write(self.place.path("run/go.json"), self.bytes()).expect("written");
    }

    /// Written, and signed again by the owner.
    fn sign(&mut self) {
        let bytes = self.bytes();
        self.sign_bytes(&bytes, "owner", "lab-smoke-go");
    }

    fn sign_bytes(&self, bytes: &str, key: &str, namespace: &str) {
        fs::write(self.place.path("run/go.json"), bytes).expect("written");
        fs::remove_file(self.place.path("run/go.json.sig")).expect("removed");
        let words = ["-q", "-Y", "sign", "-f", key, "-n", namespace, "run/go.json"];
        keygen(&self.place.path(""), &words);
    }

    fn signers(&mut self, text: &str) {
        self.place.signers(text);
    }

    /// Signers of this option before the owner's key.
    fn owner_with(&mut self, options: &str) {
        let text = format!("{OWNER} {options} {}", self.place.public("owner"));
        self.signers(&text);
    }

    fn change_world(&self, change: impl FnOnce(&mut World)) {
        let mut world = self.place.world("run");
        change(&mut world);
        self.place.put_world("run", &world);
    }

    fn resume(&self) -> Answer {
        self.place.call(&["resume", "run", "--lab", "lab.toml"])
    }
}

type Edit = fn(&mut Value);

/// Each once unsigned and once signed again by the owner: then its field's rule answers.
const EDITS: &[(&str, &str, Edit)] = &[
    ("run-id", "run", |go| go["run_id"] = "smoke-20260101T000000Z-00000000".into()),
    ("run-id-look-alike", "run", |go| {
        let run = go["run_id"].as_str().expect("text").replace('s', "\u{455}");
        go["run_id"] = run.into();
    }),
    ("facts-digest", "facts-digest", |go| go["facts_digest"] = "00".repeat(32).into()),
    ("undo-plan", "undo-plan", |go| go["undo_plan_digest"] = "11".repeat(32).into()),
    ("same-eni-in-another-account", "lab-fingerprint", |go| {
        go["lab_fingerprint"] = "22".repeat(32).into();
    }),
    ("lab-kind", "lab-kind", |go| go["lab_kind"] = "aws".into()),
    ("another-built-in-lab", "lab-kind", |go| go["lab_kind"] = "netns".into()),
    ("address", "change-set", |go| go["change_set"]["address"] = "10.88.60.10/32".into()),
    ("eni", "change-set", |go| {
        go["change_set"]["network_interface_id"] = "eni-00000000000000000".into();
    }),
    ("region", "change-set", |go| go["change_set"]["region"] = "us-east-1".into()),
    ("provider", "change-set", |go| go["change_set"]["provider_ref"] = "aws-prod".into()),
    ("reassignment", "change-set", |go| go["change_set"]["allow_reassignment"] = true.into()),
    ("lease", "change-set", |go| go["change_set"]["ttl"] = "200h".into()),
    ("principal", "signer", |go| go["principal"] = "stranger@example.com".into()),
    ("principal-look-alike", "signer", |go| go["principal"] = "\u{43e}wner@example.com".into()),
    ("the-lab-itself", "signer", |go| go["principal"] = "lab-itself".into()),
    ("from-the-future", "not-before", |go| go["not_before"] = "2026-06-23T06:00:00Z".into()),
    ("expired", "expired", |go| {
        go["not_before"] = "2026-06-20T00:00:00Z".into();
        go["not_after"] = "2026-06-20T02:00:00Z".into();
    }),
    ("ends-before-it-begins", "validity", |go| {
        go["not_after"] = "2026-06-20T02:00:00Z".into();
    }),
    ("version", "version", |go| go["version"] = 2.into()),
];

type How = fn(&mut Case);

/// Found without asking the lab anything.
const CHEATS: &[(&str, &str, How)] = &[
    ("signed-by-a-stranger", "signer", |case| {
        case.sign_bytes(&case.bytes(), "stranger", "lab-smoke-go");
    }),
    ("signed-for-another-purpose", "namespace", |case| {
        case.sign_bytes(&case.bytes(), "owner", "file");
    }),
    ("signature-of-the-preflight", "signature", |case| {
        let words = ["-q", "-Y", "sign", "-f", "owner", "-n", "lab-smoke-go", "run/evidence.json"];
        keygen(&case.place.path(""), &words);
        let (from, to) = ("run/evidence.json.sig", "run/go.json.sig");
        fs::rename(case.place.path(from), case.place.path(to)).expect("renamed");
    }),
    ("no-signature", "unsigned", |case| {
        fs::remove_file(case.place.path("run/go.json.sig")).expect("removed");
    }),
    ("empty-signature", "signature", |case| {
        fs::write(case.place.path("run/go.json.sig"), "").expect("written");
    }),
    ("binary-signature", "signature", |case| {
        fs::write(case.place.path("run/go.json.sig"), [0xff, 0xfe]).expect("written");
    }),
    ("re-encoded-with-blanks", "re-encoded", |case| {
        let text = serde_json::to_string_pretty(&case.go).expect("JSON");
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("re-encoded-with-a-newline", "re-encoded", |case| {
        case.sign_bytes(&(case.bytes() + "\n"), "owner", "lab-smoke-go");
    }),
    ("re-encoded-without-a-signature", "signature", |case| {
        fs::write(case.place.path("run/go.json"), case.bytes() + "\n").expect("written");
    }),
    ("duplicate-key", "not-a-go", |case| {
        let text = case.bytes().replacen('{', "{\"run_id\":\"smoke-x\",", 1);
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("duplicate-key-in-the-change-set", "re-encoded", |case| {
        let (first, other) = ("\"address\":", "\"address\":\"10.88.60.10/32\",\"address\":");
        let text = case.bytes().replacen(first, other, 1);
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("one-field-more", "not-a-go", |case| case.edit(|go| go["scope"] = "all".into()).sign()),
    ("the-preflights-evidence-as-a-go", "not-a-go", |case| {
        let text = fs::read_to_string(case.place.path("run/evidence.json")).expect("evidence");
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("another-runs-go", "run", |case| {
        let words = "preflight --lab mock --seed 8 --out other";
        assert_eq!(case.place.code(words), 3);
        case.place.go("other");
        for name in ["go.json", "go.json.sig"] {
            let from = case.place.path("other").join(name);
            fs::copy(from, case.place.path("run").join(name)).expect("copied");
        }
    }),
    ("symlinked-document", "unreadable", |case| {
        let (real, link) = (case.place.path("real"), case.place.path("run/go.json"));
        fs::rename(&link, &real).expect("renamed");
        symlink(&real, &link).expect("linked");
    }),
    ("symlinked-signature", "unreadable", |case| {
        let (real, link) = (case.place.path("real"), case.place.path("run/go.json.sig"));
        fs::rename(&link, &real).expect("renamed");
        symlink(&real, &link).expect("linked");
    }),
    ("a-folder-as-a-go", "unreadable", |case| {
        let path = case.place.path("run/go.json");
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
    }),
    ("signer-removed", "signer", |case| case.signers("")),
    ("signer-replaced", "signer", |case| {
        let text = format!("{OWNER} {}", case.place.public("stranger"));
        case.signers(&text);
    }),
    ("signer-for-other-purposes", "signer-namespace", |case| {
        case.owner_with("namespaces=\"git,file\"");
    }),
    ("signer-no-longer-valid", "signer-time", |case| {
        case.owner_with("valid-before=\"20260601Z\"");
    }),
    ("signer-not-yet-valid", "signer-time", |case| case.owner_with("valid-after=\"20260701Z\"")),
    ("certificates-authority", "allowed-signers", |case| case.owner_with("cert-authority")),
    ("signers-inside-the-folder", "signer", |case| {
        // The journal has the manifest's text; only the one outside counts.
        let text = fs::read_to_string(case.place.path("lab.toml")).expect("a manifest");
        fs::write(case.place.path("run/lab.toml"), text).expect("written");
        case.signers("");
    }),
];

/// Refused offline: the rule stands in the journal, and the world is the same to the byte.
fn cheat(rule: &str, how: impl FnOnce(&mut Case)) {
    let mut case = Case::new();
    how(&mut case);
    let world = || fs::read(case.place.path("run/world.json")).expect("a world");
    let (before, begun) = (world(), kinds(&case.place.records("run")));
    let answer = case.resume();
    assert_eq!(answer.code, Some(4), "{answer:?}");
    let records = case.place.records("run");
    let refused = refusal(&records).unwrap_or_else(|| panic!("no refusal: {answer:?}"));
    assert_eq!(refused.0, rule, "{}", refused.1);
    assert!(answer.out.contains(&format!("the go was refused ({rule}): ")), "{}", answer.out);
    assert!(world() == before, "something was changed");
    assert_eq!(kinds(&records), begun, "nothing was started");
    assert_eq!(case.place.status("run")["state"], "parked", "a better go may come");
}

/// What only the lab itself gives away.
const CHEATS_SEEN_AT_THE_GATE: &[(&str, &str, How)] = &[
    ("the-lab-has-changed-since", "facts-digest", |case| {
        case.change_world(|world| {
            let interfaces = world.cloud.network_interfaces.values_mut();
            for interface in interfaces {
                interface.source_dest_check = false;
            }
        });
    }),
    ("router-yaml-has-changed-since", "facts-digest", |case| {
        case.change_world(|world| {
            let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
            let path = "/usr/local/etc/routerd/router.yaml";
            let yaml = [files.contents(path).expect("router.yaml"), b"\n# another\n"].concat();
            files.put(path, yaml, 0o644);
        });
    }),
    ("it-expires-while-the-lab-starts", "expired", |case| {
        let words = format!("go run --key owner --by {OWNER} --expires 1s");
        assert_eq!(case.place.code(&words), 0);
    }),
    ("a-copy-of-the-folder-after-the-burn", "used", |case| {
        let go = fs::read(case.place.path("run/go.json")).expect("a go");
        let path = format!("/var/lib/lab-smoke/burnt-{}.json", reports::digest::Digest::of(&go));
        case.change_world(|world| {
            let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
            files.put(&path, "{\"run_id\":\"the original\"}", 0o600);
        });
    }),
];

/// Refused when the lab was started and looked at again: nothing but power was changed.
fn at_the_gate(rule: &str, how: fn(&mut Case)) {
    let mut case = Case::new();
    how(&mut case);
    let before = substance(&case.place.world("run"));
    let answer = case.resume();
    assert_eq!(answer.code, Some(4), "{answer:?}");
    let records = case.place.records("run");
    let refused = refusal(&records).unwrap_or_else(|| panic!("no refusal: {answer:?}"));
    assert_eq!(refused.0, rule, "{}", refused.1);
    let after = case.place.world("run");
    assert!(substance(&after) == before, "something was changed");
    let running = lab::mock::running_instances(&after, after.now);
    assert_eq!(running, Vec::<String>::new(), "what was started is stopped again");
    let done: Vec<_> = records.iter().filter_map(executed).collect();
    assert_eq!(done, Vec::<String>::new());
}

/// What would have moved the address.
fn executed(record: &Record) -> Option<String> {
    match &record.kind {
        Kind::Intent(intent) if intent.what.contains("execute") => Some(intent.what.clone()),
        _ => None,
    }
}

fn given_and_used() {
    let place = Case::copy_of_the_prepared();
    let parked = place.world("run");
    assert_eq!(lab::mock::running_instances(&parked, parked.now), Vec::<String>::new());
    copy(&place.path("run"), &place.path("copy"));
    let words = ["resume", "run", "--lab", "lab.toml"];
    let answer = place.call(&words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.out.contains("\nverdict: pass (exit 0)\n"), "{answer:?}");
    let records = place.records("run");
    let verified = records.iter().find_map(|record| match &record.kind {
        Kind::GoVerified(go) => Some((go.principal.clone(), go.self_granted)),
        _ => None,
    });
    assert_eq!(verified, Some((OWNER.to_owned(), false)));
    assert_eq!(place.status("run")["state"], "ended");

    // Again, in the same folder: the run has ended.
    let again = place.call(&words);
    assert_eq!(again.code, Some(2), "{again:?}");
    // A copy of the folder as it was just after the burn.
    let text = fs::read_to_string(place.path("run/journal.jsonl")).expect("a journal");
    let burnt = text.lines().position(|line| line.contains("\"kind\":\"go-burnt\""));
    let upto: Vec<&str> = text.lines().take(burnt.expect("burnt") + 1).collect();
    fs::write(place.path("copy/journal.jsonl"), upto.join("\n") + "\n").expect("written");
    let copied = place.call(&["resume", "copy", "--lab", "lab.toml"]);
    assert_eq!(copied.code, Some(4), "{copied:?}");
    assert!(copied.err.contains("the go is refused (used)"), "{copied:?}");
    assert_eq!(place.status("copy")["state"], "dead");
}

/// Code, state, whether stop 7 tripped, of `run --wait-go`.
fn waited(place: &Place, out: &str, words: &str) -> (i32, Value, bool) {
    let code = place.code(&format!("run --lab lab.toml --seed 7 --out {out} {words}"));
    let records = place.records(out);
    let tripped = records
        .iter()
        .any(|record| matches!(&record.kind, Kind::StopTripped(stop) if stop.stop == 7));
    (code, place.status(out)["state"].clone(), tripped)
}

fn waiting() {
    let place = Place::new();
    for (out, words, expected) in [
        ("short", "--wait-go 5m", (3, json!("parked"), false)),
        ("tie", "--wait-go 10m", (3, json!("parked"), true)),
        ("long", "--wait-go 20m", (3, json!("parked"), true)),
        ("left", "--wait-go 20m --leave-running", (3, json!("awaiting-go"), false)),
    ] {
        assert_eq!(waited(&place, out, words), expected, "{words}");
    }
    // The prepared go of the same seed appears after a while.
    let words = "preflight --lab lab.toml --seed 7 --leave-running --out prepared";
    assert_eq!(place.code(words), 3);
    place.go("prepared");
    for (after, expected) in [
        ("3m", (0, json!("ended"), false)),
        ("599s", (0, json!("ended"), false)),
        ("10m", (3, json!("parked"), true)),
    ] {
        let out = format!("after-{after}");
        fs::create_dir(place.path(&out)).expect("made");
        for name in ["go.json", "go.json.sig"] {
            let to = place.path(&out).join(name);
            fs::copy(place.path("prepared").join(name), to).expect("copied");
        }
        let words = format!("--wait-go 15m --inject go-after={after}");
        assert_eq!(waited(&place, &out, &words), expected, "{after}");
    }
    // A run that stop 7 parked may pass later.
    place.go("tie");
    assert_eq!(place.code("resume tie"), 0);
    assert_eq!(place.status("tie")["verdict"], "pass");
}

fn no_consent() {
    let place = Place::new();
    let text = fs::read_to_string(place.path("lab.toml")).expect("a manifest");
    let (consents, refuses) = ("stop_instances = true", "stop_instances = false");
    assert!(text.contains(consents));
    fs::write(place.path("lab.toml"), text.replace(consents, refuses)).expect("written");
    let answer = place.call(&["preflight", "--lab", "lab.toml", "--seed", "7", "--out", "run"]);
    assert_eq!(answer.code, Some(6), "{answer:?}");
    assert!(answer.out.contains("aws ec2 stop-instances --instance-ids i-"), "{answer:?}");
    assert_eq!(kinds(&place.records("run")), Vec::<&str>::new());
    assert_eq!(place.status("run")["state"], "awaiting-go");
    assert_eq!(waited(&place, "waited", "--wait-go 10m"), (6, json!("awaiting-go"), true));
    place.go("run");
    assert_eq!(place.code("resume run"), 0, "it is still the owner's to go on");
}

fn held() {
    let case = Case::new();
    case.change_world(|world| {
        let holder = json!({
            "run_id": "smoke-of-the-night-shift",
            "taken_at": "2026-06-23T04:00:00Z",
            "lease_until": "2026-06-23T04:30:00Z",
        });
        let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
        files.put(lab::act::LOCK_PATH, holder.to_string(), 0o600);
    });
    let before = substance(&case.place.world("run"));
    let answer = case.resume();
    assert_eq!(answer.code, Some(8), "{answer:?}");
    assert!(answer.out.contains("held by run smoke-of-the-night-shift"), "{answer:?}");
    assert!(substance(&case.place.world("run")) == before, "something was changed");
    let state = case.place.status("run")["state"].clone();
    assert_eq!(state, "awaiting-go", "its router was started to be asked, and the run can go on");
}

fn facts() {
    let digests = |records: &[Record]| -> Vec<String> {
        records
            .iter()
            .filter_map(|record| match &record.kind {
                Kind::FactsRecorded(facts) => Some(facts.facts_digest.to_string()),
                _ => None,
            })
            .collect()
    };
    let unchanged = Case::new();
    assert_eq!(unchanged.resume().code, Some(0));
    let seen = digests(&unchanged.place.records("run"));
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]), "after a stop and a start");
    // A day later, on the lab as it is.
    let later = Case::new();
    later.change_world(|world| world.now += chrono::TimeDelta::days(1));
    assert_eq!(later.place.code("go run --key owner --by owner@example.com --expires 30h"), 0);
    assert_eq!(later.resume().code, Some(0));
    let seen = digests(&later.place.records("run"));
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]), "a day later");
}

fn given_again() {
    let case = Case::new();
    let first = fs::read(case.place.path("run/go.json")).expect("a go");
    fs::copy(case.place.path("owner.pub"), case.place.path("lone.pub")).expect("copied");
    let words = format!("go run --key lone.pub --by {OWNER} --expires 2h");
    assert_eq!(case.place.code(&words), 2, "a public key means an agent, and there is none");
    assert_eq!(fs::read(case.place.path("run/go.json")).expect("a go"), first);
    assert_eq!(case.place.code(&format!("go run --key owner --by {OWNER} --expires 3h")), 0);
    assert_eq!(fs::read(case.place.path("run/go.json.1")).expect("the old go"), first);
    assert_ne!(fs::read(case.place.path("run/go.json")).expect("a go"), first);
    assert!(case.place.path("run/go.json.sig.1").is_file());
    assert_eq!(case.resume().code, Some(0));
}

fn not_pending() {
    let place = Place::new();
    assert_eq!(place.code("run --seed 7 --out passed"), 0);
    let go = format!("--key owner --by {OWNER} --expires 2h");
    assert_eq!(place.code(&format!("go passed {go}")), 2);
    assert!(!place.path("passed/go.json").exists());
    assert_eq!(place.code("resume passed"), 2);
    // Its owner says no.
    place.preflight("refused");
    assert_eq!(place.code("recover refused"), 0);
    assert_eq!(place.code(&format!("go refused {go}")), 2);
    assert_eq!(place.code("resume refused"), 2);
    // What did not pass is nobody's to decide on.
    let failed = "preflight --lab lab.toml --seed 7 --inject foreign-holder --out failed";
    assert_eq!(place.code(failed), 4);
    assert_eq!(place.status("failed")["state"], "ended");
    assert_eq!(place.code(&format!("go failed {go}")), 2);
}

fn status() {
    let place = Place::new();
    place.preflight("run");
    let status = place.status("run");
    assert_eq!((&status["state"], &status["exit_code"]), (&json!("parked"), &json!(3)));
    let next = status["next"].to_string();
    for command in ["lab-smoke go run --key KEY --by owner@example.com", "lab-smoke resume run"] {
        assert!(next.contains(command), "{next}");
    }
    assert_eq!(place.code("resume run"), 3, "there is no go");
    let folder = reports::folder::RunFolder::open(&place.path("run")).expect("a run");
    let lock = folder.try_lock("the night shift").expect("io");
    let held = place.status("run");
    assert_eq!((&held["state"], &held["held_by"]), (&json!("live"), &json!("the night shift")));
    assert_eq!(place.code("resume run"), 8);
    place.go("run");
    drop(lock);
    assert!(place.path("run/go.json.sig").is_file(), "a run that waits is live");
    assert_eq!(place.code("status nowhere"), 2);
    let people = place.call(&["status", "run"]).out;
    assert!(people.contains(": parked\nverdict: parked (exit 3)\n"), "{people}");
}

fn resume_waits() {
    let case = Case::new();
    let place = &case.place;
    for name in ["go.json", "go.json.sig"] {
        fs::rename(place.path("run").join(name), place.path(name)).expect("renamed");
    }
    let before = fs::read(place.path("run/world.json")).expect("a world");
    assert_eq!(place.code("resume run --wait-go 5m"), 3);
    assert_eq!(place.code("resume run --go nowhere.json"), 3);
    let after = fs::read(place.path("run/world.json")).expect("a world");
    assert!(after == before, "nothing is started for a go that is not there");
    assert_eq!(place.code("resume run --go go.json"), 0, "with go.json.sig beside it");
}

fn signal() {
    use harness::engine::{Meanwhile, Pending, Selection, Settings, run_until_go};
    use harness::grant::OwnersFiles;
    use harness::labs::{MockOptions, open_mock};
    use reports::journal::Writer;
    use reports::record::{Interrupted, Part, Verdict};
    use std::time::Duration;

    let temp = tempfile::tempdir().expect("a temporary folder");
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let options = MockOptions { seed: 7, faults: Vec::new(), world_file: None };
        let opened = open_mock(&options).expect("the mock");
        let journal = Writer::create(temp.path()).expect("a journal");
        let parts = scenarios::SEQUENCE.iter().map(|it| (it.name, Part::Judged)).collect();
        let settings = Settings {
            run_id: opened.run_id,
            seed: Some(7),
            faults: Vec::new(),
            selection: Selection { filter: None, parts },
        };
        let pending = Pending {
            files: OwnersFiles {
                document: temp.path().join("go.json"),
                allowed_signers: String::new(),
                hidden_for: Duration::ZERO,
            },
            wait: Some(Duration::from_mins(9)),
            meanwhile: Meanwhile::Park,
        };
        let (brake, clock) = (lab::permit::Brake::default(), opened.lab.clock);
        let signal = async {
            clock.sleep(Duration::from_mins(2)).await;
            brake.pull();
            let signal = Interrupted { signal: "SIGTERM".to_owned() };
            journal.append(clock.now(), Kind::Interrupted(signal)).expect("recorded");
        };
        let mut announce = |_| {};
        let (lab, began) = (&opened.lab, clock.now());
        let running =
            run_until_go(lab, &pending, &journal, brake.clone(), &settings, &mut announce);
        let (judgement, ()) = futures::join!(running, signal);
        assert_eq!((judgement.verdict, judgement.exit_code), (Verdict::Parked, 3));
        let waited = clock.now() - began;
        assert!(waited < chrono::TimeDelta::minutes(4), "it waited on: {waited}");
        let stops = journal.with_records(kinds);
        assert_eq!(stops, ["cost", "cost"], "both instances were stopped");
    });
}

/// Each command of the guide's transcripts, with what it prints here and now.
fn transcripts() {
    let guide: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "docs", "OWNER.md"].iter().collect();
    let committed = fs::read_to_string(&guide).expect("OWNER.md");
    let temp = tempfile::tempdir().expect("a temporary folder");
    let program = Path::new(env!("CARGO_BIN_EXE_lab-smoke")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.display());
    let said = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(temp.path()).env("PATH", &path);
        let output = shell.stdin(Stdio::null()).output().expect("a shell");
        assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let (mut real, mut shown) = (String::new(), None);
    for line in committed.lines() {
        match (shown, line) {
            (None, _) => real.push_str(&format!("{line}\n")),
            (Some(()), "```") => real.push_str("```\n"),
            (Some(()), line) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    real.push_str(&format!("{line}\n{}", said(command)));
                }
            }
        }
        shown = match line {
            "```console" => Some(()),
            "```" => None,
            _ => shown,
        };
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&guide, real).expect("written");
    } else {
        assert!(real == committed, "docs/OWNER.md is stale: UPDATE_DOCS=1; now it is:\n{real}");
    }
}

fn real_lab() {
    use reports::go::{AllowedSigners, Document, Expectation, verify};
    use reports::record::LabKind;
    let place = Case::copy_of_the_prepared();
    let read = |name: &str| fs::read_to_string(place.path(name)).expect(name);
    let (go, signature) = (read("run/go.json"), read("run/go.json.sig"));
    let document = Document::parse(go.as_bytes()).expect("a go");
    let signers = AllowedSigners::parse(&read("signers")).expect("signers");
    let mut expected = Expectation {
        run_id: document.run_id,
        facts_digest: document.facts_digest,
        change_set: document.change_set,
        undo_plan_digest: document.undo_plan_digest,
        lab_fingerprint: document.lab_fingerprint,
        lab_kind: LabKind::Mock,
        burnt: None,
    };
    let now = document.not_before;
    verify(go.as_bytes(), &signature, &signers, &expected, now).expect("good on the mock");
    expected.lab_kind = LabKind::Aws;
    let refused = verify(go.as_bytes(), &signature, &signers, &expected, now);
    assert_eq!(refused.expect_err("refused").rule, "lab-kind");
}

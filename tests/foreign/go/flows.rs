//! The go as it is meant to be given, waited for, kept and used.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use lab::node::Node;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reports::record::{Kind, Record};
use serde_json::{Value, json};

use super::case::Case;
use super::place::{OWNER, Place, copy, kinds, substance};

pub fn given_and_used() {
    let place = Case::copy_of_the_prepared();
    let parked = place.world("run");
    assert_eq!(lab_mock::running_instances(&parked, parked.now), Vec::<String>::new());
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

/// One go is burnt; another, of the same owner and for the same run, is not good any more.
pub fn two_burnt_goes() {
    let case = Case::new();
    let place = &case.place;
    copy(&place.path("run"), &place.path("copy"));
    assert_eq!(place.code("resume run --lab lab.toml"), 0);
    let text = fs::read_to_string(place.path("run/journal.jsonl")).expect("a journal");
    let burnt = text.lines().position(|line| line.contains("\"kind\":\"go-burnt\""));
    let upto: Vec<&str> = text.lines().take(burnt.expect("burnt") + 1).collect();
    fs::write(place.path("copy/journal.jsonl"), upto.join("\n") + "\n").expect("written");
    let before = fs::read(place.path("copy/world.json")).expect("a world");
    let words = format!("go copy --key owner --by {OWNER} --expires 3h");
    assert_eq!(place.code(&words), 2, "nobody is asked for another go");
    // Signed by hand.
    let mut other = case.go.clone();
    other["not_after"] = "2026-06-23T09:00:00Z".into();
    let bytes = reports::digest::canonical_json(&other);
    fs::write(place.path("other.json"), bytes).expect("written");
    let words = ["-q", "-Y", "sign", "-f", "owner", "-n", "lab-smoke-go", "other.json"];
    super::place::keygen(&place.path(""), &words);
    let answer = place.call(&["resume", "copy", "--lab", "lab.toml", "--go", "other.json"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(answer.err.contains("the go is refused (used)"), "{answer:?}");
    let after = fs::read(place.path("copy/world.json")).expect("a world");
    assert!(after == before, "something was changed");
}

/// Whatever order a woken node comes up in, and however long it takes, it is looked at until it is what
/// the owner saw.
pub fn woken_in_stages() {
    let place = Place::new();
    for (index, [sshd, overlay, routerd]) in
        [[5, 20, 40], [5, 40, 20], [20, 5, 40], [20, 40, 5], [40, 5, 20], [40, 20, 5]]
            .into_iter()
            .enumerate()
    {
        let out = format!("run-{index}");
        let boot = format!("slow-boot=sshd:{sshd}s,overlay:{overlay}s,routerd:{routerd}s");
        let line = format!("preflight --lab lab.toml --seed 7 --inject {boot} --out {out}");
        assert_eq!(place.code(&line), 3, "{boot}");
        assert_eq!(place.status(&out)["state"], "parked", "{boot}");
        place.go(&out);
        let woken = place.call(&["resume", &out, "--lab", "lab.toml"]);
        assert_eq!(woken.code, Some(0), "{boot}: {woken:?}");
        let facts: Vec<String> = place
            .records(&out)
            .iter()
            .filter_map(|record| match &record.kind {
                Kind::FactsRecorded(recorded) => Some(recorded.facts_digest.to_string()),
                _ => None,
            })
            .collect();
        assert!(facts.len() > 1, "{boot}: it was looked at once more");
        assert_eq!(facts.first(), facts.last(), "{boot}");
    }
}

pub fn armed() {
    let place = Place::new();
    place.preflight("run");
    let stop_7 = || {
        let text = fs::read_to_string(place.path("run/evidence.json")).expect("evidence");
        let evidence: Value = serde_json::from_str(&text).expect("JSON");
        let stop = evidence["hard_stops"][6].clone();
        (stop["armed"].as_bool(), stop["reason"].as_str().map(str::to_owned))
    };
    assert_eq!(stop_7(), (Some(true), None));
    let disarmed =
        (Some(false), Some("disarmed by --leave-running, as is the dead man's switch".to_owned()));
    for (words, expected) in
        [("resume run --leave-running", disarmed), ("resume run", (Some(true), None))]
    {
        assert_eq!(place.code(words), 3, "{words}");
        assert_eq!(stop_7(), expected, "{words}");
    }
}

/// Code, state, whether stop 7 tripped, of `run --wait-go`.
pub fn waited(place: &Place, out: &str, words: &str) -> (i32, Value, bool) {
    let code = place.code(&format!("run --lab lab.toml --seed 7 --out {out} {words}"));
    came_to(place, out, code)
}

fn came_to(place: &Place, out: &str, code: i32) -> (i32, Value, bool) {
    let records = place.records(out);
    let tripped = records
        .iter()
        .any(|record| matches!(&record.kind, Kind::StopTripped(stop) if stop.stop == 7));
    (code, place.status(out)["state"].clone(), tripped)
}

/// Does the same as [`waited`], where the prepared go is put into the folder as soon as the run has begun: it
/// stands still meanwhile, for virtual time waits for nobody.
fn waited_with_a_go(place: &Place, out: &str, words: &str) -> (i32, Value, bool) {
    let line = format!("run --lab lab.toml --seed 7 --format json --out {out} {words}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
    command.args(line.split_whitespace()).current_dir(place.path("")).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    said.read_line(&mut String::new()).expect("a first record");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGSTOP).expect("sent");
    for name in ["go.json", "go.json.sig"] {
        let to = place.path(out).join(name);
        fs::copy(place.path("prepared").join(name), to).expect("copied");
    }
    kill(pid, Signal::SIGCONT).expect("sent");
    std::io::copy(&mut said, &mut std::io::sink()).expect("read to its end");
    let code = child.wait().expect("its end").code().expect("no signal");
    came_to(place, out, code)
}

pub fn waiting() {
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
        let words = format!("--wait-go 15m --inject go-after={after}");
        assert_eq!(waited_with_a_go(&place, &out, &words), expected, "{after}");
    }
    // A run that stop 7 parked may pass later.
    place.go("tie");
    assert_eq!(place.code("resume tie"), 0);
    assert_eq!(place.status("tie")["verdict"], "pass");
}

pub fn no_consent() {
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

pub fn held() {
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
    let holder = "held by run smoke-of-the-night-shift until 2026-06-23 04:30:00 UTC";
    assert!(answer.out.contains(holder), "{answer:?}");
    assert!(substance(&case.place.world("run")) == before, "something was changed");
    let state = case.place.status("run")["state"].clone();
    assert_eq!(state, "awaiting-go", "its router was started to be asked, and the run can go on");
}

pub fn facts() {
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
    // Most of a day later, on the lab as it is.
    let later = Case::new();
    later.change_world(|world| world.now += chrono::TimeDelta::hours(22));
    assert_eq!(later.place.code("go run --key owner --by owner@example.com --expires 24h"), 0);
    assert_eq!(later.resume().code, Some(0));
    let seen = digests(&later.place.records("run"));
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]), "most of a day later");
}

/// Preflight was repeated in between on a changed lab: the go of the first is not good any more, and
/// that is seen before anything is started.
pub fn repeated_on_a_changed_lab() {
    let case = Case::new();
    case.change_world(|world| {
        for interface in world.cloud.network_interfaces.values_mut() {
            interface.source_dest_check = false;
        }
    });
    let refused = case.resume();
    assert_eq!(refused.code, Some(4), "the lab is another");
    let field = "/interface/source_dest_check: true, and now false";
    assert!(refused.out.contains(field), "it does not say what is another: {}", refused.out);
    let before = fs::read(case.place.path("run/world.json")).expect("a world");
    let again = case.resume();
    assert_eq!(again.code, Some(4), "{again:?}");
    assert!(again.out.contains("the go was refused (facts-digest): "), "{}", again.out);
    let after = fs::read(case.place.path("run/world.json")).expect("a world");
    assert!(after == before, "something was started");
    // The owner looks at the new facts, and grants them.
    case.place.go("run");
    assert_eq!(case.resume().code, Some(0));
}

/// Public addresses change with a stop and a start: the manifest is corrected, and what was granted stays
/// so. Which machine it is, its host key says; that may not be another.
pub fn addresses_changed() {
    let place = Place::new();
    let text = fs::read_to_string(place.path("lab.toml")).expect("a manifest");
    let key = "\nhost_key = ";
    assert_eq!(text.matches(key).count(), 4, "four nodes");
    let reached_at = |network: &str| {
        let mut nth = 0;
        let parts = text.split(key).map(|part| {
            nth += 1;
            format!("{part}\nssh = \"lab@{network}.{nth}\"{key}")
        });
        let all = parts.collect::<String>();
        // Behind the last node there is none.
        all.rsplit_once("\nssh = ").expect("five parts").0.to_owned()
    };
    fs::write(place.path("lab.toml"), reached_at("192.0.2")).expect("written");
    place.preflight("run");
    place.go("run");
    fs::write(place.path("lab.toml"), reached_at("198.51.100")).expect("written");
    assert_eq!(place.code("resume run --lab lab.toml"), 0);
    let other = reached_at("198.51.100").replacen("user = \"", "user = \"x", 1);
    fs::write(place.path("lab.toml"), other).expect("written");
    place.preflight("other");
    place.go("other");
    fs::write(place.path("lab.toml"), reached_at("198.51.100")).expect("written");
    assert_eq!(place.code("resume other --lab lab.toml"), 8, "that is another lab");
}

pub fn given_again() {
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

pub fn not_pending() {
    let place = Place::new();
    assert_eq!(place.code("run --seed 7 --out passed"), 0);
    let go = format!("--key owner --by {OWNER} --expires 2h");
    let labs_own = fs::read(place.path("passed/go.json")).expect("the go that the lab gave itself");
    assert_eq!(place.code(&format!("go passed {go}")), 2);
    assert_eq!(fs::read(place.path("passed/go.json")).expect("a go"), labs_own);
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

fn word_of(word: &Value) -> String {
    word.as_str().expect("a word").to_owned()
}

pub fn status() {
    let place = Place::new();
    place.preflight("run");
    let status = place.status("run");
    assert_eq!((&status["state"], &status["exit_code"]), (&json!("parked"), &json!(3)));
    let words = |it: &Value| it["argv"].as_array().expect("words").iter().map(word_of).collect();
    let next = status["next"].as_array().expect("steps").iter();
    let next: Vec<Vec<String>> = next.map(words).collect();
    let next = next.iter().map(|it| it.join(" ")).collect::<Vec<_>>().join("\n");
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

/// The commands that are printed run as they are, from where they were printed: the folder's name
/// may be any.
pub fn printed_commands() {
    let place = Place::new();
    let out = "the owner's run";
    let words = ["preflight", "--lab", "lab.toml", "--seed", "7", "--out", out];
    let answer = place.call(&words);
    assert_eq!(answer.code, Some(3), "{answer:?}");
    let printed = |text: &str, before: &str| -> String {
        let line = text.lines().find_map(|line| line.strip_prefix(before));
        line.unwrap_or_else(|| panic!("no line begins with {before:?}: {text}")).trim().to_owned()
    };
    let typed = |line: &str| {
        let program = env!("CARGO_BIN_EXE_lab-smoke");
        let line = line.replacen("lab-smoke", program, 1).replace("--key KEY", "--key owner");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(place.path("")).stdin(Stdio::null());
        let output = shell.output().expect("a shell");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let go = printed(&answer.out, "the owner grants it: ");
    let resume = printed(&answer.out, "then it goes on:     ");
    let (code, said) = typed(&go);
    assert_eq!(code, Some(0), "{go}");
    assert_eq!(printed(&said, "it goes on with: "), resume);
    // Without a go beside it: the way to say no.
    copy(&place.path(out), &place.path("refused by its owner"));
    let refused = place.call(&["status", "refused by its owner"]).out;
    let recover = printed(&refused, "or it is refused:    ");
    assert_eq!(typed(&recover).0, Some(0), "{recover}");
    let (code, said) = typed(&resume);
    assert_eq!(code, Some(0), "{resume}: {said}");
}

/// The manifest of preflight may change in nothing else.
pub fn manifests() {
    let case = Case::new();
    let path = case.place.path("lab.toml");
    let good = fs::read_to_string(&path).expect("a manifest");
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        fs::write(&path, good.replace(from, to)).expect("written");
        case.resume()
    };
    let before = fs::read(case.place.path("run/world.json")).expect("a world");
    let other = changed("max_instance_seconds = 7200", "max_instance_seconds = \"none\"");
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(
        other.err.contains("more than consent, signers and how nodes are reached differ"),
        "{other:?}"
    );
    let refused = changed("stop_instances = true", "stop_instances = false");
    assert_eq!(refused.code, Some(8), "what was parked must not be started: {refused:?}");
    let after = fs::read(case.place.path("run/world.json")).expect("a world");
    assert!(after == before, "something was changed");
    fs::write(&path, &good).expect("written");
    assert_eq!(case.resume().code, Some(0));

    // The mock that is made without a manifest has no signers, whatever its folder says.
    let place = Place::new();
    assert_eq!(place.code("preflight --seed 7 --out run"), 3);
    let words = ["go", "run", "--key", "owner", "--by", OWNER, "--expires", "2h"];
    let refused = place.call(&words);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("the run would refuse this go (signer)"), "{refused:?}");
    assert!(!place.path("run/go.json").exists(), "a go that is refused was kept");
    // Who writes one by hand is refused at the gate.
    let go = Case::new().bytes();
    fs::write(place.path("run/go.json"), go).expect("written");
    let sign = ["-q", "-Y", "sign", "-f", "owner", "-n", "lab-smoke-go", "run/go.json"];
    super::place::keygen(&place.path(""), &sign);
    assert_eq!(place.code("resume run"), 4);
    let status = place.status("run");
    assert!(status["refused_go"]["rule"].is_string(), "{status}");
    let reasons = status["reasons"].to_string();
    assert!(!reasons.contains("it died"), "a run that waits is no dead one: {reasons}");
}

pub fn edited_journal() {
    let case = Case::new();
    let path = case.place.path("run/journal.jsonl");
    let text = fs::read_to_string(&path).expect("a journal");
    fs::write(&path, text.replacen("10.88.60.9/32", "10.88.60.8/32", 1)).expect("written");
    let before = fs::read(case.place.path("run/world.json")).expect("a world");
    for words in ["resume run", "status run", "recover run"] {
        assert_eq!(case.place.code(words), 2, "{words}");
    }
    let after = fs::read(case.place.path("run/world.json")).expect("a world");
    assert!(after == before, "something was changed");
}

pub fn resume_waits() {
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

pub fn signal() {
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
        assert_eq!(stops, ["cost"; 4], "both instances got their switch, and were stopped");
    });
}

pub fn real_lab() {
    use reports::go::{AllowedSigners, Expectation, GoDocument, verify_go};
    use reports::record::LabKind;
    let place = Case::copy_of_the_prepared();
    let read = |name: &str| fs::read_to_string(place.path(name)).expect(name);
    let (go, signature) = (read("run/go.json"), read("run/go.json.sig"));
    let document = GoDocument::parse(go.as_bytes()).expect("a go");
    let signers = AllowedSigners::parse(&read("signers")).expect("signers");
    let mut expected = Expectation {
        run_id: document.run_id,
        facts_digest: document.facts_digest,
        change_set: document.change_set,
        undo_plan_digest: document.undo_plan_digest,
        lab_fingerprint: document.lab_fingerprint,
        lab_kind: LabKind::Mock,
    };
    let now = document.not_before;
    verify_go(go.as_bytes(), &signature, &signers, &expected, now).expect("good on the mock");
    expected.lab_kind = LabKind::Aws;
    let refused = verify_go(go.as_bytes(), &signature, &signers, &expected, now);
    assert_eq!(refused.expect_err("refused").rule, "lab-kind");
}

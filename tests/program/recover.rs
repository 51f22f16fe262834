//! `kill -9` of the real process, and `lab-smoke recover` from what it left in its folder.

mod kills;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use lab_mock::cloud::InstanceState;
use lab_mock::running_instances;
use lab_mock::world::World;
use lab_smoke_tests::binary::choose_binary;
use reports::evidence::Evidence;
use reports::folder::{EVIDENCE_FILE, WORLD_FILE};
use reports::journal::JOURNAL_FILE;
use reports::record::Verdict;
use tempfile::TempDir;

fn lab_smoke(place: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(choose_binary(env!("CARGO_BIN_EXE_lab-smoke")));
    command.args(words).current_dir(place).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn recover(place: &Path) -> Option<i32> {
    let status = lab_smoke(place, &["recover", "run"]).stdout(Stdio::null()).status();
    status.expect("it starts").code()
}

/// How often a process is tried to be killed in time: it may be quicker than we are.
const TRIES: usize = 5;

fn killed_at(needle: &str) -> Option<TempDir> {
    (0..TRIES).find_map(|_| try_to_kill_at(needle, |text| text, &[]))
}

/// Does the same as [`killed_at`], of a run with a manifest of the operator's own.
fn killed_with(needle: &str, own: impl Fn(String) -> String) -> TempDir {
    let killed = (0..TRIES).find_map(|_| try_to_kill_at(needle, &own, &[]));
    killed.expect("killed in time")
}

/// Runs until a record shows `needle`, and kills the process there. None where it was too late.
fn try_to_kill_at(
    needle: &str,
    own: impl Fn(String) -> String,
    injected: &[&str],
) -> Option<TempDir> {
    let place = tempfile::tempdir().expect("a temporary folder");
    let example = ["lab", "example", "--mock", "--seed", "3"];
    let example = lab_smoke(place.path(), &example).output().expect("a manifest").stdout;
    let text = own(String::from_utf8(example).expect("UTF-8"));
    fs::write(place.path().join("lab.toml"), text).expect("written");
    let words = ["run", "--lab", "lab.toml", "--seed", "3", "--format", "json", "--out", "run"];
    let child =
        lab_smoke(place.path(), &[&words, injected].concat()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("it starts");
    let out = child.stdout.take().expect("a pipe");
    let there = BufReader::new(out).lines().map_while(Result::ok).any(|line| line.contains(needle));
    assert!(there, "no record shows {needle}");
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
    let journal = fs::read_to_string(place.path().join("run").join(JOURNAL_FILE)).expect("text");
    (!journal.contains("run-finished")).then_some(place)
}

fn world(place: &Path) -> World {
    let bytes = fs::read(place.join("run").join(WORLD_FILE)).expect("a world");
    serde_json::from_slice(&bytes).expect("a world")
}

fn evidence(place: &Path) -> Evidence {
    let bytes = fs::read(place.join("run").join(EVIDENCE_FILE)).expect("evidence");
    serde_json::from_slice(&bytes).expect("evidence")
}

#[test]
fn a_run_killed_anywhere_is_brought_to_its_end() {
    let points = [
        "\"scenario\":\"preflight\"",
        "\"kind\":\"take-lock\"",
        "go-burnt",
        "\"kind\":\"import-actions\"",
        "\"kind\":\"execute-action\"",
        "execute.assign-on-eni",
        "no-nat.tables",
        "\"kind\":\"roll-back-action\"",
        "restored.interface",
        "\"kind\":\"ec2-terminate-instance\"",
    ];
    let mut tried = 0;
    for point in points {
        // A point that was never hit in time shows nothing.
        let Some(place) = killed_at(point) else { continue };
        tried += 1;
        let place = place.path();
        assert_eq!(recover(place), Some(0), "after {point}");
        assert_eq!(evidence(place).verdict.verdict, Verdict::Interrupted, "after {point}");
        let world = world(place);
        assert!(running_instances(&world, world.now).is_empty(), "after {point} something runs");
        let captured = "10.88.60.9".parse().expect("an address");
        assert!(world.cloud.owner_of(captured).is_none(), "after {point} the address is assigned");
        let (journal, again) = (place.join("run").join(JOURNAL_FILE), recover(place));
        let before = fs::read(&journal).expect("a journal");
        assert_eq!(again, Some(0), "after {point}: repeated, it answers the same");
        assert_eq!(fs::read(&journal).expect("a journal"), before, "and it writes nothing");
    }
    assert!(tried >= 5, "only {tried} points were hit in time");
}

#[test]
fn what_cannot_be_recovered_is_refused() {
    let place = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(recover(place.path()), Some(2), "there is no such run");
    let run = lab_smoke(place.path(), &["run", "--seed", "3", "--out", "run"])
        .stdout(Stdio::null())
        .status();
    assert_eq!(run.expect("it starts").code(), Some(0));
    assert_eq!(recover(place.path()), Some(2), "it has ended");
}

#[test]
fn a_live_run_is_left_alone() {
    let place = killed_at("go-burnt").expect("killed in time");
    let folder = reports::folder::RunFolder::open(&place.path().join("run")).expect("a run");
    let lock = folder.try_lock("somebody else").expect("the lock");
    assert_eq!(recover(place.path()), Some(8), "somebody holds it");
    drop(lock);
    assert_eq!(recover(place.path()), Some(0));
}

/// The states of the lab's instances, as they have become.
fn states(place: &Path) -> Vec<InstanceState> {
    let world = world(place);
    world.cloud.instances.values().map(|it| it.state_at(world.now)).collect()
}

const TERMINATE: &str = "instances = \"terminate\"";
const STOP: &str = "instances = \"stop\"";
const KEEP: &str = "instances = \"keep\"";

/// The go granted that; the recovery does that and no more, whatever the manifest outside wants by
/// then.
#[test]
fn what_is_recovered_is_the_granted_plan() {
    let (running, stopped) = (InstanceState::Running, InstanceState::Stopped);
    for (granted, outside, became) in [
        (STOP, STOP, stopped),
        (STOP, TERMINATE, stopped),
        (KEEP, KEEP, running),
        (KEEP, TERMINATE, running),
        (TERMINATE, KEEP, InstanceState::Terminated),
    ] {
        let with = |wanted: &'static str| {
            move |text: String| {
                assert!(text.contains(TERMINATE), "{text}");
                text.replace(TERMINATE, wanted)
            }
        };
        let place = killed_with("no-nat.tables.routerd-cloud", with(granted));
        let place = place.path();
        let lab = place.join("lab.toml");
        let text = fs::read_to_string(&lab).expect("a manifest");
        fs::write(&lab, text.replace(granted, outside)).expect("written");
        assert_eq!(recover(place), Some(0), "{granted}, and {outside} by now");
        let states = states(place);
        assert!(states.iter().all(|it| *it == became), "{granted}, {outside}: {states:?}");
        let captured = "10.88.60.9".parse().expect("an address");
        assert!(world(place).cloud.owner_of(captured).is_none(), "{granted}");
    }
}

/// Nothing was granted yet: what is not consented to is listed, and goes on running.
#[test]
fn without_consent_a_recovery_stops_nothing() {
    let (consents, refuses) = ("stop_instances = true", "stop_instances = false");
    let place = killed_with("preflight.instances", |text| text.replace(consents, refuses));
    let place = place.path();
    assert_eq!(recover(place), Some(6));
    let states = states(place);
    assert!(states.iter().all(|it| *it == InstanceState::Running), "{states:?}");
    assert_eq!(evidence(place).residue.expect("listed").len(), states.len());
}

/// The node went with the run's own teardown, and what was left to undo brings the recovery there
/// again: what the journal saw removed is not asked of a node that cannot answer any more.
#[test]
fn what_the_journal_saw_removed_is_not_asked_of_a_node_that_is_gone() {
    let injected = ["--inject", "policy-after-undo"];
    let killed =
        (0..TRIES).find_map(|_| try_to_kill_at("teardown.instances", |text| text, &injected));
    let place = killed.expect("killed in time");
    let place = place.path();
    assert_eq!(recover(place), Some(6), "router.yaml is another one");
    let journal = fs::read_to_string(place.join("run").join(JOURNAL_FILE)).expect("text");
    let is = |line: &&str| line.contains("\"id\":\"undo.change-set-removed\"");
    let judged: Vec<&str> = journal.lines().filter(is).collect();
    assert!(judged.len() >= 2, "it was judged again: {judged:?}");
    assert!(judged.iter().all(|line| line.contains("\"status\":\"passed\"")), "{judged:?}");
}

/// A journal that has lost its end is a whole one; what the run did stands in the lab.
#[test]
fn what_a_journal_without_its_end_does_not_say_is_looked_for_in_the_lab() {
    let place = killed_at("no-nat.tables.routerd-cloud").expect("killed in time");
    let path = place.path().join("run").join(JOURNAL_FILE);
    let journal = fs::read_to_string(&path).expect("text");
    let lines = journal.split_inclusive('\n');
    let cut: String = lines.take_while(|line| !line.contains("\"go-burnt\"")).collect();
    fs::write(&path, cut).expect("cut");
    assert_eq!(recover(place.path()), Some(6));
    let evidence = fs::read(place.path().join("run").join(EVIDENCE_FILE)).expect("evidence");
    let evidence: Evidence = serde_json::from_slice(&evidence).expect("evidence");
    let commands: Vec<&String> =
        evidence.residue.iter().flatten().flat_map(|item| &item.owner_commands).collect();
    for wanted in ["unassign-private-ip-addresses", "--source-dest-check", "rm -f"] {
        assert!(commands.iter().any(|it| it.contains(wanted)), "{wanted}: {commands:?}");
    }
}

/// Preflight has not come so far as to look for it.
#[test]
fn what_costs_and_nobody_ends_is_listed_by_a_recovery_before_the_go_was_used() {
    let injected = ["--inject", "forgotten-instance"];
    let kill = || try_to_kill_at("\"preflight.identity\"", |text| text, &injected);
    let place = (0..8 * TRIES).find_map(|_| kill()).expect("killed in time");
    assert_eq!(recover(place.path()), Some(6));
    let world = world(place.path());
    let running = running_instances(&world, world.now);
    let evidence = evidence(place.path());
    let listed: Vec<&str> = evidence.residue.iter().flatten().map(|it| it.id.as_str()).collect();
    assert!(!running.is_empty(), "the forgotten one runs on");
    assert!(running.iter().all(|it| listed.contains(&it.as_str())), "{running:?}, not {listed:?}");
}

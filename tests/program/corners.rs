//! The corners of recovery: late mutations, the three ways of undo, other machines, pipes that
//! close, folders that cannot be written.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab::node::Node;
use lab_mock::cloud::{Cloud, Instance, InstanceState};
use lab_mock::faults::{Befall, Event, Happening, InterfaceChange, SeenEffect, When};
use lab_mock::machines::fire_timers;
use lab_smoke_tests::binary::choose_binary;
use lab_smoke_tests::crash::{
    Aftermath, Blow, Left, Plan, Prior, finish, quiet, recover_once, start, strike,
};
use lab_smoke_tests::deaths::Recorder;
use lab_smoke_tests::invariants::broken;
use lab_smoke_tests::smoke;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use reports::evidence::Evidence;
use reports::folder::EVIDENCE_FILE;
use reports::journal::{JOURNAL_FILE, Writer, read_file};
use reports::record::{Kind, Outcome, Record};

// What becomes of a reply that is lost.

const EXECUTE: &str = "action execute assign-secondary-ip --approved";

/// The plan with a blow at the first effect of that name.
fn hit(plan: Plan, name: &str, what: Befall) -> Plan {
    let effects = strike(smoke::folder().path(), &Plan::quiet(plan.prior)).run.effects;
    let at = effects.iter().position(|it| it.name.contains(name)).expect("an effect of that name");
    Plan { run: vec![Blow::Effect(u32::try_from(at).expect("few"), what)], ..plan }
}

fn played(plan: &Plan) -> (Aftermath, Vec<Record>) {
    let folder = smoke::folder();
    let aftermath = strike(folder.path(), plan);
    assert_eq!(broken(folder.path(), plan, &aftermath), [], "{plan:?}");
    (aftermath, read_file(folder.path()).expect("a journal").records)
}

/// The last outcome of the last intent of that name.
fn outcome(records: &[Record], what: &str) -> Option<Outcome> {
    let id = records.iter().rev().find_map(|record| match &record.kind {
        Kind::Intent(intent) if intent.effect.what() == what => Some(intent.id.clone()),
        _ => None,
    })?;
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::Outcome(it) if it.intent == id => Some(it.outcome),
        _ => None,
    })
}

/// The plugin's timeout is 30 s: its two calls of AWS may land 50 s after routerd gave up.
#[test]
fn a_mutation_that_lands_long_after_its_reply_was_lost_is_found() {
    let captured = "10.88.60.9".parse().expect("an address");
    let primary = "10.88.60.4".parse().expect("an address");
    for (lands_after_s, expected) in [(85, Outcome::Done), (200, Outcome::NotDone)] {
        let lands = Event {
            when: When::AfterCommand { node: Node::RouterdCloud, pattern: format!("*{EXECUTE}") },
            skip: 0,
            delay_ms: lands_after_s * 1000,
            what: Happening::Interface { primary, change: InterfaceChange::Secondary(captured) },
            seen: 0,
            due: None,
            fired: 0,
        };
        let plan = hit(Plan::quiet(Prior::CheckOn), EXECUTE, Befall::RequestLost);
        let (_, records) = played(&Plan { others: vec![lands], ..plan });
        let settled = outcome(&records, "routerctl action execute");
        assert_eq!(settled, Some(expected), "it lands after {lands_after_s} s");
    }
}

/// The harness died, and the node went on: recovery waits until that has landed, and takes it back.
#[test]
fn what_lands_while_the_run_is_dead_is_taken_back() {
    quiet();
    for prior in [Prior::CheckOn, Prior::CheckOff] {
        let plan = hit(Plan::quiet(prior), EXECUTE, Befall::KilledMeanwhile);
        let (aftermath, records) = played(&plan);
        assert_eq!(aftermath.recovered.map(|it| it.recover_exit_code()), Some(0), "{prior:?}");
        assert_eq!(outcome(&records, "routerctl action execute"), Some(Outcome::Done));
        assert_eq!(outcome(&records, "routerctl action rollback"), Some(Outcome::Done));
    }
}

/// The harness died after the assignment, and the dead man's switch has stopped the routers since: recovery
/// wakes them, and the address comes off the ENI.
#[test]
fn what_the_switch_stopped_is_woken_and_taken_back() {
    quiet();
    for prior in [Prior::CheckOn, Prior::CheckOff] {
        let plan = hit(Plan::quiet(prior), EXECUTE, Befall::KilledAfter);
        let folder = smoke::folder();
        let mut left = start(folder.path(), &plan, Recorder::none());
        let mut world = (*left.world).clone();
        let now = world.now + chrono::TimeDelta::minutes(15);
        world.now = now;
        fire_timers(&mut world, now);
        world.cloud.advance(now);
        let stopped = |it: &Instance| it.state == InstanceState::Stopped;
        assert!(world.cloud.instances.values().all(stopped), "{prior:?}");
        left.world = std::sync::Arc::new(world);
        let aftermath = finish(folder.path(), &plan, left);
        // Public addresses change with a stop; all else is as before, and then ended.
        let end = aftermath.world.at_first_end.as_ref().expect("it was torn down");
        let captured = "10.88.60.9".parse().expect("an address");
        assert!(end.cloud.owner_of(captured).is_none(), "{prior:?}");
        let checks = |cloud: &Cloud| -> Vec<bool> {
            cloud.network_interfaces.values().map(|eni| eni.source_dest_check).collect()
        };
        assert_eq!(checks(&end.cloud), checks(&aftermath.before.cloud), "{prior:?}");
        assert_eq!(
            aftermath.recovered.as_ref().map(reports::verdict::Judgement::recover_exit_code),
            Some(0)
        );
        let records = read_file(folder.path()).expect("a journal").records;
        assert_eq!(outcome(&records, "ec2 StartInstances"), Some(Outcome::Done));
        assert_eq!(outcome(&records, "routerctl action rollback"), Some(Outcome::Done));
    }
}

/// The places in a process at which an effect of that name is asked for.
fn find_places(effects: &[SeenEffect], name: &str) -> Vec<u32> {
    let all = effects.iter().enumerate().filter(|(_, it)| it.name.contains(name));
    all.map(|(at, _)| u32::try_from(at).expect("few")).collect()
}

/// A death or a lost reply as a switch is armed and as it is disarmed: the run can be finished, and nothing
/// that goes on running is powered off afterwards.
#[test]
fn whatever_befalls_the_switch_the_run_can_be_finished() {
    quiet();
    let kept = Plan { faults: vec!["teardown=keep".to_owned()], ..Plan::quiet(Prior::CheckOn) };
    let effects = strike(smoke::folder().path(), &kept).run.effects;
    for name in [" arm-switch ", " disarm-switch "] {
        let places = find_places(&effects, name);
        assert_eq!(places.len(), 2, "{name}");
        for at in places {
            use Befall::{KilledAfter, KilledBefore, ReplyLost, RequestLost};
            for what in [KilledBefore, KilledAfter, ReplyLost, RequestLost] {
                let plan = Plan { run: vec![Blow::Effect(at, what)], ..kept.clone() };
                let (aftermath, _) = played(&plan);
                let left = list_armed_that_run(&aftermath);
                assert!(left.is_empty(), "{name} {what:?}: {left:?}");
            }
        }
    }
}

/// A run that lasts longer than the pause between two renewals of its lease renews its switches with it, and once
/// more before teardown: a death or a lost reply there leaves a run that can be finished, and nothing that goes on
/// running is powered off afterwards.
#[test]
fn whatever_befalls_a_renewal_the_run_can_be_finished() {
    quiet();
    // Each command takes so long.
    let latency_ms = 10_000;
    let kept = vec!["teardown=keep".to_owned()];
    let slow = Plan { faults: kept, latency_ms, ..Plan::quiet(Prior::CheckOn) };
    let effects = strike(smoke::folder().path(), &slow).run.effects;
    for (when, name) in [
        ("with the lease", " renew-switch lab-smoke-stop /run/lab-smoke/stop-at 600"),
        ("before teardown", " renew-switch lab-smoke-stop /run/lab-smoke/stop-at 1200"),
    ] {
        let places = find_places(&effects, name);
        // Two instances, and both at once.
        assert!(places.len() >= 2, "{when}: {places:?} of {}", effects.len());
        for at in places.into_iter().take(1) {
            use Befall::{KilledAfter, KilledBefore, ReplyLost, RequestLost};
            for what in [KilledBefore, KilledAfter, ReplyLost, RequestLost] {
                let plan = Plan { run: vec![Blow::Effect(at, what)], ..slow.clone() };
                let (aftermath, records) = played(&plan);
                let left = list_armed_that_run(&aftermath);
                assert!(left.is_empty(), "{when} {at} {what:?}: {left:?}");
                // What was not renewed is armed anew at once: by the next renewal it would be off.
                let arms = records.iter().filter(|it| is_arming(it)).count();
                assert!(what != RequestLost || arms == 3, "{when} {at}: {arms}");
            }
        }
    }
}

fn is_arming(record: &Record) -> bool {
    matches!(&record.kind, Kind::Intent(it) if it.effect.what() == "arm the dead man's switch")
}

/// The nodes whose switch is armed, where the instances run.
fn list_armed_that_run(aftermath: &Aftermath) -> Vec<Node> {
    let world = &aftermath.world;
    let mut instances = world.cloud.instances.values();
    if !instances.all(|it| it.state_at(world.now) == InstanceState::Running) {
        return Vec::new();
    }
    let armed = |node: &Node| !world.machines.get(*node).timers.is_empty();
    Node::ALL.into_iter().filter(armed).collect()
}

/// A recovery that dies as it wakes what the switch has stopped, and as it arms that: the next one ends it.
#[test]
fn a_death_at_a_wake_leaves_a_run_that_can_be_finished() {
    quiet();
    let plan = hit(Plan::quiet(Prior::CheckOn), EXECUTE, Befall::KilledAfter);
    let powered_off = |left: Left| {
        let mut world = (*left.world).clone();
        let now = world.now + chrono::TimeDelta::minutes(15);
        world.now = now;
        fire_timers(&mut world, now);
        world.cloud.advance(now);
        Left { world: std::sync::Arc::new(world), ..left }
    };
    let begin = |folder: &Path| powered_off(start(folder, &plan, Recorder::none()));
    let folder = smoke::folder();
    let left = begin(folder.path());
    let whole = recover_once(folder.path(), &plan, left, &[], Recorder::none());
    let effects = whole.processes.last().expect("a recovery").effects.clone();
    let wakes = find_places(&effects, "StartInstances");
    assert_eq!(wakes.len(), 2);
    for at in wakes.into_iter().chain(find_places(&effects, " arm-switch ")) {
        for what in [Befall::KilledBefore, Befall::KilledAfter] {
            let folder = smoke::folder();
            let left = begin(folder.path());
            let blows = [Blow::Effect(at, what)];
            let left = recover_once(folder.path(), &plan, left, &blows, Recorder::none());
            let aftermath = finish(folder.path(), &plan, powered_off(left));
            let code =
                aftermath.recovered.as_ref().map(reports::verdict::Judgement::recover_exit_code);
            assert_eq!(code, Some(0), "{at} {what:?}");
            let end = aftermath.world.at_first_end.as_ref().expect("it was torn down");
            let captured = "10.88.60.9".parse().expect("an address");
            assert!(end.cloud.owner_of(captured).is_none(), "{at} {what:?}");
        }
    }
}

// The three ways of undo.

/// Which ways took the address back, in the order in which they were tried, with what came of each.
fn ways(fault: &[&str]) -> (Vec<(String, Outcome)>, Evidence) {
    let ran = smoke::run(5, fault, smoke::Prior::CheckOn);
    let tried =
        ran.evidence.mutations.iter().filter(|it| it.undo.as_deref() == Some("undo.address"));
    let back = tried.filter(|it| it.scenario == "undo");
    let ways = back.map(|it| (it.what.clone(), it.outcome)).collect();
    (ways, ran.evidence)
}

/// Each way, and what came of it.
type Tried<'a> = &'a [(&'a str, Outcome)];

#[test]
fn undo_is_tried_in_three_ways_in_this_order_and_each_is_recorded() {
    let rollback = "routerctl action rollback";
    let executor = "aws-provider-executor with the baseline's prior value";
    let (none, done) = (Outcome::NotDone, Outcome::Done);
    let table: [(&[&str], Tried); 5] = [
        (&[], &[(rollback, done)]),
        (&["row-wedged"], &[(executor, done)]),
        (&["row-edited-before-undo"], &[(executor, done)]),
        (&["row-edited-between-undos"], &[(executor, done)]),
        (&["unassign-refused"], &[(rollback, none), (executor, none)]),
    ];
    for (faults, expected) in table {
        let (ways, evidence) = ways(faults);
        let short = |way: &str| way.rsplit('/').next().unwrap_or_default().to_owned();
        let ways: Vec<_> = ways.iter().map(|(way, outcome)| (short(way), *outcome)).collect();
        let names: Vec<_> = ways.iter().map(|(way, outcome)| (way.as_str(), *outcome)).collect();
        assert_eq!(names, expected, "{faults:?}");
        let stop = evidence.hard_stops.iter().flat_map(|stop| &stop.tripped);
        let printed = stop.filter(|it| it.reason.contains("aws ec2 unassign-private-ip-addresses"));
        let by_owner = usize::from(expected.iter().all(|(_, outcome)| *outcome == none));
        assert_eq!(printed.count(), by_owner, "{faults:?}: the owner's command");
    }
}

// The journal on a bad disk.

/// A disk that filled up in the middle of a line: neither the half line nor the lack of room keeps
/// recovery from ending what was begun.
#[test]
fn a_journal_whose_end_is_torn_goes_on_where_the_torn_part_cannot_be_kept() {
    let folder = smoke::folder();
    drop(strike(folder.path(), &Plan::quiet(Prior::CheckOn)));
    let journal = folder.path().join(JOURNAL_FILE);
    let mut bytes = fs::read(&journal).expect("a journal");
    bytes.truncate(bytes.len() - 10);
    fs::write(&journal, &bytes).expect("written");
    // Every write to it says that the disk is full.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("journal.torn")).expect("a link");
    let writer = Writer::reopen(folder.path()).expect("it can be gone on with");
    let whole = bytes.split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(writer.records().len(), whole);
}

// Real processes.

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(choose_binary(env!("CARGO_BIN_EXE_lab-smoke")));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn code(&self, words: &[&str]) -> Option<i32> {
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts").code()
    }

    /// A run that awaits its go, and whose instances run: recovery closes it and stops them.
    fn pending(&self) {
        assert_eq!(
            self.code(&["preflight", "--seed", "3", "--out", "run", "--leave-running"]),
            Some(3)
        );
    }

    fn evidence(&self, run: &str) -> Evidence {
        let text = fs::read(self.path(run).join(EVIDENCE_FILE)).expect("evidence");
        serde_json::from_slice(&text).expect("evidence")
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|it| it.expect("an entry")) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

#[test]
fn a_run_is_recovered_from_a_copy_of_its_folder_on_another_host() {
    let (here, there) = (Place::new(), Place::new());
    here.pending();
    copy_all(&here.path("run"), &there.path("elsewhere"));
    fs::remove_dir_all(here.path("run")).expect("gone");
    let run_file = there.path("elsewhere").join(reports::folder::RUN_FILE);
    let text = fs::read_to_string(&run_file).expect("run.json");
    let mut run: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    run["host"] = "another-host".into();
    run["pid"] = 1.into();
    fs::write(&run_file, run.to_string()).expect("written");
    fs::remove_file(there.path("elsewhere").join("lock")).expect("locks are not copied");
    assert_eq!(there.code(&["recover", "elsewhere"]), Some(0));
    assert_eq!(there.evidence("elsewhere").verdict.recover_exit_code(), 0);
}

#[test]
fn a_closed_pipe_does_no_harm_to_recovery_nor_to_a_pending_run() {
    let place = Place::new();
    let closed = |words: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let err = writer.try_clone().expect("the same pipe");
        let mut child = place.command(words).stdout(writer).stderr(err).spawn().expect("it starts");
        child.wait().expect("its end").code()
    };
    assert_eq!(closed(&["run", "--seed", "3", "--out", "run", "--wait-go", "1m"]), Some(3));
    assert_eq!(closed(&["recover", "run"]), Some(0));
    assert_eq!(place.code(&["recover", "run"]), Some(0), "repeated, it answers the same");
}

/// A reader that reads nothing holds the recovery where it says something: there it is hung up on.
#[test]
fn a_terminal_that_hangs_up_does_no_harm_to_recovery() {
    const PIPE_BYTES: usize = 65_536;
    let place = Place::new();
    place.pending();
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&vec![b' '; PIPE_BYTES]).expect("as much as fits");
    let out = writer.try_clone().expect("the same pipe");
    let mut child =
        place.command(&["recover", "run"]).stdout(out).stderr(Stdio::null()).spawn().expect("it");
    let journal = place.path("run").join(JOURNAL_FILE);
    while !fs::read_to_string(&journal).expect("a journal").contains("run-finished") {
        assert!(child.try_wait().expect("its state").is_none(), "it ended before it was held");
        std::thread::yield_now();
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, Signal::SIGHUP).expect("it is there");
    drop(writer);
    let drained = std::thread::spawn(move || {
        let mut reader = reader;
        std::io::copy(&mut reader, &mut std::io::sink())
    });
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    drained.join().expect("drained").expect("drained");
}

/// The same program as somebody who may not write there; root may write everywhere.
#[test]
fn a_folder_that_cannot_be_written_is_refused_and_nothing_is_touched() {
    const NOBODY: u32 = 65_534;
    let place = Place::new();
    place.pending();
    let program = place.path("lab-smoke");
    fs::copy(choose_binary(env!("CARGO_BIN_EXE_lab-smoke")), &program).expect("copied");
    let run = place.path("run");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    };
    open(place.0.path(), 0o755);
    for entry in fs::read_dir(&run).expect("a folder").map(|it| it.expect("an entry").path()) {
        open(&entry, if entry.is_dir() { 0o555 } else { 0o444 });
    }
    open(&run, 0o555);
    let before = fs::read(run.join("world.json")).expect("a world");
    let mut command = Command::new(&program);
    command.args(["recover", "run"]).current_dir(place.0.path()).stdin(Stdio::null());
    if Uid::effective().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("ermission denied"), "{said}");
    assert_eq!(fs::read(run.join("world.json")).expect("a world"), before, "nothing was touched");
    open(&run, 0o755);
}

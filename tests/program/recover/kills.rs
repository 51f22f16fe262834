//! `kill -9` at random moments of the real process: whatever it left, recovery brings the lab to
//! where the granted plan says, and destroys nothing that no plan granted.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use lab::node::Node;
use lab_mock::cloud::InstanceState;
use lab_mock::world::World;
use lab_smoke_tests::extent::{number, say_left_out};
use reports::journal::JOURNAL_FILE;

use super::{evidence, lab_smoke, recover, world};

/// The teardowns that the manifest may have for the instances, each as it is injected, and what the
/// instances are then: where nothing is said of it they are terminated.
const TEARDOWNS: [(&str, InstanceState); 3] = [
    ("latency=1ms", InstanceState::Terminated),
    ("teardown=stop", InstanceState::Stopped),
    ("teardown=keep", InstanceState::Running),
];

const KILLS: usize = 20;

#[test]
fn killed_at_any_moment_it_is_recovered_as_its_plan_says() {
    let (kills, seed) = (number("LAB_SMOKE_KILLS", 5, KILLS), number("LAB_SMOKE_KILLS_SEED", 1, 1));
    say_left_out("moments at which a run is killed", kills, KILLS);
    let mut random = fastrand::Rng::with_seed(seed);
    let lines = TEARDOWNS.map(|(teardown, _)| records_of(teardown));
    let (mut killed, mut complaints) = (0, Vec::new());
    while killed < kills {
        let which = random.usize(..TEARDOWNS.len());
        let (teardown, wanted) = TEARDOWNS[which];
        let (after, spins) = (random.usize(..lines[which]), random.u32(..400_000));
        let Some(place) = kill_after(teardown, after, spins) else { continue };
        killed += 1;
        if let Err(why) = is_as_planned(place.path(), wanted) {
            complaints.push(format!("{teardown}, killed after record {after} + {spins}: {why}"));
        }
    }
    assert!(complaints.is_empty(), "{} of {kills}:\n{}", complaints.len(), complaints.join("\n"));
}

fn words(teardown: &str) -> [&str; 9] {
    ["run", "--seed", "3", "--format", "json", "--inject", teardown, "--out", "run"]
}

/// How many records a run writes that nobody kills.
fn records_of(teardown: &str) -> usize {
    let place = tempfile::tempdir().expect("a temporary folder");
    let output = lab_smoke(place.path(), &words(teardown)).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{teardown}");
    output.stdout.split(|byte| *byte == b'\n').count()
}

/// None where the run had ended by then.
fn kill_after(teardown: &str, records: usize, spins: u32) -> Option<tempfile::TempDir> {
    let place = tempfile::tempdir().expect("a temporary folder");
    let mut child = lab_smoke(place.path(), &words(teardown))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = child.stdout.take().expect("a pipe");
    BufReader::new(out).lines().take(records).for_each(drop);
    // Between two records as well.
    (0..spins).for_each(|_| std::hint::spin_loop());
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
    let journal = std::fs::read_to_string(place.path().join("run").join(JOURNAL_FILE)).ok()?;
    let begun = journal.contains("run-started") && !journal.contains("run-finished");
    begun.then_some(place)
}

fn is_as_planned(place: &Path, wanted: InstanceState) -> Result<(), String> {
    let burnt = has_burnt(place);
    let code = recover(place);
    let residue = evidence(place).residue.unwrap_or_default();
    let rows_alone = !residue.is_empty() && residue.iter().all(|it| it.resource.contains("row"));
    match code {
        Some(0) if residue.is_empty() => {}
        // An approved row of routerd's cannot be withdrawn: its owner is told.
        Some(6) if rows_alone => {}
        _ => return Err(format!("recover answered {code:?}: {residue:?}")),
    }
    lab_is_as_before(&world(place))?;
    let states = instance_states(&world(place));
    let right = if burnt {
        states.iter().all(|state| *state == wanted)
    } else {
        // No plan was granted: nothing has ended for good.
        !states.contains(&InstanceState::Terminated)
    };
    if right { Ok(()) } else { Err(format!("burnt: {burnt}; the instances are {states:?}")) }
}

/// Whether the go was used: its file on the node says so. The record of it comes before.
fn has_burnt(place: &Path) -> bool {
    let world = world(place);
    let files = &world.machines.get(Node::RouterdCloud).files;
    files
        .list("/var/lib/lab-smoke")
        .is_ok_and(|names| names.iter().any(|it| it.starts_with("burnt-")))
}

fn lab_is_as_before(world: &World) -> Result<(), String> {
    let captured = "10.88.60.9".parse().expect("an address");
    if let Some(eni) = world.cloud.owner_of(captured) {
        return Err(format!("{} still has the address", eni.id));
    }
    let check_off = world.cloud.network_interfaces.values().find(|eni| !eni.source_dest_check);
    if let Some(eni) = check_off {
        return Err(format!("the check of {} is off", eni.id));
    }
    let files = &world.machines.get(Node::RouterdCloud).files;
    let left = [lab::act::LOCK_PATH, lab::change_set::PATH];
    match left.iter().find(|path| files.contents(path).is_some()) {
        Some(path) => Err(format!("{path} is still there")),
        None => Ok(()),
    }
}

fn instance_states(world: &World) -> Vec<InstanceState> {
    world.cloud.instances.values().map(|it| it.state_at(world.now)).collect()
}

//! Tests of what a run tells beside its scenarios: who was not reached and why, what it cost, which
//! stops were armed; and, each in its own file, of what the engine decides between them.

mod ending;
mod guarding;
mod lock;
mod money;
mod operator;
mod recovery;
mod stage;
mod standing;
mod waiting;
mod waking;

use std::fs;
use std::path::Path;

use lab::node::Node;
use lab_mock::faults::{CommandEffect, CommandFault, Event, Happening, Stray, When};
use lab_mock::world::World;
use reports::folder::WORLD_FILE;
use reports::record::{AssertionStatus, CostRecorded, Record};
use serde_json::json;

use super::*;
use crate::labs::{MockOptions, create_journal, open_mock};

/// A whole run on the mock, with these faults; told to stop before it began, or not.
struct FinishedRun {
    announced: Vec<Announcement>,
    records: Vec<Record>,
    judgement: Judgement,
}

fn run_with(faults: &[&str], brake: &Brake) -> FinishedRun {
    run_in(faults, |_| {}, brake)
}

/// The same in a world to which something else was done.
fn run_in(faults: &[&str], change: fn(&mut World), brake: &Brake) -> FinishedRun {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let faults: Vec<String> = faults.iter().map(|&fault| fault.to_owned()).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let world_file = Some(folder.path().join(WORLD_FILE));
        let options = MockOptions { seed: 1, faults: faults.clone(), world_file };
        let opened = open_mock(&options).expect("a mock lab");
        change(&mut opened.world.lock());
        let journal = create_journal(folder.path(), &opened.world).expect("an empty journal");
        let (world, kept) = (opened.world.clone(), folder.path().join(WORLD_FILE));
        journal.on_append(Box::new(move |line| {
            if line.contains(r#""kind":"outcome""#) {
                outcomes_are_kept(&world.lock(), &kept, line);
            }
        }));
        let parts = SEQUENCE.iter().map(|scenario| (scenario.name, Part::Judged)).collect();
        let selection = Selection { filter: None, parts };
        let settings = Settings { run_id: opened.run_id.clone(), seed: Some(1), faults, selection };
        let mut announced = Vec::new();
        let announce = &mut |announcement| announced.push(announcement);
        let (lab, go) = (&opened.lab, opened.go.clone());
        let judgement = run_sequence(lab, go, &journal, brake.clone(), &settings, announce).await;
        let records = journal.with_records(<[Record]>::to_vec);
        FinishedRun { announced, records, judgement }
    })
}

/// Whoever kills the process here finds the lab as the journal says it is.
fn outcomes_are_kept(world: &World, kept: &Path, line: &str) {
    let kept: World = serde_json::from_slice(&fs::read(kept).expect("kept")).expect("a world");
    assert_eq!(
        (json!(kept.cloud), json!(kept.machines)),
        (json!(world.cloud), json!(world.machines)),
        "{line}"
    );
}

impl FinishedRun {
    fn not_run(&self) -> Vec<(&str, &str)> {
        let told = self.announced.iter().filter_map(|announcement| match announcement {
            Announcement::NotRun { name, reason } => Some((*name, reason.as_str())),
            _ => None,
        });
        told.collect()
    }

    fn costs(&self) -> Vec<&CostRecorded> {
        let costs = self.records.iter().filter_map(|record| match &record.kind {
            Kind::CostRecorded(cost) => Some(cost),
            _ => None,
        });
        costs.collect()
    }
}

#[test]
fn who_did_not_come_to_his_turn_is_told_with_the_reason() {
    let all = |reason| -> Vec<(&str, &str)> {
        SEQUENCE.iter().map(|scenario| (scenario.name, reason)).collect()
    };
    let failed = run_with(&["other-account"], &Brake::default());
    assert_eq!(failed.not_run(), all("preflight did not pass")[1..]);
    let stopped = Brake::default();
    stopped.pull();
    assert_eq!(run_with(&[], &stopped).not_run(), all("the run was told to stop"));
    let passed = run_with(&[], &Brake::default());
    assert_eq!((passed.not_run(), passed.judgement.exit_code), (vec![], 0));
}

/// `residue` says it of a run that began something; the engine of every other, those included whose
/// preflight failed and left the instances running.
#[test]
fn every_run_says_once_what_it_cost() {
    for fault in [&[][..], &["foreign-holder"], &["other-account"], &["interface-unreadable"]] {
        let faults = [&["latency=1s"], fault].concat();
        let told = run_with(&faults, &Brake::default());
        let [cost] = told.costs()[..] else { panic!("{fault:?}: {:?}", told.costs()) };
        assert!(cost.instance_seconds > 1, "{fault:?}: {cost:?}");
    }
}

#[test]
fn only_stop_seven_is_ever_disarmed() {
    let table = [
        (Waiting::Owner(Meanwhile::Park), None),
        (
            Waiting::Owner(Meanwhile::LeaveRunning),
            Some("disarmed by --leave-running, as is the dead man's switch"),
        ),
        (Waiting::Nobody, Some("the lab grants the go itself: nobody is waited for")),
    ];
    for (waiting, reason) in table {
        let given = declared_stops(waiting);
        let given: Vec<_> =
            given.iter().map(|it| (it.number, it.armed, it.reason.as_deref())).collect();
        let expected: Vec<_> = (1..=8)
            .map(
                |stop| {
                    if stop == 7 { (stop, reason.is_none(), reason) } else { (stop, true, None) }
                },
            )
            .collect();
        assert_eq!(given, expected, "{waiting:?}");
    }
}

#[test]
fn a_scenario_that_is_not_in_the_selection_is_excluded() {
    let selection = Selection {
        filter: None,
        parts: vec![("ping", Part::Judged), ("ssh", Part::Prerequisite)],
    };
    let table = [("ping", Part::Judged), ("ssh", Part::Prerequisite), ("doctor", Part::Excluded)];
    for (name, part) in table {
        assert_eq!(selection.part(name), part, "{name}");
        let scenario = scenarios::find_scenario(name).expect("a scenario");
        assert_eq!(selection.runs(scenario), part != Part::Excluded, "{name}");
    }
}

/// Whatever else a scenario does; `execute` looks for itself, at each of its two mutations.
#[test]
fn the_watchdog_looks_once_in_each_scenario_that_it_watches() {
    let told = run_with(&[], &Brake::default());
    for scenario in SEQUENCE {
        let looks = told.records.iter().filter(|record| {
            matches!(&record.kind, Kind::StopChecked(it)
                if it.detector == stops::NEW_COST.name && it.scenario == scenario.name)
        });
        let expected = match scenario.name {
            "execute" => 2,
            name => usize::from(stops::WATCHED.contains(&name)),
        };
        assert_eq!(looks.count(), expected, "{}", scenario.name);
    }
}

/// It may be this run's by now: no go is burnt, and the run does not end as one that found it held.
#[test]
fn a_lock_of_which_nobody_can_tell_whether_it_was_taken_is_unknown() {
    let lost = |world: &mut World| {
        let (node, pattern) = (Some(Node::RouterdCloud), "*lock.json".to_owned());
        let (effect, times) = (CommandEffect::RequestLost, u32::MAX);
        let rule = CommandFault { node, pattern, skip: 0, times, effect, seen: 0, fired: 0 };
        world.faults.commands.push(rule);
    };
    let told = run_in(&[], lost, &Brake::default());
    let lock = told.records.iter().find_map(|record| match &record.kind {
        Kind::AssertionMade(it) if it.id == "gate.lock" => Some(it.status),
        _ => None,
    });
    assert_eq!(lock, Some(AssertionStatus::Unknown), "{:?}", told.judgement);
    let burnt = told.records.iter().any(|it| matches!(it.kind, Kind::GoBurnt(_)));
    assert!(!burnt, "{:?}", told.judgement);
}

/// A stop that the watchdog sees during the first mutation ends the work, though that mutation came
/// well: the second is not even tried.
#[test]
fn a_stop_during_the_first_mutation_leaves_the_second_alone() {
    let stray = |world: &mut World| {
        let pattern = "*action execute assign-secondary-ip --approved".to_owned();
        let when = When::BeforeCommand { node: Node::RouterdCloud, pattern };
        let what = Happening::Stray(Stray::Instance);
        let event = Event { when, skip: 0, delay_ms: 0, what, seen: 0, due: None, fired: 0 };
        world.faults.events.push(event);
    };
    let told = run_in(&[], stray, &Brake::default());
    let tripped = told.records.iter().find_map(|record| match &record.kind {
        Kind::StopTripped(it) => Some((it.scenario.as_str(), it.detector.as_str())),
        _ => None,
    });
    assert_eq!(tripped, Some(("execute", "new-cost")));
    let made = told.records.iter().filter_map(|record| match &record.kind {
        Kind::AssertionMade(it) if it.scenario == "execute" => Some(it),
        _ => None,
    });
    let of_both: Vec<_> =
        made.map(|it| (it.id.as_str(), it.status, it.message.as_deref())).collect();
    let first = of_both.iter().find(|(id, ..)| *id == "execute.assign-on-eni").expect("judged");
    assert_eq!(first.1, AssertionStatus::Passed);
    let tried = |it: &&(&str, AssertionStatus, Option<&str>)| {
        it.2.is_some_and(|message| message.starts_with("not tried"))
    };
    assert_eq!(of_both.iter().find(tried), None);
}

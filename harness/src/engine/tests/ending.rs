//! How a run ends that began nothing: what runs is stopped or not, and what is left is named.

use reports::record::{LabKind, LabUnavailable, ResidueItem};

use super::super::*;
use super::stage::{Scene, Stage, play};

const FAILED: (&str, ScenarioStatus) = ("preflight", ScenarioStatus::Failed);
const PASSED: (&str, ScenarioStatus) = ("preflight", ScenarioStatus::Passed);

/// The circumstance of a run that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum But {
    Nothing,
    ItIsAKernelLab,
    ItBeganSomething,
    TheLabWasOfNoUse,
    ItWasToldToStop,
}

#[test]
fn instances_of_a_run_that_began_nothing_are_stopped_unless_it_passed() {
    for (ended, but, stopped) in [
        (FAILED, But::Nothing, true),
        (FAILED, But::ItIsAKernelLab, false),
        (FAILED, But::ItBeganSomething, false),
        (FAILED, But::TheLabWasOfNoUse, false),
        (PASSED, But::Nothing, false),
        (PASSED, But::ItWasToldToStop, true),
    ] {
        let mut scene = Scene::default();
        if but == But::ItIsAKernelLab {
            scene.manifest = |manifest| manifest.lab.kind = LabKind::Netns;
        }
        scene.play(async |stage: &Stage<'_>| {
            let engine = &stage.engine;
            stage.ended(&[ended]);
            match but {
                But::ItBeganSomething => engine.run.state.borrow_mut().burnt = true,
                But::TheLabWasOfNoUse => {
                    let reason = "it is held".to_owned();
                    stage.record(Kind::LabUnavailable(LabUnavailable { reason, held_by: None }));
                }
                But::ItWasToldToStop => engine.run.brake.pull(),
                But::Nothing | But::ItIsAKernelLab => {}
            }
            engine.rest().await;
            assert_eq!(stage.running().is_empty(), stopped, "{ended:?} {but:?}");
        });
    }
}

/// Such a run asked for no go: what runs goes on only where the owner wants it to.
#[test]
fn a_run_that_asks_for_nothing_leaves_running_what_it_was_told_to() {
    for meanwhile in [Meanwhile::Park, Meanwhile::LeaveRunning] {
        play(async |stage: &Stage<'_>| {
            stage.ended(&[FAILED]);
            let files = stage.files.clone();
            let pending = Pending { files, wait: None, meanwhile };
            stage.engine.end_unasked(&pending).await;
            assert_eq!(stage.running().is_empty(), meanwhile == Meanwhile::Park, "{meanwhile:?}");
        });
    }
}

/// Each needs to have passed, and something that waits for the go has to be wanted.
#[test]
fn the_owner_is_asked_once_everything_before_the_gate_has_passed() {
    use ScenarioStatus::{Failed, Passed};
    let all: fn(&str) -> bool = |_| true;
    let before_the_gate: fn(&str) -> bool = |name| name == "preflight" || name == "undo-plan";
    for (preflight, undo_plan, wanted, asks) in [
        (Passed, Passed, all, true),
        (Failed, Passed, all, false),
        (Passed, Failed, all, false),
        (Passed, Passed, before_the_gate, false),
    ] {
        Scene { wanted, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            stage.ended(&[("preflight", preflight), ("undo-plan", undo_plan)]);
            assert_eq!(stage.engine.asks(), asks, "{preflight:?} {undo_plan:?}");
        });
    }
}

fn item(id: &str) -> ResidueItem {
    ResidueItem {
        resource: "elastic IP address".to_owned(),
        id: id.to_owned(),
        why: "nobody ends it".to_owned(),
        costs_money: true,
        owner_commands: vec![format!("aws ec2 release-address --allocation-id {id}")],
    }
}

/// The end tells what preflight saw beside what was listed since, and not twice.
#[test]
fn what_nobody_ends_is_listed_at_the_end() {
    for (listed, seen, expected) in [
        (None, &[][..], None),
        (Some("a"), &[], Some(&["a"][..])),
        (None, &["b"], Some(&["b"])),
        (Some("a"), &["a", "b"], Some(&["a", "b"])),
    ] {
        play(async |stage: &Stage<'_>| {
            if let Some(id) = listed {
                let items = vec![item(id)];
                stage.record(Kind::ResidueListed(ResidueListed { items, kept: Vec::new() }));
            }
            let nobodys = seen.iter().map(|id| item(id)).collect();
            stage.engine.run.state.borrow_mut().nobodys = nobodys;
            stage.engine.finish();
            let ids: Option<Vec<String>> =
                stage.residue().map(|items| items.into_iter().map(|it| it.id).collect());
            let expected = expected.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
            assert_eq!(ids, expected, "{listed:?} {seen:?}");
        });
    }
}

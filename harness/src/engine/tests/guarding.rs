//! The dead man's switch: what arms it, what renews it, and what it does where nobody lives any more.

use std::time::Duration;

use lab::manifest::{Instances, Manifest};
use lab::node::Node;
use lab_mock::cloud::InstanceState;
use lab_mock::machines::fire_timers;
use reports::record::{Effect, Verdict};

use super::super::pending::Came;
use super::super::*;
use super::stage::{Scene, Stage, no_ceiling, play};

const HOUR: Duration = Duration::from_hours(1);

fn pending(stage: &Stage<'_>, meanwhile: Meanwhile) -> Pending {
    Pending { files: stage.files.clone(), wait: Some(HOUR), meanwhile }
}

/// The nodes whose switch is armed.
fn armed(stage: &Stage<'_>) -> Vec<Node> {
    let world = stage.world.lock();
    Node::ALL.into_iter().filter(|node| !world.machines.get(*node).timers.is_empty()).collect()
}

/// The states of the lab's instances, as EC2 would say them now.
fn states(stage: &Stage<'_>) -> Vec<InstanceState> {
    let now = stage.engine.lab.clock.now();
    let mut world = stage.world.lock();
    fire_timers(&mut world, now);
    world.cloud.advance(now);
    let ids = stage.engine.instance_ids();
    ids.iter().map(|id| world.cloud.instances[id].state).collect()
}

fn deadlines(stage: &Stage<'_>) -> Vec<u64> {
    let all = stage.records().into_iter().filter_map(|record| match record.kind {
        Kind::Intent(intent) => intent.effect.powers_off_after().map(|after| after.as_secs()),
        _ => None,
    });
    all.collect()
}

const CHEAP: fn(&mut Manifest) = no_ceiling;

/// `kill -9` of a process that waits for its go: whatever moment it is killed at, everything is stopped
/// by the deadline from the beginning of the wait, and a minute.
#[test]
fn whoever_is_killed_in_the_wait_leaves_nothing_running() {
    for killed_after in [1, 300, 599] {
        Scene { manifest: CHEAP, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            let engine = &stage.engine;
            let clock = engine.lab.clock;
            let waits = pending(stage, Meanwhile::Park);
            let begun = clock.now();
            engine.guard_the_wait(&waits).await.expect("armed");
            let wait = engine.wait_for_go(&waits);
            let killed = clock.timeout(Duration::from_secs(killed_after), wait).await;
            assert!(killed.is_err(), "it waits still");
            assert_eq!(armed(stage), [Node::RouterdCloud, Node::CloudClient]);
            let until = |seconds: i64| {
                let passed = clock.now() - begun;
                (chrono::TimeDelta::seconds(seconds) - passed).to_std().expect("not over")
            };
            clock.sleep(until(719)).await;
            assert_eq!(states(stage), [InstanceState::Running; 2], "{killed_after}");
            clock.sleep(until(720 + 60)).await;
            assert_eq!(states(stage), [InstanceState::Stopped; 2], "{killed_after}");
            let world = stage.world.lock();
            for id in engine.instance_ids() {
                let reason = world.cloud.instances[&id].state_reason.as_ref();
                let code = reason.map(|reason| reason.code.as_str());
                assert_eq!(code, Some("Client.InstanceInitiatedShutdown"));
            }
        });
    }
}

#[test]
fn a_wait_is_armed_once_for_twelve_minutes_and_not_renewed() {
    Scene { manifest: CHEAP, ..Scene::default() }.play(async |stage: &Stage<'_>| {
        let waits = pending(stage, Meanwhile::Park);
        stage.engine.guard_the_wait(&waits).await.expect("armed");
        assert_eq!(stage.engine.wait_for_go(&waits).await, Came::Nothing);
        assert_eq!(deadlines(stage), [720, 720]);
        assert!(stage.records().iter().all(|record| match &record.kind {
            Kind::Intent(intent) => matches!(intent.effect, Effect::ArmSwitch { .. }),
            _ => true,
        }));
    });
}

#[test]
fn nothing_is_armed_that_the_run_may_not_stop_or_is_no_instance() {
    let refuses: fn(&mut Manifest) = |it| it.consent.stop_instances = false;
    let on_premises: fn(&mut Manifest) = |it| {
        it.nodes.values_mut().for_each(|node| node.instance_id = None);
    };
    let park = Meanwhile::Park;
    for (what, manifest, meanwhile, count) in [
        ("all", CHEAP, park, 2),
        ("no consent", refuses, park, 0),
        ("on premises", on_premises, park, 0),
        ("left running", CHEAP, Meanwhile::LeaveRunning, 0),
    ] {
        Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            let engine = &stage.engine;
            if meanwhile == Meanwhile::LeaveRunning {
                let mut state = engine.run.state.borrow_mut();
                state.guarding = scenarios::switch::Guarding::LeftRunning;
            }
            assert_eq!(engine.guard_the_wait(&pending(stage, meanwhile)).await, Ok(()), "{what}");
            for node in Node::ALL {
                assert_eq!(engine.guard_node(node).await, Ok(()), "{what}");
            }
            assert_eq!(armed(stage).len(), count, "{what}");
            // Twice where it is armed: before the wait, and as if it had been woken.
            assert_eq!(stage.begun().len(), count * 2, "{what}");
        });
    }
}

/// What cannot be armed is not waited for: it is stopped at once.
#[test]
fn where_nothing_can_be_armed_the_wait_is_not_entered() {
    Scene { manifest: CHEAP, ..Scene::default() }.play(async |stage: &Stage<'_>| {
        let engine = &stage.engine;
        stage.answers(
            Node::CloudClient,
            "* arm-switch ",
            u32::MAX,
            1,
            "sudo: a password is needed",
        );
        let waits = pending(stage, Meanwhile::Park);
        let begun = engine.lab.clock.now();
        let stops = declared_stops(Waiting::Owner(Meanwhile::Park));
        let settings = Settings {
            run_id: engine.run.id.clone(),
            seed: None,
            faults: Vec::new(),
            selection: engine.selection.clone(),
        };
        engine.start(&settings, stops).expect("written");
        engine.forward(pending::before_the_gate()).await;
        let why = engine.guard_the_wait(&waits).await.expect_err("one of two");
        assert!(why.contains("a password is needed"), "{why}");
        let judged = engine.stay_unguarded(&waits, why).await;
        assert_eq!((judged.verdict, judged.exit_code), (Verdict::Parked, 3), "{judged:?}");
        assert!((engine.lab.clock.now() - begun).num_seconds() < 120);
        assert_eq!(states(stage), [InstanceState::Stopped; 2]);
    });
}

#[test]
fn the_instances_of_another_run_are_its_own_to_guard() {
    play(async |stage: &Stage<'_>| {
        stage.lock_of("another", 60);
        let waits = pending(stage, Meanwhile::Park);
        assert_eq!(stage.engine.guard_the_wait(&waits).await, Ok(()));
        assert_eq!((armed(stage), stage.begun()), (Vec::new(), Vec::new()));
    });
}

/// The lease is renewed each five minutes, and the switch with it.
#[test]
fn a_run_that_lives_is_not_powered_off() {
    play(async |stage: &Stage<'_>| {
        let engine = &stage.engine;
        engine.guard_node(Node::RouterdCloud).await.expect("armed");
        stage.has_taken_the_lock();
        let clock = engine.lab.clock;
        engine.while_renewing(clock.sleep(Duration::from_mins(31))).await;
        assert_eq!(states(stage), [InstanceState::Running; 2]);
        assert_eq!(deadlines(stage), [600; 7]);
        // Then it dies.
        clock.sleep(Duration::from_mins(11)).await;
        assert!(states(stage).contains(&InstanceState::Stopped));
    });
}

/// A node that was started anew has no timer: its renewal arms it again.
#[test]
fn what_lost_its_timer_is_armed_anew() {
    play(async |stage: &Stage<'_>| {
        let engine = &stage.engine;
        engine.guard_node(Node::CloudClient).await.expect("armed");
        stage.change(|world| world.machines.get_mut(Node::CloudClient).timers.clear());
        engine.renew_switches().await;
        assert_eq!(armed(stage), [Node::CloudClient]);
        let begun = stage.begun();
        let of = |what: &str| format!("{what} the dead man's switch");
        assert_eq!(begun, [of("arm"), of("renew"), of("arm")]);
    });
}

/// Disarmed is what goes on running; what cannot be is left, and says so.
#[test]
fn what_goes_on_running_is_disarmed_last() {
    let keep: fn(&mut Manifest) = |it| it.teardown.instances = Instances::Keep;
    let stop: fn(&mut Manifest) = |it| it.teardown.instances = Instances::Stop;
    for (what, manifest, stays, left_armed, left) in [
        ("kept", keep, false, 0, 0),
        ("kept, and cannot be disarmed", keep, true, 2, 2),
        ("stopped by the teardown", stop, false, 2, 0),
    ] {
        Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            let engine = &stage.engine;
            engine.guard_node(Node::RouterdCloud).await.expect("armed");
            engine.guard_node(Node::CloudClient).await.expect("armed");
            engine.run.state.borrow_mut().burnt = true;
            if stays {
                for node in [Node::RouterdCloud, Node::CloudClient] {
                    stage.answers(node, "* disarm-switch ", u32::MAX, 1, "Failed to stop it");
                }
            }
            engine.disarm().await;
            assert_eq!(armed(stage).len(), left_armed, "{what}");
            let items = stage.residue().unwrap_or_default();
            assert_eq!(items.len(), left, "{what}: {items:?}");
            let commands = |it: &reports::record::ResidueItem| {
                it.owner_commands[0].starts_with("sudo systemctl stop lab-smoke-stop.timer")
            };
            assert!(items.iter().all(commands), "{items:?}");
        });
    }
}

/// Nobody was there when the switch went off: the next command finds the run parked.
#[test]
fn a_run_whose_instances_the_switch_stopped_is_parked() {
    Scene { manifest: CHEAP, ..Scene::default() }.play(async |stage: &Stage<'_>| {
        let engine = &stage.engine;
        let stops = declared_stops(Waiting::Owner(Meanwhile::Park));
        let settings = Settings {
            run_id: engine.run.id.clone(),
            seed: None,
            faults: Vec::new(),
            selection: engine.selection.clone(),
        };
        engine.start(&settings, stops).expect("written");
        engine.forward(pending::before_the_gate()).await;
        let waits = pending(stage, Meanwhile::Park);
        engine.guard_the_wait(&waits).await.expect("armed");
        let clock = engine.lab.clock;
        let standing = |now| read_standing_at(&stage.records(), now);
        assert_eq!(standing(clock.now()), Standing::AwaitingGo);
        clock.sleep(Duration::from_mins(14)).await;
        assert_eq!(standing(clock.now()), Standing::Parked);
        assert_eq!(read_standing(&stage.records()), Standing::AwaitingGo, "nobody has looked");
        let judged = engine.stay_pending(&waits).await;
        assert_eq!((judged.verdict, judged.exit_code), (Verdict::Parked, 3), "{judged:?}");
        assert_eq!(read_standing(&stage.records()), Standing::Parked);
        assert!(stage.begun().iter().all(|what| !what.starts_with("ec2")), "{:?}", stage.begun());
    });
}

//! Tests that what costs is stopped, whatever state it is in and whoever else is not listed; and that what
//! was to be started is, once it has stopped.

use chrono::TimeDelta;
use lab::ec2::InstanceState as Seen;
use lab_mock::cloud::{Instance, InstanceState};
use reports::record::{Life, ResourceKind, ResourceSeen, ResourcesSeen};

use super::super::*;
use super::stage::{ManifestEdit, Scene, Stage};

/// As the mock describes itself, and behind a manifest of kind `aws`: it is stopped and started alike.
const KINDS: [ManifestEdit; 2] = [|_| {}, |manifest| manifest.lab.kind = LabKind::Aws];

fn put(stage: &Stage<'_>, id: &str, state: InstanceState) {
    let now = stage.engine.lab.clock.now();
    stage.change(|world| {
        world.cloud.instances.get_mut(id).expect("it is there").enter(state, now);
    });
}

fn state(stage: &Stage<'_>, id: &str) -> Option<InstanceState> {
    let now = stage.engine.lab.clock.now();
    stage.world.lock().cloud.instances.get(id).map(|it: &Instance| it.state_at(now))
}

/// The router, whose disk has the lock, and the client.
fn both(stage: &Stage<'_>) -> [String; 2] {
    let mut ids = stage.engine.instance_ids();
    ids.sort_by_key(|id| !stage.engine.keeps_the_lock(id));
    ids.try_into().expect("two instances")
}

/// The state after a crash right behind StartInstances: nothing is left only where nothing runs.
#[test]
fn what_is_about_to_run_is_waited_for_and_stopped() {
    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    let table = [
        ([Pending, Stopped], [Stopped, Stopped], 1),
        ([Stopped, Pending], [Stopped, Stopped], 0),
        ([Pending, Running], [Stopped, Stopped], 2),
        ([Running, Pending], [Stopped, Stopped], 2),
        ([Running, Stopping], [Stopped, Stopped], 1),
        ([Stopping, Stopped], [Stopped, Stopped], 0),
        ([Running, ShuttingDown], [Stopped, Terminated], 1),
    ];
    let rows = table.into_iter().flat_map(|row| KINDS.map(|kind| (row, kind)));
    for ((before, after, stops), manifest) in rows {
        Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            let ids = both(stage);
            for (id, state) in ids.iter().zip(before) {
                put(stage, id, state);
            }
            assert_eq!(stage.engine.something_runs().await, before != [Stopped; 2], "{before:?}");
            let left = stage.engine.stop_all().await;
            // The lock lies on a disk that nobody can reach: nothing is touched then.
            if before == [Stopped, Pending] {
                let why = left.expect_err("the lock cannot be read");
                assert!(why.contains("goes on costing"), "{why}");
                return;
            }
            assert_eq!(left, Ok(Vec::new()), "{before:?}");
            let given = ids.map(|id| state(stage, &id).expect("it is listed"));
            assert_eq!((given, stage.begun().len()), (after, stops), "{before:?}");
        });
    }
}

/// Asking by id, EC2 would refuse to answer of any: the other one is stopped all the same.
#[test]
fn one_that_ec2_does_not_list_keeps_no_other_from_being_stopped() {
    // How long ago it was seen alive, and whether it is listed as left.
    let table = [(Some(5), true), (Some(121), false), (None, false)];
    let rows = table.into_iter().flat_map(|row| KINDS.map(|kind| (row, kind)));
    for ((minutes, is_left), manifest) in rows {
        Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            let [router, client] = both(stage);
            if let Some(minutes) = minutes {
                let (kind, id) = (ResourceKind::Instance, client.clone());
                let seen = ResourceSeen { kind, id, life: Life::Alive };
                stage.record(Kind::ResourcesSeen(ResourcesSeen { resources: vec![seen] }));
                let passed = TimeDelta::minutes(minutes).to_std().expect("forward");
                stage.engine.lab.clock.sleep(passed).await;
            }
            stage.change(|world| drop(world.cloud.instances.remove(&client)));
            let items = stage.engine.stop_all().await.expect("the lock is free");
            assert_eq!(state(stage, &router), Some(InstanceState::Stopped), "{minutes:?}");
            let left: Vec<_> = items.iter().map(|item| item.id.clone()).collect();
            assert_eq!(left, &[client][..usize::from(is_left)], "{minutes:?}");
        });
    }
}

/// EC2 refuses to start what is still stopping.
#[test]
fn what_is_still_stopping_is_started_once_it_has_stopped() {
    for manifest in KINDS {
        Scene { manifest, ..Scene::default() }.play(still_stopping);
    }
}

async fn still_stopping(stage: &Stage<'_>) {
    let ids = both(stage);
    put(stage, &ids[0], InstanceState::Stopped);
    put(stage, &ids[1], InstanceState::Stopping);
    let came = stage.engine.wake(waking::Resting::Parked).await;
    assert_eq!(came, Ok(waking::Woke::Something));
    let found = stage.engine.lab.reader.instances(&ids).await.expect("an answer").value;
    assert!(found.iter().all(|it| it.state == Seen::Running), "{found:?}");
    // Each is armed as soon as it answers.
    let (start, arm) = ("ec2 StartInstances", "arm the dead man's switch");
    assert_eq!(stage.begun(), [start, arm, start, arm]);
}

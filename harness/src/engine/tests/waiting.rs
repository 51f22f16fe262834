//! While the owner is awaited: what ends the wait, and what becomes of what runs.

use std::time::Duration;

use lab::manifest::Ceiling;
use lab::node::Node;
use lab_mock::faults::{ApiEffect, ApiFault, CallerKind};
use reports::record::{ResidueItem, Verdict};

use super::super::pending::Came;
use super::super::*;
use super::stage::{Scene, Stage, no_ceiling, play};

const QUARTER: Duration = Duration::from_mins(15);

fn waits(stage: &Stage<'_>, wait: Option<Duration>, meanwhile: Meanwhile) -> Pending {
    Pending { files: stage.files.clone(), wait, meanwhile }
}

fn ids(stage: &Stage<'_>) -> Vec<String> {
    let nodes = stage.engine.lab.manifest.nodes.values();
    nodes.filter_map(|node| node.instance_id.clone()).collect()
}

/// Nobody gives a go for a quarter of an hour: when the wait ends, and by which detector.
#[test]
fn the_wait_ends_with_its_time_with_stop_seven_or_at_the_ceiling() {
    const DEAR: fn(&mut lab::manifest::Manifest) =
        |manifest| manifest.limits.max_instance_seconds = Ceiling::Seconds(300);
    const CHEAP: fn(&mut lab::manifest::Manifest) = no_ceiling;
    let (park, leave) = (Meanwhile::Park, Meanwhile::LeaveRunning);
    // The ceiling is passed after more than 300 seconds of two instances.
    for (runs, manifest, off, meanwhile, came, seconds, tripped) in [
        (true, CHEAP, None, park, Came::Nothing, 600, Some("waited-too-long")),
        (true, CHEAP, Some("waited-too-long"), park, Came::Nothing, 900, None),
        (true, CHEAP, None, leave, Came::Nothing, 900, None),
        (true, DEAR, None, park, Came::TooDear, 151, Some("ceiling")),
        (true, DEAR, None, leave, Came::TooDear, 151, Some("ceiling")),
        (true, DEAR, Some("ceiling"), park, Came::Nothing, 600, Some("waited-too-long")),
        (false, DEAR, None, park, Came::Nothing, 900, None),
    ] {
        let wanted = |_: &str| true;
        Scene { manifest, detector_off: off, wanted, ..Scene::default() }.play(
            async |stage: &Stage<'_>| {
                let engine = &stage.engine;
                engine.record_cost();
                if !runs {
                    stage.asleep();
                }
                let begun = engine.lab.clock.now();
                let ended = engine.wait_for_go(&waits(stage, Some(QUARTER), meanwhile)).await;
                let waited = (engine.lab.clock.now() - begun).num_seconds();
                let records = stage.records();
                let by = records.iter().find_map(|record| match &record.kind {
                    Kind::StopTripped(it) => Some(it.detector.as_str()),
                    _ => None,
                });
                assert_eq!((ended, waited, by), (came, seconds, tripped), "{runs} {off:?}");
            },
        );
    }
}

#[test]
fn what_is_no_plain_file_is_refused_and_no_go() {
    play(async |stage: &Stage<'_>| {
        std::fs::create_dir(&stage.files.document).expect("made");
        let pending = waits(stage, Some(QUARTER), Meanwhile::Park);
        assert_eq!(stage.engine.wait_for_go(&pending).await, Came::Refused);
        let records = stage.records();
        let refused = records.iter().find_map(|record| match &record.kind {
            Kind::GoRefused(it) => Some(it.rule.as_str()),
            _ => None,
        });
        assert_eq!(refused, Some("unreadable"));
    });
}

/// No call that describes instances is answered any more.
fn blind(stage: &Stage<'_>) {
    let (status, code, message) = (403, "UnauthorizedOperation".to_owned(), "no".to_owned());
    stage.change(|world| {
        world.faults.api.push(ApiFault {
            action: "DescribeInstances".to_owned(),
            caller: CallerKind::Anyone,
            skip: 0,
            times: u32::MAX,
            effect: ApiEffect::Error { status, code, message },
            seen: 0,
            fired: 0,
        });
    });
}

#[test]
fn what_cannot_be_seen_to_rest_may_run() {
    let as_it_is: fn(&Stage<'_>) = |_| {};
    let nothing: fn(&mut lab::manifest::Manifest) = |manifest| {
        manifest.nodes.values_mut().for_each(|node| node.instance_id = None);
    };
    for (change, manifest, runs) in [
        (as_it_is, None, true),
        (|stage| stage.asleep(), None, false),
        (blind, None, true),
        (blind, Some(nothing), false),
    ] {
        let scene = Scene { manifest: manifest.unwrap_or(|_| {}), ..Scene::default() };
        scene.play(async |stage: &Stage<'_>| {
            change(stage);
            assert_eq!(stage.engine.something_runs().await, runs);
            assert_eq!(stage.engine.instance_ids().is_empty(), manifest.is_some());
        });
    }
}

/// Whoever goes on paying is told for what; whoever does not, is not.
#[test]
fn what_is_left_running_is_said_with_its_id() {
    play(async |stage: &Stage<'_>| {
        stage.engine.record_cost();
        let [one, other] = &ids(stage)[..] else { panic!("two instances") };
        stage.change(|world| {
            let other = world.cloud.instances.get_mut(other).expect("it is there");
            (other.state, other.transition) = (lab_mock::cloud::InstanceState::Stopped, None);
        });
        let says = async |meanwhile| {
            let judged = stage.engine.stay_pending(&waits(stage, None, meanwhile)).await;
            let costs = judged.reasons.into_iter().filter(|it| it.contains("goes on costing"));
            costs.collect::<Vec<_>>()
        };
        let said = says(Meanwhile::LeaveRunning).await;
        assert!(matches!(&said[..], [it] if it.starts_with(one)), "{said:?}");
        assert_eq!(stage.running(), std::slice::from_ref(one));
        assert_eq!(says(Meanwhile::Park).await, Vec::<String>::new());
        assert_eq!(stage.running(), Vec::<String>::new());
        blind(stage);
        let said = says(Meanwhile::LeaveRunning).await;
        assert!(matches!(&said[..], [it] if it.contains("cannot be read")), "{said:?}");
    });
}

#[test]
fn without_consent_what_runs_is_residue_and_says_so() {
    let manifest: fn(&mut lab::manifest::Manifest) = |it| it.consent.stop_instances = false;
    Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
        stage.engine.stay_pending(&waits(stage, None, Meanwhile::Park)).await;
        let items = stage.residue().unwrap_or_default();
        let goes_on = |it: &ResidueItem| it.why.starts_with("it goes on running: the manifest");
        assert!(items.len() == 2 && items.iter().all(goes_on), "{items:?}");
        assert_eq!(stage.begun(), Vec::<String>::new());
    });
}

#[test]
fn nothing_is_stopped_under_another_runs_lock_or_one_that_cannot_be_read() {
    for (lock, stopped) in [("none", true), ("own", true), ("another", false), ("unread", false)] {
        play(async |stage: &Stage<'_>| {
            match lock {
                "none" => {}
                "own" => stage.lock_of(&stage.engine.run.id, 60),
                "unread" => stage.answers(Node::RouterdCloud, "cat", u32::MAX, 1, "I/O error"),
                another => stage.lock_of(another, -60),
            }
            let pending = waits(stage, None, Meanwhile::Park);
            let judged = stage.engine.stay_pending(&pending).await;
            assert_eq!(stage.running().is_empty(), stopped, "{lock}");
            assert_eq!(judged.verdict == Verdict::Unavailable, !stopped, "{lock}: {judged:?}");
            // Whoever reads the journal says the same, with the ids of what goes on costing.
            let read = reports::verdict::judge_journal(&stage.records());
            let named = |id: &String| read.reasons.iter().any(|it| it.contains(id.as_str()));
            assert!(stage.running().iter().all(named), "{lock}: {read:?}");
            assert_eq!(read.verdict == Verdict::Unavailable, !stopped, "{lock}: {read:?}");
        });
    }
}

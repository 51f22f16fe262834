//! A run that is resumed: what it says of stop 7, what it answers without a go, and how its nodes
//! are woken; and one that is recovered, whose instances are stopped.

use std::time::Duration;

use lab::ec2::Instance;
use lab::manifest::Reach;
use lab::node::Node;
use lab_mock::faults::{ApiEffect, ApiFault, CallerKind};
use reports::record::{GoRefused, NodeWoke, Record, StopArmed, Verdict, WakeStage};

use super::super::*;
use super::stage::{Scene, Stage, play};

fn settings(selection: Selection) -> Settings {
    Settings { run_id: "run-1".to_owned(), seed: None, faults: Vec::new(), selection }
}

/// Said only where it differs from what was said last, of stop 7 and of no other.
#[test]
fn a_resumed_run_says_where_stop_seven_is_another_way() {
    let (park, leave) = (Meanwhile::Park, Meanwhile::LeaveRunning);
    for (declared, later, now, says) in [
        (park, None, park, None),
        (park, None, leave, Some(false)),
        (leave, None, park, Some(true)),
        (leave, None, leave, None),
        (park, Some((7, false)), park, Some(true)),
        (park, Some((7, false)), leave, None),
        (park, Some((3, false)), park, None),
        (park, Some((3, false)), leave, Some(false)),
    ] {
        play(async |stage: &Stage<'_>| {
            let stops = declared_stops(Waiting::Owner(declared));
            let selection = stage.engine.selection.clone();
            stage.engine.start(&settings(selection), stops).expect("written");
            if let Some((stop, armed)) = later {
                stage.record(Kind::StopArmed(StopArmed { stop, armed, reason: None }));
            }
            let before = stage.records().len();
            stage.engine.arm(now);
            let said: Vec<_> = stage.records()[before..]
                .iter()
                .map(|record| match &record.kind {
                    Kind::StopArmed(it) => (it.stop, it.armed),
                    other => panic!("{other:?}"),
                })
                .collect();
            let expected: Vec<_> = says.map(|armed| (7, armed)).into_iter().collect();
            assert_eq!(said, expected, "{declared:?} {later:?} {now:?}");
        });
    }
}

#[test]
fn a_run_is_resumed_with_the_parts_that_it_was_begun_with() {
    let wanted = |name: &str| name != "plan";
    Scene { wanted, ..Scene::default() }.play(async |stage: &Stage<'_>| {
        let begun = stage.engine.selection.clone();
        stage.engine.start(&settings(begun), Vec::new()).expect("written");
        let part = |name| if wanted(name) { Part::Judged } else { Part::Excluded };
        let parts = SEQUENCE.iter().map(|scenario| (scenario.name, part(scenario.name))).collect();
        assert_eq!(read_selection(&stage.records()), Some(Selection { filter: None, parts }));
    });
}

/// A go that was refused before is no answer to who gives none now.
#[test]
fn without_a_go_the_run_goes_on_waiting() {
    let waits = "the owner's go is awaited";
    let parked = "the owner's go is awaited, the instances are stopped";
    let refused = "the go was refused (expired): it ended";
    for (was_refused, meanwhile, verdict, reasons) in [
        (false, Meanwhile::Park, Verdict::Parked, &[parked][..]),
        (true, Meanwhile::Park, Verdict::Parked, &[waits, refused]),
        (true, Meanwhile::LeaveRunning, Verdict::AwaitingGo, &[waits, refused]),
    ] {
        play(async |stage: &Stage<'_>| {
            let engine = &stage.engine;
            let stops = declared_stops(Waiting::Owner(meanwhile));
            engine.start(&settings(engine.selection.clone()), stops).expect("written");
            engine.forward(pending::before_the_gate()).await;
            if was_refused {
                let (rule, reason) = ("expired".to_owned(), "it ended".to_owned());
                stage.record(Kind::GoRefused(GoRefused { rule, reason }));
            }
            let pending = Pending { files: stage.files.clone(), wait: None, meanwhile };
            let judged = engine.without_go(&pending).await;
            let said: Vec<_> =
                judged.reasons.iter().filter(|it| !it.contains("goes on costing")).collect();
            assert_eq!((judged.verdict, judged.exit_code), (verdict, 3), "{:?}", judged.reasons);
            assert_eq!(said, reasons);
        });
    }
}

fn wakes(stage: &Stage<'_>) -> Vec<NodeWoke> {
    let records = stage.records().into_iter();
    records
        .filter_map(|record| match record.kind {
            Kind::NodeWoke(woke) => Some(woke),
            _ => None,
        })
        .collect()
}

/// Whether the manifest lets preflight start what it finds stopped.
#[test]
fn preflight_starts_what_it_finds_stopped_where_the_manifest_says_so() {
    for consents in [false, true] {
        let manifest: super::stage::ManifestEdit =
            if consents { |it| it.consent.start_instances = true } else { |_| {} };
        Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            stage.asleep();
            let engine = &stage.engine;
            engine.start(&settings(engine.selection.clone()), Vec::new()).expect("written");
            assert!(engine.wake_what_is_found().await);
            let started = if consents { 2 } else { 0 };
            assert_eq!(stage.running().len(), started);
            // Each is armed as soon as it answers.
            let (start, arm) = ("ec2 StartInstances", "arm the dead man's switch");
            assert_eq!(stage.begun(), [start, arm].repeat(started));
            engine.forward(pending::before_the_gate()).await;
            assert_eq!(engine.asks(), consents, "{consents}");
            // It need not run any more, whatever was asked for.
            engine.ended.borrow_mut().retain(|(_, status)| passed(*status));
            engine.rest().await;
            assert_eq!(stage.running(), Vec::<String>::new());
        });
    }
}

/// Each stage of each node stands in the journal, in its order.
#[test]
fn the_stages_of_a_wake_are_recorded() {
    play(async |stage: &Stage<'_>| {
        stage.asleep();
        stage.answers(Node::RouterdCloud, "hostname", 2, 255, "Connection refused");
        let came = stage.engine.wake(waking::Resting::Parked).await;
        assert_eq!(came, Ok(waking::Woke::Something));
        let wakes = wakes(stage);
        let of = |node: Node| -> Vec<WakeStage> {
            let its = wakes.iter().filter(|it| it.node.as_deref() == Some(node.as_str()));
            its.map(|it| it.stage).collect()
        };
        let (runs, at, answers, guarded, time) = (
            WakeStage::Running,
            WakeStage::Addressed,
            WakeStage::Reached,
            WakeStage::Guarded,
            WakeStage::InTime,
        );
        assert_eq!(of(Node::RouterdCloud), [runs, at, answers, guarded, answers, time]);
        assert_eq!(of(Node::CloudClient), [runs, at, answers, guarded, time]);
        assert_eq!(of(Node::OnpremRouter), [answers, time]);
        assert!(wakes.iter().all(|it| it.why_not.is_none()), "{wakes:?}");
        let waited = |stage| wakes.iter().find(|it| it.stage == stage).map(|it| it.waited_ms);
        assert_eq!(waited(answers), Some(10_000));
        // From the start on, through each stage before it.
        assert!(waited(guarded) > waited(runs).map(|ms| ms + 10_000), "{wakes:?}");
    });
}

/// Nothing but the process holds the clock of a node that was woken and takes no switch: that is said.
#[test]
fn a_woken_node_without_a_switch_says_why() {
    play(async |stage: &Stage<'_>| {
        stage.asleep();
        stage.engine.run.state.borrow_mut().guarding = scenarios::switch::Guarding::LeftRunning;
        let came = stage.engine.wake(waking::Resting::Parked).await;
        assert_eq!(came, Ok(waking::Woke::Something));
        let said: Vec<_> = wakes(stage)
            .into_iter()
            .filter(|it| it.stage == WakeStage::Guarded)
            .map(|it| it.why_not.unwrap_or_default())
            .collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().all(|why| why.contains("--leave-running")), "{said:?}");
    });
}

/// A public address may come after the private one: what is waited for is the one that will be used.
#[test]
fn the_address_that_is_waited_for_is_the_one_that_will_be_used() {
    let private: super::stage::ManifestEdit =
        |it| it.nodes.values_mut().for_each(|node| node.reach = Some(Reach::Private));
    let public: super::stage::ManifestEdit =
        |it| it.nodes.values_mut().for_each(|node| node.reach = Some(Reach::Public));
    for (manifest, has_public, wanted) in
        [(private, false, None), (public, false, Some("public")), (public, true, None)]
    {
        Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            stage.asleep();
            if !has_public {
                stage.change(|world| {
                    world.cloud.addresses.clear();
                    for eni in world.cloud.network_interfaces.values_mut() {
                        eni.launch_address = lab_mock::cloud::LaunchAddress::Never;
                    }
                });
            }
            let all = instances(stage).await;
            let woken = stage.engine.wake_one(all.first().expect("an instance")).await;
            assert_eq!(woken.is_ok(), wanted.is_none(), "{wanted:?}: {woken:?}");
            if let (Some(wanted), Err(why)) = (wanted, woken) {
                assert!(why.contains(&format!("no {wanted} address")), "{why}");
            }
        });
    }
}

/// What is another machine is not waited for; neither is a clock that cannot be read.
#[test]
fn what_no_time_mends_is_not_waited_for() {
    play(async |stage: &Stage<'_>| {
        stage.change(|world| {
            let key = lab_mock::machines::host_key(99, Node::CloudClient);
            world.machines.get_mut(Node::CloudClient).sshd.host_key = key;
        });
        let since = stage.engine.lab.clock.now();
        let answered = stage.engine.answers(Node::CloudClient).await;
        assert!(answered.is_err_and(|why| why.contains("host key is pinned")));
        assert_eq!(stage.engine.lab.clock.now(), since);
    });
    for (offset_ms, seconds) in [(0, 0), (60_000, 300)] {
        play(async |stage: &Stage<'_>| {
            stage.asleep();
            stage.change(|world| {
                world.machines.get_mut(Node::OnpremClient).clock_offset_ms = offset_ms;
            });
            let came = stage.engine.wake(waking::Resting::Parked).await;
            assert_eq!(came.is_err(), offset_ms > 0, "{came:?}");
            let last = wakes(stage).pop().expect("a stage");
            assert_eq!((last.stage, last.waited_ms / 1000), (WakeStage::InTime, seconds));
            assert_eq!(last.why_not.is_some(), offset_ms > 0);
        });
    }
}

/// A lab whose routerd comes up later is what it was once it has; and one that is another says so after
/// the time of a boot.
#[test]
fn preflight_is_tried_until_it_finds_the_facts_or_a_boot_is_over() {
    for (refusals, comes) in [(0, true), (3, true), (u32::MAX, false)] {
        play(async |stage: &Stage<'_>| {
            let engine = &stage.engine;
            engine.start(&settings(engine.selection.clone()), Vec::new()).expect("written");
            engine.forward(pending::before_the_gate()).await;
            let shown = engine.shown_facts().expect("the facts");
            stage.answers(Node::RouterdCloud, "*action list", refusals, 1, "no daemon");
            let before = stage.records().len();
            engine.wait_for_the_facts(Some(&shown.facts_digest)).await;
            let [.., last] = &wakes(stage)[..] else { panic!("a stage") };
            assert_eq!(last.stage, WakeStage::Ready);
            assert_eq!(last.why_not.is_none(), comes, "{refusals}: {last:?}");
            assert_eq!(last.waited_ms >= 300_000, !comes, "{last:?}");
            assert_eq!(stage.records().len(), before + 1, "what was tried is no finding");
        });
    }
}

#[test]
fn what_differs_from_the_facts_that_were_shown_is_told_field_by_field() {
    for changes in [false, true] {
        play(async |stage: &Stage<'_>| {
            let engine = &stage.engine;
            engine.start(&settings(engine.selection.clone()), Vec::new()).expect("written");
            engine.forward(pending::before_the_gate()).await;
            let shown = engine.shown_facts().expect("the facts");
            if changes {
                stage.change(|world| {
                    for eni in world.cloud.network_interfaces.values_mut() {
                        eni.source_dest_check = false;
                    }
                });
            }
            engine.forward(pending::before_the_gate()).await;
            engine.tell_differing_facts(&shown);
            let told = stage.records().into_iter().rev().find_map(|record| match record.kind {
                Kind::FactsDiffer(differ) => Some(differ),
                _ => None,
            });
            let said = told.map(|it| it.describe()).unwrap_or_default();
            assert_eq!(said.contains("/interface/source_dest_check"), changes, "{said}");
        });
    }
}

async fn instances(stage: &Stage<'_>) -> Vec<Instance> {
    let ids = stage.engine.instance_ids();
    stage.engine.lab.reader.instances(&ids).await.expect("an answer").value
}

fn refuses(stage: &Stage<'_>, action: &str) {
    stage.change(|world| add_refusal(world, action));
}

fn add_refusal(world: &mut lab_mock::world::World, action: &str) {
    let (code, message) = ("UnauthorizedOperation".to_owned(), "You may not.".to_owned());
    let effect = ApiEffect::Error { status: 403, code, message };
    let (action, caller, times) = (action.to_owned(), CallerKind::Anyone, u32::MAX);
    let (skip, seen, fired) = (0, 0, 0);
    world.faults.api.push(ApiFault { action, caller, skip, times, effect, seen, fired });
}

#[test]
fn an_instance_that_was_not_started_is_said_to_be_asleep() {
    for refused in [false, true] {
        play(async |stage: &Stage<'_>| {
            stage.asleep();
            if refused {
                refuses(stage, "StartInstances");
            }
            let [one, ..] = &instances(stage).await[..] else { panic!("an instance") };
            let woken = stage.engine.wake_one(one).await;
            assert_eq!(woken.is_err(), refused, "{woken:?}");
            assert_eq!(stage.running().is_empty(), refused);
        });
    }
}

#[test]
fn an_instance_that_was_not_stopped_is_said_to_run_on() {
    for refused in [false, true] {
        play(async |stage: &Stage<'_>| {
            if refused {
                refuses(stage, "StopInstances");
            }
            let [one, ..] = &instances(stage).await[..] else { panic!("an instance") };
            let stopped = stage.engine.stop_one(one).await;
            assert_eq!(stopped.is_err(), refused, "{stopped:?}");
            assert_eq!(stage.running().contains(&one.instance_id), refused);
        });
    }
}

/// Hard stop 8, and no other, forbids even that.
#[test]
fn nothing_is_stopped_with_the_identity_of_another_account() {
    for (stop, detector, touched) in [(8, "other-account", false), (3, "open-row", true)] {
        play(async |stage: &Stage<'_>| {
            stage.tripped(stop, detector);
            let [one, ..] = &instances(stage).await[..] else { panic!("an instance") };
            let stopped = stage.engine.stop_one(one).await;
            assert_eq!(stopped.is_ok(), touched, "{detector}: {stopped:?}");
            assert_eq!(stage.begun().is_empty(), !touched, "{detector}");
        });
    }
}

/// How often its host name is refused, when the wait for a node ends, and whether well.
#[test]
fn a_node_is_waited_for_until_it_answers_or_five_minutes_are_over() {
    for (refused, seconds, answers) in [(0, 0, true), (3, 15, true), (u32::MAX, 300, false)] {
        play(async |stage: &Stage<'_>| {
            let node = Node::CloudClient;
            stage.answers(node, "hostname", refused, 255, "Connection refused");
            let clock = stage.engine.lab.clock;
            let begun = clock.now();
            let answered = stage.engine.answers(node).await;
            let waited = Duration::from_millis(
                u64::try_from((clock.now() - begun).num_milliseconds()).expect("forward"),
            );
            assert_eq!((waited.as_secs(), answered.is_ok()), (seconds, answers), "{answered:?}");
            if let Err(why) = answered {
                assert_eq!(why, "cloud-client does not answer: Connection refused");
            }
        });
    }
}

/// The limits are the lab's own: seconds in a test of real time.
#[test]
fn the_limits_of_a_wake_are_parameters() {
    let [boot, look] = [12, 3].map(Duration::from_secs);
    let limits = lab::WakeLimits { boot, look, ..lab::WakeLimits::default() };
    Scene { limits, ..Scene::default() }.play(async |stage: &Stage<'_>| {
        stage.answers(Node::CloudClient, "hostname", u32::MAX, 255, "Connection refused");
        let clock = stage.engine.lab.clock;
        let begun = clock.now();
        assert!(stage.engine.answers(Node::CloudClient).await.is_err());
        assert_eq!((clock.now() - begun).num_seconds(), 12);
    });
}

/// Its rows are nobody's business, and routerd's node may sleep: nobody waits for its answer.
#[test]
fn a_run_that_began_nothing_is_recovered_without_asking_for_its_rows() {
    play(async |stage: &Stage<'_>| {
        // Counts, and answers nothing itself.
        stage.answers(Node::RouterdCloud, "*action list", 0, 0, "");
        let engine = &stage.engine;
        engine.start(&settings(engine.selection.clone()), Vec::new()).expect("written");
        recover_from_journal(engine.lab, engine.journal, &engine.run.id, &mut |_| {}).await;
        let asked = stage.world.lock().faults.commands[0].seen;
        assert_eq!((asked, stage.running()), (0, vec![]));
    });
}

/// Whose lock lies on the router's disk, and what runs after its nodes were woken: the router alone
/// can be asked whose it is, and nothing else is touched where the lab is another run's.
#[test]
fn the_rest_is_woken_once_the_router_says_that_the_lab_is_free() {
    for (lock, router_sleeps, woken) in
        [(None, true, 2), (Some("another"), true, 1), (Some("another"), false, 1), (None, false, 2)]
    {
        play(async |stage: &Stage<'_>| {
            stage.asleep();
            let router = &stage.engine.lab.manifest.nodes[&Node::RouterdCloud].instance_id;
            let router = router.clone().expect("an instance");
            if !router_sleeps {
                stage.change(|world| {
                    let instance = world.cloud.instances.get_mut(&router).expect("it is there");
                    instance.state = lab_mock::cloud::InstanceState::Running;
                });
            }
            if let Some(run_id) = lock {
                stage.lock_of(run_id, 900);
            }
            let came = stage.engine.wake(waking::Resting::Parked).await;
            assert_eq!(came.is_ok(), lock.is_none(), "{lock:?} {router_sleeps}: {came:?}");
            let running = stage.running();
            assert_eq!((running.len(), running.contains(&router)), (woken, true), "{lock:?}");
        });
    }
}

/// What EC2 alone says is said before the first start: nothing is started that could not be stopped
/// again, and the run stands as it did.
#[test]
fn nothing_is_started_that_could_not_be_stopped_again() {
    type Break = fn(&mut lab_mock::world::World);
    let protect: Break = |world| {
        for instance in world.cloud.instances.values_mut() {
            instance.disable_api_stop = true;
        }
    };
    let close: Break = |world| {
        for group in world.cloud.security_groups.values_mut() {
            group.ingress.clear();
        }
    };
    let ends: Break = |world| {
        let at = (world.now + chrono::TimeDelta::minutes(5)).to_rfc3339();
        for vpc in world.cloud.vpcs.values_mut() {
            vpc.tags.insert("lab-smoke-expires".to_owned(), at.clone());
        }
    };
    let forbid: Break = |world| add_refusal(world, "DryRun:StopInstances");
    let not_to_start: Break = |world| add_refusal(world, "DryRun:StartInstances");
    let nothing: Break = |_| {};
    let table = [
        (nothing, "", 0),
        (protect, "disable-api-stop", 1),
        (close, "no inbound rule", 0),
        (ends, "expires at", 0),
        (forbid, "ec2:StopInstances on", 1),
        (not_to_start, "ec2:StartInstances on", 0),
    ];
    for (breaks, why, trips) in table {
        play(async |stage: &Stage<'_>| {
            stage.asleep();
            stage.change(breaks);
            let came = stage.engine.wake(waking::Resting::Parked).await;
            let said = came.err().unwrap_or_default();
            assert!(said.contains(why) && said.is_empty() == why.is_empty(), "{said}");
            assert_eq!(stage.running().is_empty(), !why.is_empty(), "{why}");
            let records = stage.records();
            let tripped = |it: &&Record| matches!(it.kind, Kind::StopTripped(_));
            assert_eq!(records.iter().filter(tripped).count(), trips, "{why}");
        });
    }
}

#[test]
fn the_lock_lies_on_the_routers_disk() {
    play(async |stage: &Stage<'_>| {
        for (node, entry) in &stage.engine.lab.manifest.nodes {
            let Some(id) = &entry.instance_id else { continue };
            let expected = *node == Node::RouterdCloud;
            assert_eq!(stage.engine.keeps_the_lock(id), expected, "{node}");
        }
    });
}

#[test]
fn only_a_run_that_has_ended_is_answered_again() {
    play(async |stage: &Stage<'_>| {
        stage.engine.start(&settings(stage.engine.selection.clone()), Vec::new()).expect("written");
        assert!(repeat_judgement(stage.engine.journal).is_none());
        let ended = stage.engine.finish();
        let again = repeat_judgement(stage.engine.journal).expect("it has ended");
        assert_eq!((again.verdict, again.exit_code), (ended.verdict, ended.exit_code));
    });
}

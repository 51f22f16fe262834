//! Tests of what is left after a run, and what nobody can tell.

use std::rc::Rc;

use lab::ec2::Volume;
use lab::node::Node;
use reports::record::{
    AssertionStatus as A, Effect, Intent, LockReleased, LockTaken, Outcome, OutcomeRecorded, Permit,
};
use reports::redact::Form;

use super::*;
use crate::example::{example_instance, judge_as_scenario};
use crate::sight;

#[test]
fn the_lock_is_left_where_it_was_taken_and_not_released_since() {
    let taken = || {
        let lease_until = "2026-10-01T13:00:00Z".parse().expect("a time");
        Kind::LockTaken(LockTaken { path: "/lock".to_owned(), lease_until })
    };
    let released = || Kind::LockReleased(LockReleased { path: "/lock".to_owned() });
    let table = [
        (vec![], A::Passed, 0),
        (vec![taken()], A::Failed, 1),
        (vec![taken(), released()], A::Passed, 0),
        (vec![taken(), released(), taken()], A::Failed, 1),
    ];
    for (kinds, expected, left) in table {
        let mut all = ResidueListed { items: Vec::new(), kept: Vec::new() };
        let judged = judge_as_scenario("residue", async |_, ctx| {
            for kind in kinds {
                ctx.write(kind);
            }
            lock(ctx, &mut all);
        });
        assert_eq!((judged.status(LOCK), all.items.len()), (expected, left));
    }
}

/// Only what the manifest names is as it wants it.
#[test]
fn an_instance_is_left_or_kept_as_the_manifest_says_of_it() {
    // Of each state: whether it is left, kept, or as wanted, and what the owner can do.
    let (terminate, stop) = (Some("terminate-instances"), Some("stop-instances"));
    let (start, tag) = (Some("start-instances"), Some("create-tags"));
    let (left, kept, wanted) = ("left", "kept", "as wanted");
    let table = [
        (Instances::Terminate, "terminated", true, (wanted, None)),
        (Instances::Terminate, "shutting-down", true, (left, terminate)),
        (Instances::Terminate, "stopped", true, (left, terminate)),
        (Instances::Terminate, "running", true, (left, terminate)),
        (Instances::Stop, "terminated", true, (wanted, None)),
        (Instances::Stop, "stopped", true, (wanted, None)),
        (Instances::Stop, "stopping", true, (left, stop)),
        (Instances::Stop, "pending", true, (left, stop)),
        (Instances::Stop, "running", true, (left, stop)),
        (Instances::Keep, "terminated", true, (left, Some("describe-instances"))),
        (Instances::Keep, "stopped", true, (left, start)),
        (Instances::Keep, "stopping", true, (left, start)),
        (Instances::Keep, "pending", true, (kept, terminate)),
        (Instances::Keep, "running", true, (kept, terminate)),
        (Instances::Keep, "running", false, (left, tag)),
    ];
    judge_as_scenario("residue", async |lab, _| {
        let router = lab.manifest.nodes[&Node::RouterdCloud].instance_id.clone();
        let router = router.expect("an instance");
        for (teardown, state, tagged, expected) in table {
            Rc::make_mut(&mut lab.manifest).teardown.instances = teardown;
            let mut named = example_instance(&router, state);
            if tagged {
                let lab = &lab.manifest.lab;
                named.tags.insert(lab.tag_key.clone(), lab.tag_value.clone());
            }
            let shown = |fate: Fate| match fate {
                Fate::AsWanted => (wanted, None),
                Fate::Kept(item) => (kept, Some(item)),
                Fate::Left(item) => (left, Some(item)),
            };
            let (given, item) = shown(fate(lab, &named));
            assert_eq!(given, expected.0, "{teardown:?} {state}");
            let costs = !matches!(state, "stopped" | "terminated");
            if let Some(item) = item {
                let command = expected.1.expect("a command");
                assert!(item.owner_commands[0].contains(command), "{teardown:?} {item:?}");
                assert_eq!(item.costs_money, costs, "{teardown:?} {state}");
            }
            let (stray, _) = shown(fate(lab, &example_instance("i-stray", state)));
            assert_eq!(stray == left, state != "terminated", "{teardown:?} {state}");
        }
    });
}

fn changed(id: &str, permit: Permit, effect: Effect, outcome: Outcome) -> [Kind; 2] {
    [
        Kind::Intent(Intent {
            id: id.to_owned(),
            scenario: "teardown".to_owned(),
            permit,
            effect,
            undo: None,
        }),
        Kind::Outcome(OutcomeRecorded::of(id, outcome)),
    ]
}

/// A resource that is to be ended and cannot be looked at is left, unless the run saw it end.
#[test]
fn what_nobody_can_look_at_is_left_unless_it_was_seen_to_end() {
    let refused = |code: &str| -> Result<Answer<Vec<Volume>>, ReadError> {
        let (call, message) = ("ec2 DescribeVolumes".to_owned(), "no".to_owned());
        Err(ReadError::Refused { call, code: code.to_owned(), message, raw: Vec::new() })
    };
    let hidden = "UnauthorizedOperation";
    let delete = |id: &str| Effect::Ec2DeleteVolume { volume_id: id.to_owned(), before: json!({}) };
    let done = |permit, outcome| changed("1", permit, delete("vol-1"), outcome).to_vec();
    let other = changed("2", Permit::Undo, delete("vol-2"), Outcome::Done).to_vec();
    let outcome_of_another = [
        changed("1", Permit::Undo, delete("vol-1"), Outcome::Unknown),
        changed("2", Permit::Undo, delete("vol-2"), Outcome::Done),
    ];
    let table = [
        ("InvalidVolume.NotFound", vec![], 1),
        (hidden, vec![], 1),
        (hidden, done(Permit::Undo, Outcome::Done), 0),
        (hidden, done(Permit::Undo, Outcome::NotDone), 1),
        (hidden, done(Permit::Cost, Outcome::Done), 1),
        (hidden, other, 1),
        (hidden, outcome_of_another.concat(), 1),
    ];
    for (code, kinds, left) in table {
        let mut all = ResidueListed { items: Vec::new(), kept: Vec::new() };
        judge_as_scenario("residue", async |lab, ctx| {
            for kind in &kinds {
                ctx.write(kind.clone());
            }
            unseen(lab, ctx, "volume", &refused(code), &["vol-1".to_owned()], &mut all);
        });
        let ids: Vec<_> = all.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, &["vol-1"][..left], "{code} {kinds:?}");
    }
}

#[test]
fn instances_are_to_be_ended_unless_the_manifest_keeps_them() {
    judge_as_scenario("residue", async |lab, _| {
        let ids = ["i-1".to_owned()];
        for (wanted, ended) in
            [(Instances::Terminate, 1), (Instances::Stop, 1), (Instances::Keep, 0)]
        {
            Rc::make_mut(&mut lab.manifest).teardown.instances = wanted;
            assert_eq!(to_be_ended(lab, &ids), &ids[..ended], "{wanted:?}");
        }
    });
}

/// It may have gone with its instance since.
#[test]
fn a_changed_interface_is_left_as_long_as_it_is_there() {
    for (id, left) in [(None, true), (Some("eni-00000000000000bad"), false)] {
        judge_as_scenario("residue", async |lab, ctx| {
            let id = id.unwrap_or(&lab.manifest.capture.network_interface_id).to_owned();
            let item = item(lab, "network interface", &id, "it was changed".to_owned());
            let found = Changed { node: None, item: item.clone() };
            ctx.run.state.borrow_mut().changed = vec![found];
            let expected: Vec<_> = left.then_some(item).into_iter().collect();
            assert_eq!(super::changed(lab, ctx, &BTreeSet::new()).await, expected);
        });
    }
}

/// Changes on an instance go with it; on-prem hosts stay.
#[test]
fn what_was_changed_on_an_instance_is_left_as_long_as_it_is_there() {
    for (node, gone, left) in [
        (Node::RouterdCloud, false, true),
        (Node::RouterdCloud, true, false),
        (Node::OnpremClient, true, true),
    ] {
        judge_as_scenario("residue", async |lab, ctx| {
            let item = item(lab, "node", node.as_str(), "it was changed".to_owned());
            let found = Changed { node: Some(node), item: item.clone() };
            ctx.run.state.borrow_mut().changed = vec![found];
            let router = lab.manifest.nodes[&Node::RouterdCloud].instance_id.clone();
            let ended: BTreeSet<String> = router.into_iter().filter(|_| gone).collect();
            let expected: Vec<_> = left.then_some(item).into_iter().collect();
            assert_eq!(super::changed(lab, ctx, &ended).await, expected, "{node} {gone}");
        });
    }
}

/// Everything that was on an instance is taken to be there as long as nobody says that it is gone; an
/// instance that is not listed is gone only where its end was seen, or long after its last sight.
#[test]
fn an_instance_has_ended_where_ec2_says_so_and_not_where_nobody_can_tell() {
    let listed = |all: &[(&str, &str)]| {
        let value = all.iter().map(|(id, state)| example_instance(id, state)).collect();
        let call = "ec2 DescribeInstances".to_owned();
        Ok(Answer { value, call, raw: Vec::new(), form: Form::Xml, attempts: 1 })
    };
    let refused = || {
        let (call, message) = ("ec2 DescribeInstances".to_owned(), "no".to_owned());
        let code = "RequestLimitExceeded".to_owned();
        Err(ReadError::Refused { call, code, message, raw: Vec::new() })
    };
    // Of i-1 and i-2: how they were seen, minutes ago; how they are listed; which have ended, and
    // which vanished.
    let alive = [("i-1", "running", 0), ("i-2", "running", 0)];
    let long_ago = [("i-1", "running", 121), ("i-2", "running", 0)];
    let ended = [("i-1", "terminated", 1), ("i-2", "running", 0)];
    let table = [
        (alive, listed(&[("i-1", "running"), ("i-2", "stopped")]), vec![], vec![]),
        (alive, listed(&[("i-1", "terminated"), ("i-2", "running")]), vec!["i-1"], vec![]),
        (alive, listed(&[("i-1", "running"), ("i-2", "shutting-down")]), vec!["i-2"], vec![]),
        (alive, listed(&[("i-2", "running")]), vec![], vec!["i-1"]),
        (long_ago, listed(&[("i-2", "running")]), vec!["i-1"], vec![]),
        (ended, listed(&[]), vec!["i-1"], vec!["i-2"]),
        (ended, refused(), vec![], vec![]),
    ];
    for (sights, by_id, expected, vanished) in table {
        judge_as_scenario("residue", async |lab, ctx| {
            for (id, state, minutes) in sights {
                sight::record(lab, ctx, &[example_instance(id, state)], &[], &[]);
                lab.clock.sleep(std::time::Duration::from_mins(minutes)).await;
            }
            let sighted = ctx.journal.with_records(Sighted::of);
            let ids = ["i-1".to_owned(), "i-2".to_owned()];
            let absent = absent(lab, &sighted, &ids, &by_id);
            assert_eq!(absent.ended.iter().collect::<Vec<_>>(), expected, "{by_id:?}");
            assert_eq!(absent.vanished, vanished, "{by_id:?}");
        });
    }
}

//! What is left after a run, and what nobody can tell.

use std::rc::Rc;

use lab::ec2::Volume;
use lab::node::Node;
use reports::record::{
    AssertionStatus as A, Intent, LockReleased, LockTaken, Outcome, OutcomeRecorded, Permit,
};
use reports::redact::Form;

use super::*;
use crate::example::{instance, judged};

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
        let judged = judged("residue", async |_, ctx| {
            for kind in kinds {
                ctx.write(kind);
            }
            lock(ctx, &mut all);
        });
        assert_eq!((judged.status(LOCK), all.items.len()), (expected, left));
    }
}

#[test]
fn only_what_ec2_does_not_know_any_more_is_gone() {
    let refused = |code: &str| {
        let (call, message) = ("ec2 DescribeInstances".to_owned(), "no".to_owned());
        let code = code.to_owned();
        Err(ReadError::Refused { call, code, message, raw: b"<Error/>".to_vec() })
    };
    let gone = gone_is_none(refused("InvalidInstanceID.NotFound")).expect("an answer");
    assert_eq!((gone.value.len(), gone.raw), (0, vec![b"<Error/>".to_vec()]));
    let other = gone_is_none(refused("RequestLimitExceeded")).expect_err("no answer");
    assert_eq!(other.code(), Some("RequestLimitExceeded"));
}

#[test]
fn an_instance_is_left_unless_the_manifest_wants_it_so() {
    // Of each state: whether it is left, and whether it costs money then.
    let table = [
        (Instances::Terminate, "terminated", None),
        (Instances::Terminate, "stopped", Some(false)),
        (Instances::Terminate, "running", Some(true)),
        (Instances::Stop, "terminated", None),
        (Instances::Stop, "stopped", None),
        (Instances::Stop, "running", Some(true)),
        (Instances::Keep, "terminated", None),
        (Instances::Keep, "stopped", Some(false)),
        (Instances::Keep, "running", None),
    ];
    judged("residue", async |lab, _| {
        for (wanted, state, left) in table {
            Rc::make_mut(&mut lab.manifest).teardown.instances = wanted;
            let item = instance_item(lab, &instance("i-1", state));
            assert_eq!(item.map(|it| it.costs_money), left, "{wanted:?} {state}");
        }
    });
}

fn changed(id: &str, permit: Permit, what: &str, outcome: Outcome) -> [Kind; 2] {
    let intent = what.to_owned();
    [
        Kind::Intent(Intent {
            id: intent.clone(),
            scenario: "teardown".to_owned(),
            permit,
            what: what.to_owned(),
            resource: id.to_owned(),
            request: json!({}),
            undo: None,
        }),
        Kind::Outcome(OutcomeRecorded {
            intent,
            outcome,
            detail: String::new(),
            samples: Vec::new(),
        }),
    ]
}

/// What is to be ended and cannot be looked at is left, unless the run saw it end.
#[test]
fn what_nobody_can_look_at_is_left_unless_it_was_seen_to_end() {
    let refused = |code: &str| -> Result<Answer<Vec<Volume>>, ReadError> {
        let (call, message) = ("ec2 DescribeVolumes".to_owned(), "no".to_owned());
        Err(ReadError::Refused { call, code: code.to_owned(), message, raw: Vec::new() })
    };
    let hidden = "UnauthorizedOperation";
    let done = |permit, outcome| changed("vol-1", permit, "ec2 DeleteVolume", outcome).to_vec();
    let other = changed("vol-2", Permit::Undo, "ec2 DeleteVolume", Outcome::Done).to_vec();
    let outcome_of_another = [
        changed("vol-1", Permit::Undo, "one", Outcome::Unknown),
        changed("vol-2", Permit::Undo, "two", Outcome::Done),
    ];
    let table = [
        ("InvalidVolume.NotFound", vec![], 0),
        (hidden, vec![], 1),
        (hidden, done(Permit::Undo, Outcome::Done), 0),
        (hidden, done(Permit::Undo, Outcome::NotDone), 1),
        (hidden, done(Permit::Cost, Outcome::Done), 1),
        (hidden, other, 1),
        (hidden, outcome_of_another.concat(), 1),
    ];
    for (code, kinds, left) in table {
        let mut all = ResidueListed { items: Vec::new(), kept: Vec::new() };
        judged("residue", async |lab, ctx| {
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
    judged("residue", async |lab, _| {
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
        judged("residue", async |lab, ctx| {
            let id = id.unwrap_or(&lab.manifest.capture.network_interface_id).to_owned();
            let item = item(lab, "network interface", &id, "it was changed".to_owned());
            let found = Changed { node: None, item: item.clone() };
            ctx.run.state.borrow_mut().changed = vec![found];
            let expected: Vec<_> = left.then_some(item).into_iter().collect();
            assert_eq!(super::changed(lab, ctx, &BTreeSet::new()).await, expected);
        });
    }
}

/// What was on an instance goes with it; on-prem hosts stay.
#[test]
fn what_was_changed_on_an_instance_is_left_as_long_as_it_is_there() {
    for (node, gone, left) in [
        (Node::RouterdCloud, false, true),
        (Node::RouterdCloud, true, false),
        (Node::OnpremClient, true, true),
    ] {
        judged("residue", async |lab, ctx| {
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

/// What was on it is taken to be there as long as nobody says that it is gone.
#[test]
fn an_instance_has_ended_where_ec2_says_so_and_not_where_nobody_can_tell() {
    let seen = |all: &[(&str, &str)]| {
        let value = all.iter().map(|(id, state)| instance(id, state)).collect();
        let call = "ec2 DescribeInstances".to_owned();
        Ok(Answer { value, call, raw: Vec::new(), form: Form::Xml, attempts: 1 })
    };
    let refused = |code: &str| {
        let (call, message) = ("ec2 DescribeInstances".to_owned(), "no".to_owned());
        Err(ReadError::Refused { call, code: code.to_owned(), message, raw: Vec::new() })
    };
    let table = [
        (seen(&[("i-1", "running"), ("i-2", "stopped")]), vec![]),
        (seen(&[("i-1", "terminated"), ("i-2", "running")]), vec!["i-1"]),
        (seen(&[("i-1", "running"), ("i-2", "shutting-down")]), vec!["i-2"]),
        (seen(&[("i-2", "running")]), vec!["i-1"]),
        (seen(&[]), vec!["i-1", "i-2"]),
        (refused("InvalidInstanceID.NotFound"), vec!["i-1", "i-2"]),
        (refused("RequestLimitExceeded"), vec![]),
    ];
    for (by_id, expected) in table {
        let by_id = gone_is_none(by_id);
        let given = ended(&["i-1".to_owned(), "i-2".to_owned()], &by_id);
        assert_eq!(given.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{by_id:?}");
    }
}

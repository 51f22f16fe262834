//! Tests of what of a scenario gets into the journal, and what becomes of it.

use reports::record::{Class, Record};
use reports::redact::Form;
use serde_json::json;

use super::*;
use crate::example::{self, Judged};
use crate::sequence::Leg;

/// A scenario with two assertions.
static ASKED: Scenario = Scenario {
    name: "asked",
    section: "§7",
    question: "Is it asked?",
    class: Class::ReadOnly,
    needs: &[],
    leg: Leg::Acceptance,
    duty: None,
    asserts: &["asked.one", "asked.two"],
    not_applicable: &["nothing to ask"],
    run: |_, _| Box::pin(std::future::ready(())),
};

/// Runs `body` as that scenario; answers how it finished and the journal.
fn asked(body: impl FnOnce(&mut Context<'_>)) -> (Finished, Vec<Record>) {
    let Judged { finished, records } = example::judged_as(&ASKED, async |_, ctx| body(ctx));
    (finished, records)
}

fn pass(ctx: &mut Context<'_>, id: &'static str) {
    assert!(ctx.check(id).expects(json!(1)).seen(How::default()).is(json!(1)));
}

fn fail(ctx: &mut Context<'_>, id: &'static str) {
    assert!(!ctx.check(id).expects(json!(1)).seen(How::default()).is(json!(2)));
}

fn answer(call: &str, pages: usize, attempts: u32) -> Answer<()> {
    let raw = vec![b"raw".to_vec(); pages];
    Answer { value: (), call: call.to_owned(), raw, form: Form::Text, attempts }
}

type ScenarioBody = fn(&mut Context<'_>);

#[test]
fn what_a_scenario_comes_to() {
    use ScenarioStatus as S;
    let table: [(&str, ScenarioBody, S, Option<&str>); 8] = [
        ("both hold", |c| ASKED.asserts.iter().for_each(|id| pass(c, id)), S::Passed, None),
        (
            "one fails: the other need not be judged",
            |c| fail(c, "asked.one"),
            S::Failed,
            Some("expected 1, observed 2"),
        ),
        ("one was left out", |c| pass(c, "asked.one"), S::Unknown, Some("not judged")),
        (
            "one is unknown",
            |c| {
                pass(c, "asked.one");
                c.check("asked.two").expects(json!(1)).seen(How::default()).unknown("no answer");
            },
            S::Unknown,
            Some("no answer"),
        ),
        (
            "a failure is said before what is unknown",
            |c| {
                c.check("asked.one").expects(json!(1)).seen(How::default()).unknown("no answer");
                fail(c, "asked.two");
            },
            S::Failed,
            Some("expected 1, observed 2"),
        ),
        (
            "not applicable",
            |c| c.not_applicable("nothing to ask"),
            S::NotApplicable,
            Some("nothing to ask"),
        ),
        ("unavailable", |c| c.unavailable("held", None), S::Skipped, Some("held")),
        (
            "a stop that trips fails it",
            |c| {
                ASKED.asserts.iter().for_each(|id| pass(c, id));
                assert!(c.stop(&stops::POLICY, Some("wide".to_owned()), "policy"));
            },
            S::Failed,
            None,
        ),
    ];
    for (what, body, status, reason) in table {
        let (finished, records) = asked(body);
        assert_eq!((finished.status, finished.reason.as_deref()), (status, reason), "{what}");
        let Some(Kind::ScenarioFinished(recorded)) = records.last().map(|it| &it.kind) else {
            panic!("{what}: its end is the last record");
        };
        assert_eq!((recorded.status, &recorded.reason), (status, &finished.reason), "{what}");
    }
}

#[test]
fn complaints_say_which_assertion_and_why() {
    let (finished, _) = asked(|ctx| {
        fail(ctx, "asked.one");
        ctx.check("asked.two").expects(json!(1)).seen(How::default()).unknown("no answer");
    });
    let expected = ["asked.one failed: expected 1, observed 2", "asked.two unknown: no answer"];
    assert_eq!(finished.complaints, expected);
}

#[test]
fn a_scenario_holds_while_nothing_failed_or_is_unknown() {
    asked(|ctx| {
        assert!(ctx.holds() && !ctx.failed());
        ctx.check("asked.one").expects(json!(1)).seen(How::default()).unknown("no answer");
        assert!(!ctx.holds() && !ctx.failed());
        fail(ctx, "asked.two");
        assert!(!ctx.holds() && ctx.failed());
    });
}

/// Every page of EC2 and every command of a node counts; more attempts than pages are repetitions.
#[test]
fn what_was_asked_is_counted_and_kept() {
    let (_, records) = asked(|ctx| {
        let seen = ctx.seen(&answer("ec2 DescribeInstances", 2, 2));
        assert_eq!((seen.how.as_str(), seen.raw.len()), ("ec2 DescribeInstances", 2));
        ctx.seen(&answer("ec2 DescribeVolumes", 0, 1));
        ctx.seen(&answer("cloud-client$ hostname", 1, 1));
        ctx.seen(&answer("cloud-client$ date", 1, 3));
    });
    let calls = records.iter().find_map(|it| match &it.kind {
        Kind::ScenarioFinished(it) => Some((it.calls.ec2, it.calls.node)),
        _ => None,
    });
    assert_eq!(calls, Some((3, 2)));
    let repeated = records.iter().filter_map(|it| match &it.kind {
        Kind::Retried(it) => Some((it.call.as_str(), it.attempts)),
        _ => None,
    });
    assert_eq!(repeated.collect::<Vec<_>>(), [("cloud-client$ date", 3)]);
    let kept = records.iter().filter(|it| matches!(it.kind, Kind::AttachmentStored(_))).count();
    assert!(kept > 0, "the raw answers are kept");
}

#[test]
fn two_ways_of_seeing_are_named_in_order_and_a_raw_answer_once() {
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    let how = |how: &str, raw: &[&Digest]| How {
        how: how.to_owned(),
        raw: raw.iter().map(|it| (*it).clone()).collect(),
    };
    let table = [
        (how("a", &[&one]), how("b", &[&one, &other]), "a; b", 2),
        (how("", &[]), how("b", &[&other]), "b", 1),
        (how("a", &[&one]), how("", &[]), "a", 1),
        (how("", &[]), how("", &[]), "", 0),
    ];
    for (first, second, words, raw) in table {
        let both = first.and(second);
        assert_eq!((both.how.as_str(), both.raw.len()), (words, raw));
    }
}

/// A signal between two scenarios is no failure of the lab's; a journal that refuses is.
#[test]
fn a_mutation_that_was_not_tried_fails_unless_the_run_was_told_to_stop() {
    let table = [
        (PermitRefused::ToldToStop, ScenarioStatus::Skipped, AssertionStatus::Skipped),
        (PermitRefused::RunEnded, ScenarioStatus::Failed, AssertionStatus::Failed),
    ];
    for (refused, status, assertion) in table {
        let why = refused.to_string();
        let (finished, journal) = asked(|context| {
            let error = NotTried::Refused(refused);
            context.not_tried("asked.one", json!("done"), How::words("the permit"), &error);
        });
        assert_eq!(finished.status, status, "{why}");
        assert!(finished.reason.is_some_and(|reason| reason.contains(&why)), "{why}");
        let made = journal.iter().find_map(|record| match &record.kind {
            Kind::AssertionMade(made) if made.id == "asked.one" => Some(made.status),
            _ => None,
        });
        assert_eq!(made, Some(assertion), "{why}");
    }
}

/// A read without an answer was asked too, and how it failed is how it was seen.
#[test]
fn what_was_not_answered_is_counted_and_named() {
    let (_, records) = asked(|ctx| {
        let (call, why) = ("ec2 DescribeVolumes".to_owned(), "no route".to_owned());
        let unread = ReadError::Unreachable { call, why };
        let silent = example::example_silence().expect_err("nobody answered");
        for _ in 0..2 {
            assert_eq!(ctx.seen_error(&unread).how, "ec2 DescribeVolumes got no answer: no route");
        }
        for _ in 0..3 {
            assert_eq!(ctx.seen_shell_error(&silent).how, silent.to_string());
        }
    });
    let Some(Kind::ScenarioFinished(finished)) = records.last().map(|it| &it.kind) else {
        panic!("its end is the last record");
    };
    assert_eq!((finished.calls.ec2, finished.calls.node), (2, 3));
}

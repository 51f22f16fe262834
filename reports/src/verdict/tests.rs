//! Each rule by itself, and every pair of causes against the precedence.

use serde_json::json;

use super::*;
use crate::record::{
    AssertionStatus, Duty, HarnessBroke, InstancesFound, Interrupted, JournalLost, Kind, LabGone,
    LabUnavailable, Outcome, Part, Permit, Record, RecoveryStarted, RunFinished, ScenarioStatus,
    StopTripped, Verdict,
};
use crate::sample::{self, Sample};

fn judged(records: &[Record]) -> (Verdict, u8) {
    let judgement = judge_journal(records);
    (judgement.verdict, judgement.exit_code)
}

/// The sample run with something changed before its end.
fn run_with(change: impl FnOnce(&mut Sample)) -> Vec<Record> {
    let mut sample = sample::whole_run();
    change(&mut sample);
    sample.records_with_end()
}

type SampleEdit = fn(&mut Sample);

/// One cause for each exit code that a run can end with, besides 0.
const CAUSES: [(ExitCode, Verdict, SampleEdit); 10] = [
    (ExitCode::Bug, Verdict::Bug, |run| {
        run.push(Kind::HarnessBroke(HarnessBroke { message: "index out of bounds".into() }));
    }),
    (ExitCode::Residue, Verdict::Residue, |run| run.push(sample::listed_residue("i-0a"))),
    (ExitCode::Unknown, Verdict::Unknown, |run| {
        run.assert("ping", "ping.answers", AssertionStatus::Unknown);
    }),
    (ExitCode::Unknown, Verdict::Unknown, |run| {
        run.push(Kind::JournalLost(JournalLost { why: "it was removed".into() }));
    }),
    (ExitCode::Stopped, Verdict::Stopped, |run| run.push(tripped(5))),
    (ExitCode::Fail, Verdict::Fail, |run| {
        run.assert("ping", "ping.answers", AssertionStatus::Failed);
    }),
    (ExitCode::Interrupted, Verdict::Interrupted, |run| run.push(signal("SIGINT"))),
    (ExitCode::Terminated, Verdict::Interrupted, |run| run.push(signal("SIGTERM"))),
    (ExitCode::Unavailable, Verdict::Unavailable, |run| run.push(locked())),
    (ExitCode::Partial, Verdict::Partial, |run| run.filter("ping")),
];

fn tripped(stop: u8) -> Kind {
    Kind::StopTripped(StopTripped {
        stop,
        detector: "a-detector".into(),
        scenario: "execute".into(),
        reason: "seen".into(),
        resource: "eni-0a".into(),
    })
}

fn locked() -> Kind {
    let reason = "locked".to_owned();
    Kind::LabUnavailable(LabUnavailable { reason, held_by: Some("run-2".into()) })
}

fn signal(signal: &str) -> Kind {
    Kind::Interrupted(Interrupted { signal: signal.into() })
}

#[test]
fn a_whole_run_passes_without_a_reason() {
    let judgement = judge_journal(&sample::whole_run().records_with_end());
    let pass = Judgement { verdict: Verdict::Pass, exit_code: 0, reasons: vec![] };
    assert_eq!(judgement, pass);
    assert_eq!(judge_ending(&sample::whole_run().records()), pass, "also just before its end");
}

#[test]
fn each_cause_alone_gives_its_verdict_and_a_reason() {
    for (code, verdict, change) in CAUSES {
        let judgement = judge_journal(&run_with(change));
        assert_eq!((judgement.verdict, judgement.exit_code), (verdict, code.number()));
        assert!(!judgement.reasons.is_empty(), "{code:?}");
    }
}

#[test]
fn of_every_two_causes_the_first_in_precedence_wins_and_both_are_said() {
    let rank = |code: &ExitCode| PRECEDENCE.iter().position(|it| it == code);
    for (one, _, first) in CAUSES {
        for (two, _, second) in CAUSES {
            // Two signals are a cause of their own, and one assertion has one status.
            let signals = [ExitCode::Interrupted, ExitCode::Terminated];
            let statuses = [ExitCode::Unknown, ExitCode::Fail];
            let together = |of: [ExitCode; 2]| of.contains(&one) && of.contains(&two);
            if one == two || together(signals) || together(statuses) {
                continue;
            }
            let judgement = judge_journal(&run_with(|run| {
                first(run);
                second(run);
            }));
            let winner = [one, two].into_iter().min_by_key(rank).expect("two");
            assert_eq!(judgement.exit_code, winner.number(), "{one:?} and {two:?}");
            let alone =
                judge_journal(&run_with(if winner == one { first } else { second })).reasons;
            assert_eq!(judgement.reasons.len(), 2, "{one:?} and {two:?}");
            assert_eq!(judgement.reasons[..1], alone, "the winner's first: {one:?} and {two:?}");
        }
    }
}

#[test]
fn rules_one_by_one() {
    use AssertionStatus as A;
    use ScenarioStatus as S;
    use Verdict as V;
    let table: [(&str, (V, u8), SampleEdit); 31] = [
        ("restored failed, and nothing is listed", (V::Unknown, 5), |r| {
            r.assert("restored", "restored.eni", A::Failed);
        }),
        ("restored failed, something is left", (V::Residue, 6), |r| {
            r.assert("restored", "restored.eni", A::Failed);
            r.push(sample::listed_residue("eni-0a"));
        }),
        ("residue failed alone", (V::Fail, 1), |r| r.finish("residue", S::Failed)),
        ("restored unknown", (V::Unknown, 5), |r| r.assert("restored", "restored.eni", A::Unknown)),
        ("restored not run", (V::Unknown, 5), |r| r.unfinish("restored")),
        ("residue not run", (V::Unknown, 5), |r| r.unfinish("residue")),
        ("residue skipped", (V::Unknown, 5), |r| r.finish("residue", S::Skipped)),
        ("residue not applicable", (V::Pass, 0), |r| r.finish("residue", S::NotApplicable)),
        ("nobody restores", (V::Unknown, 5), |r| r.relieve(Duty::Restores)),
        ("nobody accounts", (V::Unknown, 5), |r| r.relieve(Duty::Accounts)),
        ("residue gone in the end", (V::Pass, 0), |r| {
            r.push(sample::listed_residue("i-0a"));
            r.push(sample::no_residue());
        }),
        ("unknown outcome", (V::Unknown, 5), |r| r.outcome("seize", Outcome::Unknown)),
        ("unknown, then settled", (V::Pass, 0), |r| {
            r.outcome("seize", Outcome::Unknown);
            r.outcome("seize", Outcome::Done);
        }),
        ("not done", (V::Pass, 0), |r| r.outcome("seize", Outcome::NotDone)),
        ("an intent alone", (V::Unknown, 5), |r| {
            r.intent("again", Permit::Undo, "routerctl action rollback");
        }),
        ("nobody knows of a switch", (V::Unknown, 5), |r| {
            r.intent("arm", Permit::Cost, "arm the dead man's switch");
            r.outcome("arm", Outcome::Unknown);
        }),
        ("it went with its instance", (V::Pass, 0), |r| {
            r.intent("arm", Permit::Cost, "arm the dead man's switch");
            r.outcome("arm", Outcome::Unknown);
            r.intent("stop", Permit::Cost, "ec2 StopInstances");
            r.outcome("stop", Outcome::Done);
        }),
        ("stop 7 parks", (V::Pass, 0), |r| r.push(tripped(7))),
        ("a refused go", (V::Stopped, 4), |r| r.push(sample::refused_go())),
        ("refused, then verified", (V::Pass, 0), |r| {
            r.push(sample::refused_go());
            r.push(sample::verified_go());
        }),
        ("a scenario failed", (V::Fail, 1), |r| r.finish("ping", S::Failed)),
        ("a scenario is unknown", (V::Unknown, 5), |r| r.finish("ping", S::Unknown)),
        ("a scenario was skipped", (V::Partial, 7), |r| r.finish("ping", S::Skipped)),
        ("a scenario did not run", (V::Unknown, 5), |r| r.finish("ping", S::NotRun)),
        ("a scenario did not end", (V::Unknown, 5), |r| r.start("ping")),
        ("nothing asserted", (V::Unknown, 5), |r| {
            r.start("ping");
            r.finish("ping", S::Passed);
        }),
        ("failed, then repeated", (V::Pass, 0), |r| {
            r.assert("ping", "ping.answers", A::Failed);
            r.start("ping");
            r.assert("ping", "ping.answers", A::Passed);
            r.finish("ping", S::Passed);
        }),
        ("an excluded one failed", (V::Partial, 7), |r| {
            r.filter("restored");
            r.part("ping", Part::Excluded);
            r.finish("ping", S::Failed);
        }),
        ("a second signal", (V::Unknown, 5), |r| {
            r.push(signal("SIGINT"));
            r.push(signal("SIGINT"));
        }),
        ("its lab is gone", (V::Interrupted, 130), |r| {
            r.intent("again", Permit::Undo, "routerctl action rollback");
            r.unfinish("restored");
            r.push(Kind::RecoveryStarted(RecoveryStarted { why: "its lab is gone".into() }));
            r.push(Kind::LabGone(LabGone { proof: "nobody holds it".into() }));
        }),
        ("recovered", (V::Interrupted, 130), |r| {
            r.push(Kind::RecoveryStarted(RecoveryStarted { why: "the run was dead".into() }));
        }),
    ];
    for (what, expected, change) in table {
        let records = run_with(change);
        assert_eq!(judged(&records), expected, "{what}: {:?}", judge_journal(&records).reasons);
    }
}

#[test]
fn a_run_that_awaits_its_go_is_pending_and_no_signal_interrupts_it() {
    use Verdict as V;
    type Case = (&'static str, (V, u8), Option<&'static str>, SampleEdit);
    let awaited = Some("the owner's go is awaited");
    let parked = Some("the owner's go is awaited, the instances are stopped");
    let table: [Case; 19] = [
        ("awaiting", (V::AwaitingGo, 3), awaited, |_| {}),
        ("a signal", (V::AwaitingGo, 3), awaited, |r| r.push(signal("SIGTERM"))),
        ("parked", (V::Parked, 3), parked, |r| {
            r.push(tripped(7));
            r.intent("stop", Permit::Cost, "ec2 StopInstances");
            r.outcome("stop", Outcome::Done);
        }),
        ("started again", (V::AwaitingGo, 3), awaited, |r| {
            for (id, what) in [("stop", "ec2 StopInstances"), ("start", "ec2 StartInstances")] {
                r.intent(id, Permit::Cost, what);
                r.outcome(id, Outcome::Done);
            }
        }),
        ("a switch is armed", (V::AwaitingGo, 3), awaited, |r| {
            r.intent("arm", Permit::Cost, "arm the dead man's switch");
            r.outcome("arm", Outcome::Done);
        }),
        ("the switch had its way", (V::Parked, 3), parked, |r| {
            r.intent("arm", Permit::Cost, "arm the dead man's switch");
            r.outcome("arm", Outcome::Done);
            r.push(Kind::InstancesFound(InstancesFound {
                costing: Vec::new(),
                types: std::collections::BTreeMap::new(),
            }));
        }),
        ("cannot park", (V::Residue, 6), awaited, |r| {
            r.push(tripped(7));
            r.push(sample::listed_residue("i-0a"));
        }),
        ("verified", (V::Interrupted, 130), None, |r| r.push(sample::verified_go())),
        ("refused", (V::Stopped, 4), None, |r| r.push(sample::refused_go())),
        ("something was done", (V::Unknown, 5), None, |r| {
            r.intent("import", Permit::Forward, "routerctl action import");
            r.outcome("import", Outcome::Done);
        }),
        ("stopped", (V::Stopped, 4), None, |r| r.push(tripped(8))),
        ("it cannot be used now", (V::Unavailable, 8), awaited, |r| r.push(locked())),
        ("it was tried again", (V::AwaitingGo, 3), awaited, |r| {
            r.push(locked());
            r.scenario("undo-plan", "undo-plan.complete");
        }),
        ("its recovery cannot be begun", (V::Unavailable, 8), None, |r| {
            r.push(tripped(8));
            r.push(Kind::RecoveryStarted(RecoveryStarted { why: "it died".into() }));
            r.push(locked());
        }),
        ("it cannot be stopped either", (V::Residue, 6), awaited, |r| {
            r.push(sample::listed_residue("i-0a"));
            r.push(locked());
        }),
        ("preflight goes on", (V::Interrupted, 130), None, |r| r.unfinish("preflight")),
        ("undo-plan goes on", (V::Interrupted, 130), None, |r| r.unfinish("undo-plan")),
        ("nobody decides", (V::Interrupted, 130), None, |r| r.relieve(Duty::Decides)),
        ("closed by its owner", (V::Interrupted, 130), None, |r| {
            r.push(Kind::RecoveryStarted(RecoveryStarted { why: "the owner says no".into() }));
        }),
    ];
    for (what, expected, awaits, change) in table {
        let mut sample = sample::pending_run();
        change(&mut sample);
        let judgement = judge_journal(&sample.records());
        assert_eq!((judgement.verdict, judgement.exit_code), expected, "{what}");
        let said = judgement.reasons.iter().find(|reason| reason.contains("awaited"));
        assert_eq!(said.map(String::as_str), awaits, "{what}");
        let died = judgement.reasons.iter().any(|reason| reason.contains("or it died"));
        assert!(!died || what != "refused", "another go may come: {:?}", judgement.reasons);
    }
}

/// A scenario that passed does not say that the record is there which the owner decides on.
#[test]
fn no_go_is_awaited_where_half_of_what_it_would_grant_is_missing() {
    type Case = (&'static str, fn(&Kind) -> bool);
    let table: [Case; 2] = [
        ("the facts", |kind| matches!(kind, Kind::FactsRecorded(_))),
        ("the undo's plan", |kind| matches!(kind, Kind::UndoPlanned(_))),
    ];
    for (what, missing) in table {
        let mut records = sample::pending_run().records();
        records.retain(|record| !missing(&record.kind));
        assert_eq!(judged(&records), (Verdict::Interrupted, 130), "without {what}");
    }
}

/// The reasons that the owner reads are as right as the code.
#[test]
fn a_reason_says_what_happened() {
    let table: [(&str, SampleEdit); 6] = [
        (
            "instance i-0a is left: it is running; to settle it: \
             aws ec2 stop-instances --instance-ids i-0a",
            |r| r.push(sample::listed_residue("i-0a")),
        ),
        ("ping: ping.answers failed: look at the route", |r| {
            r.assert("ping", "ping.answers", AssertionStatus::Failed);
        }),
        ("ping: ping.answers is unknown: look at the route", |r| {
            r.assert("ping", "ping.answers", AssertionStatus::Unknown);
        }),
        ("ping did not end, and nothing says why", |r| r.start("ping")),
        ("ping did not run, and nothing says why", |r| r.finish("ping", ScenarioStatus::NotRun)),
        ("locked (held by run-2)", |r| r.push(locked())),
    ];
    for (reason, change) in table {
        assert_eq!(judge_journal(&run_with(change)).reasons, [reason]);
    }
    let nothing_but_a_start = judge_ending(&sample::whole_run().records()[..1]).reasons;
    let names = ["preflight", "undo-plan", "execute", "ping", "restored", "residue"];
    let expected = names.map(|name| format!("{name} did not run, and nothing says why"));
    assert_eq!(nothing_but_a_start, expected);
}

#[test]
fn a_journal_without_an_end_is_never_a_pass() {
    let records = sample::whole_run().records_with_end();
    for cut in 0..records.len() {
        let judgement = judge_journal(&records[..cut]);
        assert_ne!(judgement.verdict, Verdict::Pass, "{cut} records");
        assert!(!judgement.reasons.is_empty(), "{cut} records");
    }
    let died = judge_journal(&sample::whole_run().records());
    assert_eq!((died.verdict, died.exit_code), (Verdict::Interrupted, 130));
}

#[test]
fn what_the_end_record_says_is_no_evidence() {
    let mut sample = sample::whole_run();
    sample.assert("ping", "ping.answers", AssertionStatus::Failed);
    let (verdict, exit_code, reasons) = (Verdict::Pass, 0, vec![]);
    sample.push(Kind::RunFinished(RunFinished { verdict, exit_code, reasons }));
    assert_eq!(judged(&sample.records()), (Verdict::Fail, 1));
}

/// The state that a second signal left open is known once somebody has recovered the run.
#[test]
fn a_run_that_was_ended_at_once_is_settled_by_its_recovery() {
    let twice = |run: &mut Sample| {
        run.push(signal("SIGINT"));
        run.push(signal("SIGINT"));
    };
    assert_eq!(judged(&run_with(twice)), (Verdict::Unknown, 5));
    let recovered = run_with(|run| {
        twice(run);
        run.push(Kind::RecoveryStarted(RecoveryStarted { why: "it died".into() }));
    });
    assert_eq!(judged(&recovered), (Verdict::Interrupted, 130));
}

#[test]
fn recover_answers_whether_the_lab_is_restored() {
    for (code, _, change) in CAUSES {
        let judgement = judge_journal(&run_with(change));
        let expected = match code.number() {
            number @ (5 | 6 | 8 | 70) => number,
            _ => 0,
        };
        assert_eq!(judgement.recover_exit_code(), expected, "{code:?}");
    }
}

#[test]
fn exit_codes_are_one_table() {
    for code in ExitCode::ALL {
        assert_eq!(ExitCode::from_number(code.number()), Some(code));
    }
    for verdict in [Verdict::Pass, Verdict::AwaitingGo, Verdict::Parked, Verdict::Interrupted] {
        assert_eq!(json!(verdict), json!(verdict.word()));
    }
    assert_eq!(ExitCode::from_number(10), None);
    let text = exit_codes_markdown();
    assert!(text.contains("| 3 | `awaiting-go`, `parked` | resume later |\n"), "{text}");
    assert!(text.contains("the first of: 70, 6, 5, 4, 1, 130, 143, 8, 3, 7, 0."), "{text}");
}

#[test]
fn a_limit_that_passed_is_as_sigterm_and_says_its_name() {
    let mut run = sample::whole_run();
    run.push(signal("timeout"));
    let judged = judge_ending(&run.records());
    assert_eq!((judged.verdict, judged.exit_code), (Verdict::Interrupted, 143));
    assert_eq!(judged.reasons, ["interrupted by timeout"]);
}

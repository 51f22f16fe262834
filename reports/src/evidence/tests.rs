//! Evidence of a small run, of every prefix of it, and of runs that went wrong.

use serde_json::json;

use super::*;
use crate::journal::read_chain;
use crate::record::{
    Interrupted, Kind, Record, RecoveryStarted, RunFinished, StopTripped, Verdict,
};
use crate::sample::{self, Sample};

fn bytes_of(records: &[Record]) -> Vec<u8> {
    let lines = records.iter().map(|record| serde_json::to_string(record).expect("JSON") + "\n");
    lines.collect::<String>().into_bytes()
}

fn evidence_of(records: &[Record]) -> Evidence {
    let chain = read_chain(&bytes_of(records)).expect("the sample's chain holds");
    fold_records(&chain.records, &chain.head)
}

fn of(change: impl FnOnce(&mut Sample)) -> Evidence {
    let mut sample = sample::whole_run();
    change(&mut sample);
    evidence_of(&sample.records())
}

#[test]
fn a_small_run_makes_this_evidence() {
    let evidence = evidence_of(&sample::whole_run().records_with_end());
    insta::assert_snapshot!(evidence.to_json().expect("JSON"));
}

#[test]
fn every_prefix_of_a_journal_folds_to_evidence_that_rounds_nothing_up() {
    let bytes = bytes_of(&sample::whole_run().records_with_end());
    let newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let ends: Vec<_> = newlines.collect();
    // Killed in the middle of each line, before its newline, after it.
    let cuts = ends.iter().flat_map(|end| [end.saturating_sub(40), *end, end + 1]);
    for cut in cuts.chain([0]) {
        let chain = read_chain(&bytes[..cut]).expect("a torn line is set aside");
        let evidence = fold_records(&chain.records, &chain.head);
        let text = evidence.to_json().expect("JSON");
        assert_eq!(serde_json::from_str::<Evidence>(&text).expect("strictly read"), evidence);
        assert_eq!(evidence.journal.records, chain.records.len() as u64);
        let ended = cut == bytes.len();
        assert_eq!(evidence.verdict.verdict == Verdict::Pass, ended, "cut at {cut}");
        assert_eq!(evidence.run.is_some(), !chain.records.is_empty());
        scenarios_are_honest(&evidence, &chain.records);
        mutations_are_honest(&evidence);
    }
}

fn scenarios_are_honest(evidence: &Evidence, records: &[Record]) {
    for scenario in &evidence.scenarios {
        let name = scenario.name.as_str();
        let count = |wanted: fn(&Kind) -> Option<&str>| {
            records.iter().filter(|record| wanted(&record.kind) == Some(name)).count()
        };
        let started = count(|kind| match kind {
            Kind::ScenarioStarted(it) => Some(&it.scenario),
            _ => None,
        });
        let finished = count(|kind| match kind {
            Kind::ScenarioFinished(it) => Some(&it.scenario),
            _ => None,
        });
        let expected = match (started, finished) {
            (0, _) => ScenarioStatus::NotRun,
            (_, 0) => ScenarioStatus::Unknown,
            _ => ScenarioStatus::Passed,
        };
        assert_eq!(scenario.status, expected, "{name}");
        assert_eq!(scenario.reason.is_some(), expected != ScenarioStatus::Passed, "{name}");
        assert_eq!(scenario.duration_ms.is_some(), expected == ScenarioStatus::Passed, "{name}");
    }
}

fn mutations_are_honest(evidence: &Evidence) {
    for mutation in &evidence.mutations {
        let known = mutation.outcome_at.is_some();
        assert_eq!(mutation.outcome == Outcome::Unknown, !known, "{}", mutation.id);
    }
}

#[test]
fn a_mutation_shows_what_became_of_its_undo() {
    let find = |evidence: &Evidence, id: &str| {
        let found = evidence.mutations.iter().find(|it| it.id == id);
        found.map(|it| (it.outcome, it.undone)).expect("recorded")
    };
    let whole = of(|_| {});
    assert_eq!(find(&whole, "seize"), (Outcome::Done, Some(Outcome::Done)));
    assert_eq!(find(&whole, "undo-seize"), (Outcome::Done, None));
    let lost = of(|run| run.outcome("undo-seize", Outcome::Unknown));
    assert_eq!(find(&lost, "seize"), (Outcome::Done, Some(Outcome::Unknown)));
    let again = of(|run| {
        run.intent(
            "again",
            crate::record::Permit::Undo,
            "/opt/executor with the baseline's prior value",
        );
        run.outcome("again", Outcome::NotDone);
    });
    assert_eq!(find(&again, "seize").1, Some(Outcome::Done), "an earlier try did it");
    let before = sample::whole_run().records();
    let at = before.iter().position(|it| matches!(it.kind, Kind::Intent(_))).expect("one");
    assert_eq!(find(&evidence_of(&before[..=at]), "seize"), (Outcome::Unknown, None));
}

#[test]
fn hard_stops_say_how_often_they_were_checked_and_when_they_tripped() {
    let evidence = of(|run| {
        run.push(Kind::StopTripped(StopTripped {
            stop: 2,
            detector: "foreign-address-on-eni".into(),
            scenario: "execute".into(),
            reason: "10.88.60.77 is on it".into(),
            resource: "eni-0a".into(),
        }));
    });
    assert_eq!(evidence.hard_stops.len(), 8);
    let two = &evidence.hard_stops[1];
    assert_eq!((two.number, two.armed, two.checks), (2, true, 1));
    assert_eq!(two.detectors[0].name, "foreign-address-on-eni");
    assert_eq!(two.tripped[0].resource, "eni-0a");
    let seven = &evidence.hard_stops[6];
    assert_eq!((seven.armed, seven.checks), (false, 0));
    assert_eq!(seven.reason.as_deref(), Some("--leave-running"));
}

#[test]
fn the_gate_says_how_far_the_go_came() {
    let pending = evidence_of(&sample::pending_run().records());
    assert_eq!(pending.gate.status, GateStatus::Awaiting);
    assert_eq!(pending.verdict.verdict, Verdict::AwaitingGo);
    let execute = pending.scenarios.iter().find(|it| it.name == "execute").expect("declared");
    assert_eq!(execute.reason.as_deref(), Some("the owner's go is awaited"));
    let mut run = sample::pending_run();
    run.push(sample::refused_go());
    assert_eq!(evidence_of(&run.records()).gate.status, GateStatus::Refused);
    run.push(sample::verified_go());
    let verified = evidence_of(&run.records()).gate;
    assert_eq!((verified.status, verified.self_granted), (GateStatus::Verified, true));
    assert_eq!(verified.refused, None);
    assert_eq!(of(|_| {}).gate.status, GateStatus::Burnt);
}

#[test]
fn the_end_record_is_quoted_and_an_interrupted_run_is_judged() {
    let (verdict, exit_code) = (Verdict::Fail, 1);
    let reasons = vec!["as it was judged then".to_owned()];
    let finished = RunFinished { verdict, exit_code, reasons: reasons.clone() };
    let quoted = of(|run| run.push(Kind::RunFinished(finished)));
    assert_eq!(quoted.verdict.reasons, reasons);
    let cut = of(|run| {
        run.push(Kind::Interrupted(Interrupted { signal: "SIGTERM".into() }));
        run.push(Kind::RecoveryStarted(RecoveryStarted { why: "it was dead".into() }));
    });
    assert_eq!((cut.verdict.verdict, cut.verdict.exit_code), (Verdict::Interrupted, 143));
    assert_eq!(cut.signals, ["SIGTERM"]);
    assert_eq!(cut.recovered.as_deref(), Some("it was dead"));
    assert_eq!(cut.run.expect("started").finished_at, None);
}

#[test]
fn residue_that_nobody_looked_for_is_not_an_empty_list() {
    assert_eq!(evidence_of(&sample::pending_run().records()).residue, None);
    assert_eq!(of(|_| {}).residue, Some(vec![]));
    assert_eq!(
        of(|run| run.push(sample::listed_residue("i-0a"))).residue.expect("listed").len(),
        1
    );
}

#[test]
fn before_and_after_stand_side_by_side() {
    let evidence = of(|_| {});
    assert_eq!(evidence.journal_rows.baseline, Some(json!([])));
    assert_eq!(evidence.journal_rows.last, Some(json!([{"id": 1}])));
    let text = evidence.to_json().expect("JSON");
    assert!(text.contains("\"final\""), "{text}");
}

#[test]
fn evidence_is_read_strictly() {
    let mut value = serde_json::to_value(of(|_| {})).expect("JSON");
    value["gate"]["approved"] = json!(true);
    serde_json::from_value::<Evidence>(value).expect_err("an unknown field");
}

#[test]
fn the_last_word_about_a_scenarios_outage_counts() {
    let scenarios = |evidence: &Evidence| -> Vec<String> {
        evidence.outages.iter().map(|it| it.scenario.clone()).collect()
    };
    assert_eq!(scenarios(&of(|_| {})), ["execute", "undo"]);
    let again = of(|run| run.push(sample::not_measured()));
    assert_eq!(scenarios(&again), ["execute", "undo"]);
    assert!(evidence_of(&sample::pending_run().records()).outages.is_empty());
}

//! From records to evidence, part by part.

use std::collections::BTreeMap;

use super::{
    Assertion, Detector, Evidence, Gate, GateStatus, HardStop, JournalHead, Mutation, PlannedStep,
    RecordRef, Run, Scenario, Sides, Trip, UndoPlan, back, course, next,
};
use crate::digest::Digest;
use crate::fold::{self, Gathered, gather_records};
use crate::record::{
    Outcome, Part, Permit, Record, SCHEMA_VERSION, ScenarioStatus, StopDeclared, UndoPlanned,
    UndoStep, Verdict,
};
use crate::verdict::{Judgement, classify_cause, decides, find_first_cause, judge_journal};

/// Makes the evidence of these records; `chain_head` is the digest of the last one's line.
pub fn fold_records(records: &[Record], chain_head: &Digest) -> Evidence {
    let run = gather_records(records);
    let verdict = verdict(&run, records);
    let cause = find_first_cause(&run).filter(|_| !is_quiet(verdict.verdict));
    let (changes, teardown) = (back::changes(records, &run), back::teardown(&run));
    let (restored, not_restored) = back::restored(&run, &changes);
    Evidence {
        schema_version: SCHEMA_VERSION,
        run: run_of(&run),
        classification: classify_cause(verdict.verdict, cause.as_ref(), |it| decides(&run, it)),
        cause,
        next: next::next(records, &run, &changes, &teardown),
        target: run.target().cloned(),
        actors: course::actors(&run),
        restored,
        not_restored,
        running: course::running(records, &run),
        attempts: course::attempts(records),
        waits: course::waits(records, &run),
        changes,
        teardown,
        journal: JournalHead {
            head: chain_head.clone(),
            records: records.len() as u64,
            last_at: records.last().map(|record| record.at),
        },
        operator: run.operator.cloned(),
        operator_lost: run.operator_lost.map(|(it, _)| it.clone()),
        addresses: run.addresses.iter().copied().cloned().collect(),
        lab_fingerprint: run.facts.map(|it| it.lab_fingerprint.clone()),
        facts_digest: run.facts.map(|it| it.facts_digest.clone()),
        facts: run.facts.map(|it| it.facts.clone()),
        change_set: run.facts.map(|it| it.change_set.clone()),
        undo_plan: run.undo_plan.map(undo_plan),
        gate: gate(&run.gate),
        scenarios: run.scenarios.iter().map(|it| scenario(it, &verdict)).collect(),
        mutations: run.mutations.iter().map(|it| mutation(it, &run)).collect(),
        hard_stops: hard_stops(&run),
        journal_rows: sides(&run.rows),
        state: sides(&run.state),
        facts_differ: run.facts_differ.cloned(),
        outages: run.outages.iter().copied().cloned().collect(),
        cost: course::cost(&run),
        residue: run.residue.map(|(it, _)| it.items.clone()),
        kept: run.residue.map(|(it, _)| it.kept.clone()).unwrap_or_default(),
        retries: run.retries.iter().copied().cloned().collect(),
        attachments: run.attachments.iter().copied().cloned().collect(),
        signals: run.interrupted.iter().map(|(it, _)| it.signal.clone()).collect(),
        recovered: run.recovery.map(|(it, _)| it.why.clone()),
        verdict,
    }
}

/// Whether a verdict has nothing that speaks against the run.
fn is_quiet(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::Partial | Verdict::AwaitingGo | Verdict::Parked)
}

/// The run's own word where it has one; else what the journal shows.
fn verdict(run: &Gathered<'_>, records: &[Record]) -> Judgement {
    match run.finished {
        Some((it, _)) => {
            Judgement { verdict: it.verdict, exit_code: it.exit_code, reasons: it.reasons.clone() }
        }
        None => judge_journal(records),
    }
}

fn run_of(run: &Gathered<'_>) -> Option<Run> {
    let (started, started_at) = run.started?;
    Some(Run {
        id: started.run_id.clone(),
        tool: started.tool.clone(),
        lab_kind: started.lab.kind,
        lab_name: started.lab.name.clone(),
        seed: started.seed,
        faults: started.faults.clone(),
        filter: started.filter.clone(),
        started_at,
        finished_at: run.finished.map(|(_, at)| at),
    })
}

fn undo_plan(plan: &UndoPlanned) -> UndoPlan {
    let step = |UndoStep { id, section, operation, restores }: &UndoStep| PlannedStep {
        id: id.clone(),
        section: section.clone(),
        operation: operation.clone(),
        what: operation.what(),
        resource: operation.resource().to_owned(),
        restores: restores.clone(),
        owner_command: operation.owner_command(),
    };
    UndoPlan { digest: plan.digest.clone(), steps: plan.steps.iter().map(step).collect() }
}

fn gate(gate: &fold::Gate<'_>) -> Gate {
    let status = match (gate.burnt, gate.refused, gate.verified) {
        (Some(_), _, _) => GateStatus::Burnt,
        (_, Some(_), _) => GateStatus::Refused,
        (_, _, Some(_)) => GateStatus::Verified,
        (None, None, None) => GateStatus::Awaiting,
    };
    Gate {
        status,
        self_granted: gate.verified.is_some_and(|(go, _)| go.self_granted),
        verified: gate.verified.map(|(it, _)| it.clone()),
        verified_at: gate.verified.map(|(_, at)| at),
        refused: gate.refused.map(|(it, _)| it.clone()),
        refused_at: gate.refused.map(|(_, here)| here.at),
        burnt: gate.burnt.map(|(it, _)| it.clone()),
        burnt_at: gate.burnt.map(|(_, at)| at),
        proof: gate.proof.cloned(),
        lock: gate.lock_taken.map(|(it, _)| it.clone()),
        lock_taken_at: gate.lock_taken.map(|(_, at)| at),
        lock_released_at: gate.lock_released,
    }
}

fn scenario(it: &fold::FoldedScenario<'_>, verdict: &Judgement) -> Scenario {
    let (status, reason) = status(it, verdict);
    let (declared, finished_at) = (it.declared, it.finished.map(|(_, here)| here.at));
    let duration = it.started_at.zip(finished_at).map(|(from, until)| until - from);
    Scenario {
        name: declared.name.clone(),
        section: declared.section.clone(),
        class: declared.class,
        chapter: declared.chapter,
        question: declared.question.clone(),
        part: declared.part,
        needs: declared.needs.clone(),
        status,
        reason,
        attempts: it.attempts,
        started_at: it.started_at,
        finished_at,
        duration_ms: duration.and_then(|it| u64::try_from(it.num_milliseconds()).ok()),
        calls: it.finished.map(|(finished, _)| finished.calls),
        assertions: it.assertions.iter().map(|(made, here)| assertion(made, *here)).collect(),
    }
}

/// Whatever never happened is said to have not been run, and whatever did not end is unknown.
fn status(it: &fold::FoldedScenario<'_>, verdict: &Judgement) -> (ScenarioStatus, Option<String>) {
    if let Some((finished, _)) = it.finished {
        let needs_one = matches!(
            finished.status,
            ScenarioStatus::Skipped | ScenarioStatus::NotApplicable | ScenarioStatus::NotRun
        );
        let default = needs_one.then(|| "no reason was given".to_owned());
        return (finished.status, finished.reason.clone().or(default));
    }
    if it.attempts > 0 {
        return (ScenarioStatus::Unknown, Some("it was started and did not end".to_owned()));
    }
    let why = match (it.declared.part, verdict.verdict) {
        (Part::Excluded, _) => "the filter left it out".to_owned(),
        (_, Verdict::AwaitingGo | Verdict::Parked) => "the owner's go is awaited".to_owned(),
        _ => verdict.reasons.first().map_or_else(
            || "the run ended before it".to_owned(),
            |reason| format!("the run did not come to it: {reason}"),
        ),
    };
    (ScenarioStatus::NotRun, Some(why))
}

fn assertion(made: &crate::record::Assertion, here: RecordRef) -> Assertion {
    Assertion {
        id: made.id.clone(),
        status: made.status,
        expected: made.expected.clone(),
        observed: made.observed.clone(),
        how: made.how.clone(),
        raw: made.raw.clone(),
        message: made.message.clone(),
        at: here.at,
        record: here.record,
    }
}

fn mutation(it: &fold::FoldedMutation<'_>, run: &Gathered<'_>) -> Mutation {
    let intent = it.intent;
    Mutation {
        id: intent.id.clone(),
        scenario: intent.scenario.clone(),
        permit: intent.permit,
        what: intent.effect.what(),
        resource: intent.effect.resource(),
        effect: intent.effect.clone(),
        intended_at: it.intended.at,
        record: it.intended.record,
        outcome: outcome(it),
        outcome_at: it.outcome.map(|(_, here)| here.at),
        outcome_record: it.outcome.map(|(_, here)| here.record),
        detail: match it.outcome {
            Some((outcome, _)) => outcome.detail.clone(),
            None => "no outcome was recorded".to_owned(),
        },
        request_id: it.outcome.and_then(|(outcome, _)| outcome.request_id.clone()),
        samples: it.outcome.map(|(outcome, _)| outcome.samples.clone()).unwrap_or_default(),
        undo: intent.undo.clone(),
        undone: undone(it, run),
    }
}

fn outcome(it: &fold::FoldedMutation<'_>) -> Outcome {
    it.outcome.map_or(Outcome::Unknown, |(outcome, _)| outcome.outcome)
}

/// The last try of the step counts, unless an earlier one already did it.
fn undone(it: &fold::FoldedMutation<'_>, run: &Gathered<'_>) -> Option<Outcome> {
    let step = it.intent.undo.as_ref().filter(|_| it.intent.permit == Permit::Forward)?;
    let tries = run.mutations.iter().filter(|other| {
        other.intent.permit == Permit::Undo && other.intent.undo.as_ref() == Some(step)
    });
    let outcomes: Vec<_> = tries.map(outcome).collect();
    if outcomes.contains(&Outcome::Done) { Some(Outcome::Done) } else { outcomes.last().copied() }
}

fn hard_stops(run: &Gathered<'_>) -> Vec<HardStop> {
    let declared = run.started.map(|(it, _)| it.stops.as_slice()).unwrap_or_default();
    declared.iter().map(|stop| hard_stop(stop, run)).collect()
}

fn hard_stop(stop: &StopDeclared, run: &Gathered<'_>) -> HardStop {
    let mut detectors = BTreeMap::<&str, u64>::new();
    for checked in run.checked.iter().filter(|it| it.stop == stop.number) {
        *detectors.entry(&checked.detector).or_default() += 1;
    }
    let tripped = run.tripped.iter().filter(|(it, _)| it.stop == stop.number);
    let later = run.armed.iter().rev().find(|it| it.stop == stop.number);
    HardStop {
        number: stop.number,
        words: stop.words.clone(),
        armed: later.map_or(stop.armed, |it| it.armed),
        reason: later.map_or(&stop.reason, |it| &it.reason).clone(),
        remedy: stop.remedy.clone(),
        checks: detectors.values().sum(),
        detectors: detectors
            .into_iter()
            .map(|(name, checks)| Detector { name: name.to_owned(), checks })
            .collect(),
        tripped: tripped
            .map(|(it, here)| Trip {
                at: here.at,
                record: here.record,
                detector: it.detector.clone(),
                scenario: it.scenario.clone(),
                reason: it.reason.clone(),
                resource: it.resource.clone(),
            })
            .collect(),
    }
}

fn sides(sides: &fold::Sides<'_>) -> Sides {
    Sides { baseline: sides.baseline.cloned(), last: sides.last.cloned() }
}

//! The rules of the table above, each a leaf that adds its causes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cause::{Cause, CauseKind};
use super::codes::{ExitCode, PRECEDENCE};
use crate::evidence::RecordRef;
use crate::fold::{FoldedMutation, FoldedScenario, Gathered, gather_records};
use crate::record::{
    AssertionStatus, Duty, Outcome, Part, Permit, Power, Record, ScenarioStatus, Verdict,
};

/// Stop 7 parks a run; it neither stops nor fails it.
const PARKING_STOP: u8 = 7;

/// The verdict of a run, with its exit code and all reasons that were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    pub verdict: Verdict,
    pub exit_code: u8,
    /// Those of the verdict first.
    pub reasons: Vec<String>,
}

impl Judgement {
    /// The answer of `recover`: 0 where the lab is restored and nothing is left.
    pub fn recover_exit_code(&self) -> u8 {
        match self.exit_code {
            code @ (5 | 6 | 8 | 70) => code,
            _ => 0,
        }
    }
}

/// Whether the journal is all there will be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JournalEnd {
    /// The run ends here, or ended with its own record.
    Reached,
    /// It may have died.
    Missing,
}

type Causes = Vec<Found>;

/// A cause with its exit code, and all that is said of it.
#[derive(Debug)]
pub(super) struct Found {
    pub code: ExitCode,
    /// With the commands that settle it.
    pub reason: String,
    pub cause: Option<Cause>,
}

impl Found {
    /// A cause that no one record shows.
    fn unplaced(code: ExitCode, reason: String) -> Self {
        Self { code, reason, cause: None }
    }

    fn at(here: RecordRef, code: ExitCode, kind: CauseKind, id: &str, reason: String) -> Self {
        let sentence = reason.clone();
        Self { code, reason, cause: Some(Cause::new(kind, id, sentence, here)) }
    }

    fn of(mut self, scenario: &str) -> Self {
        if let Some(cause) = &mut self.cause {
            cause.scenario = Some(scenario.to_owned());
        }
        self
    }

    /// The sentence where the reason says more than what happened.
    fn saying(mut self, sentence: String) -> Self {
        if let Some(cause) = &mut self.cause {
            cause.sentence = sentence;
        }
        self
    }
}

/// Judges a journal as it lies there: one without an end is pending, or interrupted.
pub fn judge_journal(records: &[Record]) -> Judgement {
    let run = gather_records(records);
    let end = if run.finished.is_some() { JournalEnd::Reached } else { JournalEnd::Missing };
    decide(&run, end)
}

/// For the run itself, just before it writes `run-finished`.
pub fn judge_ending(records: &[Record]) -> Judgement {
    decide(&gather_records(records), JournalEnd::Reached)
}

fn decide(run: &Gathered<'_>, end: JournalEnd) -> Judgement {
    let (causes, pending) = find_causes(run, end);
    let mut judgement = if end == JournalEnd::Missing && run.unavailable.is_some() {
        suspended(causes)
    } else {
        first(causes, pending)
    };
    judgement.reasons.extend(not_aws(run));
    judgement
}

/// Everything that speaks against a run, whether it has ended or not.
pub(super) fn list_causes(run: &Gathered<'_>) -> Vec<Found> {
    let end = if run.finished.is_some() { JournalEnd::Reached } else { JournalEnd::Missing };
    find_causes(run, end).0
}

fn find_causes(run: &Gathered<'_>, end: JournalEnd) -> (Causes, Option<Verdict>) {
    let mut causes = Causes::new();
    broken(run, &mut causes);
    lost(run, &mut causes);
    operator(run, &mut causes);
    residue(run, &mut causes);
    mutations(run, &mut causes);
    not_back(run, &mut causes);
    stops(run, &mut causes);
    assertions(run, &mut causes);
    let pending = pending(run);
    if pending.is_none() {
        interruptions(run, end, &mut causes);
    }
    unavailable(run, &mut causes);
    if let Some(verdict) = pending {
        let what = if verdict == Verdict::Parked { ", the instances are stopped" } else { "" };
        let reason = format!("the owner's go is awaited{what}");
        causes.push(Found::unplaced(ExitCode::Pending, reason));
    }
    if causes.is_empty() {
        silent_gaps(run, &mut causes);
    }
    partial(run, &mut causes);
    (causes, pending)
}

/// What every reader has to know, whatever the verdict is.
fn not_aws(run: &Gathered<'_>) -> Option<String> {
    let elsewhere = &run.operator?.elsewhere;
    let asked: Vec<_> =
        elsewhere.iter().map(|it| format!("{} at {}", it.service, it.url)).collect();
    (!asked.is_empty()).then(|| format!("this was not AWS: it asked {}", asked.join(", ")))
}

/// A command that could not use the lab touched nothing and did not end the run: how the run ends is
/// said by the one that can.
fn suspended(causes: Causes) -> Judgement {
    let counts = |code: ExitCode| {
        use ExitCode::{Bug, Residue, Unavailable, Unknown};
        matches!(code, Bug | Residue | Unknown | Unavailable)
    };
    let (now, later): (Causes, Causes) = causes.into_iter().partition(|it| counts(it.code));
    let mut judgement = first(now, None);
    judgement.reasons.extend(later.into_iter().map(|it| it.reason));
    judgement
}

/// The first cause by precedence gives verdict and code.
fn first(causes: Causes, pending: Option<Verdict>) -> Judgement {
    let rank = |code: &ExitCode| PRECEDENCE.iter().position(|it| it == code);
    let code = causes.iter().map(|it| it.code).min_by_key(rank).unwrap_or(ExitCode::Pass);
    let verdict = match (code, pending) {
        (ExitCode::Pending, Some(verdict)) => verdict,
        _ => code.verdicts().first().copied().unwrap_or(Verdict::Bug),
    };
    let (own, other): (Causes, Causes) = causes.into_iter().partition(|it| it.code == code);
    let reasons = own.into_iter().chain(other).map(|it| it.reason).collect();
    Judgement { verdict, exit_code: code.number(), reasons }
}

fn broken(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some((broke, here)) = run.broke {
        let reason = format!("the harness broke: {}", broke.message);
        causes.push(Found::at(here, ExitCode::Bug, CauseKind::HarnessBroke, "harness", reason));
    }
}

/// The cause of a lost record: nobody can read again what is told from here on.
fn lost(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some((lost, here)) = run.lost {
        let reason = format!("the run's own record is lost: {}", lost.why);
        causes.push(Found::at(here, ExitCode::Unknown, CauseKind::JournalLost, "journal", reason));
    }
}

/// The cause of credentials that could not be renewed: what came of the run's end is known as far as the
/// old ones lasted.
fn operator(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some((lost, here)) = run.operator_lost {
        let sentence = format!("the operator's credentials could not be renewed: {}", lost.why);
        let reason = format!("{sentence}; to go on: {}", lost.owner_commands.join("; "));
        let kind = CauseKind::OperatorLost;
        let found = Found::at(here, ExitCode::Unknown, kind, "operator", reason);
        causes.push(found.saying(sentence));
    }
}

fn residue(run: &Gathered<'_>, causes: &mut Causes) {
    let listed = run.residue.iter();
    for (item, here) in listed.flat_map(|(it, here)| it.items.iter().map(|item| (item, *here))) {
        let settles = match &item.owner_commands[..] {
            [] => String::new(),
            commands => format!("; to settle it: {}", commands.join("; ")),
        };
        let sentence = format!("{} {} is left: {}", item.resource, item.id, item.why);
        let (code, reason) = (ExitCode::Residue, format!("{sentence}{settles}"));
        let found = Found::at(here, code, CauseKind::Residue, &item.id, reason);
        causes.push(found.saying(sentence));
    }
}

/// Mutations of a lab that is gone, and whether they were undone there, are nothing to anybody.
fn mutations(run: &Gathered<'_>, causes: &mut Causes) {
    if run.lab_gone.is_some() {
        return;
    }
    for it in &run.mutations {
        let (why, here) = match it.outcome {
            Some((outcome, here)) if outcome.outcome == Outcome::Unknown => {
                (outcome.detail.as_str(), here)
            }
            Some(_) => continue,
            None => ("its outcome was never recorded", it.intended),
        };
        if went_with_its_instance(run, it) {
            continue;
        }
        let (what, resource) = (it.intent.effect.what(), it.intent.effect.resource());
        let reason = format!("whether `{what}` on {resource} was done is unknown: {why}");
        let (code, kind) = (ExitCode::Unknown, CauseKind::MutationUnknown);
        let found = Found::at(here, code, kind, &it.intent.id, reason);
        causes.push(found.of(&it.intent.scenario));
    }
}

/// A dead man's switch is nothing any more once its instance was seen to go off: the timer lives in what
/// runs.
fn went_with_its_instance(run: &Gathered<'_>, switch: &FoldedMutation<'_>) -> bool {
    let Some(instance) = switch.intent.effect.switched_instance() else { return false };
    run.at_rest
        || run.mutations.iter().any(|it| {
            it.intended.at >= switch.intended.at
                && it.intent.effect.power() == Some((instance, Power::Off))
                && it.outcome.is_some_and(|(outcome, _)| outcome.outcome == Outcome::Done)
        })
}

/// A lab that was touched must be seen to be back, and nothing left; that neither was looked at is
/// not good news.
fn not_back(run: &Gathered<'_>, causes: &mut Causes) {
    if !run.touched() || run.lab_gone.is_some() {
        return;
    }
    for duty in [Duty::Restores, Duty::Accounts] {
        let mut scenarios = run.scenarios_that(duty).peekable();
        if scenarios.peek().is_none() {
            let what = match duty {
                Duty::Decides => "what the owner decides on",
                Duty::Restores => "whether all is as it was",
                Duty::Accounts => "what is left",
            };
            let reason = format!("the journal names no scenario that looks at {what}");
            causes.push(Found::unplaced(ExitCode::Unknown, reason));
        }
        for scenario in scenarios.filter(|it| !is_settled(it)) {
            let name = &scenario.declared.name;
            let reason = format!("`{name}` did not end, so what the run left is not established");
            causes.push(Found::unplaced(ExitCode::Unknown, reason));
        }
    }
}

fn is_settled(scenario: &FoldedScenario<'_>) -> bool {
    use ScenarioStatus::{Failed, NotApplicable, Passed};
    let status = scenario.finished.map(|(it, _)| it.status);
    matches!(status, Some(Passed | Failed | NotApplicable))
}

fn stops(run: &Gathered<'_>, causes: &mut Causes) {
    for (stop, here) in run.tripped.iter().filter(|(stop, _)| stop.stop != PARKING_STOP) {
        let (number, detector) = (stop.stop, &stop.detector);
        let reason =
            format!("hard stop {number} ({detector}) at {}: {}", stop.resource, stop.reason);
        let (code, kind) = (ExitCode::Stopped, CauseKind::HardStop);
        let mut found = Found::at(*here, code, kind, detector, reason).of(&stop.scenario);
        if let Some(cause) = &mut found.cause {
            cause.hard_stop = Some(number);
        }
        causes.push(found);
    }
    if let Some((refused, here)) = run.gate.refused {
        let reason = format!("the go was refused ({}): {}", refused.rule, refused.reason);
        let (code, kind) = (ExitCode::Stopped, CauseKind::GoRefused);
        causes.push(Found::at(here, code, kind, &refused.rule, reason));
    }
}

fn assertions(run: &Gathered<'_>, causes: &mut Causes) {
    for scenario in counted(run) {
        let name = &scenario.declared.name;
        let bad = match scenario.declared.duty {
            Some(Duty::Restores) => not_restored(run),
            Some(Duty::Decides | Duty::Accounts) | None => ExitCode::Fail,
        };
        let before = causes.len();
        for (assertion, here) in &scenario.assertions {
            let code = match assertion.status {
                AssertionStatus::Failed => bad,
                AssertionStatus::Unknown => ExitCode::Unknown,
                AssertionStatus::Passed | AssertionStatus::Skipped => continue,
            };
            let word = if code == ExitCode::Unknown { "is unknown" } else { "failed" };
            let why = assertion.message.as_deref().unwrap_or("no message");
            let reason = format!("{name}: {} {word}: {why}", assertion.id);
            let kind = match assertion.status {
                AssertionStatus::Unknown => CauseKind::AssertionUnknown,
                _ => CauseKind::AssertionFailed,
            };
            causes.push(Found::at(*here, code, kind, &assertion.id, reason).of(name));
        }
        let Some((finished, here)) = scenario.finished.filter(|_| causes.len() == before) else {
            continue;
        };
        let why = finished.reason.as_deref().unwrap_or("no reason given");
        match finished.status {
            ScenarioStatus::Failed => {
                let (kind, reason) = (CauseKind::ScenarioFailed, format!("{name} failed: {why}"));
                causes.push(Found::at(here, bad, kind, name, reason).of(name));
            }
            ScenarioStatus::Unknown => {
                let (code, kind) = (ExitCode::Unknown, CauseKind::ScenarioUnknown);
                let reason = format!("{name} is unknown: {why}");
                causes.push(Found::at(here, code, kind, name, reason).of(name));
            }
            ScenarioStatus::Passed if scenario.assertions.is_empty() => {
                let (code, kind) = (ExitCode::Unknown, CauseKind::ScenarioUnknown);
                let reason = format!("{name} passed without a single assertion");
                causes.push(Found::at(here, code, kind, name, reason).of(name));
            }
            _ => {}
        }
    }
}

/// The exit code of a lab that is not as it was. Without a list of what is left nobody knows what
/// that is, so that no verdict of residue comes without one.
fn not_restored(run: &Gathered<'_>) -> ExitCode {
    let listed = run.residue.is_some_and(|(listed, _)| !listed.items.is_empty());
    if listed { ExitCode::Residue } else { ExitCode::Unknown }
}

fn interruptions(run: &Gathered<'_>, end: JournalEnd, causes: &mut Causes) {
    let signal = run.interrupted.first().map(|(it, here)| (it.signal.as_str(), *here));
    let code = match signal {
        Some(("SIGTERM", _)) => ExitCode::Terminated,
        _ => ExitCode::Interrupted,
    };
    if let Some((signal, here)) = signal {
        let reason = format!("interrupted by {signal}");
        causes.push(Found::at(here, code, CauseKind::Signal, signal, reason));
    }
    // A recovery has established since what was left open.
    if run.interrupted.len() > 1 && run.recovery.is_none() {
        let reason = "a second signal ended the run at once: run `lab-smoke recover`";
        causes.push(Found::unplaced(ExitCode::Unknown, reason.to_owned()));
    }
    if let Some((recovery, here)) = run.recovery {
        let proof = run.lab_gone.map(|(gone, _)| format!(" ({})", gone.proof)).unwrap_or_default();
        let reason = format!("brought to its end: {}{proof}", recovery.why);
        causes.push(Found::at(here, code, CauseKind::Recovery, "recover", reason));
    } else if end == JournalEnd::Missing && signal.is_none() && !waits(run) {
        let reason = "the journal has no end: the run is still going, or it died".to_owned();
        causes.push(Found::unplaced(code, reason));
    }
}

fn unavailable(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some((unavailable, here)) = run.unavailable {
        let by = unavailable.held_by.as_ref().map(|by| format!(" (held by {by})"));
        let reason = format!("{}{}", unavailable.reason, by.unwrap_or_default());
        let (code, kind) = (ExitCode::Unavailable, CauseKind::Unavailable);
        causes.push(Found::at(here, code, kind, "lab", reason));
    }
}

/// Everything that the owner decides on is there, and nothing was begun: another go may come, though
/// one was refused.
fn waits(run: &Gathered<'_>) -> bool {
    let passed = |scenario: &FoldedScenario<'_>| {
        scenario.finished.is_some_and(|(it, _)| it.status == ScenarioStatus::Passed)
    };
    let mut deciding = run.scenarios_that(Duty::Decides).peekable();
    let decided = deciding.peek().is_some() && deciding.all(passed);
    let begun = run.gate.verified.is_some() || run.touched();
    let closed = run.recovery.is_some() || run.lost.is_some() || stopped(run);
    let asked = run.facts.is_some() && run.undo_plan.is_some();
    asked && !begun && !closed && decided
}

/// Waiting for the owner, who has not answered yet.
pub(super) fn pending(run: &Gathered<'_>) -> Option<Verdict> {
    if run.gate.refused.is_some() || !waits(run) {
        return None;
    }
    let cost = |it: &&FoldedMutation<'_>| {
        it.intent.permit == Permit::Cost && it.intent.effect.power().is_some()
    };
    let last = run.mutations.iter().rev().find(cost);
    let parked = run.at_rest
        || last.is_some_and(|it| {
            matches!(it.intent.effect.power(), Some((_, Power::Off)))
                && it.outcome.is_some_and(|(outcome, _)| outcome.outcome == Outcome::Done)
        });
    Some(if parked { Verdict::Parked } else { Verdict::AwaitingGo })
}

fn stopped(run: &Gathered<'_>) -> bool {
    run.tripped.iter().any(|(stop, _)| stop.stop != PARKING_STOP)
}

/// Where nothing else explains it: a scenario that should have run and did not, or did not end.
fn silent_gaps(run: &Gathered<'_>, causes: &mut Causes) {
    if run.started.is_none() {
        let reason = "the journal does not say what was to be run".to_owned();
        causes.push(Found::unplaced(ExitCode::Unknown, reason));
    }
    for scenario in counted(run) {
        let name = &scenario.declared.name;
        let gap = match scenario.finished.map(|(it, _)| it.status) {
            None if scenario.attempts > 0 => "did not end",
            None | Some(ScenarioStatus::NotRun) => "did not run",
            Some(_) => continue,
        };
        let reason = format!("{name} {gap}, and nothing says why");
        causes.push(Found::unplaced(ExitCode::Unknown, reason));
    }
}

fn partial(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some(filter) = run.started.and_then(|(it, _)| it.filter.as_ref()) {
        let reason = format!("only a part was judged: {filter}");
        causes.push(Found::unplaced(ExitCode::Partial, reason));
    }
    for scenario in counted(run) {
        if let Some((finished, _)) = scenario.finished
            && finished.status == ScenarioStatus::Skipped
        {
            let why = finished.reason.as_deref().unwrap_or("no reason given");
            let reason = format!("{} was skipped: {why}", scenario.declared.name);
            causes.push(Found::unplaced(ExitCode::Partial, reason));
        }
    }
}

fn counted<'r, 'a>(run: &'r Gathered<'a>) -> impl Iterator<Item = &'r FoldedScenario<'a>> {
    run.scenarios.iter().filter(|scenario| scenario.declared.part != Part::Excluded)
}

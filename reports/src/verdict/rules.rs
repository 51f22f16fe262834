//! The rules of the table above, each a leaf that adds its causes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codes::{ExitCode, PRECEDENCE};
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

type Causes = Vec<(ExitCode, String)>;

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
        causes.push((ExitCode::Pending, format!("the owner's go is awaited{what}")));
    }
    if causes.is_empty() {
        silent_gaps(run, &mut causes);
    }
    partial(run, &mut causes);
    let mut judgement = if end == JournalEnd::Missing && run.unavailable.is_some() {
        suspended(causes)
    } else {
        first(causes, pending)
    };
    judgement.reasons.extend(not_aws(run));
    judgement
}

/// Sentences that every reader has to know, whatever the verdict is.
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
    let (now, later): (Causes, Causes) = causes.into_iter().partition(|(code, _)| counts(*code));
    let mut judgement = first(now, None);
    judgement.reasons.extend(later.into_iter().map(|(_, reason)| reason));
    judgement
}

/// The first cause by precedence gives verdict and code.
fn first(causes: Causes, pending: Option<Verdict>) -> Judgement {
    let rank = |code: &ExitCode| PRECEDENCE.iter().position(|it| it == code);
    let code = causes.iter().map(|(code, _)| *code).min_by_key(rank).unwrap_or(ExitCode::Pass);
    let verdict = match (code, pending) {
        (ExitCode::Pending, Some(verdict)) => verdict,
        _ => code.verdicts().first().copied().unwrap_or(Verdict::Bug),
    };
    let (own, other): (Causes, Causes) = causes.into_iter().partition(|cause| cause.0 == code);
    let reasons = own.into_iter().chain(other).map(|(_, reason)| reason).collect();
    Judgement { verdict, exit_code: code.number(), reasons }
}

fn broken(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some(broke) = run.broke {
        causes.push((ExitCode::Bug, format!("the harness broke: {}", broke.message)));
    }
}

/// The cause of a lost record: nobody can read again what is told from here on.
fn lost(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some(lost) = run.lost {
        let reason = format!("the run's own record is lost: {}", lost.why);
        causes.push((ExitCode::Unknown, reason));
    }
}

/// The cause of credentials that could not be renewed: what came of the run's end is known as far as the
/// old ones lasted.
fn operator(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some(lost) = run.operator_lost {
        let (why, commands) = (&lost.why, lost.owner_commands.join("; "));
        let reason =
            format!("the operator's credentials could not be renewed: {why}; to go on: {commands}");
        causes.push((ExitCode::Unknown, reason));
    }
}

fn residue(run: &Gathered<'_>, causes: &mut Causes) {
    for item in run.residue.iter().flat_map(|listed| &listed.items) {
        let settles = match &item.owner_commands[..] {
            [] => String::new(),
            commands => format!("; to settle it: {}", commands.join("; ")),
        };
        let reason = format!("{} {} is left: {}{settles}", item.resource, item.id, item.why);
        causes.push((ExitCode::Residue, reason));
    }
}

/// Mutations of a lab that is gone, and whether they were undone there, are nothing to anybody.
fn mutations(run: &Gathered<'_>, causes: &mut Causes) {
    if run.lab_gone.is_some() {
        return;
    }
    for it in &run.mutations {
        let why = match it.outcome {
            Some((outcome, _)) if outcome.outcome == Outcome::Unknown => outcome.detail.as_str(),
            Some(_) => continue,
            None => "its outcome was never recorded",
        };
        if went_with_its_instance(run, it) {
            continue;
        }
        let (what, resource) = (it.intent.effect.what(), it.intent.effect.resource());
        let reason = format!("whether `{what}` on {resource} was done is unknown: {why}");
        causes.push((ExitCode::Unknown, reason));
    }
}

/// A dead man's switch is nothing any more once its instance was seen to go off: the timer lives in what
/// runs.
fn went_with_its_instance(run: &Gathered<'_>, switch: &FoldedMutation<'_>) -> bool {
    let Some(instance) = switch.intent.effect.switched_instance() else { return false };
    run.at_rest
        || run.mutations.iter().any(|it| {
            it.at >= switch.at
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
            causes.push((ExitCode::Unknown, reason));
        }
        for scenario in scenarios.filter(|it| !is_settled(it)) {
            let name = &scenario.declared.name;
            let reason = format!("`{name}` did not end, so what the run left is not established");
            causes.push((ExitCode::Unknown, reason));
        }
    }
}

fn is_settled(scenario: &FoldedScenario<'_>) -> bool {
    use ScenarioStatus::{Failed, NotApplicable, Passed};
    let status = scenario.finished.map(|(it, _)| it.status);
    matches!(status, Some(Passed | Failed | NotApplicable))
}

fn stops(run: &Gathered<'_>, causes: &mut Causes) {
    for (stop, _) in run.tripped.iter().filter(|(stop, _)| stop.stop != PARKING_STOP) {
        let (number, detector) = (stop.stop, &stop.detector);
        let reason =
            format!("hard stop {number} ({detector}) at {}: {}", stop.resource, stop.reason);
        causes.push((ExitCode::Stopped, reason));
    }
    if let Some((refused, _)) = run.gate.refused {
        let reason = format!("the go was refused ({}): {}", refused.rule, refused.reason);
        causes.push((ExitCode::Stopped, reason));
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
        for (assertion, _) in &scenario.assertions {
            let code = match assertion.status {
                AssertionStatus::Failed => bad,
                AssertionStatus::Unknown => ExitCode::Unknown,
                AssertionStatus::Passed | AssertionStatus::Skipped => continue,
            };
            let word = if code == ExitCode::Unknown { "is unknown" } else { "failed" };
            let why = assertion.message.as_deref().unwrap_or("no message");
            causes.push((code, format!("{name}: {} {word}: {why}", assertion.id)));
        }
        let Some((finished, _)) = scenario.finished.filter(|_| causes.len() == before) else {
            continue;
        };
        let why = finished.reason.as_deref().unwrap_or("no reason given");
        match finished.status {
            ScenarioStatus::Failed => causes.push((bad, format!("{name} failed: {why}"))),
            ScenarioStatus::Unknown => {
                causes.push((ExitCode::Unknown, format!("{name} is unknown: {why}")));
            }
            ScenarioStatus::Passed if scenario.assertions.is_empty() => {
                let reason = format!("{name} passed without a single assertion");
                causes.push((ExitCode::Unknown, reason));
            }
            _ => {}
        }
    }
}

/// The exit code of a lab that is not as it was. Without a list of what is left nobody knows what
/// that is, so that no verdict of residue comes without one.
fn not_restored(run: &Gathered<'_>) -> ExitCode {
    let listed = run.residue.is_some_and(|listed| !listed.items.is_empty());
    if listed { ExitCode::Residue } else { ExitCode::Unknown }
}

fn interruptions(run: &Gathered<'_>, end: JournalEnd, causes: &mut Causes) {
    let signal = run.interrupted.first().map(|it| it.signal.as_str());
    let code = match signal {
        Some("SIGTERM" | "timeout") => ExitCode::Terminated,
        _ => ExitCode::Interrupted,
    };
    if let Some(signal) = signal {
        causes.push((code, format!("interrupted by {signal}")));
    }
    // A recovery has established since what was left open.
    if run.interrupted.len() > 1 && run.recovery.is_none() {
        let reason = "a second signal ended the run at once: run `lab-smoke recover`";
        causes.push((ExitCode::Unknown, reason.to_owned()));
    }
    if let Some(recovery) = run.recovery {
        let proof = run.lab_gone.map(|gone| format!(" ({})", gone.proof)).unwrap_or_default();
        causes.push((code, format!("brought to its end: {}{proof}", recovery.why)));
    } else if end == JournalEnd::Missing && signal.is_none() && !waits(run) {
        let reason = "the journal has no end: the run is still going, or it died".to_owned();
        causes.push((code, reason));
    }
}

fn unavailable(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some(unavailable) = run.unavailable {
        let by = unavailable.held_by.as_ref().map(|by| format!(" (held by {by})"));
        let reason = format!("{}{}", unavailable.reason, by.unwrap_or_default());
        causes.push((ExitCode::Unavailable, reason));
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
fn pending(run: &Gathered<'_>) -> Option<Verdict> {
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
        causes.push((ExitCode::Unknown, "the journal does not say what was to be run".to_owned()));
    }
    for scenario in counted(run) {
        let name = &scenario.declared.name;
        let gap = match scenario.finished.map(|(it, _)| it.status) {
            None if scenario.attempts > 0 => "did not end",
            None | Some(ScenarioStatus::NotRun) => "did not run",
            Some(_) => continue,
        };
        causes.push((ExitCode::Unknown, format!("{name} {gap}, and nothing says why")));
    }
}

fn partial(run: &Gathered<'_>, causes: &mut Causes) {
    if let Some(filter) = run.started.and_then(|(it, _)| it.filter.as_ref()) {
        causes.push((ExitCode::Partial, format!("only a part was judged: {filter}")));
    }
    for scenario in counted(run) {
        if let Some((finished, _)) = scenario.finished
            && finished.status == ScenarioStatus::Skipped
        {
            let why = finished.reason.as_deref().unwrap_or("no reason given");
            let reason = format!("{} was skipped: {why}", scenario.declared.name);
            causes.push((ExitCode::Partial, reason));
        }
    }
}

fn counted<'r, 'a>(run: &'r Gathered<'a>) -> impl Iterator<Item = &'r FoldedScenario<'a>> {
    run.scenarios.iter().filter(|scenario| scenario.declared.part != Part::Excluded)
}

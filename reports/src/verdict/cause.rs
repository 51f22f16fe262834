//! Why a run did not pass: the first thing in its journal that speaks against it, and whose it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codes::ExitCode;
use super::rules::list_causes;
use crate::evidence::RecordRef;
use crate::fold::Gathered;
use crate::record::{Duty, Verdict};

/// The first thing in the journal that speaks against the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The sort of thing that it is.
    pub kind: CauseKind,
    /// The stable name of it: an assertion's id, a detector, a rule of the gate, an intent's id, or the id of
    /// what is left.
    pub id: String,
    /// The scenario that it belongs to; null where it belongs to none.
    pub scenario: Option<String>,
    /// The hard stop that tripped, 1 to 8; null where it is none.
    pub hard_stop: Option<u8>,
    /// One sentence for people: what happened.
    pub sentence: String,
    /// The record that shows it.
    pub record: RecordRef,
}

impl Cause {
    pub(super) fn new(kind: CauseKind, id: &str, sentence: String, record: RecordRef) -> Self {
        Self { kind, id: id.to_owned(), scenario: None, hard_stop: None, sentence, record }
    }
}

/// The sort of thing that speaks against a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// An assertion does not hold.
    AssertionFailed,
    /// Whether an assertion holds could not be established.
    AssertionUnknown,
    /// A scenario failed, and no assertion of it says why.
    ScenarioFailed,
    /// A scenario came to no result, and no assertion of it says why.
    ScenarioUnknown,
    /// One of the eight hard stops tripped.
    HardStop,
    /// The owner's go was not accepted.
    GoRefused,
    /// Whether a change was made could not be established.
    MutationUnknown,
    /// Something is there that should not be.
    Residue,
    /// The run was asked to end early.
    Signal,
    /// A later command brought the run to its end.
    Recovery,
    /// The lab could not be used.
    Unavailable,
    /// The operator's credentials could not be renewed.
    OperatorLost,
    /// The run's own record is gone or was changed.
    JournalLost,
    /// The harness has a bug.
    HarnessBroke,
}

/// Whose the problem is: that of the programs under test, of the lab, of the harness, or of nobody, since a
/// rule of safety was about to be broken and was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Classification {
    /// routerd, its executor or its planner did not do what the runbook asks.
    Product,
    /// The lab is not as it has to be, could not be looked at, or has something left in it.
    Lab,
    /// `lab-smoke` itself, or the place where it keeps its record.
    Harness,
    /// A hard stop tripped, or the go was refused.
    Safety,
}

/// The first cause by its record's number; none where nothing speaks against the run but that it waits
/// or is only a part.
pub(crate) fn find_first_cause(run: &Gathered<'_>) -> Option<Cause> {
    let counts = |code: ExitCode| !matches!(code, ExitCode::Pending | ExitCode::Partial);
    let causes = list_causes(run).into_iter().filter(|it| counts(it.code));
    causes.filter_map(|it| it.cause).min_by_key(|it| it.record.record)
}

/// Whose the problem is, by the verdict and the first cause: none for a verdict that names no problem.
///
/// | cause | class |
/// |---|---|
/// | a hard stop, a refused go | safety |
/// | the harness broke, its record is lost, nothing says why | harness |
/// | the lab cannot be used, credentials ended, an outcome or an assertion is unknown, something is left | lab |
/// | an assertion failed in a scenario that the owner decides on (preflight) | lab |
/// | any other assertion or scenario failed | product |
/// | a signal or a recovery, with a verdict that names a problem | lab |
pub fn classify_cause(
    verdict: Verdict,
    cause: Option<&Cause>,
    decides: impl Fn(&str) -> bool,
) -> Option<Classification> {
    use CauseKind as Kind;
    match verdict {
        Verdict::Pass
        | Verdict::Partial
        | Verdict::AwaitingGo
        | Verdict::Parked
        | Verdict::Interrupted => return None,
        Verdict::Bug => return Some(Classification::Harness),
        Verdict::Stopped => return Some(Classification::Safety),
        Verdict::Unavailable => return Some(Classification::Lab),
        Verdict::Fail | Verdict::Unknown | Verdict::Residue => {}
    }
    let Some(cause) = cause else { return Some(Classification::Harness) };
    let preparing = cause.scenario.as_deref().is_some_and(decides);
    Some(match cause.kind {
        Kind::HardStop | Kind::GoRefused => Classification::Safety,
        Kind::HarnessBroke | Kind::JournalLost => Classification::Harness,
        Kind::AssertionFailed | Kind::ScenarioFailed if !preparing => Classification::Product,
        Kind::AssertionFailed
        | Kind::ScenarioFailed
        | Kind::AssertionUnknown
        | Kind::ScenarioUnknown
        | Kind::MutationUnknown
        | Kind::Residue
        | Kind::Signal
        | Kind::Recovery
        | Kind::Unavailable
        | Kind::OperatorLost => Classification::Lab,
    })
}

/// Whether the owner decides on what this scenario finds.
pub(crate) fn decides(run: &Gathered<'_>, scenario: &str) -> bool {
    run.scenarios_that(Duty::Decides).any(|it| it.declared.name == scenario)
}

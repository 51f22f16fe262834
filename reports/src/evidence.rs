//! The contents of a run's `evidence.json`: a fold over its journal, and nothing else.
//!
//! [`fold_records`] is total: every prefix of a journal gives valid evidence, so that the report of a run
//! that was killed says what is known, and says of the rest that it is unknown or was not run.

mod back;
mod course;
mod folding;
mod next;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::effect::Effect;
use crate::operation::Operation;
use crate::record::{
    AddressRead, AssertionStatus, Attachment, Calls, Chapter, Class, Facts, FactsDiffer, GoBurnt,
    GoRefused, GoVerified, LabKind, LabTarget, LockTaken, OperatorIdentified, OperatorLost,
    OutageRecorded, Outcome, Part, Permit, Program, ProofSought, Record, ResidueItem, Retried,
    ScenarioStatus, SchemaVersion,
};
use crate::verdict::{Cause, Classification, Judgement};

pub use back::{
    Attribute, Change, ChangeState, NotRestored, ObservedChange, Restored, SeenValue,
    TeardownState, TornDown, TornPart,
};
pub use course::{
    Actor, ActorKind, Attempt, BadAssertion, CostSoFar, RunState, RunningInstance, Wait, WaitedFor,
};
pub use folding::fold_records;
pub use next::{NextStep, RUN_PLACEHOLDER, Who, list_next_steps, split_command};

/// One record of the journal, by its number, and the lab's time of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRef {
    /// Its `seq`: 0 for the first.
    pub record: u64,
    /// By the lab's clock.
    pub at: DateTime<Utc>,
}

impl RecordRef {
    pub(crate) fn of(record: &Record) -> Self {
        Self { record: record.seq, at: record.at }
    }
}

/// The evidence of one run. What is null was not established.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// A reader of another major number refuses it; of a higher minor one, it ignores what it does not know.
    pub schema_version: SchemaVersion,
    /// Null where the journal has no line yet.
    pub run: Option<Run>,
    pub verdict: Judgement,
    /// Whose the problem is; null for a verdict that names none.
    pub classification: Option<Classification>,
    /// The first thing in the journal that speaks against the run; null where nothing does.
    pub cause: Option<Cause>,
    /// The things that somebody has to do, or may do, next, in their order; empty where there is nothing.
    pub next: Vec<NextStep>,
    pub journal: JournalHead,
    /// Where the run acts, as its manifest says; null where the journal does not say.
    pub target: Option<LabTarget>,
    /// Who and what acts in the lab.
    pub actors: Vec<Actor>,
    /// Who asked EC2, on a lab where that is not built in; the last command's.
    pub operator: Option<OperatorIdentified>,
    /// Why the last command's credentials could not be renewed.
    pub operator_lost: Option<OperatorLost>,
    /// The addresses that EC2 told whenever a node was to be connected to.
    pub addresses: Vec<AddressRead>,
    pub lab_fingerprint: Option<Digest>,
    pub facts_digest: Option<Digest>,
    /// The facts that the owner decided on.
    pub facts: Option<Facts>,
    pub change_set: Option<Value>,
    pub undo_plan: Option<UndoPlan>,
    /// The attributes of the ENI that the run changes: before, during and after.
    pub changes: Vec<Change>,
    /// The parts of the lab that the teardown ends, and what came of each.
    pub teardown: Vec<TornDown>,
    /// Whether the lab is as it was before the run.
    pub restored: Restored,
    /// The things that are not as they were, or of which nobody knows.
    pub not_restored: Vec<NotRestored>,
    /// The instances of the lab, and whether each runs.
    pub running: Vec<RunningInstance>,
    pub gate: Gate,
    /// In the order of the sequence.
    pub scenarios: Vec<Scenario>,
    /// The attempts at a scenario that a later one took the place of, in their order.
    pub attempts: Vec<Attempt>,
    /// The waits: for the owner, and for the stages of a lab that was woken.
    pub waits: Vec<Wait>,
    pub mutations: Vec<Mutation>,
    pub hard_stops: Vec<HardStop>,
    /// routerd's own journal.
    pub journal_rows: Sides,
    /// ENI, instances, nodes.
    pub state: Sides,
    /// How long the captured address was out of reach, for each scenario that moved it.
    pub outages: Vec<OutageRecorded>,
    /// The facts that are not as the owner was shown them, where a resumed run found some.
    pub facts_differ: Option<FactsDiffer>,
    pub cost: CostSoFar,
    /// The things that are left and should not be; null where nobody has looked.
    pub residue: Option<Vec<ResidueItem>>,
    /// The things that stay and harm nobody: those that the manifest names, and rows that nobody approved.
    pub kept: Vec<ResidueItem>,
    pub retries: Vec<Retried>,
    pub attachments: Vec<Attachment>,
    /// Signals, in the order of their arrival.
    pub signals: Vec<String>,
    /// Why `recover` brought the run to its end.
    pub recovered: Option<String>,
}

/// The run that the evidence is about: its tool, its lab, and its begin and end by the lab's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub id: String,
    pub tool: Program,
    pub lab_kind: LabKind,
    pub lab_name: String,
    pub seed: Option<u64>,
    pub faults: Vec<String>,
    pub filter: Option<String>,
    pub started_at: DateTime<Utc>,
    /// Null for a run that is live, pending or dead.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The undo and teardown plan, with the words that are derived from each step's operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoPlan {
    pub digest: Digest,
    pub steps: Vec<PlannedStep>,
}

/// One step of the undo and teardown plan, with the command that does the same by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedStep {
    /// The step's id, as `undo.forwarding`.
    pub id: String,
    pub section: String,
    pub operation: Operation,
    pub what: String,
    pub resource: String,
    /// The prior state it goes back to; null for a step of teardown, which goes back to none.
    pub restores: Value,
    /// The command with which the owner can do it by hand.
    pub owner_command: String,
}

/// Binds the evidence to the journal that it was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalHead {
    /// Digest of the last line; all zeros for an empty journal.
    pub head: Digest,
    pub records: u64,
    pub last_at: Option<DateTime<Utc>>,
}

/// The state of the owner's go, as the run's journal last had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GateStatus {
    /// No go was looked at yet.
    Awaiting,
    Refused,
    Verified,
    /// The go is used, by this run.
    Burnt,
}

/// The owner's go and the lab's lock: what became of each, and when by the lab's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub status: GateStatus,
    /// True where the lab granted the go to itself.
    pub self_granted: bool,
    pub verified: Option<GoVerified>,
    pub verified_at: Option<DateTime<Utc>>,
    /// The last refusal that no verified go followed.
    pub refused: Option<GoRefused>,
    pub refused_at: Option<DateTime<Utc>>,
    pub burnt: Option<GoBurnt>,
    pub burnt_at: Option<DateTime<Utc>>,
    /// The answer that `recover` found when it asked again for the proof; null where it had no need to.
    pub proof: Option<ProofSought>,
    pub lock: Option<LockTaken>,
    pub lock_taken_at: Option<DateTime<Utc>>,
    pub lock_released_at: Option<DateTime<Utc>>,
}

/// One scenario of the run, with its result and the assertions of its last attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    /// The runbook's section, as `§7`.
    pub section: String,
    pub class: Class,
    /// The part of a run that people look for it in; absent where a tool wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chapter: Option<Chapter>,
    /// The question that it answers, for people; absent where a tool wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    pub part: Part,
    pub needs: Vec<String>,
    pub status: ScenarioStatus,
    /// Always there for skipped, not-applicable and not-run.
    pub reason: Option<String>,
    /// How often it was started; what follows is of the last time.
    pub attempts: u32,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Milliseconds from the last attempt's start to its end.
    pub duration_ms: Option<u64>,
    pub calls: Option<Calls>,
    pub assertions: Vec<Assertion>,
}

/// One comparison of an expected with an observed value, and the raw answers that it was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    pub id: String,
    pub status: AssertionStatus,
    pub expected: Value,
    pub observed: Value,
    /// The call or command by which it was observed.
    pub how: String,
    /// Digests of the raw answers, under `attachments/`.
    pub raw: Vec<Digest>,
    pub message: Option<String>,
    pub at: DateTime<Utc>,
    /// The number of its record.
    pub record: u64,
}

/// One change that the run made or tried to make, from its intent to its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    pub id: String,
    pub scenario: String,
    pub permit: Permit,
    /// The name of what was done, for people: derived from the effect, as is the resource.
    pub what: String,
    pub resource: String,
    pub effect: Effect,
    pub intended_at: DateTime<Utc>,
    /// The number of the intent's record.
    pub record: u64,
    /// Unknown where no outcome was recorded.
    pub outcome: Outcome,
    pub outcome_at: Option<DateTime<Utc>>,
    /// The number of the outcome's record; null where none was recorded.
    pub outcome_record: Option<u64>,
    pub detail: String,
    /// The service's id of the request, as CloudTrail has it; null where no answer carried one.
    pub request_id: Option<String>,
    pub samples: Vec<Value>,
    /// The step of the undo plan that takes it back, or that it carries out.
    pub undo: Option<String>,
    /// The outcome of that step; null where it was not tried, or for an undo itself.
    pub undone: Option<Outcome>,
}

/// One hard stop of the runbook's §8, with how often it was checked and each time it tripped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HardStop {
    pub number: u8,
    /// The runbook's words.
    pub words: String,
    pub armed: bool,
    /// Why it is not armed.
    pub reason: Option<String>,
    /// The thing to do once it has tripped, before the smoke is run again.
    pub remedy: String,
    pub checks: u64,
    /// By name.
    pub detectors: Vec<Detector>,
    pub tripped: Vec<Trip>,
}

/// One detector of a hard stop, and the number of times that it looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    pub name: String,
    pub checks: u64,
}

/// One moment at which a detector tripped its hard stop, with the resource that made it trip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trip {
    pub at: DateTime<Utc>,
    /// The number of its record.
    pub record: u64,
    pub detector: String,
    pub scenario: String,
    pub reason: String,
    pub resource: String,
}

/// Side by side, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sides {
    pub baseline: Option<Value>,
    #[serde(rename = "final")]
    pub last: Option<Value>,
}

impl Evidence {
    /// The bytes of `evidence.json`.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

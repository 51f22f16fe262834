//! The contents of a run's `evidence.json`: a fold over its journal, and nothing else.
//!
//! [`fold_records`] is total: every prefix of a journal gives valid evidence, so that the report of a run
//! that was killed says what is known, and says of the rest that it is unknown or was not run.

mod folding;

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
    AddressRead, AssertionStatus, Attachment, Calls, Class, CostRecorded, Facts, FactsDiffer,
    GoBurnt, GoRefused, GoVerified, LabKind, LockTaken, NodeWoke, OperatorIdentified, OperatorLost,
    OutageRecorded, Outcome, Part, Permit, Program, ProofSought, ResidueItem, Retried,
    ScenarioStatus,
};
use crate::verdict::Judgement;

pub use folding::fold_records;

/// The evidence of one run. What is null was not established.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub schema_version: u32,
    /// Null where the journal has no line yet.
    pub run: Option<Run>,
    pub verdict: Judgement,
    pub journal: JournalHead,
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
    /// The programs under test.
    pub programs: Vec<Program>,
    pub undo_plan: Option<UndoPlan>,
    pub gate: Gate,
    /// In the order of the sequence.
    pub scenarios: Vec<Scenario>,
    pub mutations: Vec<Mutation>,
    pub hard_stops: Vec<HardStop>,
    /// routerd's own journal.
    pub journal_rows: Sides,
    /// ENI, instances, nodes.
    pub state: Sides,
    /// How long the captured address was out of reach, for each scenario that moved it.
    pub outages: Vec<OutageRecorded>,
    /// The stages that each node came to, or did not, where the lab was woken.
    pub wakes: Vec<NodeWoke>,
    /// The facts that are not as the owner was shown them, where a resumed run found some.
    pub facts_differ: Option<FactsDiffer>,
    pub cost: Option<CostRecorded>,
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
    /// Unknown where no outcome was recorded.
    pub outcome: Outcome,
    pub outcome_at: Option<DateTime<Utc>>,
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

//! The run journal's vocabulary: one closed enum of record kinds, and nothing that depends on a
//! cloud SDK. `evidence.json` is a fold over these records and over nothing else.

mod declared;
mod effects;
mod ended;
mod granted;
mod judged;
mod operator;
mod seen;
mod version;
mod woken;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
pub use crate::effect::{Effect, Goal, Power};
pub use crate::operation::Operation;
pub use declared::{
    Chapter, Class, Duty, LabDeclared, LabKind, LabTarget, Part, Program, RunStarted,
    ScenarioDeclared, StopDeclared, TargetNode,
};
pub use effects::{Intent, Outcome, OutcomeRecorded, Permit};
pub use ended::{
    HarnessBroke, Interrupted, JournalLost, LabGone, LabUnavailable, RecoveryStarted, RunFinished,
    Verdict,
};
pub use granted::{
    Facts, FactsRecorded, GoBurnt, GoRefused, GoVerified, InstanceFacts, LabFacts, LabIdentity,
    LockReleased, LockTaken, ProofOutcome, ProofSought, RoleFacts, RouterYamlFacts, UndoPlanned,
    UndoStep,
};
pub use judged::{
    Assertion, AssertionStatus, Attachment, Calls, Retried, ScenarioFinished, ScenarioStarted,
    ScenarioStatus, StopArmed, StopChecked, StopTripped,
};
pub use operator::{
    AddressRead, AskedElsewhere, IdentityLink, OperatorIdentified, OperatorLost, Renewal,
};
pub use seen::{
    CostRecorded, Datagrams, FlowOutage, InstancesFound, Life, NobodysFound, Outage,
    OutageRecorded, Phase, ResidueItem, ResidueListed, ResourceKind, ResourceSeen, ResourcesSeen,
    RowsRecorded, StateRecorded,
};
pub use version::SchemaVersion;
pub use woken::{FactDifference, FactsDiffer, NodeWoke, WakeStage};

/// Version of the journal and of `evidence.json`. The major number is raised with every change of meaning, the
/// minor one with every addition.
pub const SCHEMA_VERSION: SchemaVersion = SchemaVersion { major: 6, minor: 0 };

/// One line of `journal.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// 0 for the first line, then one more for each.
    pub seq: u64,
    /// SHA-256 of the bytes of the line before, without its newline; all zeros for the first line.
    pub prev: Digest,
    /// The lab's clock (virtual time on the mock).
    pub at: DateTime<Utc>,
    #[serde(flatten)]
    pub kind: Kind,
}

/// Everything that can be said in a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "data", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "a journal has one record of the largest")]
pub enum Kind {
    RunStarted(RunStarted),
    OperatorIdentified(OperatorIdentified),
    OperatorLost(OperatorLost),
    AddressRead(AddressRead),
    ScenarioStarted(ScenarioStarted),
    AttachmentStored(Attachment),
    AssertionMade(Assertion),
    ScenarioFinished(ScenarioFinished),
    FactsRecorded(Box<FactsRecorded>),
    UndoPlanned(UndoPlanned),
    GoVerified(GoVerified),
    GoRefused(GoRefused),
    LockTaken(LockTaken),
    LockRenewed(LockTaken),
    LockReleased(LockReleased),
    GoBurnt(GoBurnt),
    Intent(Intent),
    Outcome(OutcomeRecorded),
    StopChecked(StopChecked),
    StopTripped(StopTripped),
    StopArmed(StopArmed),
    RowsRecorded(RowsRecorded),
    StateRecorded(StateRecorded),
    InstancesFound(InstancesFound),
    NobodysFound(NobodysFound),
    Retried(Retried),
    OutageRecorded(OutageRecorded),
    CostRecorded(CostRecorded),
    ResourcesSeen(ResourcesSeen),
    ResidueListed(ResidueListed),
    Interrupted(Interrupted),
    RecoveryStarted(RecoveryStarted),
    ProofSought(ProofSought),
    LabGone(LabGone),
    LabUnavailable(LabUnavailable),
    HarnessBroke(HarnessBroke),
    JournalLost(JournalLost),
    NodeWoke(NodeWoke),
    FactsDiffer(FactsDiffer),
    RunFinished(RunFinished),
}

//! The run journal's vocabulary: one closed enum of record kinds, and nothing that depends on a
//! cloud SDK. `evidence.json` is a fold over these records and over nothing else.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
pub use crate::operation::Operation;

/// Version of the journal and of `evidence.json`. Raised with every meaningful change of a field.
pub const SCHEMA_VERSION: u32 = 2;

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
pub enum Kind {
    RunStarted(RunStarted),
    ScenarioStarted(ScenarioStarted),
    AttachmentStored(Attachment),
    AssertionMade(Assertion),
    ScenarioFinished(ScenarioFinished),
    FactsRecorded(FactsRecorded),
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
    RunFinished(RunFinished),
}

/// The first record of every run: it names all scenarios and stops, so that whatever never
/// happens can be reported as `not-run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStarted {
    pub schema_version: u32,
    pub run_id: String,
    pub tool: Program,
    pub lab: LabDeclared,
    /// The mock's seed; absent on every other lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Injected faults as they were given, `NAME` or `NAME=ARG`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Present on a run of which only a part is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    pub scenarios: Vec<ScenarioDeclared>,
    pub stops: Vec<StopDeclared>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    pub name: String,
    /// As the program says it itself; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it lies on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// SHA-256 of the program's file, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabKind {
    Mock,
    Netns,
    Aws,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabDeclared {
    pub kind: LabKind,
    pub name: String,
    /// The manifest's text, as it was read.
    pub manifest: String,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    ReadOnly,
    Node,
    Mutating,
    Destructive,
}

/// Why a scenario is in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Its verdict counts.
    Judged,
    /// Something that is judged needs it.
    Prerequisite,
    /// It must follow what was run.
    Followup,
    /// A filter left it out.
    Excluded,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioDeclared {
    pub name: String,
    /// Of the runbook, as `§7`.
    pub section: String,
    pub class: Class,
    pub needs: Vec<String>,
    pub part: Part,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopDeclared {
    /// 1 to 8, as in the runbook's §8.
    pub number: u8,
    /// The runbook's words.
    pub words: String,
    pub armed: bool,
    /// Why it is not armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioStarted {
    pub scenario: String,
}

/// A raw answer, kept under `attachments/` by its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    pub digest: Digest,
    /// SHA-256 of the answer as it came, where what is kept is something else: it is without its
    /// secrets, or of a file that not everybody may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_sha256: Option<Digest>,
    pub bytes: u64,
    pub media_type: String,
    /// The call or command that gave it, as `ec2 DescribeNetworkInterfaces` or `cloud-client$ ip -j route`.
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AssertionStatus {
    Passed,
    Failed,
    /// What is so could not be established.
    Unknown,
    Skipped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    pub scenario: String,
    /// Unique within its scenario and stable between versions, as `eni-address.present`.
    pub id: String,
    pub status: AssertionStatus,
    pub expected: Value,
    pub observed: Value,
    /// How it was observed: the call or command.
    pub how: String,
    /// Digests of the raw answers it was read from.
    pub raw: Vec<Digest>,
    /// For people: what is wrong and what to do, or why it was skipped; none where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioStatus {
    Passed,
    Failed,
    Unknown,
    Skipped,
    NotApplicable,
    NotRun,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFinished {
    pub scenario: String,
    pub status: ScenarioStatus,
    /// Always present for skipped, not-applicable and not-run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub calls: Calls,
}

/// How much was asked of the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    pub ec2: u32,
    pub node: u32,
}

/// The preflight facts: what the owner decides on, and the digest a go binds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactsRecorded {
    pub facts: Value,
    /// SHA-256 of the canonical JSON of `facts`.
    pub facts_digest: Digest,
    /// Which lab it is.
    pub lab: LabIdentity,
    /// SHA-256 of the canonical JSON of `lab`.
    pub lab_fingerprint: Digest,
    pub change_set: Value,
    pub programs: Vec<Program>,
}

/// Which lab: what its fingerprint is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabIdentity {
    pub kind: LabKind,
    pub account_id: String,
    pub region: String,
    pub vpc_id: String,
    pub network_interface_id: String,
    /// Of the nodes that are instances, in the order of the nodes' names.
    pub instance_ids: Vec<String>,
    /// Name and public host key of each node.
    pub host_keys: Vec<(String, String)>,
}

/// Every step of undo and teardown, written down before anything is asked for (hard stop 4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoPlanned {
    pub steps: Vec<UndoStep>,
    /// SHA-256 of the canonical JSON of `steps`.
    pub digest: Digest,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoStep {
    /// As `undo.forwarding`.
    pub id: String,
    pub section: String,
    /// What is done, with every parameter: the words for people are derived from it.
    pub operation: Operation,
    /// The prior state it goes back to; null for a step that only destroys.
    pub restores: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoVerified {
    /// SHA-256 of the bytes of `go.json`.
    pub go_digest: Digest,
    pub principal: String,
    /// `SHA256:…`, as ssh-keygen shows it.
    pub key_fingerprint: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    pub undo_plan_digest: Digest,
    /// True where the lab granted it to itself (mock and netns only).
    pub self_granted: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoRefused {
    /// Stable name of the rule that refused it, as `expired`.
    pub rule: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockTaken {
    pub path: String,
    pub lease_until: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockReleased {
    pub path: String,
}

/// The go is used from here on. Written to the disk before the node's own burn, which holds the
/// hash of this very line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoBurnt {
    pub go_digest: Digest,
    /// The file on the routerd node.
    pub path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permit {
    Forward,
    Undo,
    Cost,
}

/// Written and synced before the effect, with everything that undoing it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Unique within the run.
    pub id: String,
    pub scenario: String,
    pub permit: Permit,
    /// As `routerctl action execute` or `ec2 StopInstances`.
    pub what: String,
    pub resource: String,
    pub request: Value,
    /// The id of the step of the undo plan that takes it back, where there is one; in an undo's
    /// own intent, the id of the step that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done,
    NotDone,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRecorded {
    /// The intent's id.
    pub intent: String,
    pub outcome: Outcome,
    pub detail: String,
    /// What was read back, in order, until it was settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopChecked {
    pub stop: u8,
    /// Stable name of the detector, as `foreign-address-on-eni`.
    pub detector: String,
    pub scenario: String,
}

/// A later command of the same run arms or disarms a stop; the last one says how it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopArmed {
    pub stop: u8,
    pub armed: bool,
    /// Why it is not armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopTripped {
    pub stop: u8,
    pub detector: String,
    pub scenario: String,
    pub reason: String,
    pub resource: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Baseline,
    Final,
}

/// routerd's own journal as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsRecorded {
    pub phase: Phase,
    pub rows: Value,
}

/// The lab's state: ENI, instances, nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateRecorded {
    pub phase: Phase,
    pub state: Value,
}

/// A read that had to be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retried {
    pub scenario: String,
    pub call: String,
    pub attempts: u32,
    pub error: String,
}

/// How long the captured address was out of reach while a scenario moved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutageRecorded {
    /// `execute` or `undo`.
    pub scenario: String,
    pub outage: Outage,
    /// Digests of what the probes on the nodes said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raw: Vec<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outage {
    /// By numbered datagrams between the clients, one flow for each direction, with the receiving
    /// kernel's times.
    Measured {
        flows: Vec<FlowOutage>,
    },
    NotMeasured {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowOutage {
    pub source: String,
    pub destination: String,
    /// A datagram was sent every so often; no figure is finer.
    pub resolution_us: u64,
    /// The longest silence of the control run: right before or after the change, while the path was
    /// up. Null where it was up neither before nor after.
    pub noise_floor_us: Option<u64>,
    /// The control run's.
    pub control: Option<Datagrams>,
    /// While it was changed.
    pub change: Datagrams,
    /// The longest silence between two datagrams that arrived with others lost between them, less
    /// the resolution; 0 where none was lost between two. Null where the path was never up.
    pub outage_us: Option<u64>,
    /// How many datagrams were lost in it.
    pub lost_in_outage: u64,
    /// From the change's begin to the first that arrived, where the path was not up before.
    pub reachable_after_us: Option<u64>,
    /// From the change's begin to the last that arrived, where the path was not up afterwards.
    pub unreachable_after_us: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Datagrams {
    pub sent: u64,
    pub received: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostRecorded {
    /// Sum over the lab's instances of the seconds each was seen running.
    pub instance_seconds: u64,
    /// The manifest's ceiling; null where the manifest says `none`.
    pub max_instance_seconds: Option<u64>,
}

/// What hangs on the lab's instances and may cost money, as EC2 showed it at the record's time. Who
/// comes later asks for it by id: a tag may be lost, and what it hung on may be gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesSeen {
    pub resources: Vec<ResourceSeen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceSeen {
    pub kind: ResourceKind,
    pub id: String,
    pub life: Life,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    Instance,
    NetworkInterface,
    Volume,
    /// An elastic IP address.
    Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    Alive,
    /// EC2 said so itself, as of an instance that is `terminated`.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResidueListed {
    pub items: Vec<ResidueItem>,
    /// What stays and harms nobody: what the manifest names, and rows that nobody approved.
    pub kept: Vec<ResidueItem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResidueItem {
    pub resource: String,
    pub id: String,
    pub why: String,
    pub costs_money: bool,
    /// What the owner can run to settle it.
    pub owner_commands: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// `SIGINT` or `SIGTERM`.
    pub signal: String,
}

/// A dead or pending run is being brought to its end by `recover`: it can no longer pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryStarted {
    pub why: String,
}

/// `recover` asked again for the proof that the go was given, and used by this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofSought {
    pub outcome: ProofOutcome,
    /// Why there is none; empty where there is one.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProofOutcome {
    /// The signature holds as of the time of the burn, and the node has the burn.
    SignatureAndBurn,
    /// This run's own plan has ended the node that had the burn.
    SignatureAlone,
    /// The signature holds, and the node says that the go was never used.
    NeverBurnt,
    /// Nothing is terminated, released or deleted.
    None,
}

/// The run's lab is not there any more, and with it went whatever the run began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabGone {
    /// How that is known.
    pub proof: String,
}

/// The lab cannot be used, and nothing was touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabUnavailable {
    pub reason: String,
    /// Who holds its lock, where somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
}

/// Somebody has removed or changed what the run had written: nothing forward was begun after that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalLost {
    /// What is gone, with its path.
    pub why: String,
}

/// A bug in the harness itself, as a caught panic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HarnessBroke {
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Fail,
    AwaitingGo,
    Parked,
    Stopped,
    Unknown,
    Residue,
    Partial,
    Unavailable,
    Interrupted,
    /// The harness itself broke.
    Bug,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunFinished {
    pub verdict: Verdict,
    pub exit_code: u8,
    pub reasons: Vec<String>,
}

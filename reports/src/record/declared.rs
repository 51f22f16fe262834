//! The records of what a run is declared to be before anything happens: its lab, its scenarios, its
//! stops.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SchemaVersion;
use crate::digest::Digest;

/// The first record of every run: it names all scenarios and stops, so that whatever never
/// happens can be reported as `not-run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStarted {
    pub schema_version: SchemaVersion,
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

/// One program that a run uses or tests, identified by its version and by the digest of its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    pub name: String,
    /// The version as the program itself says it; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it lies on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// SHA-256 of the program's file, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// The kind of lab: the mock's simulation, network namespaces of one kernel, or AWS itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabKind {
    Mock,
    Netns,
    Aws,
}

/// The lab that the run was started on, with the manifest that describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabDeclared {
    pub kind: LabKind,
    pub name: String,
    /// The manifest's text, as it was read.
    pub manifest: String,
    /// The part of the manifest that says where the run acts; absent where a tool wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<LabTarget>,
}

/// The place where a run is to act, as its manifest names it: known before anybody has looked, and also
/// where preflight failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabTarget {
    /// The AWS account: 12 digits.
    pub account_id: String,
    /// The AWS region, as `ap-northeast-1`.
    pub region: String,
    /// The VPC of the captured address.
    pub vpc_id: String,
    /// The subnet of the captured address.
    pub subnet_id: String,
    /// The ENI that is changed, and no other.
    pub network_interface_id: String,
    /// The address that is captured, a /32.
    pub address: String,
    /// The nodes, in the order of their names.
    pub nodes: Vec<TargetNode>,
    /// The ceiling of the instances' running seconds, summed; null where the manifest says `none`.
    pub max_instance_seconds: Option<u64>,
    /// The names of those who may grant the go, as the manifest's allowed signers have them.
    pub principals: Vec<String>,
}

/// One node of the lab, as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetNode {
    /// The node's name, as `routerd-cloud`.
    pub name: String,
    /// The address that the smoke's packets use.
    pub address: String,
    /// The EC2 instance; null for a node that is none.
    pub instance_id: Option<String>,
}

/// The most that a scenario does: it reads, changes files or rows of a node, changes the cloud, or ends
/// parts of the lab.
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

/// One scenario of the sequence, as the run declared it before anything happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioDeclared {
    pub name: String,
    /// The runbook's section, as `§7`.
    pub section: String,
    pub class: Class,
    pub needs: Vec<String>,
    pub part: Part,
    /// Absent where nothing but its own assertions is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<Duty>,
    /// The part of a run that people look for it in; absent where a tool wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chapter: Option<Chapter>,
    /// The question that it answers, for people; absent where a tool wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
}

/// A part of a run, as people look for a scenario in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Chapter {
    /// Looking, planning the way back, and the owner's go.
    Before,
    /// Making the change.
    Change,
    /// Looking whether it works.
    Proof,
    /// Taking it back, ending what the manifest ends, and looking for what is left.
    Back,
}

/// For what a run's verdict asks a scenario, beside its assertions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Its pass is a part of what the owner decides on: a run may wait for a go once all of these passed.
    Decides,
    /// It looks whether what was changed is as it was before.
    Restores,
    /// It looks for what is left and should not be.
    Accounts,
}

/// One hard stop of the runbook, as the run declared it before anything happened.
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
    /// The thing to do once it has tripped, before the smoke is run again.
    #[serde(default)]
    pub remedy: String,
}

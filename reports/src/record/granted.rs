//! The records of what the owner decides on, and the go.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AskedElsewhere, LabKind, Program};
use crate::digest::Digest;
use crate::operation::Operation;

/// The preflight facts: what the owner decides on, and the digest a go binds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactsRecorded {
    pub facts: Facts,
    /// SHA-256 of the canonical JSON of `facts`.
    pub facts_digest: Digest,
    /// Which lab it is.
    pub lab: LabIdentity,
    /// SHA-256 of the canonical JSON of `lab`.
    pub lab_fingerprint: Digest,
    pub change_set: Value,
    pub programs: Vec<Program>,
}

/// The findings of preflight. An answer of EC2, a node or IAM is kept as it was said, without its secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub lab: LabFacts,
    pub account_id: String,
    pub region: String,
    pub vpc: Value,
    pub subnet: Value,
    pub route_table: Value,
    /// The part of the ENI that undo restores.
    pub interface: Value,
    pub instances: Vec<InstanceFacts>,
    /// A /32.
    pub captured_address: String,
    /// ENIs that have it.
    pub captured_address_holders: Vec<String>,
    pub role: RoleFacts,
    pub cloud_state: Option<Digest>,
    /// By the nodes' names.
    pub nodes: BTreeMap<String, Value>,
    pub router_yaml: RouterYamlFacts,
    pub programs: Vec<Program>,
    pub rows_of_earlier_runs: Vec<Value>,
    /// The services that are not asked at AWS's own endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<AskedElsewhere>,
    /// The waits of the manifest that are shorter than on AWS, in milliseconds by field: only a lab that
    /// is not AWS may have them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shortened_waits: BTreeMap<String, u64>,
}

/// The lab that the facts are about, by its kind and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabFacts {
    pub kind: LabKind,
    pub name: String,
}

/// One EC2 instance of the lab, as preflight saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceFacts {
    pub instance_id: String,
    pub instance_type: String,
    pub network_interface_ids: Vec<String>,
    /// Its ARN.
    pub instance_profile: Option<String>,
}

/// The executor's role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleFacts {
    pub name: String,
    /// Policies, as IAM has them.
    pub documents: Value,
    /// Which of them grant what.
    pub granted_by: Value,
    pub notes: Vec<String>,
}

/// The configuration of routerd on the routerd node, as preflight read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouterYamlFacts {
    pub sha256: Digest,
    /// Its ProviderActionPolicies.
    pub policies: Value,
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
    /// The ids of the nodes that are instances, in the order of the nodes' names.
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

/// One step of the undo and teardown plan, as the owner signs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoStep {
    /// The step's id, as `undo.forwarding`.
    pub id: String,
    pub section: String,
    /// The operation with every parameter: the words for people are derived from it.
    pub operation: Operation,
    /// The prior state it goes back to; null for a step of teardown, which goes back to none.
    pub restores: Value,
}

/// The record of a go that was accepted: who signed it, from when until when it is valid, and for which
/// undo plan.
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

/// The record of a go that was not accepted, and the rule that refused it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoRefused {
    /// Stable name of the rule that refused it, as `expired`.
    pub rule: String,
    pub reason: String,
}

/// The record that this run took the lab's lock or renewed its lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockTaken {
    pub path: String,
    pub lease_until: DateTime<Utc>,
}

/// The record that this run gave back the lab's lock.
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

/// `recover` asked again for the proof that the go was given, and used by this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofSought {
    pub outcome: ProofOutcome,
    /// Why there is none; empty where there is one.
    pub why: String,
}

/// The answer to whether the owner gave the go and this run used it.
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

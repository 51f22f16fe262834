//! The records of what scenarios and hard stops looked at, and what they judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;

/// The record that an attempt at a scenario began.
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

/// The result of one assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AssertionStatus {
    Passed,
    Failed,
    /// The state that the assertion is about could not be established.
    Unknown,
    Skipped,
}

/// The record of one comparison of an expected with an observed value.
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

/// The result of one scenario; where it is skipped, not-applicable or not-run, a reason is given.
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

/// The record that an attempt at a scenario ended, and how.
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

/// The record that a detector of a hard stop looked once; the stop has its number in the runbook's §8.
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

/// The record that a detector tripped its hard stop; the stop has its number in the runbook's §8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopTripped {
    pub stop: u8,
    pub detector: String,
    pub scenario: String,
    pub reason: String,
    pub resource: String,
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

//! Plans, as routerd keeps them before they are imported: the answer of a plugin's run and the
//! dynamic parts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{AnswerError, RouterctlOutput};
use crate::node::Output;

/// The action that takes a planned one back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanUndo {
    pub action: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// One action that a planner proposes. Keys that are not known stay in `other`, so that a
/// comparison with the approved change set sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub name: String,
    pub provider: String,
    pub action: String,
    #[serde(default)]
    pub target: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider_ref: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mode: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub risk_level: String,
    /// Empty means that routerd never imports it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub idempotency_key: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<PlanUndo>,
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A plugin was run, and its result is stored or was only tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct PluginRun {
    pub plugin: String,
    pub source: String,
    pub dry_run: bool,
    pub stored: bool,
    pub outcome: PluginOutcome,
    #[serde(rename(deserialize = "actionPlans"), deserialize_with = "deserialize_list")]
    pub plans: Vec<Plan>,
    #[serde(rename(deserialize = "part"), deserialize_with = "spec_of_part")]
    pub part: RunPart,
}

/// The outcome of a plugin's run: its exit code, its time, and what it wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct PluginOutcome {
    /// routerd leaves 0 out.
    #[serde(default)]
    pub exit_code: i32,
    pub duration_ms: u64,
    /// SHA-256 of what the planner wrote. (The part's own digest does not cover plans.)
    #[serde(default)]
    pub stdout_digest: Option<String>,
    #[serde(default)]
    pub stderr: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
}

/// The part that a run stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct RunPart {
    pub source: String,
    pub generation: u64,
    pub observed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub digest: String,
    #[serde(deserialize_with = "deserialize_list")]
    pub resources: Vec<Value>,
    #[serde(deserialize_with = "deserialize_list")]
    pub directives: Vec<Value>,
    #[serde(rename(deserialize = "actionPlans"), default, deserialize_with = "deserialize_list")]
    pub plans: Vec<Plan>,
}

/// One line of `dynamic list`: how much a part holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct PartCounts {
    pub source: String,
    pub generation: u64,
    pub status: String,
    pub resources: u64,
    pub directives: u64,
    #[serde(rename(deserialize = "actionPlans"))]
    pub plans: u64,
    pub expires_at: DateTime<Utc>,
}

/// A stored part with its plans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct DynamicPart {
    pub id: u64,
    pub source: String,
    pub generation: u64,
    pub status: String,
    pub stored_status: String,
    pub observed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub digest: String,
    #[serde(deserialize_with = "deserialize_list")]
    pub resources: Vec<Value>,
    #[serde(deserialize_with = "deserialize_list")]
    pub directives: Vec<Value>,
    #[serde(rename(deserialize = "actionPlans"), default, deserialize_with = "deserialize_list")]
    pub plans: Vec<Plan>,
    #[serde(default)]
    pub error: Option<String>,
}

/// The answer of `plugin run NAME -o json`.
pub fn plugin_run(command: &str, output: &Output) -> Result<PluginRun, AnswerError> {
    let answer = RouterctlOutput::new(command, output);
    let expected = "the plugin's outcome and plans, as JSON";
    let run: PluginRun = answer.json(expected)?;
    // The plans stand there twice; an answer that disagrees with itself proves nothing.
    if run.plans == run.part.plans { Ok(run) } else { Err(answer.ambiguous(expected)) }
}

/// The answer of `dynamic list -o json`.
pub fn read_parts(command: &str, output: &Output) -> Result<Vec<PartCounts>, AnswerError> {
    RouterctlOutput::new(command, output).json_list("the dynamic parts, as JSON")
}

/// The answer of `dynamic describe SOURCE -o json`.
pub fn parts_described(command: &str, output: &Output) -> Result<Vec<DynamicPart>, AnswerError> {
    RouterctlOutput::new(command, output).json_list("the dynamic parts with their plans, as JSON")
}

/// A list that Go writes as `null` when nothing is in it.
pub(super) fn deserialize_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

fn spec_of_part<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<RunPart, D::Error> {
    #[derive(Deserialize)]
    struct Wire {
        spec: RunPart,
    }
    Ok(Wire::deserialize(deserializer)?.spec)
}

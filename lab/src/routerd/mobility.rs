//! The answers of a routerd with a MobilityPool about it: resources by `get` and `describe`, the
//! owner table.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{AnswerError, RouterctlOutput};
use crate::node::Output;

/// A resource as the daemon shows it: its spec, and the status that the daemon keeps of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Resource {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    #[serde(default)]
    pub spec: Value,
    /// Null where the daemon has not looked at it yet.
    #[serde(default)]
    pub status: Value,
}

impl Resource {
    /// The status of a MobilityPool; none where it is another kind, or has no status yet.
    pub fn pool(&self) -> Option<Pool> {
        (self.kind == "MobilityPool").then(|| Pool::deserialize(&self.status).ok()).flatten()
    }
}

/// The answer of `get`: resources of a kind, or the daemon's own status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    #[serde(default, deserialize_with = "super::dynamic::deserialize_list")]
    pub items: Vec<Resource>,
    #[serde(default)]
    pub status: Option<Value>,
}

/// A MobilityPool as its daemon sees it. Ready alone proves nothing: a pool without plans is
/// ready as well, so the owner row counts too (contract §5.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Pool {
    pub phase: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub provider_action_phase: String,
    #[serde(
        default,
        rename(deserialize = "ownershipResolverControlPlaneOwnerTable"),
        deserialize_with = "super::dynamic::deserialize_list"
    )]
    pub owners: Vec<Owner>,
}

/// Who has an address, and who captures it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Owner {
    /// Empty in the pool's own table.
    #[serde(default)]
    pub pool: String,
    /// With its prefix length, as `10.88.60.9/32`.
    pub address: String,
    /// OK, Conflict, Stale or Unknown.
    pub state: String,
    pub class: String,
    #[serde(default)]
    pub owner_node: Option<String>,
    #[serde(default)]
    pub owner_provider_ref: Option<String>,
    #[serde(default, rename(deserialize = "ownerNICRef"))]
    pub owner_nic_ref: Option<String>,
    #[serde(default)]
    pub owner_resource_ref: Option<String>,
    #[serde(default)]
    pub capture_holder_node: Option<String>,
    #[serde(default)]
    pub capture_disposition: Option<String>,
    #[serde(default)]
    pub capture_reason: Option<String>,
    #[serde(default)]
    pub capture_state: Option<String>,
    #[serde(default)]
    pub conflict_reason: Option<String>,
}

/// The answer of `get KIND -o json`.
pub fn read_resources(command: &str, output: &Output) -> Result<Resources, AnswerError> {
    let answer = RouterctlOutput::new(command, output);
    of_kind(&answer, "GetResult", "a GetResult, as JSON")
}

/// The answer of `describe KIND/NAME -o json`.
pub fn read_described(command: &str, output: &Output) -> Result<Resource, AnswerError> {
    #[derive(Deserialize)]
    struct Described {
        resource: Resource,
    }
    let answer = RouterctlOutput::new(command, output);
    let described: Described = of_kind(&answer, "DescribeResult", "a DescribeResult, as JSON")?;
    Ok(described.resource)
}

/// The answer of `mobility owners -o json`.
pub fn read_owners(command: &str, output: &Output) -> Result<Vec<Owner>, AnswerError> {
    RouterctlOutput::new(command, output).json_list("the owner table, as JSON")
}

fn of_kind<T: serde::de::DeserializeOwned>(
    answer: &RouterctlOutput<'_>,
    kind: &str,
    expected: &'static str,
) -> Result<T, AnswerError> {
    let value: Value = answer.json(expected)?;
    if value.get("kind").and_then(Value::as_str) != Some(kind) {
        return Err(answer.ambiguous(expected));
    }
    T::deserialize(value).map_err(|_| answer.ambiguous(expected))
}

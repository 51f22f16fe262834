//! A row of routerd's journal: the only thing that says how an action stands.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::answer::{AnswerError, RouterctlOutput};
use super::dynamic::PlanUndo;
use crate::node::Output;

/// The status of a row, in routerd's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowStatus {
    Pending,
    Approved,
    /// Nothing in routerctl can move a row out of it (contract §1.8).
    Running,
    Succeeded,
    Failed,
    Skipped,
    RolledBack,
    /// A word of a routerd that is newer than this program.
    Unknown(String),
}

impl RowStatus {
    /// Reads routerd's word; one that is not known is kept as [`Self::Unknown`].
    pub fn parse(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "approved" => Self::Approved,
            "running" => Self::Running,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "skipped" => Self::Skipped,
            "rolledBack" => Self::RolledBack,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The word, as routerd writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::RolledBack => "rolledBack",
            Self::Unknown(word) => word,
        }
    }
}

impl std::fmt::Display for RowStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RowStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RowStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

/// The row as routerctl shows it, with the JSON inside its strings decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Row {
    pub id: u64,
    pub idempotency_key: String,
    /// The source of its plan, as `Plugin/lab-planner`; empty where routerd has none.
    #[serde(default)]
    pub source: String,
    pub provider: String,
    #[serde(default)]
    pub provider_ref: String,
    pub action: String,
    #[serde(default, rename(deserialize = "targetJSON"), deserialize_with = "inner_json")]
    pub target: BTreeMap<String, String>,
    #[serde(default, rename(deserialize = "parametersJSON"), deserialize_with = "inner_json")]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, rename(deserialize = "undoJSON"), deserialize_with = "inner_json")]
    pub undo: Option<PlanUndo>,
    #[serde(default)]
    pub risk_level: String,
    pub status: RowStatus,
    #[serde(default)]
    pub approved_by: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub approved_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub executed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub result_message: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
    /// The executor's observations, as `priorSourceDestCheck`.
    #[serde(default)]
    pub observed: BTreeMap<String, String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The answer of `action show ID -o json`.
pub fn read_action_row(command: &str, output: &Output) -> Result<Row, AnswerError> {
    RouterctlOutput::new(command, output).json("one row of routerd's journal, as JSON")
}

/// The answer of `action list -o json` and of `action journal -o json`.
pub fn read_action_rows(command: &str, output: &Output) -> Result<Vec<Row>, AnswerError> {
    RouterctlOutput::new(command, output).json_list("the rows of routerd's journal, as JSON")
}

fn inner_json<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

/// Go writes an unset time as the first instant of year 1.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let at = Option::<DateTime<Utc>>::deserialize(deserializer)?;
    Ok(at.filter(|at| at.year() > 1))
}

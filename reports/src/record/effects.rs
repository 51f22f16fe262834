//! The records of what was changed: intents, their permits and their outcomes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::Effect;

/// The permission under which a change was made: the owner's go, the undo of what was begun, or the
/// manifest's consent to stop and start an instance.
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
    pub effect: Effect,
    /// The id of the step of the undo plan that takes it back, where there is one; in an undo's
    /// own intent, the id of the step that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
}

/// The result of a change, as it was read back: done, not done, or not to be established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done,
    NotDone,
    Unknown,
}

/// The record of how an intent ended, with the answers that show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRecorded {
    /// The intent's id.
    pub intent: String,
    pub outcome: Outcome,
    pub detail: String,
    /// The service's own id of the request, as CloudTrail has it (`x-amzn-requestid`); none where no
    /// answer of ours carries it: what goes through routerd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The answers that were read back, in order, until it was settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Value>,
}

impl OutcomeRecorded {
    /// The outcome of an intent, and nothing of how it was found.
    pub fn of(intent: &str, outcome: Outcome) -> Self {
        let (intent, detail) = (intent.to_owned(), String::new());
        Self { intent, outcome, detail, request_id: None, samples: Vec::new() }
    }
}

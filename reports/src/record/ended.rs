//! How a run ends, or is brought to its end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The record of a signal that asked the run to end early.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// `SIGINT`, `SIGTERM`, or `timeout` where the command's own limit passed.
    pub signal: String,
}

/// A dead or pending run is being brought to its end by `recover`: it can no longer pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryStarted {
    pub why: String,
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
    /// The thing that is gone or changed, with its path.
    pub why: String,
}

/// A bug in the harness itself, as a caught panic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HarnessBroke {
    pub message: String,
}

/// The judgement of a whole run in one word; each has its exit codes.
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

/// The last record of a run: its verdict, the exit code, and the reasons for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunFinished {
    pub verdict: Verdict,
    pub exit_code: u8,
    pub reasons: Vec<String>,
}

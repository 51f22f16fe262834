//! `lab-planner`: the harness's own planner plugin. routerd gives a plugin that is run by hand no
//! context, so it reads the change set that the harness has put on its node, and nothing else.

use std::path::Path;

use serde::Serialize;

use crate::process::Process;
use lab::change_set::{self, ActionPlan, ChangeSet};
use lab::node::Output;

/// routerd's `PluginResult`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PluginResult {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    status: PluginResultStatus,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PluginResultStatus {
    /// Go's zero time, which routerd takes for now.
    observed_at: &'static str,
    ttl: String,
    resources: [(); 0],
    directives: [(); 0],
    events: [(); 0],
    action_plans: Vec<ActionPlan>,
}

/// A `PluginResult` on stdout, or one line on stderr that names the file and the field, and exit
/// code 1. What routerd says on stdin does not matter.
#[expect(clippy::unused_async, reason = "every program is started alike")]
pub async fn main(process: Process<'_>) -> Output {
    match result(&process) {
        Ok(stdout) => Output { code: 0, stdout, stderr: Vec::new() },
        Err(reason) => {
            let line = format!("lab-planner: {}: {reason}\n", change_set::PATH);
            Output { code: 1, stdout: Vec::new(), stderr: line.into_bytes() }
        }
    }
}

fn result(process: &Process<'_>) -> Result<Vec<u8>, String> {
    let text = process.host.read_file(Path::new(change_set::PATH)).map_err(|e| e.to_string())?;
    let change_set: ChangeSet = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
    let result = PluginResult {
        api_version: "plugin.routerd.net/v1alpha1",
        kind: "PluginResult",
        metadata: Metadata { name: "lab-planner" },
        status: PluginResultStatus {
            observed_at: "0001-01-01T00:00:00Z",
            action_plans: change_set.plans(),
            ttl: change_set.ttl,
            resources: [],
            directives: [],
            events: [],
        },
    };
    let mut stdout = serde_json::to_vec(&result).map_err(|e| e.to_string())?;
    stdout.push(b'\n');
    Ok(stdout)
}

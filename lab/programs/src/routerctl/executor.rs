//! Which executor an action goes to, and what is said to it and heard from it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RouterctlCall;
use super::config::{Plugin, Router};
use super::go::json::{self, string_map};
use super::launch::{self, ProgramRole};
use super::policy::Mode;
use super::store::actions::{ReportedOutcome, StoredAction};
use lab::golang::quote;

const CAPABILITY: &str = "execute.providerAction";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// For a row, with the words of an execution.
pub fn resolve_for<'a>(router: &'a Router, row: &StoredAction) -> Result<&'a Plugin, String> {
    resolve_executor(router, &row.provider)
        .map_err(|error| format!("resolve executor for provider {}: {error}", quote(&row.provider)))
}

/// The executor named after the provider, else the only one there is, whatever its name.
pub fn resolve_executor<'a>(router: &'a Router, provider: &str) -> Result<&'a Plugin, String> {
    let provider = provider.to_lowercase();
    let provider = provider.trim();
    let wanted = format!("{provider}-executor");
    let candidates: Vec<_> = router
        .plugins()
        .filter(|(_, plugin)| plugin.capabilities.iter().any(|one| one == CAPABILITY))
        .collect();
    if let Some((_, plugin)) =
        candidates.iter().find(|(name, _)| name.eq_ignore_ascii_case(&wanted))
    {
        return Ok(plugin);
    }
    match candidates[..] {
        [] => Err(format!(
            "no Plugin with capability {} named {} (or sole executor)",
            quote(CAPABILITY),
            quote(&wanted)
        )),
        [(_, plugin)] => Ok(plugin),
        _ => Err(format!(
            "ambiguous executor for provider {}: {} executors found, none named {}",
            quote(provider),
            candidates.len(),
            quote(&wanted)
        )),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteActionRequest {
    api_version: &'static str,
    kind: &'static str,
    pub spec: RequestSpec,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestSpec {
    pub action: String,
    provider: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    provider_ref: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    target: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    mode: &'static str,
    pub idempotency_key: String,
    /// Never filled.
    context: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExecuteActionResult {
    status: ExecutorReport,
}

/// The status that an executor reports.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ExecutorReport {
    #[serde(deserialize_with = "null_is_empty")]
    pub status: String,
    #[serde(deserialize_with = "null_is_empty")]
    pub message: String,
    #[serde(deserialize_with = "null_is_empty")]
    pub observed: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_empty")]
    pub error: String,
}

/// Go reads null as nothing said.
fn null_is_empty<'de, T, D>(value: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::deserialize(value).map(Option::unwrap_or_default)
}

impl ExecutorReport {
    pub fn into_outcome(self) -> ReportedOutcome {
        ReportedOutcome {
            error: if self.status == "failed" { self.error } else { String::new() },
            status: self.status,
            message: self.message,
            observed: self.observed,
        }
    }
}

pub fn make_request(row: &StoredAction, mode: Mode) -> ExecuteActionRequest {
    ExecuteActionRequest {
        api_version: "provideraction.routerd.net/v1alpha1",
        kind: "ExecuteActionRequest",
        spec: RequestSpec {
            action: row.action.clone(),
            provider: row.provider.clone(),
            provider_ref: row.provider_ref.clone(),
            target: string_map(&row.target_json),
            parameters: string_map(&row.parameters_json),
            mode: mode.as_str(),
            idempotency_key: row.idempotency_key.clone(),
            context: BTreeMap::new(),
        },
    }
}

pub async fn run(
    call: &RouterctlCall<'_>,
    plugin: &Plugin,
    request: &ExecuteActionRequest,
) -> Result<ExecutorReport, String> {
    let stdin = serde_json::to_string(request).map_err(|error| error.to_string())?;
    let name = plugin.executable.as_str();
    let role = ProgramRole { noun: "executor", name, default_timeout: DEFAULT_TIMEOUT };
    let ran =
        launch::launch_plugin(call.host, &call.env, plugin, role, json::escape_html(&stdin)).await;
    if let Some(failure) = ran.failure {
        return Err(failure);
    }
    let answer: ExecuteActionResult = json::decode(&ran.stdout)
        .map_err(|error| format!("decode executor {name} stdout: {error}"))?;
    match answer.status.status.as_str() {
        "succeeded" | "failed" | "skipped" => Ok(answer.status),
        status => Err(format!("executor {name} returned invalid status {}", quote(status))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routerctl::config::{ConfigResource, Spec};

    fn router(executors: &[&str]) -> Router {
        let resource = |name: &&str| {
            let plugin = Plugin {
                executable: (*name).to_owned(),
                capabilities: vec![CAPABILITY.into()],
                ..Plugin::default()
            };
            ConfigResource {
                kind: "Plugin".into(),
                name: (*name).to_owned(),
                spec: Spec::Plugin(plugin),
            }
        };
        Router { resources: executors.iter().map(resource).collect(), digest: String::new() }
    }

    #[test]
    fn the_executor_is_the_one_of_that_name_or_the_only_one() {
        for (executors, chosen) in [
            (&["azure-executor", "AWS-Executor"][..], Ok("AWS-Executor")),
            (&["azure-executor"], Ok("azure-executor")),
            (
                &[],
                Err(
                    r#"no Plugin with capability "execute.providerAction" named "aws-executor" (or sole executor)"#,
                ),
            ),
            (
                &["a", "b"],
                Err(
                    r#"ambiguous executor for provider "aws": 2 executors found, none named "aws-executor""#,
                ),
            ),
        ] {
            let router = router(executors);
            let resolved =
                resolve_executor(&router, " AWS ").map(|plugin| plugin.executable.as_str());
            assert_eq!(resolved, chosen.map_err(str::to_owned));
        }
    }
}

//! The life of an action: import, approval, the gates, the executor, the undo. The database is read
//! and let go before a program is started, and opened again for what it reported.

use std::collections::BTreeMap;

use super::RouterctlCall;
use super::config::{ActionPolicy, Plugin, Router};
use super::executor::{
    self, ExecuteActionRequest, ExecutorReport, make_request, resolve_executor, resolve_for,
};
use super::fence;
use super::go::json;
use super::plan::{ProposedPlan, ProposedUndo};
use super::policy::Mode;
use super::store::Database;
use super::store::actions::{self, Imported, ReportedOutcome, StoredAction};
use super::store::parts;
use lab::golang::quote;

#[derive(Debug, Default)]
pub struct ImportCounts {
    pub inserted: usize,
    pub duplicates: usize,
    pub skipped: usize,
}

pub fn import_plans(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
) -> Result<ImportCounts, String> {
    let now = call.host.now();
    let (rows, parts) = database.write(|db| Ok((actions::list(db, "", "")?, parts::list(db)?)))?;
    let mut counts = ImportCounts::default();
    let mut fenced = Vec::new();
    for row in rows.iter().filter(|row| matches!(row.status.as_str(), "pending" | "approved")) {
        if let Some(reason) = fence::find_stale_reason(&plan_of(row)?, &parts, now)? {
            fenced.push((row.idempotency_key.clone(), reason));
        }
    }
    counts.skipped += fenced.len();
    let mut imports = Vec::new();
    for part in fence::find_eligible_parts(&parts, now) {
        for plan in fence::decode_plans(part)? {
            let is_stale = fence::find_stale_reason(&plan, &parts, now)?.is_some();
            if plan.idempotency_key.trim().is_empty() || is_stale {
                counts.skipped += 1;
            } else {
                imports.push(row_of(&part.source, &plan)?);
            }
        }
    }
    let imported = database.write(|db| {
        for (key, reason) in &fenced {
            actions::fence(db, key, reason, now)?;
        }
        imports.iter().map(|row| actions::import(db, row, now)).collect::<Result<Vec<_>, _>>()
    })?;
    counts.inserted = imported.iter().filter(|&&what| what == Imported::Inserted).count();
    counts.duplicates = imported.len() - counts.inserted;
    Ok(counts)
}

pub fn approve_action(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
    id: i64,
    by: &str,
) -> Result<StoredAction, String> {
    let now = call.host.now();
    let (approved, row) =
        database.write(|db| Ok((actions::approve(db, id, by, now)?, actions::get(db, id)?)))?;
    match row {
        Some(row) if approved => Ok(row),
        _ => Err(format!("cannot approve action {id}: row missing or not in pending state")),
    }
}

/// The row after the attempt. Succeeded and running rows are left as they are, silently.
pub async fn execute_action(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
    id: i64,
    router: &Router,
) -> Result<StoredAction, String> {
    let policy = router.policy();
    let (row, parts) = database.write(|db| Ok((actions::get(db, id)?, parts::list(db)?)))?;
    let row = row.ok_or_else(|| format!("action {id} not found"))?;
    match row.status.as_str() {
        "succeeded" | "running" => return Ok(row),
        "rolledBack" => return Err(format!("execute action {id}: action was rolled back")),
        _ => {}
    }
    policy
        .evaluate(&row, Mode::Execute)
        .map_err(|reason| format!("policy gate denied action {id}: {reason}"))?;
    let now = call.host.now();
    if let Some(reason) = fence::find_stale_reason(&plan_of(&row)?, &parts, now)? {
        database.write(|db| actions::fence(db, &row.idempotency_key, reason, now))?;
        return reread(database, id);
    }
    check_approval(&row, &policy, "execute")?;
    if row.status == "pending" {
        let by = "policy:auto-approve";
        if !database.write(|db| actions::approve(db, id, by, now))? {
            return Err(format!(
                "auto-approve action {id}: cannot approve action {id}: \
                 row missing or not in pending state"
            ));
        }
    } else if row.status != "approved" {
        return Err(format!(
            "execute action {id}: action in unexpected status {}",
            quote(&row.status)
        ));
    }
    let plugin = resolve_for(router, &row)?;
    if !database.write(|db| actions::claim(db, id, call.host.now()))? {
        return reread(database, id);
    }
    let ran = executor::run(call, plugin, &make_request(&row, Mode::Execute)).await;
    let executed_at = call.host.now();
    let (outcome, failure) = match ran {
        Ok(result) => (result.into_outcome(), None),
        Err(failure) => (invocation_failed(&failure), Some(failure)),
    };
    record(call, database, id, &outcome, executed_at)?;
    match failure {
        Some(failure) => Err(format!("execute action {id}: {failure}")),
        None => reread(database, id),
    }
}

fn invocation_failed(failure: &str) -> ReportedOutcome {
    ReportedOutcome {
        status: "failed".into(),
        message: "executor invocation failed (mode=execute)".into(),
        error: failure.into(),
        observed: BTreeMap::new(),
    }
}

fn record(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
    id: i64,
    outcome: &ReportedOutcome,
    executed_at: chrono::DateTime<chrono::Utc>,
) -> Result<(), String> {
    let now = call.host.now();
    if database.write(|db| actions::record_execution(db, id, outcome, executed_at, now))? {
        return Ok(());
    }
    Err(format!(
        "cannot record result for action {id}: row missing or not in running or approved state"
    ))
}

/// Runs the executor in dry-run mode; the journal stays as it is.
pub async fn dry_run_action(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
    id: i64,
    router: &Router,
) -> Result<ExecutorReport, String> {
    let policy = router.policy();
    let row = database
        .write(|db| actions::get(db, id))?
        .ok_or_else(|| format!("action {id} not found"))?;
    if row.status == "rolledBack" {
        return Err(format!("dry-run action {id}: action was rolled back"));
    }
    policy
        .evaluate(&row, Mode::DryRun)
        .map_err(|reason| format!("policy gate denied dry-run of action {id}: {reason}"))?;
    check_approval(&row, &policy, "dry-run")?;
    let known = ["pending", "approved", "succeeded", "failed", "skipped"];
    if !known.contains(&row.status.as_str()) {
        return Err(format!(
            "dry-run action {id}: action in unexpected status {}",
            quote(&row.status)
        ));
    }
    let plugin = resolve_for(router, &row)?;
    executor::run(call, plugin, &make_request(&row, Mode::DryRun))
        .await
        .map_err(|failure| format!("dry-run action {id}: {failure}"))
}

/// The undo. No gate but `allowUndo` is asked.
pub async fn roll_back(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
    id: i64,
    router: &Router,
) -> Result<StoredAction, String> {
    let (undo, plugin, request) = undo_request(database, id, router, Mode::Execute)?;
    let result = executor::run(call, plugin, &request)
        .await
        .map_err(|failure| format!("rollback action {id}: executor failed: {failure}"))?;
    if result.status != "succeeded" {
        return Err(format!(
            "rollback action {id}: executor reported {}: {}",
            quote(&result.status),
            result.error
        ));
    }
    let message = match result.message.as_str() {
        "" => format!("rolled back via undo {}", undo.action),
        message => message.to_owned(),
    };
    let now = call.host.now();
    if !database.write(|db| actions::roll_back(db, id, &message, now))? {
        return Err(format!("cannot roll back action {id}: row missing or not in succeeded state"));
    }
    reread(database, id)
}

pub async fn preview_roll_back(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
    id: i64,
    router: &Router,
) -> Result<ExecutorReport, String> {
    let (_, plugin, request) = undo_request(database, id, router, Mode::DryRun)?;
    executor::run(call, plugin, &request)
        .await
        .map_err(|failure| format!("rollback action {id}: {failure}"))
}

fn undo_request<'a>(
    database: Database<'_>,
    id: i64,
    router: &'a Router,
    mode: Mode,
) -> Result<(ProposedUndo, &'a Plugin, ExecuteActionRequest), String> {
    let refused = |reason: String| format!("rollback action {id} refused: {reason}");
    if !router.policy().allow_undo {
        return Err(refused("policy.allowUndo is false".into()));
    }
    let row = database
        .write(|db| actions::get(db, id))?
        .ok_or_else(|| format!("action {id} not found"))?;
    if row.status != "succeeded" {
        return Err(refused(format!("action is {}, not succeeded", row.status)));
    }
    if row.undo_json.trim().is_empty() {
        return Err(refused("action has no undo".into()));
    }
    let undo: ProposedUndo = json::decode(row.undo_json.as_bytes())
        .map_err(|error| format!("rollback action {id}: decode undo: {error}"))?;
    if undo.action.trim().is_empty() {
        return Err(refused("undo has no action".into()));
    }
    let plugin = resolve_executor(router, &row.provider)
        .map_err(|error| format!("rollback action {id}: resolve executor: {error}"))?;
    // What was observed goes along; what the planner wrote wins over it.
    let mut parameters = row.observed.clone();
    parameters.extend(undo.parameters.clone());
    let mut request = make_request(&row, mode);
    request.spec.action.clone_from(&undo.action);
    request.spec.parameters = parameters;
    request.spec.idempotency_key.push_str(":undo");
    Ok((undo, plugin, request))
}

fn check_approval(row: &StoredAction, policy: &ActionPolicy, verb: &str) -> Result<(), String> {
    if row.status == "pending" && !policy.approves_by_itself() {
        return Err(format!(
            "{verb} action {}: action is pending and not approved (approval required)",
            row.id
        ));
    }
    Ok(())
}

fn reread(database: Database<'_>, id: i64) -> Result<StoredAction, String> {
    database.write(|db| actions::get(db, id))?.ok_or_else(|| format!("action {id} not found"))
}

fn plan_of(row: &StoredAction) -> Result<ProposedPlan, String> {
    let decode = |what: &str, column: &str| -> Result<BTreeMap<String, String>, String> {
        if column.trim().is_empty() {
            return Ok(BTreeMap::new());
        }
        json::decode(column.as_bytes()).map_err(|error| {
            format!("decode action {what} for {}: {error}", quote(&row.idempotency_key))
        })
    };
    Ok(ProposedPlan {
        idempotency_key: row.idempotency_key.clone(),
        provider: row.provider.clone(),
        provider_ref: row.provider_ref.clone(),
        action: row.action.clone(),
        target: Some(decode("target", &row.target_json)?),
        parameters: decode("parameters", &row.parameters_json)?,
        ..ProposedPlan::default()
    })
}

fn row_of(source: &str, plan: &ProposedPlan) -> Result<StoredAction, String> {
    for (value, field) in [(&plan.provider, "provider"), (&plan.action, "action")] {
        if value.trim().is_empty() {
            return Err(format!(
                "import action {}: action import requires {field}",
                quote(&plan.idempotency_key)
            ));
        }
    }
    let optional = |map: &BTreeMap<String, String>| {
        if map.is_empty() { String::new() } else { json::print_compact(map) }
    };
    let undo_json = match &plan.undo {
        Some(undo) => {
            json::escape_html(&serde_json::to_string(undo).map_err(|error| error.to_string())?)
        }
        None => String::new(),
    };
    Ok(StoredAction {
        idempotency_key: plan.idempotency_key.clone(),
        source: source.into(),
        provider: plan.provider.clone(),
        provider_ref: plan.provider_ref.clone(),
        action: plan.action.clone(),
        target_json: plan.target.as_ref().map(optional).unwrap_or_default(),
        parameters_json: optional(&plan.parameters),
        undo_json,
        risk_level: plan.risk_level.clone(),
        ..StoredAction::default()
    })
}

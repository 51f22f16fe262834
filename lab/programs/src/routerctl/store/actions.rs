//! The journal of actions: one row per idempotency key, overwritten by every step.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::nullable;
use crate::routerctl::go::json::{print_compact, string_map};
use crate::routerctl::go::time::{Time, format_nano, parse_time};

const COLUMNS: &str = "id,idempotency_key,coalesce(source,''),provider,coalesce(provider_ref,''),\
    action,coalesce(target_json,''),coalesce(parameters_json,''),coalesce(undo_json,''),\
    coalesce(risk_level,''),status,coalesce(approved_by,''),coalesce(approved_at,''),\
    coalesce(executed_at,''),coalesce(result_message,''),coalesce(error,''),\
    coalesce(observed_json,''),created_at,updated_at";

#[derive(Clone, Debug, Default)]
pub struct StoredAction {
    pub id: i64,
    pub idempotency_key: String,
    pub source: String,
    pub provider: String,
    pub provider_ref: String,
    pub action: String,
    pub target_json: String,
    pub parameters_json: String,
    pub undo_json: String,
    pub risk_level: String,
    /// Free text in the database: `pending`, `approved`, `running`, `succeeded`, `failed`,
    /// `skipped`, `rolledBack`.
    pub status: String,
    pub approved_by: String,
    pub approved_at: Time,
    pub executed_at: Time,
    pub result_message: String,
    pub error: String,
    pub observed: BTreeMap<String, String>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// The outcome of an import of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// A new row, or a failed or skipped one that is pending again, its facts wiped.
    Inserted,
    Duplicate,
}

/// The outcome that an executor reported.
#[derive(Debug, Default)]
pub struct ReportedOutcome {
    pub status: String,
    pub message: String,
    pub error: String,
    pub observed: BTreeMap<String, String>,
}

/// Newest first; an empty filter lets everything through.
pub fn list(db: &Connection, status: &str, provider: &str) -> rusqlite::Result<Vec<StoredAction>> {
    let query = format!(
        "SELECT {COLUMNS} FROM action_executions \
         WHERE (?1 = '' OR status = ?1) AND (?2 = '' OR provider = ?2) ORDER BY id DESC"
    );
    let mut statement = db.prepare(&query)?;
    let rows = statement.query_map(params![status.trim(), provider.trim()], read)?;
    rows.collect()
}

pub fn get(db: &Connection, id: i64) -> rusqlite::Result<Option<StoredAction>> {
    let query = format!("SELECT {COLUMNS} FROM action_executions WHERE id = ?1");
    db.query_row(&query, [id], read).optional()
}

pub fn import(
    db: &Connection,
    action: &StoredAction,
    now: DateTime<Utc>,
) -> rusqlite::Result<Imported> {
    let changed = db.execute(
        "INSERT INTO action_executions(idempotency_key,source,provider,provider_ref,action,\
         target_json,parameters_json,undo_json,risk_level,status,created_at,updated_at)
         VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,'pending',?10,?10)
         ON CONFLICT(idempotency_key) DO UPDATE SET source=excluded.source,\
         provider=excluded.provider,provider_ref=excluded.provider_ref,action=excluded.action,\
         target_json=excluded.target_json,parameters_json=excluded.parameters_json,\
         undo_json=excluded.undo_json,risk_level=excluded.risk_level,status=excluded.status,\
         approved_by=NULL,approved_at=NULL,executed_at=NULL,result_message=NULL,error=NULL,\
         observed_json=NULL,updated_at=excluded.updated_at
         WHERE action_executions.status IN ('failed','skipped')",
        params![
            action.idempotency_key,
            nullable(&action.source),
            action.provider,
            nullable(&action.provider_ref),
            action.action,
            nullable(&action.target_json),
            nullable(&action.parameters_json),
            nullable(&action.undo_json),
            nullable(&action.risk_level),
            format_nano(Some(now)),
        ],
    )?;
    Ok(if changed > 0 { Imported::Inserted } else { Imported::Duplicate })
}

/// Whether the row was pending.
pub fn approve(db: &Connection, id: i64, by: &str, now: DateTime<Utc>) -> rusqlite::Result<bool> {
    let changed = db.execute(
        "UPDATE action_executions SET status='approved',approved_by=?1,approved_at=?2,\
         updated_at=?2 WHERE id=?3 AND status='pending'",
        params![nullable(by), format_nano(Some(now)), id],
    )?;
    Ok(changed > 0)
}

/// Whether this caller, and no other, may run it.
pub fn claim(db: &Connection, id: i64, now: DateTime<Utc>) -> rusqlite::Result<bool> {
    let changed = db.execute(
        "UPDATE action_executions SET status='running',updated_at=?1 \
         WHERE id=?2 AND status='approved'",
        params![format_nano(Some(now)), id],
    )?;
    Ok(changed > 0)
}

/// Whether the row was still running (or approved).
pub fn record_execution(
    db: &Connection,
    id: i64,
    outcome: &ReportedOutcome,
    executed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> rusqlite::Result<bool> {
    let observed =
        if outcome.observed.is_empty() { None } else { Some(print_compact(&outcome.observed)) };
    let changed = db.execute(
        "UPDATE action_executions SET status=?1,result_message=?2,error=?3,observed_json=?4,\
         executed_at=?5,updated_at=?6 WHERE id=?7 AND status IN ('running','approved')",
        params![
            outcome.status,
            nullable(&outcome.message),
            nullable(&outcome.error),
            observed,
            format_nano(Some(executed_at)),
            format_nano(Some(now)),
            id,
        ],
    )?;
    Ok(changed > 0)
}

/// Retires a row that was not executed yet: it went stale.
pub fn fence(db: &Connection, key: &str, reason: &str, now: DateTime<Utc>) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE action_executions SET status='skipped',result_message=?1,executed_at=?2,\
         updated_at=?2 WHERE idempotency_key=?3 AND status IN ('pending','approved')",
        params![nullable(reason), format_nano(Some(now)), key.trim()],
    )?;
    Ok(())
}

/// Whether the row was succeeded.
pub fn roll_back(
    db: &Connection,
    id: i64,
    message: &str,
    now: DateTime<Utc>,
) -> rusqlite::Result<bool> {
    let changed = db.execute(
        "UPDATE action_executions SET status='rolledBack',result_message=?1,updated_at=?2 \
         WHERE id=?3 AND status='succeeded'",
        params![nullable(message), format_nano(Some(now)), id],
    )?;
    Ok(changed > 0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredAction> {
    let time = |index| row.get::<_, String>(index).map(|text| parse_time(&text));
    Ok(StoredAction {
        id: row.get(0)?,
        idempotency_key: row.get(1)?,
        source: row.get(2)?,
        provider: row.get(3)?,
        provider_ref: row.get(4)?,
        action: row.get(5)?,
        target_json: row.get(6)?,
        parameters_json: row.get(7)?,
        undo_json: row.get(8)?,
        risk_level: row.get(9)?,
        status: row.get(10)?,
        approved_by: row.get(11)?,
        approved_at: time(12)?,
        executed_at: time(13)?,
        result_message: row.get(14)?,
        error: row.get(15)?,
        observed: string_map(&row.get::<_, String>(16)?),
        created_at: time(17)?,
        updated_at: time(18)?,
    })
}

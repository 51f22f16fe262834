//! The history of planner runs, and the events that go with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::nullable;
use crate::routerctl::go::json::print_compact;
use crate::routerctl::go::time::{Time, format_nano, parse_time};

#[derive(Debug)]
pub struct StoredRun {
    pub status: String,
    pub completed_at: Time,
    pub exit_code: Option<i64>,
    pub stderr: String,
    pub error: String,
}

#[derive(Debug)]
pub struct StoredEvent<'a> {
    pub topic: &'a str,
    pub severity: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
    pub attributes: BTreeMap<String, String>,
}

/// The id of the new run.
pub fn start(db: &Connection, plugin: &str, now: DateTime<Utc>) -> rusqlite::Result<i64> {
    db.execute(
        "INSERT INTO plugin_runs(plugin,trigger_type,started_at,status) \
         VALUES(?1,'manual',?2,'running')",
        params![plugin, format_nano(Some(now))],
    )?;
    Ok(db.last_insert_rowid())
}

pub fn complete(
    db: &Connection,
    id: i64,
    run: &StoredRun,
    stdout_digest: &str,
) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE plugin_runs SET completed_at=?1,exit_code=?2,status=?3,stdout_digest=?4,\
         stderr=?5,error=?6 WHERE id=?7",
        params![
            format_nano(run.completed_at),
            run.exit_code,
            run.status,
            nullable(stdout_digest),
            nullable(&run.stderr),
            nullable(&run.error),
            id,
        ],
    )?;
    Ok(())
}

pub fn find_last_run(db: &Connection, plugin: &str) -> rusqlite::Result<Option<StoredRun>> {
    db.query_row(
        "SELECT status,coalesce(completed_at,''),exit_code,coalesce(stderr,''),coalesce(error,'') \
         FROM plugin_runs WHERE plugin=?1 ORDER BY started_at DESC,id DESC LIMIT 1",
        [plugin],
        |row| {
            Ok(StoredRun {
                status: row.get(0)?,
                completed_at: parse_time(&row.get::<_, String>(1)?),
                exit_code: row.get(2)?,
                stderr: row.get(3)?,
                error: row.get(4)?,
            })
        },
    )
    .optional()
}

pub fn record_event(
    db: &Connection,
    event: &StoredEvent<'_>,
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO events(api_version,kind,name,type,reason,message,created_at,topic,\
         source_kind,source_instance,resource_api_version,resource_kind,resource_name,severity,\
         attributes) VALUES('daemon.routerd.net/v1alpha1','DaemonEvent','routerctl',?1,?2,?3,?4,?1,\
         'routerctl','plugin','','','',?5,?6)",
        params![
            event.topic,
            event.reason,
            event.message,
            format_nano(Some(now)),
            event.severity,
            print_compact(&event.attributes),
        ],
    )?;
    Ok(())
}

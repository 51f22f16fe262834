//! The parts of dynamic configuration that planners left: where actions are imported from.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row, params};

use super::nullable;
use crate::routerctl::go::json;
use crate::routerctl::go::time::{Time, format_nano, parse_time};
use crate::routerctl::plan::ProposedPlan;

const COLUMNS: &str = "id,source,generation,observed_at,expires_at,digest,\
    coalesce(resources_json,''),coalesce(directives_json,''),coalesce(actionplans_json,''),\
    status,coalesce(error,''),created_at,updated_at";

#[derive(Clone, Debug, Default)]
pub struct StoredPart {
    pub id: i64,
    pub source: String,
    pub generation: i64,
    pub observed_at: Time,
    pub expires_at: Time,
    pub digest: String,
    pub resources_json: String,
    pub directives_json: String,
    pub plans_json: String,
    pub status: String,
    pub error: String,
    pub created_at: Time,
    pub updated_at: Time,
}

impl StoredPart {
    /// The stored status ages into `expired` without a write.
    pub fn status_at(&self, now: DateTime<Utc>) -> &'static str {
        if self.expires_at.is_some_and(|end| now >= end) { "expired" } else { "active" }
    }

    pub fn plans(&self) -> Result<Vec<ProposedPlan>, String> {
        if self.plans_json.trim().is_empty() {
            return Ok(Vec::new());
        }
        json::decode(self.plans_json.as_bytes())
    }
}

/// Newest observation first.
pub fn list(db: &Connection) -> rusqlite::Result<Vec<StoredPart>> {
    let query = format!(
        "SELECT {COLUMNS} FROM dynamic_config_parts \
         ORDER BY observed_at DESC,generation DESC,id DESC"
    );
    let mut statement = db.prepare(&query)?;
    let rows = statement.query_map([], read)?;
    rows.collect()
}

/// Newest generation first.
pub fn of_source(db: &Connection, source: &str) -> rusqlite::Result<Vec<StoredPart>> {
    let query = format!(
        "SELECT {COLUMNS} FROM dynamic_config_parts WHERE source = ?1 \
         ORDER BY generation DESC,observed_at DESC,id DESC"
    );
    let mut statement = db.prepare(&query)?;
    let rows = statement.query_map([source], read)?;
    rows.collect()
}

pub fn upsert(db: &Connection, part: &StoredPart, now: DateTime<Utc>) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO dynamic_config_parts(source,generation,observed_at,expires_at,digest,\
         resources_json,directives_json,actionplans_json,status,created_at,updated_at)
         VALUES(?1,?2,?3,?4,?5,?6,?7,?8,'active',?9,?9)
         ON CONFLICT(source,generation) DO UPDATE SET observed_at=excluded.observed_at,\
         expires_at=excluded.expires_at,digest=excluded.digest,\
         resources_json=excluded.resources_json,directives_json=excluded.directives_json,\
         actionplans_json=excluded.actionplans_json,mobility_dataplane_json=NULL,\
         arp_observer_intents_json=NULL,fib_verdicts_json=NULL,status=excluded.status,\
         error=NULL,updated_at=excluded.updated_at",
        params![
            part.source,
            part.generation,
            format_nano(part.observed_at),
            format_nano(part.expires_at),
            part.digest,
            nullable(&part.resources_json),
            nullable(&part.directives_json),
            nullable(&part.plans_json),
            format_nano(Some(now)),
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredPart> {
    let time = |index| row.get::<_, String>(index).map(|text| parse_time(&text));
    Ok(StoredPart {
        id: row.get(0)?,
        source: row.get(1)?,
        generation: row.get(2)?,
        observed_at: time(3)?,
        expires_at: time(4)?,
        digest: row.get(5)?,
        resources_json: row.get(6)?,
        directives_json: row.get(7)?,
        plans_json: row.get(8)?,
        status: row.get(9)?,
        error: row.get(10)?,
        created_at: time(11)?,
        updated_at: time(12)?,
    })
}

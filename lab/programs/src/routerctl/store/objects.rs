//! The status that a daemon left for its resources.

use rusqlite::Connection;
use serde_json::Value;

#[derive(Debug)]
pub struct StoredObject {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub status: Value,
}

pub fn list(db: &Connection) -> rusqlite::Result<Vec<StoredObject>> {
    let mut statement = db.prepare(
        "SELECT api_version,kind,name,coalesce(status,'') FROM objects \
         ORDER BY api_version,kind,name",
    )?;
    let rows = statement.query_map([], |row| {
        let status: String = row.get(3)?;
        Ok(StoredObject {
            api_version: row.get(0)?,
            kind: row.get(1)?,
            name: row.get(2)?,
            status: serde_json::from_str(&status).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

//! routerd's database: its schema, and what routerctl reads and writes in it. Every call opens
//! it, works inline and lets go, so that none is held over an await.

pub mod actions;
pub mod objects;
pub mod parts;
pub mod runs;
mod schema;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::process::{Host, OpenMode};

/// The tables of routerd's database, where they are absent.
pub fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    schema::ensure(connection)
}

/// One database on one machine.
#[derive(Clone, Copy)]
pub struct Database<'a> {
    host: &'a dyn Host,
    path: &'a str,
}

impl<'a> Database<'a> {
    pub fn new(host: &'a dyn Host, path: &'a str) -> Self {
        Self { host, path }
    }

    /// Fails where there is no database, and for a relative path (routerd makes a URI of it).
    pub fn read<T>(
        &self,
        body: impl FnMut(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        let path = match self.path.trim() {
            "" => super::paths::STATE_FILE,
            path => path,
        };
        if let Some(authority) = uri_authority(path) {
            let text = format!("SQL logic error: invalid uri authority: {authority} (1)");
            return Err(format!("open state database {path}: {text}"));
        }
        self.with(path, OpenMode::ReadOnly, body)
    }

    /// Creates the database, and the tables it lacks.
    pub fn write<T>(
        &self,
        body: impl FnMut(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        self.with(self.path, OpenMode::ReadWrite, body)
    }

    fn with<T>(
        &self,
        path: &str,
        mode: OpenMode,
        mut body: impl FnMut(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        let mut opened = false;
        let mut result = None;
        let outcome = self.host.with_database(Path::new(path), mode, &mut |connection| {
            connection.busy_timeout(Duration::from_secs(5))?;
            if mode == OpenMode::ReadWrite {
                schema::ensure(connection)?;
            }
            opened = true;
            result = Some(body(connection)?);
            Ok(())
        });
        match (outcome, result) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(format!("open state database {path}: nothing was read")),
            (Err(error), _) if opened => Err(sqlite_error(&error)),
            (Err(error), _) => Err(format!("open state database {path}: {}", sqlite_error(&error))),
        }
    }
}

/// The part that SQLite takes for a host in `file://<path>?mode=ro`; an absolute path has none.
fn uri_authority(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    Some(path.split_once('/').map_or_else(|| format!("{path}?mode=ro"), |(host, _)| host.into()))
}

/// An error in the words of routerd's SQLite driver.
fn sqlite_error(error: &rusqlite::Error) -> String {
    let rusqlite::Error::SqliteFailure(failure, message) = error else {
        return error.to_string();
    };
    let code = failure.extended_code;
    let words = match code & 0xff {
        1 => "SQL logic error",
        5 => "database is locked",
        8 => "attempt to write a readonly database",
        10 => "disk I/O error",
        11 => "database disk image is malformed",
        14 => "unable to open database file",
        19 => "constraint failed",
        26 => "file is not a database",
        _ => "unknown error",
    };
    let busy = if code == 5 { " (SQLITE_BUSY)" } else { "" };
    match message {
        // This driver adds the path to the message; routerd's does not.
        Some(message) if !message.starts_with(words) => {
            format!("{words}: {message} ({code}){busy}")
        }
        _ => format!("{words} ({code}){busy}"),
    }
}

/// Columns hold NULL for what is empty.
fn nullable(text: &str) -> Option<&str> {
    if text.trim().is_empty() { None } else { Some(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_taken_for_a_host() {
        assert_eq!(uri_authority("/var/lib/t.db"), None);
        assert_eq!(uri_authority("t.db").as_deref(), Some("t.db?mode=ro"));
        assert_eq!(uri_authority("a/t.db").as_deref(), Some("a"));
    }
}

//! Reads a journal and verifies its chain.

use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

use crate::digest::Digest;
use crate::folder::{JOURNAL_LIMIT_BYTES, read_plain};
use crate::record::{Record, SCHEMA_VERSION, SchemaVersion};

/// A journal whose whole lines hold together.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub records: Vec<Record>,
    /// Digest of the last whole line; all zeros for an empty journal.
    pub head: Digest,
    /// Length of the whole lines, newlines included.
    pub whole_bytes: u64,
    /// The bytes behind the last newline: a line whose write never ended.
    pub torn: Vec<u8>,
}

/// The line at which a journal does not hold together, and why.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("journal line {line}: {why}")]
pub struct ChainError {
    /// From 1; 0 where the file itself could not be read.
    pub line: usize,
    pub why: String,
}

/// Reads whatever whole lines there are; a torn last line is set aside, since a killed writer
/// leaves one and its record never counted.
pub fn read_chain(bytes: &[u8]) -> Result<Chain, ChainError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (lines, torn) = bytes.split_at(whole);
    let mut chain = Chain {
        records: Vec::new(),
        head: Digest::zero(),
        whole_bytes: whole as u64,
        torn: torn.to_vec(),
    };
    for (index, line) in lines.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = &line[..line.len() - 1];
        let record = read_line(line, &chain).map_err(|why| ChainError { line: index + 1, why })?;
        chain.records.push(record);
        chain.head = Digest::of(line);
    }
    Ok(chain)
}

fn read_line(line: &[u8], before: &Chain) -> Result<Record, String> {
    if before.records.is_empty() {
        is_of_this_version(line)?;
    }
    let record: Record = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let seq = before.records.len() as u64;
    if record.seq != seq {
        return Err(format!("seq is {}, expected {seq}: a line is missing or moved", record.seq));
    }
    if record.prev != before.head {
        return Err(format!(
            "prev is {}, but the line before has the digest {}: one of the two was changed",
            record.prev, before.head
        ));
    }
    if let Some(last) = before.records.last()
        && record.at < last.at
    {
        return Err(format!("at is {}, before the line before ({})", record.at, last.at));
    }
    Ok(record)
}

/// The fields that the first line of every version has.
#[derive(Deserialize)]
struct First {
    data: Begun,
}

#[derive(Deserialize)]
struct Begun {
    schema_version: SchemaVersion,
    tool: Wrote,
}

#[derive(Deserialize)]
struct Wrote {
    name: String,
    version: Option<String>,
}

/// A journal of another version is not read at all: half of what it says would be lost.
fn is_of_this_version(line: &[u8]) -> Result<(), String> {
    // What is no such record is complained about as what it is.
    let Ok(First { data: Begun { schema_version, tool } }) = serde_json::from_slice(line) else {
        return Ok(());
    };
    if SCHEMA_VERSION.reads(schema_version) {
        return Ok(());
    }
    let (name, version) = (tool.name, tool.version.unwrap_or_else(|| "of no version".to_owned()));
    Err(format!(
        "the journal is of version {schema_version}, and this program reads version \
         {SCHEMA_VERSION}: it is read by the program that wrote it, {name} {version}"
    ))
}

/// For a verifier: as [`read_chain`], but a torn last line is an error too.
pub fn verify_chain(bytes: &[u8]) -> Result<Vec<Record>, ChainError> {
    let chain = read_chain(bytes)?;
    if chain.torn.is_empty() {
        return Ok(chain.records);
    }
    let why = format!("{} bytes without a newline: the write never ended", chain.torn.len());
    Err(ChainError { line: chain.records.len() + 1, why })
}

/// [`read_chain`] of `journal.jsonl` in a run's folder, or of the file itself.
pub fn read_file(path: &Path) -> Result<Chain, ChainError> {
    let file = if path.is_dir() { path.join(super::JOURNAL_FILE) } else { path.to_owned() };
    let bytes = read_plain(&file, JOURNAL_LIMIT_BYTES)
        .map_err(|error| ChainError { line: 0, why: format!("{}: {error}", file.display()) })?;
    read_chain(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::whole_run;

    /// An old journal is named as what it is, and not as one with a broken line.
    #[test]
    fn a_journal_of_another_version_is_refused_with_the_program_that_reads_it() {
        let first = serde_json::to_value(&whole_run().records()[0]).expect("JSON");
        let SchemaVersion { major, minor } = SCHEMA_VERSION;
        let version = |major, minor| SchemaVersion { major, minor };
        for (version, refused) in [
            (SCHEMA_VERSION, false),
            (version(1, 0), true),
            (version(major, minor + 1), true),
            (version(major + 1, 0), true),
        ] {
            let mut line = first.clone();
            line["data"]["schema_version"] = serde_json::json!(version);
            line["data"]["tool"]["version"] = "0.1.0".into();
            if refused {
                line["data"]["something_else"] = true.into();
            }
            let read = read_chain(format!("{line}\n").as_bytes());
            assert_eq!(read.is_err(), refused, "version {version}: {read:?}");
            let Err(error) = read else { continue };
            assert_eq!(error.line, 1);
            let words =
                format!("the journal is of version {version}, and this program reads version");
            assert!(error.why.starts_with(&words), "{error}");
            assert!(error.why.ends_with("the program that wrote it, lab-smoke 0.1.0"), "{error}");
        }
    }
}

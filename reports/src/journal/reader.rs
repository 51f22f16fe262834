//! Reads a journal and verifies its chain.

use std::path::Path;

use thiserror::Error;

use crate::digest::Digest;
use crate::record::Record;

/// A journal whose whole lines hold together.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub records: Vec<Record>,
    /// Digest of the last whole line; all zeros for an empty journal.
    pub head: Digest,
    /// Length of the whole lines, newlines included.
    pub whole_bytes: u64,
    /// What follows the last newline: a line whose write never ended.
    pub torn: Vec<u8>,
}

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
    let bytes = std::fs::read(&file)
        .map_err(|error| ChainError { line: 0, why: format!("{}: {error}", file.display()) })?;
    read_chain(&bytes)
}

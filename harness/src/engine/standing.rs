//! Where a run stands by its journal alone: what may be done with it next, and by which command.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use reports::evidence::{NextStep, list_next_steps};
use reports::record::{FactsRecorded, Kind, Record, ResidueListed, RunStarted, UndoPlanned};
pub use reports::standing::{Standing, read_standing, read_standing_at};

/// The run's first record.
pub fn find_run_started(records: &[Record]) -> Option<&RunStarted> {
    match records.first().map(|record| &record.kind) {
        Some(Kind::RunStarted(started)) => Some(started),
        _ => None,
    }
}

/// The facts that the owner decides on.
pub fn find_last_facts(records: &[Record]) -> Option<&FactsRecorded> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::FactsRecorded(facts) => Some(&**facts),
        _ => None,
    })
}

pub fn undo_plan(records: &[Record]) -> Option<&UndoPlanned> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::UndoPlanned(plan) => Some(plan),
        _ => None,
    })
}

/// The commands that a reader of a pending or dead run types next; nothing where it has ended.
pub fn next_steps(records: &[Record], folder: &Path) -> String {
    let standing = read_standing(records);
    if standing == Standing::Ended {
        return String::new();
    }
    let run = in_a_command(folder);
    let steps = list_next_steps(records);
    let widest = steps.iter().map(|it| it.why.len()).max().unwrap_or_default() + 1;
    let facts = find_last_facts(records).map(|facts| facts.facts_digest.to_string());
    let facts = format!("facts: {}\n", facts.unwrap_or_default());
    let facts = if standing.pending() { facts } else { String::new() };
    let line = |it: &NextStep| {
        let label = format!("{}:", it.why);
        format!("{label:widest$} {}\n", it.command(&run))
    };
    steps.iter().map(line).fold(facts, |text, line| text + &line)
}

/// A folder as a shell takes it and as a command of ours does, whatever its name: it is no option, and
/// every byte of it arrives.
pub fn in_a_command(folder: &Path) -> String {
    let bytes = folder.as_os_str().as_bytes();
    let plain = std::str::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control));
    let dashed = if bytes.starts_with(b"-") { "./" } else { "" };
    if let Some(text) = plain {
        lab::quote_for_shell(&format!("{dashed}{text}"))
    } else {
        let escaped = bytes.iter().map(|byte| match byte {
            b'\'' | b'\\' | ..b' ' | 0x7f.. => format!("\\x{byte:02x}"),
            plain => char::from(*plain).to_string(),
        });
        format!("$'{dashed}{}'", escaped.collect::<String>())
    }
}

/// The residue that is left: the last list.
pub(super) fn find_last_residue(records: &[Record]) -> Option<&ResidueListed> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::ResidueListed(listed) => Some(listed),
        _ => None,
    })
}

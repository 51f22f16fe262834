//! The one-line answers. They say what routerctl printed and prove nothing: the row does
//! (contract §1.7).

use super::answer::{AnswerError, RouterctlOutput};
use super::row::RowStatus;
use crate::node::Output;

/// The counts of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Inserted and duplicate together.
    pub total: u64,
    pub inserted: u64,
    pub duplicate: u64,
    /// In spite of its label it also counts rows that were fenced, and stale plans.
    pub skipped: u64,
}

/// An approval: the row, in whose name, and the row's status after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    pub id: u64,
    pub by: String,
    pub status: RowStatus,
}

/// A live execute that ended, well or not: the status stands in the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    pub id: u64,
    pub status: RowStatus,
    pub message: Option<String>,
}

/// The executor's word in a dry-run, of an execute or of a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previewed {
    pub id: u64,
    pub status: RowStatus,
    pub message: Option<String>,
}

/// A live rollback that succeeded, in routerctl's words: the row proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    pub id: u64,
    pub status: RowStatus,
}

const EXECUTE_PREVIEW: &str =
    "\n(preview only \u{2014} journal lifecycle unchanged; approval not consumed)\n";
const ROLLBACK_PREVIEW: &str = "\n(preview only \u{2014} journal lifecycle unchanged)\n";

/// The answer of `action import`.
pub fn read_imported(command: &str, output: &Output) -> Result<Imported, AnswerError> {
    let expected = "`imported N action(s): …`";
    read(command, output, expected, |text| {
        let (total, rest) = text.strip_prefix("imported ")?.split_once(" action(s): ")?;
        let (inserted, rest) = rest.split_once(" inserted, ")?;
        let (duplicate, rest) = rest.split_once(" duplicate, ")?;
        let skipped = rest.strip_suffix(" skipped (missing idempotencyKey)\n")?;
        Some(Imported {
            total: total.parse().ok()?,
            inserted: inserted.parse().ok()?,
            duplicate: duplicate.parse().ok()?,
            skipped: skipped.parse().ok()?,
        })
    })
}

/// The answer of `action approve ID`.
pub fn read_approved(command: &str, output: &Output) -> Result<Approved, AnswerError> {
    read(command, output, "`action N approved by … (status now …)`", |text| {
        let (id, rest) = text.strip_prefix("action ")?.split_once(" approved by ")?;
        // The name is free text: what counts is the last parenthesis.
        let (by, status) = rest.strip_suffix(")\n")?.rsplit_once(" (status now ")?;
        Some(Approved { id: id.parse().ok()?, by: by.to_owned(), status: word(status)? })
    })
}

/// The answer of `action execute ID --approved`.
pub fn read_executed(command: &str, output: &Output) -> Result<Executed, AnswerError> {
    read(command, output, "`action N executed: status now …`", |text| {
        let (id, rest) = text.strip_prefix("action ")?.split_once(" executed: status now ")?;
        let (status, message) = word_and_message(rest.strip_suffix('\n')?)?;
        Some(Executed { id: id.parse().ok()?, status, message })
    })
}

/// The answer of `action execute ID --dry-run`.
pub fn read_previewed(command: &str, output: &Output) -> Result<Previewed, AnswerError> {
    read(command, output, "`action N dry-run: …` and the preview line", |text| {
        preview(text, " dry-run: ", EXECUTE_PREVIEW)
    })
}

/// The answer of `action rollback ID --dry-run`.
pub fn undo_previewed(command: &str, output: &Output) -> Result<Previewed, AnswerError> {
    read(command, output, "`action N rollback dry-run: …` and the preview line", |text| {
        preview(text, " rollback dry-run: ", ROLLBACK_PREVIEW)
    })
}

/// The answer of `action rollback ID --approved`.
pub fn rolled_back(command: &str, output: &Output) -> Result<RolledBack, AnswerError> {
    read(command, output, "`action N rolled back: status now …`", |text| {
        let (id, rest) = text.strip_prefix("action ")?.split_once(" rolled back: status now ")?;
        Some(RolledBack { id: id.parse().ok()?, status: word(rest.strip_suffix('\n')?)? })
    })
}

fn read<T>(
    command: &str,
    output: &Output,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, AnswerError> {
    let answer = RouterctlOutput::new(command, output);
    parse(answer.text(expected)?).ok_or_else(|| answer.ambiguous(expected))
}

fn preview(text: &str, verb: &str, last_line: &str) -> Option<Previewed> {
    let line = text.strip_suffix(last_line)?;
    let (id, rest) = line.strip_prefix("action ")?.split_once(verb)?;
    let (status, message) = word_and_message(rest)?;
    Some(Previewed { id: id.parse().ok()?, status, message })
}

/// `succeeded (did it (prior=true))`: the message goes to the last parenthesis.
fn word_and_message(text: &str) -> Option<(RowStatus, Option<String>)> {
    match text.split_once(" (") {
        None => Some((word(text)?, None)),
        Some((status, rest)) => Some((word(status)?, Some(rest.strip_suffix(')')?.to_owned()))),
    }
}

fn word(text: &str) -> Option<RowStatus> {
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then(|| RowStatus::parse(text))
}

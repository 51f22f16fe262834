//! `lab-smoke status RUN`: where a run is, from its folder alone.

use std::path::Path;

use reports::digest::Digest;
use reports::folder::{FolderError, RunFolder};
use reports::journal::{ChainError, read_file};
use reports::record::{GoRefused, Kind, LabKind, Record, Verdict};
use reports::shown::Differs;
use reports::verdict::{ExitCode, judge};
use serde::Serialize;

use super::alive::{self, Held};
use super::refuse;
use crate::cli::Format;
use crate::engine::{self, Standing};
use crate::terminal::{Terminal, in_one_line};

#[derive(Serialize)]
struct Status {
    run_id: Option<String>,
    folder: String,
    state: State,
    /// Who holds its folder on this machine.
    held_by: Option<String>,
    verdict: Verdict,
    exit_code: u8,
    reasons: Vec<String>,
    facts_digest: Option<Digest>,
    /// The last go, where it was refused; another may be given while the run is pending.
    refused_go: Option<GoRefused>,
    next: Vec<String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum State {
    Held(Live),
    Free(Standing),
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Live {
    Live,
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Journal(#[from] ChainError),
    #[error(transparent)]
    Differs(#[from] Differs),
    #[error("the status cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

pub fn status(run: &Path, format: Format, terminal: &Terminal) -> u8 {
    match shown(run, format) {
        Ok(text) => {
            terminal.out(&text);
            ExitCode::Pass.number()
        }
        Err(error) => refuse(ExitCode::Usage, error, terminal),
    }
}

fn shown(run: &Path, format: Format) -> Result<String, Unreadable> {
    let folder = RunFolder::resolve(Path::new(""), run)?;
    let records = read_file(folder.path())?.records;
    reports::shown::shown(&records)?;
    let held_by = match folder.held_by()? {
        Some(by) => Some(by),
        None => who_lives_elsewhere(&folder, &records)?,
    };
    let status = of(&folder, held_by, &records);
    Ok(match format {
        Format::Human => for_people(&status)?,
        Format::Json => serde_json::to_string_pretty(&status)? + "\n",
    })
}

/// What `recover` would find: a run that has not ended may live in another folder or on another
/// machine.
fn who_lives_elsewhere(
    folder: &RunFolder,
    records: &[Record],
) -> Result<Option<String>, FolderError> {
    let Some(started) = engine::started(records) else { return Ok(None) };
    if engine::standing(records) == Standing::Ended {
        return Ok(None);
    }
    Ok(match alive::held(folder, started.lab.kind)? {
        Held::By(by) => Some(by),
        held @ Held::Elsewhere if started.lab.kind == LabKind::Netns => {
            super::netns::leased(&held, started).map(|holder| holder.to_string())
        }
        // Of these, no lab but a kernel lab can be asked by this build.
        Held::Nobody | Held::Elsewhere => None,
    })
}

fn of(folder: &RunFolder, held_by: Option<String>, records: &[Record]) -> Status {
    let judgement = judge(records);
    let state = match held_by {
        Some(_) => State::Held(Live::Live),
        None => State::Free(engine::standing(records)),
    };
    let next = engine::next_steps(records, folder.path());
    Status {
        run_id: engine::started(records).map(|started| started.run_id.clone()),
        folder: folder.path().display().to_string(),
        state,
        held_by,
        verdict: judgement.verdict,
        exit_code: judgement.exit_code,
        reasons: judgement.reasons,
        facts_digest: engine::facts(records).map(|facts| facts.facts_digest.clone()),
        refused_go: refused(records),
        next: next.lines().map(str::to_owned).collect(),
    }
}

fn refused(records: &[Record]) -> Option<GoRefused> {
    let answer = records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoRefused(refused) => Some(Some(refused.clone())),
        Kind::GoVerified(_) => Some(None),
        _ => None,
    });
    answer.flatten()
}

fn for_people(status: &Status) -> Result<String, serde_json::Error> {
    let state = serde_json::to_value(status.state)?;
    let run = status.run_id.as_deref().unwrap_or("no run");
    let mut lines = vec![format!("{run}: {}", state.as_str().unwrap_or_default())];
    lines.extend(status.held_by.as_ref().map(|by| format!("held by: {by}")));
    lines.push(format!("verdict: {} (exit {})", status.verdict.word(), status.exit_code));
    lines.extend(status.reasons.iter().map(|reason| format!("  {reason}")));
    lines.extend(status.next.iter().cloned());
    Ok(lines.iter().map(|line| in_one_line(line) + "\n").collect())
}

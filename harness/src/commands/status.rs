//! `lab-smoke status RUN`: where a run is, from its folder alone.

use std::path::Path;

use chrono::{DateTime, Utc};
use lab::act::Holder;
use lab::clock::Clock;
use reports::digest::Digest;
use reports::evidence::{NextStep, list_next_steps};
use reports::folder::{FolderError, RunFolder};
use reports::journal::{ChainError, read_file};
use reports::record::{GoRefused, Kind, LabKind, Record, RunStarted, Verdict};
use reports::shown::Differs;
use reports::verdict::{ExitCode, judge_journal};
use serde::Serialize;

use super::alive::{self, Held};
use super::{Console, outside, refuse};
use crate::cli::Format;
use crate::engine::{self, Standing};
use crate::labs::{Existing, Opener, Purpose};
use crate::terminal::in_one_line;

#[derive(Serialize)]
struct RunStatus {
    run_id: Option<String>,
    folder: String,
    state: FolderState,
    /// Who holds its folder on this machine.
    held_by: Option<String>,
    verdict: Verdict,
    exit_code: u8,
    reasons: Vec<String>,
    facts_digest: Option<Digest>,
    /// The last go, where it was refused; another may be given while the run is pending.
    refused_go: Option<GoRefused>,
    /// With the folder in its place.
    next: Vec<NextStep>,
    /// For people.
    #[serde(skip)]
    next_lines: Vec<String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum FolderState {
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

pub fn show_status(run: &Path, format: Format, console: Console<'_>) -> u8 {
    let terminal = console.terminal;
    match shown(run, format, console) {
        Ok(text) => {
            terminal.out(&text);
            ExitCode::Pass.number()
        }
        Err(error) => refuse(ExitCode::Usage, error, terminal),
    }
}

fn shown(run: &Path, format: Format, console: Console<'_>) -> Result<String, Unreadable> {
    let folder = RunFolder::resolve(Path::new(""), run)?;
    let records = read_file(folder.path())?.records;
    reports::shown::read_shown(&records)?;
    let held_by = match folder.held_by()? {
        Some(by) => Some(by),
        None => who_lives_elsewhere(&folder, &records, console)?,
    };
    let status = of(&folder, held_by, &records);
    Ok(match format {
        Format::Human => for_people(&status)?,
        Format::Json => serde_json::to_string_pretty(&status)? + "\n",
    })
}

/// The holder that `recover` would find: a run that has not ended may live in another folder or on
/// another machine.
fn who_lives_elsewhere(
    folder: &RunFolder,
    records: &[Record],
    console: Console<'_>,
) -> Result<Option<String>, FolderError> {
    let Some(started) = engine::find_run_started(records) else { return Ok(None) };
    if engine::read_standing(records) == Standing::Ended {
        return Ok(None);
    }
    // Of a lab that this program cannot open nobody can be asked.
    let Ok(opener) = console.labs.of(started.lab.kind) else { return Ok(None) };
    Ok(match alive::find_run_holder(folder, opener.place())? {
        Held::By(by) => Some(by),
        Held::Elsewhere => who_leased(folder, started, opener).map(|holder| holder.to_string()),
        Held::Nobody => None,
    })
}

/// Who holds the lab for this run. A lab that is gone is held by nobody.
fn who_leased(folder: &RunFolder, started: &RunStarted, opener: &dyn Opener) -> Option<Holder> {
    let manifest = outside::of_the_journal(started).ok()?;
    let (started, purpose) = (started.clone(), Purpose::Recover);
    let run_id = started.run_id.clone();
    let run = Existing { started, manifest, last_seen_at: None, purpose, assume_role: None };
    let site = opener.return_to(run).ok()?;
    opener.runtime().ok()?.block_on(async {
        let opened = site.open(folder).await.ok()?;
        alive::find_lease_holder(&Held::Elsewhere, &opened.lab, &run_id).await
    })
}

fn of(folder: &RunFolder, held_by: Option<String>, records: &[Record]) -> RunStatus {
    let mut judgement = judge_journal(records);
    let state = match held_by {
        Some(_) => FolderState::Held(Live::Live),
        None => FolderState::Free(engine::read_standing_at(records, now_of(records))),
    };
    let parked = matches!(state, FolderState::Free(Standing::Parked));
    if parked && judgement.verdict == Verdict::AwaitingGo {
        judgement.verdict = Verdict::Parked;
        let why = "the dead man's switch has stopped the instances: its deadline is over";
        judgement.reasons.push(why.to_owned());
    }
    let lines = engine::next_steps(records, folder.path());
    let path = folder.path().display().to_string();
    let next = list_next_steps(records).into_iter();
    let next = next.map(|it| NextStep { argv: it.argv_for(&path), ..it }).collect();
    RunStatus {
        run_id: engine::find_run_started(records).map(|started| started.run_id.clone()),
        folder: folder.path().display().to_string(),
        state,
        held_by,
        verdict: judgement.verdict,
        exit_code: judgement.exit_code,
        reasons: judgement.reasons,
        facts_digest: engine::find_last_facts(records).map(|facts| facts.facts_digest.clone()),
        refused_go: refused(records),
        next,
        next_lines: lines.lines().map(str::to_owned).collect(),
    }
}

/// The time by the clock that counts: of the mock, the run's own.
fn now_of(records: &[Record]) -> DateTime<Utc> {
    let virtual_time = || records.last().map(|record| record.at);
    match engine::find_run_started(records).map(|started| started.lab.kind) {
        Some(LabKind::Netns | LabKind::Aws) => Clock::System.now(),
        Some(LabKind::Mock) | None => virtual_time().unwrap_or_else(|| Clock::System.now()),
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

fn for_people(status: &RunStatus) -> Result<String, serde_json::Error> {
    let state = serde_json::to_value(status.state)?;
    let run = status.run_id.as_deref().unwrap_or("no run");
    let mut lines = vec![format!("{run}: {}", state.as_str().unwrap_or_default())];
    lines.extend(status.held_by.as_ref().map(|by| format!("held by: {by}")));
    lines.push(format!("verdict: {} (exit {})", status.verdict.word(), status.exit_code));
    lines.extend(status.reasons.iter().map(|reason| format!("  {reason}")));
    lines.extend(status.next_lines.iter().cloned());
    Ok(lines.iter().map(|line| in_one_line(line) + "\n").collect())
}

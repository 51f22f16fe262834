//! `lab-smoke runs`: the runs of a folder, and where each stands.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use reports::folder::{FolderError, RunFolder};
use reports::journal::{ChainError, read_file};
use reports::record::{LabKind, Verdict};
use reports::verdict::{ExitCode, judge_journal};
use serde::Serialize;

use super::refuse;
use crate::cli::Format;
use crate::engine;
use crate::terminal::{Terminal, in_one_line};

/// One run of the list.
#[derive(Serialize)]
struct ListedRun {
    folder: String,
    run_id: Option<String>,
    lab_kind: Option<LabKind>,
    started_at: Option<DateTime<Utc>>,
    /// A standing, `live`, or `unreadable`.
    state: String,
    verdict: Option<Verdict>,
    exit_code: Option<u8>,
    /// Why nothing can be said of it.
    problem: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Unlisted {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the list cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

pub fn list_runs(dir: &Path, format: Format, terminal: &Terminal) -> u8 {
    let text = list(dir).and_then(|runs| match format {
        Format::Human => Ok(runs.iter().map(for_people).collect()),
        Format::Json => Ok(serde_json::to_string_pretty(&runs)? + "\n"),
    });
    match text {
        Ok(text) => {
            terminal.out(&text);
            ExitCode::Pass.number()
        }
        Err(error) => refuse(ExitCode::Usage, error, terminal),
    }
}

/// The newest last, beside the prompt.
fn list(dir: &Path) -> Result<Vec<ListedRun>, Unlisted> {
    let io = |source| Unlisted::Io { path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        // Nobody has run anything here yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        // A link names a run that has its own line.
        if entry.file_type().map_err(io)?.is_dir()
            && let Ok(folder) = RunFolder::open(&entry.path())
        {
            runs.push(look_at(&folder));
        }
    }
    runs.sort_by(|one, two| (one.started_at, &one.folder).cmp(&(two.started_at, &two.folder)));
    Ok(runs)
}

fn look_at(folder: &RunFolder) -> ListedRun {
    let held = folder.held_by().map_err(|error: FolderError| error.to_string());
    let records = read_file(folder.path()).map_err(|error: ChainError| error.to_string());
    let listed = ListedRun {
        folder: folder.path().display().to_string(),
        run_id: None,
        lab_kind: None,
        started_at: None,
        state: "unreadable".to_owned(),
        verdict: None,
        exit_code: None,
        problem: None,
    };
    let (held, records) = match (held, records) {
        (Ok(held), Ok(chain)) => (held, chain.records),
        (Err(problem), _) | (_, Err(problem)) => {
            return ListedRun { problem: Some(problem), ..listed };
        }
    };
    let standing = serde_json::to_value(engine::read_standing(&records)).ok();
    let standing = standing.as_ref().and_then(|it| it.as_str()).unwrap_or_default();
    let judgement = judge_journal(&records);
    let started = engine::find_run_started(&records);
    ListedRun {
        run_id: started.map(|it| it.run_id.clone()),
        lab_kind: started.map(|it| it.lab.kind),
        started_at: records.first().map(|record| record.at),
        state: held.map_or(standing, |_| "live").to_owned(),
        verdict: Some(judgement.verdict),
        exit_code: Some(judgement.exit_code),
        ..listed
    }
}

fn for_people(run: &ListedRun) -> String {
    let at = run.started_at.map(|at| at.format("%Y-%m-%d %H:%M:%SZ").to_string());
    let verdict = run
        .verdict
        .zip(run.exit_code)
        .map(|(verdict, code)| format!("{} (exit {code})", verdict.word()));
    let parts =
        [at, Some(run.folder.clone()), Some(run.state.clone()), verdict, run.problem.clone()];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    in_one_line(&parts.join("  ")) + "\n"
}

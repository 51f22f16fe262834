//! `lab-smoke recover RUN`: brings a dead run to its end. It may itself be killed and repeated.

use std::path::Path;

use reports::folder::{FolderError, FolderLock, Locked, RunFolder, WORLD_FILE};
use reports::journal::{JournalError, Writer};
use reports::record::{Kind, LabKind, RunStarted};
use reports::shown::{Differs, shown};
use reports::verdict::{ExitCode, Judgement};

use super::alive::{self, Held};
use super::outside;
use super::refuse;
use super::to_its_end::to_its_end;
use crate::engine::{self, Announcement};
use crate::labs;
use crate::perform::write_evidence;
use crate::signals;
use crate::terminal::Terminal;
use crate::words::{self, Ending};

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Differs(#[from] Differs),
    #[error("{folder} is live: {by}")]
    Live { folder: String, by: String },
    #[error(
        "{run} is live: it holds the lab until {until} and was begun in another folder or on another machine; \
         a dead run's lease ends, then `lab-smoke recover` takes its lock over"
    )]
    Leased { run: String, until: chrono::DateTime<chrono::Utc> },
    #[error("the run has ended; `lab-smoke report` makes its evidence again")]
    Ended,
    #[error(
        "the journal says nothing of a run: it ended before its first record; nothing was touched"
    )]
    Empty,
    #[error(transparent)]
    Outside(#[from] outside::Refusal),
    #[error(transparent)]
    Netns(#[from] super::which::NetnsError),
    #[error(transparent)]
    Open(#[from] labs::OpenError),
    #[error("the runtime cannot be made: {0}")]
    Io(#[from] std::io::Error),
}

impl Refusal {
    fn code(&self) -> ExitCode {
        match self {
            Self::Live { .. }
            | Self::Leased { .. }
            | Self::Journal(JournalError::Held(_))
            | Self::Io(_)
            | Self::Netns(_) => ExitCode::Unavailable,
            Self::Open(error) => error.code(),
            Self::Outside(refusal) => refusal.code(),
            _ => ExitCode::Usage,
        }
    }
}

pub fn recover(run: &Path, lab: Option<&Path>, terminal: &Terminal) -> u8 {
    match in_its_folder(run, lab, terminal) {
        Ok(judgement) => judgement.recover_exit_code(),
        Err(refusal) => refuse(refusal.code(), &refusal, terminal),
    }
}

fn in_its_folder(
    run: &Path,
    lab: Option<&Path>,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    let folder = RunFolder::resolve(Path::new(""), run)?;
    let _lock = hold(&folder)?;
    let journal = Writer::reopen(folder.path())?;
    journal.with_records(|records| shown(records).map(drop))?;
    let started = started(&journal).ok_or(Refusal::Empty)?;
    let judgement = match engine::answered(&journal) {
        Some(judgement) if was_recovered(&journal) => {
            super::netns::end_lab_of(&started, &judgement, terminal)?;
            judgement
        }
        Some(_) => return Err(Refusal::Ended),
        None => on_its_lab(&folder, &journal, &started, lab, terminal)?,
    };
    // The lab is as it is now: that its evidence cannot be written changes nothing of that.
    let written = journal.with_records(|records| write_evidence(&folder, records, &journal.head()));
    if let Err(error) = written {
        let path = engine::in_a_command(folder.path());
        terminal.err(&format!("{error}; `lab-smoke report {path}` makes it again\n"));
    }
    terminal.out(&words::verdict(&judgement));
    terminal.out(&format!("{}\n", folder.path().display()));
    Ok(judgement)
}

/// A run is live while its process holds the folder's lock.
fn hold(folder: &RunFolder) -> Result<FolderLock, Refusal> {
    match folder.try_lock(&format!("recover, pid {}", std::process::id()))? {
        Locked::Taken(lock) => Ok(lock),
        Locked::HeldBy(by) => {
            Err(Refusal::Live { folder: folder.path().display().to_string(), by })
        }
    }
}

fn started(journal: &Writer) -> Option<RunStarted> {
    journal.with_records(|records| match records.first().map(|record| &record.kind) {
        Some(Kind::RunStarted(started)) => Some(started.clone()),
        _ => None,
    })
}

fn was_recovered(journal: &Writer) -> bool {
    journal.with_records(|records| {
        records.iter().any(|record| matches!(record.kind, Kind::RecoveryStarted(_)))
    })
}

fn on_its_lab(
    folder: &RunFolder,
    journal: &Writer,
    started: &RunStarted,
    lab: Option<&Path>,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    let mut announce = |announcement: Announcement| {
        if let Some((name, ending)) = words::ending(&announcement) {
            terminal.out(&match ending {
                Ending::Ok => format!("{name}: ok\n"),
                Ending::Failed(why) => format!("{name}: FAILED\n{why}\n"),
                Ending::Ignored(why) => format!("{name}: {why}\n"),
            });
        }
    };
    match started.lab.kind {
        LabKind::Mock => {}
        LabKind::Netns => {
            return super::netns::recover(folder, journal, started, lab, &mut announce, terminal);
        }
        LabKind::Aws => return Err(labs::OpenError::NotInThisBuild(started.lab.kind).into()),
    }
    let labs_own = || Ok(labs::mock_manifest(started.seed.unwrap_or_default())?);
    let manifest = outside::read(lab, folder, started, labs_own)?.merged();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        let mut signals = signals::listen()?;
        let opened = labs::reopen_mock(&folder.file(WORLD_FILE), manifest)?;
        not_alive(folder, &opened.lab, started).await?;
        let running = engine::recover(&opened.lab, journal, &started.run_id, &mut announce);
        Ok(to_its_end(running, &mut signals, folder.path(), terminal).await)
    })
}

/// Fails where somebody goes on with the run elsewhere.
pub(super) async fn not_alive(
    folder: &RunFolder,
    lab: &lab::Lab,
    started: &RunStarted,
) -> Result<(), Refusal> {
    let held = alive::held(folder, started.lab.kind)?;
    if let Held::By(by) = held {
        return Err(Refusal::Live { folder: folder.path().display().to_string(), by });
    }
    match alive::leased(&held, lab, &started.run_id).await {
        None => Ok(()),
        Some(holder) => Err(Refusal::Leased { run: holder.run_id, until: holder.lease_until }),
    }
}

//! `lab-smoke resume RUN`: goes on with a run whose go was awaited.

use std::path::{Path, PathBuf};

use ::lab::clock::Clock;
use ::lab::manifest::Manifest;
use ::lab::permit::Brake;
use reports::folder::{FolderError, GO_FILE, Locked, RUN_FILE, RunFile, RunFolder, WORLD_FILE};
use reports::journal::{JournalError, Writer};
use reports::record::{Kind, LabKind, Record, RunStarted};
use reports::shown::{Differs, shown};
use reports::verdict::{ExitCode, Judgement};

use super::outside::{self, Both};
use super::run::meanwhile;
use super::{refuse, say_usage};
use crate::cli::{self, ResumeArgs};
use crate::engine::{self, Announcement, Pending, Resumed, Standing};
use crate::grant::OwnersFiles;
use crate::labs::{self, OpenError, Opened};
use crate::perform::{Show, Stage, perform};
use crate::signals;
use crate::terminal::Terminal;

/// Why the run does not go on; nothing was touched then.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Differs(#[from] Differs),
    #[error("{folder} is live: {by}")]
    Live { folder: String, by: String },
    #[error("the run has ended; a go is good once: begin another with `lab-smoke preflight`")]
    Ended,
    #[error(
        "the go is refused (used): this run has burnt {0}; `lab-smoke recover {1}` brings the lab back"
    )]
    Used(String, String),
    #[error("the run awaits no go; `lab-smoke recover {0}` brings it to its end")]
    NotPending(String),
    #[error("the journal says nothing of a run; nothing was touched")]
    Empty,
    #[error(
        "{gone} is gone, which the journal names: a run goes on with its whole evidence alone; \
         `lab-smoke recover {run}` brings it to its end"
    )]
    Incomplete { gone: PathBuf, run: String },
    #[error(transparent)]
    Outside(#[from] outside::Refusal),
    #[error(
        "{0} is not the manifest that preflight was given: more than consent and signers differ; \
         begin again with `lab-smoke preflight`"
    )]
    OtherManifest(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Netns(#[from] super::which::NetnsError),
    #[error("the run cannot go on: {0}")]
    Io(#[from] std::io::Error),
}

impl Refusal {
    fn code(&self) -> ExitCode {
        match self {
            Self::Live { .. }
            | Self::Journal(JournalError::Held(_))
            | Self::Io(_)
            | Self::Netns(_) => ExitCode::Unavailable,
            Self::Used(..) => ExitCode::Stopped,
            Self::Open(error) => error.code(),
            Self::Outside(refusal) => refusal.code(),
            _ => ExitCode::Usage,
        }
    }
}

pub fn resume(args: &ResumeArgs, terminal: &Terminal) -> u8 {
    let arguments = match cli::libtest(&[]) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, terminal),
    };
    let show = Show { format: args.format, arguments };
    match in_its_folder(args, &show, terminal) {
        Ok(judgement) => judgement.exit_code,
        Err(refusal) => refuse(refusal.code(), &refusal, terminal),
    }
}

fn in_its_folder(
    args: &ResumeArgs,
    show: &Show,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    let folder = RunFolder::resolve(Path::new(""), &args.run)?;
    let _lock = match folder.try_lock(&format!("resume, pid {}", std::process::id()))? {
        Locked::Taken(lock) => lock,
        Locked::HeldBy(by) => {
            return Err(Refusal::Live { folder: folder.path().display().to_string(), by });
        }
    };
    let journal = Writer::reopen(folder.path())?;
    journal.with_records(|records| shown(records).map(drop))?;
    journal.with_records(|records| awaits(records, &folder))?;
    if let Some(gone) = journal.missing_attachment() {
        return Err(Refusal::Incomplete { gone, run: engine::in_a_command(folder.path()) });
    }
    let started = journal.with_records(|records| engine::started(records).cloned());
    let started = started.ok_or(Refusal::Empty)?;
    if started.lab.kind == LabKind::Netns {
        if let Some(gone) = super::which::gone(&folder, &started.run_id)? {
            let run = engine::in_a_command(folder.path());
            return Err(super::which::NetnsError::Gone(gone, run).into());
        }
        let lab = super::which::of_run(&started.run_id)?;
        let manifest = manifest(args, &folder, &started)?;
        let resumed = resumed(&journal, &started)?;
        let lab = (lab, manifest, started.faults.as_slice());
        return Ok(super::netns::resume(args, &folder, journal, &resumed, lab, show, terminal)?);
    }
    if started.lab.kind != LabKind::Mock {
        return Err(OpenError::NotInThisBuild(started.lab.kind).into());
    }
    let manifest = manifest(args, &folder, &started)?;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build()?;
    runtime.block_on(on_the_mock(args, &folder, journal, &started, manifest, show, terminal))
}

fn awaits(records: &[Record], folder: &RunFolder) -> Result<(), Refusal> {
    let run = || engine::in_a_command(folder.path());
    let burnt = records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoBurnt(burnt) => Some(burnt.go_digest.to_string()),
        _ => None,
    });
    match (engine::standing(records), burnt) {
        (Standing::AwaitingGo | Standing::Parked, _) => Ok(()),
        (Standing::Empty, _) => Err(Refusal::Empty),
        (Standing::Ended, _) => Err(Refusal::Ended),
        (Standing::Dead, Some(burnt)) => Err(Refusal::Used(burnt, run())),
        (Standing::Dead, None) => Err(Refusal::NotPending(run())),
    }
}

/// The run's manifest, with consent and signers as they are outside the folder now: whoever edits a
/// folder cannot make himself a signer.
fn manifest(
    args: &ResumeArgs,
    folder: &RunFolder,
    started: &RunStarted,
) -> Result<Manifest, Refusal> {
    // Made, not described: it has no signers, so that only a manifest brings some.
    let labs_own = || Ok(labs::mock_manifest(started.seed.unwrap_or_default())?);
    let both = outside::read(args.lab.as_deref(), folder, started, labs_own)?;
    let path = args.lab.clone().or_else(|| folder.read_run_file().ok()?.manifest);
    let Some(path) = path else { return Ok(both.outside) };
    let Both { journals, outside } = both;
    let same = Manifest {
        consent: journals.consent.clone(),
        owner: journals.owner.clone(),
        ..outside.clone()
    };
    if same != journals {
        return Err(Refusal::OtherManifest(path));
    }
    if args.lab.is_some() {
        remember(folder, &path);
    }
    Ok(outside)
}

/// Where the run dies, its recovery asks the same signers.
fn remember(folder: &RunFolder, manifest: &Path) {
    let (Ok(run_file), Ok(path)) = (folder.read_run_file(), std::path::absolute(manifest)) else {
        return;
    };
    let run_file = RunFile { manifest: Some(path), ..run_file };
    if let Err(error) = folder.write_json(RUN_FILE, &run_file) {
        tracing::warn!(%error, "a recovery will have to be given the manifest with --lab");
    }
}

async fn on_the_mock(
    args: &ResumeArgs,
    folder: &RunFolder,
    journal: Writer,
    started: &RunStarted,
    manifest: Manifest,
    show: &Show,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    let mut signals = signals::listen()?;
    let allowed_signers = manifest.owner.allowed_signers.clone();
    let Opened { lab, go_hidden_for, .. } = labs::reopen_mock(&folder.file(WORLD_FILE), manifest)?;
    catch_up(&lab.clock, &journal).await;
    let resumed = resumed(&journal, started)?;
    let files = OwnersFiles {
        document: args.go.clone().unwrap_or_else(|| folder.file(GO_FILE)),
        allowed_signers,
        hidden_for: go_hidden_for,
    };
    let pending = Pending { files, wait: args.wait_go, meanwhile: meanwhile(args.leave_running) };
    let stage = Stage {
        folder,
        clock: lab.clock,
        terminal,
        show,
        selection: &resumed.selection,
        seed: started.seed,
        journal,
    };
    let engine = async |journal: &Writer, brake: Brake, announce: &mut dyn FnMut(Announcement)| {
        engine::resume(&lab, &pending, journal, brake, &resumed, announce).await
    };
    Ok(Box::pin(perform(&stage, &mut signals, engine)).await)
}

fn resumed(journal: &Writer, started: &RunStarted) -> Result<Resumed, Refusal> {
    let selection = journal.with_records(engine::selection).ok_or(Refusal::Empty)?;
    Ok(Resumed { run_id: started.run_id.clone(), selection })
}

/// The world was saved with its last effect; the run's time went on until its last record.
async fn catch_up(clock: &Clock, journal: &Writer) {
    let last = journal.with_records(|records| records.last().map(|record| record.at));
    if let Some(ahead) = last.and_then(|last| (last - clock.now()).to_std().ok()) {
        clock.sleep(ahead).await;
    }
}

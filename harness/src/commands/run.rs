//! `lab-smoke run`: from its words to the exit code of a run.

use std::path::{Path, PathBuf};

use ::lab::permit::Brake;
use libtest_mimic::Arguments;
use reports::folder::{FolderError, Locked, RUN_FILE, RUNS_DIR, RunFile, RunFolder, WORLD_FILE};
use reports::journal::Writer;
use reports::record::LabKind;
use reports::verdict::{ExitCode, Judgement};

use super::{lab, refuse, say_usage};
use crate::cli::{self, LabChoice, RunArgs};
use crate::engine::{self, Announcement, Selection, Settings};
use crate::labs::{self, MockOptions, OpenError};
use crate::perform::{Show, Stage, perform};
use crate::printer::{self, Shown};
use crate::selection::select;
use crate::signals;
use crate::terminal::Terminal;

/// Why a run did not begin; nothing was touched then.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("--{0} is for `--lab mock` alone")]
    OnlyOnTheMock(&'static str),
    #[error("{0}: a mock lab is made, not described: use `--lab mock`")]
    MockManifest(PathBuf),
    #[error(transparent)]
    Manifest(#[from] lab::ReadError),
    #[error(transparent)]
    Nothing(#[from] crate::selection::NothingMatches),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{folder} is held by {by}")]
    Held { folder: PathBuf, by: String },
    #[error("the journal cannot be begun: {0}")]
    Journal(#[from] reports::journal::JournalError),
    #[error(transparent)]
    Netns(#[from] super::netns::NetnsError),
    #[error("the run cannot be begun: {0}")]
    Io(#[from] std::io::Error),
}

impl Refusal {
    fn code(&self) -> ExitCode {
        match self {
            Self::Open(error) => error.code(),
            Self::Held { .. } | Self::Io(_) | Self::Netns(_) => ExitCode::Unavailable,
            _ => ExitCode::Usage,
        }
    }
}

pub fn run(args: &RunArgs, terminal: &Terminal) -> u8 {
    let arguments = match cli::libtest(&args.libtest) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, terminal),
    };
    if arguments.list {
        // A list that nobody reads to its end is no error of the list.
        let (Shown::Whole | Shown::Gone) = printer::list(&arguments);
        return ExitCode::Pass.number();
    }
    match on_its_lab(args, arguments, terminal) {
        Ok(judgement) => judgement.exit_code,
        Err(refusal) => refuse(refusal.code(), &refusal, terminal),
    }
}

fn on_its_lab(
    args: &RunArgs,
    arguments: Arguments,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    let selection = select(&arguments)?;
    match &args.lab {
        LabChoice::Mock => {}
        LabChoice::Netns(id) => {
            only_on_the_mock(args)?;
            let show = Show { format: args.format, arguments };
            return super::netns::run(args, id.as_deref(), selection, &show, terminal);
        }
        LabChoice::Manifest(file) => {
            let manifest = lab::read(file)?;
            only_on_the_mock(args)?;
            return Err(match manifest.lab.kind {
                LabKind::Mock => Refusal::MockManifest(file.clone()),
                kind => OpenError::NotInThisBuild(kind).into(),
            });
        }
    }
    // The one choice of a runtime: virtual time on one thread (I10).
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build()?;
    let show = Show { format: args.format, arguments };
    runtime.block_on(on_the_mock(args, selection, &show, terminal))
}

/// A seed and faults are things of the mock's world.
fn only_on_the_mock(args: &RunArgs) -> Result<(), Refusal> {
    if args.seed.is_some() {
        Err(Refusal::OnlyOnTheMock("seed"))
    } else if !args.inject.is_empty() {
        Err(Refusal::OnlyOnTheMock("inject"))
    } else {
        Ok(())
    }
}

async fn on_the_mock(
    args: &RunArgs,
    selection: Selection,
    show: &Show,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    let mut signals = signals::listen()?;
    // Short enough to type, and exact in every reader of JSON.
    let seed = args.seed.unwrap_or_else(|| fastrand::u32(..).into());
    let mut options = MockOptions { seed, faults: args.inject.clone(), world_file: None };
    let run_id = labs::mock_run_id(&options)?;
    let folder = RunFolder::create(&match &args.out {
        Some(dir) => dir.clone(),
        None => RunFolder::default_dir(Path::new(RUNS_DIR), &run_id),
    })?;
    let _lock = hold(&folder, &run_id)?;
    options.world_file = Some(folder.file(WORLD_FILE));
    let opened = labs::open_mock(&options)?;
    let settings = Settings { run_id, seed: Some(seed), faults: options.faults, selection };
    let stage = Stage {
        folder: &folder,
        clock: opened.lab.clock,
        terminal,
        show,
        selection: &settings.selection,
        seed: settings.seed,
        journal: labs::journal(folder.path(), &opened.world)?,
    };
    let engine = async |journal: &Writer, brake: Brake, announce: &mut dyn FnMut(Announcement)| {
        engine::run(&opened.lab, opened.go.clone(), journal, brake, &settings, announce).await
    };
    Ok(perform(&stage, &mut signals, engine).await)
}

/// Takes the folder's lock and says beside it what is true of this machine alone.
pub(super) fn hold(
    folder: &RunFolder,
    run_id: &str,
) -> Result<reports::folder::FolderLock, Refusal> {
    let host = nix::unistd::gethostname().map_err(std::io::Error::from)?;
    let host = host.to_string_lossy().into_owned();
    let pid = std::process::id();
    let lock = match folder.try_lock(&format!("run {run_id}, pid {pid} on {host}"))? {
        Locked::Taken(lock) => lock,
        Locked::HeldBy(by) => {
            return Err(Refusal::Held { folder: folder.path().to_owned(), by });
        }
    };
    let run_file = RunFile { run_id: run_id.to_owned(), host, pid, manifest: None };
    folder.write_json(RUN_FILE, &run_file)?;
    Ok(lock)
}

//! `lab-smoke run`: from its words to the exit code of a run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::lab::manifest::Manifest;
use ::lab::permit::Brake;
use libtest_mimic::Arguments;
use reports::folder::{
    FolderError, GO_FILE, Locked, RUN_FILE, RUNS_DIR, RunFile, RunFolder, WORLD_FILE,
};
use reports::journal::Writer;
use reports::record::LabKind;
use reports::verdict::{ExitCode, Judgement};

use super::which::Which;
use super::{lab, refuse, say_usage};
use crate::cli::{self, BeginArgs, LabChoice, MakeArgs, RunArgs};
use crate::engine::{self, Announcement, Meanwhile, Pending, Selection, Settings};
use crate::grant::OwnersFiles;
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
    #[error("--{0} is for a kernel lab that is made for the run: `--lab netns`")]
    OnlyWhereMade(&'static str),
    #[error("{0} describes the mock lab of one seed: say which with --seed")]
    NoSeed(PathBuf),
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
    Netns(#[from] super::which::NetnsError),
    #[error(transparent)]
    Fault(#[from] ::lab::netns::CannotInject),
    #[error("the run cannot be begun: {0}")]
    Io(#[from] std::io::Error),
}

impl Refusal {
    fn code(&self) -> ExitCode {
        match self {
            Self::Open(error) => error.code(),
            Self::Held { .. }
            | Self::Folder(FolderError::Held { .. })
            | Self::Io(_)
            | Self::Netns(_)
            | Self::Fault(::lab::netns::CannotInject::Unable(_)) => ExitCode::Unavailable,
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
    let grantor = match args.wait_go {
        None => Grantor::LabItself,
        Some(_) => Grantor::Owner { wait: args.wait_go, meanwhile: meanwhile(args.leave_running) },
    };
    let after = if args.keep { AfterRun::Keep } else { AfterRun::TakeDown };
    begin(&args.begin, after, arguments, grantor, terminal)
}

/// What becomes of a kernel lab that was made for a run, when the run has ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum AfterRun {
    TakeDown,
    Keep,
}

/// Who gives the go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grantor {
    LabItself,
    /// None: nobody waits for him, the command ends.
    Owner {
        wait: Option<Duration>,
        meanwhile: Meanwhile,
    },
}

pub(super) fn meanwhile(leave_running: bool) -> Meanwhile {
    if leave_running { Meanwhile::LeaveRunning } else { Meanwhile::Park }
}

/// Begins a run in a folder of its own.
pub(super) fn begin(
    args: &BeginArgs,
    after: AfterRun,
    arguments: Arguments,
    grantor: Grantor,
    terminal: &Terminal,
) -> u8 {
    match on_its_lab(args, after, arguments, grantor, terminal) {
        Ok(judgement) => judgement.exit_code,
        Err(refusal) => refuse(refusal.code(), &refusal, terminal),
    }
}

/// The operator's own manifest, and where it lies.
pub(super) struct Own {
    pub path: PathBuf,
    pub manifest: Manifest,
}

fn on_its_lab(
    args: &BeginArgs,
    after: AfterRun,
    arguments: Arguments,
    grantor: Grantor,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    let selection = select(&arguments)?;
    if args.lab != LabChoice::Netns(None) {
        only_where_made(&args.make)?;
    }
    // Before a lab is made for it.
    args.out.as_deref().map_or(Ok(()), RunFolder::check)?;
    let show = Show { format: args.format, arguments };
    let in_the_kernel = |which| {
        if args.seed.is_some() {
            return Err(Refusal::OnlyOnTheMock("seed"));
        }
        // Before anything is built.
        ::lab::netns::check_faults(&args.inject)?;
        super::netns::run(args, which, selection.clone(), grantor, &show, terminal)
    };
    let own = match &args.lab {
        LabChoice::Mock => None,
        LabChoice::Netns(None) => return in_the_kernel(Which::Made(after)),
        LabChoice::Netns(Some(id)) => return in_the_kernel(Which::Named(id.clone())),
        LabChoice::Manifest(file) => {
            let manifest = lab::read(file)?;
            let own = Own { path: std::path::absolute(file)?, manifest };
            match (own.manifest.lab.kind, args.seed) {
                (LabKind::Mock, Some(_)) => {}
                (LabKind::Mock, None) => return Err(Refusal::NoSeed(file.clone())),
                (LabKind::Netns, _) => return in_the_kernel(Which::Described(Box::new(own))),
                (kind, _) => {
                    only_on_the_mock(args)?;
                    return Err(OpenError::NotInThisBuild(kind).into());
                }
            }
            Some(own)
        }
    };
    // The one choice of a runtime: virtual time on one thread (I10).
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build()?;
    runtime.block_on(on_the_mock(args, selection, &show, own, grantor, terminal))
}

fn only_where_made(make: &MakeArgs) -> Result<(), Refusal> {
    let given = [
        ("routerd-bin", &make.routerd_bin),
        ("executor", &make.executor),
        ("allowed-signers", &make.allowed_signers),
    ];
    match given.iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(Refusal::OnlyWhereMade(name)),
        None => Ok(()),
    }
}

/// A seed and faults are things of the mock's world.
fn only_on_the_mock(args: &BeginArgs) -> Result<(), Refusal> {
    if args.seed.is_some() {
        Err(Refusal::OnlyOnTheMock("seed"))
    } else if !args.inject.is_empty() {
        Err(Refusal::OnlyOnTheMock("inject"))
    } else {
        Ok(())
    }
}

async fn on_the_mock(
    args: &BeginArgs,
    selection: Selection,
    show: &Show,
    own: Option<Own>,
    grantor: Grantor,
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
    let (path, manifest) = own.map(|own| (own.path, own.manifest)).unzip();
    let _lock = hold(&folder, &run_id, path)?;
    options.world_file = Some(folder.file(WORLD_FILE));
    let opened = labs::open_mock_as(&options, manifest)?;
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
        let lab = &opened.lab;
        let grantor = match (grantor, opened.owner_awaited) {
            (Grantor::LabItself, Some(wait)) => {
                Grantor::Owner { wait: Some(wait), meanwhile: Meanwhile::Park }
            }
            (grantor, _) => grantor,
        };
        match grantor {
            Grantor::LabItself => {
                engine::run(lab, opened.go.clone(), journal, brake, &settings, announce).await
            }
            Grantor::Owner { wait, meanwhile } => {
                let files = OwnersFiles {
                    document: folder.file(GO_FILE),
                    allowed_signers: lab.manifest.owner.allowed_signers.clone(),
                    hidden_for: opened.go_hidden_for,
                };
                let pending = Pending { files, wait, meanwhile };
                engine::run_until_go(lab, &pending, journal, brake, &settings, announce).await
            }
        }
    };
    Ok(Box::pin(perform(&stage, &mut signals, engine)).await)
}

/// Takes the folder's lock and says beside it what is true of this machine alone.
pub(super) fn hold(
    folder: &RunFolder,
    run_id: &str,
    manifest: Option<PathBuf>,
) -> Result<reports::folder::FolderLock, Refusal> {
    let host = super::alive::host()?;
    let pid = std::process::id();
    let lock = match folder.try_lock(&format!("run {run_id}, pid {pid} on {host}"))? {
        Locked::Taken(lock) => lock,
        Locked::HeldBy(by) => {
            return Err(Refusal::Held { folder: folder.path().to_owned(), by });
        }
    };
    let begun_in = Some(folder.begun_here()?);
    let run_file = RunFile { run_id: run_id.to_owned(), host, pid, manifest, begun_in };
    folder.write_json(RUN_FILE, &run_file)?;
    Ok(lock)
}

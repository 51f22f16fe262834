//! `lab-smoke run`: from its words to the exit code of a run.

use std::path::{Path, PathBuf};

use ::lab::permit::Brake;
use futures::Stream;
use libtest_mimic::Arguments;
use reports::folder::{FolderLock, GO_FILE, RUN_FILE, RUNS_DIR, RunFile, RunFolder};
use reports::journal::{Writer, read_file};
use reports::record::LabKind;
use reports::verdict::{ExitCode, Judgement};

use super::refusal::CommandRefusal;
use super::told::{EndedRun, tell_programs};
use super::{Console, alive, lab, refuse, say_usage};
use crate::cli::{self, BeginArgs, LabChoice, ReportArgs, RunArgs};
use crate::engine::{self, Announcement, Meanwhile, Pending, Selection, Settings, Standing};
use crate::grant::OwnersFiles;
use crate::labs::{AfterRun, Choice, Grantor, LabRequest, Leaving, Opened, Own, Site};
use crate::perform::{Show, Stage, perform_run};
use crate::printer::{self, PrinterEnd};
use crate::selection::select_scenarios;
use crate::signals;

pub fn run_smoke(args: &RunArgs, console: Console<'_>) -> u8 {
    let arguments = match cli::parse_libtest_arguments(&args.libtest) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, console.terminal),
    };
    if arguments.list {
        // A list that nobody reads to its end is no error of the list.
        let (PrinterEnd::Whole | PrinterEnd::Gone) = printer::print_trial_list(&arguments);
        return ExitCode::Pass.number();
    }
    let grantor = match args.wait_go {
        None => Grantor::LabItself,
        Some(_) => {
            Grantor::Owner { wait: args.wait_go, meanwhile: choose_meanwhile(args.leave_running) }
        }
    };
    let after = if args.keep { AfterRun::Keep } else { AfterRun::TakeDown };
    begin_run(&args.begin, &args.reports, after, arguments, grantor, console)
}

pub(super) fn choose_meanwhile(leave_running: bool) -> Meanwhile {
    if leave_running { Meanwhile::LeaveRunning } else { Meanwhile::Park }
}

/// Begins a run in a folder of its own.
pub(super) fn begin_run(
    args: &BeginArgs,
    reports: &ReportArgs,
    after: AfterRun,
    arguments: Arguments,
    grantor: Grantor,
    console: Console<'_>,
) -> u8 {
    let ended = on_its_lab(args, after, arguments, grantor, console);
    tell_programs(reports, &ended, console.terminal);
    match ended {
        Ok(ended) => ended.judgement.exit_code,
        Err(refusal) => refuse(refusal.code(), &refusal, console.terminal),
    }
}

fn on_its_lab(
    args: &BeginArgs,
    after: AfterRun,
    arguments: Arguments,
    grantor: Grantor,
    console: Console<'_>,
) -> Result<EndedRun, CommandRefusal> {
    let selection = select_scenarios(&arguments)?;
    let (kind, lab) = chosen(&args.lab)?;
    let wanted = LabRequest {
        lab,
        seed: args.seed,
        faults: args.inject.clone(),
        make: args.make.clone(),
        after,
        grantor,
        assume_role: args.identity.assume_role.clone(),
    };
    // Before anything is built.
    let opener = console.labs.for_new_run(kind, &wanted)?;
    args.out.as_deref().map_or(Ok(()), RunFolder::check)?;
    let show = Show { format: args.format, arguments };
    opener.runtime()?.block_on(async {
        // First, so that a signal while the lab is built finds someone who takes it down.
        let mut signals = signals::listen()?;
        let say = console.say();
        let site = opener.begin(&wanted, &say).await?;
        let new = NewRun { wanted: &wanted, out: args.out.as_deref(), show: &show, console };
        let ended = Box::pin(new.carry_out(site.as_ref(), selection, &mut signals)).await;
        let how = ended.as_ref().map_or(Leaving::Unused, |ended| Leaving::Run(ended.standing));
        site.leave(how, &say).await;
        Ok(ended?.run)
    })
}

/// Which lab the words mean.
fn chosen(lab: &LabChoice) -> Result<(LabKind, Choice), CommandRefusal> {
    Ok(match lab {
        LabChoice::Mock => (LabKind::Mock, Choice::Usual),
        LabChoice::Netns(None) => (LabKind::Netns, Choice::Usual),
        LabChoice::Netns(Some(id)) => (LabKind::Netns, Choice::Named(id.clone())),
        LabChoice::Manifest(file) => {
            let manifest = lab::read_manifest_file(file)?;
            let kind = manifest.lab.kind;
            let own = Own { path: std::path::absolute(file)?, manifest };
            (kind, Choice::Described(Box::new(own)))
        }
    })
}

/// A command's end, and where the run stands then.
pub(super) struct Ended {
    pub run: EndedRun,
    pub standing: Standing,
}

impl Ended {
    pub(super) fn of(judgement: Judgement, folder: &RunFolder) -> Self {
        // What cannot be read does not wait for anybody.
        let records = read_file(folder.path()).map(|journal| journal.records).unwrap_or_default();
        let run = EndedRun::of(judgement, folder);
        Self { run, standing: engine::read_standing(&records) }
    }
}

struct NewRun<'a> {
    wanted: &'a LabRequest,
    out: Option<&'a Path>,
    show: &'a Show,
    console: Console<'a>,
}

impl NewRun<'_> {
    async fn carry_out(
        &self,
        site: &dyn Site,
        selection: Selection,
        signals: &mut (impl Stream<Item = &'static str> + Unpin),
    ) -> Result<Ended, CommandRefusal> {
        let run_id = site.run_id().to_owned();
        let folder = RunFolder::create(&match self.out {
            Some(dir) => dir.to_owned(),
            None => RunFolder::default_dir(Path::new(RUNS_DIR), &run_id),
        })?;
        let _lock = hold_new(&folder, &run_id, site.manifest_file())?;
        let opened = match site.open(&folder).await {
            Ok(opened) => opened,
            Err(error) => {
                // A folder that the caller named stays as he has it.
                if self.out.is_none() {
                    folder.discard_unused();
                }
                return Err(error.into());
            }
        };
        if self.out.is_none()
            && let Err(error) = folder.point_latest()
        {
            tracing::warn!(%error, "the link to the latest run stays as it is");
        }
        let (seed, faults) = (site.seed(), self.wanted.faults.clone());
        let settings = Settings { run_id, seed, faults, selection };
        let stage = Stage {
            folder: &folder,
            clock: opened.lab.clock,
            terminal: self.console.terminal,
            show: self.show,
            selection: &settings.selection,
            seed,
            journal: (opened.disk)(folder.path())?,
        };
        let judgement = perform_run(&stage, signals, async |journal, brake, announce| {
            self.run_engine(&opened, &folder, &settings, (journal, brake, announce)).await
        });
        Ok(Ended::of(judgement.await, &folder))
    }

    async fn run_engine(
        &self,
        opened: &Opened,
        folder: &RunFolder,
        settings: &Settings,
        (journal, brake, announce): (&Writer, Brake, &mut dyn FnMut(Announcement)),
    ) -> Judgement {
        let lab = &opened.lab;
        let grantor = self.wanted.grantor.or_owner(opened.owner_awaited);
        let (wait, meanwhile) = match (grantor, &opened.self_grant) {
            (Grantor::LabItself, Some(go)) => {
                return engine::run_sequence(lab, go.clone(), journal, brake, settings, announce)
                    .await;
            }
            // Only its owner can: the command ends once he is asked.
            (Grantor::LabItself, None) => (None, Meanwhile::Park),
            (Grantor::Owner { wait, meanwhile }, _) => (wait, meanwhile),
        };
        let files = owners_files(opened, folder.file(GO_FILE));
        let pending = Pending { files, wait, meanwhile };
        engine::run_until_go(lab, &pending, journal, brake, settings, announce).await
    }
}

/// Where the owner's go will lie, and who may sign it.
pub(super) fn owners_files(opened: &Opened, document: PathBuf) -> OwnersFiles {
    OwnersFiles {
        document,
        allowed_signers: opened.lab.manifest.owner.allowed_signers.clone(),
        hidden_for: opened.go_hidden_for,
    }
}

/// Takes the folder's lock and says beside it what is true of this machine alone.
fn hold_new(
    folder: &RunFolder,
    run_id: &str,
    manifest: Option<PathBuf>,
) -> Result<FolderLock, CommandRefusal> {
    let host = alive::get_hostname()?;
    let pid = std::process::id();
    let lock = alive::lock_folder(folder, &format!("run {run_id}, pid {pid} on {host}"))?;
    let begun_in = Some(folder.begun_here()?);
    let run_file = RunFile { run_id: run_id.to_owned(), host, pid, manifest, begun_in };
    folder.write_json(RUN_FILE, &run_file)?;
    Ok(lock)
}

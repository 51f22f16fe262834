//! `lab-smoke resume RUN`: goes on with a run whose go was awaited.

use std::path::Path;

use ::lab::manifest::Manifest;
use reports::folder::{GO_FILE, RUN_FILE, RunFile, RunFolder};
use reports::journal::Writer;
use reports::record::{Kind, Record, RunStarted};
use reports::shown::read_shown;

use super::outside::{self, Both};
use super::refusal::CommandRefusal;
use super::run::{Ended, choose_meanwhile, owners_files};
use super::told::{EndedRun, tell_programs};
use super::{Console, alive, refuse, say_usage};
use crate::cli::{self, IdentityArgs, ResumeArgs};
use crate::engine::{self, Pending, Resumed, Standing};
use crate::labs::{Existing, Leaving, Opener, Purpose};
use crate::perform::{Show, Stage, perform_run};
use crate::signals;

pub fn resume_run(args: &ResumeArgs, console: Console<'_>) -> u8 {
    let arguments = match cli::parse_libtest_arguments(&[]) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, console.terminal),
    };
    let show = Show { format: args.format, arguments };
    let ended = in_its_folder(args, &show, console);
    tell_programs(&args.reports, &ended, console.terminal);
    match ended {
        Ok(ended) => ended.judgement.exit_code,
        Err(refusal) => refuse(refusal.code(), &refusal, console.terminal),
    }
}

fn in_its_folder(
    args: &ResumeArgs,
    show: &Show,
    console: Console<'_>,
) -> Result<EndedRun, CommandRefusal> {
    let folder = RunFolder::resolve(Path::new(""), &args.run)?;
    let _lock = alive::lock_folder(&folder, &format!("resume, pid {}", std::process::id()))?;
    let journal = Writer::reopen(folder.path())?;
    journal.with_records(|records| read_shown(records).map(drop))?;
    journal.with_records(|records| awaits(records, &folder))?;
    let run = || engine::in_a_command(folder.path());
    if let Some(gone) = journal.missing_attachment() {
        return Err(CommandRefusal::Incomplete { gone, run: run() });
    }
    let started = journal.with_records(|records| engine::find_run_started(records).cloned());
    let started = started.ok_or(CommandRefusal::Empty)?;
    let opener = console.labs.of(started.lab.kind)?;
    if let Some(proof) = opener.prove_gone(&folder, &started.run_id)? {
        return Err(CommandRefusal::LabGone { proof, run: run() });
    }
    let manifest = manifest(args, &folder, &started, opener)?;
    let run = gather_existing_run(&journal, started, manifest, Purpose::GoOn, &args.identity);
    on_its_lab(args, &folder, journal, run, opener, show, console)
}

pub(super) fn gather_existing_run(
    journal: &Writer,
    started: RunStarted,
    manifest: Manifest,
    purpose: Purpose,
    identity: &IdentityArgs,
) -> Existing {
    let last_seen_at = journal.with_records(|records| records.last().map(|record| record.at));
    let assume_role = identity.assume_role.clone();
    Existing { started, manifest, last_seen_at, purpose, assume_role }
}

fn awaits(records: &[Record], folder: &RunFolder) -> Result<(), CommandRefusal> {
    let run = || engine::in_a_command(folder.path());
    let burnt = records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoBurnt(burnt) => Some(burnt.go_digest.to_string()),
        _ => None,
    });
    match (engine::read_standing(records), burnt) {
        (Standing::AwaitingGo | Standing::Parked, _) => Ok(()),
        (Standing::Empty, _) => Err(CommandRefusal::Empty),
        (Standing::Ended, _) => Err(CommandRefusal::Ended),
        (Standing::Dead, Some(burnt)) => Err(CommandRefusal::Used(burnt, run())),
        (Standing::Dead, None) => Err(CommandRefusal::NotPending(run())),
    }
}

/// The run's manifest, with consent, signers and the way to the nodes as they are outside the folder now:
/// whoever edits a folder cannot make himself a signer, and addresses change while a lab rests.
fn manifest(
    args: &ResumeArgs,
    folder: &RunFolder,
    started: &RunStarted,
    opener: &dyn Opener,
) -> Result<Manifest, CommandRefusal> {
    let both = outside::read_outside_manifest(args.lab.as_deref(), folder, started, opener)?;
    let path = args.lab.clone().or_else(|| folder.read_run_file().ok()?.manifest);
    let Some(path) = path else { return Ok(both.outside) };
    let Both { journals, outside } = both;
    let same = Manifest {
        consent: journals.consent.clone(),
        owner: journals.owner.clone(),
        ..outside.clone().reached_as(&journals)
    };
    if same != journals {
        return Err(CommandRefusal::OtherManifest(path));
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

fn on_its_lab(
    args: &ResumeArgs,
    folder: &RunFolder,
    journal: Writer,
    run: Existing,
    opener: &dyn Opener,
    show: &Show,
    console: Console<'_>,
) -> Result<EndedRun, CommandRefusal> {
    let selection = journal.with_records(engine::read_selection).ok_or(CommandRefusal::Empty)?;
    let (run_id, seed) = (run.started.run_id.clone(), run.started.seed);
    let resumed = Resumed { run_id, selection };
    let site = opener.return_to(run)?;
    opener.runtime()?.block_on(async {
        let mut signals = signals::listen()?;
        let opened = site.open(folder).await?;
        let document = args.go.clone().unwrap_or_else(|| folder.file(GO_FILE));
        let pending = Pending {
            files: owners_files(&opened, document),
            wait: args.wait_go,
            meanwhile: choose_meanwhile(args.leave_running),
        };
        let stage = Stage {
            folder,
            clock: opened.lab.clock,
            terminal: console.terminal,
            show,
            selection: &resumed.selection,
            seed,
            journal,
        };
        let judgement = perform_run(&stage, &mut signals, async |journal, brake, announce| {
            engine::resume_sequence(&opened.lab, &pending, journal, brake, &resumed, announce).await
        });
        let ended = Ended::of(Box::pin(judgement).await, folder);
        site.leave(Leaving::Run(ended.standing), &console.say()).await;
        Ok(ended.run)
    })
}

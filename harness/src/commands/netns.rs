//! The kernel lab on the command line: a run on it, and the lab by itself.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ::lab::Lab;
use ::lab::act::Holder;
use ::lab::clock::Clock;
use ::lab::manifest::Manifest;
use ::lab::netns::{self, Conclusion, Condition, Folder, Netns};
use ::lab::node::Node;
use ::lab::permit::Brake;
use futures::Stream;
use futures::future::LocalBoxFuture;
use reports::folder::{GO_FILE, RUNS_DIR, RunFolder};
use reports::journal::{Writer, read_file};
use reports::record::{LabKind, RunStarted};
use reports::verdict::{ExitCode, Judgement};

use super::alive::{self, Held};
use super::run::{AfterRun, Grantor, Own, Refusal, hold, meanwhile};
use super::to_its_end::to_its_end;
use super::which::{
    NetnsError, Which, find, folder_id, gone, make, of_manifest, of_run, time_to_live,
};
use super::{netns_list, outside, recover, refuse};
use crate::cli::{BeginArgs, NetnsCommand, ResumeArgs};
use crate::engine::{self, Announcement, Pending, Resumed, Selection, Settings, Standing};
use crate::grant::{LabItself, OwnersFiles};
use crate::perform::{Show, Stage, perform};
use crate::signals;
use crate::terminal::Terminal;

/// Makes a lab, runs on it and takes it down; or runs on one that is there, and leaves it.
pub(super) fn run(
    args: &BeginArgs,
    which: Which,
    selection: Selection,
    grantor: Grantor,
    show: &Show,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    // Real time: what runs here are processes and packets.
    runtime()?.block_on(async {
        // First, so that a signal while the lab is built finds someone who takes it down.
        let mut signals = signals::listen()?;
        let (folder, ours, own) = match which {
            Which::Named(id) => (find(Some(&id))?, Ours::No, None),
            Which::Described(own) => (of_manifest(&own)?, Ours::No, Some(*own)),
            Which::Made(after) => {
                let ours = match after {
                    AfterRun::Keep => Ours::Kept,
                    AfterRun::TakeDown => Ours::Yes,
                };
                (make(&args.make, time_to_live(grantor))?, ours, None)
            }
        };
        let desk = Desk { args, own, grantor, show, terminal };
        let ended = desk.on_the_lab(selection, &mut signals, folder.clone(), ours).await;
        let id = folder_id(&folder);
        match (&ended, ours) {
            (_, Ours::No) => {}
            (_, Ours::Kept) => lives_on(&id, terminal),
            (Ok(Ended { standing, .. }), Ours::Yes) if standing.needs_its_lab() => {
                left_to_the_run(&id, terminal);
            }
            (_, Ours::Yes) => take_down(&folder, terminal).await,
        }
        Ok(ended?.judgement)
    })
}

fn lives_on(id: &str, terminal: &Terminal) {
    terminal.err(&format!("the lab lives on: lab-smoke lab down --id {id}\n"));
}

fn left_to_the_run(id: &str, terminal: &Terminal) {
    terminal
        .err(&format!("the lab waits with the run; without it: lab-smoke lab down --id {id}\n"));
}

async fn take_down(folder: &Folder, terminal: &Terminal) {
    if let Err(error) = netns::down(folder, Clock::System).await {
        terminal.err(&format!("the lab could not be taken down: {error}\n"));
    }
}

/// Whether a run made its lab, and may take it down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ours {
    Yes,
    Kept,
    No,
}

/// Where the operator sits.
struct Desk<'a> {
    args: &'a BeginArgs,
    own: Option<Own>,
    grantor: Grantor,
    show: &'a Show,
    terminal: &'a Terminal,
}

/// A command's end, and where the run stands then.
struct Ended {
    judgement: Judgement,
    standing: Standing,
}

impl Ended {
    fn of(judgement: Judgement, folder: &RunFolder) -> Self {
        // What cannot be read does not wait for anybody.
        let records = read_file(folder.path()).map(|journal| journal.records).unwrap_or_default();
        Self { judgement, standing: engine::standing(&records) }
    }
}

impl Desk<'_> {
    async fn on_the_lab(
        &self,
        selection: Selection,
        signals: &mut (impl Stream<Item = &'static str> + Unpin),
        made: Folder,
        ours: Ours,
    ) -> Result<Ended, Refusal> {
        let clock = Clock::System;
        let args = self.args;
        let lab_id = folder_id(&made);
        if ours == Ours::No {
            self.begin_anew(&netns::open(made.clone(), clock)?, &lab_id).await?;
        }
        for fault in &args.inject {
            netns::inject(&made, fault).await?;
        }
        let manifest = self.own.as_ref().map(|own| own.manifest.clone());
        let opened = netns::open_for(made, clock, manifest, &args.inject)?;
        let run_id = format!("smoke-{}-{lab_id}", clock.now().format("%Y%m%dT%H%M%SZ"));
        let folder = RunFolder::create(&match &args.out {
            Some(dir) => dir.clone(),
            None => RunFolder::default_dir(Path::new(RUNS_DIR), &run_id),
        })?;
        let path =
            self.own.as_ref().map_or_else(|| opened.folder.manifest(), |own| own.path.clone());
        let _lock = hold(&folder, &run_id, Some(path))?;
        opened.folder.note_run(&run_id)?;
        if ours == Ours::Yes {
            opened.folder.leave_to(&run_id)?;
            netns::leave_to_process(&opened.folder, folder.path()).await?;
        }
        let settings = Settings { run_id, seed: None, faults: args.inject.clone(), selection };
        let stage = Stage {
            folder: &folder,
            clock,
            terminal: self.terminal,
            show: self.show,
            selection: &settings.selection,
            seed: None,
            journal: Writer::create(folder.path())?,
        };
        let seat = Seat { desk: self, opened: &opened, document: folder.file(GO_FILE) };
        let engine =
            async |journal: &Writer, brake: Brake, announce: &mut dyn FnMut(Announcement)| {
                seat.engine(&settings, journal, brake, announce).await
            };
        let judgement = perform(&stage, signals, engine).await;
        Ok(Ended::of(judgement, &folder))
    }
}

impl Desk<'_> {
    /// A lab on which there was a run before: what that has stopped is started, and what it has
    /// terminated is said before anything is begun.
    async fn begin_anew(&self, lab: &Netns, lab_id: &str) -> Result<(), Refusal> {
        let Some(run) = lab.folder.last_run() else { return Ok(()) };
        match netns::condition(&lab.folder).await? {
            Condition::Running => {}
            Condition::Terminated(_) => {
                return Err(NetnsError::Spent { id: lab_id.to_owned(), run }.into());
            }
            Condition::Stopped(nodes) => {
                netns::start(lab, &nodes, Clock::System).await?;
                let names: Vec<_> = nodes.iter().map(|node| node.as_str()).collect();
                let names = names.join(" and ");
                self.terminal.err(&format!("{run} left {names} stopped: started again\n"));
            }
        }
        Ok(())
    }
}

/// At the desk, with the lab open.
struct Seat<'a> {
    desk: &'a Desk<'a>,
    opened: &'a Netns,
    /// Where the owner's go will lie.
    document: PathBuf,
}

impl Seat<'_> {
    /// Boxed, because the compiler gives up on futures as deep as these.
    fn engine<'a>(
        &'a self,
        settings: &'a Settings,
        journal: &'a Writer,
        brake: Brake,
        announce: &'a mut dyn FnMut(Announcement),
    ) -> LocalBoxFuture<'a, Judgement> {
        let lab = &self.opened.lab;
        Box::pin(async move {
            match self.desk.grantor {
                Grantor::LabItself => {
                    let key_seed = self.opened.go_seed;
                    let go = Rc::new(LabItself { key_seed, clock: Clock::System, fault: None });
                    engine::run(lab, go, journal, brake, settings, announce).await
                }
                Grantor::Owner { wait, meanwhile } => {
                    let files = files(lab, self.document.clone());
                    let pending = Pending { files, wait, meanwhile };
                    engine::run_until_go(lab, &pending, journal, brake, settings, announce).await
                }
            }
        })
    }
}

fn files(lab: &Lab, document: PathBuf) -> OwnersFiles {
    OwnersFiles {
        document,
        allowed_signers: lab.manifest.owner.allowed_signers.clone(),
        hidden_for: Duration::ZERO,
    }
}

/// Goes on with a run that awaited its go.
pub(super) fn resume(
    args: &ResumeArgs,
    folder: &RunFolder,
    journal: Writer,
    resumed: &Resumed,
    (lab, manifest, faults): (Folder, Manifest, &[String]),
    show: &Show,
    terminal: &Terminal,
) -> Result<Judgement, NetnsError> {
    runtime()?.block_on(async {
        let mut signals = signals::listen()?;
        let opened = netns::open_for(lab, Clock::System, Some(manifest), faults)?;
        if opened.folder.is_left_to(&resumed.run_id) {
            netns::leave_to_process(&opened.folder, folder.path()).await?;
        }
        let document = args.go.clone().unwrap_or_else(|| folder.file(GO_FILE));
        let pending = Pending {
            files: files(&opened.lab, document),
            wait: args.wait_go,
            meanwhile: meanwhile(args.leave_running),
        };
        let stage = Stage {
            folder,
            clock: Clock::System,
            terminal,
            show,
            selection: &resumed.selection,
            seed: None,
            journal,
        };
        let engine =
            async |journal: &Writer, brake: Brake, announce: &mut dyn FnMut(Announcement)| {
                engine::resume(&opened.lab, &pending, journal, brake, resumed, announce).await
            };
        let ended = Ended::of(Box::pin(perform(&stage, &mut signals, engine)).await, folder);
        if opened.folder.is_left_to(&resumed.run_id) {
            if ended.standing.needs_its_lab() {
                left_to_the_run(&folder_id(&opened.folder), terminal);
            } else {
                take_down(&opened.folder, terminal).await;
            }
        }
        Ok(ended.judgement)
    })
}

/// Brings a dead run to its end on its lab. A lab that was made for the run ends with it, unless
/// something is left on it: whoever looks into that may want it.
pub(super) fn recover(
    run_folder: &RunFolder,
    journal: &Writer,
    started: &RunStarted,
    manifest: Option<&Path>,
    announce: &mut dyn FnMut(Announcement),
    terminal: &Terminal,
) -> Result<Judgement, recover::Refusal> {
    let run_id = &started.run_id;
    if let Some(gone) = gone(run_folder, run_id)? {
        return Ok(engine::close(journal, Clock::System, gone.to_string())?);
    }
    let folder = of_run(run_id)?;
    let labs_own = || Ok(netns::manifest(&folder)?);
    let manifest = outside::read(manifest, run_folder, started, labs_own)?.merged();
    runtime()?.block_on(async {
        let mut signals = signals::listen()?;
        let opened = netns::open_for(folder, Clock::System, Some(manifest), &started.faults)?;
        recover::not_alive(run_folder, &opened.lab, started).await?;
        let running = engine::recover(&opened.lab, journal, run_id, announce);
        let judgement = to_its_end(running, &mut signals, run_folder.path(), terminal).await;
        let clean = judgement.recover_exit_code() == ExitCode::Pass.number();
        if clean && opened.folder.is_left_to(run_id) {
            take_down(&opened.folder, terminal).await;
        } else {
            lives_on(&folder_id(&opened.folder), terminal);
        }
        Ok(judgement)
    })
}

/// Of a run that was recovered, where the recovery was killed before it could take its lab down.
pub(super) fn end_lab_of(
    started: &RunStarted,
    judgement: &Judgement,
    terminal: &Terminal,
) -> Result<(), recover::Refusal> {
    let clean = judgement.recover_exit_code() == ExitCode::Pass.number();
    let left = of_run(&started.run_id).ok().filter(|lab| lab.is_left_to(&started.run_id));
    match left.filter(|_| clean && started.lab.kind == LabKind::Netns) {
        Some(lab) => runtime()?.block_on(async {
            take_down(&lab, terminal).await;
            Ok(())
        }),
        None => Ok(()),
    }
}

/// Who holds the lab for this run. A lab that is gone is held by nobody.
pub(super) fn leased(held: &Held, started: &RunStarted) -> Option<Holder> {
    let folder = of_run(&started.run_id).ok()?;
    let opened = netns::open_for(folder, Clock::System, None, &[]).ok()?;
    runtime().ok()?.block_on(alive::leased(held, &opened.lab, &started.run_id))
}

pub fn command(command: &NetnsCommand, terminal: &Terminal) -> u8 {
    match answer(command, terminal) {
        Ok(code) => code,
        Err(error @ (NetnsError::Up(_) | NetnsError::Spent { .. })) => {
            refuse(ExitCode::Unavailable, error, terminal)
        }
        Err(error) => refuse(ExitCode::Usage, error, terminal),
    }
}

fn answer(command: &NetnsCommand, terminal: &Terminal) -> Result<u8, NetnsError> {
    match command {
        NetnsCommand::Up { kind: _, make: args, time_to_live } => {
            terminal.out(&format!("{}\n", folder_id(&make(args, *time_to_live)?)));
        }
        NetnsCommand::List => {
            terminal.out(&runtime()?.block_on(netns_list::shown())?);
        }
        NetnsCommand::Down { id } => {
            let folder = find(id.as_deref())?;
            runtime()?.block_on(netns::down(&folder, Clock::System))?;
        }
        NetnsCommand::Exec { id, node, words } => {
            let status = netns::exec(&find(id.as_deref())?, parse(node)?, words)?;
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255));
        }
        NetnsCommand::Shell { id, node } => {
            let status = netns::exec(&find(id.as_deref())?, parse(node)?, &[])?;
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255));
        }
        NetnsCommand::Explain { id, from, to } => {
            let walk = runtime()?.block_on(netns::explain(&find(id.as_deref())?, *from, *to))?;
            terminal.out(&format!("{walk}\n"));
            if walk.conclusion != Conclusion::Arrived {
                return Ok(ExitCode::Fail.number());
            }
        }
    }
    Ok(ExitCode::Pass.number())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn parse(name: &str) -> Result<Node, NetnsError> {
    let node = Node::ALL.into_iter().find(|node| node.as_str() == name);
    node.ok_or_else(|| NetnsError::NoNode(name.to_owned()))
}

//! The kernel lab on the command line: a run on it, and the lab by itself.

use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;

use ::lab::clock::Clock;
use ::lab::netns::{self, Folder, Options, UpError};
use ::lab::node::Node;
use ::lab::permit::Brake;
use reports::folder::{RUNS_DIR, RunFolder};
use reports::journal::Writer;
use reports::verdict::{ExitCode, Judgement};

use super::refuse;
use super::run::{Refusal, hold};
use super::to_its_end::to_its_end;
use crate::cli::{NetnsCommand, RunArgs};
use crate::engine::{self, Announcement, Selection, Settings};
use crate::grant::LabItself;
use crate::perform::{Show, Stage, perform};
use crate::signals;
use crate::terminal::Terminal;

#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    #[error(transparent)]
    Up(#[from] UpError),
    #[error(
        "no node is called `{0}`; they are routerd-cloud, cloud-client, onprem-router and onprem-client"
    )]
    NoNode(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Makes a lab, runs on it and takes it down; or runs on one that is there, and leaves it.
pub fn run(
    args: &RunArgs,
    id: Option<&str>,
    selection: Selection,
    show: &Show,
    terminal: &Terminal,
) -> Result<Judgement, Refusal> {
    // Real time: what runs here are processes and packets.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = Clock::System;
    let (folder, ours) = match id {
        Some(id) => (find(Some(id))?, Ours::No),
        None => {
            (make(args.routerd_bin.as_deref())?, if args.keep { Ours::Kept } else { Ours::Yes })
        }
    };
    runtime.block_on(async {
        let judgement = on_the_lab(args, selection, show, terminal, folder.clone()).await;
        match ours {
            Ours::Yes => {
                if let Err(error) = netns::down(&folder, clock).await {
                    terminal.err(&format!("the lab could not be taken down: {error}\n"));
                }
            }
            Ours::Kept => {
                let id = folder_id(&folder);
                terminal.err(&format!("the lab lives on: lab-smoke lab down --id {id}\n"));
            }
            Ours::No => {}
        }
        judgement
    })
}

/// Whether a run made its lab, and may take it down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ours {
    Yes,
    Kept,
    No,
}

fn make(routerd_bin: Option<&Path>) -> Result<Folder, NetnsError> {
    let seed = Clock::System.now().timestamp_millis().unsigned_abs();
    let usual = Options::usual(seed)?;
    let options = match routerd_bin {
        Some(folder) => usual.with_routerd(folder)?,
        None => usual,
    };
    Ok(netns::up(&options, Clock::System)?)
}

fn find(id: Option<&str>) -> Result<Folder, NetnsError> {
    Ok(netns::find(&netns::home(), id)?)
}

fn folder_id(folder: &Folder) -> String {
    folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

async fn on_the_lab(
    args: &RunArgs,
    selection: Selection,
    show: &Show,
    terminal: &Terminal,
    made: Folder,
) -> Result<Judgement, Refusal> {
    let mut signals = signals::listen()?;
    let clock = Clock::System;
    let lab_id = folder_id(&made);
    let opened = if args.inject.is_empty() {
        netns::open(made, clock)?
    } else {
        for fault in &args.inject {
            netns::inject(&made, fault).await?;
        }
        netns::open_telling(made, clock)?
    };
    let run_id = format!("smoke-{}-{lab_id}", clock.now().format("%Y%m%dT%H%M%SZ"));
    let folder = RunFolder::create(&match &args.out {
        Some(dir) => dir.clone(),
        None => RunFolder::default_dir(Path::new(RUNS_DIR), &run_id),
    })?;
    let _lock = hold(&folder, &run_id, None)?;
    let settings = Settings { run_id, seed: None, faults: args.inject.clone(), selection };
    let stage = Stage {
        folder: &folder,
        clock,
        terminal,
        show,
        selection: &settings.selection,
        seed: None,
        journal: Writer::create(folder.path())?,
    };
    let go = Rc::new(LabItself { key_seed: opened.go_seed, clock, fault: None });
    let engine = async |journal: &Writer, brake: Brake, announce: &mut dyn FnMut(Announcement)| {
        engine::run(&opened.lab, go.clone(), journal, brake, &settings, announce).await
    };
    Ok(perform(&stage, &mut signals, engine).await)
}

/// Brings a dead run to its end on its lab, which its supervisor still holds. The lab itself stays:
/// whoever looks into what happened may want it.
pub fn recover(
    journal: &Writer,
    run_id: &str,
    run_folder: &Path,
    announce: &mut dyn FnMut(Announcement),
    terminal: &Terminal,
) -> Result<Judgement, NetnsError> {
    let id = run_id.rsplit('-').next().unwrap_or_default();
    let folder = find(Some(id))?;
    let judgement = runtime()?.block_on(async {
        let mut signals = signals::listen()?;
        let opened = netns::open(folder, Clock::System)?;
        let running = engine::recover(&opened.lab, journal, run_id, announce);
        Ok::<_, NetnsError>(to_its_end(running, &mut signals, run_folder, terminal).await)
    })?;
    terminal.err(&format!("the lab lives on: lab-smoke lab down --id {id}\n"));
    Ok(judgement)
}

pub fn command(command: &NetnsCommand, terminal: &Terminal) -> u8 {
    match answer(command, terminal) {
        Ok(code) => code,
        Err(error @ NetnsError::Up(_)) => refuse(ExitCode::Unavailable, error, terminal),
        Err(error) => refuse(ExitCode::Usage, error, terminal),
    }
}

fn answer(command: &NetnsCommand, terminal: &Terminal) -> Result<u8, NetnsError> {
    match command {
        NetnsCommand::Up { kind: _, routerd_bin } => {
            terminal.out(&format!("{}\n", folder_id(&make(routerd_bin.as_deref())?)));
        }
        NetnsCommand::List => {
            for found in netns::list(&netns::home())? {
                terminal.out(&format!("{}  until {}\n", found.id, found.ends_at));
            }
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
            let (folder, from, to): (_, Ipv4Addr, Ipv4Addr) = (find(id.as_deref())?, *from, *to);
            let walk = runtime()?.block_on(netns::explain(&folder, from, to))?;
            terminal.out(&format!("{walk}\n"));
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

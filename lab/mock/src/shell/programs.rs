//! Programs of routerd and of lab-smoke on a node: files whose first line names the program, run
//! in process.

use std::collections::BTreeMap;
use std::path::Path;

use super::exec::NotFound;
use super::{Io, Session};
use crate::host::NodeHost;
use crate::machines::FileNode;
use lab::node::Output;
use lab_programs::process::Process;

const MARKER: &str = "#!lab-smoke-program ";

/// A program that exists as code of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinProgram {
    Executor,
    Planner,
    Routerctl,
}

impl BuiltinProgram {
    fn named(name: &str) -> Option<Self> {
        match name {
            "aws-provider-executor" => Some(Self::Executor),
            "lab-planner" => Some(Self::Planner),
            "routerctl" => Some(Self::Routerctl),
            _ => None,
        }
    }

    pub async fn main(self, process: Process<'_>) -> Output {
        match self {
            Self::Executor => lab_programs::executor::main(process).await,
            Self::Planner => lab_programs::planner::main(process).await,
            Self::Routerctl => lab_programs::routerctl::main(process).await,
        }
    }
}

/// A file of the node, seen as a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executable {
    Runs(BuiltinProgram),
    Missing,
    Denied,
    /// A file of a kind that the model cannot run.
    Unknown,
}

/// Looks an executable up by its absolute path.
pub fn program_at(session: &Session, path: &str) -> Executable {
    session.machine(|machine| match machine.files.get(path) {
        None => Executable::Missing,
        Some(FileNode::Directory { .. }) => Executable::Denied,
        Some(FileNode::File { mode, .. }) if mode & 0o111 == 0 => Executable::Denied,
        Some(FileNode::File { bytes, .. }) => {
            marked(bytes).map_or(Executable::Unknown, Executable::Runs)
        }
    })
}

fn marked(bytes: &[u8]) -> Option<BuiltinProgram> {
    let first = bytes.split(|byte| *byte == b'\n').next()?;
    let marker = std::str::from_utf8(first).ok()?.strip_prefix(MARKER)?;
    BuiltinProgram::named(marker.split(' ').next()?)
}

/// Runs a program by its path, or by its name where PATH leads to it.
pub async fn main(session: &Session, argv: &[String], io: &Io) -> Result<i32, NotFound> {
    let name = argv.first().ok_or(NotFound)?;
    let path = if name.contains('/') { name.clone() } else { in_path(session, name)? };
    match program_at(session, &path) {
        Executable::Runs(program) => Ok(start(session, program, argv, io).await),
        Executable::Missing => Err(NotFound),
        Executable::Denied => Ok(io.fail(126, &format!("sh: 1: {path}: Permission denied"))),
        Executable::Unknown => Ok(io.fail(126, &format!("sh: 1: {path}: Exec format error"))),
    }
}

fn in_path(session: &Session, name: &str) -> Result<String, NotFound> {
    let path = session.env.get("PATH").map_or("/usr/bin:/bin", String::as_str);
    let mut candidates = path.split(':').map(|folder| Path::new(folder).join(name));
    candidates
        .find_map(|candidate| {
            let candidate = candidate.to_str()?.to_owned();
            (program_at(session, &candidate) != Executable::Missing).then_some(candidate)
        })
        .ok_or(NotFound)
}

async fn start(session: &Session, program: BuiltinProgram, argv: &[String], io: &Io) -> i32 {
    let host = NodeHost::of(session);
    let process = Process {
        argv: argv.to_vec(),
        env: session.env.clone().into_iter().collect::<BTreeMap<_, _>>(),
        stdin: io.stdin.to_vec(),
        host: &host,
    };
    let output = program.main(process).await;
    io.stdout.write(&output.stdout);
    io.stderr.write(&output.stderr);
    output.code
}

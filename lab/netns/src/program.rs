//! The programs that a kernel lab is made of, all in one binary: under the names of the node-side
//! programs those, and hidden subcommands for the lab's own processes.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use tokio::net::UnixStream;

use super::deeds::{self, SQL_COMMAND};
use super::folder::Folder;
use super::relay::RELAY_COMMAND;
use super::supervisor::NODE_COMMAND;
use super::{node, relay, supervisor};
use lab::node::Node;

/// `__netns-supervisor FOLDER`.
pub const SUPERVISOR_COMMAND: &str = "__netns-supervisor";
/// `__netns-connect SOCKET`: ssh's way to a node.
pub const CONNECT_COMMAND: &str = "__netns-connect";

/// Runs what the process was started as, where that is a part of a lab: to be asked first in the
/// `main` of every binary that makes labs.
pub fn dispatch(words: &[OsString]) -> Option<ExitCode> {
    let word = |index: usize| words.get(index).map(OsString::as_os_str);
    match file_name(word(0)?)? {
        "aws-provider-executor" => {
            return Some(lab_programs::host::run_program(lab_programs::executor::main));
        }
        "aws" => return Some(lab_programs::host::run_program(lab_programs::aws_cli::main)),
        "outage-probe" => return Some(lab_programs::host::run_program(lab_programs::outage::main)),
        // Only on a node without a service manager is this binary called so.
        "systemd-run" => {
            return Some(lab_programs::host::run_program(lab_programs::services::run_systemd));
        }
        "systemctl" => {
            return Some(lab_programs::host::run_program(lab_programs::services::control));
        }
        "lab-planner" => return Some(lab_programs::host::run_program(lab_programs::planner::main)),
        "routerctl" => return Some(lab_programs::host::run_program(lab_programs::routerctl::main)),
        _ => {}
    }
    let folder = || word(2).map(|path| Folder::at(Path::new(path)));
    let ended = match word(1)?.to_str()? {
        SUPERVISOR_COMMAND => run(supervisor::main(folder()?)),
        NODE_COMMAND => {
            let wanted = word(3)?.to_str()?;
            let node = Node::ALL.into_iter().find(|node| node.as_str() == wanted)?;
            run(node::main(folder()?, node))
        }
        RELAY_COMMAND => {
            let words: Option<Vec<&str>> = words.iter().skip(2).map(|word| word.to_str()).collect();
            run(relay::main(relay::parse_underlay(&words?)?))
        }
        SQL_COMMAND => deeds::run_sql(Path::new(word(2)?)),
        CONNECT_COMMAND => run(connect(Path::new(word(2)?))),
        _ => return None,
    };
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell where stderr is closed as well.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    })
}

fn file_name(program: &OsStr) -> Option<&str> {
    Path::new(program).file_name()?.to_str()
}

fn run(program: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(program);
    // A thread that still reads a closed terminal must not hold the process up.
    runtime.shutdown_background();
    ended
}

/// Joins standard input and output with a socket until either side is done: ssh must see the end
/// of a connection at once, and its protocol has no half-closed one.
async fn connect(socket: &Path) -> io::Result<()> {
    let (mut from, mut to) = UnixStream::connect(socket).await?.into_split();
    let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
    tokio::select! {
        ended = tokio::io::copy(&mut stdin, &mut to) => ended.map(drop),
        ended = tokio::io::copy(&mut from, &mut stdout) => ended.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_command_line_is_somebody_elses() {
        for words in
            [&["lab-smoke"][..], &["lab-smoke", "run"], &["lab-smoke", "__netns-node"], &[]]
        {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            assert!(dispatch(&words).is_none(), "{words:?}");
        }
    }
}

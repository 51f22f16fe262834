//! The stand-in `routerctl`: routerd's commands on routerd's own journal schema, without a daemon.
//! It says what routerd says, in the same words, with the same exit codes, oddities included: an
//! `action execute` whose executor failed exits with 0.
//!
//! It refuses by name what it does not do: resources in a planner's answer, the `doctor` areas of
//! home routers, a daemon's socket, the commands that have nothing to do with provider actions, help, and
//! output in a form that nobody here reads.

mod commands;
mod config;
mod engine;
mod executor;
mod fence;
mod go;
mod kinds;
mod launch;
mod paths;
mod plan;
mod planner_answer;
mod policy;
#[cfg(test)]
mod replay;
mod store;

use std::collections::BTreeMap;

pub use store::make_tables;

use crate::process::{Host, Process};
use lab::node::Output;

/// One call of routerctl: the machine, and what has been printed so far.
struct RouterctlCall<'a> {
    host: &'a dyn Host,
    env: BTreeMap<String, String>,
    stdout: String,
    stderr: String,
}

/// An error ends the call: its text is one line on stderr, the exit code is 1.
type CommandResult = Result<(), String>;

pub async fn main(process: Process<'_>) -> Output {
    let args = process.argv.get(1..).unwrap_or_default().to_vec();
    let mut call = RouterctlCall {
        host: process.host,
        env: process.env,
        stdout: String::new(),
        stderr: String::new(),
    };
    let code = match commands::run(&mut call, &args).await {
        Ok(()) => 0,
        Err(error) => {
            call.stderr.push_str(&error);
            call.stderr.push('\n');
            1
        }
    };
    Output { code, stdout: call.stdout.into_bytes(), stderr: call.stderr.into_bytes() }
}

impl RouterctlCall<'_> {
    fn line(&mut self, text: &str) {
        self.stdout.push_str(text);
        self.stdout.push('\n');
    }
}

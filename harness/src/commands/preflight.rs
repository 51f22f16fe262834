//! `lab-smoke preflight`: the first two scenarios alone, for the owner to decide on.

use super::run::{Grantor, begin, meanwhile};
use super::say_usage;
use crate::cli::{self, PreflightArgs, RunArgs};
use crate::terminal::Terminal;

pub fn preflight(args: &PreflightArgs, terminal: &Terminal) -> u8 {
    let arguments = match cli::libtest(&[]) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, terminal),
    };
    let run = RunArgs {
        lab: args.lab.clone(),
        out: args.out.clone(),
        seed: args.seed,
        inject: args.inject.clone(),
        format: args.format,
        wait_go: None,
        leave_running: args.leave_running,
        keep: false,
        make: args.make.clone(),
        libtest: Vec::new(),
    };
    let grantor = Grantor::Owner { wait: None, meanwhile: meanwhile(args.leave_running) };
    begin(&run, arguments, grantor, terminal)
}

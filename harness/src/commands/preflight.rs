//! `lab-smoke preflight`: the first two scenarios alone, for the owner to decide on.

use super::run::{begin_run, choose_meanwhile};
use super::{Console, say_usage};
use crate::cli::{self, PreflightArgs, ReportArgs};
use crate::labs::{AfterRun, Grantor};

pub fn run_preflight(args: &PreflightArgs, console: Console<'_>) -> u8 {
    let arguments = match cli::parse_libtest_arguments(&[]) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, console.terminal),
    };
    let grantor = Grantor::Owner { wait: None, meanwhile: choose_meanwhile(args.leave_running) };
    begin_run(&args.begin, &ReportArgs::default(), AfterRun::TakeDown, arguments, grantor, console)
}

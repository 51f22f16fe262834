//! `lab-smoke preflight`: the first two scenarios alone, for the owner to decide on.

use super::run::{AfterRun, Grantor, begin, meanwhile};
use super::say_usage;
use crate::cli::{self, PreflightArgs};
use crate::terminal::Terminal;

pub fn preflight(args: &PreflightArgs, terminal: &Terminal) -> u8 {
    let arguments = match cli::libtest(&[]) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, terminal),
    };
    let grantor = Grantor::Owner { wait: None, meanwhile: meanwhile(args.leave_running) };
    begin(&args.begin, AfterRun::TakeDown, arguments, grantor, terminal)
}

//! `lab-smoke preflight`: the first two scenarios alone, for the owner to decide on.

use super::run::{begin, meanwhile};
use super::{Console, say_usage};
use crate::cli::{self, PreflightArgs};
use crate::labs::{AfterRun, Grantor};

pub fn preflight(args: &PreflightArgs, console: Console<'_>) -> u8 {
    let arguments = match cli::libtest(&[]) {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error, console.terminal),
    };
    let grantor = Grantor::Owner { wait: None, meanwhile: meanwhile(args.leave_running) };
    begin(&args.begin, AfterRun::TakeDown, arguments, grantor, console)
}

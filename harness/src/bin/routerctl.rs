//! The stand-in `routerctl` alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab::host::run_program(lab::routerctl::main)
}

//! The stand-in `routerctl` alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_programs::host::run_program(lab_programs::routerctl::main)
}

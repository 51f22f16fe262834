//! `lab-planner` alone, for a node that runs routerd.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab::host::run_program(lab::planner::main)
}

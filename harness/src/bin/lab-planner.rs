//! `lab-planner` alone, for a node that runs routerd.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_programs::host::run_program(lab_programs::planner::main)
}

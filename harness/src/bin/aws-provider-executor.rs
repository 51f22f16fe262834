//! `aws-provider-executor` alone, for a node that runs routerd.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_programs::host::run_program(lab_programs::executor::main)
}

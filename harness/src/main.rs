//! `lab-smoke`, and under the names of the node-side programs those programs.

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::multicall::main(std::env::args_os().collect())
}

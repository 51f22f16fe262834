//! The kernel lab, with real packets, sshd and processes. Where this machine cannot build one the
//! trials are ignored with the reason, and fail where `LAB_SMOKE_REQUIRE_NETNS=1`.

mod netns;
mod netns_faults;
mod netns_lab;
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod own;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Labs have nothing in common, and a run of the program mostly waits.
const FAULTS_AT_A_TIME: usize = 8;

fn main() -> ExitCode {
    // `netns_lab` makes its labs of this very binary.
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(code) = lab_netns::dispatch(&words) {
        return code;
    }
    let arguments = Arguments::from_args();
    let at_a_time = arguments.test_threads.unwrap_or(FAULTS_AT_A_TIME);
    // Whoever measures is alone, and two cores have enough to do with one lab.
    let alone = 1;
    let groups: [(Vec<Trial>, usize); 3] = [
        (netns_faults::trials(), at_a_time),
        (netns::trials(), alone),
        (netns_lab::trials(), alone),
    ];
    let mut code = ExitCode::SUCCESS;
    for (trials, threads) in groups {
        let arguments = Arguments { test_threads: Some(threads), ..arguments.clone() };
        let conclusion = libtest_mimic::run(&arguments, trials);
        if conclusion.has_failed() {
            code = conclusion.exit_code();
        }
    }
    code
}

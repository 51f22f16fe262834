//! The kernel lab, with real packets, sshd and processes. Where this machine cannot build one the
//! trials are ignored with the reason, and fail where `LAB_SMOKE_REQUIRE_NETNS=1`.

mod aws;
mod netns;
mod netns_faults;
mod netns_lab;
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod own;

use std::process::ExitCode;

use lab_smoke_tests::extent;
use libtest_mimic::{Arguments, Completion, Trial};

/// Labs have nothing in common, and a run of the program mostly waits.
const FAULTS_AT_A_TIME: usize = 5;

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
    let groups = [
        (netns_faults::trials(), at_a_time),
        (netns::trials(), alone),
        (netns_lab::trials(), alone),
        (aws::trials(), at_a_time),
    ];
    let failed = groups.map(|(trials, threads)| has_failed(&arguments, trials, threads));
    if failed.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether one of the group has failed. Nothing is said of a group of which nothing is asked for.
fn has_failed(arguments: &Arguments, mut trials: Vec<Trial>, test_threads: usize) -> bool {
    trials.retain(|trial| !arguments.is_filtered_out(trial));
    if trials.is_empty() {
        return false;
    }
    // Who names what he wants gets it.
    if arguments.filter.is_none() {
        trials = trials.into_iter().map(sampled).collect();
    }
    let arguments = Arguments { test_threads: Some(test_threads), ..arguments.clone() };
    libtest_mimic::run(&arguments, trials).has_failed()
}

/// The trials that a short run takes besides every so many: a smoke, a death, and that nothing is
/// left.
const ALWAYS: &[&str] = &[
    "netns::the_whole_smoke_passes_in_the_kernel",
    "netns::a_run_killed_in_the_middle_is_recovered_in_the_kernel",
    "netns_lab::down_leaves_nothing",
    "aws::a_lab_that_a_manifest_describes_is_used_by_every_command",
];

/// The trial, or that it is left out.
fn sampled(trial: Trial) -> Trial {
    if extent::is_drawn(trial.name()) || ALWAYS.contains(&trial.name()) {
        return trial;
    }
    Trial::ignorable_test(trial.name(), || {
        Ok(Completion::ignored_with("left out; LAB_SMOKE_EXHAUSTIVE=1 tries all"))
    })
}

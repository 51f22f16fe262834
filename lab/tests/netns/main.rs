//! The kernel lab for real: labs are built, packets sent, and nothing is left. Where this machine
//! cannot build one the trials are ignored with the reason, and fail where
//! `LAB_SMOKE_REQUIRE_NETNS=1`.

#![expect(clippy::unwrap_used, reason = "tests")]

mod acls;
mod aws_cli;
mod borders;
mod fabric;
mod files;
mod identity;
mod leftovers;
mod nodes;
mod outage;
mod own;
mod support;
mod truth;
mod underlay;
mod unprivileged;
mod walks;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    // The labs are made of this very binary.
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(code) = lab_netns::dispatch(&words) {
        return code;
    }
    let mut trials = leftovers::trials();
    trials.extend(nodes::trials());
    trials.extend(files::trials());
    trials.extend(truth::trials());
    trials.extend(borders::trials());
    trials.extend(outage::trials());
    trials.extend(underlay::trials());
    trials.extend(aws_cli::trials());
    trials.extend(identity::trials());
    trials.extend(acls::trials());
    trials.extend(unprivileged::trials());
    trials.extend(walks::trials());
    trials.extend(fabric::trials());
    let mut arguments = Arguments::from_args();
    // Whoever measures is alone, and two cores have enough to do with one lab.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

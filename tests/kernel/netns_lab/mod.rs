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
mod support;
mod truth;
mod underlay;
mod unprivileged;
mod walks;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
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
    trials
}

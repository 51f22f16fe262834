//! Answers to the faults of the mock lab's table `api`.

use super::owed::Primary::{Assertion, Unavailable};
use super::owed::{CheckOff, Owed};
use crate::preflight;

pub const OWED: &[Owed] = &[
    Owed::tolerated("latency"),
    Owed::tolerated("throttled-read"),
    Owed::tolerated("slow-read"),
    Owed::tolerated("lost-read"),
    Owed::tolerated("stale-read"),
    Owed::tolerated("small-pages"),
    Owed::tolerated("lagging-reads"),
    Owed::tolerated("check-off")
        .check_off(CheckOff::WithoutMeaning("it is what the run begins with")),
    Owed::caught("ec2-silent", Unavailable),
    Owed::caught("identity-refused", Assertion(preflight::IDENTITY)).exits(5),
    Owed::caught("operator-session-ends", Assertion(preflight::CREDENTIALS)),
];

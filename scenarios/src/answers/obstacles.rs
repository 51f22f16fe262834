//! Answers to the faults of the mock lab's table `obstacles`.

use super::owed::Primary::{Assertion, Both, Stop};
use super::owed::{CheckOff, Left, Owed};
use crate::{preflight, stops};

pub const OWED: &[Owed] = &[
    // What nobody can stop goes on running, and is listed.
    Owed::caught("stop-protected", Both(preflight::STOPPABLE, stops::CANNOT_BE_STOPPED.name))
        .exits(6)
        .leaves(&[Left::Instances]),
    Owed::caught("termination-protected", Stop(stops::CANNOT_BE_STOPPED.name))
        .exits(1)
        .also(&[preflight::STOPPABLE])
        .at_stop(CheckOff::WithoutMeaning("nothing is terminated"))
        .at_keep(CheckOff::WithoutMeaning("nothing is terminated")),
    Owed::caught("one-time-spot", Stop(stops::CANNOT_BE_STOPPED.name))
        .exits(6)
        .also(&[preflight::STOPPABLE])
        .leaves(&[Left::Instances]),
    Owed::caught("instance-store-root", Stop(stops::CANNOT_BE_STOPPED.name))
        .exits(6)
        .also(&[preflight::STOPPABLE])
        .leaves(&[Left::Instances]),
    Owed::caught("auto-scaling-member", Stop(stops::CANNOT_BE_STOPPED.name))
        .exits(1)
        .also(&[preflight::STOPPABLE]),
    Owed::caught("interface-full", Assertion(preflight::CAPACITY))
        .exits(4)
        .also(&[preflight::CAPTURES])
        .trips(&[stops::UNKNOWN_CAPTURE.name]),
    Owed::caught("ssh-port-closed", Assertion(preflight::PORTS)),
];

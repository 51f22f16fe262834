//! Answers to the faults of the mock lab's table `nodes`.

use super::owed::Owed;
use super::owed::Primary::{Assertion, Both, Stop, Unavailable};
use crate::{preflight, stops};

pub const OWED: &[Owed] = &[
    Owed::caught("node-hangs", Unavailable),
    Owed::caught("other-hostname", Assertion(preflight::NODES))
        .exits(4)
        .trips(&[stops::OTHER_HOST.name]),
    Owed::caught("other-host-key", Both(preflight::HOST_KEYS, stops::OTHER_HOST.name))
        .exits(5)
        .also(&[preflight::BASELINE, preflight::SILENT, preflight::CLOCKS, preflight::NODES]),
    Owed::caught("clock-skew", Stop(stops::CLOCK_SKEW.name)).also(&[preflight::CLOCKS]),
    Owed::caught("harness-clock", Stop(stops::CLOCK_SKEW.name)).also(&[preflight::CLOCKS]),
    Owed::caught("clock-unreadable", Assertion(preflight::CLOCKS)).exits(5),
    Owed::caught("os-address-before", Assertion(preflight::OS_ADDRESS)),
    Owed::caught("nft-missing", Assertion(preflight::BASELINE)).exits(5),
];

//! Answers to the faults of the mock lab's table `way`.

use super::owed::Owed;
use super::owed::Primary::{Assertion, Unavailable};
use crate::preflight;

pub const OWED: &[Owed] = &[
    Owed::tolerated("read-lost"),
    Owed::caught("reads-lost", Assertion(preflight::HOST_KEYS))
        .exits(5)
        .also(&[preflight::BASELINE]),
    Owed::caught("network-lost", Unavailable),
    Owed::caught("network-lost-later", Assertion(preflight::HOST_KEYS)),
    Owed::caught("hangs-later", Assertion(preflight::HOST_KEYS)),
    Owed::caught("host-key-later", Assertion(preflight::HOST_KEYS)),
    Owed::tolerated("reboot-in-mid-command"),
];

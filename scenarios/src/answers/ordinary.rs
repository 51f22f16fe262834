//! Answers to the faults of the mock lab's table `ordinary`.

use super::owed::Owed;

pub const OWED: &[Owed] = &[
    Owed::tolerated("second-interface"),
    Owed::tolerated("ipv6-enabled"),
    Owed::tolerated("container-bridge"),
    Owed::tolerated("other-traffic"),
];

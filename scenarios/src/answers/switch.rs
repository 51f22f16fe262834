//! Answers to the faults of the mock lab's table `switch`.

use super::owed::Primary::Assertion;
use super::owed::{CheckOff, FaultAnswer, Owed};
use crate::{gate, preflight};

/// Only what goes on running is disarmed.
const STAYS_ARMED: FaultAnswer = FaultAnswer { exit_code: 6, also: &[], stops: &[], left: &[] };

pub const OWED: &[Owed] = &[
    Owed::caught("shutdown-means-terminate", Assertion(preflight::SHUTDOWN)),
    Owed::caught("lab-expires", Assertion(preflight::EXPIRY)),
    Owed::caught("switch-cannot-be-armed", Assertion(gate::SWITCH)),
    Owed::caught("switch-of-another-machine", Assertion(gate::SWITCH)),
    Owed::tolerated("switch-stays").at_keep(CheckOff::Differs(STAYS_ARMED)),
];

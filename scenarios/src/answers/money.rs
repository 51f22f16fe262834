//! Answers to the faults of the mock lab's table `money`.

use super::owed::Primary::{Assertion, Both};
use super::owed::{CheckOff, FaultAnswer, Left, Owed};
use crate::{preflight, residue, stops, teardown};

const STAYS: CheckOff = CheckOff::WithoutMeaning("its instance is not terminated");

/// Nothing is asked of an instance that is kept.
const VANISHED: FaultAnswer =
    FaultAnswer { exit_code: 6, also: &[], stops: &[stops::LEFT_RUNNING.name], left: &[] };

/// It is not let go where its instance stays.
const IN_USE: FaultAnswer = FaultAnswer {
    exit_code: 6,
    also: &[teardown::VOLUMES, residue::VOLUMES],
    stops: &[stops::LEFT_RUNNING.name],
    left: &[],
};

pub const OWED: &[Owed] = &[
    Owed::caught("root-volume-outlives", Both(preflight::COSTLY, stops::WOULD_BE_LEFT.name))
        .exits(6)
        .at_stop(STAYS)
        .at_keep(STAYS),
    Owed::caught("volume-outlives-later", Assertion(residue::VOLUMES))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Volumes])
        .at_stop(STAYS)
        .at_keep(STAYS),
    Owed::caught("interface-outlives-later", Assertion(residue::INTERFACES))
        .exits(6)
        .at_stop(STAYS)
        .at_keep(STAYS),
    Owed::caught("address-hangs", Both(preflight::COSTLY, stops::WOULD_BE_LEFT.name)).exits(6),
    Owed::caught("address-hangs-later", Assertion(residue::ADDRESSES))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Addresses]),
    Owed::caught("instance-vanishes", Assertion(residue::INSTANCES))
        .exits(6)
        .also(&[teardown::INSTANCES])
        .trips(&[stops::LEFT_RUNNING.name])
        .at_keep(CheckOff::Differs(VANISHED)),
    Owed::tolerated("volume-attached-later")
        .at_stop(CheckOff::Differs(IN_USE))
        .at_keep(CheckOff::Differs(IN_USE)),
    Owed::tolerated("slow-states"),
    // Nothing is started in a run that waits for nobody.
    Owed::tolerated("slow-boot"),
    Owed::tolerated("volume-lingers"),
    Owed::tolerated("throttled-end").at_stop(STAYS).at_keep(STAYS),
    Owed::tolerated("teardown")
        .at_stop(CheckOff::WithoutMeaning("it is that already"))
        .at_keep(CheckOff::WithoutMeaning("it is that already")),
];

//! Answers to the faults of the mock lab's table `teardown`.

use super::owed::Primary::{Assertion, Both, Stop};
use super::owed::{CheckOff, FaultAnswer, Left, Owed};
use crate::{residue, restored, stops, teardown};

const NOT_TERMINATED: CheckOff = CheckOff::WithoutMeaning("nothing is terminated");

/// Nothing is asked of an instance that is kept.
const UNTAGGED: FaultAnswer = FaultAnswer {
    exit_code: 6,
    also: &[residue::INSTANCES, restored::CLOUD],
    stops: &[],
    left: &[Left::Instances],
};

pub const OWED: &[Owed] = &[
    Owed::caught("lock-stays", Assertion(residue::LOCK)).exits(6).leaves(&[Left::Lock]),
    Owed::caught("terminate-refused", Assertion(teardown::INSTANCES))
        .exits(6)
        .also(&[residue::INSTANCES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Instances])
        .at_stop(NOT_TERMINATED)
        .at_keep(NOT_TERMINATED),
    Owed::caught("instance-untagged-meanwhile", Stop(stops::LEFT_RUNNING.name))
        .exits(6)
        .also(&[teardown::INSTANCES, residue::INSTANCES, restored::CLOUD])
        .leaves(&[Left::Instances])
        .at_keep(CheckOff::Differs(UNTAGGED)),
    Owed::caught("volume-untagged-meanwhile", Assertion(teardown::VOLUMES))
        .exits(6)
        .also(&[residue::VOLUMES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Volumes]),
    Owed::caught("address-stays", Assertion(teardown::ADDRESSES))
        .exits(6)
        .also(&[residue::ADDRESSES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Addresses]),
    Owed::caught("volume-stays", Assertion(teardown::VOLUMES))
        .exits(6)
        .also(&[residue::VOLUMES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Volumes]),
    Owed::caught("stray-instance", Assertion(residue::INSTANCES))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Instances]),
    Owed::caught("stray-untagged-instance", Assertion(residue::INSTANCES))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Instances]),
    Owed::caught("stray-address", Assertion(residue::ADDRESSES))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Addresses]),
    Owed::caught("stray-volume", Assertion(residue::VOLUMES))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Volumes]),
    Owed::caught("low-ceiling", Both(residue::CEILING, stops::CEILING.name)),
];

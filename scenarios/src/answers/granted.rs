//! Answers to the faults of the mock lab's table `granted`.

use super::back::NOTHING_TO_RESTORE;
use super::owed::Primary::{Assertion, Both, Stop};
use super::owed::{CheckOff, FaultAnswer, Left, Owed};
use crate::{execute, residue, restored, stops, teardown, undo};

/// Nothing is asked of an instance that is kept.
const TAKEN_OVER: FaultAnswer = FaultAnswer {
    exit_code: 6,
    also: &[
        execute::UNDER_LOCK,
        undo::CHANGE_SET,
        restored::FILES,
        teardown::ADDRESSES,
        teardown::VOLUMES,
        residue::ADDRESSES,
        residue::VOLUMES,
    ],
    stops: &[stops::LEFT_RUNNING.name],
    left: &[Left::Lock, Left::ChangeSet, Left::Addresses, Left::Volumes],
};

const TAKEN_BETWEEN: FaultAnswer = FaultAnswer {
    exit_code: 6,
    also: &[
        execute::UNDER_LOCK,
        undo::ADDRESS,
        undo::CHANGE_SET,
        restored::INTERFACE,
        restored::UNREACHABLE,
        restored::FILES,
        teardown::ADDRESSES,
        teardown::VOLUMES,
        residue::ADDRESSES,
        residue::VOLUMES,
    ],
    stops: &[stops::LEFT_RUNNING.name],
    left: &[Left::Interface, Left::Lock, Left::ChangeSet, Left::Addresses, Left::Volumes],
};

pub const OWED: &[Owed] = &[
    Owed::caught("row-edited-later", Both(execute::AS_APPROVED, stops::FOREIGN_PLAN.name))
        .leaves_approved_rows(),
    Owed::caught("row-edited-between", Assertion(execute::AS_APPROVED))
        .exits(4)
        .trips(&[stops::FOREIGN_PLAN.name])
        .leaves_approved_rows(),
    Owed::caught("row-edited-before-undo", Both(undo::GRANTED, stops::FOREIGN_PLAN.name))
        .also(&[undo::PREVIEW_ADDRESS]),
    Owed::caught("row-edited-between-undos", Both(undo::GRANTED, stops::FOREIGN_PLAN.name))
        .check_off(NOTHING_TO_RESTORE),
    Owed::caught("lock-removed", Both(execute::UNDER_LOCK, stops::LOCK_LOST.name))
        .leaves_approved_rows(),
    Owed::caught("lock-taken-over", Stop(stops::LOCK_LOST.name))
        .exits(6)
        .also(&[
            execute::UNDER_LOCK,
            undo::CHANGE_SET,
            restored::FILES,
            teardown::INSTANCES,
            teardown::ADDRESSES,
            teardown::VOLUMES,
            residue::INSTANCES,
            residue::ADDRESSES,
            residue::VOLUMES,
        ])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Lock, Left::ChangeSet, Left::Instances, Left::Addresses, Left::Volumes])
        .at_keep(CheckOff::Differs(TAKEN_OVER)),
    Owed::caught("lock-taken-between", Stop(stops::LOCK_LOST.name))
        .exits(6)
        .also(&[
            execute::UNDER_LOCK,
            undo::ADDRESS,
            undo::CHANGE_SET,
            restored::INTERFACE,
            restored::UNREACHABLE,
            restored::FILES,
            teardown::INSTANCES,
            teardown::ADDRESSES,
            teardown::VOLUMES,
            residue::INSTANCES,
            residue::ADDRESSES,
            residue::VOLUMES,
        ])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[
            Left::Interface,
            Left::Lock,
            Left::ChangeSet,
            Left::Instances,
            Left::Addresses,
            Left::Volumes,
        ])
        .at_keep(CheckOff::Differs(TAKEN_BETWEEN)),
    Owed::tolerated("watchdog-blinded"),
    Owed::caught("watchdog-blind", Stop(stops::NEW_COST.name))
        .exits(6)
        .also(&[teardown::VOLUMES, residue::VOLUMES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Volumes]),
    Owed::caught("yaml-unreadable", Stop(stops::POLICY_CHANGED.name))
        .exits(5)
        .also(&[restored::ROUTER_YAML]),
    Owed::caught("owner-dear", Stop(stops::CEILING.name)),
];

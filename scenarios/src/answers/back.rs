//! Answers to the faults of the mock lab's table `back`.

use super::owed::Primary::Assertion;
use super::owed::{CheckOff, Left, Owed};
use crate::{restored, stops, undo};

pub(super) const NOTHING_TO_RESTORE: CheckOff =
    CheckOff::WithoutMeaning("the check was off before the run: there is nothing to restore");

pub const OWED: &[Owed] = &[
    Owed::caught("undo-preview-differs", Assertion(undo::PREVIEW_FORWARDING)),
    Owed::caught("undo-preview-refused", Assertion(undo::PREVIEW_ADDRESS)),
    Owed::caught("restore-refused", Assertion(undo::FORWARDING))
        .leaves(&[Left::Interface])
        .check_off(NOTHING_TO_RESTORE)
        .exits(6)
        .also(&[restored::INTERFACE])
        .trips(&[stops::AMBIGUOUS.name]),
    Owed::caught("unassign-refused", Assertion(undo::ADDRESS))
        .leaves(&[Left::Interface])
        .exits(6)
        .also(&[restored::INTERFACE, restored::UNREACHABLE])
        .trips(&[stops::AMBIGUOUS.name]),
    Owed::tolerated("unassign-reply-lost"),
    Owed::tolerated("rollback-reply-lost"),
    Owed::caught("change-set-stays", Assertion(undo::CHANGE_SET))
        .leaves(&[Left::ChangeSet])
        .exits(6)
        .also(&[restored::FILES]),
    Owed::caught("address-after-undo", Assertion(restored::INTERFACE))
        .exits(6)
        .leaves(&[Left::Interface]),
    Owed::caught("address-answers", Assertion(restored::UNREACHABLE))
        .exits(6)
        .also(&[restored::ADDRESSES]),
    Owed::tolerated("address-answers-briefly"),
    Owed::caught("address-answers-later", Assertion(restored::UNREACHABLE)).exits(6),
    Owed::caught("guest-address-after-undo", Assertion(restored::ADDRESSES)).exits(6),
    Owed::caught("rules-after-undo", Assertion(restored::RULES)).exits(6),
    Owed::caught("rollback-wedged", Assertion(restored::ROWS)).exits(6),
    Owed::caught("row-after-undo", Assertion(restored::NO_NEW_ROWS))
        .exits(6)
        .trips(&[stops::FOREIGN_ROWS.name]),
    Owed::caught("file-after-undo", Assertion(restored::FILES)).exits(6),
    Owed::caught("late-route-routerd-cloud", Assertion(restored::GATEWAY_ROUTERD_CLOUD)).exits(6),
    Owed::caught("late-route-cloud-client", Assertion(restored::GATEWAY_CLOUD_CLIENT)).exits(6),
    Owed::caught("late-route-onprem-router", Assertion(restored::GATEWAY_ONPREM_ROUTER)).exits(6),
    Owed::caught("late-route-onprem-client", Assertion(restored::GATEWAY_ONPREM_CLIENT)).exits(6),
];

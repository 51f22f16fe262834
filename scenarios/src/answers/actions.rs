//! Answers to the faults of the mock lab's table `actions`.

use super::owed::Primary::{Assertion, Stop};
use super::owed::{CheckOff, FaultAnswer, Left, Owed};
use crate::{approve, dry_run, execute, import, plan, restored, stops, undo};

/// Somebody switched the check on: no undo of routerd's switches it off again.
const CHECK_IS_ON: FaultAnswer = FaultAnswer {
    exit_code: 6,
    also: &[undo::PREVIEW_FORWARDING, undo::FORWARDING, restored::INTERFACE],
    stops: &[stops::AMBIGUOUS.name],
    left: &[Left::Interface],
};

pub const OWED: &[Owed] = &[
    // plan
    Owed::caught("change-set-refused", Assertion(plan::CHANGE_SET)),
    Owed::caught("planner-broken", Assertion(plan::STORED)).exits(6).also(&[restored::PROGRAMS]),
    Owed::caught("plan-other-address", Assertion(plan::EQUAL))
        .exits(4)
        .trips(&[stops::FOREIGN_PLAN.name]),
    Owed::caught("plan-reassigns", Stop(stops::FOREIGN_PLAN.name)).also(&[plan::EQUAL]),
    Owed::caught("plan-other-provider", Stop(stops::OTHER_PROVIDER.name))
        .also(&[plan::EQUAL])
        .trips(&[stops::FOREIGN_PLAN.name]),
    Owed::caught("part-beside", Assertion(plan::ALONE)),
    // import
    Owed::caught("approved-early", Assertion(import::ASSIGN)).leaves_approved_rows(),
    Owed::caught("row-missing", Assertion(import::FORWARDING)),
    Owed::caught("row-beside", Assertion(import::NOTHING_ELSE))
        .trips(&[stops::FOREIGN_ROWS.name])
        .exits(6)
        .also(&[restored::NO_NEW_ROWS]),
    // approve
    Owed::caught("approval-wiped", Assertion(approve::ASSIGN)).leaves_approved_rows(),
    Owed::caught("approved-by-another", Assertion(approve::FORWARDING)).leaves_approved_rows(),
    Owed::caught("row-edited", Assertion(approve::UNCHANGED))
        .exits(4)
        .trips(&[stops::FOREIGN_PLAN.name])
        .leaves_approved_rows(),
    // dry-run
    Owed::caught("preview-denied", Assertion(dry_run::ASSIGN)).leaves_approved_rows(),
    Owed::caught("preview-differs", Assertion(dry_run::FORWARDING)).leaves_approved_rows(),
    Owed::caught("preview-mutates", Assertion(dry_run::NO_MUTATION))
        .exits(6)
        .also(&[undo::ADDRESS, restored::INTERFACE, restored::UNREACHABLE])
        .leaves(&[Left::Interface]),
    // execute
    Owed::caught("untagged-meanwhile", Stop(stops::NOT_THE_LABS.name))
        .exits(6)
        .also(&[execute::ASSIGN_ROW, restored::INTERFACE, restored::CLOUD])
        .leaves(&[Left::Interface]),
    Owed::caught("executor-unauthorized", Assertion(execute::ASSIGN_ROW))
        .exits(4)
        .also(&[execute::ASSIGN_ENI])
        .trips(&[stops::AMBIGUOUS.name])
        .leaves_approved_rows(),
    Owed::caught("assign-reply-lost", Stop(stops::AMBIGUOUS.name))
        .also(&[execute::ASSIGN_ROW])
        .leaves_approved_rows(),
    Owed::caught("row-wedged", Stop(stops::AMBIGUOUS.name))
        .exits(6)
        .also(&[execute::ASSIGN_ROW, restored::ROWS]),
    Owed::caught("executor-lies", Assertion(execute::ASSIGN_ENI))
        .exits(4)
        .trips(&[stops::AMBIGUOUS.name])
        .leaves_approved_rows(),
    Owed::caught("modify-refused", Assertion(execute::FORWARDING_ROW))
        .exits(4)
        .also(&[execute::FORWARDING_ENI])
        .trips(&[stops::AMBIGUOUS.name])
        .check_off(CheckOff::Differs(FaultAnswer {
            exit_code: 4,
            also: &[],
            stops: &[stops::AMBIGUOUS.name],
            left: &[],
        })),
    Owed::caught("modify-reply-lost", Assertion(execute::FORWARDING_ROW))
        .exits(4)
        .trips(&[stops::AMBIGUOUS.name]),
    Owed::caught("check-back-on", Assertion(execute::FORWARDING_ENI))
        .exits(4)
        .trips(&[stops::AMBIGUOUS.name])
        .check_off(CheckOff::Differs(CHECK_IS_ON)),
    Owed::tolerated("execute-reply-lost"),
];

//! Answers to the faults of the mock lab's table `router`.

use super::owed::Primary::{Assertion, Stop};
use super::owed::{Left, Owed};
use crate::{preflight, stops};

pub const OWED: &[Owed] = &[
    Owed::caught("policy-typo", Assertion(preflight::ROUTER_YAML))
        .exits(4)
        .trips(&[stops::POLICY.name]),
    Owed::caught("wider-policy", Assertion(preflight::POLICY))
        .exits(4)
        .trips(&[stops::POLICY.name]),
    Owed::caught("auto-approve", Stop(stops::POLICY.name)).also(&[preflight::POLICY]),
    Owed::caught("second-provider", Stop(stops::OTHER_PROVIDER.name)).also(&[preflight::POLICY]),
    Owed::caught("no-undo", Stop(stops::UNDO_NOT_ALLOWED.name)).also(&[preflight::POLICY]),
    Owed::caught("credentials-in-yaml", Stop(stops::CREDENTIALS_IN_ROUTER_YAML.name))
        .also(&[preflight::POLICY]),
    Owed::caught("planner-missing", Assertion(preflight::PROGRAMS)),
    Owed::caught("planner-replaced", Assertion(preflight::PLANNER)),
    Owed::caught("executor-fails", Assertion(preflight::EXECUTOR_DRY_RUN)),
    Owed::caught("dry-run-mutates", Assertion(preflight::EXECUTOR_READS))
        .exits(6)
        .leaves(&[Left::Interface]),
    Owed::caught("database-garbage", Assertion(preflight::ROWS))
        .exits(5)
        .also(&[preflight::PLAN_SOURCE]),
    Owed::caught("open-row", Stop(stops::FOREIGN_ROWS.name)).also(&[preflight::ROWS]),
    Owed::caught("wedged-row", Assertion(preflight::ROWS))
        .exits(4)
        .trips(&[stops::FOREIGN_ROWS.name]),
    Owed::tolerated("earlier-run"),
    Owed::caught("mobility-plans", Assertion(preflight::PLAN_SOURCE)),
    Owed::caught("leftover", Assertion(preflight::LEFTOVERS)),
];

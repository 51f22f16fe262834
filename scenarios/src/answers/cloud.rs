//! Answers to the faults of the mock lab's table `cloud`.

use super::owed::Primary::{Assertion, Stop, Unavailable};
use super::owed::{Left, Owed};
use crate::{preflight, stops, undo_plan};

pub const OWED: &[Owed] = &[
    Owed::caught("other-account", Stop(stops::OTHER_ACCOUNT.name))
        .exits(6)
        .also(&[preflight::IDENTITY])
        .leaves(&[Left::Instances]),
    Owed::caught("foreign-holder", Stop(stops::FOREIGN_HOLDER.name))
        .also(&[preflight::ADDRESS_FREE]),
    Owed::caught("foreign-primary", Assertion(preflight::ADDRESS_FREE))
        .exits(4)
        .also(&[preflight::SHARED])
        .trips(&[stops::FOREIGN_HOLDER.name, stops::SHARED.name]),
    Owed::caught("pre-assigned", Stop(stops::PRE_ASSIGNED.name))
        .also(&[preflight::ADDRESS_FREE, preflight::SILENT]),
    Owed::caught("address-route", Assertion(preflight::ROUTES)),
    Owed::caught("untagged-vpc", Assertion(preflight::VPC))
        .exits(4)
        .trips(&[stops::OUTSIDE_MANIFEST.name]),
    Owed::caught("default-vpc", Stop(stops::DEFAULT_VPC.name)).also(&[preflight::VPC]),
    Owed::caught("untagged-subnet", Assertion(preflight::SUBNET))
        .exits(4)
        .trips(&[stops::OUTSIDE_MANIFEST.name]),
    Owed::caught("untagged-interface", Assertion(preflight::INTERFACE))
        .exits(4)
        .trips(&[stops::NOT_THE_LABS.name, stops::OUTSIDE_MANIFEST.name]),
    Owed::caught("untagged-instance", Assertion(preflight::INSTANCES))
        .exits(6)
        .trips(&[stops::NOT_THE_LABS.name, stops::OUTSIDE_MANIFEST.name])
        .leaves(&[Left::Instances]),
    Owed::caught("stopped-client", Unavailable),
    Owed::caught("foreign-volume", Assertion(undo_plan::COMPLETE))
        .exits(4)
        .trips(&[stops::UNDO_NOT_PLANNED.name]),
    Owed::caught("foreign-address", Stop(stops::UNDO_NOT_PLANNED.name))
        .also(&[undo_plan::COMPLETE]),
];

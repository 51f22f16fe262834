//! Answers to the faults of the mock lab's table `iam`.

use super::owed::Owed;
use super::owed::Primary::{Assertion, Stop};
use crate::{preflight, stops};

pub const OWED: &[Owed] = &[
    Owed::caught("wider-role", Stop(stops::ROLE.name)).also(&[preflight::ROLE]),
    Owed::caught("narrow-role", Assertion(preflight::ROLE)).exits(4).trips(&[stops::ROLE.name]),
    Owed::caught("role-elsewhere", Assertion(preflight::ROLE)).exits(4).trips(&[stops::ROLE.name]),
    Owed::caught("other-profile-role", Stop(stops::OTHER_IDENTITY.name))
        .also(&[preflight::PROFILE, preflight::EXECUTOR_IDENTITY])
        .trips(&[stops::EXECUTOR_IDENTITY.name]),
    Owed::caught("empty-profile", Assertion(preflight::PROFILE))
        .exits(4)
        .also(&[preflight::EXECUTOR_IDENTITY])
        .trips(&[stops::OTHER_IDENTITY.name, stops::EXECUTOR_IDENTITY.name]),
    Owed::tolerated("no-aws-cli"),
];

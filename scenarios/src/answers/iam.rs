//! Answers to the faults of the mock lab's table `iam`.

use super::owed::Primary::{Assertion, Stop};
use super::owed::{Left, Owed};
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
    Owed::caught("no-aws-cli", Assertion(preflight::EXECUTOR_PERMISSIONS)).exits(5),
    Owed::caught("bounded-role", Assertion(preflight::ROLE)).exits(4).trips(&[stops::ROLE.name]),
    Owed::caught("executor-denied", Assertion(preflight::EXECUTOR_PERMISSIONS)),
    Owed::caught("no-right-to-stop", Stop(stops::NO_RIGHT_TO_STOP.name))
        .exits(6)
        .also(&[preflight::PERMISSIONS])
        .leaves(&[Left::Instances]),
    Owed::caught("no-right-to-release", Assertion(preflight::PERMISSIONS)),
    Owed::caught("rehearsal-unanswered", Assertion(preflight::PERMISSIONS)).exits(5),
    Owed::tolerated("role-by-tags"),
    Owed::caught("role-by-lab-tag", Assertion(preflight::ROLE)).exits(4).trips(&[stops::ROLE.name]),
];

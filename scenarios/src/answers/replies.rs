//! Answers to the faults of the mock lab's table `replies`.

use super::owed::Owed;
use super::owed::Primary::Assertion;
use crate::{approve, execute, import, preflight, stops};

pub const OWED: &[Owed] = &[
    Owed::tolerated("plan-reply-lost"),
    Owed::tolerated("import-reply-lost"),
    Owed::tolerated("import-reply-garbled"),
    Owed::caught("import-request-lost", Assertion(import::IMPORTED))
        .also(&[import::ASSIGN, import::FORWARDING]),
    Owed::tolerated("approve-reply-lost"),
    Owed::caught("approve-request-lost", Assertion(approve::ASSIGN)).leaves_approved_rows(),
    Owed::caught("execute-request-lost", Assertion(execute::ASSIGN_ROW))
        .exits(4)
        .also(&[execute::ASSIGN_ENI])
        .trips(&[stops::AMBIGUOUS.name])
        .leaves_approved_rows(),
    Owed::tolerated("rollback-request-lost"),
    Owed::caught("truncated-read", Assertion(preflight::INTERFACE))
        .exits(5)
        .trips(&[stops::NO_BASELINE.name]),
    Owed::tolerated("hung-read"),
];

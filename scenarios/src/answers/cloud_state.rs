//! Answers to the faults of the mock lab's table `cloud_state`.

use super::owed::Owed;
use super::owed::Primary::Assertion;
use crate::{cloud_unchanged, gate, preflight, restored};

pub const OWED: &[Owed] = &[
    Owed::caught("acls-unreadable", Assertion(preflight::STATE)).exits(5),
    Owed::caught("role-widened-under-lock", Assertion(gate::CLOUD_UNCHANGED)),
    Owed::caught("role-widened", Assertion(cloud_unchanged::UNCHANGED))
        .exits(6)
        .also(&[restored::CLOUD]),
    Owed::caught("security-group-opens", Assertion(cloud_unchanged::UNCHANGED))
        .exits(6)
        .also(&[restored::CLOUD]),
    Owed::caught("acl-after-undo", Assertion(restored::CLOUD)).exits(6),
    Owed::caught("cloud-route-after-undo", Assertion(restored::CLOUD)).exits(6),
    Owed::caught("client-tag-after-undo", Assertion(restored::CLOUD)).exits(6),
];

//! Answers to the faults of the mock lab's table `gate`.

use super::owed::Primary::{Assertion, Stop, Unavailable};
use super::owed::{Left, Owed};
use crate::{gate, stops, undo_plan};

pub const OWED: &[Owed] = &[
    Owed::caught("disk-full", Assertion(undo_plan::ON_DISK)),
    Owed::caught("go-edited", Assertion(gate::GO)).exits(4),
    Owed::caught("go-expired", Assertion(gate::GO)).exits(4),
    Owed::caught("go-missing", Assertion(gate::GO)),
    Owed::tolerated("go-after"),
    Owed::caught("lock-held", Unavailable).leaves(&[Left::Lock]),
    Owed::tolerated("lock-reply-lost"),
    Owed::caught("lock-unknown", Assertion(gate::LOCK))
        .exits(6)
        .also(&[gate::UNCHANGED, gate::CLOUD_UNCHANGED, gate::BURNT])
        .leaves(&[Left::Lock, Left::Instances]),
    Owed::caught("changed-under-lock", Assertion(gate::UNCHANGED)).leaves(&[Left::Interface]),
    Owed::caught("taken-under-lock", Stop(stops::FOREIGN_HOLDER.name))
        .also(&[gate::UNCHANGED, gate::CLOUD_UNCHANGED]),
    Owed::caught("go-used", Assertion(gate::BURNT)).exits(4),
];

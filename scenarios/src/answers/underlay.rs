//! Answers to the faults of the mock lab's table `underlay`.

use super::owed::Owed;

pub const OWED: &[Owed] = &[Owed::tolerated("underlay-delay"), Owed::tolerated("underlay-loss")];

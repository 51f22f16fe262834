//! Answers to the faults of the mock lab's table `planted`.

use super::owed::Owed;

pub const OWED: &[Owed] = &[Owed::tolerated("planted-secrets")];

//! Helpers of the end-to-end tests, and the programs that go with them.

pub mod crash;
pub mod invariants;

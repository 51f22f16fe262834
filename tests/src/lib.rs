//! What end-to-end tests share: whole runs in process, and what must be true of each.

pub mod coverage;
pub mod crash;
pub mod invariants;
pub mod pairs;
pub mod parallel;
pub mod sensitivity;
pub mod smoke;
pub mod table;

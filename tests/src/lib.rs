//! The helpers that end-to-end tests share: whole runs in process, and what must be true of each.

pub mod binary;
pub mod coverage;
pub mod crash;
pub mod crash_table;
pub mod deaths;
pub mod disk;
pub mod documents;
pub mod explore;
pub mod extent;
pub mod in_turn;
pub mod invariants;
pub mod mixes;
mod owed;
mod owner;
pub mod parallel;
pub mod sensitivity;
pub mod smoke;
pub mod sources;
pub mod table;

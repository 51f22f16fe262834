//! Thousands of whole runs on the mock lab, in this process and in virtual time: whatever befalls a
//! run it can be finished, and every check can fail.

mod asked;
mod behind_aws;
mod crash;
mod explore;
mod invariants;
mod left;
mod permissions;
mod sensitivity;
mod stops;

//! The node-side programs from stdin to stdout: `aws-provider-executor` against a scripted EC2 and
//! metadata service, with no socket and in virtual time, and `lab-planner` against a scripted file.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance;
mod faults;
mod identity;
mod planner;
mod replay;
mod scripted;

//! `aws-provider-executor` from its stdin to its stdout, against a scripted EC2 and metadata
//! service, with no socket and in virtual time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance;
mod faults;
mod identity;
mod replay;
mod scripted;

//! The lab manifest, `lab.toml`: which lab this is, and what the run may do to it.

mod check;
mod parse;
mod shape;

pub use parse::{ManifestError, Problem};
pub use shape::{
    Aws, Capture, Ceiling, Consent, Iam, Instances, LabSection, Limits, Manifest, NoCeiling,
    NodeEntry, Onprem, Owner, Routerd, Teardown, guest_settle_ms_on_ec2,
};

/// A commented manifest without a problem in it.
pub fn example_manifest() -> &'static str {
    include_str!("example.toml")
}

#[cfg(test)]
mod spec;

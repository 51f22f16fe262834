//! The lab manifest, `lab.toml`: which lab this is, and what the run may do to it.

mod check;
mod parse;
mod shape;

pub use check::{PLACEHOLDERS, find_node, is_role_arn};
pub use parse::{ManifestError, Problem};
pub use shape::{
    Aws, Capture, Ceiling, Consent, DAEMON_ROUNDS_MS, EndpointUrls, Iam, IdentitySection,
    Instances, LOOK_AGAIN_MS_ON_EC2, LabSection, Limits, Manifest, NoCeiling, NodeEntry, Onprem,
    Owner, Reach, RoleChoice, Routerd, Teardown, Timing, guest_settle_ms_on_ec2,
};

/// A commented manifest without a problem in it.
pub fn example_manifest() -> &'static str {
    include_str!("example.toml")
}

#[cfg(test)]
mod spec;

//! The lab manifest, `lab.toml`: which lab this is, and what the run may do to it.

mod check;
mod parse;
mod shape;

pub use check::{PLACEHOLDERS, find_node, is_role_arn};
pub use parse::{ManifestError, Problem};
pub use shape::{
    Aws, Capture, Ceiling, Consent, EndpointUrls, Iam, IdentitySection, Instances, LabSection,
    Limits, Manifest, NoCeiling, NodeEntry, Onprem, Owner, Reach, RoleChoice, Routerd, Teardown,
    guest_settle_ms_on_ec2,
};

/// A commented manifest without a problem in it.
pub fn example_manifest() -> &'static str {
    include_str!("example.toml")
}

#[cfg(test)]
mod spec;

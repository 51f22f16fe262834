//! The lab on AWS that a manifest describes: who asks EC2 for it, and how its nodes are reached.

mod open;
mod ssh_config;

pub use open::{AwsLabError, OpenAws, open_aws_lab};

//! The lab on AWS that a manifest describes: who asks EC2 for it, and how its nodes are reached.

mod chain;
mod credentials;
mod errors;
mod identity;
mod locate;
mod open;
mod ssh_config;
mod urls;

pub use chain::{DEFAULT_ROLE_VARIABLE, Environment, ROLE_VARIABLE};
pub use open::{AwsLabError, open_aws_lab};

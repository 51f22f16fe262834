//! A strict reading of the node's router.yaml. routerd itself ignores keys that it does not know: one
//! wrong letter in `allowedCIDRs` opens its gate.

mod credentials;
mod duration;
mod environment;
mod fields;
mod kinds;
mod read;

pub use credentials::{is_aws_credential, is_credential_name};
pub use environment::{PLUGIN_VARIABLES, may_be_given};
pub use read::{
    Environment, Executor, OtherResource, Plugin, Problem, ProviderActionPolicy, ProviderProfile,
    RouterConfig, read_config,
};

#[cfg(test)]
mod spec;

//! A lab: an EC2 API, nodes that run commands, and routerd on one of them. This crate
//! observes and acts, and says done, not done or unknown; it judges nothing.

pub mod act;
pub mod change_set;
pub mod clock;
#[cfg(test)]
mod deaf;
pub mod ec2;
pub mod golang;
pub mod iam;
mod lab;
pub mod manifest;
pub mod node;
pub mod operator;
pub mod outage;
pub mod permit;
pub mod router_yaml;
pub mod routerd;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod shell;
pub mod ssh_transport;
mod wake;

pub use lab::{AfterEffect, Lab};
pub use ssh_transport::quote_for_shell;
pub use wake::WakeLimits;

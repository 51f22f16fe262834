//! The mock lab: one deterministic world, and its three faces: EC2, routerd, nodes.

pub mod cloud;
pub mod connector;
mod control;
pub mod ec2;
pub mod faults;
mod guard;
pub mod host;
pub mod machines;
mod open;
pub mod packets;
pub mod serve;
pub mod shell;
mod state_file;
mod transport;
pub mod world;

pub use open::manifest as manifest_of;
pub use open::{
    Mock, OpenError, Options, attach, open, open_as, reopen, running_instances, start_time,
    world as world_of,
};

//! The mock lab: one deterministic world, and its three faces: EC2, routerd, nodes.

pub mod boot;
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

pub use open::manifest_of;
pub use open::{
    Mock, MockLabOptions, OpenError, attach_world, open_as, open_mock_lab, reopen_mock_lab,
    running_instances, start_time, world_of,
};

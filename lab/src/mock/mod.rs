//! The mock lab: one deterministic world, and its three faces: EC2, routerd, nodes.

pub mod cloud;
pub mod connector;
mod control;
pub mod ec2;
pub mod faults;
pub mod host;
pub mod machines;
pub mod packets;
pub mod serve;
pub mod shell;
mod state_file;
pub mod world;

//! The mock lab: one deterministic world, and its three faces: EC2, routerd, nodes.

pub mod cloud;
pub mod connector;
pub mod ec2;
pub mod faults;
pub mod host;
pub mod machines;
pub mod packets;
pub mod serve;
pub mod shell;
pub mod world;

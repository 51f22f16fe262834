//! The kernel lab: a VPC in a box, in network namespaces of one Linux machine. The world model of
//! the mock says who owns which address and which rules hold; the kernel carries the packets.

mod access;
mod aws_cli;
mod conclusion;
mod condition;
mod deeds;
mod endpoint;
mod explain;
pub mod fabric;
mod folder;
mod garp;
mod gone;
mod held;
mod keys;
mod left;
mod lifecycle;
mod moments;
mod mounts;
mod node;
mod node_files;
mod open;
mod outliving;
mod power;
pub mod probe;
mod program;
mod relay;
mod run;
mod supervisor;
mod topology;
mod unix_http;
mod watching;

pub use conclusion::{Conclusion, Leg, Place};
pub use condition::{Condition, read_condition, start_instances};
pub use explain::{Walk, address_of};
pub use folder::{Folder, find_home};
pub use gone::{Gone, prove_gone};
pub use left::leave_to_process;
pub use lifecycle::{
    KernelLab, KernelLabOptions, UpError, bring_up, find_lab, list_labs, take_down,
};
pub use moments::{CannotInject, check_faults, inject_into_lab, known_faults};
pub use open::{
    Netns, ask_counters, explain_packet, open_for, open_kernel_lab, read_manifest, read_world,
    run_on_node, write_world,
};
pub use outliving::OutlivingVolume;
pub use program::dispatch;

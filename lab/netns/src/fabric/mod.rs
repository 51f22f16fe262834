//! The VPC as nftables: a pure renderer from the world model to one ruleset text. Who owns an
//! address, the source/dest check, security groups with state, network ACLs without, route tables;
//! and a named counter for every reason to drop a packet.

#[cfg(test)]
mod acl_tests;
mod model;
mod permit;
mod render;
#[cfg(test)]
mod tests;

pub use model::{Fabric, FabricSubnet, Port, PrefixRoute, SourceDestCheck, Wire, Wiring};
pub use permit::{Acl, AclEntry, AclRule, PeerPermission, Ports, Protocol};
pub use render::{COUNTERS, render_ruleset, ttl_table};

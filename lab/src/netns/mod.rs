//! The kernel lab: a VPC in a box, in network namespaces of one Linux machine. The world model of
//! the mock says who owns which address and which rules hold; the kernel carries the packets.

pub mod fabric;
pub mod probe;

//! Instance types: how much each can hold, as DescribeInstanceTypes says it.

/// One instance type.
#[derive(Debug)]
pub struct InstanceType {
    pub name: &'static str,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub interfaces: u32,
    pub ipv4_addresses_per_interface: usize,
    pub architecture: &'static str,
}

pub const ALL: &[InstanceType] = &[
    entry("c5.large", 2, 4096, 3, 10, "x86_64"),
    entry("c6in.large", 2, 4096, 3, 10, "x86_64"),
    entry("m5.large", 2, 8192, 3, 10, "x86_64"),
    entry("t3.large", 2, 8192, 3, 12, "x86_64"),
    entry("t3.medium", 2, 4096, 3, 6, "x86_64"),
    entry("t3.micro", 2, 1024, 2, 2, "x86_64"),
    entry("t3.nano", 2, 512, 2, 2, "x86_64"),
    entry("t3.small", 2, 2048, 3, 4, "x86_64"),
    entry("t4g.micro", 2, 1024, 2, 2, "arm64"),
    entry("t4g.nano", 2, 512, 2, 2, "arm64"),
];

pub fn find(name: &str) -> Option<&'static InstanceType> {
    ALL.iter().find(|instance_type| instance_type.name == name)
}

const fn entry(
    name: &'static str,
    vcpus: u32,
    memory_mib: u32,
    interfaces: u32,
    ipv4_addresses_per_interface: usize,
    architecture: &'static str,
) -> InstanceType {
    InstanceType { name, vcpus, memory_mib, interfaces, ipv4_addresses_per_interface, architecture }
}

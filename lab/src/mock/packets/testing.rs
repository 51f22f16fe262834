//! A lab with the two ENIs of the runbook, for tests.

use std::net::Ipv4Addr;

use chrono::DateTime;

use crate::mock::cloud::{Cloud, NetworkInterface};
use crate::mock::faults::Faults;
use crate::mock::machines::Machines;
use crate::mock::world::World;

pub const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);

fn eni(id: &str, mac: &str, address: [u8; 4], instance: &str) -> NetworkInterface {
    NetworkInterface {
        id: id.into(),
        mac: mac.into(),
        source_dest_check: true,
        private_addresses: vec![address.into()],
        instance_id: Some(instance.into()),
    }
}

pub fn lab() -> World {
    let mut cloud = Cloud::default();
    for eni in [
        eni("eni-router", "0a:58:0a:58:3c:04", [10, 88, 60, 4], "i-router"),
        eni("eni-client", "0a:58:0a:58:3c:07", [10, 88, 60, 7], "i-client"),
    ] {
        cloud.network_interfaces.insert(eni.id.clone(), eni);
    }
    let machines = Machines::example(7, &cloud);
    World { seed: 7, now: DateTime::UNIX_EPOCH, cloud, machines, faults: Faults::default() }
}

#[derive(Clone, Copy)]
pub enum Check {
    On,
    Off,
}

#[derive(Clone, Copy)]
pub enum Address {
    Free,
    Assigned,
}

pub fn set(world: &mut World, address: Address, check: Check) {
    let eni = world.cloud.network_interfaces.get_mut("eni-router").unwrap();
    eni.source_dest_check = matches!(check, Check::On);
    eni.private_addresses.truncate(1);
    if let Address::Assigned = address {
        eni.private_addresses.push(CAPTURED);
    }
}

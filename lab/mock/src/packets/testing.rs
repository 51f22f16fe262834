//! A lab with the two ENIs of the runbook, for tests.

#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};

use crate::cloud::{Cloud, NetworkInterface};
use crate::faults::Faults;
use crate::machines::Machines;
use crate::world::World;

pub const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);

pub fn make_test_world() -> World {
    let cloud = Cloud::example(7, test_start_time(), true);
    let machines = Machines::example(7, &cloud);
    World {
        seed: 7,
        now: test_start_time(),
        cloud,
        machines,
        faults: Faults::default(),
        at_first_end: None,
    }
}

/// When the tests begin.
pub fn test_start_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_323_045, 0).unwrap_or_default()
}

/// routerd-cloud's.
pub fn router_eni(world: &mut World) -> &mut NetworkInterface {
    let address = Ipv4Addr::new(10, 88, 60, 4);
    world.cloud.network_interfaces.values_mut().find(|eni| eni.owns(address)).unwrap()
}

#[derive(Clone, Copy)]
pub enum CheckSetting {
    On,
    Off,
}

#[derive(Clone, Copy)]
pub enum AddressSetting {
    Free,
    Assigned,
}

pub fn set_router_eni(world: &mut World, address: AddressSetting, check: CheckSetting) {
    let eni = router_eni(world);
    eni.source_dest_check = matches!(check, CheckSetting::On);
    match address {
        AddressSetting::Assigned => eni.add_secondary(CAPTURED),
        AddressSetting::Free => eni.remove_secondary(CAPTURED),
    }
}

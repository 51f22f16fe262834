//! Public addresses that an interface gets when its instance starts to run, and loses when it stops:
//! another one each time. An Elastic IP address takes its place, and stays.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Cloud, NetworkInterface};

/// Whether an interface was launched with a public address, and which one it has now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchAddress {
    /// None was asked for: it never has one.
    #[default]
    Never,
    /// Its instance does not run, or an Elastic IP address came in its place.
    Released,
    Has(Ipv4Addr),
}

impl LaunchAddress {
    pub fn address(self) -> Option<Ipv4Addr> {
        match self {
            Self::Has(address) => Some(address),
            Self::Never | Self::Released => None,
        }
    }

    /// It goes back to Amazon's pool.
    pub fn release(&mut self) {
        if matches!(self, Self::Has(_)) {
            *self = Self::Released;
        }
    }
}

/// The pool's first address, and how many it has.
const FIRST: u32 = u32::from_be_bytes([192, 0, 2, 100]);
const POOL: u64 = 150;

impl Cloud {
    /// The public address that a private one has by now: an Elastic IP address, or the launch's.
    pub fn public_address_on(&self, eni: &NetworkInterface, private: Ipv4Addr) -> Option<Ipv4Addr> {
        let elastic = self.address_on(&eni.id, private).map(|elastic| elastic.public_ip);
        let of_launch = || eni.launch_address.address().filter(|_| eni.primary() == Some(private));
        elastic.or_else(of_launch)
    }

    /// Gives the instance's interfaces what they were launched with; one with an Elastic IP address
    /// gets nothing.
    pub fn give_public_addresses(&mut self, instance_id: &str) {
        for id in self.interface_ids_of(instance_id) {
            let Some(eni) = self.network_interfaces.get(&id) else { continue };
            let has_elastic =
                eni.primary().is_some_and(|private| self.address_on(&id, private).is_some());
            if eni.launch_address != LaunchAddress::Released || has_elastic {
                continue;
            }
            let next = self.next_public_address();
            if let Some(eni) = self.network_interfaces.get_mut(&id) {
                eni.launch_address = LaunchAddress::Has(next);
            }
        }
    }

    pub fn take_public_addresses(&mut self, instance_id: &str) {
        for id in self.interface_ids_of(instance_id) {
            if let Some(eni) = self.network_interfaces.get_mut(&id) {
                eni.launch_address.release();
            }
        }
    }

    fn interface_ids_of(&self, instance_id: &str) -> Vec<String> {
        self.interfaces_of(instance_id).iter().map(|eni| eni.id.clone()).collect()
    }

    /// Another one than anybody had before, until the pool has been gone through.
    fn next_public_address(&mut self) -> Ipv4Addr {
        self.public_addresses_given += 1;
        let offset = u32::try_from(self.public_addresses_given % POOL).unwrap_or_default();
        Ipv4Addr::from(FIRST + offset)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::cloud::InstanceState;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);

    fn public(cloud: &Cloud, private: Ipv4Addr) -> Option<Ipv4Addr> {
        cloud.public_address_on(cloud.owner_of(private)?, private)
    }

    #[test]
    fn the_launchs_address_is_another_one_after_a_stop_and_an_elastic_one_stays() {
        let mut now = DateTime::UNIX_EPOCH;
        let mut cloud = Cloud::example(7, now, true);
        let (client, elastic) = (public(&cloud, CLIENT), public(&cloud, ROUTER));
        assert!(client.is_some() && elastic == Some(Ipv4Addr::new(203, 0, 113, 10)));
        let mut seen = vec![client];
        for _ in 0..2 {
            for (state, shown) in [(InstanceState::Stopping, false), (InstanceState::Pending, true)]
            {
                for instance in cloud.instances.values_mut() {
                    instance.enter(state, now);
                }
                now += TimeDelta::minutes(1);
                cloud.advance(now);
                let client = public(&cloud, CLIENT);
                assert_eq!(client.is_some(), shown, "{state:?}");
                assert!(!shown || !seen.contains(&client), "{client:?} was there before");
                seen.extend(client.map(Some));
                assert_eq!(public(&cloud, ROUTER), elastic, "{state:?}");
            }
        }
    }
}

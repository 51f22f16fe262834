//! Which way a packet leaves a node: local addresses, rules and tables, proxied neighbours.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Interface, Link, Machine, Route};

/// Where a packet goes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    pub dev: String,
    /// Whom to ask for by ARP, where the link has that.
    pub address: Ipv4Addr,
    /// The source of packets that this node makes itself.
    pub source: Ipv4Addr,
}

impl Machine {
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }

    pub fn has_address(&self, address: Ipv4Addr) -> bool {
        self.interfaces.iter().any(|interface| {
            interface.up && interface.addresses.iter().any(|a| a.addr() == address)
        })
    }

    pub fn forwards(&self) -> bool {
        self.sysctls.get("net.ipv4.ip_forward").is_some_and(|value| value == "1")
    }

    /// Whether strict reverse path filtering is on for an interface.
    pub fn filters_reverse_path(&self, dev: &str) -> bool {
        let keys = ["all", dev].map(|name| format!("net.ipv4.conf.{name}.rp_filter"));
        keys.iter().any(|key| self.sysctls.get(key).is_some_and(|value| value == "1"))
    }

    /// The main table as the kernel has it: in the order of `ip route show`, connected networks
    /// included.
    pub fn main_table(&self) -> Vec<Route> {
        let mut table = self.routes.clone();
        for interface in self.interfaces.iter().filter(|i| i.up && i.link != Link::Loopback) {
            table.extend(interface.addresses.iter().filter(|a| a.prefix_len() < 32).map(
                |address| Route {
                    destination: address.trunc(),
                    via: None,
                    dev: interface.name.clone(),
                    metric: None,
                    protocol: "kernel".into(),
                    source: Some(address.addr()),
                    mtu: None,
                    local: false,
                },
            ));
        }
        table.sort_by_key(|route| {
            (route.destination.network(), route.destination.prefix_len(), route.metric.unwrap_or(0))
        });
        table
    }

    /// The route that the kernel chooses: the first table in which there is one, there the longest
    /// prefix, then the lowest metric.
    pub fn best_route(&self, destination: Ipv4Addr) -> Option<Route> {
        let usable = |route: &Route| {
            route.destination.contains(&destination)
                && self.interface(&route.dev).is_some_and(|interface| interface.up)
        };
        self.tables_for(destination).into_iter().find_map(|table| {
            table.into_iter().filter(usable).max_by_key(|route| {
                (route.destination.prefix_len(), u32::MAX - route.metric.unwrap_or(0))
            })
        })
    }

    pub fn next_hop(&self, destination: Ipv4Addr) -> Option<NextHop> {
        if self.has_address(destination) {
            return Some(NextHop { dev: "lo".into(), address: destination, source: destination });
        }
        let best = self.best_route(destination)?;
        let first = |name: &str| self.interface(name)?.addresses.first().map(Ipv4Net::addr);
        Some(NextHop {
            address: best.via.unwrap_or(destination),
            source: best.source.or_else(|| first(&best.dev)).unwrap_or(Ipv4Addr::UNSPECIFIED),
            dev: best.dev,
        })
    }

    /// Whether it answers ARP for an address on one of its interfaces: its own, or one that it
    /// proxies, which the kernel does only where it forwards and the way there is another one.
    pub fn answers_arp(&self, dev: &str, address: Ipv4Addr) -> bool {
        let proxied = || {
            self.forwards()
                && self.proxy_neighbours.iter().any(|p| p.dev == dev && p.address == address)
                && self.next_hop(address).is_some_and(|hop| hop.dev != dev)
        };
        self.has_address(address) || proxied()
    }
}

//! Whom a packet reaches: somebody on the way who closes the door, or takes the address's place.

use std::net::Ipv4Addr;

use super::fault::Fault;
use super::hand::{CAPTURED, CLIENT, Done, EXECUTE_FORWARDING, happens_after, interface_of};
use super::rules::Happening;
use crate::cloud::Permission;
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("security-group-closes", "the lab's security group admits nobody any more", security_group_closes)
        .on_netns().from("§7", "issue 6"),
    Fault::new("no-icmp-errors-rule", "the lab's security group admits no ICMP error: it tracks flows, not what is said about them", no_icmp_errors_rule)
        .on_netns().from("§7", "issue 14"),
    Fault::new("icmp-errors-rule-later", "during the run the lab's security group comes to admit no ICMP error", icmp_errors_rule_later)
        .on_netns().from("§7", "issue 14"),
    Fault::new("arp-thief", "another machine on the on-prem LAN is taken for the captured address's owner", arp_thief)
        .on_netns().from("§7", "issue 6"),
];

fn security_group_closes(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, Happening::Ingress { primary: CLIENT })
}

fn no_icmp_errors_rule(world: &mut World, _: &str) -> Done {
    take_icmp_errors_off(world, CLIENT)
}

/// Preflight has seen the rule by then.
fn icmp_errors_rule_later(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, Happening::NoIcmpErrors { primary: CLIENT })
}

/// Whoever wrote the rules thought of what opens a flow, and of nothing else.
pub(super) fn take_icmp_errors_off(world: &mut World, primary: Ipv4Addr) -> Done {
    let groups = interface_of(world, primary)?.groups.clone();
    for id in groups {
        let group = world.cloud.security_groups.get_mut(&id).ok_or("there is no such group")?;
        group.ingress = group.ingress.iter().flat_map(without_icmp_errors).collect();
    }
    Ok(())
}

fn without_icmp_errors(permission: &Permission) -> Vec<Permission> {
    let only = |protocol: &str, ports| Permission {
        protocol: protocol.to_owned(),
        ports: Some(ports),
        ..permission.clone()
    };
    match permission.protocol.as_str() {
        "-1" => vec![only("tcp", (0, 65535)), only("udp", (0, 65535)), only("icmp", (8, -1))],
        "icmp" | "1" => Vec::new(),
        _ => vec![permission.clone()],
    }
}

fn arp_thief(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, Happening::Thief { address: CAPTURED })
}

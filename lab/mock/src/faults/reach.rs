//! Whom a packet reaches: somebody on the way who closes the door, or takes the address's place.

use super::fault::Fault;
use super::hand::{CAPTURED, CLIENT, Done, EXECUTE_FORWARDING, happens_after};
use super::rules::Happening;
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("security-group-closes", "the lab's security group admits nobody any more", security_group_closes)
        .on_netns().from("§7", "issue 6"),
    Fault::new("arp-thief", "another machine on the on-prem LAN is taken for the captured address's owner", arp_thief)
        .on_netns().from("§7", "issue 6"),
];

fn security_group_closes(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, Happening::Ingress { primary: CLIENT })
}

fn arp_thief(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, Happening::Thief { address: CAPTURED })
}

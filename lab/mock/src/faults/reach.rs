//! Whom a packet reaches: somebody on the way who closes the door, or takes the address's place.

use super::fault::{Fault, Primary};
use super::hand::{CAPTURED, CLIENT, Done, EXECUTE_FORWARDING, happens_after};
use super::rules::Happening;
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::caught("security-group-closes", "the lab's security group admits nobody any more", Primary::Assertion("ping.cloud-to-onprem"), security_group_closes)
        .on_netns().exits(6).also(&["cloud-state.unchanged", "restored.cloud-state", "no-nat.handshake.cloud-to-onprem", "no-nat.handshake.onprem-to-cloud", "no-nat.icmp.cloud-to-onprem", "no-nat.icmp.onprem-to-cloud", "no-nat.path.onprem-router", "no-nat.path.routerd-cloud", "no-nat.payload.cloud-to-onprem", "no-nat.payload.onprem-to-cloud", "no-nat.tcp.cloud-to-onprem", "no-nat.tcp.onprem-to-cloud", "ping.onprem-to-cloud", "source-dest-check.canary", "ssh.cloud-to-onprem.login", "ssh.onprem-to-cloud.login"]).from("§7", "issue 6"),
    Fault::caught("arp-thief", "another machine on the on-prem LAN is taken for the captured address's owner", Primary::Assertion("ping.cloud-to-onprem"), arp_thief)
        .on_netns().exits(6).also(&["no-nat.handshake.cloud-to-onprem", "no-nat.handshake.onprem-to-cloud", "no-nat.icmp.cloud-to-onprem", "no-nat.payload.cloud-to-onprem", "no-nat.payload.onprem-to-cloud", "no-nat.tcp.cloud-to-onprem", "no-nat.tcp.onprem-to-cloud", "node-state.onprem-router", "restored.node-state.onprem-router", "ping.onprem-to-cloud", "ssh.cloud-to-onprem.login", "ssh.onprem-to-cloud.login"]).from("§7", "issue 6"),
];

fn security_group_closes(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, Happening::Ingress { primary: CLIENT })
}

fn arp_thief(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, Happening::Thief { address: CAPTURED })
}

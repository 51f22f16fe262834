//! The nodes' kernels and logins, changed by somebody during the run and after its undo.

use super::changes::MachineChange;
use super::fault::Fault;
use super::hand::{Done, EXECUTE_ASSIGN, PLANNER, UNDO_ADDRESS, happens_after};
use super::rules::Happening;
use crate::world::World;
use lab::node::Node;

const ISSUE: &str = "issue 12";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("halves-beside-default", "two halves that cover everything appear beside cloud-client's default route", halves)
        .on_netns().from("§7", ISSUE),
    Fault::new("rule-with-own-table", "a rule leads routerd-cloud's packets to a table of its own", own_table)
        .on_netns().from("§7", ISSUE),
    Fault::new("default-in-table-253", "onprem-router gets a second default route, in the table that is asked last", last_resort)
        .on_netns().from("§7", ISSUE),
    Fault::new("gateway-neighbour", "onprem-client takes another machine for its gateway", gateway_neighbour)
        .on_netns().from("§7", ISSUE),
    Fault::new("default-route-mtu", "cloud-client's default route gets another MTU", default_mtu)
        .on_netns().from("§7", ISSUE),
    Fault::new("default-route-ipv6", "cloud-client gets a default route of IPv6", default_of_ipv6)
        .from("§7", ISSUE),
    Fault::new("any-ip", "a route of another table delivers the captured address on routerd-cloud itself", any_ip)
        .on_netns().from("§7", ISSUE),
    Fault::new("address-in-namespace", "routerd-cloud has the captured address in another network namespace", in_namespace)
        .from("§7", ISSUE),
    Fault::new("mapped-address", "routerd-cloud has the captured address as one of IPv6", mapped)
        .from("§7", ISSUE),
    Fault::new("authorized-key", "somebody lets himself in on routerd-cloud during the run", authorized_key)
        .on_netns().from("§7", ISSUE),
    Fault::new("link-mtu", "cloud-client's interface gets another MTU during the run", link_mtu)
        .on_netns().from("§7", ISSUE),
    Fault::new("legacy-rule", "onprem-router gets a rule of legacy iptables during the run, outside its nat table", legacy_rule)
        .on_netns().from("§7", ISSUE),
    Fault::new("new-listener", "somebody listens on onprem-client since the run began", listener)
        .on_netns().from("§7", ISSUE),
    Fault::new("nft-lost", "onprem-router's rules could be read before the run, and cannot any more", nft_lost)
        .on_netns().from("§7", ISSUE),
    Fault::new("program-replaced", "the planner is replaced after it has planned", program_meanwhile)
        .on_netns().from("§7", ISSUE),
    Fault::new("program-after-undo", "the planner is replaced after the undo", program_after_undo)
        .on_netns().from("§6", ISSUE),
    Fault::new("forwarding-entry", "routerd-cloud's overlay gets one more far end during the run", forwarding_entry)
        .on_netns().from("§7", ISSUE),
    Fault::new("program-mode", "the planner holds the same and runs as its owner, since it has planned", program_mode)
        .on_netns().from("§7", ISSUE),
    Fault::new("mac-after-undo", "onprem-client has another MAC after the undo", another_mac)
        .on_netns().from("§6", ISSUE),
    Fault::new("sysctl-after-undo", "a setting of routerd-cloud's kernel is another one after the undo", sysctl)
        .on_netns().from("§6", ISSUE),
    Fault::new("link-after-undo", "cloud-client has another link after the undo", another_link)
        .on_netns().from("§6", ISSUE),
    Fault::new("filter-after-undo", "packets of onprem-router are filtered by tc after the undo", filter)
        .on_netns().from("§6", ISSUE),
    Fault::new("neighbour-after-undo", "onprem-client has a permanent neighbour after the undo", another_neighbour)
        .on_netns().from("§6", ISSUE),
    Fault::new("route-after-undo", "routerd-cloud has a static route after the undo", static_route)
        .on_netns().from("§6", ISSUE),
    Fault::new("bpf-after-undo", "an eBPF program hangs on routerd-cloud's interface after the undo", express_data_path)
        .from("§6", ISSUE),
    Fault::new("xfrm-after-undo", "onprem-router has a policy of IPsec after the undo", xfrm_policy)
        .from("§6", ISSUE),
];

/// Once the address was assigned: before the acceptance looks.
fn meanwhile(world: &mut World, node: Node, change: MachineChange) -> Done {
    happens_after(world, EXECUTE_ASSIGN, Happening::Kernel { node, change })
}

fn after_undo(world: &mut World, node: Node, change: MachineChange) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Kernel { node, change })
}

fn halves(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, MachineChange::Halves)
}

fn own_table(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, MachineChange::OwnTable)
}

fn last_resort(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremRouter, MachineChange::DefaultOfLastResort)
}

fn gateway_neighbour(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremClient, MachineChange::GatewayNeighbour)
}

fn default_mtu(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, MachineChange::DefaultMtu)
}

fn default_of_ipv6(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, MachineChange::DefaultOfIpv6)
}

fn any_ip(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, MachineChange::AnyIp)
}

fn in_namespace(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, MachineChange::AddressInNamespace)
}

fn mapped(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, MachineChange::MappedAddress)
}

fn authorized_key(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, MachineChange::AuthorizedKey)
}

fn link_mtu(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, MachineChange::LinkMtu)
}

fn legacy_rule(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremRouter, MachineChange::LegacyRule)
}

fn listener(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremClient, MachineChange::Listener)
}

fn nft_lost(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremRouter, MachineChange::NftGone)
}

fn other_program() -> Happening {
    let contents = "#!/bin/sh\nexit 1\n".to_owned();
    Happening::File { node: Node::RouterdCloud, path: PLANNER.to_owned(), contents }
}

fn program_meanwhile(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_ASSIGN, other_program())
}

fn program_after_undo(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, other_program())
}

fn forwarding_entry(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, MachineChange::ForwardingEntry)
}

fn program_mode(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, MachineChange::ProgramMode)
}

fn another_mac(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremClient, MachineChange::AnotherMac)
}

fn sysctl(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::RouterdCloud, MachineChange::Sysctl)
}

fn another_link(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::CloudClient, MachineChange::AnotherLink)
}

fn filter(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremRouter, MachineChange::Filter)
}

fn another_neighbour(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremClient, MachineChange::AnotherNeighbour)
}

fn static_route(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::RouterdCloud, MachineChange::StaticRoute)
}

fn express_data_path(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::RouterdCloud, MachineChange::ExpressDataPath)
}

fn xfrm_policy(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremRouter, MachineChange::XfrmPolicy)
}

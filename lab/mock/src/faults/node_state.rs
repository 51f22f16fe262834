//! The nodes' kernels and logins, changed by somebody during the run and after its undo.

use super::changes::Change;
use super::fault::{Fault, Primary};
use super::hand::{Done, EXECUTE_ASSIGN, PLANNER, UNDO_ADDRESS, happens_after};
use super::rules::Happening;
use crate::world::World;
use lab::node::Node;

const ISSUE: &str = "issue 12";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::caught("halves-beside-default", "two halves that cover everything appear beside cloud-client's default route", Primary::Assertion("default-gateway.cloud-client"), halves)
        .on_netns().exits(6).also(&["restored.default-gateway.cloud-client"]).from("§7", ISSUE),
    Fault::caught("rule-with-own-table", "a rule leads routerd-cloud's packets to a table of its own", Primary::Assertion("default-gateway.routerd-cloud"), own_table)
        .on_netns().exits(6).also(&["restored.default-gateway.routerd-cloud"]).from("§7", ISSUE),
    Fault::caught("default-in-table-253", "onprem-router gets a second default route, in the table that is asked last", Primary::Assertion("default-gateway.onprem-router"), last_resort)
        .on_netns().exits(6).also(&["restored.default-gateway.onprem-router"]).from("§7", ISSUE),
    Fault::caught("gateway-neighbour", "onprem-client takes another machine for its gateway", Primary::Assertion("default-gateway.onprem-client"), gateway_neighbour)
        .on_netns().exits(6).also(&["node-state.onprem-client", "restored.default-gateway.onprem-client", "restored.node-state.onprem-client"]).from("§7", ISSUE),
    Fault::caught("default-route-mtu", "cloud-client's default route gets another MTU", Primary::Assertion("default-gateway.cloud-client"), default_mtu)
        .on_netns().exits(6).also(&["restored.default-gateway.cloud-client"]).from("§7", ISSUE),
    Fault::caught("default-route-ipv6", "cloud-client gets a default route of IPv6", Primary::Assertion("default-gateway.cloud-client"), default_of_ipv6)
        .exits(6).also(&["restored.default-gateway.cloud-client"]).from("§7", ISSUE),
    Fault::caught("any-ip", "a route of another table delivers the captured address on routerd-cloud itself", Primary::Assertion("os-address.absent"), any_ip)
        .on_netns().exits(6).also(&["os-address.absent-after-settling", "default-gateway.routerd-cloud", "restored.default-gateway.routerd-cloud"]).from("§7", ISSUE),
    Fault::caught("address-in-namespace", "routerd-cloud has the captured address in another network namespace", Primary::Assertion("os-address.absent"), in_namespace)
        .exits(6).also(&["os-address.absent-after-settling", "node-state.routerd-cloud", "restored.node-state.routerd-cloud"]).from("§7", ISSUE),
    Fault::caught("mapped-address", "routerd-cloud has the captured address as one of IPv6", Primary::Assertion("os-address.absent"), mapped)
        .exits(6).also(&["os-address.absent-after-settling", "node-state.routerd-cloud", "restored.node-addresses"]).from("§7", ISSUE),
    Fault::caught("authorized-key", "somebody lets himself in on routerd-cloud during the run", Primary::Assertion("node-state.routerd-cloud"), authorized_key)
        .on_netns().exits(6).also(&["restored.node-state.routerd-cloud"]).from("§7", ISSUE),
    Fault::caught("link-mtu", "cloud-client's interface gets another MTU during the run", Primary::Assertion("node-state.cloud-client"), link_mtu)
        .on_netns().exits(6).also(&["restored.node-state.cloud-client"]).from("§7", ISSUE),
    Fault::caught("legacy-rule", "onprem-router gets a rule of legacy iptables during the run, outside its nat table", Primary::Assertion("node-state.onprem-router"), legacy_rule)
        .on_netns().exits(6).also(&["restored.node-state.onprem-router"]).from("§7", ISSUE),
    Fault::caught("new-listener", "somebody listens on onprem-client since the run began", Primary::Assertion("node-state.onprem-client"), listener)
        .on_netns().exits(6).also(&["restored.node-state.onprem-client"]).from("§7", ISSUE),
    Fault::caught("nft-lost", "onprem-router's rules could be read before the run, and cannot any more", Primary::Assertion("node-state.onprem-router"), nft_lost)
        .on_netns().exits(5).also(&["no-nat.tables.onprem-router", "restored.nft-rulesets"]).from("§7", ISSUE),
    Fault::caught("program-replaced", "the planner is replaced after it has planned", Primary::Assertion("node-state.programs"), program_meanwhile)
        .on_netns().exits(6).also(&["restored.programs"]).from("§7", ISSUE),
    Fault::caught("program-after-undo", "the planner is replaced after the undo", Primary::Assertion("restored.programs"), program_after_undo)
        .on_netns().exits(6).from("§6", ISSUE),
    Fault::caught("forwarding-entry", "routerd-cloud's overlay gets one more far end during the run", Primary::Assertion("node-state.routerd-cloud"), forwarding_entry)
        .on_netns().exits(6).also(&["restored.node-state.routerd-cloud"]).from("§7", ISSUE),
    Fault::caught("program-mode", "the planner holds the same and runs as its owner, since it has planned", Primary::Assertion("node-state.programs"), program_mode)
        .on_netns().exits(6).also(&["restored.programs"]).from("§7", ISSUE),
    Fault::caught("mac-after-undo", "onprem-client has another MAC after the undo", Primary::Assertion("restored.node-state.onprem-client"), another_mac)
        .on_netns().exits(6).from("§6", ISSUE),
    Fault::caught("sysctl-after-undo", "a setting of routerd-cloud's kernel is another one after the undo", Primary::Assertion("restored.node-state.routerd-cloud"), sysctl)
        .on_netns().exits(6).from("§6", ISSUE),
    Fault::caught("link-after-undo", "cloud-client has another link after the undo", Primary::Assertion("restored.node-state.cloud-client"), another_link)
        .on_netns().exits(6).from("§6", ISSUE),
    Fault::caught("filter-after-undo", "packets of onprem-router are filtered by tc after the undo", Primary::Assertion("restored.node-state.onprem-router"), filter)
        .on_netns().exits(6).from("§6", ISSUE),
    Fault::caught("neighbour-after-undo", "onprem-client has a permanent neighbour after the undo", Primary::Assertion("restored.node-state.onprem-client"), another_neighbour)
        .on_netns().exits(6).from("§6", ISSUE),
    Fault::caught("route-after-undo", "routerd-cloud has a static route after the undo", Primary::Assertion("restored.default-gateway.routerd-cloud"), static_route)
        .on_netns().exits(6).from("§6", ISSUE),
    Fault::caught("bpf-after-undo", "an eBPF program hangs on routerd-cloud's interface after the undo", Primary::Assertion("restored.node-state.routerd-cloud"), express_data_path)
        .exits(6).from("§6", ISSUE),
    Fault::caught("xfrm-after-undo", "onprem-router has a policy of IPsec after the undo", Primary::Assertion("restored.node-state.onprem-router"), xfrm_policy)
        .exits(6).from("§6", ISSUE),
];

/// Once the address was assigned: before the acceptance looks.
fn meanwhile(world: &mut World, node: Node, change: Change) -> Done {
    happens_after(world, EXECUTE_ASSIGN, Happening::Kernel { node, change })
}

fn after_undo(world: &mut World, node: Node, change: Change) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Kernel { node, change })
}

fn halves(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, Change::Halves)
}

fn own_table(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, Change::OwnTable)
}

fn last_resort(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremRouter, Change::DefaultOfLastResort)
}

fn gateway_neighbour(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremClient, Change::GatewayNeighbour)
}

fn default_mtu(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, Change::DefaultMtu)
}

fn default_of_ipv6(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, Change::DefaultOfIpv6)
}

fn any_ip(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, Change::AnyIp)
}

fn in_namespace(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, Change::AddressInNamespace)
}

fn mapped(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, Change::MappedAddress)
}

fn authorized_key(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, Change::AuthorizedKey)
}

fn link_mtu(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::CloudClient, Change::LinkMtu)
}

fn legacy_rule(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremRouter, Change::LegacyRule)
}

fn listener(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremClient, Change::Listener)
}

fn nft_lost(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::OnpremRouter, Change::NftGone)
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
    meanwhile(world, Node::RouterdCloud, Change::ForwardingEntry)
}

fn program_mode(world: &mut World, _: &str) -> Done {
    meanwhile(world, Node::RouterdCloud, Change::ProgramMode)
}

fn another_mac(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremClient, Change::AnotherMac)
}

fn sysctl(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::RouterdCloud, Change::Sysctl)
}

fn another_link(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::CloudClient, Change::AnotherLink)
}

fn filter(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremRouter, Change::Filter)
}

fn another_neighbour(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremClient, Change::AnotherNeighbour)
}

fn static_route(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::RouterdCloud, Change::StaticRoute)
}

fn express_data_path(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::RouterdCloud, Change::ExpressDataPath)
}

fn xfrm_policy(world: &mut World, _: &str) -> Done {
    after_undo(world, Node::OnpremRouter, Change::XfrmPolicy)
}

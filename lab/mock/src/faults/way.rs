//! The operator's way to the nodes: an answer that is lost, a network that is, a machine that starts anew
//! in the middle of a command, that hangs, or that is another one by now.

use super::fault::Fault;
use super::hand::{
    Done, EXECUTE_ASSIGN, EXECUTE_FORWARDING, add_command_fault, after_router_command,
    happens_after, make_event, parse_node,
};
use super::rules::{CommandEffect, CommandFault, Happening, WayChange};
use crate::machines::host_key;
use crate::world::World;
use lab::node::Node;

const ISSUE: &str = "issue 14";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("read-lost", "the connection to a node breaks in the middle of a read", read_lost)
        .argument("cloud-client").from("§4", ISSUE),
    Fault::new("reads-lost", "every connection to a node breaks in the middle of the same read", reads_lost)
        .argument("cloud-client").from("§4", ISSUE),
    Fault::new("network-lost", "no connection to a node comes about", network_lost)
        .argument("onprem-router").from("§4", ISSUE),
    Fault::new("network-lost-later", "after the execution no connection to a client comes about for a minute", network_lost_later)
        .from("§7", ISSUE),
    Fault::new("hangs-later", "after the execution a client takes connections and answers nothing", hangs_later)
        .from("§7", ISSUE),
    Fault::new("host-key-later", "after the execution a client shows another host key", host_key_later)
        .from("§7", ISSUE),
    Fault::new("reboot-in-mid-command", "routerd-cloud starts anew while routerctl executes the assignment, and answers again a while later", reboot)
        .from("§8.5", ISSUE),
];

/// Carries out such a change.
pub(super) fn change_way(world: &mut World, node: Node, change: WayChange) {
    let other = host_key(world.seed.wrapping_add(1), node);
    let machine = world.machines.get_mut(node);
    match change {
        WayChange::CutOff => machine.cut_off = true,
        WayChange::Back => machine.cut_off = false,
        WayChange::Hangs => machine.hung = true,
        WayChange::OtherKey => machine.sshd.host_key = other,
    }
}

fn lose_reads(world: &mut World, argument: &str, times: u32) -> Done {
    world.faults.commands.push(CommandFault {
        node: Some(parse_node(argument)?),
        pattern: "cat /etc/ssh/ssh_host_ed25519_key.pub".to_owned(),
        skip: 0,
        times,
        effect: CommandEffect::ReplyLost,
        seen: 0,
        fired: 0,
    });
    Ok(())
}

fn read_lost(world: &mut World, argument: &str) -> Done {
    lose_reads(world, argument, 1)
}

fn reads_lost(world: &mut World, argument: &str) -> Done {
    lose_reads(world, argument, u32::MAX)
}

fn network_lost(world: &mut World, argument: &str) -> Done {
    change_way(world, parse_node(argument)?, WayChange::CutOff);
    Ok(())
}

fn becomes(node: Node, change: WayChange) -> Happening {
    Happening::Way { node, change }
}

fn back_after(world: &mut World, pattern: &str, node: Node, delay_ms: u64) {
    let mut back = make_event(after_router_command(pattern), becomes(node, WayChange::Back));
    back.delay_ms = delay_ms;
    world.faults.events.push(back);
}

fn network_lost_later(world: &mut World, _: &str) -> Done {
    let node = Node::OnpremClient;
    back_after(world, EXECUTE_FORWARDING, node, 60_000);
    happens_after(world, EXECUTE_FORWARDING, becomes(node, WayChange::CutOff))
}

fn hangs_later(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, becomes(Node::CloudClient, WayChange::Hangs))
}

fn host_key_later(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_FORWARDING, becomes(Node::CloudClient, WayChange::OtherKey))
}

/// The executor had done it by then, and nobody heard.
fn reboot(world: &mut World, _: &str) -> Done {
    let node = Node::RouterdCloud;
    back_after(world, EXECUTE_ASSIGN, node, 40_000);
    happens_after(world, EXECUTE_ASSIGN, becomes(node, WayChange::CutOff))?;
    add_command_fault(world, EXECUTE_ASSIGN, 0, CommandEffect::ReplyLost)
}

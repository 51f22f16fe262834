//! The four nodes as preflight finds them.

use ipnet::Ipv4Net;

use super::fault::Fault;
use super::hand::{
    CAPTURED, Done, add_command_fault, make_command_answer, parse_milliseconds, parse_node,
};
use super::kernel;
use crate::machines::{NftTool, host_key};
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("node-hangs", "a node takes connections and answers nothing", node_hangs)
        .argument("onprem-client").in_kernel(kernel::nodes::node_hangs).from("§4", "design: exit code 8"),
    Fault::new("other-hostname", "a node says that it is another machine", other_hostname)
        .argument("onprem-router").in_kernel(kernel::nodes::other_hostname).from("§4", "contract §9.4"),
    Fault::new("other-host-key", "a node shows another host key than the pinned one", other_host_key)
        .argument("cloud-client").in_kernel(kernel::nodes::other_host_key).from("§4", "issue 6"),
    Fault::new("clock-skew", "routerd-cloud's clock is ahead", clock_skew)
        .argument("60s").from("§5", "issue 3"),
    Fault::new("harness-clock", "the harness's own clock is hours behind that of everything else", harness_clock)
        .argument("300m").from("§5", "issue 5"),
    Fault::new("clock-unreadable", "routerd-cloud's date knows no nanoseconds", clock_unreadable)
        .from("§5", "issue 3"),
    Fault::new("os-address-before", "the guest has the captured address on its own interface already", os_address_before)
        .in_kernel(kernel::nodes::os_address_before).from("§7", "contract F8"),
    Fault::new("nft-missing", "a node has no nft, so its rules cannot be taken down", nft_missing)
        .argument("onprem-router").in_kernel(kernel::nodes::nft_missing).from("§4", "contract F19"),
];

fn node_hangs(world: &mut World, argument: &str) -> Done {
    world.machines.get_mut(parse_node(argument)?).hung = true;
    Ok(())
}

fn other_hostname(world: &mut World, argument: &str) -> Done {
    let machine = world.machines.get_mut(parse_node(argument)?);
    machine.hostname = "production".to_owned();
    machine.sysctls.insert("kernel.hostname".to_owned(), "production".to_owned());
    Ok(())
}

fn other_host_key(world: &mut World, argument: &str) -> Done {
    let node = parse_node(argument)?;
    let key = host_key(world.seed.wrapping_add(1), node);
    let machine = world.machines.get_mut(node);
    machine.files.put("/etc/ssh/ssh_host_ed25519_key.pub", format!("{key} root@{node}\n"), 0o644);
    machine.sshd.host_key = key;
    Ok(())
}

fn clock_skew(world: &mut World, argument: &str) -> Done {
    let ms = i64::try_from(parse_milliseconds(argument)?).map_err(|_| "it is too long")?;
    world.machines.get_mut(Node::RouterdCloud).clock_offset_ms = ms;
    Ok(())
}

fn harness_clock(world: &mut World, argument: &str) -> Done {
    let ms = i64::try_from(parse_milliseconds(argument)?).map_err(|_| "it is too long")?;
    for node in Node::ALL {
        world.machines.get_mut(node).clock_offset_ms = ms;
    }
    Ok(())
}

fn clock_unreadable(world: &mut World, _: &str) -> Done {
    add_command_fault(world, "date ", 0, make_command_answer(0, "1767225600N\n", ""))
}

fn os_address_before(world: &mut World, _: &str) -> Done {
    let interfaces = &mut world.machines.get_mut(Node::RouterdCloud).interfaces;
    let ens5 = interfaces.iter_mut().find(|it| it.name == "ens5").ok_or("it has no ens5")?;
    ens5.addresses.push(Ipv4Net::from(CAPTURED));
    Ok(())
}

fn nft_missing(world: &mut World, argument: &str) -> Done {
    world.machines.get_mut(parse_node(argument)?).nft.tool = NftTool::Missing;
    Ok(())
}

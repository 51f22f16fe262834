//! The product under test as preflight finds it: its release, what its executor is given, and what it did
//! that its journal does not know; and what on its node would configure the captured address.

use super::events::run_sql;
use super::fault::Fault;
use super::hand::{
    CAPTURED, Done, ROUTER, STRANGE, add_command_fault, edit_yaml, interface_of,
    make_command_answer, strangers_row, to_host_net,
};
use super::kernel;
use crate::cloud::{RouteOrigin, RouteTarget, VpcRoute};
use crate::world::World;
use lab::node::Node;

const ISSUE: &str = "issue 14";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("old-routerctl", "the node's routerctl is the release that upstream recommends, which is older than the contract", old_routerctl)
        .from("§4", ISSUE),
    Fault::new("routerctl-version-refused", "the node's routerctl does not say which release it is", version_refused)
        .from("§4", ISSUE),
    Fault::new("environment-path", "router.yaml gives the executor another PATH", environment_path)
        .in_kernel(kernel::router::environment_path).from("§8.1", ISSUE),
    Fault::new("unknown-capture", "the ENI has an address of a smoke whose database is gone", unknown_capture)
        .from("§8.8", ISSUE),
    Fault::new("unknown-host-route", "the subnet has a route to the ENI that no row of routerd's journal knows", unknown_host_route)
        .from("§8.8", ISSUE),
    Fault::new("rows-of-another-fabric", "routerd's journal has a row of what was done on an ENI that is not the lab's", rows_of_another_fabric)
        .from("§8.8", ISSUE),
    Fault::new("known-capture", "the ENI has another address that a row of routerd's journal knows", known_capture)
        .from("§4", "design: rows of earlier runs are facts"),
    Fault::new("address-agent", "on routerd-cloud a timer is active that configures each address of its ENI", address_agent)
        .from("§7", ISSUE),
    Fault::new("dhcp-agent", "on routerd-cloud the DHCP client configures each address of its ENI at a renewal", dhcp_agent)
        .from("§7", ISSUE),
];

const VERSION: &str = "*routerctl version";

fn old_routerctl(world: &mut World, _: &str) -> Done {
    let said = "routerctl v20260512.0633\n";
    add_command_fault(world, VERSION, 0, make_command_answer(0, said, ""))
}

fn version_refused(world: &mut World, _: &str) -> Done {
    let said = "error: unknown command \"version\"\n";
    add_command_fault(world, VERSION, 0, make_command_answer(1, "", said))
}

fn environment_path(world: &mut World, _: &str) -> Done {
    edit_yaml(
        world,
        "        timeout: 120s\n",
        "        timeout: 120s\n        env: { PATH: \"/opt/bin:/usr/bin:/bin\" }\n",
    )
}

fn unknown_capture(world: &mut World, _: &str) -> Done {
    interface_of(world, ROUTER)?.add_secondary(STRANGE);
    Ok(())
}

fn unknown_host_route(world: &mut World, _: &str) -> Done {
    let eni = interface_of(world, ROUTER)?;
    let (vpc, eni) = (eni.vpc_id.clone(), eni.id.clone());
    let table = world.cloud.route_tables.values_mut().find(|table| table.vpc_id == vpc);
    table.ok_or("the VPC has no route table")?.routes.push(VpcRoute {
        destination: to_host_net(STRANGE),
        target: RouteTarget::NetworkInterface(eni),
        origin: RouteOrigin::CreateRoute,
    });
    Ok(())
}

fn rows_of_another_fabric(world: &mut World, _: &str) -> Done {
    run_sql(world, &strangers_row("succeeded"))
}

fn known_capture(world: &mut World, _: &str) -> Done {
    unknown_capture(world, "")?;
    know_the_strange_address(world)
}

/// Puts the row of an earlier run there that assigned it.
pub(super) fn know_the_strange_address(world: &mut World) -> Done {
    debug_assert_ne!(STRANGE, CAPTURED);
    let eni = interface_of(world, ROUTER)?.id.clone();
    run_sql(world, &strangers_row("succeeded").replace("eni-00000000000000000", &eni))
}

fn address_agent(world: &mut World, _: &str) -> Done {
    let path = "/etc/systemd/system/refresh-policy-routes@ens5.timer";
    let text = "[Timer]\nOnActiveSec=30\nOnUnitInactiveSec=60\n";
    world.machines.get_mut(Node::RouterdCloud).files.put(path, text, 0o644);
    Ok(())
}

fn dhcp_agent(world: &mut World, _: &str) -> Done {
    let path = "/etc/dhcp/dhclient.d/ec2dhcp.sh";
    world.machines.get_mut(Node::RouterdCloud).files.put(path, "#!/bin/bash\n", 0o755);
    Ok(())
}

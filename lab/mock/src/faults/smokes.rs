//! Troubles that real smokes of routerd ran into (contract §8.4) and no other table has, and those
//! that the kernel lab measured of translations (netns-lab §4).

use super::fault::Fault;
use super::hand::{
    CAPTURED, Done, EXECUTE_ASSIGN, EXECUTE_FORWARDING, IMPORT, add_command_fault, happens_after,
    make_command_answer, make_event, make_sql_happening,
};
use super::rules::{Happening, When};
use crate::machines::ColdNeighbour;
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("cold-neighbour", "so many first echo requests die on the on-prem router, whose neighbour entry of the captured host is cold", cold_neighbour)
        .argument("2").from("§7", "contract F12"),
    Fault::new("fenced-row", "routerd fences the assignment: the lease of a mobility assignment stands in it, and has ended", fenced_row)
        .from("§8.5", "contract F13"),
    Fault::new("import-flag-gone", "the node's routerctl does not know import's flags", import_flag_gone)
        .from("§7.2", "contract F16"),
    Fault::new("allowed-ips", "routerd-cloud's WireGuard peer does not cover the captured address", allowed_ips)
        .from("§7", "contract F21"),
    Fault::new("masquerade-meanwhile", "routerd-cloud begins to masquerade while the acceptance runs: new flows are translated, old ones are not", masquerade_meanwhile)
        .from("§7", "netns-lab §4: masquerade added while a ping runs"),
    Fault::new("conntrack-off", "routerd-cloud stops tracking connections while the acceptance runs", conntrack_off)
        .on_netns().from("§7", "issue 12"),
    Fault::new("conntrack-unarmed", "no rule of routerd-cloud asks for connection tracking: its empty table is right", conntrack_unarmed)
        .from("§7", "netns-lab §4: no NAT, no ct rule"),
];

fn cold_neighbour(world: &mut World, argument: &str) -> Done {
    let losses = argument.parse().map_err(|_| "it is no number of packets")?;
    world.machines.onprem_router.cold_neighbour = Some(ColdNeighbour { address: CAPTURED, losses });
    Ok(())
}

/// Turns the row into one that a MobilityPool would have planned long ago.
fn fenced_row(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET parameters_json=\
        '{\"mobilityAssignmentGeneration\":\"1\",\"mobilityAssignmentLeaseUntil\":\"2020-01-01T00:00:00Z\"}' \
        WHERE id=(SELECT max(id) FROM action_executions WHERE action='assign-secondary-ip');";
    let pattern = EXECUTE_ASSIGN.to_owned();
    let when = When::BeforeCommand { node: Node::RouterdCloud, pattern };
    world.faults.events.push(make_event(when, make_sql_happening(statement)));
    Ok(())
}

fn import_flag_gone(world: &mut World, _: &str) -> Done {
    add_command_fault(
        world,
        IMPORT,
        0,
        make_command_answer(1, "", "flag provided but not defined: -state-file\n"),
    )
}

fn allowed_ips(world: &mut World, _: &str) -> Done {
    world.machines.overlay.uncovered = Some(CAPTURED);
    Ok(())
}

fn masquerade_meanwhile(world: &mut World, _: &str) -> Done {
    let what = Happening::Masquerade { node: Node::RouterdCloud };
    happens_after(world, "*doctor hybrid", what)
}

fn conntrack_off(world: &mut World, _: &str) -> Done {
    let what = Happening::Notrack { node: Node::RouterdCloud };
    happens_after(world, EXECUTE_FORWARDING, what)
}

fn conntrack_unarmed(world: &mut World, _: &str) -> Done {
    let tables = &mut world.machines.routerd_cloud.nft.tables;
    let all = tables.len();
    tables.retain(|table| table.name != "lab_filter");
    if tables.len() == all { Err("no rule asks for it".to_owned()) } else { Ok(()) }
}

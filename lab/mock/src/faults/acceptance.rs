//! After the execution: what the acceptance scenarios are there to see.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::fault::Fault;
use super::hand::{
    CAPTURED, Done, EXECUTE_ASSIGN, EXECUTE_FORWARDING, NODE_STATE, STRANGE, add_command_fault,
    after_router_command, happens_after, make_command_answer, make_event, make_sql_happening,
    on_router_eni, parse_milliseconds,
};
use super::rules::{CallerKind, Event, Happening, InterfaceChange, When};
use crate::world::World;
use lab::manifest::guest_settle_ms_on_ec2;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("address-taken-off", "somebody takes the address off the ENI again", address_taken_off)
        .from("§7", "contract §9.3"),
    Fault::new("second-address", "somebody puts another address on the ENI", second_address)
        .from("§7", "contract §9.3"),
    Fault::new("check-on-later", "somebody switches the check on again, once it was seen to be off", check_on_later)
        .from("§7", "contract §9.3"),
    Fault::new("prior-lost", "routerd's row of the forwarding has lost the prior value", prior_lost)
        .from("§5", "contract F22"),
    Fault::new("os-address", "the guest adds the captured address to its own interface", os_address)
        .on_netns().from("§7", "contract F8"),
    Fault::new("os-address-late", "the guest adds the captured address some time after the first look", os_address_late)
        .on_netns().from("§7", "contract F8"),
    Fault::new("guest-agent-adds-address", "an agent of the guest adds the captured address to its interface, so long after the execution", guest_agent)
        .argument("5s").on_netns().from("§7", "issue 14: amazon-ec2-net-utils"),
    Fault::new("guest-agent-adds-address-late", "the same where the owner lets guests settle for as long as such an agent takes", guest_agent)
        .argument("70s").on_netns().from("§7", "issue 14: amazon-ec2-net-utils"),
    Fault::new("claim-pending", "routerd's claim of the address is not ready", claim_pending)
        .from("§7", "contract F18"),
    Fault::new("doctor-hybrid-fails", "doctor's hybrid area has a failing check", doctor_hybrid_fails)
        .from("§7", "contract F11"),
    Fault::new("doctor-sam-fails", "doctor's sam area has a failing check", doctor_sam_fails)
        .from("§7", "contract F19"),
    Fault::new("default-route-routerd-cloud", "routerd-cloud's default route is replaced during the run", route_of_routerd_cloud)
        .on_netns().from("§7", "contract §8.3"),
    Fault::new("default-route-cloud-client", "cloud-client's default route is replaced during the run", route_of_cloud_client)
        .on_netns().from("§7", "contract §8.3"),
    Fault::new("default-route-onprem-router", "onprem-router's default route is replaced during the run", route_of_onprem_router)
        .on_netns().from("§7", "contract §8.3"),
    Fault::new("default-route-onprem-client", "onprem-client's default route is replaced during the run", route_of_onprem_client)
        .on_netns().from("§7", "contract §8.3"),
];

fn address_taken_off(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::Without(CAPTURED);
    happens_after(world, EXECUTE_FORWARDING, on_router_eni(change))
}

fn second_address(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::Secondary(STRANGE);
    happens_after(world, EXECUTE_FORWARDING, on_router_eni(change))
}

/// After the look at the ENI that ends `execute`.
fn check_on_later(world: &mut World, _: &str) -> Done {
    let (action, caller) = ("DescribeNetworkInterfaces".to_owned(), CallerKind::Operator);
    let change = on_router_eni(InterfaceChange::SourceDestCheck(true));
    let later = make_event(When::AfterApi { action, caller }, change);
    happens_after(world, EXECUTE_FORWARDING, Happening::Then(Box::new(later)))
}

fn prior_lost(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET observed_json=NULL WHERE id=(SELECT max(id) FROM action_executions WHERE action='ensure-forwarding-enabled');";
    happens_after(world, EXECUTE_FORWARDING, make_sql_happening(statement))
}

fn guest_adds() -> Happening {
    let address = Ipv4Net::from(CAPTURED);
    Happening::OsAddress { node: Node::RouterdCloud, dev: "ens5".to_owned(), address }
}

fn os_address(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_ASSIGN, guest_adds())
}

/// Between the two looks at the guest's addresses, at the last moment: by then all that it would turn
/// as well has been judged. So the guest gets as long as on EC2, in the kernel lab too, where nothing
/// configures guests and the looks are close to each other.
fn os_address_late(world: &mut World, _: &str) -> Done {
    world.machines.guest_settle_ms = guest_settle_ms_on_ec2();
    let pattern = NODE_STATE.to_owned();
    let looks = When::BeforeCommand { node: Node::RouterdCloud, pattern };
    let late = Event { skip: 1, ..make_event(looks, guest_adds()) };
    happens_after(world, EXECUTE_FORWARDING, Happening::Then(Box::new(late)))
}

/// An agent that looks at the metadata now and then. It is caught only where guests are given longer than
/// it takes: as long as on EC2, in the kernel lab too; and where it takes longer than that, as an owner
/// gives who knows his guests (facts §1: 90 s). Of the kernel lab's own time that is as much less.
fn guest_agent(world: &mut World, argument: &str) -> Done {
    let after_ms = parse_milliseconds(argument)?;
    let (given_ms, on_ec2_ms) = (world.machines.guest_settle_ms, guest_settle_ms_on_ec2());
    let (settle_ms, delay_ms) = match (after_ms < on_ec2_ms, given_ms < on_ec2_ms) {
        (true, _) => (on_ec2_ms, after_ms),
        (false, false) => (AGENTS_TIME_MS, after_ms),
        (false, true) => (on_ec2_ms, after_ms * on_ec2_ms / AGENTS_TIME_MS),
    };
    world.machines.guest_settle_ms = settle_ms;
    let comes = after_router_command(EXECUTE_FORWARDING);
    world.faults.events.push(Event { delay_ms, ..make_event(comes, guest_adds()) });
    Ok(())
}

/// Within that long an agent that looks each minute has acted.
const AGENTS_TIME_MS: u64 = 90_000;

fn claim_pending(world: &mut World, _: &str) -> Done {
    let said = r#"{"apiVersion":"control.routerd.net/v1alpha1","kind":"GetResult","items":[{"apiVersion":"hybrid.routerd.net/v1alpha1","kind":"RemoteAddressClaim","name":"onprem-client","status":{"phase":"Pending"}}]}"#;
    add_command_fault(world, "*get RemoteAddressClaim", 0, make_command_answer(0, said, ""))
}

fn doctor_fails(world: &mut World, area: &str) -> Done {
    let said = format!(
        r#"{{"summary":{{"overall":"fail","pass":0,"warn":0,"fail":1,"skip":0}},"checks":[{{"area":"{area}","name":"{area}/mss","status":"fail","detail":"coverage cannot be proved"}}]}}"#
    );
    let stderr = "doctor found failing checks\n";
    add_command_fault(world, &format!("*doctor {area}"), 0, make_command_answer(1, &said, stderr))
}

fn doctor_hybrid_fails(world: &mut World, _: &str) -> Done {
    doctor_fails(world, "hybrid")
}

fn doctor_sam_fails(world: &mut World, _: &str) -> Done {
    doctor_fails(world, "sam")
}

/// Nobody's address. Two is all that onprem-router's uplink has, and both are somebody's.
pub fn other_gateway(node: Node) -> Happening {
    let via = match node {
        Node::OnpremRouter => Ipv4Addr::new(203, 0, 113, 1),
        _ => Ipv4Addr::new(10, 88, 60, 254),
    };
    Happening::DefaultRoute { node, via }
}

fn route_of(world: &mut World, node: Node) -> Done {
    happens_after(world, EXECUTE_ASSIGN, other_gateway(node))
}

fn route_of_routerd_cloud(world: &mut World, _: &str) -> Done {
    route_of(world, Node::RouterdCloud)
}

fn route_of_cloud_client(world: &mut World, _: &str) -> Done {
    route_of(world, Node::CloudClient)
}

fn route_of_onprem_router(world: &mut World, _: &str) -> Done {
    route_of(world, Node::OnpremRouter)
}

fn route_of_onprem_client(world: &mut World, _: &str) -> Done {
    route_of(world, Node::OnpremClient)
}

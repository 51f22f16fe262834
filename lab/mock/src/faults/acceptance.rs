//! After the execution: what the acceptance scenarios are there to see.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::fault::{Answer, CheckOff, Fault, Left, Primary};
use super::hand::{
    CAPTURED, Done, EXECUTE_ASSIGN, EXECUTE_FORWARDING, NODE_STATE, STRANGE, answers, command,
    event, happens_after, on_router_eni, sql,
};
use super::rules::{Caller, Event, Happening, InterfaceChange, When};
use crate::world::World;
use lab::manifest::guest_settle_ms_on_ec2;
use lab::node::Node;

/// Somebody switched the check on: no undo of routerd's switches it off again.
const CHECK_IS_ON: Answer = Answer {
    exit_code: 6,
    also: &[
        "source-dest-check.canary",
        "undo.forwarding-previewed",
        "undo.forwarding-restored",
        "restored.interface",
    ],
    stops: &["ambiguous"],
    left: &[Left::Interface],
};

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::caught("address-taken-off", "somebody takes the address off the ENI again", Primary::Assertion("eni-address.present"), address_taken_off)
        .exits(5).also(&["no-nat.conntrack.onprem-router", "no-nat.conntrack.routerd-cloud", "no-nat.handshake.cloud-to-onprem", "no-nat.handshake.onprem-to-cloud", "no-nat.icmp.cloud-to-onprem", "no-nat.payload.cloud-to-onprem", "no-nat.payload.onprem-to-cloud", "no-nat.tcp.cloud-to-onprem", "no-nat.tcp.onprem-to-cloud", "ping.cloud-to-onprem", "ping.onprem-to-cloud", "source-dest-check.canary", "ssh.cloud-to-onprem.login", "ssh.onprem-to-cloud.login"]).from("§7", "contract §9.3"),
    Fault::caught("second-address", "somebody puts another address on the ENI", Primary::Assertion("eni-address.nothing-else"), second_address)
        .leaves(&[Left::Interface]).exits(6).also(&["restored.interface"]).from("§7", "contract §9.3"),
    Fault::caught("check-on-later", "somebody switches the check on again, once it was seen to be off", Primary::Assertion("source-dest-check.off"), check_on_later)
        .also(&["source-dest-check.canary"]).check_off(CheckOff::Differs(CHECK_IS_ON)).from("§7", "contract §9.3"),
    Fault::caught("prior-lost", "routerd's row of the forwarding has lost the prior value", Primary::Assertion("source-dest-check.prior-recorded"), prior_lost)
        .also(&["undo.forwarding-previewed"]).from("§5", "contract F22"),
    Fault::caught("os-address", "the guest adds the captured address to its own interface", Primary::Assertion("os-address.absent"), os_address)
        .on_netns().exits(6).also(&["no-nat.handshake.cloud-to-onprem", "no-nat.handshake.onprem-to-cloud", "no-nat.icmp.cloud-to-onprem", "no-nat.icmp.onprem-to-cloud", "no-nat.path.onprem-router", "no-nat.path.routerd-cloud", "no-nat.payload.cloud-to-onprem", "no-nat.payload.onprem-to-cloud", "no-nat.tcp.cloud-to-onprem", "no-nat.tcp.onprem-to-cloud", "node-state.routerd-cloud", "os-address.absent-after-settling", "ping.onprem-to-cloud", "restored.node-addresses", "source-dest-check.canary", "ssh.cloud-to-onprem.login", "ssh.onprem-to-cloud.login"]).from("§7", "contract F8"),
    Fault::caught("os-address-late", "the guest adds the captured address some time after the first look", Primary::Assertion("os-address.absent-after-settling"), os_address_late)
        .on_netns().exits(6).also(&["restored.node-addresses"]).from("§7", "contract F8"),
    Fault::caught("claim-pending", "routerd's claim of the address is not ready", Primary::Assertion("claim-ready.ready"), claim_pending)
        .from("§7", "contract F18"),
    Fault::caught("doctor-hybrid-fails", "doctor's hybrid area has a failing check", Primary::Assertion("doctor.hybrid"), doctor_hybrid_fails)
        .from("§7", "contract F11"),
    Fault::caught("doctor-sam-fails", "doctor's sam area has a failing check", Primary::Assertion("doctor.sam"), doctor_sam_fails)
        .from("§7", "contract F19"),
    Fault::caught("default-route-routerd-cloud", "routerd-cloud's default route is replaced during the run", Primary::Assertion("default-gateway.routerd-cloud"), route_of_routerd_cloud)
        .on_netns().exits(6).also(&["restored.default-gateway.routerd-cloud"]).from("§7", "contract §8.3"),
    Fault::caught("default-route-cloud-client", "cloud-client's default route is replaced during the run", Primary::Assertion("default-gateway.cloud-client"), route_of_cloud_client)
        .on_netns().exits(6).also(&["restored.default-gateway.cloud-client"]).from("§7", "contract §8.3"),
    Fault::caught("default-route-onprem-router", "onprem-router's default route is replaced during the run", Primary::Assertion("default-gateway.onprem-router"), route_of_onprem_router)
        .on_netns().exits(6).also(&["restored.default-gateway.onprem-router"]).from("§7", "contract §8.3"),
    Fault::caught("default-route-onprem-client", "onprem-client's default route is replaced during the run", Primary::Assertion("default-gateway.onprem-client"), route_of_onprem_client)
        .on_netns().exits(6).also(&["restored.default-gateway.onprem-client"]).from("§7", "contract §8.3"),
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
    let (action, caller) = ("DescribeNetworkInterfaces".to_owned(), Caller::Operator);
    let change = on_router_eni(InterfaceChange::SourceDestCheck(true));
    let later = event(When::AfterApi { action, caller }, change);
    happens_after(world, EXECUTE_FORWARDING, Happening::Then(Box::new(later)))
}

fn prior_lost(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET observed_json=NULL WHERE id=(SELECT max(id) FROM action_executions WHERE action='ensure-forwarding-enabled');";
    happens_after(world, EXECUTE_FORWARDING, sql(statement))
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
    let late = Event { skip: 1, ..event(looks, guest_adds()) };
    happens_after(world, EXECUTE_FORWARDING, Happening::Then(Box::new(late)))
}

fn claim_pending(world: &mut World, _: &str) -> Done {
    let said = r#"{"apiVersion":"control.routerd.net/v1alpha1","kind":"GetResult","items":[{"apiVersion":"hybrid.routerd.net/v1alpha1","kind":"RemoteAddressClaim","name":"onprem-client","status":{"phase":"Pending"}}]}"#;
    command(world, "*get RemoteAddressClaim", 0, answers(0, said, ""))
}

fn doctor_fails(world: &mut World, area: &str) -> Done {
    let said = format!(
        r#"{{"summary":{{"overall":"fail","pass":0,"warn":0,"fail":1,"skip":0}},"checks":[{{"area":"{area}","name":"{area}/mss","status":"fail","detail":"coverage cannot be proved"}}]}}"#
    );
    let stderr = "doctor found failing checks\n";
    command(world, &format!("*doctor {area}"), 0, answers(1, &said, stderr))
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

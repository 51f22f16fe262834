//! The reasons for the hard stops, one fault for each of their signals that no other table has:
//! secrets in a request, other providers, costs that nobody ends, a lab that is not alone, a policy
//! that turns while the run is on, an owner who does not answer.

use std::net::Ipv4Addr;

use super::fault::Fault;
use super::hand::{
    APPROVE_FORWARDING, CAPTURED, CLIENT, Done, IMPORT, PLUGIN_RUN, ROUTER, UNDO_ADDRESS, YAML,
    add_api_fault, after_router_command, happens_after, interface_of, make_event,
    make_sql_happening, on_router_eni, strangers_row,
};
use super::rules::{ApiEffect, CallerKind, GoFault, Happening, InterfaceChange, Stray};
use crate::cloud::{PrivateAddress, RouteTableAssociation, Tags};
use crate::machines::ROOTS_HOME;
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    // 1
    Fault::new("other-instance-profile", "routerd-cloud's instance has somebody else's instance profile", other_instance_profile)
        .from("§8.1", "contract §9.4"),
    Fault::new("secret-in-row", "a row would hand the executor a secret key", secret_in_row)
        .from("§8.1", "contract §9.4"),
    Fault::new("credentials-in-unit", "routerd's service has static AWS keys in its environment", credentials_in_unit)
        .from("§8.1", "contract §9.4"),
    Fault::new("credentials-in-environment-file", "a file of the environment of routerd's service has static AWS keys", credentials_in_environment_file)
        .from("§8.1", "contract §9.4"),
    Fault::new("credentials-passed-to-unit", "routerd's service is passed an AWS key that its manager is told", credentials_passed_to_unit)
        .from("§8.1", "issue 11"),
    Fault::new("credentials-in-drop-in", "a drop-in of routerd's service that is not loaded yet has static AWS keys", credentials_in_drop_in)
        .from("§8.1", "issue 11"),
    Fault::new("roots-credentials", "root on routerd-cloud has AWS keys of his own, which the executor's CLI takes first", roots_credentials)
        .from("§8.1", "contract §9.4"),
    // 3
    Fault::new("other-providers-row", "routerd's journal has a pending row of another provider", other_providers_row)
        .from("§8.3", "contract §9.4"),
    // 4
    Fault::new("interface-unreadable", "EC2's answers about network interfaces end in the middle", interface_unreadable)
        .from("§8.4", "contract §9.4"),
    Fault::new("plan-other-undo", "what routerd stored is taken back by another action than the runbook's", plan_other_undo)
        .from("§8.4", "contract §9.4"),
    // 6
    Fault::new("forgotten-address", "an elastic IP address of the lab is in no teardown", forgotten_address)
        .from("§8.6", "contract §8.3"),
    Fault::new("forgotten-instance", "an instance of the lab is in no teardown", forgotten_instance)
        .from("§8.6", "contract §8.3"),
    Fault::new("forgotten-nat-gateway", "the lab's VPC has a NAT gateway that is in no teardown", forgotten_nat_gateway)
        .from("§8.6", "issue 5"),
    Fault::new("forgotten-endpoint", "the lab's VPC has an interface endpoint that is in no teardown", forgotten_endpoint)
        .from("§8.6", "issue 5"),
    Fault::new("new-instance", "an instance of the lab starts during the run", new_instance)
        .from("§8.6", "issue 5"),
    Fault::new("new-address", "an elastic IP address of the lab is allocated during the run", new_address)
        .from("§8.6", "issue 5"),
    Fault::new("new-volume", "a volume of the lab is made during the run, and attached to nothing", new_volume)
        .from("§8.6", "issue 5"),
    Fault::new("new-nat-gateway", "a NAT gateway is made in the lab's VPC during the run", new_nat_gateway)
        .from("§8.6", "issue 5"),
    Fault::new("new-endpoint", "an interface endpoint is made in the lab's VPC during the run", new_endpoint)
        .from("§8.6", "issue 5"),
    Fault::new("stray-nat-gateway", "a NAT gateway is made in the lab's VPC after the undo", stray_nat_gateway)
        .from("§8.6", "issue 5"),
    Fault::new("stray-endpoint", "an interface endpoint is made in the lab's VPC after the undo", stray_endpoint)
        .from("§8.6", "issue 5"),
    // 7
    Fault::new("owner-silent", "the lab does not grant itself the go, and its owner does not answer", owner_silent)
        .from("§8.7", "issue 5"),
    // 8
    Fault::new("other-region", "the subnet is in another region than the manifest's", other_region)
        .from("§8.8", "contract §9.4"),
    Fault::new("foreign-in-group", "another instance's ENI has the lab's security group", foreign_in_group)
        .from("§8.8", "issue 5"),
    Fault::new("peering", "the lab's VPC is peered with another account's", peering)
        .from("§8.8", "issue 5"),
    Fault::new("transit-gateway", "the lab's VPC is attached to a transit gateway", transit_gateway)
        .from("§8.8", "issue 5"),
    Fault::new("shared-route-table", "another subnet uses the route table of the lab's", shared_route_table)
        .from("§8.8", "issue 5"),
    Fault::new("other-config", "routerd's service runs with another router.yaml than the manifest names", other_config)
        .from("§8.8", "contract §9.4"),
    Fault::new("policy-later", "the policy is switched to approve by itself while the run is on", policy_later)
        .from("§8.8", "contract §0.13"),
    Fault::new("policy-after-undo", "the policy is switched to approve by itself after the undo", policy_after_undo)
        .from("§8.8", "contract §0.13"),
    Fault::new("executed-again", "seconds after the undo a daemon executes it again", executed_again)
        .from("§8.8", "contract §0.13"),
];

fn other_instance_profile(world: &mut World, _: &str) -> Done {
    let name = "somebody-else";
    let own = world.cloud.iam.instance_profiles.values().next();
    let mut other = own.ok_or("there is no instance profile")?.clone();
    other.arn = other.arn.replace(&other.name, name);
    other.name = name.to_owned();
    world.cloud.iam.instance_profiles.insert(other.name.clone(), other);
    let id = interface_of(world, ROUTER)?.instance_id.clone().ok_or("it has no instance")?;
    let instance = world.cloud.instances.get_mut(&id).ok_or("there is no instance")?;
    instance.instance_profile = Some(name.to_owned());
    Ok(())
}

/// Replaces the first `from` in the unit of routerd's service.
pub(super) fn edit_unit(world: &mut World, from: &str, to: &str) -> Done {
    let path = format!("/etc/systemd/system/{}", lab::routerd::UNIT);
    super::hand::edit_file(world, &path, from, to)
}

fn credentials_in_unit(world: &mut World, _: &str) -> Done {
    edit_unit(world, "Restart=", "Environment=AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\nRestart=")
}

fn credentials_in_environment_file(world: &mut World, _: &str) -> Done {
    let path = "/etc/default/routerd";
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.put(path, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n", 0o600);
    edit_unit(world, "Restart=", &format!("EnvironmentFile=-{path}\nRestart="))
}

fn credentials_passed_to_unit(world: &mut World, _: &str) -> Done {
    edit_unit(world, "Restart=", "PassEnvironment=LANG AWS_SECRET_ACCESS_KEY\nRestart=")
}

fn credentials_in_drop_in(world: &mut World, _: &str) -> Done {
    let path = format!("/etc/systemd/system/{}.d/keys.conf", lab::routerd::UNIT);
    let text = "[Service]\nEnvironment=LANG=C \\\n  AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n";
    world.machines.get_mut(Node::RouterdCloud).files.put(&path, text, 0o600);
    Ok(())
}

fn roots_credentials(world: &mut World, _: &str) -> Done {
    let key = &world.cloud.operator.access_key_id;
    let text = format!("[default]\naws_access_key_id = {key}\n");
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.put(&format!("{ROOTS_HOME}/.aws/credentials"), text, 0o600);
    Ok(())
}

fn other_config(world: &mut World, _: &str) -> Done {
    edit_unit(world, "router.yaml", "production.yaml")
}

fn secret_in_row(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET parameters_json='{\"secretAccessKey\":\"x\"}' \
        WHERE action='assign-secondary-ip';";
    happens_after(world, APPROVE_FORWARDING, make_sql_happening(statement))
}

fn other_providers_row(world: &mut World, _: &str) -> Done {
    super::events::run_sql(world, &strangers_row("pending").replace("'aws'", "'azure'"))
}

fn interface_unreadable(world: &mut World, _: &str) -> Done {
    let effect = ApiEffect::Truncated { bytes: 300 };
    add_api_fault(world, "DescribeNetworkInterfaces", CallerKind::Operator, u32::MAX, effect)
}

fn plan_other_undo(world: &mut World, _: &str) -> Done {
    let (from, to) = ("unassign-secondary-ip", "unassign-route-table-route");
    let statement = format!(
        "UPDATE dynamic_config_parts SET actionplans_json=replace(actionplans_json,'{from}','{to}');"
    );
    happens_after(world, PLUGIN_RUN, make_sql_happening(&statement))
}

fn forgotten(world: &mut World, stray: Stray) -> Done {
    super::events::add_stray(world, stray);
    Ok(())
}

fn forgotten_address(world: &mut World, _: &str) -> Done {
    forgotten(world, Stray::Address)
}

fn forgotten_instance(world: &mut World, _: &str) -> Done {
    forgotten(world, Stray::Instance)
}

fn forgotten_nat_gateway(world: &mut World, _: &str) -> Done {
    forgotten(world, Stray::NatGateway)
}

fn forgotten_endpoint(world: &mut World, _: &str) -> Done {
    forgotten(world, Stray::Endpoint)
}

fn new_instance(world: &mut World, _: &str) -> Done {
    happens_after(world, IMPORT, Happening::Stray(Stray::Instance))
}

fn new_address(world: &mut World, _: &str) -> Done {
    happens_after(world, IMPORT, Happening::Stray(Stray::Address))
}

fn new_volume(world: &mut World, _: &str) -> Done {
    happens_after(world, IMPORT, Happening::Stray(Stray::Volume))
}

fn new_nat_gateway(world: &mut World, _: &str) -> Done {
    happens_after(world, IMPORT, Happening::Stray(Stray::NatGateway))
}

fn new_endpoint(world: &mut World, _: &str) -> Done {
    happens_after(world, IMPORT, Happening::Stray(Stray::Endpoint))
}

fn stray_nat_gateway(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Stray(Stray::NatGateway))
}

fn stray_endpoint(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Stray(Stray::Endpoint))
}

fn owner_silent(world: &mut World, _: &str) -> Done {
    world.faults.go = Some(GoFault::OwnerSilent);
    Ok(())
}

fn other_region(world: &mut World, _: &str) -> Done {
    let id = interface_of(world, ROUTER)?.subnet_id.clone();
    let subnet = world.cloud.subnets.get_mut(&id).ok_or("there is no subnet")?;
    subnet.availability_zone = "us-east-1a".to_owned();
    Ok(())
}

fn foreign_in_group(world: &mut World, _: &str) -> Done {
    let mut other = interface_of(world, CLIENT)?.clone();
    other.id = "eni-00000000000000002".to_owned();
    other.mac = "0a:00:00:00:00:02".to_owned();
    let address = Ipv4Addr::new(10, 88, 60, 60);
    other.private_addresses = vec![PrivateAddress { address, primary: true }];
    other.instance_id = Some("i-00000000000000002".to_owned());
    other.tags = Tags::new();
    world.cloud.network_interfaces.insert(other.id.clone(), other);
    Ok(())
}

fn peering(world: &mut World, _: &str) -> Done {
    let vpc_id = interface_of(world, ROUTER)?.vpc_id.clone();
    world.cloud.add_peering(&vpc_id);
    Ok(())
}

fn transit_gateway(world: &mut World, _: &str) -> Done {
    let (subnet_id, now) = (interface_of(world, ROUTER)?.subnet_id.clone(), world.now);
    world.cloud.add_transit_gateway_attachment(&subnet_id, now);
    Ok(())
}

fn shared_route_table(world: &mut World, _: &str) -> Done {
    let lab = interface_of(world, ROUTER)?.subnet_id.clone();
    let mut other = world.cloud.subnets.get(&lab).ok_or("there is no subnet")?.clone();
    other.id = "subnet-00000000000000001".to_owned();
    other.cidr = ipnet::Ipv4Net::new_assert(Ipv4Addr::new(10, 88, 61, 0), 24);
    other.tags = Tags::new();
    let vpc_id = other.vpc_id.clone();
    let tables = &mut world.cloud.route_tables;
    let uses = |it: &RouteTableAssociation| it.subnet_id.as_ref() == Some(&lab);
    let explicit =
        tables.values().find(|table| table.associations.iter().any(uses)).map(|it| it.id.clone());
    let table = tables.values_mut().find(|table| match &explicit {
        Some(id) => table.id == *id,
        None => table.vpc_id == vpc_id && table.is_main(),
    });
    table.ok_or("the subnet has no route table")?.associations.push(RouteTableAssociation {
        id: "rtbassoc-00000000000000001".to_owned(),
        main: false,
        subnet_id: Some(other.id.clone()),
    });
    world.cloud.subnets.insert(other.id.clone(), other);
    Ok(())
}

/// The change that somebody writes into router.yaml: it requires no approval.
fn approves_by_itself(world: &World) -> Result<Happening, String> {
    let files = &world.machines.get(Node::RouterdCloud).files;
    let text = String::from_utf8_lossy(files.contents(YAML).ok_or("there is no router.yaml")?);
    let contents = text.replacen("requireApproval: true", "requireApproval: false", 1);
    if contents == text {
        return Err("router.yaml does not require approval".to_owned());
    }
    Ok(Happening::File { node: Node::RouterdCloud, path: YAML.to_owned(), contents })
}

fn policy_later(world: &mut World, _: &str) -> Done {
    let turned = approves_by_itself(world)?;
    happens_after(world, IMPORT, turned)
}

fn policy_after_undo(world: &mut World, _: &str) -> Done {
    let turned = approves_by_itself(world)?;
    happens_after(world, UNDO_ADDRESS, turned)
}

/// Less than five seconds after the rollback, as it was seen (contract §0.13); here so late that the
/// first look at what was restored is over.
fn executed_again(world: &mut World, _: &str) -> Done {
    let again = [
        on_router_eni(InterfaceChange::Secondary(CAPTURED)),
        make_sql_happening(&strangers_row("succeeded")),
    ];
    for what in again {
        let mut late = make_event(after_router_command(UNDO_ADDRESS), what);
        late.delay_ms = 8_000;
        world.faults.events.push(late);
    }
    Ok(())
}

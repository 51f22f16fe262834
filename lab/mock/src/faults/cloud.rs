//! The account as preflight finds it: what is not the lab's, and who has the address.

use super::fault::{Fault, Left, Primary};
use super::hand::{CAPTURED, CLIENT, Done, ROUTER, host, interface_of, lab_vpc};
use crate::cloud::{InstanceState, PrivateAddress, Route, RouteOrigin, Target};
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::caught("other-account", "the operator's credentials are another account's", Primary::Stop("other-account"), other_account)
        .exits(6).also(&["preflight.identity"]).leaves(&[Left::Instances]).from("§8.8", "contract §9.4"),
    Fault::caught("foreign-holder", "another ENI of the VPC has the captured address as a secondary one", Primary::Stop("foreign-holder"), foreign_holder)
        .also(&["preflight.address-free"]).on_netns().from("§8.2", "contract F20"),
    Fault::caught("foreign-primary", "another ENI of the VPC has the captured address as its primary one", Primary::Assertion("preflight.address-free"), foreign_primary)
        .exits(4).also(&["preflight.nothing-attached"]).trips(&["foreign-holder", "shared"]).from("§8.2", "contract F20"),
    Fault::caught("pre-assigned", "the captured address is on the ENI before the run", Primary::Stop("pre-assigned"), pre_assigned)
        .also(&["preflight.address-free", "preflight.captured-address-silent"]).on_netns().from("§4.2", "contract F27"),
    Fault::caught("address-route", "the subnet's route table has a route for the captured address", Primary::Assertion("preflight.route-table"), address_route)
        .from("§4", "contract §4.4"),
    Fault::caught("untagged-vpc", "the VPC has not the lab's tag", Primary::Assertion("preflight.vpc"), untagged_vpc)
        .exits(4).trips(&["outside-manifest"]).from("§8.2", "design I6"),
    Fault::caught("default-vpc", "the VPC is the account's default one", Primary::Stop("default-vpc"), default_vpc)
        .also(&["preflight.vpc"]).from("§8.8", "contract §9.4"),
    Fault::caught("untagged-subnet", "the subnet has not the lab's tag", Primary::Assertion("preflight.subnet"), untagged_subnet)
        .exits(4).trips(&["outside-manifest"]).from("§8.2", "design I6"),
    Fault::caught("untagged-interface", "the ENI has not the lab's tag", Primary::Assertion("preflight.network-interface"), untagged_interface)
        .exits(4).trips(&["not-the-labs", "outside-manifest"]).from("§8.2", "design I6"),
    Fault::caught("untagged-instance", "cloud-client's instance has not the lab's tag", Primary::Assertion("preflight.instances"), untagged_instance)
        .exits(6).trips(&["not-the-labs", "outside-manifest"]).leaves(&[Left::Instances]).from("§8.2", "design I6"),
    Fault::caught("stopped-client", "cloud-client's instance does not run", Primary::Unavailable, stopped_client)
        .from("§4", "design: exit code 8"),
    Fault::caught("foreign-volume", "the volume that the manifest has deleted is not the lab's", Primary::Assertion("undo-plan.complete"), foreign_volume)
        .exits(4).trips(&["undo-not-planned"]).from("§8.4", "design I6"),
    Fault::caught("foreign-address", "the elastic IP address that the manifest has released is not the lab's", Primary::Stop("undo-not-planned"), foreign_address)
        .also(&["undo-plan.complete"]).from("§8.4", "design I6"),
];

fn other_account(world: &mut World, _: &str) -> Done {
    world.cloud.operator.arn = "arn:aws:iam::210987654321:user/lab-operator".to_owned();
    Ok(())
}

fn foreign_holder(world: &mut World, _: &str) -> Done {
    interface_of(world, CLIENT)?.add_secondary(CAPTURED);
    Ok(())
}

fn foreign_primary(world: &mut World, _: &str) -> Done {
    let mut other = interface_of(world, CLIENT)?.clone();
    other.id = "eni-00000000000000001".to_owned();
    other.mac = "0a:00:00:00:00:01".to_owned();
    other.private_addresses = vec![PrivateAddress { address: CAPTURED, primary: true }];
    other.instance_id = None;
    other.attachment = None;
    other.tags.clear();
    world.cloud.network_interfaces.insert(other.id.clone(), other);
    Ok(())
}

fn pre_assigned(world: &mut World, _: &str) -> Done {
    interface_of(world, ROUTER)?.add_secondary(CAPTURED);
    Ok(())
}

fn address_route(world: &mut World, _: &str) -> Done {
    let eni = interface_of(world, CLIENT)?;
    let (vpc, eni) = (eni.vpc_id.clone(), eni.id.clone());
    let table = world.cloud.route_tables.values_mut().find(|table| table.vpc_id == vpc);
    table.ok_or("the VPC has no route table")?.routes.push(Route {
        destination: host(CAPTURED),
        target: Target::NetworkInterface(eni),
        origin: RouteOrigin::CreateRoute,
    });
    Ok(())
}

fn untagged_vpc(world: &mut World, _: &str) -> Done {
    lab_vpc(world)?.tags.clear();
    Ok(())
}

fn default_vpc(world: &mut World, _: &str) -> Done {
    lab_vpc(world)?.is_default = true;
    Ok(())
}

fn untagged_subnet(world: &mut World, _: &str) -> Done {
    let id = interface_of(world, ROUTER)?.subnet_id.clone();
    world.cloud.subnets.get_mut(&id).ok_or("there is no subnet")?.tags.clear();
    Ok(())
}

fn untagged_interface(world: &mut World, _: &str) -> Done {
    interface_of(world, ROUTER)?.tags.clear();
    Ok(())
}

fn client_instance(world: &mut World) -> Result<&mut crate::cloud::Instance, String> {
    let id = interface_of(world, CLIENT)?.instance_id.clone().ok_or("it has no instance")?;
    world.cloud.instances.get_mut(&id).ok_or_else(|| format!("there is no {id}"))
}

fn untagged_instance(world: &mut World, _: &str) -> Done {
    client_instance(world)?.tags.remove(crate::cloud::LAB_TAG.0);
    Ok(())
}

fn stopped_client(world: &mut World, _: &str) -> Done {
    client_instance(world)?.state = InstanceState::Stopped;
    Ok(())
}

fn foreign_volume(world: &mut World, _: &str) -> Done {
    let orphan = world.cloud.volumes.values_mut().find(|volume| volume.attachments.is_empty());
    orphan.ok_or("there is no orphaned volume")?.tags.clear();
    Ok(())
}

fn foreign_address(world: &mut World, _: &str) -> Done {
    world.cloud.addresses.values_mut().next().ok_or("there is no address")?.tags.clear();
    Ok(())
}

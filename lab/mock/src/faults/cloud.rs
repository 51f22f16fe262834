//! The account as preflight finds it: what is not the lab's, and who has the address.

use super::fault::Fault;
use super::hand::{CAPTURED, CLIENT, Done, ROUTER, interface_of, lab_vpc, to_host_net};
use crate::cloud::{InstanceState, PrivateAddress, RouteOrigin, RouteTarget, VpcRoute};
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("other-account", "the operator's credentials are another account's", other_account)
        .from("§8.8", "contract §9.4"),
    Fault::new("foreign-holder", "another ENI of the VPC has the captured address as a secondary one", foreign_holder)
        .on_netns().from("§8.2", "contract F20"),
    Fault::new("foreign-primary", "another ENI of the VPC has the captured address as its primary one", foreign_primary)
        .from("§8.2", "contract F20"),
    Fault::new("pre-assigned", "the captured address is on the ENI before the run", pre_assigned)
        .on_netns().from("§4.2", "contract F27"),
    Fault::new("address-route", "the subnet's route table has a route for the captured address", address_route)
        .from("§4", "contract §4.4"),
    Fault::new("untagged-vpc", "the VPC has not the lab's tag", untagged_vpc)
        .from("§8.2", "design I6"),
    Fault::new("default-vpc", "the VPC is the account's default one", default_vpc)
        .from("§8.8", "contract §9.4"),
    Fault::new("untagged-subnet", "the subnet has not the lab's tag", untagged_subnet)
        .from("§8.2", "design I6"),
    Fault::new("untagged-interface", "the ENI has not the lab's tag", untagged_interface)
        .from("§8.2", "design I6"),
    Fault::new("untagged-instance", "cloud-client's instance has not the lab's tag", untagged_instance)
        .from("§8.2", "design I6"),
    Fault::new("stopped-client", "cloud-client's instance does not run", stopped_client)
        .from("§4", "design: exit code 8"),
    Fault::new("foreign-volume", "the volume that the manifest has deleted is not the lab's", foreign_volume)
        .from("§8.4", "design I6"),
    Fault::new("foreign-address", "the elastic IP address that the manifest has released is not the lab's", foreign_address)
        .from("§8.4", "design I6"),
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
    table.ok_or("the VPC has no route table")?.routes.push(VpcRoute {
        destination: to_host_net(CAPTURED),
        target: RouteTarget::NetworkInterface(eni),
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

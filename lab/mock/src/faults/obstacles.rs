//! Obstacles that EC2 alone says against a run before anything is started: instances that nobody could stop, an
//! interface that is full, security groups that keep the run's packets out.

use std::net::Ipv4Addr;

use super::fault::Fault;
use super::hand::{CLIENT, Done, ROUTER, interface_of};
use crate::cloud::{Instance, Permission, instance_types};
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("stop-protected", "routerd-cloud's instance is protected from being stopped", stop_protected)
        .from("§8.7", "issue 14; aws-lab-facts §1"),
    Fault::new("termination-protected", "cloud-client's instance is protected from being terminated", termination_protected)
        .from("§8.7", "issue 14; aws-lab-facts §1"),
    Fault::new("one-time-spot", "cloud-client's instance is a spot instance of a one-time request", one_time_spot)
        .from("§8.7", "issue 14; aws-lab-facts §8.51"),
    Fault::new("instance-store-root", "cloud-client's instance has an instance store as its root", instance_store_root)
        .from("§8.7", "issue 14"),
    Fault::new("auto-scaling-member", "cloud-client's instance is a member of an Auto Scaling group", auto_scaling_member)
        .from("§8.7", "issue 14; aws-lab-facts §1"),
    Fault::new("interface-full", "the ENI has as many IPv4 addresses as its instance's type holds", interface_full)
        .from("§4", "issue 14; aws-lab-facts §8.48"),
    Fault::new("ssh-port-closed", "no rule of the lab's security group lets ssh in", ssh_port_closed)
        .from("§4", "issue 14; aws-lab-facts §1"),
];

fn instance_at(world: &mut World, primary: Ipv4Addr) -> Result<&mut Instance, String> {
    let id = interface_of(world, primary)?.instance_id.clone().ok_or("it has no instance")?;
    world.cloud.instances.get_mut(&id).ok_or_else(|| "there is no instance".to_owned())
}

fn stop_protected(world: &mut World, _: &str) -> Done {
    instance_at(world, ROUTER)?.disable_api_stop = true;
    Ok(())
}

fn termination_protected(world: &mut World, _: &str) -> Done {
    instance_at(world, CLIENT)?.disable_api_termination = true;
    Ok(())
}

fn one_time_spot(world: &mut World, _: &str) -> Done {
    instance_at(world, CLIENT)?.one_time_spot = true;
    Ok(())
}

fn instance_store_root(world: &mut World, _: &str) -> Done {
    instance_at(world, CLIENT)?.instance_store_root = true;
    Ok(())
}

fn auto_scaling_member(world: &mut World, _: &str) -> Done {
    let tags = &mut instance_at(world, CLIENT)?.tags;
    tags.insert("aws:autoscaling:groupName".to_owned(), "smoke-lab".to_owned());
    Ok(())
}

fn interface_full(world: &mut World, _: &str) -> Done {
    let instance_type = instance_at(world, ROUTER)?.instance_type.clone();
    let limits = instance_types::find(&instance_type).ok_or("its type is not known")?;
    let eni = interface_of(world, ROUTER)?;
    for host in 51.. {
        if eni.private_addresses.len() >= limits.ipv4_addresses_per_interface {
            break;
        }
        eni.add_secondary(Ipv4Addr::new(10, 88, 60, host));
    }
    Ok(())
}

/// All else is admitted as before.
fn ssh_port_closed(world: &mut World, _: &str) -> Done {
    let id = interface_of(world, ROUTER)?.groups.first().cloned();
    let group = id.and_then(|id| world.cloud.security_groups.get_mut(&id));
    let group = group.ok_or("the ENI has no security group")?;
    group.ingress = group.ingress.iter().flat_map(without_ssh).collect();
    Ok(())
}

fn without_ssh(permission: &Permission) -> Vec<Permission> {
    let only = |protocol: &str, ports| Permission {
        protocol: protocol.to_owned(),
        ports: Some(ports),
        ..permission.clone()
    };
    match permission.protocol.as_str() {
        "-1" => vec![only("tcp", (443, 443)), only("udp", (0, 65535)), only("icmp", (-1, -1))],
        "tcp" => Vec::new(),
        _ => vec![permission.clone()],
    }
}

//! Things that go on costing where nobody looks: a volume that outlives its instance, an address
//! without a tag, an instance that EC2 does not list; and things that only take their time.

use std::net::Ipv4Addr;

use super::fault::Fault;
use super::hand::{
    CLIENT, Done, IMPORT, UNDO_ADDRESS, add_api_fault, happens_after, interface_of, make_api_error,
    parse_milliseconds,
};
use super::rules::{CallerKind, Happening};
use crate::boot::BootTimes;
use crate::cloud::{AddressAssociation, ElasticIp, Tags, VolumeAttachment};
use crate::world::World;
use lab::manifest::{Instances, guest_settle_ms_on_ec2};

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("root-volume-outlives", "an instance's root volume has no tag and stays when the instance is terminated", root_volume_outlives)
        .from("§8.6", "issue 11"),
    Fault::new("volume-outlives-later", "during the run an instance's root volume loses its tag, and is to stay when the instance is terminated", volume_outlives_later)
        .from("§8.6", "issue 11"),
    Fault::new("interface-outlives-later", "during the run an instance's ENI is told to stay when the instance is terminated", interface_outlives_later)
        .from("§8.6", "issue 14"),
    Fault::new("address-hangs", "an elastic IP address without a tag is associated with an instance of the lab", address_hangs)
        .from("§8.6", "issue 11"),
    Fault::new("address-hangs-later", "after the undo an elastic IP address without a tag is associated with an instance of the lab", address_hangs_later)
        .from("§8.6", "issue 11"),
    Fault::new("instance-vanishes", "EC2 does not list an instance any more that ran a moment ago", instance_vanishes)
        .from("§8.6", "design: The aws lab, Time"),
    Fault::new("volume-attached-later", "during the run somebody attaches the orphaned volume to an instance", volume_attached_later)
        .from("§6.3", "issue 11"),
    Fault::new("slow-states", "an instance takes so much longer to start, to stop and to terminate", slow_states)
        .argument("3m").from("§6.3", "issue 11"),
    Fault::new("slow-boot", "once an instance is started, its node's sshd, overlay and routerd come so long after it runs", slow_boot)
        .argument("sshd:5s,overlay:20s,routerd:40s").on_netns().from("§4", "issue 14"),
    Fault::new("volume-lingers", "EC2 refuses so often to delete the orphaned volume, as if it were in use", volume_lingers)
        .argument("3").from("§6.3", "issue 11"),
    Fault::new("throttled-end", "EC2 throttles so many of the requests that terminate an instance", throttled_end)
        .argument("2").from("§6.3", "issue 11"),
    Fault::new("teardown", "the manifest has the instances stopped, or keeps them", teardown)
        .argument("keep").from("§6.3", "issue 11"),
];

fn client_instance(world: &mut World) -> Result<String, String> {
    interface_of(world, CLIENT)?.instance_id.clone().ok_or_else(|| "it has no instance".to_owned())
}

fn root_volume_outlives(world: &mut World, _: &str) -> Done {
    let instance_id = client_instance(world)?;
    volume_outlives(world, &instance_id);
    Ok(())
}

fn volume_outlives_later(world: &mut World, _: &str) -> Done {
    let instance_id = client_instance(world)?;
    happens_after(world, IMPORT, Happening::VolumeOutlives { instance_id })
}

fn interface_outlives_later(world: &mut World, _: &str) -> Done {
    let network_interface_id = interface_of(world, CLIENT)?.id.clone();
    happens_after(world, IMPORT, Happening::InterfaceOutlives { network_interface_id })
}

/// Its volumes are to stay, and are nobody's.
pub(super) fn volume_outlives(world: &mut World, instance_id: &str) {
    for volume in world.cloud.volumes.values_mut() {
        for attachment in &mut volume.attachments {
            if attachment.instance_id == instance_id {
                attachment.delete_on_termination = false;
                volume.tags.clear();
            }
        }
    }
}

fn volume_attached_later(world: &mut World, _: &str) -> Done {
    let instance_id = client_instance(world)?;
    happens_after(world, IMPORT, Happening::VolumeAttached { instance_id })
}

/// Attaches a volume as AttachVolume does: it is to stay when the instance is terminated.
pub(super) fn attach_volume(world: &mut World, instance_id: &str) {
    let now = world.now;
    let mut volumes = world.cloud.volumes.values_mut();
    if let Some(volume) = volumes.find(|volume| volume.attachments.is_empty()) {
        volume.attachments.push(VolumeAttachment {
            instance_id: instance_id.to_owned(),
            device: "/dev/sdf".to_owned(),
            delete_on_termination: false,
            attached_at: now,
        });
    }
}

fn address_hangs(world: &mut World, _: &str) -> Done {
    hang_address(world, CLIENT)
}

fn address_hangs_later(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::AddressHangs { primary: CLIENT })
}

/// One that nobody tagged, with the ENI that has this primary address.
pub(super) fn hang_address(world: &mut World, primary: Ipv4Addr) -> Done {
    let network_interface_id = interface_of(world, primary)?.id.clone();
    let allocation_id = "eipalloc-00000000000000002".to_owned();
    let id = "eipassoc-00000000000000002".to_owned();
    let address = ElasticIp {
        allocation_id: allocation_id.clone(),
        public_ip: Ipv4Addr::new(203, 0, 113, 78),
        association: Some(AddressAssociation {
            id,
            network_interface_id,
            private_address: primary,
        }),
        tags: Tags::new(),
    };
    world.cloud.addresses.insert(allocation_id, address);
    Ok(())
}

/// Once the lock was given back, so that nothing but teardown needs it.
fn instance_vanishes(world: &mut World, _: &str) -> Done {
    let instance_id = client_instance(world)?;
    let released = "rm -f /var/lib/lab-smoke/lock.json";
    happens_after(world, released, Happening::InstanceVanishes { instance_id })
}

fn slow_states(world: &mut World, argument: &str) -> Done {
    let ms = parse_milliseconds(argument)?;
    let instance_id = client_instance(world)?;
    let instance = world.cloud.instances.get_mut(&instance_id).ok_or("there is no instance")?;
    instance.slow_ms = ms;
    Ok(())
}

/// The kernel lab has less time, by as much as it gives guests less.
fn slow_boot(world: &mut World, argument: &str) -> Done {
    let (given_ms, on_ec2_ms) = (world.machines.guest_settle_ms, guest_settle_ms_on_ec2());
    let mut boot = BootTimes::default();
    for stage in argument.split(',') {
        let (name, time) = stage.split_once(':').ok_or("it is STAGE:TIME,…, as sshd:5s")?;
        let after_ms = parse_milliseconds(time)? * given_ms / on_ec2_ms;
        match name {
            "sshd" => boot.sshd_ms = after_ms,
            "overlay" => boot.overlay_ms = after_ms,
            "routerd" => boot.routerd_ms = after_ms,
            _ => return Err("the stages are sshd, overlay, routerd".to_owned()),
        }
    }
    world.faults.boot = boot;
    Ok(())
}

fn times(argument: &str) -> Result<u32, String> {
    argument.parse().map_err(|_| "it is no number".to_owned())
}

fn volume_lingers(world: &mut World, argument: &str) -> Done {
    let effect = make_api_error(400, "VolumeInUse", "The volume is in use.");
    add_api_fault(world, "DeleteVolume", CallerKind::Operator, times(argument)?, effect)
}

fn throttled_end(world: &mut World, argument: &str) -> Done {
    let effect = make_api_error(503, "RequestLimitExceeded", "Request limit exceeded.");
    add_api_fault(world, "TerminateInstances", CallerKind::Operator, times(argument)?, effect)
}

fn teardown(world: &mut World, argument: &str) -> Done {
    world.faults.teardown = Some(match argument {
        "stop" => Instances::Stop,
        "keep" => Instances::Keep,
        _ => return Err("it is stop or keep".to_owned()),
    });
    Ok(())
}

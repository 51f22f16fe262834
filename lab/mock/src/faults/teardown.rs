//! The end: what costs money and cannot be ended, and what was never the run's to end.

use super::fault::Fault;
use super::hand::{
    CLIENT, Done, UNDO_ADDRESS, add_api_fault, add_command_fault, happens_after, interface_of,
    make_api_error, make_command_answer,
};
use super::rules::{CallerKind, Happening, Stray};
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("lock-stays", "the lab's lock cannot be released", lock_stays)
        .from("§6", "issue 3"),
    Fault::new("terminate-refused", "EC2 refuses to terminate an instance: it is protected", terminate_refused)
        .from("§8.6", "issue 3"),
    Fault::new("instance-untagged-meanwhile", "an instance loses the lab's tag during the run", instance_untagged_meanwhile)
        .from("§8.6", "design I6"),
    Fault::new("volume-untagged-meanwhile", "the orphaned volume loses the lab's tag during the run", volume_untagged_meanwhile)
        .from("§6.3", "issue 11"),
    Fault::new("address-stays", "EC2 refuses to release the elastic IP address", address_stays)
        .from("§6.3", "contract §8.3"),
    Fault::new("volume-stays", "EC2 refuses to delete the orphaned volume", volume_stays)
        .from("§6.3", "contract §8.3"),
    Fault::new("stray-instance", "another instance with the lab's tag runs after the undo", stray_instance)
        .from("§8.6", "contract §8.3"),
    Fault::new("stray-untagged-instance", "another instance runs in the lab's VPC after the undo, without the lab's tag", stray_untagged)
        .from("§8.6", "issue 11"),
    Fault::new("stray-address", "another elastic IP address has the lab's tag after the undo", stray_address)
        .from("§8.6", "contract §8.3"),
    Fault::new("stray-volume", "another volume has the lab's tag after the undo", stray_volume)
        .from("§8.6", "contract §8.3"),
    Fault::new("low-ceiling", "the manifest allows fewer instance-seconds than the run takes", low_ceiling)
        .argument("10").from("§8.6", "issue 3"),
];

fn lock_stays(world: &mut World, _: &str) -> Done {
    let said = "rm: cannot remove '/var/lib/lab-smoke/lock.json': Read-only file system\n";
    add_command_fault(
        world,
        "rm -f /var/lib/lab-smoke/lock.json",
        0,
        make_command_answer(1, "", said),
    )
}

fn terminate_refused(world: &mut World, _: &str) -> Done {
    let message = "The instance may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.";
    let effect = make_api_error(400, "OperationNotPermitted", message);
    add_api_fault(world, "TerminateInstances", CallerKind::Operator, 1, effect)
}

fn instance_untagged_meanwhile(world: &mut World, _: &str) -> Done {
    let instance_id = interface_of(world, CLIENT)?.instance_id.clone();
    let instance_id = instance_id.ok_or("it has no instance")?;
    happens_after(world, UNDO_ADDRESS, Happening::TagLost { instance_id })
}

fn volume_untagged_meanwhile(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::VolumeTagLost)
}

fn address_stays(world: &mut World, _: &str) -> Done {
    let effect = make_api_error(
        400,
        "AuthFailure",
        "You do not have permission to access the specified resource.",
    );
    add_api_fault(world, "ReleaseAddress", CallerKind::Operator, u32::MAX, effect)
}

fn volume_stays(world: &mut World, _: &str) -> Done {
    let effect = make_api_error(400, "VolumeInUse", "The volume is in use.");
    add_api_fault(world, "DeleteVolume", CallerKind::Operator, u32::MAX, effect)
}

fn stray_instance(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Stray(Stray::Instance))
}

fn stray_untagged(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Stray(Stray::Untagged))
}

fn stray_address(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Stray(Stray::Address))
}

fn stray_volume(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Stray(Stray::Volume))
}

fn low_ceiling(world: &mut World, argument: &str) -> Done {
    let seconds = argument.parse().map_err(|_| "it is no number of seconds")?;
    world.faults.max_instance_seconds = Some(seconds);
    Ok(())
}

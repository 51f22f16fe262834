//! The end: what costs money and cannot be ended, and what was never the run's to end.

use super::fault::{Answer, CheckOff, Fault, Left, Primary};
use super::hand::{
    CLIENT, Done, UNDO_ADDRESS, answers, api, command, happens_after, interface_of, refused,
};
use super::rules::{Caller, Happening, Stray};
use crate::world::World;

const NOT_TERMINATED: CheckOff = CheckOff::WithoutMeaning("nothing is terminated");

/// Nothing is asked of an instance that is kept.
const UNTAGGED: Answer = Answer {
    exit_code: 6,
    also: &["residue.instances", "restored.cloud-state"],
    stops: &[],
    left: &[Left::Instances],
};

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::caught("lock-stays", "the lab's lock cannot be released", Primary::Assertion("residue.lock"), lock_stays)
        .exits(6).leaves(&[Left::Lock]).from("§6", "issue 3"),
    Fault::caught("terminate-refused", "EC2 refuses to terminate an instance: it is protected", Primary::Assertion("teardown.instances"), terminate_refused)
        .exits(6).also(&["residue.instances"]).trips(&["left-running"]).leaves(&[Left::Instances])
        .at_stop(NOT_TERMINATED).at_keep(NOT_TERMINATED).from("§8.6", "issue 3"),
    Fault::caught("instance-untagged-meanwhile", "an instance loses the lab's tag during the run", Primary::Stop("left-running"), instance_untagged_meanwhile)
        .exits(6).also(&["teardown.instances", "residue.instances", "restored.cloud-state"]).leaves(&[Left::Instances])
        .at_keep(CheckOff::Differs(UNTAGGED)).from("§8.6", "design I6"),
    Fault::caught("volume-untagged-meanwhile", "the orphaned volume loses the lab's tag during the run", Primary::Assertion("teardown.volumes"), volume_untagged_meanwhile)
        .exits(6).also(&["residue.volumes"]).trips(&["left-running"]).leaves(&[Left::Volumes]).from("§6.3", "issue 11"),
    Fault::caught("address-stays", "EC2 refuses to release the elastic IP address", Primary::Assertion("teardown.addresses"), address_stays)
        .exits(6).also(&["residue.addresses"]).trips(&["left-running"]).leaves(&[Left::Addresses]).from("§6.3", "contract §8.3"),
    Fault::caught("volume-stays", "EC2 refuses to delete the orphaned volume", Primary::Assertion("teardown.volumes"), volume_stays)
        .exits(6).also(&["residue.volumes"]).trips(&["left-running"]).leaves(&[Left::Volumes]).from("§6.3", "contract §8.3"),
    Fault::caught("stray-instance", "another instance with the lab's tag runs after the undo", Primary::Assertion("residue.instances"), stray_instance)
        .exits(6).trips(&["left-running"]).leaves(&[Left::Instances]).from("§8.6", "contract §8.3"),
    Fault::caught("stray-untagged-instance", "another instance runs in the lab's VPC after the undo, without the lab's tag", Primary::Assertion("residue.instances"), stray_untagged)
        .exits(6).trips(&["left-running"]).leaves(&[Left::Instances]).from("§8.6", "issue 11"),
    Fault::caught("stray-address", "another elastic IP address has the lab's tag after the undo", Primary::Assertion("residue.addresses"), stray_address)
        .exits(6).trips(&["left-running"]).leaves(&[Left::Addresses]).from("§8.6", "contract §8.3"),
    Fault::caught("stray-volume", "another volume has the lab's tag after the undo", Primary::Assertion("residue.volumes"), stray_volume)
        .exits(6).trips(&["left-running"]).leaves(&[Left::Volumes]).from("§8.6", "contract §8.3"),
    Fault::caught("low-ceiling", "the manifest allows fewer instance-seconds than the run takes", Primary::Both("residue.instance-seconds", "ceiling"), low_ceiling)
        .argument("10").from("§8.6", "issue 3"),
];

fn lock_stays(world: &mut World, _: &str) -> Done {
    let said = "rm: cannot remove '/var/lib/lab-smoke/lock.json': Read-only file system\n";
    command(world, "rm -f /var/lib/lab-smoke/lock.json", 0, answers(1, "", said))
}

fn terminate_refused(world: &mut World, _: &str) -> Done {
    let message = "The instance may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.";
    let effect = refused(400, "OperationNotPermitted", message);
    api(world, "TerminateInstances", Caller::Operator, 1, effect)
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
    let effect =
        refused(400, "AuthFailure", "You do not have permission to access the specified resource.");
    api(world, "ReleaseAddress", Caller::Operator, u32::MAX, effect)
}

fn volume_stays(world: &mut World, _: &str) -> Done {
    let effect = refused(400, "VolumeInUse", "The volume is in use.");
    api(world, "DeleteVolume", Caller::Operator, u32::MAX, effect)
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

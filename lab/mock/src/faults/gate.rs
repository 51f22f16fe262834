//! Between the owner's decision and the first effect: the disk, the go, the lock.

use super::fault::Fault;
use super::hand::{
    CAPTURED, CLIENT, Done, add_command_fault, add_lasting_command_fault, happens_after,
    make_event, on_router_eni, parse_milliseconds,
};
use super::kernel;
use super::rules::{CommandEffect, GoFault, Happening, InterfaceChange, When};
use crate::world::World;
use lab::node::Node;

pub(super) const LOCK: &str = "/var/lib/lab-smoke/lock.json";
pub(super) const STRANGERS_LOCK: &str = r#"{"run_id":"smoke-of-somebody","taken_at":"2026-01-01T00:00:00Z","lease_until":"2026-01-01T02:00:00Z"}"#;
/// The command that creates the lock, and the one that reads it back.
pub(super) const ABOUT_LOCK: &str = "*set -C*lock.json";
const ABOUT_BURN: &str = "*burnt-";
const BURNT: &str = "/var/lib/lab-smoke/burnt-";
const STRANGERS_BURN: &str = r#"{"run_id":"smoke-of-somebody","record":"0000000000000000000000000000000000000000000000000000000000000000"}"#;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("disk-full", "the disk of the run's folder has no room for what ends a run", disk_full)
        .from("§8.4", "design I2"),
    Fault::new("go-edited", "the go was edited after it was signed", go_edited)
        .from("§9", "design: the go"),
    Fault::new("go-expired", "the go had ended before the gate looked at it", go_expired)
        .from("§9", "design: the go"),
    Fault::new("go-missing", "nobody gives a go", go_missing)
        .from("§9", "design: the go"),
    Fault::new("go-after", "the owner takes so long: the go that lies prepared in the run's folder is seen no earlier", go_after)
        .argument("3m").from("§9", "issue 5: ten virtual minutes are over before anybody can sign"),
    Fault::new("lock-held", "another run holds the lab's lock", lock_held)
        .in_kernel(kernel::router::lock_held).from("§9", "contract F20"),
    Fault::new("lock-reply-lost", "the lock is taken and the reply is lost", lock_reply_lost)
        .from("§9", "design I5"),
    Fault::new("lock-unknown", "the lock's reply is lost, and so is the look at it", lock_unknown)
        .from("§9", "design I5"),
    Fault::new("changed-under-lock", "the ENI gets another secondary address between preflight and the lock", changed_under_lock)
        .on_netns().from("§9", "design: the gate"),
    Fault::new("taken-under-lock", "another ENI takes the address between preflight and the lock", taken_under_lock)
        .on_netns().from("§8.2", "contract F20"),
    Fault::new("go-used", "the node says that this go was used before", go_used)
        .on_netns().from("§9", "design: a go is good once"),
];

fn disk_full(world: &mut World, _: &str) -> Done {
    world.faults.disk_full = true;
    world.faults.injected.push("disk-full".to_owned());
    Ok(())
}

fn go_edited(world: &mut World, _: &str) -> Done {
    world.faults.go = Some(GoFault::Edited);
    Ok(())
}

fn go_expired(world: &mut World, _: &str) -> Done {
    world.faults.go = Some(GoFault::Expired);
    Ok(())
}

fn go_after(world: &mut World, argument: &str) -> Done {
    world.faults.go_after_ms = parse_milliseconds(argument)?;
    Ok(())
}

fn go_missing(world: &mut World, _: &str) -> Done {
    world.faults.go = Some(GoFault::Missing);
    Ok(())
}

fn lock_held(world: &mut World, _: &str) -> Done {
    world.machines.get_mut(Node::RouterdCloud).files.put(LOCK, STRANGERS_LOCK, 0o600);
    Ok(())
}

fn lock_reply_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, ABOUT_LOCK, 0, CommandEffect::ReplyLost)
}

fn lock_unknown(world: &mut World, _: &str) -> Done {
    add_command_fault(world, ABOUT_LOCK, 0, CommandEffect::ReplyLost)?;
    add_lasting_command_fault(world, "cat /var/lib/lab-smoke/lock.json", CommandEffect::RequestLost)
}

fn changed_under_lock(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::Secondary(super::hand::STRANGE);
    happens_after(world, ABOUT_LOCK, on_router_eni(change))
}

fn taken_under_lock(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::Secondary(CAPTURED);
    happens_after(world, ABOUT_LOCK, Happening::Interface { primary: CLIENT, change })
}

/// A go that somebody used before has a file of its own, which is there before the run creates it.
fn go_used(world: &mut World, _: &str) -> Done {
    let pattern = ABOUT_BURN.to_owned();
    let burns = When::BeforeCommand { node: Node::RouterdCloud, pattern };
    let (begins, contents) = (BURNT.to_owned(), STRANGERS_BURN.to_owned());
    let theirs = Happening::FileNamed { node: Node::RouterdCloud, begins, contents };
    world.faults.events.push(make_event(burns, theirs));
    Ok(())
}

//! The dead man's switch: a machine that takes none, one that is another, and a lab that would end by it.

use chrono::{SecondsFormat, TimeDelta};

use super::fault::Fault;
use super::hand::{CLIENT, Done, interface_of, lab_vpc, make_command_answer, parse_milliseconds};
use super::rules::{CommandEffect, CommandFault};
use crate::cloud::ShutdownBehavior;
use crate::world::World;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("shutdown-means-terminate", "an instance that powers itself off is terminated", shutdown_means_terminate)
        .from("§8.7", "issue 14: dead man's switch"),
    Fault::new("lab-expires", "the lab's tag says that it ends so soon", lab_expires)
        .argument("30m").from("§8.7", "issue 14: dead man's switch"),
    Fault::new("switch-cannot-be-armed", "no node has a service manager that could hold a timer", switch_cannot_be_armed)
        .from("§8.7", "issue 14: dead man's switch"),
    Fault::new("switch-of-another-machine", "the machine that answers says that it is another instance", switch_of_another_machine)
        .from("§8.7", "issue 14: dead man's switch"),
    Fault::new(SWITCH_STAYS, "the timer cannot be stopped", switch_stays)
        .from("§8.7", "issue 14: dead man's switch"),
];

fn shutdown_means_terminate(world: &mut World, _: &str) -> Done {
    let id = interface_of(world, CLIENT)?.instance_id.clone();
    let instance = id.and_then(|id| world.cloud.instances.get_mut(&id));
    instance.ok_or("it has no instance")?.shutdown_behavior = ShutdownBehavior::Terminate;
    Ok(())
}

fn lab_expires(world: &mut World, argument: &str) -> Done {
    let after = i64::try_from(parse_milliseconds(argument)?).map_err(|error| error.to_string())?;
    let at = world.now + TimeDelta::milliseconds(after);
    let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    lab_vpc(world)?.tags.insert("lab-smoke-expires".to_owned(), text);
    Ok(())
}

/// Every node answers so.
fn everywhere(world: &mut World, pattern: &str, effect: CommandEffect) -> Done {
    let (pattern, skip, times, seen, fired) = (pattern.to_owned(), 0, u32::MAX, 0, 0);
    world.faults.commands.push(CommandFault {
        node: None,
        pattern,
        skip,
        times,
        effect,
        seen,
        fired,
    });
    Ok(())
}

const ARM: &str = "* arm-switch ";
/// The name of the fault under which no timer can be stopped.
pub const SWITCH_STAYS: &str = "switch-stays";

fn switch_cannot_be_armed(world: &mut World, _: &str) -> Done {
    let why = "System has not been booted with systemd as init system (PID 1). Can't operate.";
    everywhere(world, ARM, make_command_answer(1, "", why))
}

fn switch_of_another_machine(world: &mut World, _: &str) -> Done {
    let why = "this machine says that it is i-00000000000000000";
    everywhere(world, ARM, make_command_answer(3, "", why))
}

/// In the service manager itself: what is ended is never asked to disarm anything.
fn switch_stays(world: &mut World, _: &str) -> Done {
    world.faults.injected.push(SWITCH_STAYS.to_owned());
    Ok(())
}

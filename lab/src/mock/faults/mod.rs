//! What can be made to go wrong beneath the harness. A fault that is a state of the world (a
//! foreign address, a masquerade rule) is put into the world before the run; one that is a
//! behaviour is a rule that the endpoint and the nodes consult.

mod inject;
mod nth;
mod registry;
mod rules;

pub use inject::{BadFault, inject, parse};
pub use nth::{Befall, Killed, Nth, kill};
pub use registry::{Class, FAULTS, Fault};
pub use rules::{
    ApiEffect, ApiFault, Caller, CommandEffect, CommandFault, Event, Faults, Happening,
};

use super::world::World;

/// Lets happen what was to happen after this API call.
pub(super) fn after_api(world: &mut World, action: &str) {
    let mut events = std::mem::take(&mut world.faults.events);
    for event in events.iter_mut().filter(|event| event.fired == 0 && event.after == action) {
        event.fired += 1;
        happen(world, &event.what);
    }
    world.faults.events = events;
}

fn happen(world: &mut World, what: &Happening) {
    match what {
        Happening::DefaultRoute { node, via } => {
            let machine = world.machines.get_mut(*node);
            for route in machine.routes.iter_mut().filter(|it| it.destination.prefix_len() == 0) {
                route.via = Some(*via);
            }
        }
        Happening::OsAddress { node, dev, address } => {
            let machine = world.machines.get_mut(*node);
            let interface = machine.interfaces.iter_mut().find(|it| it.name == *dev);
            if let Some(interface) = interface {
                interface.addresses.push(*address);
            }
        }
        Happening::TagLost { instance_id } => {
            if let Some(instance) = world.cloud.instances.get_mut(instance_id) {
                instance.tags.clear();
            }
        }
    }
}

/// How often the faults of a world fired: once for each that is a state, and each time for rules.
pub fn fired(world: &World) -> Vec<(String, u32)> {
    let faults = &world.faults;
    let states = faults.injected.iter().map(|name| (name.clone(), 1));
    let api = faults.api.iter().map(|rule| (format!("api {}", rule.action), rule.fired));
    let commands =
        faults.commands.iter().map(|rule| (format!("command {}", rule.pattern), rule.fired));
    let events = faults.events.iter().map(|event| (format!("after {}", event.after), event.fired));
    states.chain(api).chain(commands).chain(events).collect()
}

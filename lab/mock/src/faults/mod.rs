//! Everything that can be made to go wrong beneath the harness. A fault that is a state of the
//! world (a foreign address, a masquerade rule) is put into the world before the run; one that is a
//! behaviour is a rule that the endpoint and the nodes consult, or an event that waits for its
//! moment. What a run owes to each is the runbook's to say (`scenarios/src/answers/`).

#![expect(
    clippy::unnecessary_wraps,
    clippy::assigning_clones,
    reason = "every fault is put in by a function of one type, and a world is edited as plain data"
)]

mod changes;
mod cloud_changes;
mod events;
mod fault;
mod hand;
mod inject;
mod kernel;
mod lines;
mod nth;
mod rules;

// The faults themselves, by what they touch; in the order of a run.
mod acceptance;
mod actions;
mod api;
mod back;
mod cloud;
mod cloud_state;
mod detours;
mod gate;
mod granted;
mod iam;
mod money;
mod node_state;
mod nodes;
mod obstacles;
mod ordinary;
mod packets;
mod planted;
mod product;
mod reach;
mod router;
mod stops;
mod switch;
pub use switch::SWITCH_STAYS;
mod teardown;
mod underlay;
mod way;

// What has no one place in a run.
mod replies;
mod smokes;

pub use changes::MachineChange;
pub(super) use events::{after_api, fire_due_events};
pub use events::{after_command, before_command};
pub use fault::Fault;
pub use inject::{BadFault, find_deeds, inject_fault, parse_fault};
pub use kernel::{Deed, KernelMeans, Means};
pub use lines::Line;
pub(super) use nth::could_die;
pub use nth::{
    Befall, Blows, Death, EffectKind, Ends, Killed, Nth, NthEffect, SeenEffect, Witness,
    kill_process, left_now,
};
pub use planted::planted_secrets;
pub use rules::{
    ApiEffect, ApiFault, CallerKind, CommandEffect, CommandFault, Event, Faults, GoFault,
    Happening, InterfaceChange, NodeCommand, Stray, WayChange, When,
};
pub use underlay::{Losses, Underlay};

use super::world::World;

/// Every fault.
pub fn all_faults() -> impl Iterator<Item = &'static Fault> {
    [
        api::FAULTS,
        cloud::FAULTS,
        obstacles::FAULTS,
        iam::FAULTS,
        nodes::FAULTS,
        router::FAULTS,
        product::FAULTS,
        way::FAULTS,
        gate::FAULTS,
        granted::FAULTS,
        actions::FAULTS,
        acceptance::FAULTS,
        ordinary::FAULTS,
        packets::FAULTS,
        detours::FAULTS,
        underlay::FAULTS,
        reach::FAULTS,
        node_state::FAULTS,
        cloud_state::FAULTS,
        back::FAULTS,
        teardown::FAULTS,
        money::FAULTS,
        replies::FAULTS,
        smokes::FAULTS,
        stops::FAULTS,
        switch::FAULTS,
        planted::FAULTS,
    ]
    .into_iter()
    .flatten()
}

/// How often the faults of a world fired: once for each that is a state, and each time for rules.
pub fn fired(world: &World) -> Vec<(String, u32)> {
    let faults = &world.faults;
    let states = faults.injected.iter().map(|name| (name.clone(), 1));
    let api = faults.api.iter().map(|rule| (format!("api {}", rule.action), rule.fired));
    let commands =
        faults.commands.iter().map(|rule| (format!("command {}", rule.pattern), rule.fired));
    let events = faults.events.iter().map(|event| (format!("{:?}", event.when), event.fired));
    states.chain(api).chain(commands).chain(events).collect()
}

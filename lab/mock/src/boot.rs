//! The boot of an instance's node: sshd, the overlay and what routerd sets up come one after the other,
//! in any order and each in its time. Where nobody asked for times, all is there at once, and nothing
//! was ever gone.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::cloud::{Instance, InstanceState};
use super::machines::{Machine, Route, Table};
use super::world::World;
use lab::node::Node;

/// How long after its instance runs each part of a node is there, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootTimes {
    pub sshd_ms: u64,
    pub overlay_ms: u64,
    pub routerd_ms: u64,
}

/// The parts of a router that a boot has not brought back yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asleep {
    /// The routes by the overlay's interface, which is down.
    overlay: Option<Vec<Route>>,
    routerd: Option<RouterdsWork>,
}

/// The things that routerd sets up on its node: it forwards, by its rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct RouterdsWork {
    forwards: Option<String>,
    tables: Vec<Table>,
}

const OVERLAY: &str = "wg-hybrid";
const FORWARDS: &str = "net.ipv4.ip_forward";

impl BootTimes {
    pub fn is_at_once(self) -> bool {
        self == Self::default()
    }
}

/// Lets nodes lose with their instances what a boot has to bring back, and brings back what is due.
pub fn follow_boots(world: &mut World, now: DateTime<Utc>) {
    let times = world.faults.boot;
    if times.is_at_once() {
        return;
    }
    for node in [Node::RouterdCloud, Node::CloudClient] {
        let since = running_since(world, node, now);
        let machine = world.machines.get_mut(node);
        match (since, machine.asleep.take()) {
            (None, None) => machine.asleep = Some(fall_asleep(machine)),
            (None, asleep) => machine.asleep = asleep,
            (Some(_), None) => {}
            (Some(since), Some(asleep)) => {
                let due = |ms| since + in_ms(ms) <= now;
                machine.asleep =
                    wake(machine, asleep, due(times.overlay_ms), due(times.routerd_ms));
            }
        }
    }
}

/// Whether sshd listens on a node that is up.
pub fn has_sshd(world: &World, node: Node, now: DateTime<Utc>) -> bool {
    let sshd = in_ms(world.faults.boot.sshd_ms);
    let on_ec2 = world.machines.get(node).instance_id.is_some();
    !on_ec2 || running_since(world, node, now).is_some_and(|since| since + sshd <= now)
}

fn in_ms(ms: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn running_since(world: &World, node: Node, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let id = world.machines.get(node).instance_id.as_deref()?;
    let Instance { state, changed_at, transition, .. } = world.cloud.instances.get(id)?;
    let (state, since) = match transition {
        Some(transition) if transition.at <= now => (transition.to, transition.at),
        _ => (*state, *changed_at),
    };
    (state == InstanceState::Running).then_some(since)
}

fn fall_asleep(machine: &mut Machine) -> Asleep {
    let Some(overlay) = machine.interfaces.iter_mut().find(|it| it.name == OVERLAY) else {
        return Asleep::default();
    };
    overlay.up = false;
    let (gone, left) =
        std::mem::take(&mut machine.routes).into_iter().partition(|it| it.dev == OVERLAY);
    machine.routes = left;
    let forwards = machine.sysctls.insert(FORWARDS.to_owned(), "0".to_owned());
    let tables = std::mem::take(&mut machine.nft.tables);
    Asleep { overlay: Some(gone), routerd: Some(RouterdsWork { forwards, tables }) }
}

/// Answers what sleeps on; none where all is there again.
fn wake(machine: &mut Machine, asleep: Asleep, overlay: bool, routerd: bool) -> Option<Asleep> {
    let Asleep { overlay: mut routes, routerd: mut work } = asleep;
    if overlay && let Some(routes) = routes.take() {
        machine.routes.extend(routes);
        let links = machine.interfaces.iter_mut();
        links.filter(|it| it.name == OVERLAY).for_each(|it| it.up = true);
    }
    if routerd && let Some(RouterdsWork { forwards, tables }) = work.take() {
        machine.nft.tables.extend(tables);
        if let Some(forwards) = forwards {
            machine.sysctls.insert(FORWARDS.to_owned(), forwards);
        }
    }
    (routes.is_some() || work.is_some()).then_some(Asleep { overlay: routes, routerd: work })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether sshd, the overlay and routerd's work are there.
    fn seen(world: &World, now: DateTime<Utc>) -> [bool; 3] {
        let router = world.machines.get(Node::RouterdCloud);
        let overlay = router.interface(OVERLAY).is_some_and(|it| it.up)
            && router.routes.iter().any(|it| it.dev == OVERLAY);
        let sshd = has_sshd(world, Node::RouterdCloud, now);
        [sshd, overlay, router.forwards() && !router.nft.tables.is_empty()]
    }

    fn enter(world: &mut World, state: InstanceState, now: DateTime<Utc>) {
        for instance in world.cloud.instances.values_mut() {
            instance.enter(state, now);
        }
        follow_boots(world, now);
    }

    #[test]
    fn a_node_comes_up_in_its_stages_in_any_order_and_is_what_it_was() {
        for [sshd, overlay, routerd] in
            [[5, 20, 40], [5, 40, 20], [20, 5, 40], [20, 40, 5], [40, 5, 20], [40, 20, 5]]
        {
            let start = DateTime::UNIX_EPOCH;
            let mut world = crate::world_of(7, start);
            let before = world.machines.clone();
            world.faults.boot = BootTimes {
                sshd_ms: sshd * 1000,
                overlay_ms: overlay * 1000,
                routerd_ms: routerd * 1000,
            };
            follow_boots(&mut world, start);
            assert_eq!(world.machines, before, "nothing sleeps that ran before");
            enter(&mut world, InstanceState::Stopping, start);
            assert_eq!(seen(&world, start), [false; 3]);
            enter(&mut world, InstanceState::Pending, start);
            // An instance is pending for 8 s.
            for second in [0, 4, 6, 19, 21, 39, 41] {
                let now = start + TimeDelta::seconds(8 + i64::try_from(second).expect("small"));
                follow_boots(&mut world, now);
                let expected = [sshd, overlay, routerd].map(|after| after <= second);
                assert_eq!(seen(&world, now), expected, "{second} s of {:?}", world.faults.boot);
            }
            assert_eq!(world.machines, before, "all of it is there again");
        }
    }

    #[test]
    fn without_times_nothing_is_ever_gone() {
        let now = DateTime::UNIX_EPOCH;
        let mut world = crate::world_of(7, now);
        let before = world.machines.clone();
        enter(&mut world, InstanceState::Stopping, now);
        assert_eq!(world.machines, before);
    }
}

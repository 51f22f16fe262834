//! Transient timers of a node's service manager, of the one kind that there is: those that look at the
//! dead man's switch. They live in virtual time, and go off though no harness lives.

use chrono::{DateTime, TimeDelta, Utc};
use lab::node::Node;
use serde::{Deserialize, Serialize};

use crate::cloud::{Instance, InstanceState};
use crate::world::World;

/// The folder of what does not outlive a start.
const VOLATILE: &str = "/run/lab-smoke/";

/// A timer that is active, and what its service looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwitchTimer {
    pub active_at: DateTime<Utc>,
    pub first_seconds: i64,
    pub every_seconds: i64,
    /// The file with the uptime at which the node goes off.
    pub path: String,
    /// Until when it has looked; who opens the world again looks anew.
    #[serde(skip)]
    pub looked_at: Option<DateTime<Utc>>,
}

impl SwitchTimer {
    /// The first time that it looks, at or after `from`.
    fn next_look(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        let first = self.active_at + TimeDelta::seconds(self.first_seconds);
        let every = self.every_seconds.max(1) * 1000;
        let late = (from - first).num_milliseconds().max(0);
        first + TimeDelta::milliseconds((late + every - 1) / every * every)
    }
}

/// How long a node has been up; on premises since long ago.
pub fn find_uptime(instance: Option<&Instance>, now: DateTime<Utc>) -> TimeDelta {
    let long = TimeDelta::days(3);
    instance.map_or(long, |instance| (now - instance.launched_at).max(TimeDelta::zero()))
}

/// Lets each timer look as often as it would have by now.
pub fn fire_timers(world: &mut World, now: DateTime<Utc>) {
    for node in Node::ALL {
        if !world.machines.get(node).timers.is_empty() {
            fire_of(world, node, now);
        }
    }
}

fn fire_of(world: &mut World, node: Node, now: DateTime<Utc>) {
    let machine = world.machines.get_mut(node);
    let instance = machine.instance_id.as_ref().and_then(|id| world.cloud.instances.get_mut(id));
    let Some(instance) = instance else { return };
    let started_at = instance.launched_at;
    let runs = instance.state_at(now) == InstanceState::Running;
    let old = |timer: &SwitchTimer| timer.active_at < started_at;
    if !runs || machine.timers.values().any(old) {
        machine.timers.clear();
        machine.files.remove_below(VOLATILE);
        return;
    }
    if machine.hung {
        return;
    }
    for timer in machine.timers.values_mut() {
        let since = timer.looked_at.replace(now).unwrap_or(timer.active_at);
        let text = machine.files.contents(&timer.path);
        let text = text.map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
        let stop_at = text.and_then(|text| text.parse::<i64>().ok());
        let off_at = stop_at.map_or(since, |at| started_at + TimeDelta::seconds(at)).max(since);
        let look = timer.next_look(off_at);
        if look <= now && look >= since {
            instance.shut_itself_down(look);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_looks_at_its_times_and_at_no_other() {
        let at = |second: i64| DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        let timer = SwitchTimer {
            active_at: at(100),
            first_seconds: 30,
            every_seconds: 20,
            path: String::new(),
            looked_at: None,
        };
        for (from, look) in [(0, 130), (130, 130), (131, 150), (150, 150), (169, 170)] {
            assert_eq!(timer.next_look(at(from)), at(look), "from {from}");
        }
    }
}

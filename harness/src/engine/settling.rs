//! Instances that are neither running nor at rest, and those that EC2 does not list.

use std::time::Duration;

use lab::ec2::{Instance, InstanceState, Sighted};
use lab::node::Node;

use super::Engine;

/// How long an instance may take to start or to stop: as long as EC2's own waiters give it.
const SETTLES: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_secs(1);

impl Engine<'_> {
    /// Those that EC2 does not list, though this run saw them alive and not how they ended: not found
    /// is not gone.
    pub(super) fn vanished(&self, ids: &[String], found: &[Instance]) -> Vec<String> {
        let (sighted, now) = (self.journal.with_records(Sighted::of), self.lab.clock.now());
        let listed = |id: &String| found.iter().any(|it| it.instance_id == *id);
        let vanished = |id: &&String| !listed(id) && sighted.is_gone(id, now) == Some(false);
        ids.iter().filter(vanished).cloned().collect()
    }

    /// A router that starts is asked once it has: the lock lies on its disk.
    pub(super) async fn wait_for_the_lock(&self, running: &[Instance]) {
        let starts = |it: &&Instance| {
            it.state == InstanceState::Pending && self.keeps_the_lock(&it.instance_id)
        };
        let Some(router) = running.iter().find(starts) else { return };
        let runs = self.settled(router).await.is_ok_and(|it| it.state == InstanceState::Running);
        if runs {
            // Where it does not answer, the lock cannot be read, and that is said there.
            let _ = self.answers(Node::RouterdCloud).await;
        }
    }

    /// The instance once it is neither starting nor stopping, or as it is when it has taken too long.
    pub(super) async fn settled(&self, instance: &Instance) -> Result<Instance, String> {
        let (clock, ids) = (self.lab.clock, [instance.instance_id.clone()]);
        let mut instance = instance.clone();
        let until = clock.now() + SETTLES;
        while instance.state.passes() && clock.now() < until {
            clock.sleep(LOOK).await;
            let found = self.lab.find_instances(&ids).await.map_err(|error| error.to_string())?;
            let listed = found.value.into_iter().next();
            instance = listed.ok_or("EC2 does not list it any more")?;
        }
        Ok(instance)
    }
}

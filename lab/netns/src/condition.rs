//! The condition in which earlier runs have left a lab: whether its instances run, rest, or are
//! gone for good.

use std::fmt;
use std::io;
use std::time::Duration;

use super::folder::Folder;
use super::open::{Netns, read_world, write_world};
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::cloud::InstanceState;
use lab_mock::world::World;

/// How a lab's instances stand, by its own EC2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Running,
    /// These are stopped, and can be started.
    Stopped(Vec<Node>),
    /// These are terminated: nothing brings them back.
    Terminated(Vec<Node>),
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopped(_) => "stopped",
            Self::Terminated(_) => "terminated",
        })
    }
}

impl Condition {
    fn of(world: &World) -> Self {
        let state = |node| world.cloud.instance_of(node).map(|instance| instance.state);
        let instances = [Node::RouterdCloud, Node::CloudClient];
        let are = |states: &[InstanceState]| -> Vec<Node> {
            let is = |node: &Node| state(*node).is_some_and(|it| states.contains(&it));
            instances.into_iter().filter(is).collect()
        };
        // One that EC2 has forgotten was terminated long ago.
        let mut gone = are(&[InstanceState::Terminated, InstanceState::ShuttingDown]);
        gone.extend(instances.into_iter().filter(|node| state(*node).is_none()));
        let resting = are(&[InstanceState::Stopped, InstanceState::Stopping]);
        match (gone.is_empty(), resting.is_empty()) {
            (false, _) => Self::Terminated(gone),
            (true, false) => Self::Stopped(resting),
            (true, true) => Self::Running,
        }
    }
}

/// A supervisor answers at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// # Errors
/// Where the lab's supervisor does not answer.
pub async fn read_condition(folder: &Folder) -> io::Result<Condition> {
    let world = Clock::System.timeout(ANSWERS_WITHIN, read_world(folder)).await;
    let world = world.map_err(|_| io::Error::other("the lab's supervisor does not answer"))??;
    Ok(Condition::of(&world))
}

/// A started instance answers within a second.
const UP_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Starts the stopped instances of a lab, as its owner does before he uses it again, and waits until
/// their nodes answer.
///
/// # Errors
/// Where the supervisor does not answer, or a node does not.
pub async fn start_instances(lab: &Netns, stopped: &[Node], clock: Clock) -> io::Result<()> {
    let mut world = read_world(&lab.folder).await?;
    for node in stopped {
        let id = world.cloud.instance_of(*node).map(|instance| instance.id.clone());
        let Some(instance) = id.and_then(|id| world.cloud.instances.get_mut(&id)) else { continue };
        (instance.state, instance.transition) = (InstanceState::Running, None);
        instance.changed_at = clock.now();
    }
    write_world(&lab.folder, &world).await?;
    for node in stopped {
        let up = async {
            while !answers(lab, *node).await {
                clock.sleep(LOOK_AGAIN_AFTER).await;
            }
        };
        let up = clock.timeout(UP_WITHIN, up).await;
        up.map_err(|_| io::Error::other(format!("{node} was started and does not answer")))?;
    }
    Ok(())
}

async fn answers(lab: &Netns, node: Node) -> bool {
    let said = lab.transport.run(node, &["true".to_owned()], b"").await;
    said.is_ok_and(|output| output.code == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_counts_more_than_what_rests() {
        use InstanceState::{Running, ShuttingDown, Stopped, Stopping, Terminated};
        let (router, client) = (Node::RouterdCloud, Node::CloudClient);
        let table = [
            (Running, Running, Condition::Running),
            (Stopped, Running, Condition::Stopped(vec![router])),
            (Stopped, Stopping, Condition::Stopped(vec![router, client])),
            (Stopped, Terminated, Condition::Terminated(vec![client])),
            (ShuttingDown, Running, Condition::Terminated(vec![router])),
        ];
        for (of_router, of_client, expected) in table {
            let mut world = lab_mock::world_of(7, chrono::DateTime::UNIX_EPOCH);
            for (node, state) in [(router, of_router), (client, of_client)] {
                let id = world.cloud.instance_of(node).expect("an instance").id.clone();
                world.cloud.instances.get_mut(&id).expect("it").state = state;
            }
            assert_eq!(Condition::of(&world), expected);
        }
        let mut world = lab_mock::world_of(7, chrono::DateTime::UNIX_EPOCH);
        world.cloud.instances.clear();
        assert_eq!(Condition::of(&world), Condition::Terminated(vec![router, client]));
    }
}

//! Wakes the lab's instances, stage by stage: each has a limit of its own, and stands in the journal with
//! how long it was waited for.

use std::time::Duration;

use lab::ec2::{Instance, InstanceState};
use lab::node::Node;
use lab::permit::Cost;
use lab::shell::Observe;
use reports::record::{Kind, NodeWoke, Outcome, StopChecked, StopTripped, WakeStage};
use scenarios::find_obstacles;
use scenarios::stops::CANNOT_BE_STOPPED;

use super::Engine;
use super::pending::{Hold, is_off};

/// How long started nodes may take until they answer, and the lab until it is what it was.
pub(super) const BOOT: Duration = Duration::from_mins(5);
/// How long an instance may take to stop, or to run: as long as EC2's own waiters give it.
const SETTLES: Duration = Duration::from_mins(10);
/// How long EC2 may take to show a running instance's address.
const ADDRESS: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_secs(5);

/// Whose instances rest, which says by what consent they are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resting {
    /// A run's that was parked.
    Parked,
    /// Of a lab that a run finds so.
    Found,
}

/// Whether something had to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woke {
    Nothing,
    Something,
}

/// A wake that took longer leaves the first node's switch too little time for what comes then.
const LONG_WAKE: Duration = Duration::from_mins(2);

impl Engine<'_> {
    /// Starts what rests and waits until it answers; the lock is read as soon as its node can be asked.
    /// Fails where the lab is held or does not come up: nothing else was done then.
    pub(super) async fn wake(&self, resting: Resting) -> Result<Woke, String> {
        let ids = self.instance_ids();
        let answer = self.lab.reader.instances(&ids).await.map_err(|error| error.to_string())?;
        let runs = |it: &Instance| it.state == InstanceState::Running;
        let asleep: Vec<&Instance> = answer.value.iter().filter(|it| !runs(it)).collect();
        let woke = if asleep.is_empty() { Woke::Nothing } else { Woke::Something };
        if (woke, resting) == (Woke::Nothing, Resting::Found) {
            return Ok(woke);
        }
        if woke == Woke::Something {
            self.can_be_stopped_again().await?;
        }
        let (routers, others): (Vec<&Instance>, Vec<&Instance>) =
            asleep.into_iter().partition(|it| self.keeps_the_lock(&it.instance_id));
        // The lock lies on the router's disk: a router that sleeps has to be woken to be asked.
        for router in routers {
            self.wake_by(router, resting).await?;
        }
        let since = self.lab.clock.stopwatch();
        self.reaches(Node::RouterdCloud, woke).await?;
        self.free().await?;
        self.guard_node(Node::RouterdCloud).await?;
        for other in others {
            self.free().await?;
            self.wake_by(other, resting).await?;
        }
        for node in Node::ALL {
            self.reaches(node, woke).await?;
            if node != Node::RouterdCloud {
                self.guard_node(node).await?;
            }
        }
        if woke == Woke::Something {
            for node in Node::ALL {
                self.comes_in_time(node).await?;
            }
        }
        // Who came first has waited for the others.
        if since.elapsed() >= LONG_WAKE {
            self.renew_switches().await;
        }
        Ok(woke)
    }

    /// Before anything is started: what EC2 alone can say against the run, and above all that what is
    /// started can be stopped again (hard stop 7). The run goes on as it was once that is settled.
    async fn can_be_stopped_again(&self) -> Result<(), String> {
        let not = |why: String| Err(format!("nothing was started: {why}"));
        let found = match find_obstacles(self.lab).await {
            Ok(found) => found,
            Err(error) => return not(error.to_string()),
        };
        let unstoppable = found.unstoppable.filter(|_| !is_off(&self.run, &CANNOT_BE_STOPPED));
        let (stop, detector) = (CANNOT_BE_STOPPED.stop, CANNOT_BE_STOPPED.name.to_owned());
        let scenario = "preflight".to_owned();
        self.record(Kind::StopChecked(StopChecked {
            stop,
            detector: detector.clone(),
            scenario: scenario.clone(),
        }));
        if let Some(reason) = unstoppable {
            let resource = self.instance_ids().join(", ");
            self.record(Kind::StopTripped(StopTripped {
                stop,
                detector,
                scenario,
                reason: reason.clone(),
                resource,
            }));
            return not(reason);
        }
        if found.others.is_empty() { Ok(()) } else { not(found.others.join("; ")) }
    }

    async fn free(&self) -> Result<(), String> {
        match self.read_lock().await {
            Hold::Free => Ok(()),
            Hold::Taken(why) => Err(format!("{why}; nothing else was touched")),
        }
    }

    /// Starts one that this run, or an earlier process of it, has stopped.
    pub(super) async fn wake_one(&self, instance: &Instance) -> Result<(), String> {
        self.wake_by(instance, Resting::Parked).await
    }

    async fn wake_by(&self, instance: &Instance, resting: Resting) -> Result<(), String> {
        let id = &instance.instance_id;
        let not = |why: String| format!("{id} is {} and was not started: {why}", instance.state);
        let permit = match resting {
            Resting::Parked => Cost::to_start(&self.lab.manifest, instance),
            Resting::Found => Cost::to_start_found(&self.lab.manifest, instance),
        };
        let permit = permit.map_err(|refused| not(refused.to_string()))?;
        if instance.state == InstanceState::Stopping {
            let rests = |it: &Instance| it.state != InstanceState::Stopping;
            self.comes_to(id, WakeStage::AtRest, SETTLES, rests).await?;
        }
        match self.lab.start_instance(&permit, self.journal, "preflight").await {
            Ok(acted) if acted.outcome == Outcome::Done => {}
            Ok(acted) => return Err(not(acted.detail)),
            Err(error) => return Err(not(error.to_string())),
        }
        let runs = |it: &Instance| it.state == InstanceState::Running;
        self.comes_to(id, WakeStage::Running, SETTLES, runs).await?;
        let addressed = |it: &Instance| it.private_address.is_some();
        self.comes_to(id, WakeStage::Addressed, ADDRESS, addressed).await
    }

    /// Looks at the instance until it is so. One that EC2 does not list is not so yet.
    async fn comes_to(
        &self,
        id: &str,
        stage: WakeStage,
        limit: Duration,
        is_so: impl Fn(&Instance) -> bool,
    ) -> Result<(), String> {
        let node = self.node_of(id);
        let ids = [id.to_owned()];
        self.until(node, stage, limit, async || {
            let found = self.lab.reader.instances(&ids).await.map_err(|error| error.to_string())?;
            match found.value.first() {
                Some(instance) if is_so(instance) => Ok(()),
                Some(instance) => Err(Waits::Longer(format!("{id} is {}", instance.state))),
                None => Err(Waits::Longer(format!("EC2 does not list {id}"))),
            }
        })
        .await
        .map_err(|why| format!("{id} did not come to `{}`: {why}", stage.as_str()))
    }

    async fn reaches(&self, node: Node, woke: Woke) -> Result<(), String> {
        let since = self.lab.clock.stopwatch();
        let answered = self.answers(node).await;
        if woke == Woke::Something {
            let why_not = answered.as_ref().err().cloned();
            self.note_stage(Some(node), WakeStage::Reached, since.elapsed(), why_not);
        }
        answered
    }

    /// Waits until the node's sshd answers with the pinned key. Another key is no matter of time.
    pub(super) async fn answers(&self, node: Node) -> Result<(), String> {
        let clock = self.lab.clock;
        let until = clock.now() + BOOT;
        loop {
            let said = match self.lab.shell.observe(node, &Observe::hostname()).await {
                Ok(answer) => match answer.value {
                    Ok(_) => return Ok(()),
                    Err(unread) => unread.into_words(),
                },
                Err(error) if error.why.other_host_key().is_some() => {
                    return Err(format!(
                        "{node} is not the machine whose host key is pinned: {error}"
                    ));
                }
                Err(error) => error.to_string(),
            };
            if clock.now() >= until {
                return Err(format!("{node} does not answer: {said}"));
            }
            clock.sleep(LOOK).await;
        }
    }

    /// A guest that was just woken is off until its time daemon has stepped its clock.
    async fn comes_in_time(&self, node: Node) -> Result<(), String> {
        let tolerance_ms = self.lab.manifest.limits.clock_skew_ms;
        let tolerance =
            chrono::TimeDelta::milliseconds(i64::try_from(tolerance_ms).unwrap_or(i64::MAX));
        let clock = self.lab.clock;
        self.until(Some(node), WakeStage::InTime, BOOT, async || {
            let before = clock.now();
            let told = self.lab.shell.observe(node, &Observe::clock()).await;
            let way = clock.now() - before;
            let told = told.map_err(|error| Waits::Longer(error.to_string()))?;
            let time = told.value.map_err(|unread| Waits::InVain(unread.to_string()))?;
            let offset = (time - (before + way / 2)).abs();
            if offset <= tolerance + way / 2 {
                return Ok(());
            }
            Err(Waits::Longer(format!("its clock is {} ms off", offset.num_milliseconds())))
        })
        .await
        .map_err(|why| format!("{node} did not come to the right time: {why}"))
    }

    /// Asks until it is so, or the stage's limit is over, and records which.
    async fn until(
        &self,
        node: Option<Node>,
        stage: WakeStage,
        limit: Duration,
        look: impl AsyncFn() -> Result<(), Waits>,
    ) -> Result<(), String> {
        let since = self.lab.clock.stopwatch();
        let came = loop {
            match look().await {
                Ok(()) => break Ok(()),
                Err(Waits::InVain(why)) => break Err(why),
                Err(Waits::Longer(why)) if since.elapsed() >= limit => break Err(why),
                Err(Waits::Longer(_)) => {}
            }
            self.lab.clock.sleep(LOOK.min(limit)).await;
        };
        self.note_stage(node, stage, since.elapsed(), came.as_ref().err().cloned());
        came
    }

    pub(super) fn note_stage(
        &self,
        node: Option<Node>,
        stage: WakeStage,
        waited: Duration,
        why_not: Option<String>,
    ) {
        self.record(Kind::NodeWoke(NodeWoke {
            node: node.map(|node| node.to_string()),
            stage,
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            why_not,
        }));
    }

    fn node_of(&self, instance_id: &str) -> Option<Node> {
        let mut nodes = self.lab.manifest.nodes.iter();
        nodes.find(|(_, it)| it.instance_id.as_deref() == Some(instance_id)).map(|(node, _)| *node)
    }
}

/// Why it is not so: it may be later, or it never will be.
enum Waits {
    Longer(String),
    InVain(String),
}

impl From<String> for Waits {
    fn from(why: String) -> Self {
        Self::Longer(why)
    }
}

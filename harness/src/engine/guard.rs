//! The dead man's switch in the life of a run: armed before a wait and after a wake, renewed with the lease,
//! disarmed last. Between a start and the first answer of its node nothing but this process holds the clock:
//! the evidence says for how long, as the wake's stage `guarded`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lab::act::LockState;
use lab::ec2::{Instance, InstanceState};
use lab::manifest::Instances;
use lab::node::Node;
use reports::effect::Power;
use reports::record::{InstancesFound, Kind, WakeStage};
use scenarios::switch::{self, Arming};

use super::pending::{Hold, Meanwhile, Pending};
use super::standing::{Standing, read_standing};
use super::{Engine, Judgement};

/// Who holds the clock of a node's cost.
enum ClockHolder {
    Switch,
    /// Nothing else, and why.
    Process(String),
}

impl Engine<'_> {
    /// Arms what runs before the owner is waited for. Fails where an instance that the run may stop cannot
    /// be armed: the wait is not entered then.
    pub(super) async fn guard_the_wait(&self, pending: &Pending) -> Result<(), String> {
        if pending.wait.is_none() || pending.meanwhile == Meanwhile::LeaveRunning {
            return Ok(());
        }
        let found = self.lab.find_instances(&self.instance_ids()).await;
        let found = found.map_err(|error| error.to_string())?.value;
        self.arm_switches(&found, self.lab.switch_times().waiting).await.map(drop)
    }

    /// Arms a node that was woken, as soon as it answers, and says how long nothing but this process held
    /// the clock.
    pub(super) async fn guard_node(&self, node: Node) -> Result<(), String> {
        let entry = self.lab.manifest.nodes.get(&node);
        let Some(id) = entry.and_then(|node| node.instance_id.clone()) else { return Ok(()) };
        let guarded = async {
            let found = self.lab.find_instances(std::slice::from_ref(&id)).await;
            let found = found.map_err(|error| error.to_string())?.value;
            self.arm_switches(&found, self.lab.switch_times().working).await
        };
        let guarded = guarded.await;
        let why_not = match &guarded {
            Ok(ClockHolder::Switch) => None,
            Ok(ClockHolder::Process(why)) | Err(why) => Some(why.clone()),
        };
        if let Some(since) = self.find_unguarded_start(node, &id) {
            let unguarded = (self.lab.clock.now() - since).to_std().unwrap_or_default();
            self.note_stage(Some(node), WakeStage::Guarded, unguarded, why_not);
        }
        guarded.map(drop)
    }

    /// When the instance was started last, where nothing has been said since of its switch.
    fn find_unguarded_start(&self, node: Node, id: &str) -> Option<DateTime<Utc>> {
        self.journal.with_records(|records| {
            let mut since = None;
            for record in records {
                match &record.kind {
                    Kind::Intent(it) if it.effect.power() == Some((id, Power::On)) => {
                        since = Some(record.at);
                    }
                    Kind::NodeWoke(it)
                        if it.stage == WakeStage::Guarded
                            && it.node.as_deref() == Some(node.as_str()) =>
                    {
                        since = None;
                    }
                    _ => {}
                }
            }
            since
        })
    }

    /// The first act of a recovery. Where nothing can be armed it goes on: it is what ends the cost.
    pub(super) async fn guard_the_recovery(&self) {
        let ids = self.instance_ids();
        if ids.is_empty() {
            return;
        }
        let Ok(found) = self.lab.find_instances(&ids).await else { return };
        let costing = found.value.iter().filter(|it| it.state.costs());
        let costing = costing.map(|it| it.instance_id.clone()).collect();
        let types = found.value.iter().map(|it| (it.instance_id.clone(), it.instance_type.clone()));
        let types = types.collect();
        self.record(Kind::InstancesFound(InstancesFound { costing, types }));
        if let Err(why) = self.arm_switches(&found.value, self.lab.switch_times().working).await {
            tracing::warn!(why, "recovery goes on without a dead man's switch");
        }
    }

    /// Another run's instances are its own to guard; where nobody can tell whose they are, nothing is
    /// touched either.
    async fn arm_switches(
        &self,
        instances: &[Instance],
        deadline: std::time::Duration,
    ) -> Result<ClockHolder, String> {
        let runs = |it: &Instance| it.state == InstanceState::Running;
        if !instances.iter().any(runs) {
            return Ok(ClockHolder::Process("EC2 does not say that it runs".to_owned()));
        }
        if let Hold::Taken(why) = self.read_lock().await {
            return Ok(ClockHolder::Process(why));
        }
        let armed =
            switch::arm_these(self.lab, &self.run, self.journal, "preflight", deadline, instances);
        match armed.await {
            Arming::Armed(_) => Ok(ClockHolder::Switch),
            Arming::Nothing(why) => Ok(ClockHolder::Process(why.to_owned())),
            Arming::Held(holder) => {
                Ok(ClockHolder::Process(format!("the lab is held by {holder}")))
            }
            Arming::Failed(why) => Err(format!("no dead man's switch: {why}")),
        }
    }

    /// Renews what this process armed.
    pub(super) async fn renew_switches(&self) {
        self.renew_switches_for(self.lab.switch_times().working).await;
    }

    pub(super) async fn renew_switches_for(&self, deadline: std::time::Duration) {
        if self.run.state.borrow().switches.is_empty() {
            return;
        }
        let came = switch::renew_all(self.lab, &self.run, self.journal, "gate", deadline).await;
        if let Arming::Failed(why) = came {
            tracing::error!(why, "a dead man's switch could not be renewed");
        }
    }

    /// Disarms what is to go on running, as the last thing of all; what could not be is left. A switch ends
    /// with its instance, and where one runs that should not, it is all that stops it.
    pub(super) async fn disarm(&self) {
        let armed: Vec<String> = {
            let state = self.run.state.borrow();
            state.switches.iter().map(|it| it.instance_id().to_owned()).collect()
        };
        let ends = self.lab.manifest.teardown.instances != Instances::Keep;
        if armed.is_empty() || (self.run.state.borrow().burnt && ends) {
            return;
        }
        // By another run's lock they are its own to guard.
        if matches!(self.lab.lock_state(&self.run.id).await, LockState::Other(_)) {
            return;
        }
        let listed = self.listed().unwrap_or_default().items;
        let found = self.lab.find_instances(&armed).await;
        let stays = |id: &str| {
            let runs = found.as_ref().map_or(true, |found| {
                let mut found = found.value.iter().filter(|it| it.instance_id == id);
                found.next().is_none_or(|it| it.state == InstanceState::Running)
            });
            runs && !listed.iter().any(|item| item.id == id)
        };
        self.run.state.borrow_mut().switches.retain(|it| stays(it.instance_id()));
        let left = switch::disarm_all(self.lab, &self.run, self.journal).await;
        if !left.is_empty() {
            self.list_left(left);
        }
    }

    /// Says in the journal that the switch has stopped what ran while nobody looked: the run is parked.
    pub(super) async fn note_rest(&self) {
        let unseen = self.journal.with_records(|records| {
            let armed = |kind: &Kind| {
                matches!(kind, Kind::Intent(it) if it.effect.switched_instance().is_some())
            };
            records.iter().any(|record| armed(&record.kind))
                && read_standing(records) == Standing::AwaitingGo
        });
        if unseen && !self.something_runs().await {
            let none = InstancesFound { costing: Vec::new(), types: BTreeMap::new() };
            self.record(Kind::InstancesFound(none));
        }
    }

    /// Whoever cannot be guarded is not waited for.
    pub(super) async fn stay_unguarded(&self, pending: &Pending, why: String) -> Judgement {
        let mut judgement = self.stay_pending(pending).await;
        judgement.reasons.push(format!("nobody was waited for: {why}"));
        judgement
    }
}

//! Goes on with a run whose go was awaited: what can be judged offline first, so that nothing is
//! started for a go that is not good; then the lab as preflight finds it now.

use std::time::Duration;

use lab::ec2::{Instance, InstanceState};
use lab::node::Node;
use lab::permit::Cost;
use lab::shell::Observe;
use reports::record::{Kind, Outcome, StopArmed, StopChecked, StopTripped, Verdict};
use reports::verdict::ExitCode;
use scenarios::find_obstacles;
use scenarios::resume::rebuild_state;
use scenarios::stops::{CANNOT_BE_STOPPED, WAITED_TOO_LONG};

use super::pending::{Came, Hold, Meanwhile, Parts, Pending, before_the_gate, is_off};
use super::recover::PLUGIN_TIMEOUT;
use super::standing::{Standing, find_run_started, read_standing};
use super::{
    Announcement, Brake, Engine, Judgement, Lab, Selection, Waiting, Writer, capture_steps,
    change_set,
};

/// Which run it is.
#[derive(Clone, Debug)]
pub struct Resumed {
    pub run_id: String,
    pub selection: Selection,
}

/// How long started nodes may take until they answer.
const BOOT: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_secs(5);

pub async fn resume_sequence(
    lab: &Lab,
    pending: &Pending,
    journal: &Writer,
    brake: Brake,
    resumed: &Resumed,
    announce: &mut dyn FnMut(Announcement),
) -> Judgement {
    let change_set = change_set(lab, &resumed.run_id);
    let steps = capture_steps(&change_set);
    let state = journal.with_records(|records| rebuild_state(records, &steps));
    let parts = Parts { change_set, steps, state, selection: &resumed.selection, brake };
    Engine::awaiting(lab, pending, journal, parts, announce).resume(pending).await
}

impl Engine<'_> {
    async fn resume(&self, pending: &Pending) -> Judgement {
        self.hear_from_below();
        self.arm(pending.meanwhile);
        if pending.wait.is_some() {
            match self.wait_for_go(pending).await {
                Came::Go => {}
                Came::TooDear => return self.end_too_dear().await,
                Came::Nothing | Came::Refused => return self.stay_pending(pending).await,
            }
        }
        match self.judge_offline(pending) {
            Came::Go => {}
            Came::Refused => return self.stay_pending(pending).await,
            Came::Nothing | Came::TooDear => return self.without_go(pending).await,
        }
        self.lab.reconcile(self.journal, PLUGIN_TIMEOUT).await;
        if let Err(why) = Box::pin(self.wake()).await {
            // What was started for nothing is stopped again, unless the lab is another run's.
            let judgement = self.stay_pending(pending).await;
            let said = judgement.verdict == Verdict::Unavailable;
            return if said { judgement } else { self.unusable(why) };
        }
        self.forward(before_the_gate()).await;
        if self.run.brake.pulled() && self.journal.with_records(read_standing).pending() {
            return self.stay_pending(pending).await;
        }
        if !self.asks() {
            return self.end_unasked(pending).await;
        }
        self.pass_the_gate(pending).await
    }

    /// Says where stop 7 is another way than the run was begun with, or resumed with before; and where
    /// an earlier command could not use the lab, that this one tries again.
    pub(super) fn arm(&self, meanwhile: Meanwhile) {
        let stop = WAITED_TOO_LONG.stop;
        let reason = Waiting::Owner(meanwhile).disarmed().map(str::to_owned);
        let armed = StopArmed { stop, armed: reason.is_none(), reason };
        let is = self.journal.with_records(|records| {
            let later = records.iter().rev().find_map(|record| match &record.kind {
                Kind::StopArmed(it) if it.stop == stop => Some(it.armed),
                _ => None,
            });
            let declared = || find_run_started(records)?.stops.iter().find(|it| it.number == stop);
            later.or_else(|| declared().map(|it| it.armed))
        });
        let tries_again = self.journal.with_records(|records| {
            records.iter().any(|record| matches!(record.kind, Kind::LabUnavailable(_)))
        });
        if tries_again || is != Some(armed.armed) {
            self.record(Kind::StopArmed(armed));
        }
    }

    /// An earlier go that was refused is no answer to who gives none now.
    pub(super) async fn without_go(&self, pending: &Pending) -> Judgement {
        let judgement = self.stay_pending(pending).await;
        if judgement.exit_code != ExitCode::Stopped.number() {
            return judgement;
        }
        let parked = self.journal.with_records(read_standing) == Standing::Parked;
        Judgement {
            verdict: if parked { Verdict::Parked } else { Verdict::AwaitingGo },
            exit_code: ExitCode::Pending.number(),
            reasons: [vec!["the owner's go is awaited".to_owned()], judgement.reasons].concat(),
        }
    }

    /// Starts what was parked and waits until it answers; the lock is read as soon as its node can
    /// be asked. Fails where the lab is held or does not come up: nothing else was done then.
    pub(super) async fn wake(&self) -> Result<(), String> {
        let ids = self.instance_ids();
        let answer = self.lab.reader.instances(&ids).await.map_err(|error| error.to_string())?;
        let runs = |it: &Instance| it.state == InstanceState::Running;
        let asleep: Vec<&Instance> = answer.value.iter().filter(|it| !runs(it)).collect();
        if !asleep.is_empty() {
            self.can_be_stopped_again().await?;
        }
        let (routers, others): (Vec<&Instance>, Vec<&Instance>) =
            asleep.into_iter().partition(|it| self.keeps_the_lock(&it.instance_id));
        // The lock lies on the router's disk: a router that sleeps has to be woken to be asked.
        for router in routers {
            self.wake_one(router).await?;
        }
        self.answers(Node::RouterdCloud).await?;
        self.free().await?;
        for other in others {
            self.free().await?;
            self.wake_one(other).await?;
        }
        for node in Node::ALL {
            self.answers(node).await?;
        }
        Ok(())
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

    pub(super) async fn wake_one(&self, instance: &Instance) -> Result<(), String> {
        let id = &instance.instance_id;
        let not = |why: String| format!("{id} is {} and was not started: {why}", instance.state);
        let permit = Cost::to_start(&self.lab.manifest, instance)
            .map_err(|refused| not(refused.to_string()))?;
        match self.lab.start_instance(&permit, self.journal, "preflight").await {
            Ok(acted) if acted.outcome == Outcome::Done => Ok(()),
            Ok(acted) => Err(not(acted.detail)),
            Err(error) => Err(not(error.to_string())),
        }
    }

    pub(super) async fn answers(&self, node: Node) -> Result<(), String> {
        let clock = self.lab.clock;
        let until = clock.now() + BOOT;
        loop {
            let said = match self.lab.shell.observe(node, &Observe::hostname()).await {
                Ok(answer) if answer.value.code == 0 => return Ok(()),
                Ok(answer) => String::from_utf8_lossy(&answer.value.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            if clock.now() >= until {
                return Err(format!("{node} does not answer: {said}"));
            }
            clock.sleep(LOOK).await;
        }
    }
}

/// The selection as the run was begun with.
pub fn read_selection(records: &[reports::record::Record]) -> Option<Selection> {
    let Kind::RunStarted(started) = &records.first()?.kind else { return None };
    let part = |scenario: &scenarios::Scenario| {
        let declared = started.scenarios.iter().find(|it| it.name == scenario.name);
        declared.map(|it| (scenario.name, it.part))
    };
    let parts: Option<Vec<_>> = super::SEQUENCE.iter().map(part).collect();
    Some(Selection { filter: started.filter.clone(), parts: parts? })
}

//! Brings a dead, pending or parked run to its end, from its journal alone: what was begun is taken
//! back, what costs is stopped, and whatever is left is named.

use std::time::Duration;

use lab::act::{LockState, Proving};
use lab::ec2::{Instance, InstanceState};
use lab::node::Node;
use lab::permit::Cost;
use reports::operation::Torn;
use reports::record::{
    Kind, Outcome, ProofSought, Record, RecoveryStarted, ResidueItem, ResidueListed,
};
use reports::shown::read_shown;
use scenarios::stops::OTHER_ACCOUNT;
use scenarios::{RESERVE_BYTES, resume, unsaid, watch};

use super::pending::Hold;
use super::{
    Announcement, Brake, Engine, GoSource, Judgement, Lab, Part, PlanSource, Rc, RefCell, Run,
    SEQUENCE, Selection, Writer, capture_steps, change_set, judge_ending,
};

/// Where nobody can be asked any more how long an executor may be at work.
pub(super) const PLUGIN_TIMEOUT: Duration = Duration::from_mins(2);

/// Nobody asks for a go any more.
struct NoGo;

impl GoSource for NoGo {
    fn go<'a>(
        &'a self,
        _expected: &'a reports::go::Expectation,
    ) -> futures::future::LocalBoxFuture<'a, Option<scenarios::run::Go>> {
        Box::pin(std::future::ready(None))
    }
}

/// Recovers the run of this journal on its lab, and appends everything, run-finished included.
pub async fn recover_from_journal(
    lab: &Lab,
    journal: &Writer,
    run_id: &str,
    announce: &mut dyn FnMut(Announcement),
) -> Judgement {
    journal.reserve_for_the_end(RESERVE_BYTES);
    let why = "the run did not come to its end".to_owned();
    if let Err(error) =
        journal.append_synced(lab.clock.now(), Kind::RecoveryStarted(RecoveryStarted { why }))
    {
        tracing::error!(%error, "recovery goes on without its record");
    }
    let change_set = change_set(lab, run_id);
    let steps = capture_steps(&change_set);
    let state = journal.with_records(|records| resume::rebuild_state(records, &steps));
    let brake = Brake::default();
    brake.pull();
    let parts = SEQUENCE.iter().map(|scenario| (scenario.name, Part::Judged)).collect();
    let selection = Selection { filter: None, parts };
    let engine = Engine {
        lab,
        journal,
        run: Run {
            id: run_id.to_owned(),
            change_set,
            steps,
            plan_source: PlanSource::Planner,
            brake,
            #[cfg(feature = "sabotage")]
            detector_off: lab.detector_off(),
            go: Rc::new(NoGo),
            state: RefCell::new(state),
        },
        selection: &selection,
        announce: RefCell::new(announce),
        ended: RefCell::default(),
        renewing: futures::lock::Mutex::default(),
    };
    engine.hear_from_below();
    let work = async {
        Box::pin(engine.guard_the_recovery()).await;
        let woken = Box::pin(engine.wake_what_is_needed()).await;
        engine.look_again().await;
        engine.prove(woken.as_ref().err()).await;
        let ended = Box::pin(engine.end_what_was_begun()).await;
        for instance in woken.iter().flatten() {
            engine.let_it_rest(instance).await;
        }
        ended
    };
    match engine.while_renewing(Box::pin(work)).await {
        Ok(()) => {
            Box::pin(engine.disarm()).await;
            engine.finish()
        }
        // The run is not closed: whoever holds the lab may give it back.
        Err(held) => engine.unusable(held),
    }
}

impl Engine<'_> {
    /// What the switch or hard stop 7 has stopped is woken where something is left to do: routerd-cloud has
    /// the burn that proves the go, and what is to be undone; the others are asked whether all is as it
    /// was. Answers what was woken, and why routerd-cloud could not be.
    async fn wake_what_is_needed(&self) -> Result<Vec<Instance>, String> {
        let left = self.journal.with_records(something_is_left);
        if !self.run.state.borrow().burnt || !left {
            return Ok(Vec::new());
        }
        let restored = self.journal.with_records(|records| resume::has_passed(records, "restored"));
        let Ok(answer) = self.lab.find_instances(&self.instance_ids()).await else {
            return Ok(Vec::new());
        };
        let rests = |it: &Instance| {
            let rests = matches!(it.state, InstanceState::Stopping | InstanceState::Stopped);
            rests && (!restored || self.keeps_the_lock(&it.instance_id))
        };
        let asleep: Vec<Instance> = answer.value.into_iter().filter(rests).collect();
        let (routers, others): (Vec<Instance>, Vec<Instance>) =
            asleep.into_iter().partition(|it| self.keeps_the_lock(&it.instance_id));
        let mut woken = Vec::new();
        for router in routers {
            self.wake_one(&router).await?;
            self.answers(Node::RouterdCloud).await?;
            self.guarded(Node::RouterdCloud).await;
            woken.push(router);
        }
        for other in others {
            if matches!(self.lab.lock_state(&self.run.id).await, LockState::Other(_)) {
                break;
            }
            if let Err(why) = self.wake_other(&other).await {
                tracing::error!(why, "recovery goes on without a node that cannot be woken");
            }
            woken.push(other);
        }
        Ok(woken)
    }

    async fn wake_other(&self, instance: &Instance) -> Result<(), String> {
        self.wake_one(instance).await?;
        let nodes = self.lab.manifest.nodes.iter();
        let is = |id: &Option<String>| id.as_ref() == Some(&instance.instance_id);
        for (node, _) in nodes.filter(|(_, entry)| is(&entry.instance_id)) {
            self.answers(*node).await?;
            self.guarded(*node).await;
        }
        Ok(())
    }

    /// A recovery goes on where a node cannot be guarded: it is what ends the cost.
    async fn guarded(&self, node: Node) {
        if let Err(why) = self.guard_node(node).await {
            tracing::warn!(why, "recovery goes on without a dead man's switch");
        }
    }

    /// Stops again what was woken for the proof alone.
    async fn let_it_rest(&self, router: &Instance) {
        let id = &router.instance_id;
        let planned = self.run.planned_steps();
        let ends = planned.iter().any(|step| {
            step.operation.torn() == Some(Torn::Instance) && step.operation.resource() == id
        });
        if ends || !matches!(self.read_lock().await, Hold::Free) {
            return;
        }
        if let Err(why) = self.stop_one(router).await {
            let item = describe_left_instance(
                &self.lab.manifest,
                id,
                format!("it was started to be asked: {why}"),
            );
            self.list_left(vec![item]);
        }
    }

    /// Looks again at what became of what the run began, and at what is there of it.
    async fn look_again(&self) {
        let executor = resume::read_executor(self.lab).await;
        let timeout = executor.as_ref().map_or(PLUGIN_TIMEOUT, |it| it.timeout);
        self.lab.reconcile(self.journal, timeout).await;
        let steps = &self.run.steps;
        let mut state = self.journal.with_records(|records| resume::rebuild_state(records, steps));
        state.executor = executor;
        if state.burnt && state.rows.is_none() {
            state.rows = resume::find_own_rows(self.lab, steps).await;
        }
        // The journal may say that it was given back; what lies on the node says whether it was.
        if matches!(self.lab.lock_state(&self.run.id).await, LockState::Own(_)) {
            state.lock_taken = true;
        }
        let mut known = self.run.state.borrow_mut();
        // What this process has armed, it disarms in the end.
        state.switches = std::mem::take(&mut known.switches);
        *known = state;
    }

    /// Asks again for the proof that the owner granted what is about to be ended.
    async fn prove(&self, asleep: Option<&String>) {
        if !self.run.state.borrow().burnt {
            return;
        }
        let proving = self.lab.prove_go(self.journal).await;
        let outcome = proving.outcome();
        let mut state = self.run.state.borrow_mut();
        let why = match proving {
            Proving::Proved(proof, _) => {
                state.proof = Some(proof);
                String::new()
            }
            Proving::NeverBurnt => {
                state.burnt = false;
                String::new()
            }
            Proving::NotProved(why) => {
                let why = asleep.map_or_else(|| why.clone(), |asleep| format!("{why}; {asleep}"));
                state.unproved = Some(why.clone());
                why
            }
        };
        drop(state);
        self.record(Kind::ProofSought(ProofSought { outcome, why }));
    }

    /// Fails where another run holds the lab and nothing of this run is in it: nothing is touched.
    pub(super) async fn end_what_was_begun(&self) -> Result<(), String> {
        if !self.run.state.borrow().burnt {
            let lock = self.release_lock().await;
            return Box::pin(self.stop_what_costs(lock)).await;
        }
        #[cfg(feature = "sabotage")]
        super::sabotage::before_the_undo(self).await;
        // A run that was seen restored may have been torn down since: its nodes may be gone.
        let restored = self.journal.with_records(|records| resume::has_passed(records, "restored"));
        for scenario in SEQUENCE.iter().filter(|it| it.leg == scenarios::Leg::Back) {
            match scenario.name {
                "undo" | "restored" if restored => {}
                "teardown" => {
                    self.release_lock().await;
                    self.run_one(scenario).await;
                }
                _ => {
                    self.run_one(scenario).await;
                }
            }
        }
        Ok(())
    }

    /// Stops the instances of a run that never burnt its go: the lab is as it was, and its instances need not
    /// run. The lock is read before each is stopped: another run may hold the lab by now. `lock` is this
    /// run's own, where it is left.
    async fn stop_what_costs(&self, lock: Option<ResidueItem>) -> Result<(), String> {
        #[cfg(feature = "sabotage")]
        if super::sabotage::leaves_it_running(self) {
            return Ok(());
        }
        // Before the node is stopped that may tell.
        let mut items = unsaid::list_unsaid_items(self.lab, &self.run).await;
        items.extend(Box::pin(watch::left_by_nobody(self.lab, self.journal)).await);
        if self.something_runs().await {
            items.extend(self.stop_all().await?);
        }
        items.extend(lock);
        self.record(Kind::ResidueListed(ResidueListed { items, kept: Vec::new() }));
        Ok(())
    }

    /// Nothing is touched with the identity of another account (hard stop 8).
    fn of_another_account(&self) -> bool {
        self.journal.with_records(|records| {
            records.iter().any(|record| {
                matches!(&record.kind, Kind::StopTripped(stop)
                    if stop.detector == OTHER_ACCOUNT.name)
            })
        })
    }

    pub(super) async fn stop_one(&self, instance: &lab::ec2::Instance) -> Result<(), String> {
        if self.of_another_account() {
            return Err("the operator's identity is of another account".to_owned());
        }
        let permit =
            Cost::to_stop(&self.lab.manifest, instance).map_err(|refused| refused.to_string())?;
        match self.lab.stop_instance(&permit, self.journal, "preflight").await {
            Ok(acted) if acted.outcome == Outcome::Done => Ok(()),
            Ok(acted) => Err(acted.detail),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Whether the run was not seen restored, or a step of its plan that destroys something was not seen
/// to be done.
fn something_is_left(records: &[Record]) -> bool {
    if !resume::has_passed(records, "restored") {
        return true;
    }
    let steps = read_shown(records).ok().and_then(|shown| shown.granted_plan());
    let mut steps = steps.iter().flat_map(|plan| &plan.steps);
    let done = |step: &str| {
        let tried = records.iter().filter_map(|record| match &record.kind {
            Kind::Intent(it) if it.undo.as_deref() == Some(step) => Some(it.id.as_str()),
            _ => None,
        });
        let tried: Vec<&str> = tried.collect();
        records.iter().any(|record| {
            matches!(&record.kind, Kind::Outcome(it)
                if it.outcome == Outcome::Done && tried.contains(&it.intent.as_str()))
        })
    };
    steps.any(|step| step.operation.destroys() && !done(&step.id))
}

pub(super) fn describe_left_instance(
    manifest: &lab::manifest::Manifest,
    id: &str,
    why: String,
) -> ResidueItem {
    let region = &manifest.aws.region;
    ResidueItem {
        resource: "instance".to_owned(),
        id: id.to_owned(),
        why,
        costs_money: true,
        owner_commands: vec![format!(
            "aws ec2 stop-instances --instance-ids {id} --region {region}"
        )],
    }
}

/// The judgement that a recovery that came to its end answers again, touching nothing.
pub fn repeat_judgement(journal: &Writer) -> Option<Judgement> {
    journal.with_records(|records| {
        let ended = records.iter().any(|it| matches!(it.kind, Kind::RunFinished(_)));
        ended.then(|| judge_ending(records))
    })
}

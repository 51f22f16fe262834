//! Waiting for the owner: until the go is there, the wait is over, or hard stop 7 trips. Whoever
//! stops waiting stops what costs, so that nothing runs while nobody looks.

use std::rc::Rc;
use std::time::Duration;

use lab::act::LockState;
use lab::node::Node;
use reports::record::{
    GoRefused, Kind, LabUnavailable, ResidueItem, ScenarioStatus, StopChecked, StopTripped,
};
use reports::verdict::{ExitCode, judge_journal};
use scenarios::gate;
use scenarios::stops::{CEILING, Detector, WAITED_TOO_LONG};
use scenarios::switch::Guarding;
use scenarios::watch;

use super::recover::describe_left_instance;
use super::standing::read_standing;
use super::{
    Announcement, Brake, CaptureStep, ChangeSet, Engine, GoSource, Judgement, Lab, PlanSource,
    RefCell, Run, RunState, SEQUENCE, Scenario, Selection, Settings, Waiting, Writer,
    capture_steps, change_set, declared_stops, judge_ending,
};
use crate::grant::{FoundGo, OwnersFiles};

/// The fate of running instances while the owner decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// They are stopped when nobody waits any more, or after ten minutes (hard stop 7).
    Park,
    LeaveRunning,
}

/// How the owner's go is waited for.
#[derive(Clone, Debug)]
pub struct Pending {
    pub files: OwnersFiles,
    /// None: the command ends at once, without looking for one.
    pub wait: Option<Duration>,
    pub meanwhile: Meanwhile,
}

/// Hard stop 7.
const TOO_LONG: Duration = Duration::from_mins(10);
/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Go,
    Nothing,
    /// Something lies there that is no plain file.
    Refused,
    /// The instances ran for longer than the manifest allows: nobody is waited for any more.
    TooDear,
}

/// The answer to whether the instances may be touched.
pub(super) enum Hold {
    Free,
    /// By another run, or nobody can tell: with the reason.
    Taken(String),
}

/// Runs what the owner decides on, waits for the go as `pending` says, and goes on with it.
pub async fn run_until_go(
    lab: &Lab,
    pending: &Pending,
    journal: &Writer,
    brake: Brake,
    settings: &Settings,
    announce: &mut dyn FnMut(Announcement),
) -> Judgement {
    let change_set = change_set(lab, &settings.run_id);
    let parts = Parts {
        steps: capture_steps(&change_set),
        change_set,
        state: RunState::default(),
        selection: &settings.selection,
        brake,
    };
    let engine = Engine::awaiting(lab, pending, journal, parts, announce);
    if let Err(error) = engine.start(settings, declared_stops(Waiting::Owner(pending.meanwhile))) {
        tracing::error!(%error, "the run cannot begin: its journal cannot be written");
        return journal.with_records(judge_ending);
    }
    if engine.wake_what_is_found().await {
        engine.forward(before_the_gate()).await;
    }
    if !engine.asks() {
        return engine.end_unasked(pending).await;
    }
    if let Err(why) = Box::pin(engine.guard_the_wait(pending)).await {
        return engine.stay_unguarded(pending, why).await;
    }
    match engine.wait_for_go(pending).await {
        Came::Go => engine.pass_the_gate(pending).await,
        Came::Nothing | Came::Refused => engine.stay_pending(pending).await,
        Came::TooDear => engine.end_too_dear().await,
    }
}

pub(super) fn before_the_gate() -> &'static [Scenario] {
    SEQUENCE.split_at(gate_index()).0
}

fn gate_index() -> usize {
    SEQUENCE.iter().position(|scenario| scenario.name == "gate").unwrap_or(0)
}

/// The difference between a run that begins and one that is resumed.
pub(super) struct Parts<'a> {
    pub change_set: ChangeSet,
    pub steps: Vec<CaptureStep>,
    pub state: RunState,
    pub selection: &'a Selection,
    pub brake: Brake,
}

impl<'a> Engine<'a> {
    pub(super) fn awaiting(
        lab: &'a Lab,
        pending: &Pending,
        journal: &'a Writer,
        parts: Parts<'a>,
        announce: &'a mut dyn FnMut(Announcement),
    ) -> Self {
        let go: Rc<dyn GoSource> = Rc::new(pending.files.clone());
        let mut state = parts.state;
        state.guarding = match pending.meanwhile {
            Meanwhile::Park => Guarding::Armed,
            Meanwhile::LeaveRunning => Guarding::LeftRunning,
        };
        let run = Run {
            id: parts.change_set.run_id.clone(),
            change_set: parts.change_set,
            steps: parts.steps,
            plan_source: PlanSource::Planner,
            brake: parts.brake,
            #[cfg(feature = "sabotage")]
            detector_off: lab.detector_off(),
            go,
            state: RefCell::new(state),
        };
        Self {
            lab,
            journal,
            run,
            selection: parts.selection,
            announce: RefCell::new(announce),
            ended: RefCell::default(),
            renewing: futures::lock::Mutex::default(),
        }
    }

    /// Whether the owner's go is what comes next.
    pub(super) fn asks(&self) -> bool {
        let gated = SEQUENCE[gate_index()..].iter().any(|scenario| self.selection.runs(scenario));
        let passed = |name| self.status(name) == Some(ScenarioStatus::Passed);
        gated && passed("preflight") && passed("undo-plan")
    }

    /// There is nothing to decide on: something did not pass, or only that was wanted.
    pub(super) async fn end_unasked(&self, pending: &Pending) -> Judgement {
        if pending.meanwhile == Meanwhile::Park {
            self.rest().await;
        }
        Box::pin(self.disarm()).await;
        self.tell_not_run();
        self.finish()
    }

    /// A part was asked for that ends before the gate, and it passed.
    pub(super) fn holds_nothing_back(&self) -> bool {
        self.ended.borrow().iter().all(|(_, status)| super::passed(*status))
            && !self.run.brake.pulled()
    }

    /// The gate and all that follows it.
    pub(super) async fn pass_the_gate(&self, pending: &Pending) -> Judgement {
        let work = async {
            self.forward(SEQUENCE.split_at(gate_index()).1).await;
            let pending = self.journal.with_records(read_standing).pending();
            if !pending {
                self.acceptance().await;
                self.back().await;
            }
            pending
        };
        if self.while_renewing(Box::pin(work)).await {
            return self.stay_pending(pending).await;
        }
        if pending.meanwhile == Meanwhile::Park {
            self.rest().await;
        }
        Box::pin(self.disarm()).await;
        self.tell_not_run();
        self.finish()
    }

    /// Looks for the go until it is there. Stop 7 wins a tie with the end of the wait.
    pub(super) async fn wait_for_go(&self, pending: &Pending) -> Came {
        let Some(wait) = pending.wait else { return Came::Nothing };
        let since = self.lab.clock.now();
        let runs = self.something_runs().await;
        let clocked = runs && pending.meanwhile == Meanwhile::Park;
        if clocked {
            self.record(checked(&WAITED_TOO_LONG));
        }
        if runs {
            self.record(checked(&CEILING));
        }
        self.tell(Announcement::Awaiting);
        loop {
            let waited = (self.lab.clock.now() - since).to_std().unwrap_or_default();
            self.hear_from_below();
            if self.run.brake.pulled() {
                return Came::Nothing;
            }
            if runs && !is_off(&self.run, &CEILING) && self.too_dear() {
                return Came::TooDear;
            }
            if clocked && waited >= TOO_LONG && !is_off(&self.run, &WAITED_TOO_LONG) {
                self.trip();
                return Came::Nothing;
            }
            match pending.files.look(waited) {
                FoundGo::Go(_) => return Came::Go,
                FoundGo::Unreadable(why) => {
                    self.refuse("unreadable", why);
                    return Came::Refused;
                }
                FoundGo::Nothing | FoundGo::Unsigned => {}
            }
            if waited >= wait {
                return Came::Nothing;
            }
            self.lab.clock.sleep(LOOK.min(wait.saturating_sub(waited))).await;
        }
    }

    /// Hard stop 6, while nobody decides.
    fn too_dear(&self) -> bool {
        let Some(reason) = watch::over_the_ceiling(self.lab, self.instance_seconds()) else {
            return false;
        };
        self.record(checked(&CEILING));
        self.record(Kind::StopTripped(StopTripped {
            stop: CEILING.stop,
            detector: CEILING.name.to_owned(),
            scenario: "gate".to_owned(),
            reason,
            resource: self.lab.manifest.lab.name.clone(),
        }));
        true
    }

    /// Whatever was to happen to the instances meanwhile: they are stopped, and the run ends.
    pub(super) async fn end_too_dear(&self) -> Judgement {
        Box::pin(self.park_at_the_end()).await;
        self.tell_not_run();
        self.finish()
    }

    /// Parks a run that ends: what may not be stopped is said, and listed where the verdict is
    /// about something else, since nobody would look for what runs then.
    pub(super) async fn park_at_the_end(&self) {
        let Hold::Taken(reason) = self.park().await else { return };
        self.record(Kind::LabUnavailable(LabUnavailable { reason: reason.clone(), held_by: None }));
        let judged = self.journal.with_records(judge_ending);
        if judged.exit_code != ExitCode::Unavailable.number() {
            self.list_what_runs(&reason).await;
        }
    }

    pub(super) async fn something_runs(&self) -> bool {
        let ids = self.instance_ids();
        match self.lab.find_instances(&ids).await {
            Ok(answer) => {
                let costs = answer.value.iter().any(|it| it.state.costs());
                costs || !self.vanished(&ids, &answer.value).is_empty()
            }
            // What cannot be seen to rest may run.
            Err(_) => !ids.is_empty(),
        }
    }

    /// Lists what runs and may not be stopped, beside what was listed before.
    pub(super) async fn list_what_runs(&self, why: &str) {
        let ids = self.instance_ids();
        let running = match self.lab.find_instances(&ids).await {
            Ok(answer) => {
                let costing = answer.value.into_iter().filter(|it| it.state.costs());
                costing.map(|it| it.instance_id).collect::<Vec<_>>()
            }
            Err(_) => ids,
        };
        let manifest = &self.lab.manifest;
        self.list_left(
            running.iter().map(|id| describe_left_instance(manifest, id, why.to_owned())).collect(),
        );
    }

    pub(super) fn instance_ids(&self) -> Vec<String> {
        let nodes = self.lab.manifest.nodes.values();
        nodes.filter_map(|node| node.instance_id.clone()).collect()
    }

    fn trip(&self) {
        self.record(checked(&WAITED_TOO_LONG));
        self.record(Kind::StopTripped(StopTripped {
            stop: WAITED_TOO_LONG.stop,
            detector: WAITED_TOO_LONG.name.to_owned(),
            scenario: "gate".to_owned(),
            reason: format!("the go was awaited for {} minutes", TOO_LONG.as_secs() / 60),
            resource: self.instance_ids().join(", "),
        }));
    }

    pub(super) fn refuse(&self, rule: &str, reason: String) {
        self.record(Kind::GoRefused(GoRefused { rule: rule.to_owned(), reason }));
    }

    /// Whether the go that lies there would pass the gate now. Asks nothing of the lab.
    pub(super) fn judge_offline(&self, pending: &Pending) -> Came {
        let refused = match pending.files.look(Duration::MAX) {
            FoundGo::Nothing => return Came::Nothing,
            FoundGo::Unsigned => {
                let reason = "there is a go without its signature (go.json.sig)".to_owned();
                GoRefused { rule: "unsigned".to_owned(), reason }
            }
            FoundGo::Unreadable(reason) => GoRefused { rule: "unreadable".to_owned(), reason },
            FoundGo::Go(go) => {
                let Some(request) = gate::make_go_request(self.lab.manifest.lab.kind, &self.run)
                else {
                    return Came::Nothing;
                };
                match gate::check_go(&request, &go, self.lab.clock.now()) {
                    Ok(_) => return Came::Go,
                    Err(refused) => refused,
                }
            }
        };
        self.record(Kind::GoRefused(refused));
        Came::Refused
    }

    /// The command ends while the go is still awaited: the journal gets no end record.
    pub(super) async fn stay_pending(&self, pending: &Pending) -> Judgement {
        let held = match pending.meanwhile {
            Meanwhile::Park => Box::pin(self.park()).await,
            Meanwhile::LeaveRunning => Hold::Free,
        };
        self.record_cost();
        self.hear_from_below();
        self.tell_not_run_because("the owner's go is awaited");
        if let Hold::Taken(why) = held {
            return self.unusable(why);
        }
        // Nobody resumes a run whose journal is gone.
        let _ = self.journal.check(self.lab.clock.now());
        let mut judgement = self.journal.with_records(judge_ending);
        if pending.meanwhile == Meanwhile::LeaveRunning {
            judgement.reasons.extend(self.what_runs().await);
        }
        judgement
    }

    /// The lab cannot be used now, and nothing was touched: the run goes on as it was. Whoever reads the
    /// journal later comes to the same.
    pub(super) fn unusable(&self, reason: String) -> Judgement {
        self.record(Kind::LabUnavailable(LabUnavailable { reason, held_by: None }));
        self.journal.with_records(judge_journal)
    }

    /// Stops what runs, unless another run holds the lab; what must not be stopped is residue.
    pub(super) async fn park(&self) -> Hold {
        if !self.something_runs().await {
            self.note_rest().await;
            return Hold::Free;
        }
        let items = match self.stop_all().await {
            Ok(items) => items,
            Err(why) => return Hold::Taken(why),
        };
        let listed = self.listed();
        if listed.is_some() || !items.is_empty() {
            // What is left besides the instances is left still.
            let ids = self.instance_ids();
            let mut all = listed.unwrap_or_default();
            all.items.retain(|item| !ids.contains(&item.id));
            all.items.extend(items.into_iter().map(without_consent));
            self.record(Kind::ResidueListed(all));
        }
        self.note_rest().await;
        Hold::Free
    }

    /// Answers what could not be stopped. The lock is read before each, and its node stopped last.
    pub(super) async fn stop_all(&self) -> Result<Vec<ResidueItem>, String> {
        let (manifest, ids) = (&self.lab.manifest, self.instance_ids());
        let found = match self.lab.find_instances(&ids).await {
            Ok(answer) => answer.value,
            Err(error) => {
                return Ok(ids
                    .iter()
                    .map(|id| describe_left_instance(manifest, id, error.to_string()))
                    .collect());
            }
        };
        let unlisted = "EC2 does not list it, and this run did not see it end";
        let vanished = self.vanished(&ids, &found);
        let mut items: Vec<ResidueItem> = vanished
            .iter()
            .map(|id| describe_left_instance(manifest, id, unlisted.to_owned()))
            .collect();
        let mut running = found;
        running.retain(|it| it.state.costs());
        self.wait_for_the_lock(&running).await;
        running.sort_by_key(|it| (self.keeps_the_lock(&it.instance_id), it.state.passes()));
        for (nth, instance) in running.iter().enumerate() {
            let instance = match self.settled(instance).await {
                Ok(instance) if instance.state.costs() => instance,
                Ok(_) => continue,
                Err(why) => {
                    items.push(describe_left_instance(manifest, &instance.instance_id, why));
                    continue;
                }
            };
            if let Hold::Taken(why) = self.read_lock().await {
                let ids = running[nth..].iter().map(|it| it.instance_id.as_str());
                let ids = ids.collect::<Vec<_>>().join(", ");
                return Err(format!("{why}; what runs goes on costing: {ids}"));
            }
            if let Err(why) = self.stop_one(&instance).await {
                items.push(describe_left_instance(manifest, &instance.instance_id, why));
            }
        }
        Ok(items)
    }

    /// Whether the lab's lock lies on this instance's disk.
    pub(super) fn keeps_the_lock(&self, instance_id: &str) -> bool {
        let router = self.lab.manifest.nodes.get(&Node::RouterdCloud);
        router.and_then(|node| node.instance_id.as_deref()) == Some(instance_id)
    }

    /// Who holds the lab. A lease that expired frees nothing by itself.
    pub(super) async fn read_lock(&self) -> Hold {
        match self.lab.lock_state(&self.run.id).await {
            LockState::Own(_) | LockState::Free => Hold::Free,
            LockState::Other(holder) => Hold::Taken(format!("the lab is held by {holder}")),
            LockState::Unread(why) => Hold::Taken(format!("the lab's lock cannot be read: {why}")),
        }
    }

    /// Since when what costs.
    async fn what_runs(&self) -> Vec<String> {
        let since = self.journal.with_records(|records| records.first().map(|it| it.at));
        let since = since.map(|at| at.to_string()).unwrap_or_default();
        match self.lab.reader.instances(&self.instance_ids()).await {
            Ok(answer) => answer
                .value
                .iter()
                .filter(|it| it.state.costs())
                .map(|it| {
                    let (id, size) = (&it.instance_id, &it.instance_type);
                    format!("{id} ({size}) goes on costing: it runs at least since {since}")
                })
                .collect(),
            Err(error) => vec![format!("what goes on costing cannot be read: {error}")],
        }
    }
}

#[cfg(feature = "sabotage")]
pub(super) fn is_off(run: &Run, detector: &Detector) -> bool {
    run.detector_off == Some(detector.name)
}

/// No user's program can be told to look away.
#[cfg(not(feature = "sabotage"))]
pub(super) fn is_off(_run: &Run, _detector: &Detector) -> bool {
    false
}

fn checked(detector: &Detector) -> Kind {
    Kind::StopChecked(StopChecked {
        stop: detector.stop,
        detector: detector.name.to_owned(),
        scenario: "gate".to_owned(),
    })
}

fn without_consent(item: ResidueItem) -> ResidueItem {
    ResidueItem { why: format!("it goes on running: {}", item.why), ..item }
}

//! Runs the sequence on an open lab: forward until something does not pass, the acceptance all at
//! the same time, and back whatever happened once the go is burnt. It judges nothing itself.

mod below;
mod boot;
mod gone;
mod guard;
mod lease;
mod pending;
mod recover;
mod resume;
#[cfg(feature = "sabotage")]
mod sabotage;
mod settling;
mod standing;
mod waking;

pub use gone::close_gone_run;
pub use lease::find_live_holder;
pub use pending::{Meanwhile, Pending, run_until_go};
pub use recover::{recover_from_journal, repeat_judgement};
pub use resume::{Resumed, read_selection, resume_sequence};
pub use standing::{
    Standing, find_last_facts, find_run_started, in_a_command, next_steps, read_standing,
    read_standing_at, undo_plan,
};

use std::cell::RefCell;
use std::rc::Rc;

use lab::Lab;
use lab::act::LockPermit;
use lab::change_set::ChangeSet;
use lab::manifest::Instances;
use lab::permit::{Brake, Release};
use reports::journal::{JournalError, Writer};
use reports::record::{
    Kind, LabDeclared, LabKind, Outcome, Part, Power, Program, Record, ResidueItem, ResidueListed,
    RunFinished, RunStarted, SCHEMA_VERSION, ScenarioDeclared, ScenarioStatus, StopDeclared,
    Verdict,
};
use reports::verdict::{ExitCode, Judgement, judge_ending};
use scenarios::capture::{CaptureStep, capture_steps};
use scenarios::run::{GoSource, PlanSource, Run, RunState};
use scenarios::{Context, Finished, Leg, SEQUENCE, Scenario, cost, stops, watch};

/// The events that the engine tells of while it runs; in order of happening.
#[derive(Clone, Debug)]
pub enum Announcement {
    Started(&'static str),
    Finished {
        name: &'static str,
        finished: Finished,
    },
    NotRun {
        name: &'static str,
        reason: String,
    },
    /// The owner's go is awaited from here on: what he reads has to be there.
    Awaiting,
}

/// Which scenarios are judged, and why the others run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Present where only a part is judged, in the words of the command line.
    pub filter: Option<String>,
    /// In the order of the sequence.
    pub parts: Vec<(&'static str, Part)>,
}

impl Selection {
    fn part(&self, name: &str) -> Part {
        let found = self.parts.iter().find(|(other, _)| *other == name);
        found.map_or(Part::Excluded, |(_, part)| *part)
    }

    fn runs(&self, scenario: &Scenario) -> bool {
        self.part(scenario.name) != Part::Excluded
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub run_id: String,
    pub seed: Option<u64>,
    pub faults: Vec<String>,
    pub selection: Selection,
}

/// How long routerd goes on importing the run's plans: longer than any run.
const PLANS_TTL: &str = "2h";

struct Engine<'a> {
    lab: &'a Lab,
    journal: &'a Writer,
    run: Run,
    selection: &'a Selection,
    announce: RefCell<&'a mut dyn FnMut(Announcement)>,
    /// The scenarios that have ended, by name.
    ended: RefCell<Vec<(&'static str, ScenarioStatus)>>,
    /// Held while the lease is renewed, and while the lock is given back.
    renewing: futures::lock::Mutex<()>,
}

/// Runs the whole sequence on an open lab and appends everything to the journal, run-finished
/// included.
pub async fn run_sequence(
    lab: &Lab,
    go: Rc<dyn GoSource>,
    journal: &Writer,
    brake: Brake,
    settings: &Settings,
    announce: &mut dyn FnMut(Announcement),
) -> Judgement {
    let change_set = change_set(lab, &settings.run_id);
    let run = Run {
        id: settings.run_id.clone(),
        steps: capture_steps(&change_set),
        change_set,
        plan_source: PlanSource::Planner,
        brake,
        #[cfg(feature = "sabotage")]
        detector_off: lab.detector_off(),
        go,
        state: RefCell::new(RunState::default()),
    };
    let engine = Engine {
        lab,
        journal,
        run,
        selection: &settings.selection,
        announce: RefCell::new(announce),
        ended: RefCell::default(),
        renewing: futures::lock::Mutex::default(),
    };
    if let Err(error) = engine.start(settings, declared_stops(Waiting::Nobody)) {
        tracing::error!(%error, "the run cannot begin: its journal cannot be written");
        return journal.with_records(judge_ending);
    }
    #[cfg(feature = "sabotage")]
    sabotage::at_the_start(&engine).await;
    let work = async {
        if !engine.wake_what_is_found().await {
            return;
        }
        engine.forward(SEQUENCE).await;
        engine.acceptance().await;
        engine.back().await;
    };
    // On the heap: it is the whole run.
    engine.while_renewing(Box::pin(work)).await;
    engine.rest().await;
    Box::pin(engine.disarm()).await;
    engine.tell_not_run();
    engine.finish()
}

/// The change set that the owner is asked for: the capture of the manifest's address.
pub fn change_set(lab: &Lab, run_id: &str) -> ChangeSet {
    let manifest = &lab.manifest;
    ChangeSet {
        run_id: run_id.to_owned(),
        provider: "aws".to_owned(),
        provider_ref: manifest.capture.provider_ref.clone(),
        network_interface_id: manifest.capture.network_interface_id.clone(),
        region: manifest.aws.region.clone(),
        address: manifest.capture.address,
        allow_reassignment: manifest.capture.allow_reassignment,
        ttl: PLANS_TTL.to_owned(),
    }
}

impl Engine<'_> {
    fn start(&self, settings: &Settings, stops: Vec<StopDeclared>) -> Result<(), JournalError> {
        let scenarios = SEQUENCE.iter().map(|scenario| ScenarioDeclared {
            name: scenario.name.to_owned(),
            section: scenario.section.to_owned(),
            class: scenario.class,
            needs: scenario.needs.iter().map(|&need| need.to_owned()).collect(),
            part: self.selection.part(scenario.name),
            duty: scenario.duty,
            chapter: Some(scenario.chapter()),
            question: Some(scenario.question.to_owned()),
        });
        let started = RunStarted {
            schema_version: SCHEMA_VERSION,
            run_id: settings.run_id.clone(),
            tool: Program {
                name: "lab-smoke".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                path: None,
                digest: None,
            },
            lab: LabDeclared {
                kind: self.lab.manifest.lab.kind,
                name: self.lab.manifest.lab.name.clone(),
                manifest: self.lab.manifest.to_toml().unwrap_or_default(),
                target: Some(self.lab.manifest.target()),
            },
            seed: settings.seed,
            faults: settings.faults.clone(),
            filter: self.selection.filter.clone(),
            scenarios: scenarios.collect(),
            stops,
        };
        self.journal.append_synced(self.lab.clock.now(), Kind::RunStarted(started))?;
        self.hear_from_below();
        Ok(())
    }

    /// One after the other; the first that does not pass ends it.
    async fn forward(&self, part: &'static [Scenario]) {
        for scenario in part.iter().filter(|it| it.leg == Leg::Forward) {
            self.hear_from_below();
            if !self.selection.runs(scenario) || self.run.brake.pulled() {
                return;
            }
            if !passed(self.run_one(scenario).await) {
                return;
            }
        }
    }

    /// All at the same time: they only look.
    async fn acceptance(&self) {
        if self.status("execute") != Some(ScenarioStatus::Passed) || self.run.brake.pulled() {
            return;
        }
        let chosen: Vec<&'static Scenario> = SEQUENCE
            .iter()
            .filter(|it| it.leg == Leg::Acceptance && self.selection.runs(it))
            .collect();
        self.run.acceptance_begins(chosen.len());
        let looks = chosen.into_iter().map(async |scenario| {
            self.run_one(scenario).await;
            self.run.one_look_ended();
        });
        futures::future::join_all(looks).await;
    }

    /// Ends what was begun. The lock goes between `restored` and `teardown`, which may stop the
    /// node that holds it.
    async fn back(&self) {
        if !self.run.state.borrow().burnt {
            self.release_lock().await;
            return;
        }
        #[cfg(feature = "sabotage")]
        sabotage::before_the_undo(self).await;
        for scenario in SEQUENCE.iter().filter(|it| it.leg == Leg::Back) {
            if scenario.name == "teardown" {
                if self.lab.manifest.teardown.instances == Instances::Keep {
                    // Nothing is renewed without the lock, and a teardown may take EC2's ten minutes.
                    self.renew_switches_for(self.lab.switch_times().working * 2).await;
                }
                self.release_lock().await;
            }
            self.run_one(scenario).await;
        }
    }

    /// Stops the instances of a run that ends without having begun anything: they need not run any more,
    /// unless only a part was asked for and it passed, or the lab could not be used at all.
    async fn rest(&self) {
        let unusable = self.journal.with_records(|records| {
            // What an earlier command came to is over.
            let last = records.iter().rev().find_map(|record| match record.kind {
                Kind::LabUnavailable(_) => Some(true),
                Kind::StopArmed(_) => Some(false),
                _ => None,
            });
            last.unwrap_or(false)
        });
        // The machines of a kernel lab cost nothing, and go down with it.
        let costs = self.lab.manifest.lab.kind != LabKind::Netns;
        let begun = self.run.state.borrow().burnt;
        let may_run_on = self.holds_nothing_back() && !self.journal.with_records(started_something);
        if !costs || begun || unusable || may_run_on {
            return;
        }
        Box::pin(self.park_at_the_end()).await;
        #[cfg(feature = "sabotage")]
        Box::pin(sabotage::after_the_rest(self)).await;
    }

    async fn run_one(&self, scenario: &'static Scenario) -> ScenarioStatus {
        #[cfg(feature = "sabotage")]
        if sabotage::skips_scenario(self, scenario) {
            return ScenarioStatus::Passed;
        }
        self.tell(Announcement::Started(scenario.name));
        let mut context = Context::begin(scenario, self.lab.clock, self.journal, &self.run);
        // `execute` looks for itself, between its two mutations.
        let watched = stops::WATCHED.contains(&scenario.name) && scenario.name != "execute";
        let look =
            async { if watched { Some(Box::pin(watch::take_look(self.lab)).await) } else { None } };
        let work = (scenario.run)(self.lab, &mut context);
        #[cfg(feature = "sabotage")]
        let work = sabotage::run_with_late_baseline(self, scenario, work);
        let ((), look) = futures::join!(work, look);
        if let Some(look) = look {
            watch::judge_look(self.lab, &mut context, &look);
        }
        let finished = context.finish();
        self.hear_from_below();
        let status = finished.status;
        self.ended.borrow_mut().push((scenario.name, status));
        self.tell(Announcement::Finished { name: scenario.name, finished });
        status
    }

    /// Answers the lock where it could not be given back: it is listed then.
    async fn release_lock(&self) -> Option<ResidueItem> {
        let _renewing = self.renewing.lock().await;
        #[cfg(feature = "sabotage")]
        if sabotage::keeps_the_lock(self) {
            return None;
        }
        if !self.run.state.borrow().lock_taken {
            return None;
        }
        let undo = self.run.permit(self.journal, scenarios::UNDO_LOCK);
        let unused = self.run.forward().map(|forward| Release::from(forward.as_ref()));
        let permit = match (&undo, unused.or_else(|| Release::of_run(self.journal))) {
            (Ok(undo), _) => Some(LockPermit::Begun(undo)),
            (Err(_), Some(release)) => Some(LockPermit::Unused(release)),
            (Err(_), None) => None,
        };
        let left = match permit {
            None => "this run's journal has no record by which it may be given back".to_owned(),
            Some(permit) => match self.lab.release_lock(permit, self.journal, &self.run.id).await {
                Ok(acted) if acted.outcome == Outcome::Done => {
                    self.run.state.borrow_mut().lock_taken = false;
                    return None;
                }
                Ok(acted) => acted.detail,
                Err(error) => error.to_string(),
            },
        };
        let item = ResidueItem {
            resource: "lock on routerd-cloud".to_owned(),
            id: lab::act::LOCK_PATH.to_owned(),
            why: left,
            costs_money: false,
            owner_commands: vec![format!("sudo rm -f {}", lab::act::LOCK_PATH)],
        };
        self.list_left(vec![item.clone()]);
        Some(item)
    }

    /// The list that was made last, which is all that is left.
    fn listed(&self) -> Option<ResidueListed> {
        self.journal.with_records(|records| standing::find_last_residue(records).cloned())
    }

    /// Lists these beside what was listed before. The same one is not listed twice.
    fn list_left(&self, items: Vec<ResidueItem>) {
        let mut all = self.listed().unwrap_or_default();
        all.items.retain(|item| !items.iter().any(|it| it.id == item.id));
        all.items.extend(items);
        self.record(Kind::ResidueListed(all));
    }

    fn status(&self, name: &str) -> Option<ScenarioStatus> {
        let ended = self.ended.borrow();
        ended.iter().find(|(other, _)| *other == name).map(|(_, status)| *status)
    }

    /// Those that were wanted and did not come to their turn.
    fn tell_not_run(&self) {
        self.tell_not_run_because(&self.why_not_run());
    }

    fn tell_not_run_because(&self, reason: &str) {
        for scenario in SEQUENCE.iter().filter(|it| self.selection.runs(it)) {
            if self.status(scenario.name).is_none() {
                let reason = reason.to_owned();
                self.tell(Announcement::NotRun { name: scenario.name, reason });
            }
        }
    }

    fn why_not_run(&self) -> String {
        let ended = self.ended.borrow();
        match ended.iter().find(|(_, status)| !passed(*status)) {
            Some((name, _)) => format!("{name} did not pass"),
            None => "the run was told to stop".to_owned(),
        }
    }

    fn tell(&self, announcement: Announcement) {
        (self.announce.borrow_mut())(announcement);
    }

    fn record(&self, kind: Kind) {
        if let Err(error) = self.journal.append_synced(self.lab.clock.now(), kind) {
            tracing::error!(%error, "a record could not be written");
        }
    }

    /// `residue` says it of a run that began something; this, of every other.
    fn record_cost(&self) {
        let said = self.journal.with_records(|records| {
            records
                .iter()
                .any(|it| matches!(&it.kind, Kind::ScenarioStarted(it) if it.scenario == "residue"))
        });
        if !said {
            self.record(cost::make_cost_record(self.lab, self.journal));
        }
    }

    /// Where preflight found it, the run began nothing and looked for nothing else that is left.
    fn list_what_nobody_ends(&self) {
        let mut nobodys = self.run.state.borrow().nobodys.clone();
        if nobodys.is_empty() {
            return;
        }
        let listed = self.listed().unwrap_or_default().items;
        nobodys.retain(|item| !listed.iter().any(|it| it.id == item.id));
        self.list_left(nobodys);
    }

    fn instance_seconds(&self) -> u64 {
        cost::instance_seconds(self.lab, self.journal)
    }

    fn finish(&self) -> Judgement {
        self.hear_from_below();
        self.record_cost();
        self.list_what_nobody_ends();
        // What is judged has to be there for others to judge.
        let _ = self.journal.check(self.lab.clock.now());
        let judgement = self.journal.with_records(judge_ending);
        #[cfg(feature = "sabotage")]
        let judgement = sabotage::falsify_judgement(self, judgement);
        self.record(Kind::RunFinished(RunFinished {
            verdict: judgement.verdict,
            exit_code: judgement.exit_code,
            reasons: judgement.reasons.clone(),
        }));
        // Its own end, too.
        let _ = self.journal.check(self.lab.clock.now());
        witnessed(judgement, self.journal)
    }
}

/// Whether the run itself started an instance: it does not leave it running.
fn started_something(records: &[Record]) -> bool {
    records.iter().any(|record| match &record.kind {
        Kind::Intent(intent) => matches!(intent.effect.power(), Some((_, Power::On))),
        _ => false,
    })
}

/// A judgement that nobody can read again is no pass; and a run that has ended awaits nobody, though its
/// journal may hold nothing after the question.
fn witnessed(judgement: Judgement, journal: &Writer) -> Judgement {
    let rests_on_the_journal =
        [ExitCode::Pass, ExitCode::Pending].map(ExitCode::number).contains(&judgement.exit_code);
    match journal.failed().filter(|_| rests_on_the_journal) {
        None => judgement,
        Some(why) => Judgement {
            verdict: Verdict::Unknown,
            exit_code: ExitCode::Unknown.number(),
            reasons: vec![format!("the journal does not hold the run to its end: {why}")],
        },
    }
}

fn passed(status: ScenarioStatus) -> bool {
    matches!(status, ScenarioStatus::Passed | ScenarioStatus::NotApplicable)
}

/// Who is waited for while instances run (hard stop 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nobody,
    Owner(Meanwhile),
}

impl Waiting {
    /// Why stop 7 is not armed.
    fn disarmed(self) -> Option<&'static str> {
        match self {
            Self::Nobody => Some("the lab grants the go itself: nobody is waited for"),
            Self::Owner(Meanwhile::LeaveRunning) => {
                Some("disarmed by --leave-running, as is the dead man's switch")
            }
            Self::Owner(Meanwhile::Park) => None,
        }
    }
}

fn declared_stops(waiting: Waiting) -> Vec<StopDeclared> {
    let declared = |(index, words): (usize, &&str)| {
        let number = u8::try_from(index + 1).unwrap_or(u8::MAX);
        let disarmed = waiting.disarmed().filter(|_| number == 7);
        StopDeclared {
            number,
            words: (**words).to_owned(),
            armed: disarmed.is_none(),
            reason: disarmed.map(str::to_owned),
            remedy: stops::REMEDIES[index].to_owned(),
        }
    };
    stops::WORDS.iter().enumerate().map(declared).collect()
}

#[cfg(test)]
mod tests;

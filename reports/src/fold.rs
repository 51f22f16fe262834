//! Gathers a journal's records into what the verdict and the evidence both need.
//!
//! Where a thing is said twice, the last counts: a scenario that was repeated (preflight at
//! `resume`, undo at `recover`), an assertion of the same id, an outcome that was settled later,
//! a later list of residue.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::effect::{Effect, Power};
use crate::evidence::RecordRef;
use crate::record::{
    AddressRead, Assertion, Attachment, CostRecorded, Duty, FactsDiffer, FactsRecorded, GoBurnt,
    GoRefused, GoVerified, HarnessBroke, Intent, Interrupted, JournalLost, Kind, LabGone,
    LabTarget, LabUnavailable, LockTaken, OperatorIdentified, OperatorLost, OutageRecorded,
    Outcome, OutcomeRecorded, Permit, Phase, ProofOutcome, ProofSought, Record, RecoveryStarted,
    ResidueListed, Retried, RunFinished, RunStarted, ScenarioDeclared, ScenarioFinished, StopArmed,
    StopChecked, StopTripped, UndoPlanned,
};

/// The records of a journal by what they are about; nothing is judged yet.
#[derive(Debug, Default)]
pub struct Gathered<'a> {
    pub started: Option<(&'a RunStarted, DateTime<Utc>)>,
    pub scenarios: Vec<FoldedScenario<'a>>,
    pub operator: Option<&'a OperatorIdentified>,
    /// Emptied by a later command that has credentials.
    pub operator_lost: Option<(&'a OperatorLost, RecordRef)>,
    pub addresses: Vec<&'a AddressRead>,
    pub facts: Option<&'a FactsRecorded>,
    pub undo_plan: Option<&'a UndoPlanned>,
    pub gate: Gate<'a>,
    pub mutations: Vec<FoldedMutation<'a>>,
    pub checked: Vec<&'a StopChecked>,
    pub tripped: Vec<(&'a StopTripped, RecordRef)>,
    pub rows: Sides<'a>,
    pub armed: Vec<&'a StopArmed>,
    pub state: Sides<'a>,
    pub attachments: Vec<&'a Attachment>,
    pub retries: Vec<&'a Retried>,
    pub outages: Vec<&'a OutageRecorded>,
    pub facts_differ: Option<&'a FactsDiffer>,
    pub cost: Option<(&'a CostRecorded, RecordRef)>,
    /// Whether all instances were found at rest after a dead man's switch was armed, and none was
    /// started since: the switch had its way.
    pub at_rest: bool,
    pub residue: Option<(&'a ResidueListed, RecordRef)>,
    pub interrupted: Vec<(&'a Interrupted, RecordRef)>,
    pub recovery: Option<(&'a RecoveryStarted, RecordRef)>,
    pub lab_gone: Option<(&'a LabGone, RecordRef)>,
    /// Emptied by a scenario or a command that was begun later: somebody tried again.
    pub unavailable: Option<(&'a LabUnavailable, RecordRef)>,
    pub broke: Option<(&'a HarnessBroke, RecordRef)>,
    pub lost: Option<(&'a JournalLost, RecordRef)>,
    pub finished: Option<(&'a RunFinished, DateTime<Utc>)>,
}

/// The same thing before and after the run.
#[derive(Debug, Default)]
pub struct Sides<'a> {
    pub baseline: Option<&'a Value>,
    pub last: Option<&'a Value>,
}

/// A scenario as it was declared, and what came of it.
#[derive(Debug)]
pub struct FoldedScenario<'a> {
    pub declared: &'a ScenarioDeclared,
    /// How often it was started.
    pub attempts: u32,
    /// The start of the last attempt.
    pub started_at: Option<DateTime<Utc>>,
    pub assertions: Vec<(&'a Assertion, RecordRef)>,
    pub finished: Option<(&'a ScenarioFinished, RecordRef)>,
}

/// The go and the lab's lock, as far as the run has come with them.
#[derive(Debug, Default)]
pub struct Gate<'a> {
    pub verified: Option<(&'a GoVerified, DateTime<Utc>)>,
    /// Emptied by a go that was verified later.
    pub refused: Option<(&'a GoRefused, RecordRef)>,
    pub burnt: Option<(&'a GoBurnt, DateTime<Utc>)>,
    pub proof: Option<&'a ProofSought>,
    pub lock_taken: Option<(&'a LockTaken, DateTime<Utc>)>,
    pub lock_released: Option<DateTime<Utc>>,
}

/// An intent and its last outcome; none where that was never recorded.
#[derive(Debug)]
pub struct FoldedMutation<'a> {
    pub intent: &'a Intent,
    pub intended: RecordRef,
    pub outcome: Option<(&'a OutcomeRecorded, RecordRef)>,
}

fn is_switch(it: &FoldedMutation<'_>) -> bool {
    it.intent.effect.switched_instance().is_some()
}

/// Gathers the records, in their order.
pub fn gather_records(records: &[Record]) -> Gathered<'_> {
    let mut run = Gathered::default();
    for record in records {
        run.take(record);
    }
    run
}

impl<'a> Gathered<'a> {
    fn take(&mut self, record: &'a Record) {
        let (at, here) = (record.at, RecordRef { record: record.seq, at: record.at });
        match &record.kind {
            Kind::RunStarted(started) => self.start(started, at),
            Kind::ScenarioStarted(it) => self.start_scenario(&it.scenario, at),
            Kind::AssertionMade(assertion) => self.assert(assertion, here),
            Kind::ScenarioFinished(it) => {
                if let Some(scenario) = self.scenario_mut(&it.scenario) {
                    scenario.finished = Some((it, here));
                }
            }
            Kind::OperatorIdentified(operator) => {
                self.operator = Some(operator);
                self.operator_lost = None;
            }
            Kind::OperatorLost(lost) => self.operator_lost = Some((lost, here)),
            Kind::AddressRead(address) => self.addresses.push(address),
            Kind::FactsRecorded(facts) => self.facts = Some(facts),
            Kind::UndoPlanned(plan) => self.undo_plan = Some(plan),
            Kind::GoVerified(go) => {
                self.gate.verified = Some((go, at));
                self.gate.refused = None;
            }
            Kind::GoRefused(refused) => self.gate.refused = Some((refused, here)),
            Kind::GoBurnt(burnt) => self.gate.burnt = Some((burnt, at)),
            Kind::Intent(intent) => {
                if matches!(intent.effect.power(), Some((_, Power::On))) {
                    self.at_rest = false;
                }
                self.mutations.push(FoldedMutation { intent, intended: here, outcome: None });
            }
            Kind::Outcome(outcome) => {
                let mut mutations = self.mutations.iter_mut().rev();
                if let Some(it) = mutations.find(|it| it.intent.id == outcome.intent) {
                    it.outcome = Some((outcome, here));
                }
            }
            Kind::StopTripped(stop) => self.tripped.push((stop, here)),
            Kind::CostRecorded(cost) => self.cost = Some((cost, here)),
            Kind::ResidueListed(residue) => self.residue = Some((residue, here)),
            Kind::Interrupted(interrupted) => self.interrupted.push((interrupted, here)),
            Kind::ProofSought(sought) => self.gate.proof = Some(sought),
            Kind::RecoveryStarted(recovery) => {
                self.recovery = Some((recovery, here));
                self.unavailable = None;
            }
            Kind::LabGone(gone) => self.lab_gone = Some((gone, here)),
            Kind::LabUnavailable(unavailable) => self.unavailable = Some((unavailable, here)),
            Kind::HarnessBroke(broke) => self.broke = Some((broke, here)),
            Kind::JournalLost(lost) => self.lost = Some((lost, here)),
            Kind::RunFinished(finished) => self.finished = Some((finished, at)),
            Kind::AttachmentStored(attachment) => self.attachments.push(attachment),
            Kind::StopChecked(checked) => self.checked.push(checked),
            Kind::RowsRecorded(it) => self.rows.set(it.phase, &it.rows),
            Kind::StateRecorded(it) => self.state.set(it.phase, &it.state),
            Kind::Retried(retried) => self.retries.push(retried),
            Kind::OutageRecorded(outage) => {
                self.outages.retain(|it| it.scenario != outage.scenario);
                self.outages.push(outage);
            }
            Kind::LockTaken(taken) => {
                self.gate.lock_taken = Some((taken, at));
                self.gate.lock_released = None;
            }
            Kind::LockRenewed(renewed) => {
                let since = self.gate.lock_taken.map_or(at, |(_, since)| since);
                self.gate.lock_taken = Some((renewed, since));
            }
            Kind::StopArmed(armed) => {
                self.armed.push(armed);
                self.unavailable = None;
            }
            Kind::FactsDiffer(differ) => self.facts_differ = Some(differ),
            Kind::LockReleased(_) => self.gate.lock_released = Some(at),
            // For later processes of the run, and for folds of their own.
            Kind::ResourcesSeen(_) | Kind::NobodysFound(_) | Kind::NodeWoke(_) => {}
            Kind::InstancesFound(found) => {
                self.at_rest = found.costing.is_empty() && self.mutations.iter().any(is_switch);
            }
        }
    }

    fn start(&mut self, started: &'a RunStarted, at: DateTime<Utc>) {
        self.started = Some((started, at));
        self.scenarios = started.scenarios.iter().map(FoldedScenario::declared).collect();
    }

    fn start_scenario(&mut self, name: &str, at: DateTime<Utc>) {
        self.unavailable = None;
        if let Some(scenario) = self.scenario_mut(name) {
            scenario.attempts += 1;
            scenario.started_at = Some(at);
            scenario.assertions.clear();
            scenario.finished = None;
        }
    }

    fn assert(&mut self, assertion: &'a Assertion, here: RecordRef) {
        let Some(scenario) = self.scenario_mut(&assertion.scenario) else { return };
        let same = scenario.assertions.iter_mut().find(|(it, _)| it.id == assertion.id);
        match same {
            Some(same) => *same = (assertion, here),
            None => scenario.assertions.push((assertion, here)),
        }
    }

    fn scenario_mut(&mut self, name: &str) -> Option<&mut FoldedScenario<'a>> {
        self.scenarios.iter_mut().find(|scenario| scenario.declared.name == name)
    }

    /// The place that the run was aimed at.
    pub fn target(&self) -> Option<&'a LabTarget> {
        self.started?.0.lab.target.as_ref()
    }

    /// The scenarios that the run was declared to have for this.
    pub fn scenarios_that(&self, duty: Duty) -> impl Iterator<Item = &FoldedScenario<'a>> {
        self.scenarios.iter().filter(move |scenario| scenario.declared.duty == Some(duty))
    }

    /// Whether anything may have been changed that must be brought back. Stopping and starting
    /// instances (permit `Cost`) is not: it is the same lab. Neither is a lock that was given back,
    /// nor a burn that the node refused or was never told of.
    pub fn touched(&self) -> bool {
        let lock = |it: &FoldedMutation<'_>| {
            matches!(it.intent.effect, Effect::TakeLock { .. }) && self.gate.lock_released.is_some()
        };
        let forward = |it: &&FoldedMutation<'_>| {
            it.intent.permit == Permit::Forward && !it.certainly_not_done() && !lock(it)
        };
        let burn = |it: &FoldedMutation<'_>| matches!(it.intent.effect, Effect::BurnGo { .. });
        let refused = self.mutations.iter().any(|it| burn(it) && it.certainly_not_done());
        let never = self.gate.proof.is_some_and(|it| it.outcome == ProofOutcome::NeverBurnt);
        (self.gate.burnt.is_some() && !refused && !never)
            || self.mutations.iter().any(|it| forward(&it))
    }
}

impl FoldedMutation<'_> {
    fn certainly_not_done(&self) -> bool {
        self.outcome.is_some_and(|(outcome, _)| outcome.outcome == Outcome::NotDone)
    }
}

impl<'a> Sides<'a> {
    fn set(&mut self, phase: Phase, value: &'a Value) {
        match phase {
            Phase::Baseline => self.baseline = Some(value),
            Phase::Final => self.last = Some(value),
        }
    }
}

impl<'a> FoldedScenario<'a> {
    fn declared(declared: &'a ScenarioDeclared) -> Self {
        Self { declared, attempts: 0, started_at: None, assertions: Vec::new(), finished: None }
    }
}

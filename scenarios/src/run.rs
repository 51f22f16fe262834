//! The state that one scenario leaves for the next. All of it stands in the journal too.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use lab::act::{ExecutorProgram, NotTried, Switch};
use lab::change_set::ChangeSet;
use lab::permit::{Brake, Forward, PermitRefused, Proof, Undo};
use reports::digest::Digest;
use reports::go::Expectation;
use reports::journal::Writer;
use reports::record::{ResidueItem, UndoPlanned, UndoStep};

use crate::baseline::Baseline;
use crate::capture::CaptureStep;
use crate::left::Changed;
use crate::node_state::Looks;
use crate::switch::Guarding;

/// A go as it was handed in; nothing about it is proved yet.
#[derive(Clone, Debug)]
pub struct Go {
    pub document: Vec<u8>,
    /// Armoured, as ssh-keygen writes it.
    pub signature: Vec<u8>,
    pub allowed_signers: String,
    pub self_granted: bool,
}

/// Who plans. Only `plan` and `import` ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanSource {
    /// The run's own planner, started by `routerctl plugin run`: stable keys, no lease.
    Planner,
    /// The routerd daemon, from its MobilityPool: a lease of five minutes, and new keys with every
    /// scan (contract §2.6).
    MobilityPool,
}

impl PlanSource {
    /// Who made a dynamic part, by routerd's name for its source; none for anybody else.
    pub fn of(source: &str, planner: &str) -> Option<Self> {
        if source == Self::part_of(planner) {
            Some(Self::Planner)
        } else if source.starts_with("MobilityPool/") {
            Some(Self::MobilityPool)
        } else {
            None
        }
    }

    /// The source of the parts that a planner plugin makes.
    pub fn part_of(planner: &str) -> String {
        format!("Plugin/{planner}")
    }
}

/// Where the go comes from: the owner's file, or a lab that may grant itself one.
pub trait GoSource {
    fn go<'a>(&'a self, expected: &'a Expectation) -> LocalBoxFuture<'a, Option<Go>>;
}

/// The rows of all steps in routerd's journal, by the keys of their plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowIds(BTreeMap<String, u64>);

impl RowIds {
    /// The rows of these steps; none where one of them has none.
    pub fn find(steps: &[CaptureStep], id_of: impl Fn(&str) -> Option<u64>) -> Option<Self> {
        let id = |step: &CaptureStep| Some((step.key().to_owned(), id_of(step.key())?));
        steps.iter().map(id).collect::<Option<_>>().map(Self)
    }
}

/// A step of the run, with its row.
#[derive(Clone, Copy, Debug)]
pub struct StepRow<'a> {
    pub step: &'a CaptureStep,
    pub id: u64,
}

/// The executor, as preflight read it from router.yaml.
#[derive(Clone, Debug)]
pub struct Executor {
    pub program: ExecutorProgram,
    pub timeout: std::time::Duration,
}

#[derive(Default)]
pub struct RunState {
    pub baseline: Option<Rc<Baseline>>,
    pub facts_digest: Option<Digest>,
    pub lab_fingerprint: Option<Digest>,
    pub executor: Option<Executor>,
    pub undo_plan: Option<UndoPlanned>,
    pub forward: Option<Rc<Forward>>,
    pub lock_taken: bool,
    pub burnt: bool,
    /// That the owner granted the plan, and this run used the go.
    pub proof: Option<Proof>,
    /// Why a recovery has no proof.
    pub unproved: Option<String>,
    pub rows: Option<RowIds>,
    /// Ids of all that cost money at preflight.
    pub costly: Option<BTreeSet<String>>,
    /// Everything that `restored` did not find as it was.
    pub changed: Vec<Changed>,
    /// How often in a row the watchdog saw nothing, by detector.
    pub blind_looks: BTreeMap<&'static str, u32>,
    /// Resources that cost money and nobody is to end, as preflight found them.
    pub nobodys: Vec<ResidueItem>,
    /// The digest of the file as preflight read it.
    pub router_yaml: Option<Digest>,
    /// The dead man's switches that this process armed.
    pub switches: Vec<Rc<Switch>>,
    pub guarding: Guarding,
    /// At the nodes, where several scenarios want to know the same.
    pub looks: Rc<Looks>,
}

pub struct Run {
    pub id: String,
    pub change_set: ChangeSet,
    /// The steps that the change set comes to, in its order.
    pub steps: Vec<CaptureStep>,
    pub plan_source: PlanSource,
    pub brake: Brake,
    /// Finds nothing, in a test of the table of faults.
    #[cfg(feature = "sabotage")]
    pub detector_off: Option<&'static str>,
    pub go: Rc<dyn GoSource>,
    pub state: RefCell<RunState>,
}

impl Run {
    pub fn baseline(&self) -> Option<Rc<Baseline>> {
        self.state.borrow().baseline.clone()
    }

    /// So many scenarios of the acceptance begin at the same time.
    pub fn acceptance_begins(&self, scenarios: usize) {
        self.state.borrow().looks.begin(scenarios);
    }

    /// One of them has ended: who looks last waits for the others.
    pub fn one_look_ended(&self) {
        self.state.borrow().looks.end_one();
    }

    /// All steps with their rows, once routerd has them.
    pub fn rows(&self) -> Option<Vec<StepRow<'_>>> {
        self.steps.iter().map(|step| Some(StepRow { step, id: self.row_of(step)? })).collect()
    }

    /// The row of one step, once routerd has those of all.
    pub fn row_of(&self, step: &CaptureStep) -> Option<u64> {
        self.state.borrow().rows.as_ref()?.0.get(step.key()).copied()
    }

    pub fn forward(&self) -> Option<Rc<Forward>> {
        self.state.borrow().forward.clone()
    }

    /// The permit for one step of the plan that the run's go granted.
    pub fn permit(&self, journal: &Writer, step: &str) -> Result<Undo, PermitRefused> {
        Undo::for_step(journal, step, self.state.borrow().proof.as_ref())
    }

    /// The steps of the undo plan as the run's journal has it; none before there is one.
    pub fn planned_steps(&self) -> Vec<UndoStep> {
        let state = self.state.borrow();
        state.undo_plan.as_ref().map(|plan| plan.steps.clone()).unwrap_or_default()
    }

    pub fn executor(&self) -> Option<Executor> {
        self.state.borrow().executor.clone()
    }
}

/// Why a mutation was not tried, as a sentence for an assertion.
pub fn not_tried(error: &NotTried) -> String {
    format!("not tried: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_planned_is_told_by_routerds_name_of_the_source() {
        let table = [
            ("Plugin/lab-planner", Some(PlanSource::Planner)),
            ("Plugin/another", None),
            ("MobilityPool/pool", Some(PlanSource::MobilityPool)),
            ("mobility", None),
        ];
        for (source, expected) in table {
            assert_eq!(PlanSource::of(source, "lab-planner"), expected, "{source}");
        }
    }

    #[test]
    fn what_was_not_tried_says_why() {
        let why = not_tried(&NotTried::Refused(PermitRefused::RunEnded));
        assert_eq!(why, "not tried: the run has ended; its go is used");
    }
}

//! The faults that `--inject` knows, each of its two halves: how the mock lab is broken, and what a run
//! owes to it. They are joined by the fault's name; a test of the runbook proves that neither is alone.

use std::sync::LazyLock;

use lab::manifest::Instances;
use lab_mock::faults::Fault;
use scenarios::answers::{CheckOff, FaultAnswer, FaultClass, Owed, Primary, find_answer};
use serde::Serialize;

/// A fault as `lab-smoke faults` lists it.
#[derive(Debug, Serialize)]
pub struct KnownFault {
    pub name: &'static str,
    pub class: FaultClass,
    /// The default one; none where it takes none.
    pub argument: Option<&'static str>,
    pub breaks: &'static str,
    #[serde(rename = "caught_by")]
    pub primary: Primary,
    #[serde(flatten)]
    pub answer: FaultAnswer,
    pub check_off: CheckOff,
    /// The answer where teardown stops the instances in place of terminating them.
    pub stopped: CheckOff,
    /// The answer where the manifest keeps the instances.
    pub kept: CheckOff,
    pub labs: &'static [&'static str],
    /// The section of the runbook that it touches.
    pub runbook: &'static str,
    /// Where it was seen, or why it is thought of.
    pub source: &'static str,
    #[serde(skip)]
    owed: &'static Owed,
}

impl KnownFault {
    fn of(fault: &Fault, owed: &'static Owed) -> Self {
        let &Owed { fault: _, class, primary, answer, check_off, stopped, kept } = owed;
        let &Fault { name, argument, breaks, labs, runbook, source, inject: _, kernel: _ } = fault;
        Self {
            name,
            class,
            argument,
            breaks,
            primary,
            answer,
            check_off,
            stopped,
            kept,
            labs,
            runbook,
            source,
            owed,
        }
    }

    /// The answer that a run owes to it where teardown does this with the instances; none where it
    /// is no fault there.
    pub fn answer_at(&self, teardown: Instances) -> Option<FaultAnswer> {
        self.owed.answer_at(teardown)
    }

    /// The answer that a run owes to it where the source/dest check was on before, or off; none
    /// where it is no fault there.
    pub fn answer_with(&self, check_before: bool) -> Option<FaultAnswer> {
        self.owed.answer_with(check_before)
    }
}

static KNOWN: LazyLock<Vec<KnownFault>> = LazyLock::new(|| {
    let answered = |fault| Some(KnownFault::of(fault, find_answer(fault.name)?));
    lab_mock::faults::all_faults().filter_map(answered).collect()
});

/// Lists them in the order of a run.
pub fn list_faults() -> impl Iterator<Item = &'static KnownFault> {
    KNOWN.iter()
}

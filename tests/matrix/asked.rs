//! The faults of the table, each on a lab of its own: its run is made once in this process, whoever
//! asks how it went.

use std::sync::{LazyLock, OnceLock};

use lab_smoke_tests::extent;
use lab_smoke_tests::sensitivity::{Case, Outcome, cases, contradictions, traces};
use lab_smoke_tests::smoke::Ran;
use reports::record::Kind;

/// A case, and what its run showed once it was made.
pub struct Asked {
    pub case: Case,
    shown: OnceLock<Shown>,
}

/// The parts of a run that the tests judge: the whole of some hundred does not fit into memory.
pub struct Shown {
    pub given: Outcome,
    pub reasons: Vec<String>,
    pub traces: Vec<String>,
    pub contradictions: Vec<String>,
    /// Each detector that looked, and in which scenario.
    pub looks: Vec<(String, String)>,
    /// Where a hard stop tripped: what costs money and no command of the owner's names.
    pub costs_unnamed: Vec<String>,
}

/// Every fault on every lab on which it is one, or a sample of them.
pub static CASES: LazyLock<Vec<Asked>> = LazyLock::new(|| {
    let drawn = extent::sample("cases of docs/SENSITIVITY.md", cases(), |case| case.fault.name);
    drawn.into_iter().map(Asked::of).collect()
});

impl Asked {
    pub fn of(case: Case) -> Self {
        Self { case, shown: OnceLock::new() }
    }

    pub fn shown(&self) -> &Shown {
        self.shown.get_or_init(|| {
            let (given, ran) = self.case.run();
            Shown::of(given, &ran)
        })
    }
}

impl Shown {
    fn of(given: Outcome, ran: &Ran) -> Self {
        let looks = ran.records.iter().filter_map(|record| match &record.kind {
            Kind::StopChecked(it) => Some((it.detector.clone(), it.scenario.clone())),
            _ => None,
        });
        Self {
            given,
            reasons: ran.judgement.reasons.clone(),
            traces: traces(ran),
            contradictions: contradictions(ran),
            looks: looks.collect(),
            costs_unnamed: super::stops::costs_unnamed(ran),
        }
    }
}

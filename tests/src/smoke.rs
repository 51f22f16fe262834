//! One whole run of the smoke on the mock, in this process and in virtual time.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use harness::engine::{self, Meanwhile, Pending, Selection, Settings};
use harness::grant::OwnersFiles;
use harness::labs::{self, MockOptions};
use lab::manifest::Manifest;
use lab::permit::Brake;
use lab_mock::world::World;
use reports::evidence::{Evidence, fold_records};
use reports::folder::GO_FILE;
use reports::record::{AssertionStatus, LabKind, Part, Record};
use reports::verdict::Judgement;
use scenarios::SEQUENCE;

use crate::owner::OwnersKey;

/// The state of the ENI's source/dest check before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prior {
    CheckOn,
    CheckOff,
}

impl Prior {
    pub const BOTH: [Self; 2] = [Self::CheckOn, Self::CheckOff];
}

/// A run that has ended, and what is behind it.
pub struct Ran {
    pub evidence: Evidence,
    pub records: Vec<Record>,
    pub judgement: Judgement,
    /// The world as it was when the run began, with its faults.
    pub before: World,
    /// The world as the run left it.
    pub world: World,
}

/// Runs everything with these faults, each as `NAME` or `NAME=ARG`.
pub fn run(seed: u64, faults: &[&str], prior: Prior) -> Ran {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(run_here(seed, faults, prior, None, LabKind::Mock, &|_, _| {}))
}

/// Does the same on a world that was prepared once its faults were in it.
pub fn run_prepared(
    seed: u64,
    faults: &[&str],
    prior: Prior,
    prepare: &dyn Fn(&mut World, &Manifest),
) -> Ran {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(run_here(seed, faults, prior, None, LabKind::Mock, prepare))
}

/// The same world, described by a manifest of kind `aws`, with the go of an owner's own key.
pub fn run_behind_aws(seed: u64, faults: &[&str], prior: Prior) -> Ran {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(run_here(seed, faults, prior, None, LabKind::Aws, &|_, _| {}))
}

/// The same, where one detector of a hard stop finds nothing.
pub fn run_without(detector: &'static str, seed: u64, faults: &[&str], prior: Prior) -> Ran {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    let off = Some(detector);
    runtime.block_on(run_here(seed, faults, prior, off, LabKind::Mock, &|_, _| {}))
}

async fn run_here(
    seed: u64,
    faults: &[&str],
    prior: Prior,
    off: Option<&'static str>,
    kind: LabKind,
    prepare: &dyn Fn(&mut World, &Manifest),
) -> Ran {
    let detector_off = off;
    let folder = folder();
    let off = (prior == Prior::CheckOff).then_some("check-off");
    let faults: Vec<String> =
        off.into_iter().chain(faults.iter().copied()).map(str::to_owned).collect();
    let options = MockOptions { seed, faults: faults.clone(), world_file: None };
    let opened = labs::open_mock(&options).unwrap_or_else(|error| panic!("{faults:?}: {error}"));
    prepare(&mut opened.world.lock(), &opened.lab.manifest);
    let before = opened.world.lock().clone();
    let journal = labs::create_journal(folder.path(), &opened.world).expect("an empty journal");
    let settings =
        Settings { run_id: opened.run_id.clone(), seed: Some(seed), faults, selection: all() };
    let mut lab = opened.lab.clone().without_detector(detector_off);
    let mut go = opened.go.clone();
    if kind == LabKind::Aws {
        Rc::make_mut(&mut lab.manifest).lab.kind = kind;
        go = Rc::new(OwnersKey::make(lab.clock));
    }
    let lab = &lab;
    let (brake, announce) = (Brake::default(), &mut |_| {});
    let judgement = match opened.owner_awaited {
        None => engine::run_sequence(lab, go, &journal, brake, &settings, announce).await,
        Some(wait) => {
            let files = OwnersFiles {
                document: folder.path().join(GO_FILE),
                allowed_signers: String::new(),
                hidden_for: Duration::ZERO,
            };
            let pending = Pending { files, wait: Some(wait), meanwhile: Meanwhile::Park };
            engine::run_until_go(lab, &pending, &journal, brake, &settings, announce).await
        }
    };
    let records = journal.with_records(<[Record]>::to_vec);
    let evidence = journal.with_records(|records| fold_records(records, &journal.head()));
    let mut world = opened.world.lock().clone();
    world.now = lab.clock.now();
    Ran { evidence, records, judgement, before, world }
}

/// In memory where the machine has such a file system: a test need not wait for a disk.
pub fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}

/// Every scenario, judged.
pub fn all() -> Selection {
    let parts = SEQUENCE.iter().map(|scenario| (scenario.name, Part::Judged)).collect();
    Selection { filter: None, parts }
}

/// The assertions that failed or are unknown.
pub fn turned(evidence: &Evidence) -> BTreeSet<&str> {
    let all = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    all.filter(|it| matches!(it.status, AssertionStatus::Failed | AssertionStatus::Unknown))
        .map(|assertion| assertion.id.as_str())
        .collect()
}

/// The detectors of hard stops that tripped.
pub fn tripped(evidence: &Evidence) -> BTreeSet<&str> {
    let trips = evidence.hard_stops.iter().flat_map(|stop| &stop.tripped);
    trips.map(|trip| trip.detector.as_str()).collect()
}

impl Ran {
    /// The same as [`turned`].
    pub fn turned(&self) -> BTreeSet<&str> {
        turned(&self.evidence)
    }

    /// The same as [`tripped`].
    pub fn tripped(&self) -> BTreeSet<&str> {
        tripped(&self.evidence)
    }

    /// Whether the go was burnt: from there on the run owes an undo and a teardown.
    pub fn burnt(&self) -> bool {
        self.evidence.scenarios.iter().any(|it| it.name == "undo" && it.attempts > 0)
    }
}

//! One run that something befalls, and its recoveries: for the crash matrix and for exploration.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use harness::engine::{self, Settings};
use harness::grant::LabItself;
use lab::clock::Clock;
use lab::manifest::Manifest;
use lab::permit::Brake;
use lab::sabotage::Sabotage;
use lab_mock::MockLabOptions;
use lab_mock::faults::{self, Befall, Event, Killed, Nth, SeenEffect};
use lab_mock::world::{Shared, World};
use reports::go::Kept;
use reports::journal::{FileDisk, JOURNAL_FILE, Writer};
use reports::record::{Kind, RunStarted};
use reports::verdict::Judgement;

use crate::deaths::Recorder;
use crate::disk::{Appends, AtAppend, DyingDisk, put_back};
use crate::smoke;
pub use crate::smoke::Prior;

/// A blow that befalls one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    Effect(u32, Befall),
    Append(u32, AtAppend),
}

impl Blow {
    pub fn kills(self) -> bool {
        match self {
            Self::Effect(_, what) => what.kills(),
            Self::Append(_, how) => how.kills(),
        }
    }
}

/// A run, and everything that is to befall it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub prior: Prior,
    /// The faults, as `lab-smoke faults` names them.
    pub faults: Vec<String>,
    pub latency_ms: u64,
    /// The events that others do to the lab meanwhile.
    pub others: Vec<Event>,
    pub run: Vec<Blow>,
    /// The blows to each recovery in turn; the last one of all is left alone.
    pub recoveries: Vec<Vec<Blow>>,
    pub sabotage: Option<Sabotage>,
}

impl Plan {
    /// Nothing befalls it.
    pub fn quiet(prior: Prior) -> Self {
        Self {
            seed: 11,
            prior,
            faults: Vec::new(),
            latency_ms: 0,
            others: Vec::new(),
            run: Vec::new(),
            recoveries: Vec::new(),
            sabotage: None,
        }
    }

    /// Nothing is wrong with the lab itself, and nobody else touches it.
    pub fn is_alone(&self) -> bool {
        self.faults.is_empty() && self.others.is_empty()
    }

    pub fn blows(&self) -> impl Iterator<Item = Blow> {
        self.run.iter().chain(self.recoveries.iter().flatten()).copied()
    }
}

impl Plan {
    pub fn last_blow(&self) -> Option<Blow> {
        self.blows().last()
    }

    /// The same with another last blow.
    #[must_use]
    pub fn with_last(&self, blow: Blow) -> Self {
        let mut plan = self.clone();
        let blows = plan.recoveries.last_mut().unwrap_or(&mut plan.run);
        *blows = vec![blow];
        plan
    }
}

/// How a process came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Judged(Judgement),
    Killed,
}

/// The record of what one process asked for, and of its blows that fell.
#[derive(Clone, Debug)]
pub struct Process {
    pub end: End,
    pub effects: Vec<SeenEffect>,
    pub appends: u32,
    /// The blows that fell, each with the name of what it hit.
    pub fell: Vec<(Blow, String)>,
}

/// The things that the processes so far have left, in the run's folder and in the lab.
#[derive(Clone)]
pub struct Left {
    pub processes: Vec<Process>,
    pub journal: Vec<u8>,
    pub go: Option<Kept>,
    pub before: Arc<World>,
    pub world: Arc<World>,
}

impl Left {
    /// The run's folder as it was left.
    #[must_use]
    pub fn put_into(self, dir: &Path) -> Self {
        std::fs::write(dir.join(JOURNAL_FILE), &self.journal).expect("written");
        if let Some(go) = &self.go {
            reports::go::keep_go(dir, &go.document, &go.signature).expect("written");
        }
        self
    }
}

/// The things that are left after a run and its recoveries.
pub struct Aftermath {
    pub run: Process,
    pub recoveries: Vec<Process>,
    /// The answer of recovery; none where there was none, or nothing to recover.
    pub recovered: Option<Judgement>,
    pub before: Arc<World>,
    pub world: World,
    pub manifest: Option<Manifest>,
}

impl Aftermath {
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        std::iter::once(&self.run).chain(&self.recoveries)
    }

    /// The same, but that the nth process died otherwise.
    pub fn replace(&mut self, nth: usize, process: Process) {
        match nth.checked_sub(1) {
            None => self.run = process,
            Some(nth) => self.recoveries[nth] = process,
        }
    }

    pub fn fell(&self) -> impl Iterator<Item = &(Blow, String)> {
        self.processes().flat_map(|process| &process.fell)
    }

    /// The judgement that was said last of all; none where the run died before its first record.
    pub fn said(&self) -> Option<&Judgement> {
        match (&self.recovered, &self.run.end) {
            (Some(judgement), _) | (None, End::Judged(judgement)) => Some(judgement),
            (None, End::Killed) => None,
        }
    }
}

/// More recoveries than this have a reason that a test has to look at.
const MOST_RECOVERIES: usize = 8;

/// Carries the plan out in `dir`.
pub fn strike(dir: &Path, plan: &Plan) -> Aftermath {
    let left = start(dir, plan, Recorder::none());
    finish(dir, plan, left)
}

/// The run itself, in `dir`.
pub fn start(dir: &Path, plan: &Plan, recorder: Recorder) -> Left {
    let opened = RefCell::new(None);
    let given = Given::new(&plan.run, recorder);
    let run = process(&given, || run(dir, plan, &given, &opened), || opened.borrow().clone());
    let Opened { shared, before } = opened.into_inner().expect("the lab was opened");
    left(dir, vec![run], before, &shared)
}

/// One recovery of what was left in `dir`, where there is something to recover.
pub fn recover_once(
    dir: &Path,
    plan: &Plan,
    left_before: Left,
    blows: &[Blow],
    recorder: Recorder,
) -> Left {
    let started = needs_recovery(dir).expect("there is something to recover");
    let Left { mut processes, before, world, .. } = left_before;
    let given = Given::new(blows, recorder);
    let opened = Opened { shared: Shared::new((*world).clone()), before };
    drop(world);
    let body = || recover(dir, &started, opened.shared.clone(), plan, &given);
    processes.push(process(&given, body, || Some(opened.clone())));
    left(dir, processes, opened.before, &opened.shared)
}

fn left(dir: &Path, processes: Vec<Process>, before: Arc<World>, shared: &Shared) -> Left {
    put_back(dir);
    let journal = std::fs::read(dir.join(JOURNAL_FILE)).unwrap_or_default();
    let go = reports::go::read_kept(dir).expect("a readable folder");
    Left { processes, journal, go, before, world: Arc::new(shared.lock().clone()) }
}

/// Recovers what was left in `dir` until a recovery comes to its end.
pub fn finish(dir: &Path, plan: &Plan, mut left: Left) -> Aftermath {
    let mut recovered = None;
    while needs_recovery(dir).is_some() {
        let so_far = left.processes.len() - 1;
        assert!(so_far < MOST_RECOVERIES, "recovery does not come to an end");
        let blows = plan.recoveries.get(so_far).map_or(&[][..], Vec::as_slice);
        left = recover_once(dir, plan, left, blows, Recorder::none());
        if let Some(End::Judged(judgement)) = left.processes.last().map(|it| it.end.clone()) {
            recovered = Some(judgement);
            break;
        }
    }
    let mut processes = left.processes.into_iter();
    let run = processes.next().expect("a run");
    if run.end == End::Killed && recovered.is_none() {
        recovered = answered(dir);
    }
    let manifest = first_record(dir)
        .and_then(|started| Manifest::parse("the journal's", &started.lab.manifest).ok());
    let world = Arc::unwrap_or_clone(left.world);
    Aftermath {
        run,
        recoveries: processes.collect(),
        recovered,
        before: left.before,
        world,
        manifest,
    }
}

/// The world that a process works on.
#[derive(Clone)]
struct Opened {
    shared: Shared,
    before: Arc<World>,
}

/// The blows that are to befall a process, and who looks on.
struct Given {
    appends: Appends,
    planned: Vec<Nth>,
    recorder: Recorder,
}

impl Given {
    fn new(blows: &[Blow], recorder: Recorder) -> Self {
        let appends = blows.iter().filter_map(|blow| match blow {
            Blow::Append(at, how) => Some((*at, *how)),
            Blow::Effect(..) => None,
        });
        let planned = blows.iter().filter_map(|blow| match blow {
            Blow::Effect(at, what) => Some(Nth::new(*at, *what)),
            Blow::Append(..) => None,
        });
        let appends = Appends::new(appends, recorder.clone());
        Self { appends, planned: planned.collect(), recorder }
    }

    fn put_into(&self, shared: &Shared, clock: Clock) {
        self.recorder.look_at(shared, clock);
        let blows = &mut shared.lock().faults.blows;
        blows.planned.clone_from(&self.planned);
        blows.witness = self.recorder.witness();
    }
}

/// One process with its blows, on a runtime of its own.
fn process<F: Future<Output = Judgement>>(
    given: &Given,
    body: impl FnOnce() -> F,
    opened: impl FnOnce() -> Option<Opened>,
) -> Process {
    let ended = catch_unwind(AssertUnwindSafe(|| runtime().block_on(body())));
    let end = match ended {
        Ok(judgement) => End::Judged(judgement),
        Err(panic) if panic.is::<Killed>() => End::Killed,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let Opened { shared, .. } = opened().expect("the lab was opened");
    let blows = std::mem::take(&mut shared.lock().faults.blows);
    let appended = given.appends.fell().into_iter();
    let mut fell: Vec<(Blow, String)> =
        appended.map(|(at, how)| (Blow::Append(at, how), JOURNAL.to_owned())).collect();
    let effected = blows.planned.into_iter().filter(|it| it.fired > 0);
    fell.extend(effected.map(|it| (Blow::Effect(it.at, it.what), it.named)));
    Process { end, effects: blows.seen, appends: given.appends.count(), fell }
}

/// The name of what an append hits.
pub const JOURNAL: &str = "the journal";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

async fn run(
    dir: &Path,
    plan: &Plan,
    given: &Given,
    opened: &RefCell<Option<Opened>>,
) -> Judgement {
    let off = (plan.prior == Prior::CheckOff).then(|| "check-off".to_owned());
    let names: Vec<String> = off.into_iter().chain(plan.faults.iter().cloned()).collect();
    let options = MockLabOptions { seed: plan.seed, faults: names.clone(), world_file: None };
    let mock =
        lab_mock::open_mock_lab(&options).unwrap_or_else(|error| panic!("{plan:?}: {error}"));
    let shared = mock.shared.clone();
    let fault = {
        let mut world = shared.lock();
        world.faults.latency_ms = world.faults.latency_ms.max(plan.latency_ms);
        let start = world.now;
        world.faults.events.extend(plan.others.iter().cloned().map(|mut event| {
            if event.when == faults::When::Due {
                let delay = i64::try_from(event.delay_ms).expect("a short time");
                event.due = Some(start + chrono::TimeDelta::milliseconds(delay));
            }
            event
        }));
        let before = Arc::new(world.clone());
        *opened.borrow_mut() = Some(Opened { shared: shared.clone(), before });
        world.faults.go
    };
    given.put_into(&shared, mock.lab.clock);
    let disk = FileDisk::create(&dir.join(JOURNAL_FILE)).expect("a journal");
    let journal = Writer::on_disk(dir, Box::new(DyingDisk::new(disk, 0, given.appends.clone())));
    let lab = mock.lab.sabotaged(plan.sabotage);
    // A process that dies takes its clock with it: the world keeps the time.
    let keeper = Keeper { shared, clock: lab.clock };
    let settings = Settings {
        run_id: mock.run_id,
        seed: Some(plan.seed),
        faults: names,
        selection: smoke::all(),
    };
    let go = Rc::new(LabItself { key_seed: mock.go_seed, clock: lab.clock, fault });
    let judgement =
        engine::run_sequence(&lab, go, &journal, Brake::default(), &settings, &mut |_| {}).await;
    drop(keeper);
    judgement
}

/// Recovers as `lab-smoke recover` does it, on the world that is left.
async fn recover(
    dir: &Path,
    started: &RunStarted,
    shared: Shared,
    plan: &Plan,
    given: &Given,
) -> Judgement {
    let appends = given.appends.clone();
    let between = |disk| Box::new(DyingDisk::new(disk, length(dir), appends)) as Box<_>;
    let manifest = Manifest::parse("the journal's", &started.lab.manifest).expect("the manifest");
    let mock = lab_mock::attach_world(shared.clone(), manifest).expect("the lab");
    given.put_into(&shared, mock.lab.clock);
    let journal = Writer::reopen_on(dir, between).expect("a journal that can be gone on with");
    let lab = mock.lab.sabotaged(plan.sabotage);
    let keeper = Keeper { shared, clock: lab.clock };
    let judgement =
        engine::recover_from_journal(&lab, &journal, &started.run_id, &mut |_| {}).await;
    drop(keeper);
    judgement
}

fn length(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(JOURNAL_FILE)).expect("a journal").len()
}

/// The run of this journal, where it has no end record yet.
fn needs_recovery(dir: &Path) -> Option<RunStarted> {
    let records = reports::journal::read_file(dir).ok()?.records;
    let ended = records.iter().any(|it| matches!(it.kind, Kind::RunFinished(_)));
    if ended { None } else { engine::find_run_started(&records).cloned() }
}

fn first_record(dir: &Path) -> Option<RunStarted> {
    engine::find_run_started(&reports::journal::read_file(dir).ok()?.records).cloned()
}

fn answered(dir: &Path) -> Option<Judgement> {
    let records = reports::journal::read_file(dir).ok()?.records;
    let ended = records.iter().any(|it| matches!(it.kind, Kind::RunFinished(_)));
    ended.then(|| reports::verdict::judge_ending(&records))
}

/// Writes the time into the world when the process ends, however it does.
struct Keeper {
    shared: Shared,
    clock: Clock,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let now = self.clock.now();
        self.shared.lock().now = now;
    }
}

/// A death that is meant is not reported on stderr.
pub fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Killed>() {
                usual(info);
            }
        }));
    });
}

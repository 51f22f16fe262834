//! One run that something befalls, and its recovery: for the crash matrix and for exploration.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::path::Path;

use harness::engine::{self, Selection, Settings};
use harness::grant::LabItself;
use lab::mock::faults::{Befall, Killed, Nth};
use lab::mock::world::Shared;
use lab::mock::{self, Mock, Options};
use lab::permit::Brake;
use reports::journal::{Disk, FileDisk, JOURNAL_FILE, Writer};
use reports::record::Part;
use reports::verdict::Judgement;
use scenarios::SEQUENCE;

/// The ENI's source/dest check before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prior {
    On,
    Off,
}

/// Where the harness dies while it writes its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtAppend {
    Before,
    /// Half of the line is on the disk.
    Torn,
    After,
}

/// What befalls a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    None,
    Effect(u32, Befall),
    Append(u32, AtAppend),
}

/// How the run came to its end.
pub enum End {
    Judged(Judgement),
    Killed,
}

/// What is left after a run and, where it died, its recovery.
pub struct Aftermath {
    pub end: End,
    /// What recovery answered; none where the run ended by itself.
    pub recovered: Option<Judgement>,
    pub world: Shared,
    /// Name of the effect that was hit.
    pub hit: Option<String>,
    pub effects: u32,
    pub appends: u32,
}

/// Counts appends and dies at one of them.
struct DyingDisk {
    disk: FileDisk,
    blow: Option<(u32, AtAppend)>,
    appends: std::rc::Rc<std::cell::Cell<u32>>,
}

impl Disk for DyingDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let number = self.appends.get();
        self.appends.set(number + 1);
        match self.blow {
            Some((at, AtAppend::Before)) if at == number => panic_any(Killed),
            Some((at, AtAppend::Torn)) if at == number => {
                self.disk.write(&bytes[..bytes.len() / 2])?;
                panic_any(Killed)
            }
            Some((at, AtAppend::After)) if at == number => {
                self.disk.write(bytes)?;
                panic_any(Killed)
            }
            _ => self.disk.write(bytes),
        }
    }

    fn sync_data(&mut self) -> io::Result<()> {
        // Nothing here survives a machine that dies, and nothing has to: only the process does.
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.truncate(len)
    }

    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        self.disk.reserve(offset, bytes)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

fn options(prior: Prior) -> Options {
    let faults = match prior {
        Prior::On => Vec::new(),
        Prior::Off => vec!["check-off".to_owned()],
    };
    Options { seed: 11, faults, world_file: None }
}

/// Runs the smoke in `dir` with the blow; where it died, recovers it.
pub fn strike(dir: &Path, prior: Prior, blow: Blow) -> Aftermath {
    let appends = std::rc::Rc::new(std::cell::Cell::new(0));
    let mut world = None;
    let ran = {
        let (world, appends) = (&mut world, appends.clone());
        catch_unwind(AssertUnwindSafe(|| runtime().block_on(run(dir, prior, blow, appends, world))))
    };
    let world: Shared = world.expect("the lab was opened");
    let (hit, effects) = {
        let mut world = world.lock();
        let nth = world.faults.nth.take();
        let hit = nth.as_ref().filter(|nth| nth.fired > 0).map(|nth| nth.named.clone());
        (hit, nth.map_or(0, |nth| nth.seen))
    };
    let (end, recovered) = match ran {
        Ok(judgement) => (End::Judged(judgement), None),
        Err(panic) if panic.is::<Killed>() => (End::Killed, recover(dir, &world)),
        Err(panic) => std::panic::resume_unwind(panic),
    };
    Aftermath { end, recovered, world, hit, effects, appends: appends.get() }
}

async fn run(
    dir: &Path,
    prior: Prior,
    blow: Blow,
    appends: std::rc::Rc<std::cell::Cell<u32>>,
    world: &mut Option<Shared>,
) -> Judgement {
    let mock = mock::open(&options(prior)).expect("the mock lab");
    *world = Some(mock.shared.clone());
    mock.shared.lock().faults.nth = Some(match blow {
        Blow::Effect(at, what) => Nth::new(at, what),
        _ => Nth::new(u32::MAX, Befall::Hang),
    });
    let append = match blow {
        Blow::Append(at, how) => Some((at, how)),
        _ => None,
    };
    let disk = FileDisk::create(&dir.join(JOURNAL_FILE)).expect("a journal");
    let journal = Writer::on_disk(dir, Box::new(DyingDisk { disk, blow: append, appends }));
    let Mock { lab, run_id, go_seed, shared, .. } = mock;
    // A process that dies takes its clock with it: the world keeps the time.
    let keeper = Keeper { shared, clock: lab.clock };
    let parts = SEQUENCE.iter().map(|scenario| (scenario.name, Part::Judged)).collect();
    let selection = Selection { filter: None, parts };
    let settings = Settings { run_id, seed: Some(11), faults: Vec::new(), selection };
    let go = std::rc::Rc::new(LabItself { key_seed: go_seed, clock: lab.clock, fault: None });
    let judgement = engine::run(&lab, go, &journal, Brake::default(), &settings, &mut |_| {}).await;
    drop(keeper);
    judgement
}

/// Writes the time into the world when the run ends, however it does.
struct Keeper {
    shared: Shared,
    clock: lab::clock::Clock,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let now = self.clock.now();
        self.shared.lock().now = now;
    }
}

/// As `lab-smoke recover` does it, on the world that is left. None where the journal says nothing
/// of a run yet.
pub fn recover(dir: &Path, world: &Shared) -> Option<Judgement> {
    let journal = Writer::reopen(dir).expect("a journal that can be gone on with");
    let started = journal.with_records(|records| match records.first().map(|it| &it.kind) {
        Some(reports::record::Kind::RunStarted(started)) => Some(started.clone()),
        _ => None,
    })?;
    if let Some(judgement) = engine::answered(&journal) {
        return Some(judgement);
    }
    let manifest = lab::manifest::Manifest::parse("the journal's", &started.lab.manifest)
        .expect("the manifest of the run");
    Some(runtime().block_on(async {
        let mock = mock::attach(world.clone(), manifest).expect("the lab");
        let keeper = Keeper { shared: world.clone(), clock: mock.lab.clock };
        let judgement = engine::recover(&mock.lab, &journal, &started.run_id, &mut |_| {}).await;
        drop(keeper);
        judgement
    }))
}

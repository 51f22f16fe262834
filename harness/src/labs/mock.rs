//! The mock: made from a seed in virtual time, kept in the folder of its run.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::LocalBoxFuture;
use lab::Lab;
use lab::clock::Clock;
use lab::manifest::Manifest;
use lab_mock::faults::GoFault;
use lab_mock::world::Shared;
use reports::folder::{RunFolder, WORLD_FILE};
use reports::journal::{Disk, FileDisk, JOURNAL_FILE, JournalError, Lost, Writer};
use reports::record::{LabKind, RunStarted};
use scenarios::run::GoSource;
use tokio::runtime::Runtime;

use super::{
    Choice, Existing, LabPlace, LabRequest, Leaving, OpenError, Opened, Opener, Own, Site,
};
use crate::grant::LabItself;

pub struct MockLabs;

impl Opener for MockLabs {
    fn kind(&self) -> LabKind {
        LabKind::Mock
    }

    /// Virtual time on one thread (I10).
    fn runtime(&self) -> io::Result<Runtime> {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
    }

    fn check(&self, wanted: &LabRequest) -> Result<(), OpenError> {
        wanted.makes_nothing()?;
        match (&wanted.lab, wanted.seed) {
            (Choice::Described(own), None) => Err(OpenError::NoSeed(own.path.clone())),
            _ => Ok(()),
        }
    }

    fn begin<'a>(
        &'a self,
        wanted: &'a LabRequest,
        _say: &'a dyn Fn(&str),
    ) -> LocalBoxFuture<'a, Result<Box<dyn Site>, OpenError>> {
        Box::pin(async move {
            // Short enough to type, and exact in every reader of JSON.
            let seed = wanted.seed.unwrap_or_else(|| fastrand::u32(..).into());
            let options = MockOptions { seed, faults: wanted.faults.clone(), world_file: None };
            let run_id = mock_run_id(&options)?;
            let (file, manifest) = match &wanted.lab {
                Choice::Usual | Choice::Named(_) => (None, None),
                Choice::Described(own) => {
                    let Own { path, manifest } = own.as_ref();
                    (Some(path.clone()), Some(manifest.clone()))
                }
            };
            let from = From::Seed { options, manifest };
            Ok(Box::new(MockSite { run_id, seed: Some(seed), file, from }) as Box<dyn Site>)
        })
    }

    fn return_to(&self, run: Existing) -> Result<Box<dyn Site>, OpenError> {
        let Existing { started, manifest, last_seen_at, .. } = run;
        let from = From::World { manifest, last_seen_at };
        Ok(Box::new(MockSite { run_id: started.run_id, seed: started.seed, file: None, from }))
    }

    /// Made, not described: it has no signers, so that only a manifest brings some.
    fn own_manifest(&self, run: &RunStarted) -> Result<Manifest, OpenError> {
        mock_manifest(run.seed.unwrap_or_default())
    }

    fn place(&self) -> LabPlace {
        LabPlace::InTheFolder
    }
}

struct MockSite {
    run_id: String,
    seed: Option<u64>,
    file: Option<PathBuf>,
    from: From,
}

/// The source that the world is made from.
enum From {
    Seed {
        options: MockOptions,
        manifest: Option<Manifest>,
    },
    /// The world as an earlier process left it in the folder.
    World {
        manifest: Manifest,
        last_seen_at: Option<DateTime<Utc>>,
    },
}

impl Site for MockSite {
    fn run_id(&self) -> &str {
        &self.run_id
    }

    fn seed(&self) -> Option<u64> {
        self.seed
    }

    fn manifest_file(&self) -> Option<PathBuf> {
        self.file.clone()
    }

    fn open<'a>(&'a self, folder: &'a RunFolder) -> LocalBoxFuture<'a, Result<Opened, OpenError>> {
        Box::pin(async move {
            let world_file = folder.file(WORLD_FILE);
            let mock = match &self.from {
                From::Seed { options, manifest } => {
                    let options = MockOptions { world_file: Some(world_file), ..options.clone() };
                    open_mock_as(&options, manifest.clone())?
                }
                From::World { manifest, last_seen_at } => {
                    let mock = opened(lab_mock::reopen_mock_lab(&world_file, manifest.clone())?);
                    catch_up(&mock.lab.clock, *last_seen_at).await;
                    mock
                }
            };
            let OpenMock { lab, go, go_hidden_for, owner_awaited, world, .. } = mock;
            let disk = Box::new(move |folder: &Path| create_journal(folder, &world));
            Ok(Opened { lab, self_grant: Some(go), go_hidden_for, owner_awaited, disk })
        })
    }

    /// It lies in the folder, and costs nothing.
    fn leave<'a>(&'a self, _how: Leaving, _say: &'a dyn Fn(&str)) -> LocalBoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The world was saved with its last effect; the run's time went on until its last record.
async fn catch_up(clock: &Clock, last_seen_at: Option<DateTime<Utc>>) {
    if let Some(ahead) = last_seen_at.and_then(|last| (last - clock.now()).to_std().ok()) {
        clock.sleep(ahead).await;
    }
}

/// An open mock, for whoever wants to look behind it.
pub struct OpenMock {
    pub lab: Lab,
    /// The giver of the go, for a lab that grants itself its go.
    pub go: Rc<dyn GoSource>,
    pub run_id: String,
    /// How long nobody sees the owner's go (a fault of the mock).
    pub go_hidden_for: Duration,
    /// How long the owner is waited for where the lab does not grant itself the go (a fault).
    pub owner_awaited: Option<Duration>,
    /// The world that the lab is, for whoever looks behind it: a test, or the fault of a full disk.
    pub world: Shared,
}

/// The options that the mock is opened with.
#[derive(Clone, Debug)]
pub struct MockOptions {
    pub seed: u64,
    pub faults: Vec<String>,
    /// Where the world is saved after each effect.
    pub world_file: Option<PathBuf>,
}

/// The id that a run on this mock has; a fault that does not exist is found here, before anything
/// is made.
fn mock_run_id(options: &MockOptions) -> Result<String, OpenError> {
    Ok(open_mock(&MockOptions { world_file: None, ..options.clone() })?.run_id)
}

/// Must be called inside the paused runtime, and where the world file's folder exists.
pub fn open_mock(options: &MockOptions) -> Result<OpenMock, OpenError> {
    open_mock_as(options, None)
}

/// Does the same as [`open_mock`], with the operator's own manifest of it.
pub fn open_mock_as(options: &MockOptions, own: Option<Manifest>) -> Result<OpenMock, OpenError> {
    let options = lab_mock::MockLabOptions {
        seed: options.seed,
        faults: options.faults.clone(),
        world_file: options.world_file.clone(),
    };
    Ok(opened(lab_mock::open_as(&options, own)?))
}

/// Longer than hard stop 7 lets instances run.
const OWNER_AWAITED: Duration = Duration::from_mins(15);

fn opened(mock: lab_mock::Mock) -> OpenMock {
    let go_hidden_for = Duration::from_millis(mock.shared.lock().faults.go_after_ms);
    let fault = mock.shared.lock().faults.go;
    let go = LabItself { key_seed: mock.go_seed, clock: mock.lab.clock, fault };
    OpenMock {
        lab: mock.lab,
        go: Rc::new(go),
        run_id: mock.run_id,
        go_hidden_for,
        owner_awaited: (fault == Some(GoFault::OwnerSilent)).then_some(OWNER_AWAITED),
        world: mock.shared,
    }
}

/// An empty journal in the folder, on a disk as the world has it.
pub fn create_journal(folder: &Path, world: &Shared) -> Result<Writer, JournalError> {
    if !world.lock().faults.disk_full {
        return Writer::create(folder);
    }
    let path = folder.join(JOURNAL_FILE);
    let disk = FileDisk::create(&path).map_err(|source| JournalError::Io { path, source })?;
    Ok(Writer::on_disk(folder, Box::new(FullDisk(disk))))
}

/// A disk with room for some lines more, and for nothing that could be reserved.
struct FullDisk(FileDisk);

impl Disk for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }

    fn reserve(&mut self, _offset: u64, _bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn check(&self, len: u64) -> Result<(), Lost> {
        self.0.check(len)
    }
}

/// The manifest that the mock of this seed is made with.
pub fn mock_manifest(seed: u64) -> Result<Manifest, OpenError> {
    let options = lab_mock::MockLabOptions { seed, ..Default::default() };
    Ok(Manifest::clone(&lab_mock::open_mock_lab(&options)?.lab.manifest))
}

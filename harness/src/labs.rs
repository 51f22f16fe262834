//! The labs that this build can open, and the one place where the mock is put together.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use std::time::Duration;

use lab::Lab;
use lab::clock::Clock;
use lab::manifest::Manifest;
pub use lab::mock::faults::Fault;
use lab::mock::faults::GoFault;
use lab::mock::serve::{ServeOptions, Serving, serve_with};
use lab::mock::world::Shared;
use reports::journal::{Disk, FileDisk, JOURNAL_FILE, JournalError, Lost, Writer};
use reports::record::LabKind;
use reports::verdict::ExitCode;
use scenarios::run::GoSource;

use crate::grant::LabItself;

/// An open lab with what a run needs of it.
pub struct Opened {
    pub lab: Lab,
    /// Of a lab that grants itself its go.
    pub go: Rc<dyn GoSource>,
    pub run_id: String,
    /// How long nobody sees the owner's go (a fault of the mock).
    pub go_hidden_for: Duration,
    /// How long the owner is waited for where the lab does not grant itself the go (a fault).
    pub owner_awaited: Option<Duration>,
    /// What the lab is, for whoever looks behind it: a test, or the fault of a full disk.
    pub world: Shared,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("this build cannot open a lab of kind {}; nothing was touched", word(*.0))]
    NotInThisBuild(LabKind),
    #[error(transparent)]
    Mock(#[from] lab::mock::OpenError),
}

impl OpenError {
    pub fn code(&self) -> ExitCode {
        match self {
            Self::NotInThisBuild(_) | Self::Mock(lab::mock::OpenError::World { .. }) => {
                ExitCode::Unavailable
            }
            Self::Mock(lab::mock::OpenError::Fault(_)) => ExitCode::Usage,
            Self::Mock(_) => ExitCode::Bug,
        }
    }
}

fn word(kind: LabKind) -> &'static str {
    match kind {
        LabKind::Mock => "mock",
        LabKind::Netns => "netns",
        LabKind::Aws => "aws",
    }
}

/// What the mock is opened with.
#[derive(Clone, Debug)]
pub struct MockOptions {
    pub seed: u64,
    pub faults: Vec<String>,
    /// Where the world is saved after each effect.
    pub world_file: Option<PathBuf>,
}

/// The id that a run on this mock has; a fault that does not exist is found here, before anything
/// is made.
pub fn mock_run_id(options: &MockOptions) -> Result<String, OpenError> {
    Ok(open_mock(&MockOptions { world_file: None, ..options.clone() })?.run_id)
}

/// Must be called inside the paused runtime, and where the world file's folder exists.
pub fn open_mock(options: &MockOptions) -> Result<Opened, OpenError> {
    open_mock_as(options, None)
}

/// As [`open_mock`], with the operator's own manifest of it.
pub fn open_mock_as(options: &MockOptions, own: Option<Manifest>) -> Result<Opened, OpenError> {
    let options = lab::mock::Options {
        seed: options.seed,
        faults: options.faults.clone(),
        world_file: options.world_file.clone(),
    };
    Ok(opened(lab::mock::open_as(&options, own)?))
}

/// Longer than hard stop 7 lets instances run.
const OWNER_AWAITED: Duration = Duration::from_mins(15);

fn opened(mock: lab::mock::Mock) -> Opened {
    let go_hidden_for = Duration::from_millis(mock.shared.lock().faults.go_after_ms);
    let fault = mock.shared.lock().faults.go;
    let go = LabItself { key_seed: mock.go_seed, clock: mock.lab.clock, fault };
    Opened {
        lab: mock.lab,
        go: Rc::new(go),
        run_id: mock.run_id,
        go_hidden_for,
        owner_awaited: (fault == Some(GoFault::OwnerSilent)).then_some(OWNER_AWAITED),
        world: mock.shared,
    }
}

/// An empty journal in the folder, on a disk as the world has it.
pub fn journal(folder: &Path, world: &Shared) -> Result<Writer, JournalError> {
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

/// The mock as an earlier process left it. Must be called inside the paused runtime.
pub fn reopen_mock(world_file: &Path, manifest: Manifest) -> Result<Opened, OpenError> {
    Ok(opened(lab::mock::reopen(world_file, manifest)?))
}

/// The manifest that the mock of this seed is made with.
pub fn mock_manifest(seed: u64) -> Result<Manifest, OpenError> {
    let options = lab::mock::Options { seed, ..Default::default() };
    Ok(Manifest::clone(&lab::mock::open(&options)?.lab.manifest))
}

/// The faults that `--inject` knows.
pub fn faults() -> Vec<&'static Fault> {
    lab::mock::faults::all().collect()
}

/// A served mock.
pub struct Served {
    serving: Serving,
    /// To be exported in a shell, in this order.
    pub exports: Vec<(String, String)>,
}

/// How long open connections are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Served {
    pub async fn stop(self) -> io::Result<()> {
        self.serving.stop(Clock::System.sleep(PATIENCE)).await
    }
}

/// Serves the mock of this seed on loopback, in real time. Must be called inside an unpaused
/// runtime.
pub async fn serve_mock(options: &MockOptions, serve: ServeOptions) -> Result<Served, ServeError> {
    let clock = Clock::System;
    let mut world = lab::mock::world_of(options.seed, clock.now());
    for fault in &options.faults {
        lab::mock::faults::inject(&mut world, fault)?;
    }
    let cloud = world.cloud.clone();
    let serving = serve_with(Shared::new(world), clock, serve).await?;
    let exports = serving.exports(&cloud);
    Ok(Served { serving, exports })
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the mock cannot be served: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Fault(#[from] lab::mock::faults::BadFault),
}

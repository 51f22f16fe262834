//! The labs that this build can open, and the one place where the mock is put together.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use lab::Lab;
use reports::record::LabKind;
use reports::verdict::ExitCode;
use scenarios::run::GoSource;
use serde::Serialize;

/// An open lab with what a run needs of it.
pub struct Opened {
    pub lab: Lab,
    pub go: Rc<dyn GoSource>,
    pub run_id: String,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("this build cannot open a lab of kind {}; nothing was touched", word(*.0))]
    NotInThisBuild(LabKind),
}

impl OpenError {
    pub fn code(&self) -> ExitCode {
        match self {
            Self::NotInThisBuild(_) => ExitCode::Unavailable,
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
pub fn open_mock(_options: &MockOptions) -> Result<Opened, OpenError> {
    Err(OpenError::NotInThisBuild(LabKind::Mock))
}

/// A fault that `--inject` knows.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    pub name: String,
    /// What stands after the `=`, where it takes something.
    pub argument: Option<String>,
    pub what: String,
    /// The assertion that it must turn.
    pub primary: String,
    /// What turns with it.
    pub consequences: Vec<String>,
}

pub fn faults() -> Vec<Fault> {
    Vec::new()
}

/// A served mock.
pub struct Served {
    /// To be exported in a shell, in this order.
    pub exports: Vec<(String, String)>,
}

impl Served {
    pub async fn stop(self) -> io::Result<()> {
        Ok(())
    }
}

/// Serves the mock of this seed on loopback. Must be called inside an unpaused runtime.
pub async fn serve_mock(_options: &MockOptions, _port: u16) -> io::Result<Served> {
    Err(io::Error::other("this build has no mock lab"))
}

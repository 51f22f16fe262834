//! The labs that can be opened, each behind one interface: a site for a new run, a site for an
//! existing one, what becomes of the lab afterwards, and in which time it lives.

mod aws;
mod mock;
mod netns;
mod served;
mod which;

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::LocalBoxFuture;
use lab::Lab;
use lab::manifest::Manifest;
use reports::folder::RunFolder;
use reports::journal::{JournalError, Writer};
use reports::record::{LabKind, RunStarted};
use reports::verdict::ExitCode;
use scenarios::run::GoSource;
use tokio::runtime::Runtime;

pub use crate::cli::MakeArgs;
use crate::engine::{Meanwhile, Standing};
pub use mock::{MockOptions, OpenMock, create_journal, mock_manifest, open_mock, open_mock_as};
pub use served::{ServeError, Served, serve_mock};
pub use which::{NetnsError, find_kernel_lab, folder_id, make_kernel_lab};

/// Opens the labs of one kind.
pub trait Opener {
    fn kind(&self) -> LabKind;

    /// Virtual time, or the time of the processes and packets that run there.
    ///
    /// # Errors
    /// Where the operating system gives none.
    fn runtime(&self) -> io::Result<Runtime>;

    /// Whether such a lab can be had; nothing is touched.
    ///
    /// # Errors
    /// Words that do not fit it.
    fn check(&self, wanted: &LabRequest) -> Result<(), OpenError>;

    /// The site of a new run: found, or made for it. `say` is for people.
    fn begin<'a>(
        &'a self,
        wanted: &'a LabRequest,
        say: &'a dyn Fn(&str),
    ) -> LocalBoxFuture<'a, Result<Box<dyn Site>, OpenError>>;

    /// The site of a run that was begun earlier.
    ///
    /// # Errors
    /// Where it is not there.
    fn return_to(&self, run: Existing) -> Result<Box<dyn Site>, OpenError>;

    /// The manifest that the lab itself has.
    ///
    /// # Errors
    /// Where the lab is not there.
    fn own_manifest(&self, run: &RunStarted) -> Result<Manifest, OpenError>;

    /// The proof that the lab of a run is gone. None where it lives, or where nobody can tell.
    ///
    /// # Errors
    /// Where this machine does not say.
    fn prove_gone(&self, _run: &RunFolder, _run_id: &str) -> Result<Option<String>, OpenError> {
        Ok(None)
    }

    /// Where the lab lies in the run's folder, whoever has the folder has all there is, and no lease
    /// has to be asked for.
    fn place(&self) -> LabPlace {
        LabPlace::OutsideTheFolder
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabPlace {
    InTheFolder,
    OutsideTheFolder,
}

/// A lab that a run stands on.
pub trait Site {
    fn run_id(&self) -> &str;

    /// The seed of a lab that is made from one: the same run can be had again.
    fn seed(&self) -> Option<u64>;

    /// Where the manifest lies that a recovery reads again. None where the lab makes its own.
    fn manifest_file(&self) -> Option<PathBuf>;

    /// Opens the lab for the run of this folder, which this process holds. Called once, inside the
    /// opener's runtime.
    fn open<'a>(&'a self, folder: &'a RunFolder) -> LocalBoxFuture<'a, Result<Opened, OpenError>>;

    /// Decides what becomes of the lab, now that the command ends. `say` is for people.
    fn leave<'a>(&'a self, how: Leaving, say: &'a dyn Fn(&str)) -> LocalBoxFuture<'a, ()>;
}

/// How a command leaves a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The run was never begun.
    Unused,
    /// The run stands like that.
    Run(Standing),
    /// A recovery found nothing left, or took everything back.
    Recovered,
    /// A recovery left something: whoever looks into that may want the lab.
    NotRecovered,
}

/// An open lab, with what a run needs of it.
pub struct Opened {
    pub lab: Lab,
    /// The giver of the go, for a lab that may grant itself its go.
    pub self_grant: Option<Rc<dyn GoSource>>,
    /// How long nobody sees the owner's go (a fault of the mock).
    pub go_hidden_for: Duration,
    /// How long the owner is waited for where the lab does not grant itself the go (a fault).
    pub owner_awaited: Option<Duration>,
    pub disk: RunDisk,
}

/// Makes the empty journal of a run's folder.
pub type RunDisk = Box<dyn Fn(&Path) -> Result<Writer, JournalError>>;

/// The lab that a run is to be begun on, and what it is begun with.
#[derive(Debug)]
pub struct LabRequest {
    pub lab: Choice,
    pub seed: Option<u64>,
    pub faults: Vec<String>,
    /// The options of the command line that a lab that is made is made with.
    pub make: MakeArgs,
    pub after: AfterRun,
    pub grantor: Grantor,
    /// The role that the operator takes, whatever the manifest says.
    pub assume_role: Option<String>,
}

#[derive(Debug)]
pub enum Choice {
    /// The one that this kind has, or makes.
    Usual,
    Named(String),
    Described(Box<Own>),
}

/// The operator's own manifest, and where it lies.
#[derive(Debug)]
pub struct Own {
    pub path: PathBuf,
    pub manifest: Manifest,
}

/// The fate of a lab that was made for a run, when the run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRun {
    TakeDown,
    Keep,
}

/// Who gives the go.
#[derive(Clone, Copy, Debug)]
pub enum Grantor {
    LabItself,
    /// None: nobody waits for him, the command ends.
    Owner {
        wait: Option<Duration>,
        meanwhile: Meanwhile,
    },
}

/// A run that was begun earlier.
#[derive(Debug)]
pub struct Existing {
    pub started: RunStarted,
    /// The manifest as it stands outside the folder by now.
    pub manifest: Manifest,
    /// The time of its last record.
    pub last_seen_at: Option<DateTime<Utc>>,
    pub purpose: Purpose,
    /// As a request's.
    pub assume_role: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    GoOn,
    Recover,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("this build cannot open a lab of kind {}; nothing was touched", word(*.0))]
    NotInThisBuild(LabKind),
    #[error("--{0} is for `--lab mock` alone")]
    OnlyOnTheMock(&'static str),
    #[error("--assume-role is for a lab of kind aws: it says who asks AWS")]
    OnlyOnAws,
    #[error("--{0} is for a kernel lab that is made for the run: `--lab netns`")]
    OnlyWhereMade(&'static str),
    #[error("{0} describes the mock lab of one seed: say which with --seed")]
    NoSeed(PathBuf),
    #[error(transparent)]
    Mock(#[from] lab_mock::OpenError),
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error(transparent)]
    Aws(#[from] lab_aws::AwsLabError),
    #[error("a lab of kind aws is what a manifest says, and keeps none: name it with --lab")]
    NoManifest,
    #[error(transparent)]
    Fault(#[from] lab_netns::CannotInject),
    #[error("the lab cannot be opened: {0}")]
    Io(#[from] io::Error),
}

impl OpenError {
    pub fn code(&self) -> ExitCode {
        match self {
            Self::NotInThisBuild(_)
            | Self::Mock(lab_mock::OpenError::World { .. })
            | Self::Netns(_)
            | Self::Aws(_)
            | Self::NoManifest
            | Self::Fault(lab_netns::CannotInject::Unable(_))
            | Self::Io(_) => ExitCode::Unavailable,
            Self::OnlyOnTheMock(_)
            | Self::OnlyOnAws
            | Self::OnlyWhereMade(_)
            | Self::NoSeed(_)
            | Self::Fault(_)
            | Self::Mock(lab_mock::OpenError::Fault(_)) => ExitCode::Usage,
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

/// The openers that a program has, one a kind.
pub struct Labs(Vec<Box<dyn Opener>>);

impl Labs {
    /// No labs: whoever brings openers of his own adds them.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// The labs that this build can open.
    pub fn built_in() -> Self {
        Self(vec![Box::new(mock::MockLabs), Box::new(netns::KernelLabs), Box::new(aws::AwsLabs)])
    }

    /// Adds an opener, in the place of the one of the same kind.
    #[must_use]
    pub fn with(mut self, opener: Box<dyn Opener>) -> Self {
        self.0.retain(|it| it.kind() != opener.kind());
        self.0.push(opener);
        self
    }

    /// The opener of a lab that fits what is wanted; nothing is touched.
    ///
    /// # Errors
    /// Words that do not fit, and where this program has no opener of that kind.
    pub fn for_new_run(
        &self,
        kind: LabKind,
        wanted: &LabRequest,
    ) -> Result<&dyn Opener, OpenError> {
        if kind == LabKind::Aws {
            wanted.makes_nothing_up()?;
        } else if wanted.assume_role.is_some() {
            return Err(OpenError::OnlyOnAws);
        }
        let opener = self.of(kind)?;
        opener.check(wanted)?;
        Ok(opener)
    }

    /// # Errors
    /// Where this program has none of that kind.
    pub fn of(&self, kind: LabKind) -> Result<&dyn Opener, OpenError> {
        let opener = self.0.iter().find(|it| it.kind() == kind);
        opener.map(AsRef::as_ref).ok_or(OpenError::NotInThisBuild(kind))
    }
}

impl LabRequest {
    /// A seed and faults are things of a lab that is built in.
    fn makes_nothing_up(&self) -> Result<(), OpenError> {
        if self.seed.is_some() {
            Err(OpenError::OnlyOnTheMock("seed"))
        } else if !self.faults.is_empty() {
            Err(OpenError::OnlyOnTheMock("inject"))
        } else {
            Ok(())
        }
    }

    /// A lab that is there is not made.
    fn makes_nothing(&self) -> Result<(), OpenError> {
        let given = [
            ("routerd-bin", &self.make.routerd_bin),
            ("executor", &self.make.executor),
            ("allowed-signers", &self.make.allowed_signers),
        ];
        match given.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(OpenError::OnlyWhereMade(name)),
            None => Ok(()),
        }
    }
}

impl Grantor {
    /// The owner is waited for where the lab does not grant itself the go.
    #[must_use]
    pub fn or_owner(self, awaited: Option<Duration>) -> Self {
        match (self, awaited) {
            (Self::LabItself, Some(wait)) => {
                Self::Owner { wait: Some(wait), meanwhile: Meanwhile::Park }
            }
            (grantor, _) => grantor,
        }
    }
}

/// Time is that of this machine.
pub(crate) fn real_time() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

//! Why a command does nothing with a run, and the exit code that says so. Nothing was touched then.

use std::path::PathBuf;

use lab::manifest::ManifestError;
use reports::folder::FolderError;
use reports::journal::JournalError;
use reports::shown::Differs;
use reports::verdict::ExitCode;

use super::lab::ReadError;
use crate::labs::OpenError;
use crate::selection::NothingMatches;

#[derive(Debug, thiserror::Error)]
pub(super) enum CommandRefusal {
    #[error(transparent)]
    Nothing(#[from] NothingMatches),
    #[error(transparent)]
    Manifest(#[from] ReadError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Differs(#[from] Differs),
    /// Another process has the folder.
    #[error("{folder} is live: {by}")]
    Live { folder: PathBuf, by: String },
    #[error(
        "{run} is live: it holds the lab until {until} and was begun in another folder or on another machine; \
         a dead run's lease ends, then `lab-smoke recover` takes its lock over"
    )]
    Leased { run: String, until: chrono::DateTime<chrono::Utc> },
    #[error("the journal says nothing of a run: it ended before its first record")]
    Empty,
    #[error("the run has ended; a go is good once: begin another with `lab-smoke preflight`")]
    Ended,
    #[error("the run has ended; `lab-smoke report` makes its evidence again")]
    NothingToRecover,
    #[error(
        "the go is refused (used): this run has burnt {0}; `lab-smoke recover {1}` brings the lab back"
    )]
    Used(String, String),
    #[error("the run awaits no go; `lab-smoke recover {0}` brings it to its end")]
    NotPending(String),
    #[error(
        "{gone} is gone, which the journal names: a run goes on with its whole evidence alone; \
         `lab-smoke recover {run}` brings it to its end"
    )]
    Incomplete { gone: PathBuf, run: String },
    #[error("{proof}; `lab-smoke recover {run}` closes the run")]
    LabGone { proof: String, run: String },
    #[error("the journal's manifest cannot be read: {0}")]
    JournalsManifest(ManifestError),
    #[error("{0}; the manifest that preflight was given can be named with --lab")]
    Unread(ReadError),
    #[error(
        "{0} describes another lab than the run's; nothing was touched: name the run's with --lab"
    )]
    OtherLab(PathBuf),
    #[error(
        "{0} is not the manifest that preflight was given: more than consent, signers and how nodes are reached differ; \
         begin again with `lab-smoke preflight`"
    )]
    OtherManifest(PathBuf),
    #[error(
        "run.json does not say which manifest preflight was given, and the lab's own has other \
         consent or signers than the run's; nothing was touched: name the run's with --lab"
    )]
    ManifestLost,
    #[error("nothing was begun: {0}")]
    Io(#[from] std::io::Error),
}

impl CommandRefusal {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Open(error) => error.code(),
            Self::Live { .. }
            | Self::Leased { .. }
            | Self::Folder(FolderError::Held { .. })
            | Self::Journal(JournalError::Held(_))
            | Self::LabGone { .. }
            | Self::Unread(_)
            | Self::OtherLab(_)
            | Self::ManifestLost
            | Self::Io(_) => ExitCode::Unavailable,
            Self::Used(..) => ExitCode::Stopped,
            Self::Nothing(_)
            | Self::Manifest(_)
            | Self::Folder(_)
            | Self::Journal(_)
            | Self::Differs(_)
            | Self::Empty
            | Self::Ended
            | Self::NothingToRecover
            | Self::NotPending(_)
            | Self::Incomplete { .. }
            | Self::JournalsManifest(_)
            | Self::OtherManifest(_) => ExitCode::Usage,
        }
    }
}

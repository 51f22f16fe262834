//! The manifest of a run that is gone on with: the journal's, with consent and signers as they are
//! outside the run's folder now. Whoever edits a folder cannot make himself a signer.

use std::path::{Path, PathBuf};

use ::lab::manifest::{Manifest, ManifestError};
use reports::folder::RunFolder;
use reports::record::RunStarted;
use reports::verdict::ExitCode;

use super::lab;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the journal's manifest cannot be read: {0}")]
    Journals(#[from] ManifestError),
    #[error("{0}; the manifest that preflight was given can be named with --lab")]
    Unread(#[from] lab::ReadError),
    #[error(
        "{0} describes another lab than the run's; nothing was touched: name the run's with --lab"
    )]
    OtherLab(PathBuf),
    #[error(
        "run.json does not say which manifest preflight was given, and the lab's own has other \
         consent or signers than the run's; nothing was touched: name the run's with --lab"
    )]
    Lost,
    #[error(transparent)]
    Own(#[from] crate::labs::OpenError),
    #[error("the lab's own manifest cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

impl Refusal {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Journals(_) => ExitCode::Usage,
            Self::Own(error) => error.code(),
            Self::Unread(_) | Self::OtherLab(_) | Self::Lost | Self::Io(_) => ExitCode::Unavailable,
        }
    }
}

/// The run's manifest in its journal, and the one outside.
pub(super) struct Both {
    pub journals: Manifest,
    pub outside: Manifest,
}

impl Both {
    /// What a recovery goes by: consent and signers may have changed since, the run's plan may not.
    pub(super) fn merged(self) -> Manifest {
        let Self { journals, outside } = self;
        Manifest { consent: outside.consent, owner: outside.owner, ..journals }
    }
}

/// Reads the manifest outside: the one that is named, or else the one that preflight was given, or
/// else the lab's own.
///
/// # Errors
/// Where it cannot be read, or does not describe the run's lab any more.
pub(super) fn read(
    named: Option<&Path>,
    folder: &RunFolder,
    started: &RunStarted,
    labs_own: impl FnOnce() -> Result<Manifest, Refusal>,
) -> Result<Both, Refusal> {
    let journals = Manifest::parse("the run's manifest", &started.lab.manifest)?;
    let run_file = folder.read_run_file();
    let path = match (named, &run_file) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Ok(run_file)) => run_file.manifest.clone(),
        (None, Err(_)) => None,
    };
    let Some(path) = path else {
        let outside = labs_own()?;
        let same = (&outside.consent, &outside.owner) == (&journals.consent, &journals.owner);
        // Only where nobody knows what preflight was given is the lab's own a guess.
        return if run_file.is_ok() || same {
            Ok(Both { journals, outside })
        } else {
            Err(Refusal::Lost)
        };
    };
    let outside = lab::read(&path)?;
    if describes(&outside, &journals) {
        Ok(Both { journals, outside })
    } else {
        Err(Refusal::OtherLab(path))
    }
}

/// Whether both are of one lab, whatever is wanted of it.
fn describes(outside: &Manifest, journals: &Manifest) -> bool {
    let lab = |it: &Manifest| (it.lab.kind, it.lab.tag_key.clone(), it.lab.tag_value.clone());
    lab(outside) == lab(journals)
        && (&outside.aws, &outside.nodes) == (&journals.aws, &journals.nodes)
        && outside.capture.network_interface_id == journals.capture.network_interface_id
}

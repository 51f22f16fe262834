//! The manifest of a run that is gone on with: the journal's, with consent and signers as they are
//! outside the run's folder now. Whoever edits a folder cannot make himself a signer. How the nodes are
//! reached is the outside's as well: addresses change while a lab rests, and the host key proves a node.

use std::path::Path;

use ::lab::manifest::Manifest;
use reports::folder::RunFolder;
use reports::record::RunStarted;

use super::lab;
use super::refusal::CommandRefusal;
use crate::labs::Opener;

/// The run's manifest in its journal, and the one outside.
pub(super) struct Both {
    pub journals: Manifest,
    pub outside: Manifest,
}

impl Both {
    /// The manifest that a recovery goes by: consent, signers and the way to the nodes may have changed
    /// since, the run's plan may not.
    pub(super) fn merged(self) -> Manifest {
        let Self { journals, outside } = self;
        let reached = journals.reached_as(&outside);
        Manifest { consent: outside.consent, owner: outside.owner, ..reached }
    }
}

/// Reads the manifest outside: the one that is named, or else the one that preflight was given, or
/// else the lab's own.
///
/// # Errors
/// Where it cannot be read, or does not describe the run's lab any more.
pub(super) fn read_outside_manifest(
    named: Option<&Path>,
    folder: &RunFolder,
    started: &RunStarted,
    opener: &dyn Opener,
) -> Result<Both, CommandRefusal> {
    let journals = of_the_journal(started)?;
    let run_file = folder.read_run_file();
    let path = match (named, &run_file) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Ok(run_file)) => run_file.manifest.clone(),
        (None, Err(_)) => None,
    };
    let Some(path) = path else {
        let outside = opener.own_manifest(started)?;
        let same = (&outside.consent, &outside.owner) == (&journals.consent, &journals.owner);
        // Only where nobody knows what preflight was given is the lab's own a guess.
        return if run_file.is_ok() || same {
            Ok(Both { journals, outside })
        } else {
            Err(CommandRefusal::ManifestLost)
        };
    };
    let outside = lab::read_manifest_file(&path).map_err(CommandRefusal::Unread)?;
    if describes(&outside, &journals) {
        Ok(Both { journals, outside })
    } else {
        Err(CommandRefusal::OtherLab(path))
    }
}

/// The manifest that preflight was given, as its first record has it.
pub(super) fn of_the_journal(started: &RunStarted) -> Result<Manifest, CommandRefusal> {
    let manifest = Manifest::parse("the run's manifest", &started.lab.manifest);
    manifest.map_err(CommandRefusal::JournalsManifest)
}

/// Whether both are of one lab, whatever is wanted of it and however the operator comes to it.
pub(super) fn describes(outside: &Manifest, journals: &Manifest) -> bool {
    let outside = &outside.clone().reached_as(journals);
    let lab = |it: &Manifest| (it.lab.kind, it.lab.tag_key.clone(), it.lab.tag_value.clone());
    lab(outside) == lab(journals)
        && (&outside.aws, &outside.nodes) == (&journals.aws, &journals.nodes)
        && outside.capture.network_interface_id == journals.capture.network_interface_id
}

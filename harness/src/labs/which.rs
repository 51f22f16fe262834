//! Which kernel lab is meant: one that is made, one that is named, or the one that a manifest
//! describes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::clock::Clock;
use lab_netns::{Folder, Gone, KernelLabOptions, OutlivingVolume, UpError};
use reports::folder::RunFolder;

use super::{Grantor, Own};
use crate::cli::MakeArgs;

#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    #[error(transparent)]
    Up(#[from] UpError),
    #[error(
        "no node is called `{0}`; they are routerd-cloud, cloud-client, onprem-router and onprem-client"
    )]
    NoNode(String),
    #[error(
        "{0} describes a kernel lab that does not live; `lab-smoke lab list` shows those that do, and each has its \
         manifest in its folder"
    )]
    NotThere(PathBuf),
    #[error(
        "the instances of the lab {id} were terminated by {run}, and nothing starts them again: lab-smoke lab down --id {id}"
    )]
    Spent { id: String, run: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

const AN_HOUR: Duration = Duration::from_hours(1);
/// An owner may sleep over it.
const A_DAY: Duration = Duration::from_hours(24);

pub(super) fn time_to_live(grantor: Grantor) -> Duration {
    match grantor {
        Grantor::LabItself => AN_HOUR,
        Grantor::Owner { .. } => A_DAY,
    }
}

pub fn make_kernel_lab(
    args: &MakeArgs,
    time_to_live: Duration,
    outliving_volume: Option<OutlivingVolume>,
) -> Result<Folder, NetnsError> {
    let seed = Clock::System.now().timestamp_millis().unsigned_abs();
    let usual = KernelLabOptions::usual(seed)?;
    let mut options = KernelLabOptions { time_to_live, outliving_volume, ..usual };
    if let Some(folder) = &args.routerd_bin {
        options = options.with_routerd(folder)?;
    }
    if let Some(file) = &args.executor {
        options = options.with_executor(file)?;
    }
    if let Some(file) = &args.allowed_signers {
        options.allowed_signers = crate::commands::lab::read_text(file).map_err(|error| {
            std::io::Error::new(error.kind(), format!("{}: {error}", file.display()))
        })?;
    }
    Ok(lab_netns::bring_up(&options, Clock::System)?)
}

pub fn find_kernel_lab(id: Option<&str>) -> Result<Folder, NetnsError> {
    Ok(lab_netns::find_lab(&lab_netns::find_home(), id)?)
}

pub fn folder_id(folder: &Folder) -> String {
    folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The lab that a run was begun on, which its supervisor still holds.
pub(super) fn of_run(run_id: &str) -> Result<Folder, NetnsError> {
    find_kernel_lab(Some(lab_of(run_id)))
}

pub(super) fn lab_of(run_id: &str) -> &str {
    run_id.rsplit('-').next().unwrap_or_default()
}

/// The proof that the lab of a run is gone. None where the lab lives, or the run was begun on another
/// machine, or nothing says on which: nobody can tell from here then.
pub(super) fn prove_gone(folder: &RunFolder, run_id: &str) -> Result<Option<Gone>, NetnsError> {
    let Ok(file) = folder.read_run_file() else { return Ok(None) };
    let here = nix::unistd::gethostname().map_err(std::io::Error::from)?;
    if file.run_id != run_id || file.host.as_str() != here {
        return Ok(None);
    }
    // A lab's own manifest lies in its folder, wherever labs are kept by now.
    let (home, id) = (lab_netns::find_home(), lab_of(run_id));
    let then = file.manifest.as_deref().and_then(Path::parent);
    let then = then.filter(|folder| folder.file_name().is_some_and(|name| name == id));
    let homes: Vec<&Path> =
        [Some(home.as_path()), then.and_then(Path::parent)].into_iter().flatten().collect();
    Ok(lab_netns::prove_gone(&homes, id)?)
}

/// The lab that lives and is the one of this manifest: the operator may have written what he consents
/// to, who signs and what limits hold, and not what the lab is.
pub(super) fn of_manifest(own: &Own) -> Result<Folder, NetnsError> {
    let Own { path, manifest } = own;
    let is_it = |folder: &Folder| {
        lab_netns::read_manifest(folder).is_ok_and(|lab| {
            (&lab.aws, &lab.nodes) == (&manifest.aws, &manifest.nodes)
                && lab.capture.network_interface_id == manifest.capture.network_interface_id
        })
    };
    let mut labs =
        lab_netns::list_labs(&lab_netns::find_home())?.into_iter().map(|found| found.folder);
    labs.find(is_it).ok_or_else(|| NetnsError::NotThere(path.clone()))
}

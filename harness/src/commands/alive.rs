//! Whether somebody goes on with a run: one fact for every command. A run is live while a process of
//! this machine holds its folder, which ends with the process however it ends, or while its lease on
//! the node has not, by the node's clock. What `run.json` says of a process proves nothing.

use reports::folder::{BegunIn, FolderError, FolderLock, Locked, RunFile, RunFolder};

use super::refusal::CommandRefusal;
use crate::engine;
use crate::labs::LabPlace;

/// Who holds a run, as far as its folder and this machine tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// In the holder's own words.
    By(String),
    Nobody,
    /// It was begun on another machine, or nobody knows where: its lease on the node decides.
    Elsewhere,
}

/// Who holds the run of this folder; whoever asks may hold the folder itself.
pub(super) fn find_run_holder(folder: &RunFolder, place: LabPlace) -> Result<Held, FolderError> {
    // Virtual time ends no lease.
    if place == LabPlace::InTheFolder {
        return Ok(Held::Nobody);
    }
    let Some(begun_in) = begun_on_this_machine(folder.read_run_file().ok()) else {
        return Ok(Held::Elsewhere);
    };
    if begun_in.identity == folder.identity()? {
        return Ok(Held::Nobody);
    }
    Ok(held_there(&begun_in))
}

fn begun_on_this_machine(file: Option<RunFile>) -> Option<BegunIn> {
    let file = file.filter(|file| get_hostname().is_ok_and(|host| host == file.host))?;
    file.begun_in
}

/// This folder is a copy: who holds the one that the run was begun in?
fn held_there(begun_in: &BegunIn) -> Held {
    let original = begun_in.path.as_ref().and_then(|path| RunFolder::open(path).ok());
    let original = original.filter(|it| it.identity().is_ok_and(|it| it == begun_in.identity));
    match original.map(|it| it.held_by()) {
        Some(Ok(Some(by))) => Held::By(by),
        Some(Ok(None)) => Held::Nobody,
        Some(Err(_)) | None => Held::Elsewhere,
    }
}

/// A run is live while its process holds the folder's lock; `by` says who that is.
pub(super) fn lock_folder(folder: &RunFolder, by: &str) -> Result<FolderLock, CommandRefusal> {
    match folder.try_lock(by)? {
        Locked::Taken(lock) => Ok(lock),
        Locked::HeldBy(by) => Err(CommandRefusal::Live { folder: folder.path().to_owned(), by }),
    }
}

/// This machine's name.
pub(super) fn get_hostname() -> std::io::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

/// Who holds the lab for a run of which [`held`] says that its lease decides.
pub(super) async fn find_lease_holder(
    held: &Held,
    lab: &lab::Lab,
    run_id: &str,
) -> Option<lab::act::Holder> {
    if *held == Held::Elsewhere { engine::find_live_holder(lab, run_id).await } else { None }
}

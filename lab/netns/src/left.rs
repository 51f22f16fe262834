//! A lab that was made for a run ends with it: where the run's process is killed between its last
//! record and the lab's end, the supervisor ends the lab.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use http::Method;
use reports::folder::RunFolder;
use reports::journal::read_file;
use reports::record::Kind;

use super::folder::Folder;
use super::held::Held;
use super::open::ask_supervisor;

/// Leaves the lab to the run of this folder, whose process is this one.
///
/// # Errors
/// Where the supervisor does not answer.
pub async fn leave_to_process(lab: &Folder, run: &Path) -> io::Result<()> {
    let run = std::path::absolute(run)?;
    let body = Bytes::copy_from_slice(run.as_os_str().as_bytes());
    ask_supervisor(lab, Method::PUT, "/run", body).await.map(drop)
}

/// Waits in a thread of its own, for as long as the run's process lives; a lab whose run has come to
/// its end by then is over. One whose run died or is pending waits for who brings it to its end.
pub(super) fn watch_run(held: Arc<Held>, run: &[u8]) -> io::Result<()> {
    let run = RunFolder::at(Path::new(OsStr::from_bytes(run)));
    let process = run.holder()?;
    std::thread::Builder::new().name("run".to_owned()).spawn(move || {
        if process.wait_for_end().is_ok() && has_ended(run.path()) {
            held.run_ended.notify_one();
        }
    })?;
    Ok(())
}

fn has_ended(run: &Path) -> bool {
    let ended = |kind: &Kind| matches!(kind, Kind::RunFinished(_));
    read_file(run).is_ok_and(|journal| journal.records.iter().any(|record| ended(&record.kind)))
}

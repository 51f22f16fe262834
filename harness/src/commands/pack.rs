//! `lab-smoke pack RUN`: one file of a run, for whoever is to read it elsewhere.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use reports::bundle::{Bundle, BundleError};
use reports::folder::{FolderError, RunFolder};
use reports::verdict::ExitCode;

use super::refuse;
use crate::terminal::Terminal;

#[derive(Debug, thiserror::Error)]
enum PackRefusal {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("{folder} is live: {by}; a run is packed once its command has ended")]
    Live { folder: PathBuf, by: String },
    #[error("{path}: {source}; name another file with --out")]
    Io { path: PathBuf, source: io::Error },
}

pub fn pack_run(run: &Path, out: Option<&Path>, terminal: &Terminal) -> u8 {
    match pack(run, out) {
        Ok(file) => {
            terminal.out(&format!("{}\n", file.display()));
            ExitCode::Pass.number()
        }
        Err(refusal @ PackRefusal::Live { .. }) => refuse(ExitCode::Unavailable, refusal, terminal),
        Err(refusal) => refuse(ExitCode::Usage, refusal, terminal),
    }
}

fn pack(run: &Path, out: Option<&Path>) -> Result<PathBuf, PackRefusal> {
    let folder = RunFolder::resolve(Path::new(""), run)?;
    if let Some(by) = folder.held_by()? {
        return Err(PackRefusal::Live { folder: folder.path().to_owned(), by });
    }
    let file = match out {
        Some(file) => file.to_owned(),
        None => default_file(&folder)
            .map_err(|source| PackRefusal::Io { path: folder.path().to_owned(), source })?,
    };
    let io = |source| PackRefusal::Io { path: file.clone(), source };
    let archive = Bundle::read(folder.path())?.to_archive().map_err(io)?;
    write_new(&file, &archive).map_err(io)?;
    Ok(file)
}

/// Named as the run's folder, in the working directory.
fn default_file(folder: &RunFolder) -> io::Result<PathBuf> {
    let whole = fs::canonicalize(folder.path())?;
    let mut name = whole.file_name().unwrap_or_default().to_owned();
    name.push(".tar");
    Ok(PathBuf::from(name))
}

/// Nothing that is there is written over, and no half of an archive stays.
fn write_new(file: &Path, archive: &[u8]) -> io::Result<()> {
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    let written = made.write_all(archive).and_then(|()| made.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(file);
    }
    written
}

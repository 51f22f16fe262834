//! `lab-smoke seal RUN` and `lab-smoke countersign RUN`: signatures beside a run that has ended.

use std::path::{Path, PathBuf};

use reports::bundle::{Bundle, BundleError};
use reports::folder::{FolderError, RunFolder};
use reports::journal::{ChainError, JOURNAL_FILE, read_chain};
use reports::seal::{
    ATTESTATION_FILE, COUNTERSIGN_NAMESPACE, COUNTERSIGNATURE_FILE, NotSealable, SEAL_FILE,
    SEAL_NAMESPACE, state_run,
};
use reports::verdict::ExitCode;
use reports::verify::verify_bundle;

use super::refuse;
use super::signing::{NotSigned, Prompting, sign_bytes};
use crate::engine;
use crate::terminal::Terminal;

#[derive(Debug, thiserror::Error)]
pub(super) enum SealRefusal {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Journal(#[from] ChainError),
    #[error(transparent)]
    Open(#[from] NotSealable),
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    #[error("{folder} is live: {by}")]
    Live { folder: PathBuf, by: String },
    #[error(
        "it is not signed, since something of it does not hold: {0}; `lab-smoke verify` says all"
    )]
    DoesNotHold(String),
    #[error("there is no seal to countersign: `lab-smoke seal {0} --key KEY` makes one")]
    Unsealed(String),
}

pub fn seal_run(run: &Path, key: &Path, terminal: &Terminal) -> u8 {
    answer(free_folder(run).and_then(|folder| seal_folder(&folder, key)), terminal)
}

pub fn countersign_run(run: &Path, key: &Path, terminal: &Terminal) -> u8 {
    answer(free_folder(run).and_then(|folder| countersign(&folder, key)), terminal)
}

fn answer(written: Result<PathBuf, SealRefusal>, terminal: &Terminal) -> u8 {
    match written {
        Ok(file) => {
            terminal.out(&format!("{}\n", file.display()));
            ExitCode::Pass.number()
        }
        Err(refusal) => {
            let code = match refusal {
                SealRefusal::Live { .. } => ExitCode::Unavailable,
                SealRefusal::DoesNotHold(_) => ExitCode::DoesNotHold,
                _ => ExitCode::Usage,
            };
            refuse(code, refusal, terminal)
        }
    }
}

fn free_folder(run: &Path) -> Result<RunFolder, SealRefusal> {
    let folder = RunFolder::resolve(Path::new(""), run)?;
    match folder.held_by()? {
        None => Ok(folder),
        Some(by) => Err(SealRefusal::Live { folder: folder.path().to_owned(), by }),
    }
}

/// Writes the statement and its signature; an earlier seal is replaced, and with it goes what was said of it.
pub(super) fn seal_folder(folder: &RunFolder, key: &Path) -> Result<PathBuf, SealRefusal> {
    let mut bundle = Bundle::read(folder.path())?;
    for name in [ATTESTATION_FILE, SEAL_FILE, COUNTERSIGNATURE_FILE] {
        bundle.remove(name);
    }
    prove_whole(&bundle)?;
    let chain = read_chain(bundle.file(JOURNAL_FILE).unwrap_or_default())?;
    let statement = state_run(&chain.records, &chain.head)?;
    let signature = sign_bytes(&statement, key, SEAL_NAMESPACE, Prompting::Never)?;
    // At no instant does a signature lie beside another's statement.
    for name in [COUNTERSIGNATURE_FILE, SEAL_FILE] {
        remove(folder, name)?;
    }
    folder.write(ATTESTATION_FILE, &statement)?;
    folder.write(SEAL_FILE, &signature)?;
    Ok(folder.file(SEAL_FILE))
}

fn countersign(folder: &RunFolder, key: &Path) -> Result<PathBuf, SealRefusal> {
    let mut bundle = Bundle::read(folder.path())?;
    bundle.remove(COUNTERSIGNATURE_FILE);
    let unsealed = || SealRefusal::Unsealed(engine::in_a_command(folder.path()));
    let statement = bundle.file(ATTESTATION_FILE).ok_or_else(unsealed)?.to_vec();
    prove_whole(&bundle)?;
    let signature = sign_bytes(&statement, key, COUNTERSIGN_NAMESPACE, Prompting::Allowed)?;
    folder.write(COUNTERSIGNATURE_FILE, &signature)?;
    Ok(folder.file(COUNTERSIGNATURE_FILE))
}

/// Nobody signs what does not hold together; whose signatures they are is not asked here.
fn prove_whole(bundle: &Bundle) -> Result<(), SealRefusal> {
    let found = verify_bundle(bundle, None)?;
    match found.problems.into_iter().next() {
        None => Ok(()),
        Some(problem) => Err(SealRefusal::DoesNotHold(problem)),
    }
}

fn remove(folder: &RunFolder, name: &str) -> Result<(), FolderError> {
    let path = folder.file(name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FolderError::Io { path, source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

//! Reads lab manifests.

use std::path::Path;

use lab::manifest::{Manifest, ManifestError};
use reports::verdict::ExitCode;

use super::refuse;
use crate::terminal::Terminal;

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{file}: {source}")]
    Io { file: String, source: std::io::Error },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

pub fn read(file: &Path) -> Result<Manifest, ReadError> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Manifest::parse(&name, &text)?),
        Err(source) => Err(ReadError::Io { file: name, source }),
    }
}

pub fn check(file: &Path, terminal: &Terminal) -> u8 {
    match read(file) {
        Ok(_) => {
            terminal.out(&format!("{}: ok\n", file.display()));
            ExitCode::Pass.number()
        }
        // Only the problems: editors jump to lines that begin with a file's name.
        Err(error @ ReadError::Manifest(_)) => {
            terminal.err(&format!("{error}\n"));
            ExitCode::Usage.number()
        }
        Err(error) => refuse(ExitCode::Usage, error, terminal),
    }
}

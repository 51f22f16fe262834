//! Reads lab manifests.

use std::path::Path;

use lab::manifest::{Manifest, ManifestError};
use reports::folder::{SMALL_LIMIT_BYTES, read_plain};
use reports::verdict::ExitCode;

use super::refuse;
use crate::labs;
use crate::terminal::Terminal;

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{file}: {source}")]
    Io { file: String, source: std::io::Error },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

pub fn read_manifest_file(file: &Path) -> Result<Manifest, ReadError> {
    let name = file.display().to_string();
    match read_file(file) {
        Ok(bytes) => Ok(Manifest::parse_bytes(&name, &bytes)?),
        Err(source) => Err(ReadError::Io { file: name, source }),
    }
}

/// A manifest may be a link; whoever writes into a FIFO may keep everybody waiting.
fn read_file(file: &Path) -> std::io::Result<Vec<u8>> {
    read_plain(&std::fs::canonicalize(file)?, SMALL_LIMIT_BYTES)
}

/// A plain file of text, read as a manifest is.
pub fn read_text(file: &Path) -> std::io::Result<String> {
    let no_text = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    String::from_utf8(read_file(file)?).map_err(no_text)
}

/// The manifest of the mock of this seed, for who wants to grant its go himself.
pub fn mock_example(seed: u64, allowed_signers: Option<&Path>, terminal: &Terminal) -> u8 {
    let mut manifest = match labs::mock_manifest(seed) {
        Ok(manifest) => manifest,
        Err(error) => return refuse(error.code(), error, terminal),
    };
    if let Some(file) = allowed_signers {
        manifest.owner.allowed_signers = match read_text(file) {
            Ok(text) => text,
            Err(source) => {
                let error = ReadError::Io { file: file.display().to_string(), source };
                return refuse(ExitCode::Usage, error, terminal);
            }
        };
    }
    match manifest.to_toml() {
        Ok(text) => {
            terminal.out_as_it_is(&format!(
                "# The mock lab of seed {seed}: lab-smoke preflight --lab FILE --seed {seed}\n\n{text}"
            ));
            ExitCode::Pass.number()
        }
        Err(error) => refuse(ExitCode::Bug, error, terminal),
    }
}

pub fn check_manifest(file: &Path, terminal: &Terminal) -> u8 {
    match read_manifest_file(file) {
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

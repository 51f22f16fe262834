//! The files of a run that others are given, read whole: from its folder, or from an archive of it.
//!
//! What is true of one machine alone (`run.json`, `lock`, the mock's world) is no part of it, so that two
//! copies of a run make the same archive, byte for byte.

mod archive;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::digest::Digest;
use crate::folder::{
    EVIDENCE_FILE, GO_FILE, GO_SIGNATURE_FILE, JOURNAL_LIMIT_BYTES, RunFolder, read_plain,
};
use crate::journal::{ATTACHMENTS_DIR, JOURNAL_FILE, TORN_FILE};

/// The most that is read of one run, all files together.
pub const BUNDLE_LIMIT_BYTES: u64 = JOURNAL_LIMIT_BYTES;

/// The names that may be in a run's folder and are given to others.
const NAMES: [&str; 7] = [
    JOURNAL_FILE,
    TORN_FILE,
    EVIDENCE_FILE,
    "report.html",
    "summary.md",
    GO_FILE,
    GO_SIGNATURE_FILE,
];

/// The files of one run, by their names below its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    files: BTreeMap<String, Vec<u8>>,
}

/// The reason why a run's files are not read.
#[derive(Debug, Error)]
pub enum BundleError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} holds more than {BUNDLE_LIMIT_BYTES} bytes; no run has as many")]
    TooLarge(PathBuf),
    #[error("{path} is no archive of a run: {why}")]
    Archive { path: PathBuf, why: String },
    #[error(
        "{0} is neither a run's folder nor an archive of one: there is no {JOURNAL_FILE} in it"
    )]
    NoJournal(PathBuf),
}

impl Bundle {
    /// Reads a folder, or an archive that [`to_archive`](Self::to_archive) made.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        let bundle = if path.is_dir() { Self::read_folder(path)? } else { archive::read(path)? };
        if bundle.file(JOURNAL_FILE).is_some() {
            Ok(bundle)
        } else {
            Err(BundleError::NoJournal(path.to_owned()))
        }
    }

    /// The journal first: what a live run adds meanwhile is then more than it names, and not less.
    fn read_folder(dir: &Path) -> Result<Self, BundleError> {
        let mut bundle = Self::default();
        bundle.take(dir, JOURNAL_FILE)?;
        let folder = RunFolder::at(dir);
        for name in list_names(dir)? {
            if name != JOURNAL_FILE && is_given(&name) {
                bundle.take(dir, &name)?;
            }
        }
        let attachments = folder.file(ATTACHMENTS_DIR);
        match attachments.symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let source = io::Error::new(ErrorKind::InvalidInput, "no folder");
                return Err(BundleError::Io { path: attachments, source });
            }
            Err(_) => return Ok(bundle),
        }
        for name in list_names(&attachments)? {
            if Digest::try_from(name.clone()).is_ok() {
                bundle.take(dir, &format!("{ATTACHMENTS_DIR}/{name}"))?;
            }
        }
        Ok(bundle)
    }

    fn take(&mut self, dir: &Path, name: &str) -> Result<(), BundleError> {
        let path = dir.join(name);
        match read_plain(&path, BUNDLE_LIMIT_BYTES - self.bytes()) {
            Ok(bytes) => {
                self.files.insert(name.to_owned(), bytes);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                Err(BundleError::TooLarge(dir.to_owned()))
            }
            Err(source) => Err(BundleError::Io { path, source }),
        }
    }

    fn bytes(&self) -> u64 {
        self.files.values().map(|bytes| bytes.len() as u64).sum()
    }

    /// The archive: the same bytes for the same files.
    pub fn to_archive(&self) -> io::Result<Vec<u8>> {
        archive::write(&self.files)
    }

    /// The bytes of the file of this name; none where there is no such file.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The names of all files, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Puts a file in, or in place of another; for tests and for what is to be judged before it is written.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.insert(name.to_owned(), bytes);
    }

    /// Takes a file out.
    pub fn remove(&mut self, name: &str) -> Option<Vec<u8>> {
        self.files.remove(name)
    }
}

fn list_names(dir: &Path) -> Result<Vec<String>, BundleError> {
    let io = |source| BundleError::Io { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        // A name that is no text is none of a run's.
        names.extend(entry.map_err(io)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Whether a file of this name, in the folder itself, is given to others: seals and earlier goes, too.
fn is_given(name: &str) -> bool {
    let earlier = |kept: &str| {
        let number = name.strip_prefix(kept).and_then(|rest| rest.strip_prefix('.'));
        number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    NAMES.contains(&name)
        || earlier(GO_FILE)
        || earlier(GO_SIGNATURE_FILE)
        || name.starts_with("attestation.json")
}

//! The folder of raw answers that a journal names.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::ATTACHMENTS_DIR;
use crate::digest::Digest;
use crate::folder::{FileId, Sync, write_atomically};

/// Which folder it is, and what was put into it.
pub(super) struct Attachments {
    path: PathBuf,
    /// Absent until something is kept.
    made: Option<FileId>,
    kept: HashSet<Digest>,
}

impl Attachments {
    /// The attachments of a journal that keeps nothing as yet.
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join(ATTACHMENTS_DIR), made: None, kept: HashSet::new() }
    }

    /// The attachments of a journal that names these. What is gone already is nobody's to lose any
    /// more: a run is brought to its end without it.
    pub fn found(dir: &Path, named: impl Iterator<Item = Digest>) -> Self {
        let mut this = Self::new(dir);
        this.made = fs::symlink_metadata(&this.path).ok().map(|found| FileId::of(&found));
        this.kept = named.filter(|digest| this.path.join(digest.as_str()).exists()).collect();
        this
    }

    /// Writes the bytes where they are not there already. Not synced: the records that undo needs
    /// are in the journal itself, and a verifier checks each attachment against its name.
    pub fn keep(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), (PathBuf, io::Error)> {
        let path = self.path.join(digest.as_str());
        self.put(&path, bytes).map_err(|source| (path, source))?;
        self.kept.insert(digest.clone());
        Ok(())
    }

    fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.made.is_none() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
            self.made = Some(FileId::of(&fs::symlink_metadata(&self.path)?));
        }
        if path.exists() { Ok(()) } else { write_atomically(path, bytes, Sync::No) }
    }

    /// Where it should be, if it is not one of those that are there.
    pub fn lacks(&self, digest: &Digest) -> Option<PathBuf> {
        (!self.kept.contains(digest)).then(|| self.path.join(digest.as_str()))
    }

    /// Proves that each file holds what its name says.
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    pub fn check_contents(&self) -> Result<(), String> {
        let prove = |digest: &Digest| match fs::read(self.path.join(digest.as_str())) {
            Ok(bytes) if Digest::of(&bytes) == *digest => Ok(()),
            Ok(_) => Err(format!("{ATTACHMENTS_DIR}/{digest} holds something else")),
            Err(error) => Err(format!("{ATTACHMENTS_DIR}/{digest}: {error}")),
        };
        // The same one each time.
        let kept: BTreeSet<&Digest> = self.kept.iter().collect();
        kept.into_iter().try_for_each(prove)
    }

    /// Proves that the folder is the one that was made, and that everything kept is still in it.
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let Some(made) = self.made.filter(|_| !self.kept.is_empty()) else { return Ok(()) };
        let unread = |error: io::Error| format!("{ATTACHMENTS_DIR}: {error}");
        let there = fs::symlink_metadata(&self.path).map_err(unread)?;
        if FileId::of(&there) != made {
            return Err(format!("{ATTACHMENTS_DIR} is another folder than before"));
        }
        let mut left: HashSet<&OsStr> =
            self.kept.iter().map(|digest| OsStr::new(digest.as_str())).collect();
        for entry in fs::read_dir(&self.path).map_err(unread)? {
            left.remove(entry.map_err(unread)?.file_name().as_os_str());
        }
        // The same one each time.
        match left.into_iter().min() {
            None => Ok(()),
            Some(gone) => Err(format!("{ATTACHMENTS_DIR}/{} is gone", gone.display())),
        }
    }
}

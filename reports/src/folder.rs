//! One run is one folder, private to its owner: where its files are, who holds it, and how they
//! are written.

mod files;
mod lock;

#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::journal::JOURNAL_FILE;

pub(crate) use files::read_whole;
pub use files::{
    FileId, JOURNAL_LIMIT_BYTES, SMALL_LIMIT_BYTES, Sync, WORLD_LIMIT_BYTES, open_plain,
    read_plain, write_atomically,
};
pub use lock::{FolderHolder, FolderLock, Locked};
pub(crate) use lock::{Names, check_names, take};

/// The file of the run's evidence.
pub const EVIDENCE_FILE: &str = "evidence.json";
/// The file of the page for people.
pub const PAGE_FILE: &str = "report.html";
/// The file of a mock lab's world.
pub const WORLD_FILE: &str = "world.json";
/// The file of a [`RunFile`].
pub const RUN_FILE: &str = "run.json";
/// The file that a process locks while it has the folder; it holds the holder's words.
pub const LOCK_FILE: &str = "lock";
/// The file of the go's bytes.
pub const GO_FILE: &str = "go.json";
/// The file of the go's signature, as ssh-keygen writes it.
pub const GO_SIGNATURE_FILE: &str = "go.json.sig";
/// The link beside the runs to the one that was begun last.
const LATEST: &str = "latest";
/// Where runs are kept, below the working directory, unless `--out` says otherwise.
pub const RUNS_DIR: &str = "lab-smoke-runs";

/// The name that `latest` leads to, so that what a command prints still means the same run when another
/// has become the latest. A link out of the folder of runs is not followed.
fn follow_latest(base: &Path, arg: &Path) -> PathBuf {
    let target = (arg == Path::new(LATEST))
        .then(|| fs::read_link(base.join(RUNS_DIR).join(LATEST)).ok())
        .flatten()
        .filter(|it| it.components().count() == 1 && it.file_name().is_some());
    target.unwrap_or_else(|| arg.to_owned())
}

/// The reason why a folder is not taken or opened, or a file of it not read or written.
#[derive(Debug, Error)]
pub enum FolderError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} holds another run (there is a {JOURNAL_FILE}); name another folder")]
    HoldsAnotherRun(PathBuf),
    #[error("{folder} is held by {by}")]
    Held { folder: PathBuf, by: String },
    #[error("{folder} is not empty (there is {name}); name a new folder or an empty one")]
    NotEmpty { folder: PathBuf, name: String },
    #[error("{0} is another user's; name a new folder or one of yours")]
    AnothersFolder(PathBuf),
    #[error(
        "others may write into {folder} (its mode is {mode:o}), and so into what a run leaves there: \
         `chmod go-w` it, or name a new folder"
    )]
    OpenToOthers { folder: PathBuf, mode: u32 },
    #[error("{0} is no folder; name a new one")]
    NoFolder(PathBuf),
    #[error("{0} is no run: there is no {JOURNAL_FILE} in it")]
    NoRun(PathBuf),
    #[error("there is no run `{arg}`: neither {arg} nor {tried} holds a {JOURNAL_FILE}")]
    Unknown { arg: PathBuf, tried: PathBuf },
    #[error("{path}: {source}; the file was changed by hand or by another version")]
    Json { path: PathBuf, source: serde_json::Error },
}

/// The facts that are true of this machine and not of the run, and so never enter the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    pub run_id: String,
    pub host: String,
    pub pid: u32,
    /// Absolute, so that a later command finds it from any folder; absent on a built-in lab.
    pub manifest: Option<PathBuf>,
    /// Absent where an older version began the run.
    #[serde(default)]
    pub begun_in: Option<BegunIn>,
}

/// The folder that a run was begun in: a copy of it is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BegunIn {
    /// Absolute; absent where JSON cannot say it.
    pub path: Option<PathBuf>,
    pub identity: FileId,
}

/// A run's folder, by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder, private to its owner, where it is absent. One that is there is taken if it
    /// is the caller's and empty; nothing of it is changed.
    pub fn create(dir: &Path) -> Result<Self, FolderError> {
        let folder = Self::at(dir);
        let io = |source| FolderError::Io { path: dir.to_owned(), source };
        if !folder.is_there()? {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        }
        Ok(folder)
    }

    /// Fails where [`create`](Self::create) would not take what is there; makes nothing.
    pub fn check(dir: &Path) -> Result<(), FolderError> {
        Self::at(dir).is_there().map(drop)
    }

    /// Whether there is such a folder already.
    fn is_there(&self) -> Result<bool, FolderError> {
        let dir = || self.path.clone();
        if self.path.as_os_str().is_empty() {
            return Err(FolderError::NoFolder(dir()));
        }
        match fs::metadata(&self.path) {
            Ok(there) => self.may_be_taken(&there).map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(FolderError::Io { path: dir(), source }),
        }
    }

    fn may_be_taken(&self, there: &Metadata) -> Result<(), FolderError> {
        let folder = || self.path.clone();
        let io = |source| FolderError::Io { path: folder(), source };
        if !there.is_dir() {
            return Err(FolderError::NoFolder(folder()));
        }
        if there.uid() != nix::unistd::geteuid().as_raw() {
            return Err(FolderError::AnothersFolder(folder()));
        }
        let mode = there.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(FolderError::OpenToOthers { folder: folder(), mode });
        }
        let Some(first) = fs::read_dir(&self.path).map_err(io)?.next() else { return Ok(()) };
        if let Some(by) = self.held_by()? {
            return Err(FolderError::Held { folder: folder(), by });
        }
        if self.file(JOURNAL_FILE).symlink_metadata().is_ok() {
            return Err(FolderError::HoldsAnotherRun(folder()));
        }
        let name = first.map_err(io)?.file_name().to_string_lossy().into_owned();
        Err(FolderError::NotEmpty { folder: folder(), name })
    }

    /// `base/run_id`, or with the first of the suffixes `-2`, `-3`, … that is free.
    pub fn default_dir(base: &Path, run_id: &str) -> PathBuf {
        let free = |path: &PathBuf| path.symlink_metadata().is_err();
        let first = base.join(run_id);
        if free(&first) {
            return first;
        }
        let suffixed = (2_u32..).map(|n| base.join(format!("{run_id}-{n}")));
        suffixed.into_iter().find(free).unwrap_or(first)
    }

    /// The folder of this path, whatever it holds.
    pub fn at(dir: &Path) -> Self {
        Self { path: dir.to_owned() }
    }

    /// A folder that holds a run.
    pub fn open(dir: &Path) -> Result<Self, FolderError> {
        let path = dir.join(JOURNAL_FILE);
        match path.symlink_metadata() {
            Ok(found) if found.is_file() => Ok(Self::at(dir)),
            Ok(_) => {
                let source = io::Error::new(ErrorKind::InvalidInput, "no plain file");
                Err(FolderError::Io { path, source })
            }
            Err(_) => Err(FolderError::NoRun(dir.to_owned())),
        }
    }

    /// `RUN` of the command line: a folder, or the name of one below `base/lab-smoke-runs/`.
    pub fn resolve(base: &Path, arg: impl AsRef<Path>) -> Result<Self, FolderError> {
        let arg = arg.as_ref();
        let named = base.join(RUNS_DIR).join(follow_latest(base, arg));
        let unknown = || FolderError::Unknown { arg: arg.to_owned(), tried: named.clone() };
        for dir in [&base.join(arg), &named] {
            match Self::open(dir) {
                Err(FolderError::NoRun(_)) => {}
                found => return found,
            }
        }
        Err(unknown())
    }

    /// Makes `latest`, beside it, a link to this folder. What is no link stays, whoever put it there.
    pub fn point_latest(&self) -> io::Result<()> {
        let (Some(parent), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(());
        };
        let link = parent.join(LATEST);
        if link.symlink_metadata().is_ok_and(|found| !found.is_symlink()) {
            return Ok(());
        }
        // By a rename: at no instant is there none.
        let made = parent.join(format!(".{LATEST}.{}.tmp", std::process::id()));
        std::os::unix::fs::symlink(name, &made)?;
        fs::rename(&made, &link).inspect_err(|_| drop(fs::remove_file(&made)))
    }

    /// The folder's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file of this name in the folder, whether it is there or not.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes the folder of a run that never began, and the one of all runs where no other is in it.
    /// One that holds anything of a run stays.
    pub fn discard_unused(&self) {
        for name in [RUN_FILE, LOCK_FILE] {
            let _ = std::fs::remove_file(self.file(name));
        }
        // Neither is removed where something is in it.
        let parent = self.path.parent().filter(|it| it.ends_with(RUNS_DIR));
        if std::fs::remove_dir(&self.path).is_ok() {
            let _ = parent.map(std::fs::remove_dir);
        }
    }

    /// Writes a file of the folder whole or not at all, and to the disk.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.file(name);
        write_atomically(&path, bytes, Sync::Yes).map_err(|source| FolderError::Io { path, source })
    }

    /// Writes as [`write`](Self::write) does, pretty-printed with a final newline.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), FolderError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|source| FolderError::Json { path: self.file(name), source })?;
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    /// Reads `run.json`. Fails where it is no plain file, is too large, or was changed.
    pub fn read_run_file(&self) -> Result<RunFile, FolderError> {
        let path = self.file(RUN_FILE);
        let bytes = read_plain(&path, SMALL_LIMIT_BYTES)
            .map_err(|source| FolderError::Io { path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| FolderError::Json { path, source })
    }

    /// Which folder it is, whatever its path.
    pub fn identity(&self) -> Result<FileId, FolderError> {
        let found = fs::metadata(&self.path);
        let found = found.map_err(|source| FolderError::Io { path: self.path.clone(), source })?;
        Ok(FileId::of(&found))
    }

    /// The entry of `run.json` for this folder.
    pub fn begun_here(&self) -> Result<BegunIn, FolderError> {
        let io = |source| FolderError::Io { path: self.path.clone(), source };
        let path = std::path::absolute(&self.path).map_err(io)?;
        let path = path.to_str().is_some().then_some(path);
        Ok(BegunIn { path, identity: self.identity()? })
    }
}

//! One run is one folder, private to its owner: where its files are, who holds it, and how they
//! are written.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::journal::JOURNAL_FILE;

pub const EVIDENCE_FILE: &str = "evidence.json";
pub const WORLD_FILE: &str = "world.json";
pub const RUN_FILE: &str = "run.json";
pub const LOCK_FILE: &str = "lock";
pub const GO_FILE: &str = "go.json";
pub const GO_SIGNATURE_FILE: &str = "go.json.sig";
/// Where runs are kept, below the working directory, unless `--out` says otherwise.
pub const RUNS_DIR: &str = "lab-smoke-runs";

#[derive(Debug, Error)]
pub enum FolderError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} holds another run (there is a {JOURNAL_FILE}); name another folder")]
    HoldsAnotherRun(PathBuf),
    #[error("{0} is no run: there is no {JOURNAL_FILE} in it")]
    NoRun(PathBuf),
    #[error("there is no run `{arg}`: neither {arg} nor {tried} holds a {JOURNAL_FILE}")]
    Unknown { arg: String, tried: PathBuf },
    #[error("{path}: {source}; the file was changed by hand or by another version")]
    Json { path: PathBuf, source: serde_json::Error },
}

/// What is true of this machine and not of the run, and so never enters the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    pub run_id: String,
    pub host: String,
    pub pid: u32,
    /// Absolute, so that a later command finds it from any folder; absent on a built-in lab.
    pub manifest: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// The folder's lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

#[derive(Debug)]
pub enum Locked {
    Taken(FolderLock),
    /// By whom, in the holder's own words.
    HeldBy(String),
}

impl RunFolder {
    /// Makes the folder where it is absent; one that holds a run is refused.
    pub fn create(dir: &Path) -> Result<Self, FolderError> {
        if dir.join(JOURNAL_FILE).symlink_metadata().is_ok() {
            return Err(FolderError::HoldsAnotherRun(dir.to_owned()));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .and_then(|()| fs::set_permissions(dir, Permissions::from_mode(0o700)))
            .map_err(|source| FolderError::Io { path: dir.to_owned(), source })?;
        Ok(Self { path: dir.to_owned() })
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

    /// A folder that holds a run.
    pub fn open(dir: &Path) -> Result<Self, FolderError> {
        if dir.join(JOURNAL_FILE).is_file() {
            Ok(Self { path: dir.to_owned() })
        } else {
            Err(FolderError::NoRun(dir.to_owned()))
        }
    }

    /// `RUN` of the command line: a folder, or the name of one below `base/lab-smoke-runs/`.
    pub fn resolve(base: &Path, arg: &str) -> Result<Self, FolderError> {
        let named = base.join(RUNS_DIR).join(arg);
        Self::open(&base.join(arg))
            .or_else(|_| Self::open(&named))
            .map_err(|_| FolderError::Unknown { arg: arg.to_owned(), tried: named })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the lock for a run that is live on this machine. `holder` is what others are told.
    pub fn try_lock(&self, holder: &str) -> Result<Locked, FolderError> {
        let path = self.file(LOCK_FILE);
        let io = |source| FolderError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                write_holder(&mut file, holder).map_err(io)?;
                Ok(Locked::Taken(FolderLock(file)))
            }
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                file.read_to_string(&mut by).map_err(io)?;
                Ok(Locked::HeldBy(by.trim_end().to_owned()))
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Who holds the lock now, without taking it for longer than the question.
    pub fn held_by(&self) -> Result<Option<String>, FolderError> {
        let path = self.file(LOCK_FILE);
        let io = |source| FolderError::Io { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                file.read_to_string(&mut by).map_err(io)?;
                Ok(Some(by.trim_end().to_owned()))
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Writes a file of the folder whole or not at all, and to the disk.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.file(name);
        write_atomically(&path, bytes, Sync::Yes).map_err(|source| FolderError::Io { path, source })
    }

    /// As [`write`](Self::write), pretty-printed with a final newline.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), FolderError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|source| FolderError::Json { path: self.file(name), source })?;
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    pub fn read_run_file(&self) -> Result<RunFile, FolderError> {
        let path = self.file(RUN_FILE);
        let bytes =
            fs::read(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| FolderError::Json { path, source })
    }
}

fn write_holder(file: &mut File, holder: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(holder.as_bytes())
}

/// Whether a file must survive the machine, or only the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    Yes,
    No,
}

/// A temporary file beside it, then a rename: a reader sees the old file or the new one.
pub fn write_atomically(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let result = write_and_rename(&temporary, path, bytes, sync);
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(temporary)?;
    file.write_all(bytes)?;
    if sync == Sync::Yes {
        file.sync_all()?;
    }
    fs::rename(temporary, path)?;
    if sync == Sync::Yes
        && let Some(dir) = path.parent()
    {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Reads a file that must not be a symbolic link: what is signed is what lies in the folder.
pub fn read_no_follow(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_NOFOLLOW.bits() | OFlag::O_NONBLOCK.bits());
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_is_private_and_holds_one_run() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let dir = temp.path().join("a/b");
        let folder = RunFolder::create(&dir).expect("made");
        assert_eq!(mode(&dir), 0o700);
        assert!(matches!(RunFolder::open(&dir), Err(FolderError::NoRun(_))));
        fs::write(folder.file(JOURNAL_FILE), "").expect("written");
        assert!(matches!(RunFolder::create(&dir), Err(FolderError::HoldsAnotherRun(_))));
        assert_eq!(RunFolder::open(&dir).expect("a run").path(), dir);
    }

    #[test]
    fn a_default_folder_gets_the_next_free_suffix() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let next = || RunFolder::default_dir(temp.path(), "run-1");
        assert_eq!(next(), temp.path().join("run-1"));
        fs::create_dir(next()).expect("made");
        assert_eq!(next(), temp.path().join("run-1-2"));
        fs::create_dir(next()).expect("made");
        assert_eq!(next(), temp.path().join("run-1-3"));
    }

    #[test]
    fn a_run_is_named_by_folder_or_by_id() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let dir = temp.path().join(RUNS_DIR).join("run-1");
        RunFolder::create(&dir).expect("made");
        fs::write(dir.join(JOURNAL_FILE), "").expect("written");
        for arg in ["run-1", dir.to_str().expect("UTF-8"), "lab-smoke-runs/run-1"] {
            let folder = RunFolder::resolve(temp.path(), arg).expect(arg);
            assert_eq!(folder.path(), dir, "{arg}");
        }
        let error = RunFolder::resolve(temp.path(), "run-2").expect_err("there is none");
        assert!(error.to_string().contains("run-2"), "{error}");
    }

    #[test]
    fn a_lock_is_held_once_and_names_its_holder() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::create(temp.path()).expect("made");
        assert_eq!(folder.held_by().expect("readable"), None);
        let Locked::Taken(lock) = folder.try_lock("run-1, a rather long name").expect("io") else {
            panic!("nobody holds it");
        };
        let Locked::HeldBy(by) = folder.try_lock("run-2").expect("io") else {
            panic!("it is held");
        };
        assert_eq!(by, "run-1, a rather long name");
        assert_eq!(folder.held_by().expect("readable"), Some(by));
        drop(lock);
        assert!(matches!(folder.try_lock("run-2").expect("io"), Locked::Taken(_)));
        assert_eq!(fs::read_to_string(folder.file(LOCK_FILE)).expect("readable"), "run-2");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::create(temp.path()).expect("made");
        folder.write(WORLD_FILE, b"old").expect("written");
        folder.write(WORLD_FILE, b"new").expect("written");
        assert_eq!(fs::read(folder.file(WORLD_FILE)).expect("readable"), b"new");
        assert_eq!(mode(&folder.file(WORLD_FILE)), 0o600);
        assert_eq!(fs::read_dir(temp.path()).expect("readable").count(), 1, "no file is left over");
    }

    #[test]
    fn a_run_file_is_read_back() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::create(temp.path()).expect("made");
        let (run_id, host) = ("run-1".to_owned(), "operator".to_owned());
        let written = RunFile { run_id, host, pid: 7, manifest: Some("/x/lab.toml".into()) };
        folder.write_json(RUN_FILE, &written).expect("written");
        assert_eq!(folder.read_run_file().expect("readable"), written);
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let (real, link) = (temp.path().join("real"), temp.path().join(GO_FILE));
        fs::write(&real, "go").expect("written");
        symlink(&real, &link).expect("linked");
        assert_eq!(read_no_follow(&real).expect("a file"), b"go");
        read_no_follow(&link).expect_err("a link");
        read_no_follow(temp.path()).expect_err("a folder");
    }
}

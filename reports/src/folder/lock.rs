//! Who holds a run's folder. A run is live while a process holds the folder's `lock` or the run's
//! journal, both by flock: the kernel lets them go when the process ends, however it does. The
//! journal's is what counts where somebody removed the `lock`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;

use super::files::{FileId, SMALL_LIMIT_BYTES, open_plain, read_whole};
use super::{FolderError, LOCK_FILE, RunFolder};
use crate::journal::JOURNAL_FILE;

/// The folder's lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

/// Another process that holds a folder now, or has held it.
#[derive(Debug)]
pub struct FolderHolder(File);

impl FolderHolder {
    /// Blocks until that process has ended or let the folder go, and holds nothing then.
    pub fn wait_for_end(self) -> io::Result<()> {
        loop {
            match self.0.lock_shared() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                ended => return ended,
            }
        }
    }
}

/// The answer to a process that asks for a folder's lock.
#[derive(Debug)]
pub enum Locked {
    Taken(FolderLock),
    /// By whom, in the holder's own words.
    HeldBy(String),
}

/// Whose journal is held, though the `lock` beside it is free or gone.
const BY_ITS_JOURNAL: &str = "a process that holds its journal, though not its `lock`";

/// Somebody may remove or replace the file just when it is locked; this often is nobody's accident.
const REPLACED_AT_MOST: usize = 16;

impl RunFolder {
    /// Takes the lock for a run that is live on this machine. `holder` is what others are told.
    pub fn try_lock(&self, holder: &str) -> Result<Locked, FolderError> {
        let path = self.file(LOCK_FILE);
        let io = |source| FolderError::Io { path: path.clone(), source };
        for _ in 0..REPLACED_AT_MOST {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut file = open_plain(&path, &mut options).map_err(io)?;
            if !take(&file).map_err(io)? {
                return Ok(Locked::HeldBy(words(&file).map_err(io)?));
            }
            match check_names(&file, &path).map_err(io)? {
                Names::This => {}
                Names::Another => continue,
                Names::Several => return Err(io(has_another_name())),
            }
            if self.journal_is_held()? {
                return Ok(Locked::HeldBy(BY_ITS_JOURNAL.to_owned()));
            }
            write_holder(&mut file, holder).map_err(io)?;
            return Ok(Locked::Taken(FolderLock(file)));
        }
        Err(io(io::Error::other("it is removed or replaced whenever it is locked")))
    }

    /// Who holds the folder now, without taking it for longer than the question. Whoever keeps
    /// [`Self::try_lock`] out is named here, too: the two ask the same.
    pub fn held_by(&self) -> Result<Option<String>, FolderError> {
        let path = self.file(LOCK_FILE);
        let io = |source| FolderError::Io { path: path.clone(), source };
        match open_plain(&path, OpenOptions::new().read(true)) {
            Ok(file) if is_held(&file).map_err(io)? => return words(&file).map(Some).map_err(io),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        Ok(self.journal_is_held()?.then(|| BY_ITS_JOURNAL.to_owned()))
    }

    /// Who holds the folder's lock, to be waited for.
    pub fn holder(&self) -> io::Result<FolderHolder> {
        open_plain(&self.file(LOCK_FILE), OpenOptions::new().read(true)).map(FolderHolder)
    }

    fn journal_is_held(&self) -> Result<bool, FolderError> {
        let path = self.file(JOURNAL_FILE);
        let held = match open_plain(&path, OpenOptions::new().read(true)) {
            Ok(file) => is_held(&file),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        held.map_err(|source| FolderError::Io { path, source })
    }
}

/// How often those who only ask are waited out: while they share it, and while one of them has it
/// alone, which is no longer than a call of the kernel.
const SHARED_AT_MOST: usize = 1000;
const ALONE_AT_MOST: usize = 100;

/// Whether the file is this process's alone now. Who only asks holds it for an instant and is waited
/// out; who keeps it, alone or shared, has it.
pub(crate) fn take(file: &File) -> io::Result<bool> {
    let (mut shared, mut alone) = (0, 0);
    while shared < SHARED_AT_MOST && alone < ALONE_AT_MOST {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(source),
        }
        if share(file)? {
            file.unlock()?;
            shared += 1;
        } else {
            alone += 1;
        }
        std::thread::yield_now();
    }
    Ok(false)
}

/// Whether somebody else has the file, alone or shared; nothing is held of it afterwards.
fn is_held(file: &File) -> io::Result<bool> {
    let free = match take(file) {
        // Over a network a file that is open for reading alone cannot be had alone, but shared.
        Err(error) if error.raw_os_error() == Some(Errno::EBADF as i32) => share(file)?,
        taken => taken?,
    };
    if free {
        file.unlock()?;
    }
    Ok(!free)
}

fn share(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(source),
    }
}

/// The file that lies at the path of an open one.
pub(crate) enum Names {
    This,
    Another,
    /// This, and it has another name besides: what is written into it is written elsewhere too.
    Several,
}

pub(crate) fn check_names(file: &File, path: &Path) -> io::Result<Names> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) if FileId::of(&there) != FileId::of(&open) => Ok(Names::Another),
        Ok(_) if open.nlink() > 1 => Ok(Names::Several),
        Ok(_) => Ok(Names::This),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Names::Another),
        Err(error) => Err(error),
    }
}

fn has_another_name() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "a hard link: it has another name, and is not written")
}

/// The holder's own words.
fn words(mut file: &File) -> io::Result<String> {
    file.rewind()?;
    let bytes = read_whole(file, SMALL_LIMIT_BYTES)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn write_holder(file: &mut File, holder: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(holder.as_bytes())
}

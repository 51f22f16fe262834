//! How a folder's files are opened, read and written, whoever else may write into the folder.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

/// The limit of a go, its signature, `run.json` and `lock`: more than any of them needs.
pub const SMALL_LIMIT_BYTES: u64 = 1024 * 1024;
/// The limit of a mock lab's world.
pub const WORLD_LIMIT_BYTES: u64 = 256 * 1024 * 1024;
/// The limit of a journal.
pub const JOURNAL_LIMIT_BYTES: u64 = 1024 * 1024 * 1024;

/// Which file or folder it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

impl FileId {
    /// The identity of the file or folder that has this metadata.
    pub fn of(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

/// Opens a plain file: a symbolic link is not followed, a FIFO does not hang, and nothing else is
/// taken for a file.
pub fn open_plain(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = options.custom_flags(flags.bits()).open(path).map_err(|error| {
        let is_link = error.raw_os_error() == Some(Errno::ELOOP as i32);
        if is_link { no_plain_file("a symbolic link, which is not followed") } else { error }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_plain_file("no plain file")) }
}

fn no_plain_file(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what)
}

/// Reads a plain file whole, as [`open_plain`] opens it; a larger one is refused by its size.
pub fn read_plain(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open_plain(path, OpenOptions::new().read(true))?;
    read_whole(&file, limit_bytes)
}

/// Reads what follows in an open file; a larger one is refused by its size.
pub(crate) fn read_whole(file: &File, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let too_large = |bytes: u64| {
        let words = format!("it has {bytes} bytes or more, and at most {limit_bytes} are read");
        Err(io::Error::new(ErrorKind::FileTooLarge, words))
    };
    let length = file.metadata()?.len();
    if length > limit_bytes {
        return too_large(length);
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes { too_large(bytes.len() as u64) } else { Ok(bytes) }
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
    let mut file = open_plain(temporary, &mut options)?;
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

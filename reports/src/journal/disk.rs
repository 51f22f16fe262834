//! The operations that the journal asks of a disk, so that a full or broken one can be tried in a
//! test.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::folder::{
    FileId, JOURNAL_LIMIT_BYTES, Names, check_names, open_plain, read_whole, take,
};

/// Why the file at a journal's path is not the one that is written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nothing, or another file, lies there. What is written still goes into the file that is open:
    /// where its folder was moved, it is found there.
    NotThere(String),
    /// Somebody else has cut it or written into it: a line more would only break it further.
    Changed(String),
}

/// A file that is only appended to.
pub trait Disk {
    /// Appends, perhaps only a part, like [`Write::write`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    fn sync_data(&mut self) -> io::Result<()>;
    /// Cuts the file back, so that a half-written line is gone.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Reserves blocks without changing the file's size; `Unsupported` where it cannot.
    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Proves that the file at the path is the one that is written, and that it has this length.
    fn check(&self, len: u64) -> Result<(), Lost>;
}

/// A journal's file, held by flock: one process alone writes it.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
    path: PathBuf,
}

impl FileDisk {
    /// A new file, readable by its owner alone; an existing one is refused.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(true).mode(0o600);
        Self::hold(path, &options)
    }

    /// Fails with [`io::ErrorKind::ResourceBusy`] where another process writes it.
    pub fn reopen(path: &Path) -> io::Result<Self> {
        Self::hold(path, OpenOptions::new().read(true).append(true))
    }

    fn hold(path: &Path, options: &OpenOptions) -> io::Result<Self> {
        let file = open_plain(path, &mut options.clone())?;
        let is_there = || Ok::<_, io::Error>(!matches!(check_names(&file, path)?, Names::Another));
        // Locked first: what lies at the path after that is what others find locked.
        if !take(&file)? || !is_there()? {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// The path at which it was created or reopened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that is in it.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        read_whole(&self.file, JOURNAL_LIMIT_BYTES)
    }
}

impl Disk for FileDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        let offset = i64::try_from(offset).map_err(io::Error::other)?;
        let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
        match fallocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, offset, bytes) {
            Ok(()) => Ok(()),
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Err(io::ErrorKind::Unsupported.into()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn check(&self, len: u64) -> Result<(), Lost> {
        let unread = |error: io::Error| Lost::NotThere(format!("it cannot be looked at: {error}"));
        let open = self.file.metadata().map_err(unread)?;
        if open.nlink() == 0 {
            return Err(Lost::NotThere("it was removed".to_owned()));
        }
        if open.len() != len {
            let words = format!("it has {} bytes, and {len} were written", open.len());
            return Err(Lost::Changed(words));
        }
        match fs::symlink_metadata(&self.path) {
            Ok(there) if FileId::of(&there) == FileId::of(&open) => Ok(()),
            Ok(_) => Err(Lost::NotThere("another file lies in its place".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Lost::NotThere("it was moved, or its folder was".to_owned()))
            }
            Err(error) => Err(unread(error)),
        }
    }
}

/// Stands in for a file that somebody else has changed: what is written is kept by its writer alone.
pub(super) struct Nowhere;

impl Disk for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn reserve(&mut self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn check(&self, _: u64) -> Result<(), Lost> {
        Ok(())
    }
}

/// Stands in for a file that ends in half a line and cannot be cut back.
pub(super) struct Broken;

impl Disk for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("the journal ends in half a line that cannot be cut off"))
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn reserve(&mut self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn check(&self, _: u64) -> Result<(), Lost> {
        Ok(())
    }
}

//! What the journal asks of a disk, so that a full or broken one can be tried in a test.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// A file that is only appended to.
pub trait Disk {
    /// Appends, perhaps only a part, like [`Write::write`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    fn sync_data(&mut self) -> io::Result<()>;
    /// Cuts the file back, so that a half-written line is gone.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Reserves blocks without changing the file's size; `Unsupported` where it cannot.
    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()>;
}

#[derive(Debug)]
pub struct FileDisk(File);

impl FileDisk {
    /// A new file, readable by its owner alone; an existing one is refused.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self(file))
    }

    pub fn reopen(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().append(true).open(path)?))
    }
}

impl Disk for FileDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        let offset = i64::try_from(offset).map_err(io::Error::other)?;
        let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
        match fallocate(&self.0, FallocateFlags::FALLOC_FL_KEEP_SIZE, offset, bytes) {
            Ok(()) => Ok(()),
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Err(io::ErrorKind::Unsupported.into()),
            Err(errno) => Err(errno.into()),
        }
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
}

//! A disk on which the harness dies while it writes its journal, or that is full.

use std::cell::RefCell;
use std::io;
use std::panic::panic_any;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use lab_mock::faults::Killed;
use reports::journal::{Disk, FileDisk, JOURNAL_FILE, Lost};

use crate::deaths::Recorder;

/// A blow that befalls an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtAppend {
    /// The harness dies before it.
    Before,
    /// It dies, and half of the line is on the disk.
    Torn,
    /// It dies after it.
    After,
    /// From here on the disk has no room but what is reserved.
    Full,
    /// Somebody moves the file away just before it; it is put back when the process has ended.
    Gone,
}

impl AtAppend {
    pub const ALL: [Self; 5] = [Self::Before, Self::Torn, Self::After, Self::Full, Self::Gone];

    pub fn kills(self) -> bool {
        !matches!(self, Self::Full | Self::Gone)
    }
}

/// Where a journal lies that somebody moved away.
fn gone(journal: &Path) -> PathBuf {
    journal.with_extension("gone")
}

/// Puts the folder's journal back, where somebody moved it away.
pub fn put_back(dir: &Path) {
    let journal = dir.join(JOURNAL_FILE);
    if gone(&journal).exists() {
        std::fs::rename(gone(&journal), journal).expect("it is put back");
    }
}

/// Counts the appends of one process, and knows what is to befall which.
#[derive(Clone)]
pub struct Appends(Rc<RefCell<Inner>>);

struct Inner {
    count: u32,
    planned: Vec<(u32, AtAppend)>,
    fell: Vec<(u32, AtAppend)>,
    recorder: Recorder,
}

impl Appends {
    pub fn new(planned: impl Iterator<Item = (u32, AtAppend)>, recorder: Recorder) -> Self {
        let planned = planned.collect();
        Self(Rc::new(RefCell::new(Inner { count: 0, planned, fell: Vec::new(), recorder })))
    }

    pub fn count(&self) -> u32 {
        self.0.borrow().count
    }

    pub fn fell(&self) -> Vec<(u32, AtAppend)> {
        self.0.borrow().fell.clone()
    }

    fn begins_at(&self, len: u64) {
        self.0.borrow().recorder.begins_at(len);
    }

    fn next(&self, bytes: usize) -> Option<AtAppend> {
        let mut inner = self.0.borrow_mut();
        inner.recorder.append(bytes);
        let number = inner.count;
        inner.count += 1;
        let hit = inner.planned.iter().find(|(at, _)| *at == number).copied();
        inner.fell.extend(hit);
        hit.map(|(_, how)| how)
    }
}

pub struct DyingDisk {
    disk: FileDisk,
    appends: Appends,
    len: u64,
    reserved_until: u64,
    /// The end of the last block that can be had, once the disk is full.
    capacity: Option<u64>,
}

impl DyingDisk {
    pub fn new(disk: FileDisk, len: u64, appends: Appends) -> Self {
        appends.begins_at(len);
        Self { disk, appends, len, reserved_until: len, capacity: None }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.capacity.is_some_and(|capacity| self.len + bytes.len() as u64 > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.disk.write(bytes)?;
        self.len += written as u64;
        Ok(written)
    }
}

impl Disk for DyingDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.appends.next(bytes.len()) {
            None => {}
            Some(AtAppend::Before) => panic_any(Killed),
            Some(AtAppend::Torn) => {
                self.put(&bytes[..bytes.len() / 2])?;
                panic_any(Killed)
            }
            Some(AtAppend::After) => {
                self.put(bytes)?;
                panic_any(Killed)
            }
            Some(AtAppend::Gone) => {
                let path = self.disk.path();
                std::fs::rename(path, gone(path))?;
            }
            Some(AtAppend::Full) => self.capacity = Some(self.reserved_until.max(self.len)),
        }
        self.put(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        // Nothing here survives a machine that dies, and nothing has to: only the process does.
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        (self.len, self.reserved_until) = (len, len);
        self.appends.begins_at(len);
        self.disk.truncate(len)
    }

    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        let until = offset + bytes;
        if self.capacity.is_some_and(|capacity| until > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.reserved_until = self.reserved_until.max(until);
        Ok(())
    }

    fn check(&self, len: u64) -> Result<(), Lost> {
        self.disk.check(len)
    }
}

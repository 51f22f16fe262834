//! Appends to a journal.
//!
//! A line is either whole in the file or not there: after a short write the file is cut back to
//! its last good length. Before each line that something depends on, the file at the path is proved to
//! be the one that is written, and before each intent the attachments to be there. Once a write has
//! failed or the journal is lost, forward work can no longer be recorded and so must not be done
//! (I2); what ends a run (outcomes, undo, the list of what is left) may still be tried, in the space
//! that [`Writer::reserve`] keeps for it.

use std::cell::{Ref, RefCell};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::attachments::Attachments;
use super::disk::{Broken, Disk, FileDisk, Lost, Nowhere};
use super::reader::{ChainError, read_chain};
use super::{JOURNAL_FILE, TORN_FILE};
use crate::digest::Digest;
use crate::record::{Attachment, JournalLost, Kind, Permit, Record};
use crate::redact::{Form, Redactor};

/// The reason why a journal cannot be opened, read or written.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("{path}: {source}; check the disk and the folder's permissions")]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// An earlier write failed: nothing forward may happen any more.
    #[error("the journal cannot be written any more ({0}); only undo goes on")]
    Failed(String),
    #[error("{0} is written by another process: its run is live")]
    Held(PathBuf),
}

/// The outcome of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    Kept,
    /// The file system cannot; outcomes then need free space when they are written.
    Unsupported,
}

/// A handle that is cheap to clone, for one thread: scenarios that run at the same time append
/// through their own.
#[derive(Clone)]
pub struct Writer(Rc<RefCell<Inner>>);

type RecordListener = Box<dyn FnMut(&str)>;

struct Inner {
    dir: PathBuf,
    disk: Box<dyn Disk>,
    /// Length of the whole lines.
    len: u64,
    head: Digest,
    records: Vec<Record>,
    stored: HashSet<Stored>,
    redactor: Redactor,
    listeners: Vec<RecordListener>,
    /// Why the last write failed.
    failed: Option<String>,
    /// Whether that is because somebody else has removed or changed what was written.
    lost: bool,
    attachments: Attachments,
    /// Bytes that are kept free for the records that end a run.
    reserve: u64,
    /// End of the blocks that are reserved already.
    reserved_until: u64,
}

/// Beyond the reserve itself, so that not every line costs a system call.
const RESERVE_STEP: u64 = 64 * 1024;

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.0.borrow();
        f.debug_struct("Writer").field("dir", &inner.dir).field("len", &inner.len).finish()
    }
}

impl Writer {
    /// Starts a journal in a folder that has none.
    pub fn create(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        let disk = FileDisk::create(&path).map_err(|source| JournalError::Io { path, source })?;
        sync_dir(dir)?;
        Ok(Self::on_disk(dir, Box::new(disk)))
    }

    /// Starts an empty journal on any disk.
    pub fn on_disk(dir: &Path, disk: Box<dyn Disk>) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            dir: dir.to_owned(),
            disk,
            len: 0,
            head: Digest::zero(),
            records: Vec::new(),
            stored: HashSet::new(),
            redactor: Redactor::default(),
            listeners: Vec::new(),
            failed: None,
            lost: false,
            attachments: Attachments::new(dir),
            reserve: 0,
            reserved_until: 0,
        })))
    }

    /// Goes on with a journal: verifies the chain, and keeps a torn last line aside in
    /// `journal.torn` before cutting it off.
    pub fn reopen(dir: &Path) -> Result<Self, JournalError> {
        Self::reopen_on(dir, |disk| Box::new(disk))
    }

    /// Reopens as [`reopen`](Self::reopen) does, with something between the journal and its file.
    pub fn reopen_on(
        dir: &Path,
        between: impl FnOnce(FileDisk) -> Box<dyn Disk>,
    ) -> Result<Self, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::ResourceBusy => JournalError::Held(path.clone()),
            _ => JournalError::Io { path: path.clone(), source },
        };
        let file = FileDisk::reopen(&path).map_err(io)?;
        let chain = read_chain(&file.read().map_err(io)?)?;
        let mut disk = between(file);
        if !chain.torn.is_empty() {
            keep_aside(dir, &chain.torn)?;
            disk.truncate(chain.whole_bytes).map_err(io)?;
            disk.sync_data().map_err(io)?;
        }
        let writer = Self::on_disk(dir, disk);
        {
            let mut inner = writer.0.borrow_mut();
            inner.len = chain.whole_bytes;
            inner.head = chain.head;
            inner.stored = chain.records.iter().filter_map(stored).collect();
            let named = inner.stored.iter().map(|(digest, ..)| digest.clone());
            inner.attachments = Attachments::found(dir, named);
            inner.records = chain.records;
        }
        Ok(writer)
    }

    /// Appends a record and answers the digest of its line. `at` never goes backwards: a clock
    /// that does is written as the last record's time.
    pub fn append(&self, at: DateTime<Utc>, kind: Kind) -> Result<Digest, JournalError> {
        let line = self.0.borrow_mut().append(at, kind)?;
        let digest = self.head();
        self.tell(&line);
        Ok(digest)
    }

    /// Appends as [`append`](Self::append) does, and the line is on the disk when this returns: in
    /// the file that lies at the journal's path.
    pub fn append_synced(&self, at: DateTime<Utc>, kind: Kind) -> Result<Digest, JournalError> {
        let last = matches!(kind, Kind::RunFinished(_));
        let depends = if last || matches!(kind, Kind::Intent(_)) {
            Depends::OnAll
        } else {
            Depends::OnTheJournal
        };
        self.prove(at, depends);
        let line = {
            let mut inner = self.0.borrow_mut();
            let line = inner.append(at, kind)?;
            inner.sync()?;
            if last {
                inner.give_back_reserve();
            }
            line
        };
        let digest = self.head();
        self.tell(&line);
        Ok(digest)
    }

    /// Proves that everything that was written is still there, byte for byte: before each intent only
    /// that it is there is asked.
    ///
    /// # Errors
    /// Why forward work is no longer possible, once it is not.
    pub fn check(&self, at: DateTime<Utc>) -> Result<(), JournalError> {
        self.prove(at, Depends::OnAll);
        let proved = self.0.borrow().prove_contents();
        if let Err(why) = proved {
            self.lose(at, why);
        }
        self.failed().map_or(Ok(()), |why| Err(JournalError::Failed(why)))
    }

    /// Says that something else of the folder is lost without which the run cannot be gone on with.
    pub fn lose(&self, at: DateTime<Utc>, why: String) {
        if self.0.borrow_mut().lose(why.clone()) {
            // Best effort: the journal has failed, and says so where it still can.
            let _ = self.append(at, Kind::JournalLost(JournalLost { why }));
        }
    }

    /// Proves what is written; whatever is not there any more is lost for good, and said once.
    fn prove(&self, at: DateTime<Utc>, depends: Depends) {
        let proved = self.0.borrow_mut().prove(depends);
        if let Err(why) = proved {
            self.lose(at, why);
        }
    }

    /// An attachment that the journal names and that was gone when it was reopened.
    pub fn missing_attachment(&self) -> Option<PathBuf> {
        let inner = self.0.borrow();
        let mut named = inner.stored.iter().map(|(digest, ..)| digest);
        named.find_map(|digest| inner.attachments.lacks(digest))
    }

    /// Whether somebody else has removed or changed what was written.
    pub fn is_lost(&self) -> bool {
        self.0.borrow().lost
    }

    /// Keeps a raw answer under `attachments/`, without its secrets, and records it once for each
    /// digest and source. Answers the digest of the bytes as they were kept.
    pub fn attach(
        &self,
        at: DateTime<Utc>,
        bytes: &[u8],
        form: Form,
        source: &str,
    ) -> Result<Digest, JournalError> {
        let attachment = self.0.borrow_mut().store(bytes, form, source)?;
        let digest = attachment.digest.clone();
        let key = key_of(&attachment);
        if !self.0.borrow().stored.contains(&key) {
            self.append(at, Kind::AttachmentStored(attachment))?;
            self.0.borrow_mut().stored.insert(key);
        }
        Ok(digest)
    }

    /// Keeps space for the records that end a run, so that a full disk cannot silence an undo.
    /// Every later append keeps as much free behind itself.
    pub fn reserve(&self, bytes: u64) -> Result<Reserved, JournalError> {
        self.0.borrow_mut().start_reserve(bytes)
    }

    /// Reserves as [`reserve`](Self::reserve) does, for who goes on with a journal. Where there is
    /// no room, what an earlier process has reserved is left for the records that end a run, and
    /// for no others.
    pub fn reserve_for_the_end(&self, bytes: u64) {
        let mut inner = self.0.borrow_mut();
        if let Err(error) = inner.start_reserve(bytes) {
            inner.failed = Some(error.to_string());
        }
    }

    /// Values that are never to reach the folder, beside those that look like credentials.
    pub fn hide(&self, secrets: impl IntoIterator<Item = String>) {
        self.0.borrow_mut().redactor.hide(secrets);
    }

    /// A text that people are shown, without the secrets that the folder is kept free of.
    pub fn redacted(&self, text: &str) -> String {
        self.0.borrow().redactor.text(text).into_owned()
    }

    /// Is called with each line, without its newline, after it was written.
    pub fn on_append(&self, listener: RecordListener) {
        self.0.borrow_mut().listeners.push(listener);
    }

    /// Not to be held over an append.
    pub fn records(&self) -> Ref<'_, [Record]> {
        Ref::map(self.0.borrow(), |inner| inner.records.as_slice())
    }

    /// Calls `read` with the records so far; it must not append.
    pub fn with_records<T>(&self, read: impl FnOnce(&[Record]) -> T) -> T {
        read(&self.0.borrow().records)
    }

    /// Digest of the last line; all zeros before the first.
    pub fn head(&self) -> Digest {
        self.0.borrow().head.clone()
    }

    /// The folder that the journal lies in.
    pub fn dir(&self) -> PathBuf {
        self.0.borrow().dir.clone()
    }

    /// Why the last write failed, once one has.
    pub fn failed(&self) -> Option<String> {
        self.0.borrow().failed.clone()
    }

    /// Listeners are taken out while they run, so that one may read the journal.
    fn tell(&self, line: &str) {
        let mut listeners = std::mem::take(&mut self.0.borrow_mut().listeners);
        for listener in &mut listeners {
            listener(line);
        }
        let mut inner = self.0.borrow_mut();
        listeners.append(&mut inner.listeners);
        inner.listeners = listeners;
    }
}

/// The files that a line depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depends {
    OnTheJournal,
    /// On its attachments as well.
    OnAll,
}

impl Inner {
    fn prove(&mut self, depends: Depends) -> Result<(), String> {
        if self.lost {
            return Ok(());
        }
        let why = match self.disk.check(self.len) {
            Ok(()) if depends == Depends::OnAll => return self.attachments.check(),
            Ok(()) => return Ok(()),
            Err(Lost::NotThere(why)) => why,
            Err(Lost::Changed(why)) => {
                self.disk = Box::new(Nowhere);
                why
            }
        };
        // Where the folder lies is no part of the journal.
        Err(format!("{JOURNAL_FILE}: {why}"))
    }

    /// Each line says what the one before it was.
    fn prove_contents(&self) -> Result<(), String> {
        if self.failed.is_some() {
            return Ok(());
        }
        let bytes = match fs::read(self.dir.join(JOURNAL_FILE)) {
            Ok(bytes) => bytes,
            // It lies on another disk than this folder's, whose own proof it is.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("{JOURNAL_FILE}: {error}")),
        };
        let whole = usize::try_from(self.len).ok().and_then(|len| bytes.get(..len));
        let mut lines = whole.unwrap_or_default().split_inclusive(|byte| *byte == b'\n');
        let next = self.records.iter().skip(1).map(|record| &record.prev).chain([&self.head]);
        let same = next.take(self.records.len()).all(|digest| {
            lines.next().is_some_and(|line| Digest::of(line.trim_ascii_end()) == *digest)
        });
        if !same {
            return Err(format!("{JOURNAL_FILE}: somebody has changed what was written"));
        }
        self.attachments.check_contents()
    }

    /// Whether that is news.
    fn lose(&mut self, why: String) -> bool {
        self.failed.get_or_insert(why);
        !std::mem::replace(&mut self.lost, true)
    }

    fn append(&mut self, at: DateTime<Utc>, kind: Kind) -> Result<String, JournalError> {
        if let Some(why) = self.failed.as_ref().filter(|_| !ends_a_run(&kind)) {
            return Err(JournalError::Failed(why.clone()));
        }
        let kind = self.redactor.kind(kind)?;
        let at = self.records.last().map_or(at, |last| at.max(last.at));
        let seq = self.records.len() as u64;
        let record = Record { seq, prev: self.head.clone(), at, kind };
        let mut line = serde_json::to_string(&record)?;
        line.push('\n');
        if !ends_a_run(&record.kind) {
            self.keep_reserve(line.len() as u64)?;
        }
        self.write_whole(line.as_bytes())?;
        line.pop();
        self.len += line.len() as u64 + 1;
        self.head = Digest::of(&line);
        self.records.push(record);
        Ok(line)
    }

    /// The whole line or nothing of it.
    fn write_whole(&mut self, line: &[u8]) -> Result<(), JournalError> {
        let mut written = 0;
        let why = loop {
            if written == line.len() {
                return Ok(());
            }
            match self.disk.write(&line[written..]) {
                Ok(0) => break io::ErrorKind::WriteZero.into(),
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        if let Err(error) = self.disk.truncate(self.len) {
            // Half a line stays at the end: nothing may follow it, not even an undo's outcome.
            // A later reopen sets it aside as torn.
            self.disk = Box::new(Broken);
            return Err(self.fail(error));
        }
        Err(self.fail(why))
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        self.disk.sync_data().map_err(|error| self.fail(error))
    }

    fn fail(&mut self, source: io::Error) -> JournalError {
        self.failed = Some(source.to_string());
        JournalError::Io { path: self.dir.join(JOURNAL_FILE), source }
    }

    fn store(
        &mut self,
        bytes: &[u8],
        form: Form,
        source: &str,
    ) -> Result<Attachment, JournalError> {
        if let Some(why) = &self.failed {
            return Err(JournalError::Failed(why.clone()));
        }
        let kept = self.redactor.keep(form, bytes);
        let bytes = kept.bytes;
        let source = self.redactor.text(source).into_owned();
        let digest = Digest::of(&bytes);
        if let Err((path, source)) = self.attachments.keep(&digest, &bytes) {
            self.failed = Some(source.to_string());
            return Err(JournalError::Io { path, source });
        }
        let (bytes, media_type) = (bytes.len() as u64, kept.media_type.to_owned());
        Ok(Attachment { digest, original_sha256: kept.original, bytes, media_type, source })
    }

    fn start_reserve(&mut self, bytes: u64) -> Result<Reserved, JournalError> {
        match self.disk.reserve(self.len, bytes) {
            Ok(()) => {
                self.reserve = bytes;
                self.reserved_until = self.len + bytes;
                Ok(Reserved::Kept)
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Reserved::Unsupported),
            // No line was touched: that there is no room can still be said, and nothing was begun.
            Err(source) => Err(JournalError::Io { path: self.dir.join(JOURNAL_FILE), source }),
        }
    }

    /// Before a line of forward work is written, the reserve is moved behind it; where that
    /// fails, the line is not written, so that it cannot eat what was reserved.
    fn keep_reserve(&mut self, line: u64) -> Result<(), JournalError> {
        let needed = self.len + line + self.reserve;
        if self.reserve == 0 || needed <= self.reserved_until {
            return Ok(());
        }
        let wanted = line + self.reserve + RESERVE_STEP;
        self.disk.reserve(self.len, wanted).map_err(|error| self.fail(error))?;
        self.reserved_until = self.len + wanted;
        Ok(())
    }

    /// Best effort: what is reserved beyond the end costs space and nothing else.
    fn give_back_reserve(&mut self) {
        if self.reserve > 0 && self.disk.truncate(self.len).is_ok() {
            self.reserve = 0;
            self.reserved_until = 0;
        }
    }
}

/// Whether a record may still be tried when the journal fails: the records that end what was begun.
fn ends_a_run(kind: &Kind) -> bool {
    match kind {
        Kind::Intent(intent) => intent.permit == Permit::Undo,
        Kind::Outcome(_)
        | Kind::StopTripped(_)
        | Kind::ResidueListed(_)
        | Kind::LockReleased(_)
        | Kind::LockRenewed(_)
        | Kind::Interrupted(_)
        | Kind::RecoveryStarted(_)
        | Kind::LabGone(_)
        | Kind::HarnessBroke(_)
        | Kind::JournalLost(_)
        | Kind::RunFinished(_) => true,
        _ => false,
    }
}

fn stored(record: &Record) -> Option<Stored> {
    match &record.kind {
        Kind::AttachmentStored(kept) => Some(key_of(kept)),
        _ => None,
    }
}

fn keep_aside(dir: &Path, torn: &[u8]) -> Result<(), JournalError> {
    let path = dir.join(TORN_FILE);
    let append = || {
        let mut bytes = torn.to_vec();
        bytes.push(b'\n');
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&path)?;
        io::Write::write_all(&mut file, &bytes)?;
        file.sync_all()
    };
    match append() {
        // Half a line never counted: that it cannot be kept is no reason to leave a lab as it is.
        Err(error) if is_full(&error) => Ok(()),
        kept => kept.map_err(|source| JournalError::Io { path: path.clone(), source }),
    }
}

/// A disk, a quota, or the size that this process may give a file.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    let sync = File::open(dir).and_then(|dir| dir.sync_all());
    sync.map_err(|source| JournalError::Io { path: dir.to_owned(), source })
}

/// The key of what is recorded once: the same answer from the same source.
type Stored = (Digest, Option<Digest>, String);

fn key_of(kept: &Attachment) -> Stored {
    (kept.digest.clone(), kept.original_sha256.clone(), kept.source.clone())
}

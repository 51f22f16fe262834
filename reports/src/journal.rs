//! The run journal: the only truth of a run. JSON lines, each carrying the SHA-256 of the bytes of
//! the line before, appended and never changed.
//!
//! Bytes are hashed as they are written and as they are read; nothing is ever serialised again to
//! be hashed.

mod attachments;
mod disk;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use disk::{Disk, FileDisk, Lost};
pub use reader::{Chain, ChainError, read_chain, read_file, verify_chain};
pub use writer::{JournalError, Reserved, Writer};

/// The journal's name in the run's folder.
pub const JOURNAL_FILE: &str = "journal.jsonl";
/// Where the bytes of a torn last line are kept.
pub const TORN_FILE: &str = "journal.torn";
/// The folder of raw answers, each named by its digest.
pub const ATTACHMENTS_DIR: &str = "attachments";

//! The run journal: append, chain, fdatasync.

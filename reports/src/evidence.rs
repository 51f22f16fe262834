//! `evidence.json`: a fold over the journal.

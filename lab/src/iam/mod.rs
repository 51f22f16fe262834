//! What a role's policy documents grant, statement by statement.

mod document;

pub use document::{Document, DocumentName, Effect, Grants, Statement, Subject};

#[cfg(test)]
mod spec;

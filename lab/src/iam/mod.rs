//! The grants of a role's policy documents, statement by statement.

mod document;

pub use document::{Document, DocumentName, Effect, Grants, Statement, Subject};

#[cfg(test)]
mod spec;

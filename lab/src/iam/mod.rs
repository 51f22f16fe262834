//! The grants of a role's policy documents, statement by statement.

mod document;

pub use document::{DocumentName, Grants, PolicyDocument, PolicyEffect, Statement, Subject};

#[cfg(test)]
mod spec;

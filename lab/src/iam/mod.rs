//! What a role's policy documents grant, and whether that is exactly what the executor needs.

mod document;
mod judge;

pub use document::{Document, DocumentName, Effect, Grants, Statement, Subject};
pub use judge::{ACTIONS, IamProblem, IamProblemKind, Judgement, RoleExpectation, judge};

#[cfg(test)]
mod spec;

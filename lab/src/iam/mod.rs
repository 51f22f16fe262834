//! The grants of a role's policy documents, statement by statement.

mod arn;
mod document;
mod render;

pub use arn::{make_ec2_arn, make_iam_arn, partition_of};
pub use document::{DocumentName, Grants, PolicyDocument, PolicyEffect, Statement, Subject};
pub use render::{PolicyPhase, find_granting, render_policies, render_policy};

#[cfg(test)]
mod spec;

//! The typed routerctl client: argument lists out, answers in. It does no I/O: what runs `Call::argv`
//! on the node hands what came back to `Call::read`, as an `Observe` does by itself.

mod answer;
mod call;
mod dynamic;
mod lines;
mod mobility;
mod refusal;
mod report;
mod row;
mod unit;
mod unit_files;

pub use answer::AnswerError;
pub use call::{Call, Routerctl};
pub use dynamic::{Part, PartCounts, Plan, PluginOutcome, PluginRun, Undo};
pub use lines::{Approved, Executed, Imported, Previewed, RolledBack};
pub use mobility::{Owner, Pool, Resource, Resources};
pub use refusal::{Effect, Refusal, UndoRefusal};
pub use report::{Check, CheckStatus, Report, Summary};
pub use row::{Row, Status};
pub use unit::{EnvironmentFile, UNIT, Unit, credentials_in_file};

/// The parsers, one for each answer of routerctl. `command` is what an error shall name.
pub mod answers {
    pub use super::dynamic::{parts, parts_described, plugin_run};
    pub use super::lines::{approved, executed, imported, previewed, rolled_back, undo_previewed};
    pub use super::mobility::{described, owners, resources};
    pub use super::report::report;
    pub use super::row::{row, rows};
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod spec;

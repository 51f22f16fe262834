//! The typed routerctl client: argument lists out, answers in. It does no I/O: what runs `Call::argv`
//! on the node hands what came back to `Call::read`, as an `Observe` does by itself.

mod answer;
mod call;
mod dynamic;
mod lines;
mod mobility;
mod refusal;
mod release;
mod report;
mod row;
mod unit;
mod unit_files;

pub use answer::AnswerError;
pub use call::{Call, Routerctl};
pub use dynamic::{DynamicPart, PartCounts, Plan, PlanUndo, PluginOutcome, PluginRun};
pub use lines::{Approved, Executed, Imported, Previewed, RolledBack};
pub use mobility::{Owner, Pool, Resource, Resources};
pub use refusal::{Refusal, RefusalEffect, UndoRefusal};
pub use release::RouterdRelease;
pub use report::{CheckStatus, DoctorCheck, DoctorReport, Summary};
pub use row::{Row, RowStatus};
pub use unit::{EnvironmentFile, UNIT, Unit, credentials_in_file};

/// The parsers, one for each answer of routerctl. `command` is what an error shall name.
pub mod answers {
    pub use super::dynamic::{parts_described, plugin_run, read_parts};
    pub use super::lines::{
        read_approved, read_executed, read_imported, read_previewed, rolled_back, undo_previewed,
    };
    pub use super::mobility::{read_described, read_owners, read_resources};
    pub use super::report::read_doctor_report;
    pub use super::row::{read_action_row, read_action_rows};
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod spec;

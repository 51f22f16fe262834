//! The runbook: one file for each scenario, named as in the runbook, and the sequence as one
//! table. Nothing here knows which lab it runs on.

pub mod answers;
pub mod baseline;
pub mod capture;
mod context;
pub mod cost;
#[cfg(test)]
mod example;
pub mod gate;
mod observe;
pub mod resume;
pub mod run;
mod sequence;
pub mod stops;
pub mod switch;
pub mod unsaid;
pub mod watch;

mod approve;
pub mod checkup;
mod claim_ready;
mod cloud_state;
mod cloud_unchanged;
mod default_gateway;
mod doctor;
mod dry_run;
mod eni_address;
mod execute;
mod import;
mod imports;
mod left;
mod no_nat;
mod node_state;
mod node_unchanged;
mod os_address;
mod outage;
mod ping;
mod plan;
mod preflight;
mod preview;
mod requests;
mod residue;
mod restored;
mod sight;
mod silence;
mod source_dest_check;
mod ssh;
mod teardown;
mod undo;
mod undo_plan;

pub use context::{Context, Finished, How};
pub use preflight::{
    FoundObstacles, PermissionProof, PermissionSurvey, find_obstacles, survey_permissions,
};
pub use sequence::{Leg, SEQUENCE, Scenario, find_scenario, list_prerequisites};
pub use undo_plan::{RESERVE_BYTES, UNDO_LOCK};

//! The policies that a lab needs, rendered from its manifest.

use std::path::Path;

use lab::iam::{PolicyPhase, render_policies, render_policy};
use reports::verdict::ExitCode;

use super::lab::read_manifest_file;
use super::refuse;
use crate::cli::PhaseChoice;
use crate::terminal::Terminal;

/// One policy as IAM takes it, or all of them by name.
pub fn print_policies(file: &Path, phase: Option<PhaseChoice>, terminal: &Terminal) -> u8 {
    let manifest = match read_manifest_file(file) {
        Ok(manifest) => manifest,
        Err(error) => return refuse(ExitCode::Usage, error, terminal),
    };
    let rendered = match phase {
        Some(phase) => render_policy(&manifest, phase.into()),
        None => render_policies(&manifest),
    };
    terminal.out_as_it_is(&format!("{rendered:#}\n"));
    ExitCode::Pass.number()
}

impl From<PhaseChoice> for PolicyPhase {
    fn from(choice: PhaseChoice) -> Self {
        match choice {
            PhaseChoice::Preflight => Self::Preflight,
            PhaseChoice::Run => Self::Run,
            PhaseChoice::Executor => Self::Executor,
        }
    }
}

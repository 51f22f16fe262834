//! The report of `routerctl doctor`.

use serde::{Deserialize, Serialize};

use super::answer::{AnswerError, RouterctlOutput};
use crate::node::Output;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Pass,
    Warn,
    Fail,
    /// Not checked: it is never a pass.
    Skip,
}

/// The checks of `routerctl doctor`, and their summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    pub summary: Summary,
    #[serde(deserialize_with = "super::dynamic::deserialize_list")]
    pub checks: Vec<DoctorCheck>,
}

/// The count of checks by their result, as doctor gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Also `pass` when nothing was checked at all.
    pub overall: CheckStatus,
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub skip: usize,
}

/// One check of doctor's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorCheck {
    pub area: String,
    #[serde(default)]
    pub code: String,
    pub name: String,
    pub status: CheckStatus,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub remedy: String,
}

impl DoctorReport {
    fn count(&self, status: CheckStatus) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// Whether the summary says what the checks say.
    fn agrees_with_itself(&self) -> bool {
        let Summary { pass, warn, fail, skip, .. } = self.summary;
        [(CheckStatus::Pass, pass), (CheckStatus::Warn, warn)]
            .into_iter()
            .chain([(CheckStatus::Fail, fail), (CheckStatus::Skip, skip)])
            .all(|(status, counted)| self.count(status) == counted)
    }
}

/// The answer of `doctor AREA -o json`. It exits with 1 exactly when a check fails, and its JSON
/// is complete nevertheless.
pub fn read_doctor_report(command: &str, output: &Output) -> Result<DoctorReport, AnswerError> {
    let answer = RouterctlOutput::new(command, output);
    let expected = "doctor's checks, as JSON";
    if output.stdout.is_empty() {
        return Err(answer.failed(expected));
    }
    let report: DoctorReport =
        serde_json::from_slice(&output.stdout).map_err(|_| answer.ambiguous(expected))?;
    let exit_code = i32::from(report.summary.fail > 0);
    if report.agrees_with_itself() && output.code == exit_code {
        Ok(report)
    } else {
        Err(answer.ambiguous("checks, a summary and an exit code that agree"))
    }
}

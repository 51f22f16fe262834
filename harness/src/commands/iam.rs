//! The policies that a lab needs, rendered from its manifest, and whether the account has them.

use std::path::Path;

use lab::ec2::Allowance;
use lab::iam::{PolicyPhase, render_policies, render_policy};
use reports::folder::RunFolder;
use reports::verdict::ExitCode;
use scenarios::{PermissionSurvey, survey_permissions};

use super::lab::read_manifest_file;
use super::refusal::CommandRefusal;
use super::{Console, refuse};
use crate::cli::{MakeArgs, PhaseChoice};
use crate::engine::Meanwhile;
use crate::labs::{AfterRun, Choice, Grantor, LabRequest, Leaving, Own};
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

/// Asks whether the operator and the executor may what a run needs; nothing is changed. 0 where all of
/// it is allowed, 8 where anything is denied or not known.
pub fn check_permissions(
    file: &Path,
    seed: Option<u64>,
    assume_role: Option<String>,
    console: Console<'_>,
) -> u8 {
    match survey_lab(file, seed, assume_role, console) {
        Ok(survey) => {
            console.terminal.out(&describe_survey(&survey));
            let code = if survey.holds() { ExitCode::Pass } else { ExitCode::Unavailable };
            code.number()
        }
        Err(refusal) => refuse(refusal.code(), &refusal, console.terminal),
    }
}

fn survey_lab(
    file: &Path,
    seed: Option<u64>,
    assume_role: Option<String>,
    console: Console<'_>,
) -> Result<PermissionSurvey, CommandRefusal> {
    let manifest = read_manifest_file(file)?;
    let kind = manifest.lab.kind;
    let own = Own { path: std::path::absolute(file)?, manifest };
    let wanted = LabRequest {
        lab: Choice::Described(Box::new(own)),
        seed,
        faults: Vec::new(),
        make: MakeArgs::default(),
        after: AfterRun::Keep,
        assume_role,
        grantor: Grantor::Owner { wait: None, meanwhile: Meanwhile::LeaveRunning },
    };
    let opener = console.labs.for_new_run(kind, &wanted)?;
    let place = tempfile::tempdir()?;
    opener.runtime()?.block_on(async {
        let say = console.say();
        let site = opener.begin(&wanted, &say).await?;
        let folder = RunFolder::create(&place.path().join("none"))?;
        let surveyed = match site.open(&folder).await {
            Ok(opened) => Ok(Box::pin(survey_permissions(&opened.lab)).await),
            Err(error) => Err(error.into()),
        };
        site.leave(Leaving::Unused, &say).await;
        surveyed
    })
}

fn describe_survey(survey: &PermissionSurvey) -> String {
    let mut text = String::new();
    for proof in &survey.proofs {
        let may = match proof.may {
            Allowance::Allowed => "allowed",
            Allowance::Denied => "denied",
            Allowance::Absent => "absent",
            Allowance::Unknown => "unknown",
        };
        let why = if proof.may == Allowance::Allowed { "" } else { proof.why.as_str() };
        let line = format!(
            "{may:8} {} {} on {}, by {} {why}",
            proof.who, proof.action, proof.resource, proof.by
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for problem in &survey.problems {
        text.extend(["problem: ", problem, "\n"]);
    }
    for note in &survey.notes {
        text.extend(["note: ", note, "\n"]);
    }
    text
}

//! `lab-smoke go RUN`: for the owner. Shows what a run asks for, writes it down, and has the stock
//! ssh-keygen sign it.

use std::io;
use std::path::{Path, PathBuf};

use ::lab::clock::Clock;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use reports::digest::Digest;
use reports::folder::{FolderError, GO_FILE, GO_SIGNATURE_FILE, RunFolder};
use reports::go::{Expectation, GO_VERSION, GoDocument, LONGEST_VALIDITY, NAMESPACE, set_aside};
use reports::journal::{ChainError, read_file};
use reports::record::{
    FactsRecorded, GoRefused, LabIdentity, LabKind, Record, RunStarted, UndoPlanned,
};
use reports::shown::{Differs, read_shown};
use reports::verdict::ExitCode;
use scenarios::gate::check_go;
use scenarios::run::Go;

use super::signing::{NotSigned, Prompting, sign_bytes};
use super::{outside, refuse};
use crate::cli::GoArgs;
use crate::engine;
use crate::terminal::{Terminal, in_one_line};

#[derive(Debug, thiserror::Error)]
pub(super) enum GrantRefusal {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Journal(#[from] ChainError),
    #[error(transparent)]
    Differs(#[from] Differs),
    #[error("this run awaits no go: `lab-smoke status {0}` says where it is")]
    NotPending(String),
    #[error("--expires is at most {}h", LONGEST_VALIDITY.num_hours())]
    TooLong,
    #[error(
        "this run's facts are {found}, and not {wanted}: look at it again (`lab-smoke review {run}`)"
    )]
    OtherFacts { found: Digest, wanted: Digest, run: String },
    #[error(
        "the run would refuse this go ({}): {}; {whose}; nothing was written into the run's folder",
        refused.rule,
        refused.reason
    )]
    WouldBeRefused { refused: GoRefused, whose: &'static str },
    #[error("the go cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
}

pub fn grant_go(args: &GoArgs, terminal: &Terminal) -> u8 {
    match grant(args, terminal) {
        Ok(()) => ExitCode::Pass.number(),
        Err(refusal) => refuse(ExitCode::Usage, refusal, terminal),
    }
}

/// The request that the owner is asked for.
pub(super) struct GrantRequest<'a> {
    pub started: &'a RunStarted,
    pub facts: &'a FactsRecorded,
    pub plan: &'a UndoPlanned,
    pub now: DateTime<Utc>,
}

fn grant(args: &GoArgs, terminal: &Terminal) -> Result<(), GrantRefusal> {
    let folder = RunFolder::resolve(Path::new(""), &args.run)?;
    let records = read_file(folder.path())?.records;
    let not_pending = || GrantRefusal::NotPending(engine::in_a_command(folder.path()));
    let asked = read_asked(&records)?.ok_or_else(not_pending)?;
    let found = &asked.facts.facts_digest;
    if let Some(wanted) = args.facts.as_ref().filter(|wanted| *wanted != found) {
        let (found, wanted) = (found.clone(), wanted.clone());
        let run = engine::in_a_command(folder.path());
        return Err(GrantRefusal::OtherFacts { found, wanted, run });
    }
    let document = document(&asked, args)?;
    terminal.out(&granted(&asked, &document));
    let bytes = document.to_bytes()?;
    let signature = sign_bytes(&bytes, &args.key, NAMESPACE, Prompting::Allowed)?;
    prove_it_would_hold(&folder, &asked, (&bytes, &signature))?;
    let aside = set_aside(folder.path());
    aside.map_err(|source| GrantRefusal::Io { path: folder.path().to_owned(), source })?;
    folder.write(GO_FILE, &bytes)?;
    // Last: who waits for a go takes none without its signature.
    folder.write(GO_SIGNATURE_FILE, &signature)?;
    let (shown, run) = (folder.path().display(), engine::in_a_command(folder.path()));
    terminal.out(&format!("{shown}/{GO_FILE} and {GO_SIGNATURE_FILE} are written\nit goes on with: lab-smoke resume {run}\n"));
    Ok(())
}

pub(super) fn read_asked(records: &[Record]) -> Result<Option<GrantRequest<'_>>, Differs> {
    // First: what differs from its digest is shown to nobody.
    let shown = read_shown(records)?;
    let started =
        engine::find_run_started(records).filter(|_| engine::read_standing(records).pending());
    let Some((started, last)) = started.zip(records.last()) else { return Ok(None) };
    // On the mock, time is virtual: it stands where the run stopped.
    let now = match started.lab.kind {
        LabKind::Mock => last.at,
        LabKind::Netns | LabKind::Aws => Clock::System.now(),
    };
    let now = now.trunc_subsecs(0);
    let asked = shown.facts.zip(shown.plan);
    Ok(asked.map(|(facts, plan)| GrantRequest { started, facts, plan, now }))
}

fn document(asked: &GrantRequest<'_>, args: &GoArgs) -> Result<GoDocument, GrantRefusal> {
    let expires = TimeDelta::from_std(args.expires).map_err(|_| GrantRefusal::TooLong)?;
    if expires > LONGEST_VALIDITY {
        return Err(GrantRefusal::TooLong);
    }
    let not_after = asked.now.checked_add_signed(expires).ok_or(GrantRefusal::TooLong)?;
    Ok(GoDocument {
        version: GO_VERSION,
        run_id: asked.started.run_id.clone(),
        facts_digest: asked.facts.facts_digest.clone(),
        change_set: asked.facts.change_set.clone(),
        undo_plan_digest: asked.plan.digest.clone(),
        lab_fingerprint: asked.facts.lab_fingerprint.clone(),
        lab_kind: asked.started.lab.kind,
        principal: args.by.clone(),
        not_before: asked.now,
        not_after,
    })
}

/// Asks the gate's own verifier, before the run does: a go by a stranger would only be refused later.
fn prove_it_would_hold(
    folder: &RunFolder,
    asked: &GrantRequest<'_>,
    (document, signature): (&[u8], &[u8]),
) -> Result<(), GrantRefusal> {
    let (signers, whose) = find_signers(folder, asked.started);
    let expected = Expectation {
        run_id: asked.started.run_id.clone(),
        facts_digest: asked.facts.facts_digest.clone(),
        change_set: asked.facts.change_set.clone(),
        undo_plan_digest: asked.plan.digest.clone(),
        lab_fingerprint: asked.facts.lab_fingerprint.clone(),
        lab_kind: asked.started.lab.kind,
    };
    let go = Go {
        document: document.to_vec(),
        signature: signature.to_vec(),
        allowed_signers: signers,
        self_granted: false,
    };
    let judged = check_go(&expected, &go, asked.now);
    judged.map(drop).map_err(|refused| GrantRefusal::WouldBeRefused { refused, whose })
}

/// The signers of the manifest outside, as the run will read them; the journal's where that is not on this
/// machine, or describes another lab.
fn find_signers(folder: &RunFolder, started: &RunStarted) -> (String, &'static str) {
    let journals = outside::of_the_journal(started).ok();
    let path = folder.read_run_file().ok().and_then(|file| file.manifest);
    let there = path.and_then(|path| super::lab::read_manifest_file(&path).ok());
    let there = there.filter(|it| journals.as_ref().is_some_and(|of| outside::describes(it, of)));
    match (there, journals) {
        (Some(manifest), _) => {
            (manifest.owner.allowed_signers, "it allows the signers of its manifest")
        }
        (None, Some(manifest)) => {
            (manifest.owner.allowed_signers, "it allowed these signers when it was begun")
        }
        (None, None) => (String::new(), "its manifest cannot be read"),
    }
}

/// Everything that the signature is for, before it is made: the digests beside what they are of. What
/// stands in the journal is shown on its line, and begins no other.
fn granted(asked: &GrantRequest<'_>, go: &GoDocument) -> String {
    let GoDocument { run_id, lab_fingerprint, facts_digest, undo_plan_digest, .. } = go;
    let GoDocument { principal, not_before, not_after, .. } = go;
    let set = &go.change_set;
    let word = |name: &str| set[name].as_str().map_or_else(|| set[name].to_string(), str::to_owned);
    let kind = serde_json::json!(go.lab_kind);
    let (name, kind) = (&asked.facts.facts.lab.name, kind.as_str().unwrap_or_default());
    let mut lines = vec![
        format!("run:         {run_id}"),
        format!("lab:         {name}, of kind {kind}"),
        format!("fingerprint: {lab_fingerprint}"),
        in_the_lab(&asked.facts.lab),
        format!("facts:       {facts_digest}"),
        format!(
            "grants:      assign {} to {} and set its forwarding (region {}, provider {} {}, reassignment {}, for {})",
            word("address"),
            word("network_interface_id"),
            word("region"),
            word("provider"),
            word("provider_ref"),
            word("allow_reassignment"),
            word("ttl"),
        ),
        format!("undo plan:   {undo_plan_digest}"),
    ];
    lines.extend(asked.plan.steps.iter().map(|it| {
        let (what, command) = (it.operation.what(), it.operation.owner_command());
        format!("  {}: {what} ({command})", it.id)
    }));
    lines.push(format!("by:          {principal}"));
    lines.push(format!("from, until: {not_before}, {not_after}"));
    lines.push(
        "The clock that counts is that of the machine that runs the smoke; on the mock, the run's."
            .to_owned(),
    );
    lines.iter().map(|line| in_one_line(line) + "\n").collect()
}

fn in_the_lab(lab: &LabIdentity) -> String {
    let LabIdentity { account_id, region, vpc_id, network_interface_id, .. } = lab;
    let instances = lab.instance_ids.join(" ");
    format!(
        "  account {account_id}, region {region}, {vpc_id}, {network_interface_id}, instances {instances}"
    )
}

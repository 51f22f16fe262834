//! The statement: in-toto's Statement v1 with the predicate `test-result/v0.1`, bare, its bytes fixed.
//! It is a function of the journal and of nothing else, so that whoever verifies it writes it again.

use serde_json::{Value, json};
use thiserror::Error;

use crate::digest::{Digest, canonical_json};
use crate::evidence::{Actor, ActorKind, Evidence, fold_records};
use crate::record::{Kind, Program, Record, RunStarted, ScenarioStatus, Verdict};

/// The statement's `_type`.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The statement's `predicateType`.
pub const PREDICATE_TYPE: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// The configuration's entry for the journal: its digest is the head, its annotation the count.
const JOURNAL_HEAD: &str = "journal-head";

/// The reason why nothing can be said of a run as a whole.
#[derive(Debug, Error)]
pub enum NotSealable {
    #[error("the run has not ended: its journal has no end record, and a seal is over the whole")]
    Open,
    #[error("the statement cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes the bytes of `attestation.json` for these records, whose last line has the digest `head`.
///
/// # Errors
/// Where the run has not ended.
pub fn state_run(records: &[Record], head: &Digest) -> Result<Vec<u8>, NotSealable> {
    let started = records.iter().find_map(|record| match &record.kind {
        Kind::RunStarted(started) => Some(started),
        _ => None,
    });
    let ended = records.iter().any(|record| matches!(record.kind, Kind::RunFinished(_)));
    let started = started.filter(|_| ended).ok_or(NotSealable::Open)?;
    let evidence = fold_records(records, head);
    let bytes = evidence.to_json()?;
    let statement = json!({
        "_type": STATEMENT_TYPE,
        "subject": subjects(&evidence, head),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": result(evidence.verdict.verdict),
            "configuration": configuration(started, records, head, &Digest::of(bytes)),
            "passedTests": named(&evidence, |it| it == ScenarioStatus::Passed),
            "warnedTests": named(&evidence, |it| !matches!(it,
                ScenarioStatus::Passed | ScenarioStatus::Failed | ScenarioStatus::Unknown)),
            "failedTests": named(&evidence, |it| matches!(it,
                ScenarioStatus::Failed | ScenarioStatus::Unknown)),
            "labSmoke": {
                "run": started.run_id,
                "verdict": evidence.verdict.verdict,
                "exitCode": evidence.verdict.exit_code,
            },
        },
    });
    Ok(canonical_json(&statement).into_bytes())
}

fn result(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASSED",
        Verdict::Partial => "WARNED",
        _ => "FAILED",
    }
}

fn named(evidence: &Evidence, is: impl Fn(ScenarioStatus) -> bool) -> Vec<&str> {
    let scenarios = evidence.scenarios.iter().filter(|it| is(it.status));
    scenarios.map(|it| it.name.as_str()).collect()
}

/// The programs under test; a statement needs a subject, and where none was found it is the journal.
fn subjects(evidence: &Evidence, head: &Digest) -> Vec<Value> {
    let of = |program: &Actor| Some(resource(&program.name, program.digest.as_ref()?));
    let programs = evidence.actors.iter().filter(|it| it.kind == ActorKind::Program);
    let programs: Vec<_> = programs.filter_map(of).collect();
    if programs.is_empty() { vec![resource(JOURNAL_HEAD, head)] } else { programs }
}

fn configuration(
    started: &RunStarted,
    records: &[Record],
    head: &Digest,
    evidence: &Digest,
) -> Vec<Value> {
    let mut journal = resource(JOURNAL_HEAD, head);
    journal["annotations"] = json!({"records": records.len()});
    let manifest = Digest::of(&started.lab.manifest);
    let mut entries =
        vec![journal, resource("evidence.json", evidence), resource("manifest", &manifest)];
    let go = records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoVerified(go) => Some(&go.go_digest),
        _ => None,
    });
    entries.extend(go.map(|digest| resource("go.json", digest)));
    entries.push(tool(&started.tool));
    entries
}

/// A descriptor says a digest or a URI, or it is none.
fn tool(tool: &Program) -> Value {
    let version = tool.version.as_deref().unwrap_or("unknown");
    let mut entry = json!({"name": tool.name, "uri": format!("pkg:cargo/{}@{version}", tool.name)});
    if let Some(digest) = &tool.digest {
        entry["digest"] = json!({"sha256": digest});
    }
    entry
}

fn resource(name: &str, digest: &Digest) -> Value {
    json!({"name": name, "digest": {"sha256": digest}})
}

/// How much of a journal a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedUpTo {
    pub head: Digest,
    pub records: usize,
}

/// Reads that much of a statement, whatever version wrote it.
pub(crate) fn read_sealed_up_to(statement: &[u8]) -> Option<SealedUpTo> {
    let statement: Value = serde_json::from_slice(statement).ok()?;
    let entries = statement["predicate"]["configuration"].as_array()?;
    let entry = entries.iter().find(|entry| entry["name"] == JOURNAL_HEAD)?;
    let head = Digest::try_from(entry["digest"]["sha256"].as_str()?.to_owned()).ok()?;
    let records = usize::try_from(entry["annotations"]["records"].as_u64()?).ok()?;
    Some(SealedUpTo { head, records })
}

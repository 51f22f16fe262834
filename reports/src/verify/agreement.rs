//! Whether evidence, attachments and the end record say what the journal says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{JournalState, Verification, is_ours};
use crate::bundle::Bundle;
use crate::digest::Digest;
use crate::evidence::{Evidence, fold_records};
use crate::folder::{EVIDENCE_FILE, PAGE_FILE};
use crate::journal::{ATTACHMENTS_DIR, Chain};
use crate::page::render_page;
use crate::record::{Attachment, Kind, Record};

/// The evidence of a run that ended is of its whole journal; of one that is open, of what it had come to
/// when a command ended.
pub(super) fn check_evidence(bundle: &Bundle, chain: &Chain, found: &mut Verification) {
    let remedy = "`lab-smoke report` makes it again";
    let Some(bytes) = bundle.file(EVIDENCE_FILE) else {
        let missing = format!("there is no {EVIDENCE_FILE}: {remedy}");
        match found.state {
            JournalState::Ended => found.problems.push(missing),
            JournalState::Open => found.notes.push(missing),
        }
        return;
    };
    let said: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let all = chain.records.len();
    let known = match found.state {
        JournalState::Ended => Some(all),
        JournalState::Open => {
            said["journal"]["records"].as_u64().and_then(|it| usize::try_from(it).ok())
        }
    };
    let Some(prefix) = known.and_then(|known| chain.records.get(..known)) else {
        let what = format!(
            "{EVIDENCE_FILE} is of more records than the journal's {all}: a tail was cut off"
        );
        return found.problems.push(what);
    };
    // The digest of the line before it is in each line.
    let head = chain.records.get(prefix.len()).map_or(&chain.head, |next| &next.prev);
    let evidence = fold_records(prefix, head);
    if evidence.to_json().is_ok_and(|text| text.as_bytes() == bytes) {
        if prefix.len() < all {
            let newer = all - prefix.len();
            found.notes.push(format!("{EVIDENCE_FILE} is {newer} records older than the journal"));
        }
        check_page(bundle, &evidence, found);
        return;
    }
    if is_ours(&chain.records) {
        let what =
            format!("{EVIDENCE_FILE} is not what the journal says: it was changed, or {remedy}");
        return found.problems.push(what);
    }
    let ours = serde_json::to_value(&evidence).unwrap_or_default();
    for part in ["run", "verdict", "target", "journal", "facts_digest", "lab_fingerprint", "facts"]
    {
        if said[part] != ours[part] {
            found.problems.push(format!("{EVIDENCE_FILE}: `{part}` is not what the journal says"));
        }
    }
    let what =
        format!("{EVIDENCE_FILE} was written by another version: its facts are compared alone");
    found.notes.push(what);
}

/// The page says what the evidence beside it says, byte for byte; one of another version is not compared.
fn check_page(bundle: &Bundle, evidence: &Evidence, found: &mut Verification) {
    let Some(bytes) = bundle.file(PAGE_FILE) else { return };
    let ours = evidence
        .run
        .as_ref()
        .is_some_and(|run| run.tool.version.as_deref() == Some(env!("CARGO_PKG_VERSION")));
    if !ours {
        return found
            .notes
            .push(format!("{PAGE_FILE} was written by another version: it is not compared"));
    }
    if render_page(evidence).as_bytes() != bytes {
        let what = format!(
            "{PAGE_FILE} is not what the journal says: it was changed, or `lab-smoke report` makes it again"
        );
        found.problems.push(what);
    }
}

/// Each raw answer that the journal names is there and is what its name says.
pub(super) fn check_attachments(bundle: &Bundle, records: &[Record], found: &mut Verification) {
    let mut named = BTreeMap::<String, &Attachment>::new();
    for record in records {
        if let Kind::AttachmentStored(it) = &record.kind {
            named.insert(format!("{ATTACHMENTS_DIR}/{}", it.digest), it);
        }
    }
    for (name, attachment) in &named {
        match bundle.file(name) {
            None => found.problems.push(format!("{name} is gone, which the journal names")),
            Some(bytes) if Digest::of(bytes) != attachment.digest => {
                found.problems.push(format!("{name} holds something else than its name says"));
            }
            Some(bytes) if bytes.len() as u64 != attachment.bytes => {
                let (has, said) = (bytes.len(), attachment.bytes);
                found.problems.push(format!("{name} has {has} bytes, the journal says {said}"));
            }
            Some(_) => {}
        }
    }
    let folder = format!("{ATTACHMENTS_DIR}/");
    for name in bundle.names().filter(|name| name.starts_with(&folder)) {
        if !named.contains_key(name) {
            found.notes.push(format!("{name} is named by no record: nothing rests on it"));
        }
    }
}

/// The end record says the verdict that its records have.
pub(super) fn check_end(records: &[Record], found: &mut Verification) {
    let end = records.iter().rev().find_map(|record| match &record.kind {
        Kind::RunFinished(end) => Some(end),
        _ => None,
    });
    let Some(end) = end.filter(|_| is_ours(records)) else { return };
    let judged = &found.judgement;
    if (end.verdict, end.exit_code) != (judged.verdict, judged.exit_code) {
        found.problems.push(format!(
            "the end record says {} (exit {}), and its records come to {} (exit {})",
            end.verdict.word(),
            end.exit_code,
            judged.verdict.word(),
            judged.exit_code,
        ));
    }
}

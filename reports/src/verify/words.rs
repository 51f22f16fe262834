//! The words of a verification: what holds, what does not, and what each tier does not show.

use super::sealed::describe_signer;
use super::{Countersigned, GoFound, JournalState, SealFound, Verification};
use crate::seal::SignerKnown;

const CONSISTENT: &str = "holds: consistent: the files agree with each other. It does not show who wrote \
                          them: whoever can write the folder can rewrite all of it.";
const SEALED: &str = "It does not show when, nor that what the program was told is true, nor that no \
                      other run was thrown away.";
const UNSEALED: &str = "not: sealed: unsealed. A seal that was taken away together with the tail of the \
                        journal leaves the same: that cannot be told from never sealed.";
const COUNTERSIGNED: &str = "A second person has signed the same statement. It does not show that he saw \
                             more than these files.";

/// A line for each thing, for people; nothing in them decides anything.
pub fn describe_verification(found: &Verification) -> Vec<String> {
    let mut lines = vec![state(found), go(&found.go)];
    lines.extend(found.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(found.problems.iter().map(|problem| format!("does not hold: {problem}")));
    if !found.problems.is_empty() {
        lines.push("no tier holds".to_owned());
        return lines;
    }
    lines.push(CONSISTENT.to_owned());
    lines.push(seal(found));
    lines.extend(match &found.countersigned {
        Countersigned::No => None,
        Countersigned::NotEstablished(why) => Some(format!("not: countersigned: {why}")),
        Countersigned::Yes { fingerprint, principals } => {
            let who = principals.join(", ");
            Some(format!("holds: countersigned: by {who} ({fingerprint}). {COUNTERSIGNED}"))
        }
    });
    lines
}

fn state(found: &Verification) -> String {
    let Verification { records, head, judgement, .. } = found;
    let verdict = format!("{} (exit {})", judgement.verdict.word(), judgement.exit_code);
    match (found.state, &found.last) {
        (JournalState::Ended, _) => format!("ended: {verdict}, {records} records, head {head}"),
        (JournalState::Open, Some((kind, at))) => format!(
            "open: {verdict} so far, {records} records, the last one {kind} at {at}, head {head}"
        ),
        (JournalState::Open, None) => "open: the journal has no record yet".to_owned(),
    }
}

fn go(go: &GoFound) -> String {
    match go {
        GoFound::None => "go: none was verified".to_owned(),
        GoFound::Broken => "go: one was verified, and it does not hold now".to_owned(),
        GoFound::SelfGranted => "go: the lab granted it to itself; nobody has signed it".to_owned(),
        GoFound::SignerNotEstablished { principal, fingerprint } => format!(
            "go: signed by {fingerprint} as {principal}, signer not established: name the signers with --allowed-signers"
        ),
        GoFound::Allowed { principal, fingerprint } => {
            format!("go: by {principal} ({fingerprint})")
        }
    }
}

fn seal(found: &Verification) -> String {
    match &found.seal {
        SealFound::Unsealed => UNSEALED.to_owned(),
        SealFound::NotEstablished { signer } => format!("not: sealed: {}", describe_signer(signer)),
        SealFound::Sealed { records, fingerprint, principals } => {
            let (fingerprint, principals) = (fingerprint.clone(), principals.clone());
            let by = describe_signer(&SignerKnown::Allowed { fingerprint, principals });
            let upto = if *records == found.records {
                String::new()
            } else {
                format!(", up to record {records} of {}: what follows is not", found.records)
            };
            format!("holds: sealed: {by}{upto}. {SEALED}")
        }
    }
}

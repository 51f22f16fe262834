//! Verifies a run from its files alone, offline: that they agree with each other, and who signed what.
//!
//! Nothing here asks the lab or the network, and nothing that lies in the folder says who may sign: the
//! allowed signers come from outside it.

mod agreement;
mod granted;
mod sealed;
mod words;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use crate::bundle::Bundle;
use crate::digest::Digest;
use crate::go::AllowedSigners;
use crate::journal::{Chain, JOURNAL_FILE, read_chain};
use crate::record::{Kind, Record};
use crate::verdict::{ExitCode, Judgement, judge_journal};

pub use granted::GoFound;
pub use sealed::{Countersigned, SealFound};
pub use words::describe_verification;

/// Whether the journal is all there will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalState {
    /// It has its end record, and nothing torn behind it.
    Ended,
    /// More may come: the run awaits its go, is live or dead.
    Open,
}

/// Whether a run that nobody allowed has sealed is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    Consistent,
    Sealed,
}

/// The findings of one verification.
#[derive(Clone, Debug)]
pub struct Verification {
    pub state: JournalState,
    pub judgement: Judgement,
    pub records: usize,
    pub head: Digest,
    /// The last record's kind and time.
    pub last: Option<(String, DateTime<Utc>)>,
    pub go: GoFound,
    pub seal: SealFound,
    pub countersigned: Countersigned,
    /// Each thing that does not hold; none where the run is consistent.
    pub problems: Vec<String>,
    /// What is true and harms nothing, or could not be compared.
    pub notes: Vec<String>,
}

impl Verification {
    /// The answer of `lab-smoke verify`: 0, or 9 where something does not hold or is not as demanded.
    pub fn exit_code(&self, demand: Demand) -> u8 {
        let unsealed = demand == Demand::Sealed && !self.wholly_sealed();
        let code = if !self.problems.is_empty() || unsealed {
            ExitCode::DoesNotHold
        } else {
            ExitCode::Pass
        };
        code.number()
    }

    /// Whether the whole of an ended run is sealed by somebody who may.
    pub fn wholly_sealed(&self) -> bool {
        self.state == JournalState::Ended && self.sealed_records() == Some(self.records)
    }

    /// Up to which record an allowed signer has sealed it; none where he has not, or something does not hold.
    pub fn sealed_records(&self) -> Option<usize> {
        match &self.seal {
            SealFound::Sealed { records, .. } if self.problems.is_empty() => Some(*records),
            _ => None,
        }
    }
}

/// Verifies what is in the bundle. With signers from outside, also that the go's and the seal's are among them.
///
/// # Errors
/// Where the journal itself does not hold together: then nothing else can be said.
pub fn verify_bundle(
    bundle: &Bundle,
    signers: Option<&AllowedSigners>,
) -> Result<Verification, crate::journal::ChainError> {
    let chain = read_chain(bundle.file(JOURNAL_FILE).unwrap_or_default())?;
    let Chain { records, head, .. } = &chain;
    let mut verification = begin(&chain);
    agreement::check_evidence(bundle, &chain, &mut verification);
    agreement::check_attachments(bundle, records, &mut verification);
    agreement::check_end(records, &mut verification);
    verification.go = granted::check_go(bundle, records, signers, &mut verification.problems);
    let (seal, countersigned) = sealed::check_seals(bundle, &chain, signers, &mut verification);
    (verification.seal, verification.countersigned) = (seal, countersigned);
    debug_assert_eq!(verification.head, *head);
    Ok(verification)
}

fn begin(chain: &Chain) -> Verification {
    let ended = chain.records.iter().any(|record| matches!(record.kind, Kind::RunFinished(_)));
    let whole = ended && chain.torn.is_empty();
    let mut notes = Vec::new();
    if !chain.torn.is_empty() {
        let bytes = chain.torn.len();
        notes.push(format!("the last line is torn ({bytes} bytes): its write never ended"));
    }
    Verification {
        state: if whole { JournalState::Ended } else { JournalState::Open },
        judgement: judge_journal(&chain.records),
        records: chain.records.len(),
        head: chain.head.clone(),
        last: chain.records.last().map(|record| (kind_of(record), record.at)),
        go: GoFound::None,
        seal: SealFound::Unsealed,
        countersigned: Countersigned::No,
        problems: Vec::new(),
        notes,
    }
}

fn kind_of(record: &Record) -> String {
    let value = serde_json::to_value(&record.kind).unwrap_or_default();
    value["kind"].as_str().unwrap_or_default().to_owned()
}

/// Whether this very version of the program wrote the journal: else other bytes may be as true.
fn is_ours(records: &[Record]) -> bool {
    let tool = records.iter().find_map(|record| match &record.kind {
        Kind::RunStarted(started) => Some(&started.tool),
        _ => None,
    });
    tool.is_none_or(|tool| tool.version.as_deref() == Some(env!("CARGO_PKG_VERSION")))
}

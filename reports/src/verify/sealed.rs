//! Whether a seal lies beside the journal, whose it is, and how much of the journal it is about.

use chrono::{DateTime, Utc};
use ssh_key::public::KeyData;

use super::{Verification, is_ours};
use crate::bundle::Bundle;
use crate::go::AllowedSigners;
use crate::journal::Chain;
use crate::seal::{
    ATTESTATION_FILE, COUNTERSIGN_NAMESPACE, COUNTERSIGNATURE_FILE, SEAL_FILE, SEAL_NAMESPACE,
    SealedUpTo, SignerKnown, find_signer, read_sealed_up_to, state_run,
};

/// The operator's seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealFound {
    /// There is none, or one that does not hold.
    Unsealed,
    /// There is one, by nobody whom the given signers allow; or none were given.
    NotEstablished {
        signer: SignerKnown,
    },
    Sealed {
        records: usize,
        fingerprint: String,
        principals: Vec<String>,
    },
}

/// The owner's signature beside the seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countersigned {
    No,
    /// There is one that is no second word: why.
    NotEstablished(String),
    Yes {
        fingerprint: String,
        principals: Vec<String>,
    },
}

type Seals = (SealFound, Countersigned);

pub(super) fn check_seals(
    bundle: &Bundle,
    chain: &Chain,
    signers: Option<&AllowedSigners>,
    found: &mut Verification,
) -> Seals {
    let none = (SealFound::Unsealed, Countersigned::No);
    let statement = bundle.file(ATTESTATION_FILE);
    let (seal, counter) = (bundle.file(SEAL_FILE), bundle.file(COUNTERSIGNATURE_FILE));
    let (Some(statement), Some(seal)) = (statement, seal) else {
        for name in [ATTESTATION_FILE, SEAL_FILE, COUNTERSIGNATURE_FILE] {
            if bundle.file(name).is_some() {
                found.problems.push(format!("{name} lies there alone: a part of the seal is gone"));
            }
        }
        return none;
    };
    let judged = judge_statement(statement, chain).and_then(|up_to| {
        let at = chain.records.get(up_to.records - 1).map(|it| it.at).ok_or("no record")?;
        let of = (SEAL_FILE, SEAL_NAMESPACE);
        Ok((up_to.records, at, find_signer(statement, seal, of, signers, at)?))
    });
    let (records, at, (key, signer)) = match judged {
        Ok(judged) => judged,
        Err(why) => {
            found.problems.push(why);
            return none;
        }
    };
    if !is_ours(&chain.records) {
        let what =
            "the seal is of another version: of what it says, the journal's head alone is compared";
        found.notes.push(what.to_owned());
    }
    let second =
        counter.map(|signature| Counter { statement, signature, key: &key, signer: &signer });
    let countersigned = second.map_or(Ok(Countersigned::No), |it| it.judge(signers, at));
    let countersigned = countersigned.unwrap_or_else(|why| {
        found.problems.push(why);
        Countersigned::No
    });
    let seal = match signer {
        SignerKnown::Allowed { fingerprint, principals } => {
            SealFound::Sealed { records, fingerprint, principals }
        }
        signer => SealFound::NotEstablished { signer },
    };
    (seal, countersigned)
}

/// The statement is what the journal says of itself up to that record.
fn judge_statement(statement: &[u8], chain: &Chain) -> Result<SealedUpTo, String> {
    let up_to = read_sealed_up_to(statement)
        .filter(|it| it.records > 0)
        .ok_or_else(|| format!("{ATTESTATION_FILE} names no journal"))?;
    let all = chain.records.len();
    let Some(prefix) = chain.records.get(..up_to.records) else {
        let sealed = up_to.records;
        return Err(format!(
            "{sealed} records were sealed, and {all} are there: a tail was cut off"
        ));
    };
    let head = chain.records.get(prefix.len()).map_or(&chain.head, |next| &next.prev);
    if *head != up_to.head {
        let count = prefix.len();
        return Err(format!(
            "the journal is not the one that was sealed: record {count} has another digest"
        ));
    }
    let ours = state_run(prefix, head).map_err(|error| error.to_string());
    if is_ours(&chain.records) && ours?.as_slice() != statement {
        return Err(format!("{ATTESTATION_FILE} is not what the journal says"));
    }
    Ok(up_to)
}

/// A signature that is to be a second word.
struct Counter<'a> {
    statement: &'a [u8],
    signature: &'a [u8],
    /// The seal's.
    key: &'a KeyData,
    signer: &'a SignerKnown,
}

impl Counter<'_> {
    fn judge(
        &self,
        signers: Option<&AllowedSigners>,
        at: DateTime<Utc>,
    ) -> Result<Countersigned, String> {
        let of = (COUNTERSIGNATURE_FILE, COUNTERSIGN_NAMESPACE);
        let (key, signer) = find_signer(self.statement, self.signature, of, signers, at)?;
        let no = |why: String| Ok(Countersigned::NotEstablished(why));
        let SignerKnown::Allowed { fingerprint, principals } = signer else {
            return no(describe_signer(&signer));
        };
        let SignerKnown::Allowed { principals: sealers, .. } = self.signer else {
            return no("the seal itself is nobody's whom the given signers allow".to_owned());
        };
        if key == *self.key || principals.iter().any(|it| sealers.contains(it)) {
            return no(format!("{fingerprint} has sealed it as well: one person is no two"));
        }
        Ok(Countersigned::Yes { fingerprint, principals })
    }
}

pub(super) fn describe_signer(signer: &SignerKnown) -> String {
    match signer {
        SignerKnown::NotEstablished { fingerprint } => {
            format!(
                "signed by {fingerprint}, signer not established: name the signers with --allowed-signers"
            )
        }
        SignerKnown::NotAllowed { fingerprint, why } => {
            format!("signed by {fingerprint}, whom the given signers do not allow: {why}")
        }
        SignerKnown::Allowed { fingerprint, principals } => {
            format!("by {} ({fingerprint})", principals.join(", "))
        }
    }
}

//! The seal of a run that has ended: an in-toto statement over the journal's head, beside the journal and
//! never in it, with a detached OpenSSH signature of its operator, and perhaps one of its owner.

mod statement;

use chrono::{DateTime, Utc};
use ssh_key::{HashAlg, public::KeyData};

pub use statement::{NotSealable, PREDICATE_TYPE, STATEMENT_TYPE, state_run};
pub(crate) use statement::{SealedUpTo, read_sealed_up_to};

use crate::go::{AllowedSigners, check_signature};

/// The statement that is signed.
pub const ATTESTATION_FILE: &str = "attestation.json";
/// The operator's signature of it, as ssh-keygen writes it.
pub const SEAL_FILE: &str = "attestation.json.sig";
/// The owner's signature of it.
pub const COUNTERSIGNATURE_FILE: &str = "attestation.json.countersign.sig";
/// The namespace of the operator's signature: `ssh-keygen -Y sign -n lab-smoke-seal`.
pub const SEAL_NAMESPACE: &str = "lab-smoke-seal";
/// The namespace of the owner's.
pub const COUNTERSIGN_NAMESPACE: &str = "lab-smoke-countersign";

/// The signer of a file, as far as he is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerKnown {
    /// Nobody said whose key it is: that is no tier.
    NotEstablished {
        fingerprint: String,
    },
    /// The signers that were given do not allow it.
    NotAllowed {
        fingerprint: String,
        why: String,
    },
    Allowed {
        fingerprint: String,
        principals: Vec<String>,
    },
}

/// Says who signed these bytes, by signers from outside the run's folder.
///
/// # Errors
/// Where it is no signature of these bytes in this namespace.
pub(crate) fn find_signer(
    bytes: &[u8],
    signature: &[u8],
    (file, namespace): (&str, &str),
    signers: Option<&AllowedSigners>,
    at: DateTime<Utc>,
) -> Result<(KeyData, SignerKnown), String> {
    let text = std::str::from_utf8(signature).map_err(|_| format!("{file} is no text"))?;
    let key = check_signature(bytes, text, namespace, file).map_err(|refused| refused.reason)?;
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    let known = match signers.map(|signers| signers.principals_of(&key, namespace, at)) {
        None => SignerKnown::NotEstablished { fingerprint },
        Some(Err(why)) => SignerKnown::NotAllowed { fingerprint, why },
        Some(Ok(principals)) => SignerKnown::Allowed { fingerprint, principals },
    };
    Ok((key, known))
}

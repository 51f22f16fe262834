//! Every check between a signed document and a [`Verified`].
//!
//! Whose clock counts is the caller's: `now` is the harness's clock (virtual on the mock), for
//! the document's times and for the allowed signers' alike.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig, public::KeyData};
use thiserror::Error;

use super::NAMESPACE;
use super::document::{GoDocument, NotADocument};
use super::self_grant::SELF_PRINCIPAL;
use super::signers::{AllowedSigners, NotAllowed};
use crate::digest::Digest;
use crate::folder::GO_SIGNATURE_FILE;
use crate::record::LabKind;

/// The longest time for which a go may be good: nobody knows for longer what he allows.
pub const LONGEST_VALIDITY: TimeDelta = TimeDelta::hours(24);

/// The facts of this run: what a go must be for.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub run_id: String,
    pub facts_digest: Digest,
    pub change_set: Value,
    pub undo_plan_digest: Digest,
    pub lab_fingerprint: Digest,
    pub lab_kind: LabKind,
}

/// A go that holds, for this run, now. Only [`verify_go`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    document: GoDocument,
    digest: Digest,
    key_fingerprint: String,
    given: Arc<Given>,
}

/// All that a go was judged by, for it to be judged again.
#[derive(Debug)]
struct Given {
    document: Vec<u8>,
    signature: String,
    signers: AllowedSigners,
    expected: Expectation,
}

/// The first rule that a go does not meet, and why.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the go is refused ({rule}): {reason}")]
pub struct Refused {
    /// Stable name of the rule.
    pub rule: &'static str,
    pub reason: String,
}

impl Verified {
    /// The bytes of `go.json`.
    pub fn bytes(&self) -> &[u8] {
        &self.given.document
    }

    /// The text of `go.json.sig`.
    pub fn signature(&self) -> &str {
        &self.given.signature
    }

    /// The same checks of the same bytes at another time: before each mutation.
    pub fn again(&self, now: DateTime<Utc>) -> Result<(), Refused> {
        let Given { document, signature, signers, expected } = &*self.given;
        verify_go(document, signature, signers, expected, now).map(|_| ())
    }

    /// The document of the go.
    pub fn document(&self) -> &GoDocument {
        &self.document
    }

    /// The run that the go is for.
    pub fn run_id(&self) -> &str {
        &self.document.run_id
    }

    /// SHA-256 of the bytes of `go.json`.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The principal that grants it, as the allowed signers name it.
    pub fn principal(&self) -> &str {
        &self.document.principal
    }

    /// `SHA256:…`, as ssh-keygen shows it.
    pub fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }

    /// The time from which it holds.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.document.not_before
    }

    /// The time until which it holds.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.document.not_after
    }

    /// The digest of the undo plan that it grants.
    pub fn undo_plan_digest(&self) -> &Digest {
        &self.document.undo_plan_digest
    }

    /// Whether the lab granted it to itself.
    pub fn self_granted(&self) -> bool {
        self.given.signers.are_the_labs()
    }
}

/// The signature first: what is not signed says nothing that could be compared.
pub fn verify_go(
    document: &[u8],
    signature: &str,
    signers: &AllowedSigners,
    expected: &Expectation,
    now: DateTime<Utc>,
) -> Result<Verified, Refused> {
    let key = check_signature(document, signature, NAMESPACE, GO_SIGNATURE_FILE)?;
    let digest = Digest::of(document);
    let given = Arc::new(Given {
        document: document.to_vec(),
        signature: signature.to_owned(),
        signers: signers.clone(),
        expected: expected.clone(),
    });
    let document = GoDocument::parse(document).map_err(|error| {
        let rule = match error {
            NotADocument::Json(_) => "not-a-go",
            NotADocument::ReEncoded => "re-encoded",
            NotADocument::Version(_) => "version",
        };
        refused(rule, error.to_string())
    })?;
    check_signer(&document, &key, signers, expected, now)?;
    check_subject(&document, expected)?;
    check_time(&document, now)?;
    let key_fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    Ok(Verified { document, digest, key_fingerprint, given })
}

fn refused(rule: &'static str, reason: impl Into<String>) -> Refused {
    Refused { rule, reason: reason.into() }
}

/// Answers the key that signed these bytes in this namespace; `file` is what the signature is called.
pub(crate) fn check_signature(
    document: &[u8],
    signature: &str,
    namespace: &str,
    file: &str,
) -> Result<KeyData, Refused> {
    let sshsig = SshSig::from_pem(signature.as_bytes()).map_err(|error| {
        let what = format!("{file} is no SSH signature (`ssh-keygen -Y sign` makes one)");
        refused("signature", format!("{what}: {error}"))
    })?;
    if sshsig.namespace() != namespace {
        let reason =
            format!("it is signed in the namespace `{}`, not `{namespace}`", sshsig.namespace());
        return Err(refused("namespace", reason));
    }
    let key = sshsig.public_key().clone();
    check_algorithm(&key, &sshsig)?;
    PublicKey::from(key.clone()).verify(namespace, document, &sshsig).map_err(|_| {
        let reason = "the signature is not of these bytes: the document was changed after it was \
                      signed, or the signature belongs to another";
        refused("signature", reason)
    })?;
    Ok(key)
}

fn check_algorithm(key: &KeyData, sshsig: &SshSig) -> Result<(), Refused> {
    let algorithm = sshsig.algorithm();
    // `ssh-rsa` (SHA-1) is refused earlier: it is not even read.
    match (key, &algorithm) {
        (KeyData::Ed25519(_), Algorithm::Ed25519)
        | (KeyData::Ecdsa(_), Algorithm::Ecdsa { .. })
        | (KeyData::Rsa(_), Algorithm::Rsa { hash: Some(_) }) => Ok(()),
        (KeyData::SkEd25519(_), Algorithm::SkEd25519)
        | (KeyData::SkEcdsaSha2NistP256(_), Algorithm::SkEcdsaSha2NistP256) => {
            user_present(sshsig.signature_bytes())
        }
        _ => {
            let reason = "the signature's algorithm is not its key's, or is not supported";
            Err(refused("algorithm", reason))
        }
    }
}

/// A security key's signature ends in one byte of flags and four of a counter; bit 0 of the flags
/// says that somebody touched it.
fn user_present(signature: &[u8]) -> Result<(), Refused> {
    let flags = signature.len().checked_sub(5).and_then(|at| signature.get(at));
    if flags.is_some_and(|flags| flags & 1 == 1) {
        return Ok(());
    }
    Err(refused("user-presence", "the security key signed without being touched"))
}

fn check_signer(
    document: &GoDocument,
    key: &KeyData,
    signers: &AllowedSigners,
    expected: &Expectation,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    let principal = &document.principal;
    let self_granted = signers.are_the_labs() || principal == SELF_PRINCIPAL;
    if self_granted && expected.lab_kind == LabKind::Aws {
        let reason = "a lab of kind aws cannot grant itself a go: its owner must";
        return Err(refused("self-granted", reason));
    }
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    signers.check(principal, key, NAMESPACE, now).map_err(|why| {
        let (rule, reason) = match why {
            NotAllowed::Principal => ("signer", format!("`{principal}` is no allowed signer")),
            NotAllowed::Key => {
                ("signer", format!("the key {fingerprint} is not one of `{principal}`"))
            }
            NotAllowed::Namespace => (
                "signer-namespace",
                format!("`{principal}` may not sign in the namespace `{NAMESPACE}`"),
            ),
            NotAllowed::NotYetValid => {
                ("signer-time", format!("the key of `{principal}` is not valid yet (valid-after)"))
            }
            NotAllowed::NoLongerValid => (
                "signer-time",
                format!("the key of `{principal}` is valid no longer (valid-before)"),
            ),
        };
        refused(rule, reason)
    })
}

fn check_subject(document: &GoDocument, expected: &Expectation) -> Result<(), Refused> {
    if document.run_id != expected.run_id {
        let reason = format!("it is for the run {}, this is {}", document.run_id, expected.run_id);
        return Err(refused("run", reason));
    }
    if document.lab_kind != expected.lab_kind {
        let reason = format!(
            "it is for a lab of kind {:?}, this one is {:?}",
            document.lab_kind, expected.lab_kind
        );
        return Err(refused("lab-kind", reason));
    }
    let digests = [
        ("lab-fingerprint", "another lab", &document.lab_fingerprint, &expected.lab_fingerprint),
        ("facts-digest", "other preflight facts", &document.facts_digest, &expected.facts_digest),
        ("undo-plan", "another undo plan", &document.undo_plan_digest, &expected.undo_plan_digest),
    ];
    for (rule, what, granted, found) in digests {
        if granted != found {
            return Err(refused(rule, format!("it is for {what}: {granted}, this is {found}")));
        }
    }
    if document.change_set != expected.change_set {
        let reason =
            format!("it grants {}, the run would do {}", document.change_set, expected.change_set);
        return Err(refused("change-set", reason));
    }
    Ok(())
}

fn check_time(document: &GoDocument, now: DateTime<Utc>) -> Result<(), Refused> {
    let (from, until) = (document.not_before, document.not_after);
    if until <= from {
        return Err(refused("validity", format!("it ends ({until}) before it begins ({from})")));
    }
    if until - from > LONGEST_VALIDITY {
        let most = LONGEST_VALIDITY.num_hours();
        let reason = format!("it is good from {from} until {until}: for more than {most} hours");
        return Err(refused("validity", reason));
    }
    if now < from {
        return Err(refused("not-before", format!("it is good from {from}, and it is {now}")));
    }
    if now > until {
        return Err(refused("expired", format!("it was good until {until}, and it is {now}")));
    }
    Ok(())
}

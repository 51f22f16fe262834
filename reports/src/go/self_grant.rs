//! A go that a lab grants itself, where there is no owner to ask: mock and netns only.

use serde_json::Error as JsonError;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use thiserror::Error;

use super::NAMESPACE;
use super::document::GoDocument;
use crate::record::LabKind;

/// Who signs for a lab itself. A document of this principal is never good on AWS.
pub const SELF_PRINCIPAL: &str = "lab-itself";

/// A go that a lab has signed itself, with the line that allows its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfGrant {
    /// The bytes of `go.json`.
    pub document: Vec<u8>,
    /// The text of `go.json.sig`.
    pub signature: String,
    /// The line that allows this key alone, in this namespace alone.
    pub allowed_signers: String,
}

/// The reason why a lab does not grant itself a go.
#[derive(Debug, Error)]
pub enum NoSelfGrant {
    #[error("a lab of kind aws cannot grant itself a go: its owner must")]
    Aws,
    #[error("a go cannot be signed: {0}")]
    Key(#[from] ssh_key::Error),
    #[error("a go cannot be written: {0}")]
    Json(#[from] JsonError),
}

/// Signs the document as [`SELF_PRINCIPAL`], with the ed25519 key of this seed. Ed25519 is
/// deterministic: a seed gives the same go again.
pub fn self_grant(seed: &[u8; 32], document: &GoDocument) -> Result<SelfGrant, NoSelfGrant> {
    if document.lab_kind == LabKind::Aws {
        return Err(NoSelfGrant::Aws);
    }
    let document = GoDocument { principal: SELF_PRINCIPAL.to_owned(), ..document.clone() };
    let document = document.to_bytes()?;
    let key = PrivateKey::from(Ed25519Keypair::from_seed(seed));
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, &document)?.to_pem(LineEnding::LF)?;
    Ok(SelfGrant { document, signature, allowed_signers: self_signers(seed)? })
}

/// The line that allows the ed25519 key of this seed alone, in this namespace alone: the public half
/// of what [`self_grant`] signs with.
///
/// # Errors
/// Where the key cannot be written.
pub fn self_signers(seed: &[u8; 32]) -> Result<String, ssh_key::Error> {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(seed));
    let public = key.public_key().to_openssh()?;
    Ok(format!("{SELF_PRINCIPAL} namespaces=\"{NAMESPACE}\" {public}"))
}

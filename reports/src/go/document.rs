//! The go document: canonical JSON, read strictly.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::digest::{Digest, canonical_json};
use crate::record::LabKind;

/// Version of the document.
pub const GO_VERSION: u32 = 1;

/// The owner's grant. The bytes that are signed are its canonical JSON, without a newline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoDocument {
    pub version: u32,
    pub run_id: String,
    /// The digest of the preflight facts that the owner read.
    pub facts_digest: Digest,
    pub change_set: Value,
    pub undo_plan_digest: Digest,
    pub lab_fingerprint: Digest,
    pub lab_kind: LabKind,
    /// Who grants it: looked up in the allowed signers.
    pub principal: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
}

/// The reason why bytes are no go document.
#[derive(Debug, Error)]
pub enum NotADocument {
    #[error("it is not a go document: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "its bytes are not the canonical JSON of what they say (keys sorted, each once, no white \
         space): it was written again or by hand"
    )]
    ReEncoded,
    #[error("it is of version {0}, this program reads version {GO_VERSION}")]
    Version(u32),
}

impl GoDocument {
    /// The bytes that are written to `go.json` and signed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(canonical_json(&serde_json::to_value(self)?).into_bytes())
    }

    /// Refuses unknown fields, a key that stands twice at any depth, and any other bytes than
    /// [`to_bytes`](Self::to_bytes) writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotADocument> {
        let document: Self = serde_json::from_slice(bytes)?;
        if document.version != GO_VERSION {
            return Err(NotADocument::Version(document.version));
        }
        if document.to_bytes()? != bytes {
            return Err(NotADocument::ReEncoded);
        }
        Ok(document)
    }
}

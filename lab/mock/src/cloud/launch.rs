//! Images and key pairs, from which instances are launched. And internet gateways, which have
//! little else to say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::Tags;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub description: String,
    pub architecture: String,
    pub root_device_name: String,
    /// The size of the root volume, in GiB.
    pub size_gib: u32,
    pub snapshot_id: String,
    pub owner_id: String,
    pub created_at: DateTime<Utc>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    pub id: String,
    pub name: String,
    /// The fingerprint as AWS computes it, which depends on the kind and on who made the key.
    pub fingerprint: String,
    /// `rsa` or `ed25519`.
    pub key_type: String,
    /// In OpenSSH's form.
    pub public_key: String,
    pub created_at: DateTime<Utc>,
    pub tags: Tags,
}

impl KeyPair {
    /// An ed25519 pair, as CreateKeyPair makes one.
    pub fn from_seed(
        id: String,
        name: &str,
        seed: &[u8; 32],
        now: DateTime<Utc>,
        tags: Tags,
    ) -> Self {
        let key = ed25519(seed, name);
        Self {
            id,
            name: name.to_owned(),
            fingerprint: ed25519_fingerprint(key.public_key()),
            key_type: "ed25519".to_owned(),
            public_key: key.public_key().to_openssh().unwrap_or_default(),
            created_at: now,
            tags,
        }
    }
}

fn ed25519(seed: &[u8; 32], comment: &str) -> PrivateKey {
    let data = KeypairData::Ed25519(Ed25519Keypair::from_seed(seed));
    // Only encrypted data is refused.
    PrivateKey::new(data, comment).expect("a plain key")
}

/// The private half of a pair from a seed, in OpenSSH's form.
pub fn key_material(seed: &[u8; 32], name: &str) -> String {
    ed25519(seed, name).to_openssh(LineEnding::LF).map(|text| text.to_string()).unwrap_or_default()
}

/// AWS shows SHA-256 in base64, with its padding and without the algorithm's name.
pub fn ed25519_fingerprint(key: &ssh_key::PublicKey) -> String {
    STANDARD.encode(key.fingerprint(HashAlg::Sha256).as_bytes())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    pub id: String,
    /// At most one.
    pub vpc_id: Option<String>,
    pub tags: Tags,
}

//! Host keys made from the seed: real ed25519 keys, the same in every run of one seed.

use sha2::{Digest, Sha256};
use ssh_key::PublicKey;
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::KeyData;

use lab::node::Node;

/// A node's public host key, as `ssh-ed25519 AAAA…`.
pub fn host_key(seed: u64, node: Node) -> String {
    let secret: [u8; 32] = Sha256::new()
        .chain_update(b"host key of the mock lab")
        .chain_update(seed.to_be_bytes())
        .chain_update(node.as_str())
        .finalize()
        .into();
    let pair = Ed25519Keypair::from_seed(&secret);
    let key = PublicKey::new(KeyData::Ed25519(pair.public), "");
    key.to_openssh().unwrap_or_default().trim().to_owned()
}

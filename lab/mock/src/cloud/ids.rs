//! Ids that look like AWS's and follow from the seed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// An id such as `eni-0123456789abcdef0`: the same for the same seed and label.
pub fn make_id(prefix: &str, seed: u64, label: &str) -> String {
    let digest = hex::encode(hash(&[&seed.to_string(), prefix, label]));
    format!("{prefix}-0{}", &digest[..16])
}

/// IAM's: four letters for the kind, and seventeen of A–Z and 2–7.
pub fn unique_id(kind: &str, seed: u64, label: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = hash(&[&seed.to_string(), kind, label])
        .into_iter()
        .take(17)
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    kind.chars().chain(letters).collect()
}

/// A locally administered unicast address.
pub fn make_mac(seed: u64, label: &str) -> String {
    let digest = hash(&[&seed.to_string(), "mac", label]);
    let tail: Vec<String> = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("06:{}", tail.join(":"))
}

/// Text that looks like a secret and is none.
pub fn make_secret(seed: u64, label: &str) -> String {
    STANDARD.encode(&hash(&[&seed.to_string(), "secret", label])[..30])
}

/// A request id that follows from what is asked and when.
pub fn request_id(parts: &[&str]) -> String {
    let digest = hex::encode(hash(parts));
    format!(
        "{}-{}-4{}-8{}-{}",
        &digest[..8],
        &digest[8..12],
        &digest[13..16],
        &digest[17..20],
        &digest[20..32]
    )
}

/// A number up to `most`, itself included.
pub fn draw_number(seed: u64, label: &str, most: u64) -> u64 {
    let digest = hash(&[&seed.to_string(), "draw", label]);
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number % most.saturating_add(1)
}

/// Bytes that follow from the seed, for keys that open nothing but the mock.
pub fn make_bytes(seed: u64, label: &str) -> [u8; 32] {
    hash(&[&seed.to_string(), "bytes", label])
}

fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}

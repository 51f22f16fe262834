//! The lab's own ssh keys: one for each node's sshd, one for the nodes' users, one for the operator.

use std::io::{self, Read as _};

use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};

/// A private key in OpenSSH's format, and its public half as `ssh-ed25519 AAAA…`.
#[derive(Clone)]
pub struct Key {
    pub private: String,
    pub public: String,
}

impl Key {
    /// A new one, from the kernel's randomness: a lab's sshd is real.
    ///
    /// # Errors
    /// Where the kernel has none.
    pub fn generate() -> io::Result<Self> {
        let mut seed = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
        Self::of(&seed).map_err(io::Error::other)
    }

    fn of(seed: &[u8; 32]) -> ssh_key::Result<Self> {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(seed));
        let private = key.to_openssh(LineEnding::LF)?.to_string();
        Ok(Self { private, public: key.public_key().to_openssh()?.trim().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_the_same() {
        let (one, other) = (Key::generate().expect("a key"), Key::generate().expect("a key"));
        assert_ne!(one.public, other.public);
        assert!(one.public.starts_with("ssh-ed25519 AAAA"));
        assert!(one.private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    }
}

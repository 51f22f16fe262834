//! The beginning of the tests of the go: a document, who may sign it, and signatures of every kind.
//! Used by the unit tests and by those against ssh-keygen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use reports::digest::Digest;
use reports::go::{Expectation, GO_VERSION, GoDocument, NAMESPACE, Refused, Verified};
use reports::record::LabKind;
use serde_json::json;
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::{KeyData, SkEcdsaSha2NistP256, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SigningKey, SshSig};

pub const OWNER: &str = "owner@example.com";

pub fn fixed_now() -> DateTime<Utc> {
    "2026-10-01T12:00:00Z".parse().expect("a time")
}

pub fn good_document() -> GoDocument {
    GoDocument {
        version: GO_VERSION,
        run_id: "run-1".into(),
        facts_digest: Digest::of("facts"),
        change_set: json!({"actions": ["assign"], "address": "10.88.60.9", "eni": "eni-0a"}),
        undo_plan_digest: Digest::of("undo"),
        lab_fingerprint: Digest::of("lab"),
        lab_kind: LabKind::Netns,
        principal: OWNER.into(),
        not_before: fixed_now() - TimeDelta::hours(1),
        not_after: fixed_now() + TimeDelta::hours(1),
    }
}

pub fn good_expectation() -> Expectation {
    let document = good_document();
    Expectation {
        run_id: document.run_id,
        facts_digest: document.facts_digest,
        change_set: document.change_set,
        undo_plan_digest: document.undo_plan_digest,
        lab_fingerprint: document.lab_fingerprint,
        lab_kind: document.lab_kind,
    }
}

pub fn make_key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

pub fn format_public_key(key: &PrivateKey) -> String {
    key.public_key().to_openssh().expect("a public key")
}

pub fn sign_message(key: &PrivateKey, namespace: &str, bytes: &[u8]) -> String {
    let signature = key.sign(namespace, HashAlg::Sha512, bytes).expect("signed");
    signature.to_pem(LineEnding::LF).expect("PEM")
}

pub fn document_bytes(document: &GoDocument) -> Vec<u8> {
    document.to_bytes().expect("JSON")
}

pub fn broken_rule(result: Result<Verified, Refused>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(refused) => {
            assert!(!refused.reason.is_empty());
            refused.rule
        }
    }
}

/// The kinds of security keys. Nobody has one in a test: an ordinary key signs what one would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityKey {
    Ed25519,
    Ecdsa,
}

impl SecurityKey {
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::Ecdsa];

    fn key(self) -> PrivateKey {
        match self {
            Self::Ed25519 => make_key(3),
            Self::Ecdsa => PrivateKey::from_openssh(ECDSA).expect("a key"),
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Ed25519 => Algorithm::SkEd25519,
            Self::Ecdsa => Algorithm::SkEcdsaSha2NistP256,
        }
    }

    fn public(self) -> PublicKey {
        let key = self.key();
        let key = key.public_key().key_data();
        let application = "ssh:";
        PublicKey::from(match self {
            Self::Ed25519 => {
                let point = *key.ed25519().expect("an ed25519 key");
                KeyData::SkEd25519(SkEd25519::new(point, application))
            }
            Self::Ecdsa => {
                let ssh_key::public::EcdsaPublicKey::NistP256(point) =
                    key.ecdsa().expect("an ECDSA key")
                else {
                    panic!("another curve")
                };
                KeyData::from(SkEcdsaSha2NistP256::new(*point, application))
            }
        })
    }

    /// The public key's line, and what the key would answer where its flags are these.
    pub fn signature(self, message: &[u8], flags: u8) -> (String, String) {
        fn raw(key: &impl SigningKey, bytes: &[u8]) -> Vec<u8> {
            key.try_sign(bytes).expect("signed").as_bytes().to_vec()
        }
        let hash = |bytes: &[u8]| hex::decode(Digest::of(bytes).as_str()).expect("hexadecimal");
        let trailer = [flags, 0, 0, 0, 9];
        let asked = hash(&data_to_sign(message));
        let signed = [hash(b"ssh:"), trailer.to_vec(), asked].concat();
        let (public, algorithm) = (self.public(), self.algorithm());
        let signature = raw(&self.key(), &signed);
        let pem = make_sshsig(&public, algorithm.as_str(), &signature, &trailer);
        (public.to_openssh().expect("a key"), pem)
    }
}

/// The bytes that `ssh-keygen -Y sign` has its key sign.
pub fn data_to_sign(message: &[u8]) -> Vec<u8> {
    SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message).expect("encoded")
}

/// The armoured signature, byte for byte as OpenSSH's PROTOCOL.sshsig has it.
pub fn make_sshsig(
    public: &PublicKey,
    algorithm: &str,
    signature: &[u8],
    trailer: &[u8],
) -> String {
    let text = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
        [&length[..], bytes].concat()
    };
    let inner = [text(algorithm.as_bytes()), text(signature), trailer.to_vec()].concat();
    let blob = [
        b"SSHSIG\0\0\0\x01".to_vec(),
        text(&public.to_bytes().expect("a key")),
        text(NAMESPACE.as_bytes()),
        text(b""),
        text(b"sha512"),
        text(&inner),
    ];
    let armour = STANDARD.encode(blob.concat());
    let lines: Vec<&str> = armour
        .as_bytes()
        .chunks(70)
        .map(|line| std::str::from_utf8(line).expect("base64"))
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n")
}

/// A key of nobody's.
const ECDSA: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQRhdcdTYn1fX7YsGslG4sgwsqWWiWOg
XN5Yrb79FrnweyPxdHiVzoKumEa2/OPeL7s3XIrOdX/sUmg/KWXOMX0YAAAAmHy2o1B8tq
NQAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGF1x1NifV9ftiwa
yUbiyDCypZaJY6Bc3litvv0WufB7I/F0eJXOgq6YRrb8494vuzdcis51f+xSaD8pZc4xfR
gAAAAgWWMOoZRhBfuaEFpV7PENXiwyyjNXXyO6B5x7SsCIOMgAAAAA
-----END OPENSSH PRIVATE KEY-----
";

//! Ways to cheat, each with the rule that it trips; and the stock ssh-keygen, both ways.

mod cheats;
mod foreign;
mod signers;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::*;
use crate::digest::Digest;
use crate::record::LabKind;

const OWNER: &str = "owner@example.com";

fn now() -> DateTime<Utc> {
    "2026-10-01T12:00:00Z".parse().expect("a time")
}

fn document() -> Document {
    Document {
        version: GO_VERSION,
        run_id: "run-1".into(),
        facts_digest: Digest::of("facts"),
        change_set: json!({"actions": ["assign"], "address": "10.88.60.9", "eni": "eni-0a"}),
        undo_plan_digest: Digest::of("undo"),
        lab_fingerprint: Digest::of("lab"),
        lab_kind: LabKind::Netns,
        principal: OWNER.into(),
        not_before: now() - TimeDelta::hours(1),
        not_after: now() + TimeDelta::hours(1),
    }
}

fn expectation() -> Expectation {
    let document = document();
    Expectation {
        run_id: document.run_id,
        facts_digest: document.facts_digest,
        change_set: document.change_set,
        undo_plan_digest: document.undo_plan_digest,
        lab_fingerprint: document.lab_fingerprint,
        lab_kind: document.lab_kind,
        burnt: None,
    }
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn public(key: &PrivateKey) -> String {
    key.public_key().to_openssh().expect("a public key")
}

fn owner_line(options: &str) -> String {
    format!("{OWNER} {options} {}", public(&key(1)))
}

fn allowed() -> AllowedSigners {
    AllowedSigners::parse(&owner_line(r#"namespaces="lab-smoke-go""#)).expect("a good file")
}

fn sign(key: &PrivateKey, namespace: &str, bytes: &[u8]) -> String {
    let signature = key.sign(namespace, HashAlg::Sha512, bytes).expect("signed");
    signature.to_pem(LineEnding::LF).expect("PEM")
}

fn bytes(document: &Document) -> Vec<u8> {
    document.to_bytes().expect("JSON")
}

fn rule(result: Result<Verified, Refused>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(refused) => {
            assert!(!refused.reason.is_empty());
            refused.rule
        }
    }
}

#[test]
fn a_go_for_this_run_is_accepted_and_says_what_was_granted() {
    let bytes = bytes(&document());
    let signature = sign(&key(1), NAMESPACE, &bytes);
    let go = verify(&bytes, &signature, &allowed(), &expectation(), now()).expect("it holds");
    assert_eq!(*go.digest(), Digest::of(&bytes));
    assert_eq!((go.principal(), go.run_id()), (OWNER, "run-1"));
    assert!(go.key_fingerprint().starts_with("SHA256:"));
    assert!(!go.self_granted());
    let burnt = Expectation { burnt: Some(Digest::of(&bytes)), ..expectation() };
    verify(&bytes, &signature, &allowed(), &burnt, now()).expect("burnt by this very run");
}

#[test]
fn a_lab_grants_itself_and_is_marked_and_never_on_aws() {
    let granted = self_grant(&[7; 32], &document()).expect("granted");
    assert_eq!(granted, self_grant(&[7; 32], &document()).expect("granted"), "deterministic");
    let signers = AllowedSigners::parse(&granted.allowed_signers).expect("a good line");
    let check = |expected: &Expectation| {
        verify(&granted.document, &granted.signature, &signers, expected, now())
    };
    assert!(check(&expectation()).expect("it holds").self_granted());
    let on_aws = Expectation { lab_kind: LabKind::Aws, ..expectation() };
    assert_eq!(rule(check(&on_aws)), "self-granted");
    let aws = Document { lab_kind: LabKind::Aws, ..document() };
    assert!(matches!(self_grant(&[7; 32], &aws), Err(NoSelfGrant::Aws)));
}

/// Each mutation asks again: the go may have ended meanwhile, and so may its signer's time.
#[test]
fn a_go_is_judged_again_at_another_time() {
    let good = bytes(&document());
    let signature = sign(&key(1), NAMESPACE, &good);
    let line = owner_line("valid-before=\"202610011230Z\"");
    let signers = AllowedSigners::parse(&line).expect("a good line");
    let go = verify(&good, &signature, &signers, &expectation(), now()).expect("it holds");
    let table = [
        (0, None),
        (29, None),
        (31, Some("signer-time")),
        (61, Some("signer-time")),
        (-61, Some("not-before")),
    ];
    for (minutes, expected) in table {
        let then = now() + TimeDelta::minutes(minutes);
        let given = go.again(then).err().map(|refused| refused.rule);
        assert_eq!(given, expected, "after {minutes} minutes");
    }
}

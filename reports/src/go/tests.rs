//! Ways to cheat, each with the rule that it trips. The stock ssh-keygen judges the same in
//! `reports/tests/ssh_keygen`.

mod cheats;
#[path = "../../tests/ssh_keygen/made.rs"]
mod made;
mod signers;

use chrono::TimeDelta;

use super::*;
use crate::digest::Digest;
use crate::record::LabKind;
use made::{OWNER, SecurityKey, bytes, document, expectation, key, now, public, rule, sign};

fn owner_line(options: &str) -> String {
    format!("{OWNER} {options} {}", public(&key(1)))
}

fn allowed() -> AllowedSigners {
    AllowedSigners::parse(&owner_line(r#"namespaces="lab-smoke-go""#)).expect("a good file")
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
}

#[test]
fn a_lab_grants_itself_and_is_marked_and_never_on_aws() {
    let granted = self_grant(&[7; 32], &document()).expect("granted");
    assert_eq!(granted, self_grant(&[7; 32], &document()).expect("granted"), "deterministic");
    let signers = AllowedSigners::of_the_lab(&granted.allowed_signers).expect("a good line");
    let check = |expected: &Expectation| {
        verify(&granted.document, &granted.signature, &signers, expected, now())
    };
    assert!(check(&expectation()).expect("it holds").self_granted());
    let on_aws = Expectation { lab_kind: LabKind::Aws, ..expectation() };
    assert_eq!(rule(check(&on_aws)), "self-granted");
    let aws = Document { lab_kind: LabKind::Aws, ..document() };
    assert!(matches!(self_grant(&[7; 32], &aws), Err(NoSelfGrant::Aws)));
}

/// Whose the signers are decides, not what a signer calls himself.
#[test]
fn an_owner_who_is_named_like_the_lab_is_the_owner() {
    let named = Document { principal: SELF_PRINCIPAL.to_owned(), ..document() };
    let bytes = bytes(&named);
    let signature = sign(&key(1), NAMESPACE, &bytes);
    let anybody = format!("* {}", public(&key(1)));
    let owners = AllowedSigners::parse(&anybody).expect("a good line");
    let labs = AllowedSigners::of_the_lab(&anybody).expect("a good line");
    for (signers, self_granted) in [(&owners, false), (&labs, true)] {
        let go = verify(&bytes, &signature, signers, &expectation(), now()).expect("it holds");
        assert_eq!(go.self_granted(), self_granted);
    }
    // On AWS neither the name nor the lab's key is good.
    let on_aws = Expectation { lab_kind: LabKind::Aws, ..expectation() };
    let owners_go = self::bytes(&document());
    let signature = sign(&key(1), NAMESPACE, &owners_go);
    let judged = verify(&owners_go, &signature, &labs, &on_aws, now());
    assert_eq!(rule(judged), "self-granted");
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

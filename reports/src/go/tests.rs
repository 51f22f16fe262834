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
use made::{
    OWNER, SecurityKey, broken_rule, document_bytes, fixed_now, format_public_key, good_document,
    good_expectation, make_key, sign_message,
};

fn owner_line(options: &str) -> String {
    format!("{OWNER} {options} {}", format_public_key(&make_key(1)))
}

fn allowed() -> AllowedSigners {
    AllowedSigners::parse(&owner_line(r#"namespaces="lab-smoke-go""#)).expect("a good file")
}

#[test]
fn a_go_for_this_run_is_accepted_and_says_what_was_granted() {
    let bytes = document_bytes(&good_document());
    let signature = sign_message(&make_key(1), NAMESPACE, &bytes);
    let go = verify_go(&bytes, &signature, &allowed(), &good_expectation(), fixed_now())
        .expect("it holds");
    assert_eq!(*go.digest(), Digest::of(&bytes));
    assert_eq!((go.principal(), go.run_id()), (OWNER, "run-1"));
    assert!(go.key_fingerprint().starts_with("SHA256:"));
    assert!(!go.self_granted());
    assert_eq!((go.bytes(), go.signature()), (&bytes[..], &signature[..]));
}

#[test]
fn a_lab_grants_itself_and_is_marked_and_never_on_aws() {
    let granted = self_grant(&[7; 32], &good_document()).expect("granted");
    assert_eq!(granted, self_grant(&[7; 32], &good_document()).expect("granted"), "deterministic");
    let signers = AllowedSigners::of_the_lab(&granted.allowed_signers).expect("a good line");
    let check = |expected: &Expectation| {
        verify_go(&granted.document, &granted.signature, &signers, expected, fixed_now())
    };
    assert!(check(&good_expectation()).expect("it holds").self_granted());
    let on_aws = Expectation { lab_kind: LabKind::Aws, ..good_expectation() };
    assert_eq!(broken_rule(check(&on_aws)), "self-granted");
    let aws = GoDocument { lab_kind: LabKind::Aws, ..good_document() };
    assert!(matches!(self_grant(&[7; 32], &aws), Err(NoSelfGrant::Aws)));
}

/// Whose the signers are decides, not what a signer calls himself.
#[test]
fn an_owner_who_is_named_like_the_lab_is_the_owner() {
    let named = GoDocument { principal: SELF_PRINCIPAL.to_owned(), ..good_document() };
    let bytes = document_bytes(&named);
    let signature = sign_message(&make_key(1), NAMESPACE, &bytes);
    let anybody = format!("* {}", format_public_key(&make_key(1)));
    let owners = AllowedSigners::parse(&anybody).expect("a good line");
    let labs = AllowedSigners::of_the_lab(&anybody).expect("a good line");
    for (signers, self_granted) in [(&owners, false), (&labs, true)] {
        let go = verify_go(&bytes, &signature, signers, &good_expectation(), fixed_now())
            .expect("it holds");
        assert_eq!(go.self_granted(), self_granted);
    }
    // On AWS neither the name nor the lab's key is good.
    let on_aws = Expectation { lab_kind: LabKind::Aws, ..good_expectation() };
    let of_aws = GoDocument { lab_kind: LabKind::Aws, ..good_document() };
    let named = GoDocument { principal: SELF_PRINCIPAL.to_owned(), ..of_aws.clone() };
    for (document, signers, expected) in [
        (&of_aws, &owners, "accepted"),
        (&of_aws, &labs, "self-granted"),
        (&named, &owners, "self-granted"),
    ] {
        let bytes = document_bytes(document);
        let signature = sign_message(&make_key(1), NAMESPACE, &bytes);
        let judged = verify_go(&bytes, &signature, signers, &on_aws, fixed_now());
        assert_eq!(broken_rule(judged), expected, "{}", document.principal);
    }
}

/// Each mutation asks again: the go may have ended meanwhile, and so may its signer's time.
#[test]
fn a_go_is_judged_again_at_another_time() {
    let good = document_bytes(&good_document());
    let signature = sign_message(&make_key(1), NAMESPACE, &good);
    let line = owner_line("valid-before=\"202610011230Z\"");
    let signers = AllowedSigners::parse(&line).expect("a good line");
    let go =
        verify_go(&good, &signature, &signers, &good_expectation(), fixed_now()).expect("it holds");
    let table = [
        (0, None),
        (29, None),
        (31, Some("signer-time")),
        (61, Some("signer-time")),
        (-61, Some("not-before")),
    ];
    for (minutes, expected) in table {
        let then = fixed_now() + TimeDelta::minutes(minutes);
        let given = go.again(then).err().map(|refused| refused.rule);
        assert_eq!(given, expected, "after {minutes} minutes");
    }
}

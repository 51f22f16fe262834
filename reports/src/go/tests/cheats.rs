//! The table of ways to cheat.

use super::*;

type Edit = fn(&mut GoDocument);

#[test]
fn an_edited_document_is_refused_by_its_signature_and_signed_again_by_its_field() {
    let table: [(&str, Edit); 12] = [
        ("run", |d| d.run_id = "run-2".into()),
        ("run", |d| d.run_id = "run-\u{ff11}".into()),
        ("facts-digest", |d| d.facts_digest = Digest::of("other facts")),
        ("change-set", |d| d.change_set["address"] = "10.88.60.10".into()),
        ("change-set", |d| d.change_set["eni"] = "eni-0b".into()),
        ("change-set", |d| d.change_set["allowReassignment"] = true.into()),
        ("undo-plan", |d| d.undo_plan_digest = Digest::of("other undo")),
        ("lab-fingerprint", |d| d.lab_fingerprint = Digest::of("another account")),
        ("lab-kind", |d| d.lab_kind = LabKind::Mock),
        ("not-before", |d| d.not_before = fixed_now() + TimeDelta::seconds(1)),
        ("expired", |d| d.not_after = fixed_now() - TimeDelta::seconds(1)),
        ("version", |d| d.version = 2),
    ];
    let untouched = sign_message(&make_key(1), NAMESPACE, &document_bytes(&good_document()));
    for (expected, edit) in table {
        let mut edited = good_document();
        edit(&mut edited);
        let edited = document_bytes(&edited);
        let check = |signature: &str| {
            broken_rule(verify_go(&edited, signature, &allowed(), &good_expectation(), fixed_now()))
        };
        assert_eq!(check(&untouched), "signature", "{expected}, not signed again");
        assert_eq!(check(&sign_message(&make_key(1), NAMESPACE, &edited)), expected);
    }
}

#[test]
fn bytes_that_are_not_the_canonical_document_are_refused_though_signed() {
    let good = String::from_utf8(document_bytes(&good_document())).expect("UTF-8");
    let run = r#""run_id":"run-1""#;
    let table = [
        ("re-encoded", format!("{good}\n")),
        ("re-encoded", good.replace(run, r#""run_id": "run-1""#)),
        ("re-encoded", good.replace("run-1", r"run-\u0031")),
        ("re-encoded", good.replacen("T11:00:00Z", "T11:00:00.0Z", 1)),
        ("re-encoded", good.replacen("T11:00:00Z", "T12:00:00+01:00", 1)),
        ("re-encoded", good.replace(r#""eni":"eni-0a""#, r#""eni":"eni-0b","eni":"eni-0a""#)),
        ("re-encoded", format!("{{{run},{}", good[1..].replace(&format!(",{run}"), ""))),
        ("not-a-go", good.replace(run, &format!("{run},{run}"))),
        ("not-a-go", good.replace(run, &format!(r#"{run},"scope":"all""#))),
        ("not-a-go", good.replace(run, "\"run_\u{456}d\":\"run-1\"")),
        ("not-a-go", good.replace("\"principal\":\"owner@example.com\",", "")),
        ("not-a-go", format!("{good}{good}")),
        ("not-a-go", String::new()),
        ("not-a-go", "evidence of the preflight, not the go".to_owned()),
    ];
    for (expected, text) in table {
        assert_ne!(text, good);
        let signature = sign_message(&make_key(1), NAMESPACE, text.as_bytes());
        let result =
            verify_go(text.as_bytes(), &signature, &allowed(), &good_expectation(), fixed_now());
        assert_eq!(broken_rule(result), expected, "{text}");
    }
}

#[test]
fn a_signature_that_is_not_the_owners_for_this_purpose_is_refused() {
    let good = document_bytes(&good_document());
    let (owner, stranger) = (make_key(1), make_key(2));
    let ours = sign_message(&owner, NAMESPACE, &good);
    let table = [
        ("signer", sign_message(&stranger, NAMESPACE, &good), owner_line("")),
        ("namespace", sign_message(&owner, "file", &good), owner_line("")),
        ("namespace", sign_message(&owner, "lab-smoke-g\u{43e}", &good), owner_line("")),
        ("signature", sign_message(&owner, NAMESPACE, b"the preflight"), owner_line("")),
        ("signature", String::new(), owner_line("")),
        ("signature", ours.replace("SSH SIGNATURE", "SIGNATURE"), owner_line("")),
        ("signature", ours.chars().skip(40).collect(), owner_line("")),
        ("signer", ours.clone(), String::new()),
        ("signer", ours.clone(), owner_line("").replace("owner@", "\u{43e}wner@")),
        ("signer", ours.clone(), owner_line("").replace(OWNER, "*,!owner@*")),
        ("signer", ours.clone(), format!("{OWNER} {}", format_public_key(&stranger))),
        ("signer-namespace", ours.clone(), owner_line(r#"namespaces="git,file""#)),
        ("signer-namespace", ours.clone(), owner_line(r#"namespaces="*,!lab-smoke-go""#)),
        ("signer-time", ours.clone(), owner_line(r#"valid-after="20261001120001Z""#)),
        ("signer-time", ours.clone(), owner_line(r#"valid-before="20261001115959Z""#)),
        ("accepted", ours, owner_line(r#"valid-after="20261001Z",valid-before="20261002Z""#)),
    ];
    for (expected, signature, signers) in table {
        let signers = AllowedSigners::parse(&signers).expect("a good file");
        let result = verify_go(&good, &signature, &signers, &good_expectation(), fixed_now());
        assert_eq!(broken_rule(result), expected, "{signature}");
    }
}

#[test]
fn another_principals_go_is_refused_though_that_principal_signed_it() {
    let other = GoDocument { principal: "other@example.com".into(), ..good_document() };
    let good = document_bytes(&other);
    let signature = sign_message(&make_key(1), NAMESPACE, &good);
    assert_eq!(
        broken_rule(verify_go(&good, &signature, &allowed(), &good_expectation(), fixed_now())),
        "signer"
    );
}

#[test]
fn a_go_that_ends_before_it_begins_is_refused() {
    let backwards =
        GoDocument { not_before: fixed_now(), not_after: fixed_now(), ..good_document() };
    let good = document_bytes(&backwards);
    let result = verify_go(
        &good,
        &sign_message(&make_key(1), NAMESPACE, &good),
        &allowed(),
        &good_expectation(),
        fixed_now(),
    );
    assert_eq!(broken_rule(result), "validity");
}

#[test]
fn a_go_that_is_good_for_more_than_a_day_is_refused() {
    for (more, expected) in [(0, "accepted"), (1, "validity")] {
        let not_after = fixed_now() + LONGEST_VALIDITY + TimeDelta::seconds(more);
        let long = GoDocument { not_before: fixed_now(), not_after, ..good_document() };
        let bytes = document_bytes(&long);
        let signature = sign_message(&make_key(1), NAMESPACE, &bytes);
        let result = verify_go(&bytes, &signature, &allowed(), &good_expectation(), fixed_now());
        assert_eq!(broken_rule(result), expected, "{more} s more");
    }
}

#[test]
fn both_ends_of_the_window_are_within_it() {
    let second = TimeDelta::seconds(1);
    for (not_before, not_after) in
        [(fixed_now(), fixed_now() + second), (fixed_now() - second, fixed_now())]
    {
        let good = document_bytes(&GoDocument { not_before, not_after, ..good_document() });
        let signature = sign_message(&make_key(1), NAMESPACE, &good);
        verify_go(&good, &signature, &allowed(), &good_expectation(), fixed_now()).expect("within");
    }
}

#[test]
fn a_security_key_must_have_been_touched() {
    let good = document_bytes(&good_document());
    let table = [(1, "accepted"), (5, "accepted"), (0, "user-presence"), (4, "user-presence")];
    for (kind, (flags, expected)) in
        SecurityKey::ALL.into_iter().flat_map(|kind| table.map(|row| (kind, row)))
    {
        let (public, signature) = kind.signature(&good, flags);
        let signers = AllowedSigners::parse(&format!("{OWNER} {public}")).expect("a good line");
        let result = verify_go(&good, &signature, &signers, &good_expectation(), fixed_now());
        assert_eq!(broken_rule(result), expected, "{kind:?}, flags {flags}");
    }
}

//! The allowed signers' file, line by line.

use ssh_key::public::{KeyData, RsaPublicKey};
use ssh_key::{Mpint, PublicKey};

use super::super::signers::NotAllowed;
use super::*;

const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ";

#[test]
fn good_lines_are_read() {
    let key = format_public_key(&make_key(1));
    let table = [
        format!("# a comment\n\n  \t\n{OWNER} {key}"),
        format!("{OWNER} {key} a comment of the key"),
        format!("  {OWNER}\t{key}\r\n"),
        format!("\"{OWNER}\" {key}"),
        format!("a,*@example.com {key}"),
        format!("{OWNER} namespaces=\"a b,lab-smoke-*\" {key}"),
        format!("{OWNER} namespaces=\"a\\\" b,lab-smoke-*\" {key}"),
        format!("{OWNER} namespaces=\"a\\,lab-smoke-go\" {key}"),
        format!("{OWNER} NAMESPACES=\"*\",valid-after=\"20260101Z\" {key}"),
        format!("{OWNER} valid-before=\"202612312359Z\" {key}"),
        format!("stranger {}\n{OWNER} {key}", format_public_key(&super::make_key(2))),
    ];
    let good = document_bytes(&good_document());
    let signature = sign_message(&super::make_key(1), NAMESPACE, &good);
    for text in table {
        let signers = AllowedSigners::parse(&text).expect(&text);
        verify_go(&good, &signature, &signers, &good_expectation(), fixed_now()).expect(&text);
    }
}

#[test]
fn bad_lines_are_refused_with_their_number_and_the_reason() {
    let key = format_public_key(&make_key(1));
    let table = [
        (format!("{OWNER} cert-authority {key}"), "list each signer's own key"),
        (format!("{OWNER} cert-authority,namespaces=\"a\" {key}"), "list each signer's own key"),
        (OWNER.to_owned(), "no key"),
        (format!("{OWNER} ssh-ed25519"), "cannot be read"),
        (format!("{OWNER} ssh-ed25519 AAAA"), "cannot be read"),
        (format!("{OWNER} ssh-dss AAAAB3NzaC1kc3M="), "ssh-dss"),
        (format!("{OWNER} ssh-foo AAAAB3NzaC1kc3M="), "ssh-foo"),
        (format!("{OWNER} {RSA_1024}"), "cannot be read"),
        (format!("{OWNER} namespaces=git {key}"), "quotes"),
        (format!("{OWNER} namespaces=\"git {key}"), "quote is not closed"),
        (format!("{OWNER} namespaces=\"\" {key}"), "empty"),
        (format!("{OWNER} namespaces {key}"), "needs a value"),
        (format!("{OWNER} namespaces=\"a\",namespaces=\"b\" {key}"), "twice"),
        (format!("{OWNER} namespaces=\"a\"valid-after=\"20260101Z\" {key}"), "comma"),
        (format!("{OWNER} namespaces=\"a\", {key}"), "comma"),
        (format!("{OWNER} no-touch-required {key}"), "no option"),
        (format!("{OWNER} valid-after=\"20260101\" {key}"), "local time"),
        (format!("{OWNER} valid-after=\"20261301Z\" {key}"), "no time"),
        (format!("{OWNER} valid-after=\"2026-01-01Z\" {key}"), "no time"),
        (format!("{OWNER} valid-after=\"19700101Z\" {key}"), "no time"),
        (
            format!("{OWNER} valid-after=\"20260102Z\",valid-before=\"20260101Z\" {key}"),
            "not after",
        ),
        (format!("{OWNER} no-option\\ {key}"), "no option"),
        (format!("\"{OWNER} {key}"), "not closed"),
        (format!("\"\" {key}"), "empty or hold a quote"),
        (format!("own\"er@example.com {key}"), "empty or hold a quote"),
        (format!("\"{OWNER}\"{key}"), "white space"),
    ];
    for (line, why) in table {
        let error = AllowedSigners::parse(&format!("# first\n{line}\n")).expect_err(&line);
        assert_eq!(error.line, 2, "{line}");
        assert!(error.why.contains(why), "{line}: {error}");
    }
}

/// The reason of the line that came nearest is told, where there are several.
#[test]
fn the_nearest_reason_is_told_whatever_the_order_of_the_lines() {
    let (ours, theirs) = (format_public_key(&make_key(1)), format_public_key(&make_key(2)));
    let stranger = format!("stranger {ours}");
    let other_key = format!("{OWNER} {theirs}");
    let namespace = format!("{OWNER} namespaces=\"git\" {ours}");
    let table = [
        (vec![], NotAllowed::Principal),
        (vec![&stranger], NotAllowed::Principal),
        (vec![&other_key], NotAllowed::Key),
        (vec![&stranger, &other_key], NotAllowed::Key),
        (vec![&other_key, &stranger], NotAllowed::Key),
        (vec![&other_key, &namespace], NotAllowed::Namespace),
        (vec![&namespace, &other_key], NotAllowed::Namespace),
        (vec![&namespace, &stranger], NotAllowed::Namespace),
    ];
    for (lines, expected) in table {
        let text = lines.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        let signers = AllowedSigners::parse(&text).expect("good lines");
        let refused =
            signers.check(OWNER, make_key(1).public_key().key_data(), NAMESPACE, fixed_now());
        assert_eq!(refused, Err(expected), "{text}");
    }
}

/// Both ends belong to the time, as ssh-keygen has it, which is asked the same where it is there.
#[test]
fn a_signers_time_includes_both_of_its_ends() {
    let line = owner_line("valid-after=\"20261001120000Z\",valid-before=\"20261001120010Z\"");
    let signers = AllowedSigners::parse(&line).expect("a good line");
    let table = [
        (-1, Err(NotAllowed::NotYetValid)),
        (0, Ok(())),
        (10, Ok(())),
        (11, Err(NotAllowed::NoLongerValid)),
    ];
    for (seconds, expected) in table {
        let then = fixed_now() + TimeDelta::seconds(seconds);
        let given = signers.check(OWNER, make_key(1).public_key().key_data(), NAMESPACE, then);
        assert_eq!(given, expected, "after {seconds} seconds");
    }
}

#[test]
fn an_rsa_key_has_at_least_2048_bits() {
    for (bytes, refused) in [(128, true), (255, true), (256, false), (384, false)] {
        let n = Mpint::from_positive_bytes(&vec![0xff; bytes]).expect("a modulus");
        let e = Mpint::from_positive_bytes(&[1, 0, 1]).expect("an exponent");
        let key = PublicKey::from(KeyData::Rsa(RsaPublicKey { e, n }));
        let line = format!("{OWNER} {}", key.to_openssh().expect("a line"));
        let why = AllowedSigners::parse(&line).err().map(|bad| bad.why);
        let expected = refused.then(|| format!("an RSA key of {} bits is too short", bytes * 8));
        assert_eq!(why, expected, "{bytes} bytes");
    }
}

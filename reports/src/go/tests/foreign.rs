//! Against the stock ssh-keygen: what it signs we accept, what we sign it accepts, and we accept
//! no allowed signers that it refuses.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// Of one allowed signers' file and a good signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Says {
    BothAccept,
    BothRefuse,
    OnlyWeRefuse,
}
use Says::{BothAccept, BothRefuse, OnlyWeRefuse};

/// Where ssh-keygen is absent, a test says so and ends; under `LAB_SMOKE_REQUIRE_FOREIGN=1` it
/// fails instead.
fn present(test: &str) -> bool {
    let found = Command::new("ssh-keygen").arg("-?").output().is_ok();
    let required = std::env::var_os("LAB_SMOKE_REQUIRE_FOREIGN").is_some_and(|it| it == "1");
    assert!(found || !required, "ssh-keygen is required and not there");
    if !found {
        let _ = writeln!(std::io::stderr(), "{test} skipped: there is no ssh-keygen");
    }
    found
}

fn ssh_keygen(dir: &Path, args: &[&str]) -> bool {
    let mut command = Command::new("ssh-keygen");
    let status = command.args(args).current_dir(dir).stdin(Stdio::null()).output();
    status.expect("ssh-keygen runs").status.success()
}

/// Whether `ssh-keygen -Y verify` accepts the signature by these allowed signers, at [`now`].
fn keygen_accepts(dir: &Path, signers: &str, document: &[u8], signature: &str) -> bool {
    fs::write(dir.join("allowed"), signers).expect("written");
    fs::write(dir.join("sig"), signature).expect("written");
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-f", "allowed", "-I", OWNER, "-n", NAMESPACE, "-s", "sig"])
        .args(["-O", "verify-time=20261001120000Z"])
        .current_dir(dir)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh-keygen runs");
    // It may refuse before it has read all: then the pipe is closed.
    let _ = child.stdin.take().expect("piped").write_all(document);
    child.wait().expect("it ends").success()
}

#[test]
fn what_ssh_keygen_signs_is_accepted() {
    if !present("what_ssh_keygen_signs_is_accepted") {
        return;
    }
    let kinds: [(&str, &[&str]); 6] = [
        ("ed25519", &[]),
        ("ecdsa", &["-b", "256"]),
        ("ecdsa", &["-b", "384"]),
        ("ecdsa", &["-b", "521"]),
        ("rsa", &["-b", "2048"]),
        ("rsa", &["-b", "3072"]),
    ];
    for (kind, bits) in kinds {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let good = bytes(&document());
        fs::write(dir.path().join("go.json"), &good).expect("written");
        let args = [&["-q", "-t", kind, "-N", "", "-f", "key"], bits].concat();
        assert!(ssh_keygen(dir.path(), &args), "{kind} {bits:?}");
        assert!(ssh_keygen(dir.path(), &["-Y", "sign", "-f", "key", "-n", NAMESPACE, "go.json"]));
        let signature = fs::read_to_string(dir.path().join("go.json.sig")).expect("signed");
        let public = fs::read_to_string(dir.path().join("key.pub")).expect("a key");
        let text = format!("{OWNER} namespaces=\"{NAMESPACE}\" {public}");
        let signers = AllowedSigners::parse(&text).expect("a good line");
        let go = verify(&good, &signature, &signers, &expectation(), now()).expect(kind);
        assert_eq!(go.principal(), OWNER);
        assert!(keygen_accepts(dir.path(), &text, &good, &signature), "{kind} {bits:?}");
        let mut tampered = good.clone();
        tampered[10] ^= 1;
        let result = verify(&tampered, &signature, &signers, &expectation(), now());
        assert_eq!(rule(result), "signature", "{kind} {bits:?}");
        assert!(!keygen_accepts(dir.path(), &text, &tampered, &signature), "{kind} {bits:?}");
    }
}

/// Those of security keys as well, which a test can make without one.
#[test]
fn what_a_security_key_signs_is_accepted_by_both_once_it_was_touched() {
    if !present("what_a_security_key_signs_is_accepted_by_both_once_it_was_touched") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = bytes(&document());
    for (flags, expected) in [(1, BothAccept), (0, OnlyWeRefuse)] {
        let (public, signature) = super::cheats::sk_signature(&good, flags);
        let public = ssh_key::PublicKey::from(public).to_openssh().expect("a key");
        assert!(public.starts_with("sk-ssh-ed25519@openssh.com "), "{public}");
        let text = format!("{OWNER} namespaces=\"{NAMESPACE}\" {public}\n");
        assert_eq!(said(dir.path(), &text, &good, &signature), expected, "flags {flags}");
        assert_eq!(said(dir.path(), &text, b"another", &signature), BothRefuse, "flags {flags}");
    }
}

/// Who accepts a signature by an allowed signers' file.
fn said(dir: &Path, signers: &str, document: &[u8], signature: &str) -> Says {
    let we = AllowedSigners::parse(signers)
        .is_ok_and(|signers| verify(document, signature, &signers, &expectation(), now()).is_ok());
    match (we, keygen_accepts(dir, signers, document, signature)) {
        (true, true) => BothAccept,
        (false, false) => BothRefuse,
        (false, true) => OnlyWeRefuse,
        (true, false) => panic!("ssh-keygen refuses what we accept: {signers}"),
    }
}

#[test]
fn an_rsa_key_of_1024_bits_is_too_short() {
    if !present("an_rsa_key_of_1024_bits_is_too_short") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    assert!(ssh_keygen(dir.path(), &["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", "key"]));
    let public = fs::read_to_string(dir.path().join("key.pub")).expect("a key");
    let error = AllowedSigners::parse(&format!("{OWNER} {public}")).expect_err("too short");
    assert!(error.why.contains("1024 bits"), "{error}");
}

#[test]
fn what_is_signed_here_is_accepted_by_ssh_keygen() {
    if !present("what_is_signed_here_is_accepted_by_ssh_keygen") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let granted = self_grant(&[7; 32], &document()).expect("granted");
    let line = granted.allowed_signers.replace(SELF_PRINCIPAL, OWNER);
    let accepts = |document: &[u8]| keygen_accepts(dir.path(), &line, document, &granted.signature);
    assert!(accepts(&granted.document));
    assert!(!accepts(b"another document"), "the check can fail");
}

/// What ssh-keygen refuses, we refuse; where we are stricter, the table says so.
#[test]
fn allowed_signers_are_read_as_ssh_keygen_reads_them() {
    if !present("allowed_signers_are_read_as_ssh_keygen_reads_them") {
        return;
    }
    let ours = public(&key(1));
    let theirs = public(&key(2));
    let table = [
        (BothAccept, format!("{OWNER} {ours}")),
        (BothAccept, format!("# x\n\n\t{OWNER}\t{ours}\r\n")),
        (BothAccept, format!("*@example.com {ours} comment")),
        (BothAccept, format!("a,owner@* {ours}")),
        (BothRefuse, format!("*,!owner@* {ours}")),
        (BothRefuse, format!("!other {ours}")),
        (BothRefuse, format!("OWNER@example.com {ours}")),
        (BothRefuse, format!("{OWNER} {theirs}")),
        (BothAccept, format!("{OWNER} {theirs}\n{OWNER} {ours}")),
        (BothAccept, format!("\"{OWNER}\" {ours}")),
        (BothRefuse, format!("\"{OWNER} {ours}")),
        (OnlyWeRefuse, format!("\"{OWNER}\"{ours}")),
        (BothAccept, format!("{OWNER} namespaces=\"lab-smoke-go\" {ours}")),
        (BothAccept, format!("{OWNER} NameSpaces=\"x,lab-*\" {ours}")),
        (BothAccept, format!("{OWNER} namespaces=\"a\\\" b,lab-*\" {ours}")),
        (BothAccept, format!("{OWNER} namespaces=\"a\\,lab-smoke-go\" {ours}")),
        (BothRefuse, format!("{OWNER} namespaces=\"file\" {ours}")),
        (BothRefuse, format!("{OWNER} namespaces=\"*,!lab-smoke-go\" {ours}")),
        (BothRefuse, format!("{OWNER} namespaces=lab-smoke-go {ours}")),
        (BothRefuse, format!("{OWNER} namespaces=\"a\",namespaces=\"*\" {ours}")),
        (BothRefuse, format!("{OWNER} namespaces=\"*\", {ours}")),
        (BothRefuse, format!("{OWNER} unknown-option {ours}")),
        (BothAccept, format!("{OWNER} valid-after=\"20260101Z\" {ours}")),
        (BothAccept, format!("{OWNER} valid-after=\"20261001120000Z\" {ours}")),
        (BothRefuse, format!("{OWNER} valid-after=\"20261001120001Z\" {ours}")),
        (BothAccept, format!("{OWNER} valid-before=\"20261001120000Z\" {ours}")),
        (BothRefuse, format!("{OWNER} valid-before=\"202610011159Z\" {ours}")),
        (OnlyWeRefuse, format!("{OWNER} valid-after=\"20260101\" {ours}")),
        (BothRefuse, format!("{OWNER} valid-after=\"2026Z\" {ours}")),
        (BothRefuse, format!("{OWNER} valid-after=\"20261340Z\" {ours}")),
        (
            BothRefuse,
            format!("{OWNER} valid-after=\"20260102Z\",valid-before=\"20260101Z\" {ours}"),
        ),
        (BothRefuse, format!("{OWNER} cert-authority {ours}")),
        (OnlyWeRefuse, format!("{OWNER} {ours}\nsomebody cert-authority {theirs}")),
        (OnlyWeRefuse, format!("somebody ssh-foo AAAA\n{OWNER} {ours}")),
        (OnlyWeRefuse, format!("{OWNER} ssh-foo AAAA\n{OWNER} {ours}")),
        (BothAccept, format!("?wner@example.com {ours}")),
        (BothAccept, format!("   {OWNER}   {ours}   ")),
        (BothAccept, format!("{OWNER} valid-after=\"202601011200Z\" {ours}")),
        (BothRefuse, format!("{OWNER} valid-after=\"20260101Z\",valid-after=\"20260102Z\" {ours}")),
        (BothAccept, format!("{OWNER} namespaces=\"a\\\"b,lab-smoke-go\" {ours}")),
        (BothRefuse, format!("{OWNER} namespaces=\"LAB-SMOKE-GO\" {ours}")),
        (BothRefuse, format!("{OWNER} no-touch-required {ours}")),
        (BothRefuse, format!("\u{feff}{OWNER} {ours}")),
        (BothRefuse, format!("\u{43e}wner@example.com {ours}")),
        (BothRefuse, format!("{OWNER}\u{a0}{ours}")),
        (BothRefuse, format!("# {OWNER} {ours}")),
        (OnlyWeRefuse, format!("somebody ssh-dss AAAAB3NzaC1kc3M=\n{OWNER} {ours}")),
        (OnlyWeRefuse, format!("nonsense\n{OWNER} {ours}")),
        (BothRefuse, OWNER.to_owned()),
        (BothRefuse, String::new()),
    ];
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = bytes(&document());
    let signature = sign(&key(1), NAMESPACE, &good);
    for (expected, text) in table {
        assert_eq!(said(dir.path(), &text, &good, &signature), expected, "{text}");
    }
}

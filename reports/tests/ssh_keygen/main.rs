//! Against the stock ssh-keygen: what it signs we accept, what we sign it accepts, and we accept
//! no allowed signers and no signature that it refuses. Where it (or openssl, which makes what
//! ssh-keygen makes no more) is absent, the trials are ignored with the reason, and fail under
//! `LAB_SMOKE_REQUIRE_FOREIGN=1`.

mod made;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use made::{
    OWNER, SecurityKey, broken_rule, data_to_sign, document_bytes, fixed_now, format_public_key,
    good_document, good_expectation, make_key, make_sshsig, sign_message,
};
use reports::go::{AllowedSigners, NAMESPACE, SELF_PRINCIPAL, self_grant, verify_go};
use ssh_key::PublicKey;

/// Cases of one allowed signers' file and a good signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Says {
    BothAccept,
    BothRefuse,
    OnlyWeRefuse,
    /// Never.
    OnlyWeAccept,
}
use Says::{BothAccept, BothRefuse, OnlyWeAccept, OnlyWeRefuse};

fn main() -> ExitCode {
    let trials = vec![
        trial("what_ssh_keygen_signs_is_accepted", what_ssh_keygen_signs_is_accepted),
        trial(
            "what_a_security_key_signs_is_accepted_by_both_once_it_was_touched",
            what_a_security_key_signs_is_accepted_by_both_once_it_was_touched,
        ),
        trial("a_sha1_signature_is_refused_by_both", a_sha1_signature_is_refused_by_both),
        trial("an_rsa_key_of_1024_bits_is_too_short", an_rsa_key_of_1024_bits_is_too_short),
        trial(
            "what_is_signed_here_is_accepted_by_ssh_keygen",
            what_is_signed_here_is_accepted_by_ssh_keygen,
        ),
        trial(
            "allowed_signers_are_read_as_ssh_keygen_reads_them",
            allowed_signers_are_read_as_ssh_keygen_reads_them,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Ignored with the reason where one of the programs is absent; failed where they are required.
fn trial(name: &str, run: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        let absent = ["ssh-keygen", "openssl"].into_iter().find(|it| !is_there(it));
        if let Some(program) = absent {
            let reason = format!("there is no {program}");
            let required = std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1");
            return if required {
                Err(Failed::from(reason))
            } else {
                Ok(Completion::ignored_with(reason))
            };
        }
        run();
        Ok(Completion::Completed)
    })
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-?").output().is_ok()
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

fn what_ssh_keygen_signs_is_accepted() {
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
        let good = document_bytes(&good_document());
        fs::write(dir.path().join("go.json"), &good).expect("written");
        let args = [&["-q", "-t", kind, "-N", "", "-f", "key"], bits].concat();
        assert!(ssh_keygen(dir.path(), &args), "{kind} {bits:?}");
        assert!(ssh_keygen(dir.path(), &["-Y", "sign", "-f", "key", "-n", NAMESPACE, "go.json"]));
        let signature = fs::read_to_string(dir.path().join("go.json.sig")).expect("signed");
        let public = fs::read_to_string(dir.path().join("key.pub")).expect("a key");
        let text = format!("{OWNER} namespaces=\"{NAMESPACE}\" {public}");
        let signers = AllowedSigners::parse(&text).expect("a good line");
        let go =
            verify_go(&good, &signature, &signers, &good_expectation(), fixed_now()).expect(kind);
        assert_eq!(go.principal(), OWNER);
        assert!(keygen_accepts(dir.path(), &text, &good, &signature), "{kind} {bits:?}");
        let mut tampered = good.clone();
        tampered[10] ^= 1;
        let result = verify_go(&tampered, &signature, &signers, &good_expectation(), fixed_now());
        assert_eq!(broken_rule(result), "signature", "{kind} {bits:?}");
        assert!(!keygen_accepts(dir.path(), &text, &tampered, &signature), "{kind} {bits:?}");
    }
}

/// Those of security keys as well, which a test can make without one.
fn what_a_security_key_signs_is_accepted_by_both_once_it_was_touched() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = document_bytes(&good_document());
    for kind in SecurityKey::ALL {
        let begins = match kind {
            SecurityKey::Ed25519 => "sk-ssh-ed25519@openssh.com ",
            SecurityKey::Ecdsa => "sk-ecdsa-sha2-nistp256@openssh.com ",
        };
        for (flags, expected) in [(1, BothAccept), (5, BothAccept), (0, OnlyWeRefuse)] {
            let what = format!("{kind:?}, flags {flags}");
            let (public, signature) = kind.signature(&good, flags);
            assert!(public.starts_with(begins), "{public}");
            let text = format!("{OWNER} namespaces=\"{NAMESPACE}\" {public}\n");
            assert_eq!(said(dir.path(), &text, &good, &signature), expected, "{what}");
            assert_eq!(said(dir.path(), &text, b"another", &signature), BothRefuse, "{what}");
        }
    }
}

/// A good signature by the owner's RSA key, but over SHA-1: ssh-keygen itself makes none any more.
/// The same bytes over SHA-512 are accepted, so that nothing else is wrong with them.
fn a_sha1_signature_is_refused_by_both() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let args = ["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", "key"];
    assert!(ssh_keygen(dir.path(), &args));
    let public = fs::read_to_string(dir.path().join("key.pub")).expect("a key");
    let text = format!("{OWNER} namespaces=\"{NAMESPACE}\" {public}");
    let public = PublicKey::from_openssh(&public).expect("a key");
    let good = document_bytes(&good_document());
    fs::write(dir.path().join("asked"), data_to_sign(&good)).expect("written");
    let table = [
        ("-sha512", "rsa-sha2-512", BothAccept),
        ("-sha256", "rsa-sha2-256", BothAccept),
        ("-sha1", "ssh-rsa", BothRefuse),
        ("-sha1", "rsa-sha2-512", BothRefuse),
        ("-sha512", "ssh-rsa", BothRefuse),
    ];
    for (hash, algorithm, expected) in table {
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", hash, "-sign", "key", "-out", "raw", "asked"]);
        let status = openssl.current_dir(dir.path()).status().expect("openssl runs");
        assert!(status.success(), "openssl dgst {hash}");
        let raw = fs::read(dir.path().join("raw")).expect("signed");
        let signature = make_sshsig(&public, algorithm, &raw, &[]);
        let given = said(dir.path(), &text, &good, &signature);
        assert_eq!(given, expected, "{hash} as {algorithm}");
    }
}

/// Who accepts a signature by an allowed signers' file.
fn said(dir: &Path, signers: &str, document: &[u8], signature: &str) -> Says {
    let we = AllowedSigners::parse(signers).is_ok_and(|signers| {
        verify_go(document, signature, &signers, &good_expectation(), fixed_now()).is_ok()
    });
    match (we, keygen_accepts(dir, signers, document, signature)) {
        (true, true) => BothAccept,
        (false, false) => BothRefuse,
        (false, true) => OnlyWeRefuse,
        (true, false) => OnlyWeAccept,
    }
}

fn an_rsa_key_of_1024_bits_is_too_short() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    assert!(ssh_keygen(dir.path(), &["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", "key"]));
    let public = fs::read_to_string(dir.path().join("key.pub")).expect("a key");
    let error = AllowedSigners::parse(&format!("{OWNER} {public}")).expect_err("too short");
    assert!(error.why.contains("1024 bits"), "{error}");
}

fn what_is_signed_here_is_accepted_by_ssh_keygen() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let granted = self_grant(&[7; 32], &good_document()).expect("granted");
    let line = granted.allowed_signers.replace(SELF_PRINCIPAL, OWNER);
    let accepts = |document: &[u8]| keygen_accepts(dir.path(), &line, document, &granted.signature);
    assert!(accepts(&granted.document));
    assert!(!accepts(b"another document"), "the check can fail");
}

/// Everything that ssh-keygen refuses, we refuse; where we are stricter, the table says so.
fn allowed_signers_are_read_as_ssh_keygen_reads_them() {
    let ours = format_public_key(&make_key(1));
    let theirs = format_public_key(&make_key(2));
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
    let good = document_bytes(&good_document());
    let signature = sign_message(&make_key(1), NAMESPACE, &good);
    assert!(table.iter().all(|(expected, _)| *expected != OnlyWeAccept));
    let wrong = table.into_iter().filter_map(|(expected, text)| {
        let given = said(dir.path(), &text, &good, &signature);
        (given != expected).then(|| format!("{given:?}, and not {expected:?}: {text}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

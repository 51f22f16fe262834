//! Seals by the stock ssh-keygen, and who else judges them: `ssh-keygen -Y verify`, PyPI's sshsig, and
//! in-toto's own package the statement.

use std::fs;
use std::fs::File;
use std::process::Command;

use reports::folder::EVIDENCE_FILE;
use reports::journal::JOURNAL_FILE;
use reports::seal::{
    ATTESTATION_FILE, COUNTERSIGN_NAMESPACE, COUNTERSIGNATURE_FILE, SEAL_FILE, SEAL_NAMESPACE,
};
use serde_json::Value;

use super::place::{OWNER, Place, keygen};
use crate::referee::{find, python};

const OPERATOR: &str = "operator@example.com";

/// A run of the owner's go, and the signers of both as somebody outside keeps them.
fn granted() -> Place {
    let place = Place::new();
    keygen(&place.path(""), &["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", "operator"]);
    let text = format!(
        "{OWNER} namespaces=\"lab-smoke-go,{COUNTERSIGN_NAMESPACE}\" {}\n\
         {OPERATOR} namespaces=\"{SEAL_NAMESPACE}\" {}\n",
        place.public("owner"),
        place.public("operator")
    );
    fs::write(place.path("trusted"), text).expect("written");
    place.preflight("run");
    place.go("run");
    place
}

fn says(place: &Place, words: &str, code: i32, text: &str) {
    let answer = place.call(&words.split_whitespace().collect::<Vec<_>>());
    assert_eq!(answer.code, Some(code), "{words}: {answer:?}");
    assert!(answer.out.contains(text) || answer.err.contains(text), "{words}: {answer:?}");
}

pub fn sealed_and_countersigned() {
    let place = granted();
    let outside = "--allowed-signers trusted";
    says(&place, "verify run", 0, "open: parked");
    says(&place, &format!("verify run {outside} --sealed"), 9, "not: sealed");
    says(&place, "seal run --key operator", 2, "the run has not ended");
    assert_eq!(place.code("resume run"), 0);
    let journal = fs::read(place.path("run").join(JOURNAL_FILE)).expect("a journal");

    says(&place, "verify run", 0, "cannot be told from never sealed");
    says(&place, "verify run", 0, "signer not established");
    says(&place, &format!("verify run {outside}"), 0, "go: by owner@example.com");
    says(&place, &format!("verify run {outside} --sealed"), 9, "not sealed as a whole");
    says(&place, "countersign run --key owner", 2, "there is no seal");
    says(&place, "seal run --key operator", 0, SEAL_FILE);
    says(
        &place,
        &format!("verify run {outside} --sealed"),
        0,
        "holds: sealed: by operator@example.com",
    );
    says(&place, "verify run --sealed", 9, "signer not established");
    says(&place, "countersign run --key owner", 0, COUNTERSIGNATURE_FILE);
    says(&place, &format!("verify run {outside}"), 0, "holds: countersigned: by owner@example.com");
    assert!(fs::read(place.path("run").join(JOURNAL_FILE)).expect("a journal") == journal);

    says(&place, "pack run --out run.tar", 0, "run.tar");
    says(&place, &format!("verify run.tar {outside} --sealed"), 0, "holds: countersigned");
    judged_by_ssh_keygen(&place);
    judged_by_python(&place);
    // A stranger's seal is not the operator's.
    says(&place, "seal run --key stranger", 0, SEAL_FILE);
    assert!(!place.path("run").join(COUNTERSIGNATURE_FILE).exists(), "it was of another seal");
    says(&place, &format!("verify run {outside}"), 0, "do not allow");
    says(&place, &format!("verify run {outside} --sealed"), 9, "do not allow");
    fs::write(place.path("run").join(EVIDENCE_FILE), "{}").expect("written");
    says(&place, "verify run", 9, "evidence.json is not what the journal says");
    says(&place, "seal run --key operator", 9, "something of it does not hold");
}

fn judged_by_ssh_keygen(place: &Place) {
    let verify = |signer: &str, namespace: &str, signature: &str| {
        let statement = File::open(place.path("run").join(ATTESTATION_FILE)).expect("a statement");
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-f"]).arg(place.path("trusted"));
        command.args(["-I", signer, "-n", namespace, "-s"]).arg(place.path("run").join(signature));
        command.stdin(statement).output().expect("it starts").status.success()
    };
    assert!(verify(OPERATOR, SEAL_NAMESPACE, SEAL_FILE));
    assert!(verify(OWNER, COUNTERSIGN_NAMESPACE, COUNTERSIGNATURE_FILE));
    assert!(!verify(OWNER, SEAL_NAMESPACE, SEAL_FILE), "the owner has not sealed it");
}

const JUDGES: &str = "
import sys
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
import sshsig
folder, key, tampered = sys.argv[1:4]
text = open(folder + '/attestation.json', 'rb').read()
statement = Statement.copy_from_pb(json_format.Parse(text, statement_pb2.Statement()))
statement.validate()
predicate = json_format.MessageToDict(statement.pb.predicate)
assert predicate['result'] == 'PASSED', predicate
for entry in predicate['configuration']:
    json_format.ParseDict(entry, ResourceDescriptor().pb)
    assert entry.get('digest') or entry.get('uri'), entry
if tampered == 'yes':
    text = text.replace(b'PASSED', b'FAILED')
signer = sshsig.check_signature(text, open(folder + '/attestation.json.sig').read(), 'lab-smoke-seal')
assert str(signer).split()[:2] == open(key).read().split()[:2], str(signer)
";

fn judged_by_python(place: &Place) {
    if let Err(reason) = find("sshsig, in_toto_attestation") {
        let required = std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1");
        assert!(!required, "{reason}");
        return;
    }
    for (tampered, holds) in [("no", true), ("yes", false)] {
        let mut command = Command::new(python());
        command.args(["-B", "-c", JUDGES]).arg(place.path("run")).arg(place.path("operator.pub"));
        let judged = command.arg(tampered).output().expect("it starts");
        let said = String::from_utf8_lossy(&judged.stderr);
        assert_eq!(judged.status.success(), holds, "tampered: {tampered}: {said}");
        assert!(holds || said.contains("InvalidSignature"), "{said}");
    }
}

/// A key with a passphrase, or none at all: the run's own answer stays, and nobody is asked.
pub fn a_seal_that_fails_changes_nothing() {
    let place = Place::new();
    let words = ["-q", "-t", "ed25519", "-N", "a passphrase", "-C", "locked", "-f", "locked"];
    keygen(&place.path(""), &words);
    let answer = place.call(&["run", "--out", "locked-run", "--seal", "locked"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.err.contains("unsealed: ssh-keygen did not sign"), "{answer:?}");
    assert!(!place.path("locked-run").join(SEAL_FILE).exists());
    let open = place.call(&["run", "--out", "open", "--wait-go", "1s", "--seal", "owner"]);
    assert_eq!(open.code, Some(3), "{open:?}");
    assert!(open.err.contains("unsealed: the run has not ended"), "{open:?}");

    let sealed = place.call(&["run", "--out", "sealed", "--seal", "owner"]);
    assert_eq!((sealed.code, sealed.err.as_str()), (Some(0), ""), "{sealed:?}");
    let statement = fs::read(place.path("sealed").join(ATTESTATION_FILE)).expect("a statement");
    let statement: Value = serde_json::from_slice(&statement).expect("JSON");
    assert_eq!(statement["predicate"]["labSmoke"]["verdict"], "pass");
    let failed = ["run", "--out", "failed", "--inject", "ssh-port-closed", "--seal", "owner"];
    assert_eq!(place.call(&failed).code, Some(1));
    let statement = fs::read(place.path("failed").join(ATTESTATION_FILE)).expect("a statement");
    let statement: Value = serde_json::from_slice(&statement).expect("JSON");
    assert_eq!(statement["predicate"]["result"], "FAILED");
}

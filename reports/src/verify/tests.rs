//! Whoever changes a run is found by the tier that claims it. The run is small: each of its bytes is
//! flipped, each record cut off, removed, repeated and swapped, and the journal chained anew.

use chrono::TimeDelta;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey, SshSig};

use super::*;
use crate::evidence::fold_records;
use crate::folder::{EVIDENCE_FILE, GO_FILE, GO_SIGNATURE_FILE};
use crate::go::{GO_VERSION, GoDocument, NAMESPACE};
use crate::record::{GoBurnt, GoVerified, LabKind};
use crate::sample::{Sample, pending_run, start_time};
use crate::seal::{
    ATTESTATION_FILE, COUNTERSIGN_NAMESPACE, COUNTERSIGNATURE_FILE, SEAL_FILE, SEAL_NAMESPACE,
    state_run,
};
use crate::shown::read_shown;

const OWNER: &str = "owner@example.com";
const OPERATOR: &str = "operator@example.com";
const SIGNATURES: [&str; 3] = [GO_SIGNATURE_FILE, SEAL_FILE, COUNTERSIGNATURE_FILE];

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn sign(seed: u8, namespace: &str, bytes: &[u8]) -> Vec<u8> {
    let signature = key(seed).sign(namespace, HashAlg::Sha512, bytes).expect("signed");
    signature.to_pem(LineEnding::LF).expect("PEM").into_bytes()
}

/// The owner has key 1, the operator key 2.
fn signers() -> AllowedSigners {
    let public = |seed| key(seed).public_key().to_openssh().expect("a key");
    let text = format!(
        "{OWNER} namespaces=\"{NAMESPACE},{COUNTERSIGN_NAMESPACE}\" {}\n\
         {OPERATOR} namespaces=\"{SEAL_NAMESPACE}\" {}\n",
        public(1),
        public(2)
    );
    AllowedSigners::parse(&text).expect("signers")
}

fn lines(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| serde_json::to_string(record).expect("JSON")).collect()
}

fn journal(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

fn go_document(run: &Sample) -> Vec<u8> {
    let records = run.records();
    let shown = read_shown(&records).expect("nothing differs");
    let (facts, plan) = shown.facts.zip(shown.plan).expect("it was asked for");
    let document = GoDocument {
        version: GO_VERSION,
        run_id: "run-1".into(),
        facts_digest: facts.facts_digest.clone(),
        change_set: facts.change_set.clone(),
        undo_plan_digest: plan.digest.clone(),
        lab_fingerprint: facts.lab_fingerprint.clone(),
        lab_kind: LabKind::Mock,
        principal: OWNER.into(),
        not_before: start_time(),
        not_after: start_time() + TimeDelta::hours(1),
    };
    document.to_bytes().expect("JSON")
}

/// At most 20 records and 20 kB, with a go and both seals.
fn fixture() -> Bundle {
    let mut run = pending_run();
    let document = go_document(&run);
    let records = run.records();
    let plan = read_shown(&records).expect("nothing differs").plan.expect("a plan");
    run.push(Kind::GoVerified(GoVerified {
        go_digest: Digest::of(&document),
        principal: OWNER.into(),
        key_fingerprint: key(1).fingerprint(HashAlg::Sha256).to_string(),
        not_before: start_time(),
        not_after: start_time() + TimeDelta::hours(1),
        undo_plan_digest: plan.digest.clone(),
        self_granted: false,
    }));
    let path = "/var/lib/lab-smoke/burnt".to_owned();
    run.push(Kind::GoBurnt(GoBurnt { go_digest: Digest::of(&document), path }));
    let mut bundle = Bundle::default();
    bundle.put(&format!("attachments/{}", Digest::of("raw")), b"raw".to_vec());
    bundle.put(GO_SIGNATURE_FILE, sign(1, NAMESPACE, &document));
    bundle.put(GO_FILE, document);
    put_run(&mut bundle, &of_this_version(&run.records_with_end()));
    seal(&mut bundle);
    bundle
}

/// The same run, as if this very version had written it: its evidence is compared byte for byte.
fn of_this_version(records: &[Record]) -> Vec<Record> {
    let mut records = records.to_vec();
    if let Some(Kind::RunStarted(started)) = records.first_mut().map(|record| &mut record.kind) {
        started.tool.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    }
    chain_anew(&records)
}

/// The journal and its evidence, as anybody can write them anew.
fn put_run(bundle: &mut Bundle, records: &[Record]) {
    let lines = lines(records);
    let head = lines.last().map_or_else(Digest::zero, Digest::of);
    let evidence = fold_records(records, &head).to_json().expect("JSON");
    bundle.put(JOURNAL_FILE, journal(&lines));
    bundle.put(EVIDENCE_FILE, evidence.into_bytes());
}

fn seal(bundle: &mut Bundle) {
    let chain = read_chain(bundle.file(JOURNAL_FILE).expect("a journal")).expect("it holds");
    let statement = state_run(&chain.records, &chain.head).expect("it has ended");
    bundle.put(SEAL_FILE, sign(2, SEAL_NAMESPACE, &statement));
    bundle.put(COUNTERSIGNATURE_FILE, sign(1, COUNTERSIGN_NAMESPACE, &statement));
    bundle.put(ATTESTATION_FILE, statement);
}

fn unsealed(mut bundle: Bundle) -> Bundle {
    for name in [ATTESTATION_FILE, SEAL_FILE, COUNTERSIGNATURE_FILE] {
        bundle.remove(name);
    }
    bundle
}

fn with(bundle: &Bundle, name: &str, bytes: Vec<u8>) -> Bundle {
    let mut changed = bundle.clone();
    changed.put(name, bytes);
    changed
}

/// The exit code without signers, and the one of `--sealed` with them.
fn answers(bundle: &Bundle) -> (u8, u8) {
    let code = |signers: Option<&AllowedSigners>, demand| {
        verify_bundle(bundle, signers).map_or(9, |found| found.exit_code(demand))
    };
    (code(None, Demand::Consistent), code(Some(&signers()), Demand::Sealed))
}

fn records(bundle: &Bundle) -> Vec<Record> {
    read_chain(bundle.file(JOURNAL_FILE).expect("a journal")).expect("it holds").records
}

/// Numbers and chains them again, as whoever can write the folder can.
fn chain_anew(records: &[Record]) -> Vec<Record> {
    let mut prev = Digest::zero();
    let mut at = start_time();
    let mut chained = Vec::new();
    for (seq, record) in records.iter().enumerate() {
        at = at.max(record.at);
        let record = Record { seq: seq as u64, prev, at, kind: record.kind.clone() };
        prev = Digest::of(serde_json::to_string(&record).expect("JSON"));
        chained.push(record);
    }
    chained
}

#[test]
fn the_fixture_is_small_and_every_tier_of_it_holds() {
    let bundle = fixture();
    assert!(records(&bundle).len() <= 20);
    let bytes: usize = bundle.names().filter_map(|name| bundle.file(name)).map(<[u8]>::len).sum();
    assert!(bytes <= 20_000, "{bytes}");
    let found = verify_bundle(&bundle, Some(&signers())).expect("a chain");
    assert_eq!(found.problems, Vec::<String>::new());
    assert!(found.wholly_sealed(), "{found:?}");
    assert!(matches!(&found.go, GoFound::Allowed { principal, .. } if principal == OWNER));
    let Countersigned::Yes { principals, .. } = &found.countersigned else { panic!("{found:?}") };
    assert_eq!(principals, &[OWNER]);
    assert_eq!(answers(&bundle), (0, 0));
    let words = describe_verification(&found).join("\n");
    for tier in ["holds: consistent", "holds: sealed", "holds: countersigned"] {
        assert!(words.contains(tier), "{words}");
    }
}

/// Whether two signatures are the same one, written with other white space.
fn same_signature(one: &[u8], other: &[u8]) -> bool {
    let read = |bytes| SshSig::from_pem(bytes).ok();
    read(one).is_some() && read(one) == read(other)
}

#[test]
fn each_byte_that_is_flipped_is_found_without_a_signer() {
    let bundle = fixture();
    let names: Vec<_> = bundle.names().map(str::to_owned).collect();
    let (mut flipped, mut harmless) = (0, 0);
    for name in &names {
        let bytes = bundle.file(name).expect("it is there").to_vec();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            flipped += 1;
            let (consistent, sealed) = answers_fast(&with(&bundle, name, other.clone()));
            if SIGNATURES.contains(&name.as_str()) && same_signature(&bytes, &other) {
                harmless += 1;
                continue;
            }
            // The countersignature is nothing that a seal rests on, and broken all the same.
            assert_eq!((consistent, sealed), (9, 9), "{name}, byte {at}");
        }
    }
    assert!(flipped > 10_000 && harmless < 50, "{flipped} flipped, {harmless} harmless");
}

fn answers_fast(bundle: &Bundle) -> (u8, u8) {
    let (consistent, sealed) = (Demand::Consistent, Demand::Sealed);
    let found = verify_bundle(bundle, None);
    found.map_or((9, 9), |found| (found.exit_code(consistent), found.exit_code(sealed)))
}

/// A journal that is cut between two records is whole in itself: what was written over it tells.
#[test]
fn a_tail_that_is_cut_off_is_found_by_the_evidence_and_by_the_seal() {
    let bundle = fixture();
    let all = records(&bundle);
    for kept in 0..all.len() {
        let bytes = journal(&lines(&all[..kept]));
        assert_eq!(answers(&with(&bundle, JOURNAL_FILE, bytes)), (9, 9), "{kept} records are left");
        let mut rewritten = bundle.clone();
        put_run(&mut rewritten, &all[..kept]);
        assert_eq!(answers(&rewritten), (9, 9), "the seal is of more than {kept} records");
        // Tail and seal together: the files agree, and nothing says that there ever was more.
        let bare = unsealed(rewritten);
        let found = verify_bundle(&bare, Some(&signers())).expect("a chain");
        assert_eq!((found.state, found.exit_code(Demand::Sealed)), (JournalState::Open, 9));
        let words = describe_verification(&found).join("\n");
        assert!(kept == 0 || words.contains("cannot be told from never sealed"), "{words}");
    }
}

#[test]
fn a_torn_line_is_open_and_never_sealed_as_a_whole() {
    let bundle = fixture();
    let mut bytes = bundle.file(JOURNAL_FILE).expect("a journal").to_vec();
    bytes.extend_from_slice(b"{\"seq\":");
    let torn = with(&bundle, JOURNAL_FILE, bytes);
    let found = verify_bundle(&torn, Some(&signers())).expect("a chain");
    assert_eq!(found.state, JournalState::Open);
    assert_eq!((found.exit_code(Demand::Consistent), found.exit_code(Demand::Sealed)), (0, 9));
    let pending = pending_run().records();
    let mut open = Bundle::default();
    put_run(&mut open, &pending);
    open.put(&format!("attachments/{}", Digest::of("raw")), b"raw".to_vec());
    assert_eq!(answers(&open), (0, 9), "an owner verifies before the go");
}

#[test]
fn records_that_are_removed_repeated_or_swapped_are_found_and_chained_anew_by_the_seal() {
    let bundle = fixture();
    let all = records(&bundle);
    for at in 0..all.len() {
        let mut removed = all.clone();
        removed.remove(at);
        let mut repeated = all.clone();
        repeated.insert(at, all[at].clone());
        let mut swapped = all.clone();
        swapped.swap(at, (at + 1) % all.len());
        for (how, changed) in [("removed", removed), ("repeated", repeated), ("swapped", swapped)] {
            let plain = with(&bundle, JOURNAL_FILE, journal(&lines(&changed)));
            assert_eq!(answers(&plain), (9, 9), "{how} at {at}");
            let mut rewritten = bundle.clone();
            let anew = chain_anew(&changed);
            put_run(&mut rewritten, &anew);
            // What was added behind the seal leaves what was sealed as it is.
            let behind = anew.starts_with(&all);
            let code = if behind { 0 } else { 9 };
            assert_eq!(
                answers(&rewritten),
                (code, 9),
                "{how} at {at}, chained anew, sealed before"
            );
            if behind {
                let found = verify_bundle(&rewritten, Some(&signers())).expect("a chain");
                let words = describe_verification(&found).join("\n");
                assert!(words.contains("up to record 16 of 17"), "{words}");
            }
            assert_eq!(answers(&unsealed(rewritten)).1, 9, "{how} at {at}: it is sealed by nobody");
        }
    }
}

/// Whoever rewrites everything and seals it himself is nobody whom the signers allow.
#[test]
fn a_seal_by_a_stranger_or_for_another_purpose_is_no_seal() {
    let bundle = fixture();
    let statement = bundle.file(ATTESTATION_FILE).expect("a statement").to_vec();
    let stranger = with(&bundle, SEAL_FILE, sign(3, SEAL_NAMESPACE, &statement));
    assert_eq!(answers(&stranger), (0, 9));
    let found = verify_bundle(&stranger, Some(&signers())).expect("a chain");
    assert!(matches!(found.countersigned, Countersigned::NotEstablished(_)), "{found:?}");
    // The owner's key is for goes and countersignatures.
    let owner = with(&bundle, SEAL_FILE, sign(1, SEAL_NAMESPACE, &statement));
    assert_eq!(answers(&owner), (0, 9));
    let go = with(&bundle, SEAL_FILE, sign(2, NAMESPACE, &statement));
    assert_eq!(answers(&go), (9, 9), "it is signed as a go");
    let own = with(&bundle, COUNTERSIGNATURE_FILE, sign(2, COUNTERSIGN_NAMESPACE, &statement));
    let found = verify_bundle(&own, Some(&signers())).expect("a chain");
    assert!(matches!(found.countersigned, Countersigned::NotEstablished(_)), "{found:?}");
    for name in [ATTESTATION_FILE, SEAL_FILE] {
        let mut half = bundle.clone();
        half.remove(name);
        assert_eq!(answers(&half), (9, 9), "{name} is gone");
    }
    let words = describe_verification(&verify_bundle(&bundle, None).expect("a chain")).join("\n");
    assert!(words.contains("signer not established"), "{words}");
}

#[test]
fn a_go_of_nobody_whom_the_signers_allow_does_not_hold() {
    let only = key(3).public_key().to_openssh().expect("a key");
    let strangers = AllowedSigners::parse(&format!("{OWNER} {only}\n")).expect("signers");
    let found = verify_bundle(&fixture(), Some(&strangers)).expect("a chain");
    assert_eq!((found.go.clone(), found.exit_code(Demand::Consistent)), (GoFound::Broken, 9));
    let mut without = fixture();
    without.remove(GO_FILE);
    assert_eq!(answers(&without), (9, 9), "the go is gone");
    let mut aside = fixture();
    for name in [GO_FILE, GO_SIGNATURE_FILE] {
        let bytes = aside.remove(name).expect("a go");
        aside.put(&format!("{name}.1"), bytes);
        aside.put(name, b"a later one, which was refused".to_vec());
    }
    assert_eq!(answers(&aside), (0, 0), "an earlier go stays beside a later one");
}

#[test]
fn an_attachment_that_is_gone_is_found_and_one_too_many_is_said() {
    let raw = format!("attachments/{}", Digest::of("raw"));
    let mut without = fixture();
    without.remove(&raw);
    assert_eq!(answers(&without), (9, 9));
    let more = with(&fixture(), &format!("attachments/{}", Digest::of("more")), b"more".to_vec());
    assert_eq!(answers(&more), (0, 0));
    let found = verify_bundle(&more, None).expect("a chain");
    assert!(found.notes.iter().any(|note| note.contains("named by no record")), "{found:?}");
}

/// The journal's schema is the same, and the tool's version another: its bytes may be as true.
#[test]
fn evidence_of_another_version_is_compared_by_its_facts() {
    let mut other = Bundle::default();
    let mut records = pending_run().records_with_end();
    if let Kind::RunStarted(started) = &mut records[0].kind {
        started.tool.version = Some("0.0.9".into());
    }
    put_run(&mut other, &chain_anew(&records));
    other.put(&format!("attachments/{}", Digest::of("raw")), b"raw".to_vec());
    let text = String::from_utf8(other.file(EVIDENCE_FILE).expect("evidence").to_vec());
    let text = text.expect("UTF-8");
    for (from, to, code, says) in [
        ("\n", " \n", 0, "was written by another version"),
        ("123456789012", "210987654321", 9, "`facts` is not what the journal says"),
        ("\"exit_code\"", "\"exit\"", 9, "`verdict` is not what the journal says"),
        ("{", "", 9, "is not what the journal says"),
    ] {
        let changed = with(&other, EVIDENCE_FILE, text.replace(from, to).into_bytes());
        let found = verify_bundle(&changed, None).expect("a chain");
        assert_eq!(found.exit_code(Demand::Consistent), code, "{from}: {found:?}");
        let said = [found.problems.as_slice(), &found.notes].concat().join("\n");
        assert!(said.contains(says), "{said}");
    }
}

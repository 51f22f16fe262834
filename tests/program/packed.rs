//! A run that is given to others: packed, listed, and verified by whoever has its files.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lab_smoke_tests::extent::is_exhaustive;
use reports::bundle::Bundle;
use reports::digest::Digest;
use reports::folder::EVIDENCE_FILE;
use reports::journal::{ATTACHMENTS_DIR, JOURNAL_FILE, read_chain};
use reports::verify::{Demand, verify_bundle};
use serde_json::Value;
use tempfile::TempDir;

struct Place(TempDir);

#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn call(&self, line: &str) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
        command.args(line.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Answer { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    fn code(&self, line: &str) -> i32 {
        let answer = self.call(line);
        answer.code.unwrap_or_else(|| panic!("{line}: {answer:?}"))
    }
}

#[test]
fn a_run_is_packed_twice_to_the_same_private_bytes() {
    let place = Place::new();
    assert_eq!(place.code("run --seed 7 --out one"), 0);
    assert_eq!(place.code("run --seed 7 --out two"), 0);
    assert_eq!(place.call("pack one").out, "one.tar\n");
    assert_eq!(place.code("pack two --out elsewhere.tar"), 0);
    let packed = fs::read(place.path("one.tar")).expect("an archive");
    assert!(packed == fs::read(place.path("elsewhere.tar")).expect("an archive"));
    let mode = fs::metadata(place.path("one.tar")).expect("an archive").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = place.call("pack one");
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(fs::read(place.path("one.tar")).expect("an archive") == packed, "it was written over");
    let bundle = Bundle::read(&place.path("one.tar")).expect("an archive");
    assert!(bundle.names().all(|name| !["run.json", "lock", "world.json"].contains(&name)));
    for run in ["one", "one.tar"] {
        let verified = place.call(&format!("verify {run}"));
        assert_eq!(verified.code, Some(0), "{verified:?}");
        assert!(verified.out.contains("ended: pass (exit 0)"), "{verified:?}");
        assert!(verified.out.contains("the lab granted it to itself"), "{verified:?}");
    }
}

#[test]
fn what_is_no_run_and_what_was_changed_are_told_apart() {
    let place = Place::new();
    assert_eq!(place.code("run --out here"), 0);
    assert_eq!(place.code("verify nowhere"), 2);
    assert_eq!(place.code("verify here --allowed-signers nowhere"), 2);
    fs::write(place.path("signers"), "owner@example.com nonsense\n").expect("written");
    assert_eq!(place.code("verify here --allowed-signers signers"), 2);
    fs::write(place.path("no.tar"), "no archive").expect("written");
    assert_eq!(place.code("verify no.tar"), 9);
    assert_eq!(place.code("pack nowhere"), 2);
    let journal = place.path("here").join(JOURNAL_FILE);
    let text = fs::read_to_string(&journal).expect("a journal");
    fs::write(&journal, text.replacen("preflight", "preflighT", 1)).expect("written");
    let changed = place.call("verify here");
    assert_eq!(changed.code, Some(9), "{changed:?}");
    assert!(changed.err.contains("does not hold: journal line"), "{changed:?}");
}

#[test]
fn runs_are_listed_and_the_latest_has_a_name() {
    let place = Place::new();
    assert_eq!(place.call("runs").out, "");
    let first = place.call("run --seed 1").out;
    let second = place.call("run --seed 2 --inject ssh-port-closed").out;
    let last = |text: &str| text.lines().last().expect("a line").to_owned();
    let (first, second) = (last(&first), last(&second));
    fs::create_dir(place.path("lab-smoke-runs/notes")).expect("made");
    fs::create_dir(place.path("lab-smoke-runs/broken")).expect("made");
    fs::write(place.path("lab-smoke-runs/broken/journal.jsonl"), "{}\n").expect("written");
    let list = place.call("runs --format json");
    assert_eq!(list.code, Some(0), "{list:?}");
    let list: Vec<Value> = serde_json::from_str(&list.out).expect("JSON");
    let of = |folder: &str| list.iter().find(|it| it["folder"] == folder).expect("it is listed");
    assert_eq!(list.len(), 3, "{list:?}");
    assert_eq!((&of(&first)["state"], &of(&first)["verdict"]), (&"ended".into(), &"pass".into()));
    assert_eq!(of(&second)["exit_code"], 1);
    assert_eq!(of("lab-smoke-runs/broken")["state"], "unreadable");
    let people = place.call("runs").out;
    assert!(people.contains(&format!("{first}  ended  pass (exit 0)\n")), "{people}");

    // The run itself and not the link: another may be the latest soon.
    let report = place.call("report latest");
    assert_eq!((report.code, report.out), (Some(0), format!("{second}/{EVIDENCE_FILE}\n")));
    assert_eq!(
        place.call("pack latest").out,
        format!("{}.tar\n", &second["lab-smoke-runs/".len()..])
    );
    // Somebody's own file of that name stays.
    let link = place.path("lab-smoke-runs/latest");
    fs::remove_file(&link).expect("removed");
    fs::write(&link, "mine").expect("written");
    assert_eq!(place.code("run --seed 3"), 0);
    assert_eq!(fs::read_to_string(&link).expect("a file"), "mine");
    fs::remove_file(&link).expect("removed");
    symlink("../elsewhere", &link).expect("linked");
    assert_eq!(place.code("report latest"), 2);
}

/// Runs that ended in each way, and one that waits: what a run leaves, its verification takes.
#[test]
fn every_run_that_nobody_touched_holds() {
    let place = Place::new();
    let faults = ["ssh-port-closed", "masquerade", "foreign-holder", "executor-denied"];
    for fault in faults {
        let words = format!("run --seed 7 --inject {fault} --out {fault}");
        assert_ne!(place.code(&words), 0, "{fault}");
        let verified = place.call(&format!("verify {fault}"));
        assert_eq!(verified.code, Some(0), "{fault}: {verified:?}");
        assert!(verified.out.starts_with("ended: "), "{verified:?}");
    }
    assert_eq!(place.code("preflight --seed 7 --out asks"), 3);
    let verified = place.call("verify asks");
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.out.contains("open: "), "{verified:?}");
    assert_eq!(place.code("recover asks"), 0);
    assert_eq!(place.code("verify asks"), 0);
}

/// Bytes of a whole run, flipped one at a time. Whether the chain breaks is asked of the very lines that
/// it goes through, since a journal is read from its beginning; the whole verification is asked at some.
#[test]
fn a_byte_of_a_whole_run_that_is_flipped_is_found() {
    let place = Place::new();
    assert_eq!(place.code("run --seed 7 --out here"), 0);
    let bundle = Bundle::read(&place.path("here")).expect("a run");
    assert_eq!(answer(&bundle), 0);
    let step = if is_exhaustive() { 1 } else { 97 };
    let journal = bundle.file(JOURNAL_FILE).expect("a journal").to_vec();
    let chain = read_chain(&journal).expect("it holds");
    let heads = chain.records.iter().skip(1).map(|it| &it.prev).chain([&chain.head]);
    let mut start = 0;
    for (line, head) in journal.split_inclusive(|byte| *byte == b'\n').zip(heads) {
        for at in (start..start + line.len() - 1).filter(|at| at % step == 0) {
            let mut line = line[..line.len() - 1].to_vec();
            line[at - start] ^= 1;
            // The next line, or the evidence, names the digest of this one.
            assert_ne!(Digest::of(&line), *head, "byte {at} of the journal");
        }
        start += line.len();
    }
    // Its name is the digest of the whole: where it is flipped makes no difference.
    let attachments = bundle.names().filter_map(|name| name.strip_prefix("attachments/"));
    for name in attachments {
        let bytes = bundle.file(&format!("{ATTACHMENTS_DIR}/{name}")).expect("it is there");
        let mut flipped = bytes.to_vec();
        for at in (0..bytes.len()).step_by(step.max(bytes.len() / 100)) {
            flipped[at] ^= 1;
            assert_ne!(Digest::of(&flipped).as_str(), name, "byte {at}");
            flipped[at] ^= 1;
        }
    }
    whole(&bundle);
}

/// Some of the same, asked of the verification itself.
fn whole(bundle: &Bundle) {
    let raw = |name: &str| name.starts_with(ATTACHMENTS_DIR);
    let attachments = bundle.names().filter(|name| raw(name)).step_by(20);
    let names = bundle.names().filter(|name| !raw(name)).chain(attachments);
    for name in names.map(str::to_owned).collect::<Vec<_>>() {
        let bytes = bundle.file(&name).expect("it is there").to_vec();
        let few = if [JOURNAL_FILE, EVIDENCE_FILE].contains(&name.as_str()) { 12 } else { 1 };
        for nth in 0..few {
            let mut changed = bundle.clone();
            let mut flipped = bytes.clone();
            flipped[bytes.len() * (2 * nth + 1) / (2 * few)] ^= 1;
            changed.put(&name, flipped);
            assert_eq!(answer(&changed), 9, "{name}, {nth} of {few}");
        }
    }
}

fn answer(bundle: &Bundle) -> u8 {
    verify_bundle(bundle, None).map_or(9, |found| found.exit_code(Demand::Consistent))
}

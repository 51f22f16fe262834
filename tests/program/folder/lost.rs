//! The fate of a run whose journal or attachments somebody takes away.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use reports::evidence::Evidence;
use reports::folder::{EVIDENCE_FILE, WORLD_FILE};
use reports::journal::{ATTACHMENTS_DIR, JOURNAL_FILE};
use reports::record::{Kind, Permit, Record};

use super::place::{Place, TRIES, forward};

type Blow = fn(&Path);

const BLOWS: &[(&str, Blow)] = &[
    ("the journal removed", |run| fs::remove_file(run.join(JOURNAL_FILE)).expect("removed")),
    ("the journal emptied", |run| fs::write(run.join(JOURNAL_FILE), "").expect("emptied")),
    ("the journal replaced", |run| {
        let copy = fs::read(run.join(JOURNAL_FILE)).expect("read");
        fs::write(run.join("copy"), copy).expect("copied");
        fs::rename(run.join("copy"), run.join(JOURNAL_FILE)).expect("renamed");
    }),
    ("the folder moved", |run| fs::rename(run, run.with_file_name("moved")).expect("moved")),
    ("the folder removed", |run| fs::remove_dir_all(run).expect("removed")),
    ("the folder replaced", |run| {
        fs::rename(run, run.with_file_name("moved")).expect("moved");
        fs::create_dir(run).expect("made");
        fs::copy(run.with_file_name("moved").join(JOURNAL_FILE), run.join(JOURNAL_FILE))
            .expect("copied");
    }),
];

fn lost(records: &[Record]) -> Option<&str> {
    records.iter().find_map(|record| match &record.kind {
        Kind::JournalLost(lost) => Some(lost.why.as_str()),
        _ => None,
    })
}

/// Deals the blow to a run before it has begun anything; none where the run was too quick.
fn dealt(blow: Blow) -> Option<(Place, Option<i32>, Vec<Record>)> {
    let place = Place::new();
    let begun = place.begun();
    if forward(&place.records("run")) > 0 {
        begun.ends();
        return None;
    }
    blow(&place.path("run"));
    let (code, records) = begun.ends();
    Some((place, code, records))
}

#[test]
fn nothing_is_begun_without_a_journal_and_nobody_passes() {
    for (what, blow) in BLOWS {
        let dealt = (0..TRIES).find_map(|_| dealt(*blow));
        let (_place, code, records) = dealt.expect("one of many is slower than we are");
        assert!(matches!(code, Some(5 | 6)), "{what}: {code:?}");
        assert_eq!(forward(&records), 0, "{what}: something was begun");
        assert!(lost(&records).is_some(), "{what}: nothing says why");
    }
}

const ASKED_ONCE: &str = "\"source\":\"sts GetCallerIdentity\"";

/// A file of the folder that is removed while preflight keeps more.
#[test]
fn nothing_is_begun_without_what_the_journal_names() {
    let attachments: &[(&str, Blow)] = &[
        ("all", |run| fs::remove_dir_all(run.join(ATTACHMENTS_DIR)).expect("removed")),
        // What is read again is kept again: this is asked once.
        ("one", |run| {
            let journal = fs::read_to_string(run.join(JOURNAL_FILE)).expect("a journal");
            let line = journal.lines().find(|line| line.contains(ASKED_ONCE)).expect("its record");
            let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let digest = record["data"]["digest"].as_str().expect("a digest");
            fs::remove_file(run.join(ATTACHMENTS_DIR).join(digest)).expect("gone");
        }),
    ];
    for (what, blow) in attachments {
        let in_time = || {
            let place = Place::new();
            let begun = place.begun_until(ASKED_ONCE);
            let early = forward(&place.records("run")) == 0;
            if early {
                blow(&place.path("run"));
            }
            let (code, records) = begun.ends();
            early.then_some((code, records))
        };
        let (code, records) = (0..TRIES).find_map(|_| in_time()).expect("one is in time");
        assert!(matches!(code, Some(5 | 6)), "{what}: {code:?}");
        assert_eq!(forward(&records), 0, "{what}: something was begun");
        assert!(lost(&records).is_some(), "{what}: nothing says why");
    }
}

/// A change that was begun is taken back, and its records are in the folder that was moved.
#[test]
fn a_run_whose_folder_is_moved_is_taken_back_and_says_so_there() {
    let in_time = || {
        let place = Place::new();
        let begun = place.begun_until("\"kind\":\"go-burnt\"");
        let early = !place.journal("run").contains("\"scenario\":\"restored\"");
        fs::rename(place.path("run"), place.path("moved")).expect("moved");
        let (code, _) = begun.ends();
        early.then_some((place, code))
    };
    let (place, code) = (0..TRIES).find_map(|_| in_time()).expect("one is in time");
    let records = place.records("moved");
    assert!(lost(&records).is_some_and(|why| why.contains("was moved")), "{code:?}");
    assert!(matches!(code, Some(5 | 6)), "{code:?}");
    let undone = records.iter().any(
        |record| matches!(&record.kind, Kind::Intent(intent) if intent.permit == Permit::Undo),
    );
    assert!(undone, "what was begun is taken back");
    let report = place.call(&["report", "moved"]);
    assert_eq!(report.code, Some(0), "{report:?}");
    let evidence = fs::read(place.path("moved").join(EVIDENCE_FILE)).expect("evidence");
    let evidence: Evidence = serde_json::from_slice(&evidence).expect("evidence");
    let said = evidence.verdict.reasons.join("\n");
    assert!(said.contains("the run's own record is lost"), "{said}");
}

/// The next process would find another lab than the run left.
#[test]
fn a_mock_whose_world_cannot_be_kept_is_no_pass() {
    let place = Place::new();
    let begun = place.begun();
    let world = place.path("run").join(WORLD_FILE);
    fs::remove_file(&world).expect("removed");
    fs::create_dir_all(world.join("full")).expect("nothing is renamed onto it");
    let (code, records) = begun.ends();
    assert!(matches!(code, Some(5 | 6)), "{code:?}");
    let why = lost(&records).expect("it is said");
    assert!(why.contains("the mock's world cannot be kept"), "{why}");
    assert!(why.contains(WORLD_FILE), "{why}");
}

/// The owner decides on everything that preflight saw.
#[test]
fn a_run_does_not_go_on_without_an_attachment_that_its_journal_names() {
    let place = Place::new();
    assert_eq!(place.code("preflight --seed 3 --out run"), Some(3));
    let mut entries = fs::read_dir(place.path("run").join(ATTACHMENTS_DIR)).expect("readable");
    let gone = entries.next().expect("one").expect("readable").path();
    fs::remove_file(&gone).expect("removed");
    let answer = place.call(&["resume", "run"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let name = gone.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(answer.err.contains(&name), "{answer:?}");
    assert_eq!(place.code("recover run"), Some(0), "it is brought to its end");
}

/// In place, so that the file is the same one and as long as before.
#[test]
fn nobody_passes_whose_journal_was_overwritten() {
    let in_time = || {
        let place = Place::new();
        let begun = place.begun_until("\"kind\":\"go-burnt\"");
        let file = fs::OpenOptions::new().write(true).open(place.path("run").join(JOURNAL_FILE));
        let early = !place.journal("run").contains("run-finished");
        file.and_then(|file| file.write_at(b"XXXX", 500)).expect("overwritten");
        let (code, _) = begun.ends();
        early.then_some(code)
    };
    let code = (0..TRIES).find_map(|_| in_time()).expect("one is in time");
    assert!(matches!(code, Some(5 | 6)), "{code:?}");
}

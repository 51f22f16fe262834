//! The journal against torn lines, tampering, full disks and secrets.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::digest::Digest;
use crate::effect::Effect;
use crate::record::{
    Assertion, AssertionStatus, Intent, Interrupted, Kind, Outcome, OutcomeRecorded, Permit,
    Record, ScenarioStarted,
};
use crate::redact::Form;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_790_000_000 + seconds)
}

fn started(name: &str) -> Kind {
    Kind::ScenarioStarted(ScenarioStarted { scenario: name.into() })
}

fn outcome(detail: &str) -> Kind {
    let outcome = OutcomeRecorded::of("i-1", Outcome::Done);
    Kind::Outcome(OutcomeRecorded { detail: detail.into(), ..outcome })
}

fn intent(permit: Permit) -> Kind {
    Kind::Intent(Intent {
        id: "i-1".into(),
        scenario: "execute".into(),
        permit,
        effect: Effect::ReleaseLock { path: "/p".into() },
        undo: None,
    })
}

fn journal_of(names: &[String]) -> (tempfile::TempDir, Writer) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let writer = Writer::create(dir.path()).expect("a new journal");
    for (index, name) in (0_i64..).zip(names) {
        writer.append(at(index), started(name)).expect("written");
    }
    (dir, writer)
}

fn bytes_of(dir: &tempfile::TempDir) -> Vec<u8> {
    fs::read(dir.path().join(JOURNAL_FILE)).expect("readable")
}

#[test]
fn a_journal_is_read_back_as_it_was_written() {
    let (dir, writer) = journal_of(&["a".into(), "b".into()]);
    writer.append_synced(at(2), started("c")).expect("written");
    let chain = read_file(dir.path()).expect("it holds together");
    assert_eq!(chain.records, *writer.records());
    assert_eq!(chain.head, writer.head());
    Writer::create(dir.path()).expect_err("there is a journal already");
    drop(writer);
    let reopened = Writer::reopen(dir.path()).expect("it holds together");
    reopened.append(at(3), started("d")).expect("written");
    assert_eq!(verify_chain(&bytes_of(&dir)).expect("it holds together").len(), 4);
}

#[test]
fn a_record_names_the_digest_of_the_line_before() {
    let (dir, writer) = journal_of(&["a".into()]);
    let first = writer.head();
    writer.append(at(1), started("b")).expect("written");
    let text = String::from_utf8(bytes_of(&dir)).expect("UTF-8");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[1],
        format!(
            r#"{{"seq":1,"prev":"{first}","at":"2026-09-21T14:13:21Z","kind":"scenario-started","data":{{"scenario":"b"}}}}"#
        )
    );
    assert_eq!(Digest::of(lines[0]), first);
}

#[test]
fn time_never_goes_backwards() {
    let (_dir, writer) = journal_of(&[]);
    writer.append(at(10), started("a")).expect("written");
    writer.append(at(3), started("b")).expect("written");
    assert_eq!(writer.records()[1].at, at(10));
}

#[test]
fn a_changed_journal_is_refused_with_its_line() {
    let names = ["alpha".into(), "beta".into(), "gamma".into()];
    let (dir, _writer) = journal_of(&names);
    let text = String::from_utf8(bytes_of(&dir)).expect("UTF-8");
    let lines: Vec<_> = text.lines().collect();
    let table = [
        ("a value", text.replace("alpha", "alpaa"), 2, "was changed"),
        ("a line left out", format!("{}\n{}\n", lines[0], lines[2]), 2, "missing or moved"),
        ("lines exchanged", format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]), 1, "missing"),
        ("a line twice", format!("{}\n{}\n", lines[0], lines[0]), 2, "missing or moved"),
        ("unknown kind", text.replacen("scenario-started", "guess-made", 1), 1, "guess-made"),
        ("no JSON", format!("{}\nhello\n", lines[0]), 2, "expected"),
        ("an empty line", format!("{}\n\n", lines[0]), 2, "EOF"),
        ("torn", format!("{}\n{{", lines[0]), 2, "without a newline"),
        ("time", text.replace("14:13:22Z", "14:13:20Z"), 3, "before the line before"),
    ];
    for (what, changed, line, why) in table {
        let error = verify_chain(changed.as_bytes()).expect_err(what);
        assert_eq!(error.line, line, "{what}: {error}");
        assert!(error.why.contains(why), "{what}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Killed after any byte: what was whole is read, what was torn is kept aside, and the journal
    /// goes on.
    #[test]
    fn a_journal_survives_a_kill_at_any_byte(
        names in prop::collection::vec("[a-zé\"\\\\\n]{0,12}", 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (dir, writer) = journal_of(&names);
        let written = writer.records().to_vec();
        drop(writer);
        let bytes = bytes_of(&dir);
        let cut = cut.index(bytes.len() + 1);
        fs::write(dir.path().join(JOURNAL_FILE), &bytes[..cut]).expect("written");
        let whole = bytes[..cut].split(|byte| *byte == b'\n').count() - 1;
        let reopened = Writer::reopen(dir.path()).expect("tolerated");
        prop_assert_eq!(&*reopened.records(), &written[..whole]);
        reopened.append(at(100), started("after")).expect("written");
        let records = verify_chain(&bytes_of(&dir)).expect("whole again");
        prop_assert_eq!(records.len(), whole + 1);
        let torn = bytes[..cut].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let kept = fs::read(dir.path().join(TORN_FILE)).unwrap_or_default();
        prop_assert_eq!(kept.strip_suffix(b"\n").unwrap_or_default(), torn);
    }

    /// Any changed byte of any line but the last breaks the chain.
    #[test]
    fn a_changed_byte_is_found(index in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let (dir, _writer) = journal_of(&["a".into(), "b".into(), "c".into()]);
        let mut bytes = bytes_of(&dir);
        let last_line = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').expect("three");
        let at = index.index(last_line);
        bytes[at] ^= flip;
        prop_assert!(verify_chain(&bytes).is_err());
    }
}

/// Accepts a number of bytes, then is full, in the middle of a line if need be.
struct SmallDisk {
    file: Rc<RefCell<Vec<u8>>>,
    room: Rc<Cell<usize>>,
    reserved_until: u64,
    can_reserve: bool,
}

impl Disk for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.file.borrow_mut();
        let reserved = usize::try_from(self.reserved_until).expect("small").max(file.len());
        let free = reserved - file.len() + self.room.get();
        if free == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = bytes.len().min(free).min(7);
        let into_reserve = written.min(reserved - file.len());
        self.room.set(self.room.get() - (written - into_reserve));
        file.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.borrow_mut().truncate(usize::try_from(len).expect("small"));
        Ok(())
    }

    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        if !self.can_reserve {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let held = self.reserved_until.max(self.file.borrow().len() as u64);
        let more = usize::try_from((offset + bytes).saturating_sub(held)).expect("small");
        if more > self.room.get() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.set(self.room.get() - more);
        self.reserved_until = self.reserved_until.max(offset + bytes);
        Ok(())
    }

    fn check(&self, _: u64) -> Result<(), Lost> {
        Ok(())
    }
}

struct Small {
    writer: Writer,
    file: Rc<RefCell<Vec<u8>>>,
    room: Rc<Cell<usize>>,
}

fn small(room: usize, can_reserve: bool) -> Small {
    let (file, room) = (Rc::new(RefCell::new(vec![])), Rc::new(Cell::new(room)));
    let disk = SmallDisk { file: file.clone(), room: room.clone(), reserved_until: 0, can_reserve };
    let writer = Writer::on_disk(std::path::Path::new("nowhere"), Box::new(disk));
    Small { writer, file, room }
}

#[test]
fn a_full_disk_never_leaves_half_a_line() {
    for room in 0..600 {
        let Small { writer, file, .. } = small(room, false);
        let mut written = 0;
        while writer.append(at(written), started("ping")).is_ok() {
            written += 1;
        }
        let records = verify_chain(&file.borrow()).expect("whole lines only");
        assert_eq!(records.len(), usize::try_from(written).expect("small"));
        assert!(writer.failed().is_some());
    }
}

#[test]
fn a_failed_journal_takes_what_ends_a_run_and_nothing_forward() {
    let Small { writer, file, room } = small(500, false);
    while writer.append(at(0), started("ping")).is_ok() {}
    room.set(10_000);
    for kind in [intent(Permit::Forward), intent(Permit::Cost), started("ping")] {
        let error = writer.append_synced(at(1), kind).expect_err("forward work");
        assert!(matches!(error, JournalError::Failed(_)), "{error}");
    }
    let interrupted = Kind::Interrupted(Interrupted { signal: "SIGINT".into() });
    for kind in [intent(Permit::Undo), outcome("back"), interrupted] {
        writer.append_synced(at(2), kind).expect("it ends what was begun");
    }
    verify_chain(&file.borrow()).expect("whole lines only");
}

#[test]
fn outcomes_are_written_in_the_reserved_space_of_a_full_disk() {
    let Small { writer, file, room } = small(100_000, true);
    assert_eq!(writer.reserve(2_000).expect("there is room"), Reserved::Kept);
    let before = writer.append(at(0), intent(Permit::Forward));
    before.expect("written");
    room.set(0);
    // Forward records go on until the step beyond the reserve is used up, and never eat it.
    let mut forward = 0;
    while writer.append(at(1), started("ping")).is_ok() {
        forward += 1;
        assert!(forward < 10_000, "the disk is full");
    }
    for n in 0..8 {
        writer.append_synced(at(2), outcome(&format!("undo {n}"))).expect("it was reserved");
    }
    verify_chain(&file.borrow()).expect("whole lines only");
}

#[test]
fn a_file_system_that_cannot_reserve_is_said_and_no_error() {
    let Small { writer, .. } = small(10_000, false);
    assert_eq!(writer.reserve(2_000).expect("not fatal"), Reserved::Unsupported);
    writer.append(at(0), started("ping")).expect("written");
}

#[test]
fn a_reserve_on_a_real_file_does_not_change_its_bytes() {
    let (dir, writer) = journal_of(&["a".into()]);
    writer.reserve(100_000).expect("kept or unsupported");
    writer.append(at(1), outcome("back")).expect("written");
    let bytes = bytes_of(&dir);
    assert_eq!(verify_chain(&bytes).expect("no zeros behind the end").len(), 2);
}

#[test]
fn a_raw_answer_is_kept_once_for_each_source() {
    let (dir, writer) = journal_of(&[]);
    let attach =
        |source: &str| writer.attach(at(0), b"{\"a\":1}", Form::Json, source).expect("kept");
    let digest = attach("ec2 DescribeVpcs");
    assert_eq!(attach("ec2 DescribeVpcs"), digest);
    attach("ec2 DescribeSubnets");
    assert_eq!(writer.records().len(), 2);
    let path = dir.path().join(ATTACHMENTS_DIR).join(digest.as_str());
    assert_eq!(Digest::of(fs::read(path).expect("readable")), digest);
    drop(writer);
    let reopened = Writer::reopen(dir.path()).expect("it holds together");
    reopened.attach(at(1), b"{\"a\":1}", Form::Json, "ec2 DescribeVpcs").expect("kept");
    assert_eq!(reopened.records().len(), 2);
}

#[test]
fn a_listener_hears_each_line_and_may_read_the_journal() {
    let (dir, writer) = journal_of(&[]);
    let heard = Rc::new(RefCell::new(String::new()));
    let (hears, reads) = (heard.clone(), writer.clone());
    writer.on_append(Box::new(move |line| {
        assert_eq!(reads.head(), Digest::of(line));
        hears.borrow_mut().push_str(line);
        hears.borrow_mut().push('\n');
    }));
    writer.append(at(0), started("a")).expect("written");
    writer.append_synced(at(0), started("b")).expect("written");
    assert_eq!(heard.borrow().as_bytes(), bytes_of(&dir));
}

#[test]
fn secrets_never_reach_the_folder() {
    let (dir, writer) = journal_of(&[]);
    writer.hide(["an-exact-secret-value".to_owned()]);
    let assertion = Assertion {
        scenario: "preflight".into(),
        id: "preflight.role".into(),
        status: AssertionStatus::Passed,
        expected: json!({"SecretAccessKey": "wJalrXUtnFEMIplanted"}),
        observed: json!(["password=hunter2planted", {"nested": {"session_token": "planted3"}}]),
        how: "aws sts get-caller-identity # an-exact-secret-value".into(),
        raw: vec![],
        message: Some("Authorization: Bearer planted4".into()),
    };
    writer.append(at(0), Kind::AssertionMade(assertion)).expect("written");
    let answer = br#"{"Credentials":{"AccessKeyId":"ASIAPLANTED123456789","SecretAccessKey":"x/planted5"},"RequestId":"59dbff89-35bd-4eac-99ed-be587EXAMPLE"}"#;
    let digest =
        writer.attach(at(0), answer, Form::Json, "sts AssumeRole password=planted6").expect("kept");
    let kept = fs::read_to_string(dir.path().join(ATTACHMENTS_DIR).join(digest.as_str()));
    let everything = kept.expect("readable") + &String::from_utf8_lossy(&bytes_of(&dir));
    for secret in ["planted", "PLANTED", "an-exact-secret-value"] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
    assert!(everything.contains("59dbff89-35bd-4eac-99ed-be587EXAMPLE"), "{everything}");
    verify_chain(&bytes_of(&dir)).expect("it holds together");
}

/// The change that befalls a journal behind its writer's back.
type Blow = fn(&Path);

fn journal_in(dir: &Path) -> PathBuf {
    dir.join(JOURNAL_FILE)
}

fn attachment_in(dir: &Path) -> PathBuf {
    let mut entries = fs::read_dir(dir.join(ATTACHMENTS_DIR)).expect("a folder");
    entries.next().expect("an attachment").expect("readable").path()
}

const BLOWS: &[(&str, Blow, &str)] = &[
    ("removed", |dir| fs::remove_file(journal_in(dir)).expect("removed"), "it was removed"),
    (
        "replaced",
        |dir| {
            let (copy, bytes) = (dir.join("copy"), fs::read(journal_in(dir)).expect("read"));
            fs::write(&copy, bytes).expect("copied");
            fs::rename(copy, journal_in(dir)).expect("renamed");
        },
        "it was removed",
    ),
    (
        "replaced, the old one kept",
        |dir| {
            fs::rename(journal_in(dir), dir.join("old")).expect("renamed");
            fs::copy(dir.join("old"), journal_in(dir)).expect("copied");
        },
        "another file lies in its place",
    ),
    ("moved", |dir| fs::rename(journal_in(dir), dir.join("old")).expect("renamed"), "it was moved"),
    (
        "cut",
        |dir| {
            let file = fs::OpenOptions::new().write(true).open(journal_in(dir)).expect("open");
            file.set_len(3).expect("cut");
        },
        "it has 3 bytes",
    ),
    ("emptied", |dir| fs::write(journal_in(dir), "").expect("written"), "it has 0 bytes"),
    (
        "written into",
        |dir| {
            let mut file = fs::OpenOptions::new().append(true).open(journal_in(dir)).expect("open");
            io::Write::write_all(&mut file, b"{}\n").expect("written");
        },
        "were written",
    ),
    (
        "an attachment removed",
        |dir| fs::remove_file(attachment_in(dir)).expect("removed"),
        "is gone",
    ),
    (
        "all attachments removed",
        |dir| fs::remove_dir_all(dir.join(ATTACHMENTS_DIR)).expect("removed"),
        "No such file",
    ),
    (
        "attachments replaced",
        |dir| {
            fs::rename(dir.join(ATTACHMENTS_DIR), dir.join("old")).expect("renamed");
            fs::create_dir(dir.join(ATTACHMENTS_DIR)).expect("made");
        },
        "is another folder",
    ),
];

/// Nothing forward, and what ends a run goes on and says why.
#[test]
fn a_journal_that_is_lost_takes_nothing_forward_and_says_so() {
    for (what, blow, why) in BLOWS {
        for permit in [Permit::Forward, Permit::Cost] {
            let (dir, writer) = journal_of(&["a".into()]);
            writer.attach(at(1), b"{}", Form::Json, "ec2 DescribeVpcs").expect("kept");
            writer.append_synced(at(1), intent(Permit::Forward)).expect("all is there");
            writer.check(at(1)).expect("all is there");
            blow(dir.path());
            let error = writer.append_synced(at(2), intent(permit)).expect_err(what);
            assert!(error.to_string().contains(why), "{what}: {error}");
            assert!(writer.is_lost() && writer.check(at(2)).is_err(), "{what}");
            for kind in [intent(Permit::Undo), outcome("back")] {
                writer.append_synced(at(3), kind).expect("it ends what was begun");
            }
            let lost = writer.with_records(|records| {
                let lost = |record: &&Record| matches!(&record.kind, Kind::JournalLost(it) if it.why.contains(why));
                records.iter().filter(lost).count()
            });
            assert_eq!(lost, 1, "{what}: it is said once");
        }
    }
}

/// The rest of a journal that somebody cut is still one.
#[test]
fn nothing_is_written_behind_a_foreign_change() {
    let (dir, writer) = journal_of(&["a".into(), "b".into()]);
    let first = bytes_of(&dir).iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let file = fs::OpenOptions::new().write(true).open(journal_in(dir.path())).expect("open");
    file.set_len(first as u64).expect("cut");
    writer.append_synced(at(2), outcome("back")).expect("it ends what was begun");
    assert_eq!(verify_chain(&bytes_of(&dir)).expect("a line").len(), 1);
    assert_eq!(writer.records().len(), 4, "with what was lost, and that it was");
}

/// A journal in a folder that was moved is gone on with there.
#[test]
fn what_ends_a_run_is_found_where_its_folder_was_moved() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let (run, moved) = (temp.path().join("run"), temp.path().join("moved"));
    fs::create_dir(&run).expect("made");
    let writer = Writer::create(&run).expect("a journal");
    writer.append(at(0), started("a")).expect("written");
    fs::rename(&run, &moved).expect("moved");
    writer.append_synced(at(1), intent(Permit::Forward)).expect_err("it is not there");
    writer.append_synced(at(1), outcome("back")).expect("it ends what was begun");
    let records = verify_chain(&fs::read(journal_in(&moved)).expect("there")).expect("whole");
    assert_eq!(records, *writer.records());
}

/// An attachment that was gone before is nobody's to lose: a run is brought to its end without it.
#[test]
fn a_reopened_journal_names_the_attachment_that_it_lacks_and_goes_on() {
    let (dir, writer) = journal_of(&[]);
    for body in ["{}", "[]"] {
        let source = "ec2 DescribeVpcs";
        writer.attach(at(1), body.as_bytes(), Form::Json, source).expect("kept");
    }
    assert_eq!(writer.missing_attachment(), None);
    drop(writer);
    let gone = attachment_in(dir.path());
    fs::remove_file(&gone).expect("removed");
    let writer = Writer::reopen(dir.path()).expect("it holds together");
    assert_eq!(writer.missing_attachment(), Some(gone));
    writer.append_synced(at(2), intent(Permit::Cost)).expect("what is left is there");
    fs::remove_file(attachment_in(dir.path())).expect("removed");
    writer.append_synced(at(2), intent(Permit::Cost)).expect_err("more is gone");
}

/// Its size and its file are what they were: only who reads it sees it.
const CHANGES: &[(&str, Blow, &str)] = &[
    (
        "a byte of the journal changed in its place",
        |dir| {
            let path = journal_in(dir);
            let text = fs::read_to_string(&path).expect("readable").replace("\"a\"", "\"b\"");
            let file = fs::OpenOptions::new().write(true).open(path).expect("open");
            std::os::unix::fs::FileExt::write_all_at(&file, text.as_bytes(), 0).expect("written");
        },
        "somebody has changed what was written",
    ),
    (
        "an attachment changed in its place",
        |dir| fs::write(attachment_in(dir), "[]").expect("written"),
        "holds something else",
    ),
    (
        "an attachment that is a folder now",
        |dir| {
            let path = attachment_in(dir);
            fs::remove_file(&path).expect("removed");
            fs::create_dir(path).expect("made");
        },
        "directory",
    ),
    (
        "an attachment that leads nowhere",
        |dir| {
            let path = attachment_in(dir);
            fs::remove_file(&path).expect("removed");
            std::os::unix::fs::symlink("nowhere", path).expect("linked");
        },
        "No such file",
    ),
];

/// Bytes that cannot be read again are no proof either.
#[test]
fn before_a_verdict_what_was_written_is_read_again() {
    for (what, change, why) in CHANGES {
        let (dir, writer) = journal_of(&["a".into()]);
        writer.attach(at(1), b"{}", Form::Json, "ec2 DescribeVpcs").expect("kept");
        writer.check(at(1)).expect("all is there");
        change(dir.path());
        let error = writer.check(at(2)).expect_err(what);
        assert!(error.to_string().contains(why), "{what}: {error}");
        assert!(writer.is_lost(), "{what}");
    }
}

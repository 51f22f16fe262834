use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use tar::{Builder, EntryType, Header};

use super::archive::{Unpacked, read_from};
use super::*;
use crate::folder::{LOCK_FILE, RUN_FILE, WORLD_FILE};

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    for name in [RUN_FILE, LOCK_FILE, WORLD_FILE, ".evidence.json.1.tmp", "notes.txt"] {
        write(name, "this machine's");
    }
    write(JOURNAL_FILE, "{}\n");
    write(EVIDENCE_FILE, "{}");
    write("go.json.2", "an earlier one");
    write("attestation.json.sig", "a seal");
    fs::create_dir(dir.path().join(ATTACHMENTS_DIR)).expect("made");
    write(&format!("{ATTACHMENTS_DIR}/{}", Digest::of("raw")), "raw");
    write(&format!("{ATTACHMENTS_DIR}/.x.tmp"), "half");
    dir
}

#[test]
fn a_folder_and_its_archive_are_the_same_run_and_nothing_of_the_machine() {
    let (one, other) = (folder(), folder());
    let bundle = Bundle::read(one.path()).expect("a run");
    let names: Vec<_> = bundle.names().map(str::to_owned).collect();
    let raw = format!("{ATTACHMENTS_DIR}/{}", Digest::of("raw"));
    let given = [raw.as_str(), "attestation.json.sig", EVIDENCE_FILE, "go.json.2", JOURNAL_FILE];
    assert_eq!(names, given);
    let packed = bundle.to_archive().expect("packed");
    let again = Bundle::read(other.path()).expect("a run").to_archive().expect("packed");
    assert!(packed == again, "two copies of a run make two archives");
    let file = one.path().join("packed.tar");
    fs::write(&file, &packed).expect("written");
    assert_eq!(Bundle::read(&file).expect("an archive"), bundle);
}

#[test]
fn no_link_is_followed() {
    let dir = folder();
    fs::remove_file(dir.path().join(EVIDENCE_FILE)).expect("removed");
    symlink("/etc/passwd", dir.path().join(EVIDENCE_FILE)).expect("linked");
    let error = Bundle::read(dir.path()).expect_err("a link").to_string();
    assert!(error.contains("symbolic link"), "{error}");
    let dir = folder();
    fs::rename(dir.path().join(ATTACHMENTS_DIR), dir.path().join("elsewhere")).expect("moved");
    symlink("elsewhere", dir.path().join(ATTACHMENTS_DIR)).expect("linked");
    let error = Bundle::read(dir.path()).expect_err("a link").to_string();
    assert!(error.contains("no folder"), "{error}");
}

type Entries<'a> = &'a [(&'a [u8], EntryType, &'a [u8])];

/// An archive of these entries, each with any name and kind.
fn archive(entries: Entries<'_>) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_entry_type(*kind);
        header.set_cksum();
        builder.append(&header, *bytes).expect("written");
    }
    builder.into_inner().expect("an archive")
}

#[test]
fn an_archive_of_anything_but_plain_files_is_refused() {
    let file = EntryType::Regular;
    let good = archive(&[(b"journal.jsonl", file, b"{}\n")]);
    assert!(read_from(good.as_slice()).is_ok());
    let table: &[(&str, Entries<'_>)] = &[
        ("no plain file", &[(b"journal.jsonl", EntryType::Symlink, b"")]),
        ("no plain file", &[(b"journal.jsonl", EntryType::Link, b"")]),
        ("no plain file", &[(b"attachments", EntryType::Directory, b"")]),
        ("no plain file", &[(b"journal.jsonl", EntryType::Fifo, b"")]),
        ("no plain file", &[(b"longer", EntryType::GNULongName, b"../journal.jsonl\0")]),
        ("no plain file", &[(b"longer", EntryType::XHeader, b"28 path=../journal.jsonl\n")]),
        ("no name of a run's file", &[(b"../journal.jsonl", file, b"")]),
        ("no name of a run's file", &[(b"/journal.jsonl", file, b"")]),
        ("no name of a run's file", &[(b"./journal.jsonl", file, b"")]),
        ("no name of a run's file", &[(b"attachments/..", file, b"")]),
        ("no name of a run's file", &[(b"a/b/c", file, b"")]),
        ("no name of a run's file", &[(b"journal\xff", file, b"")]),
        ("no name of a run's file", &[(b"jour\nnal", file, b"")]),
        ("in it twice", &[(b"journal.jsonl", file, b"1"), (b"journal.jsonl", file, b"1")]),
    ];
    for (why, entries) in table {
        let refused = read_from(archive(entries).as_slice()).expect_err(why);
        assert!(matches!(&refused, Unpacked::No(it) if it.contains(why)), "{why}: {refused:?}");
    }
    assert!(read_from(&good[..=512]).is_err(), "it is cut off");
}

/// A header can say any size; what follows is never read into memory beyond the limit.
#[test]
fn an_archive_of_more_than_a_gibibyte_is_refused() {
    let mut header = Header::new_ustar();
    header.set_path("journal.jsonl").expect("a name");
    header.set_size(BUNDLE_LIMIT_BYTES + 1);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    let endless = header.as_bytes().as_slice().chain(io::repeat(b'x'));
    assert_eq!(read_from(endless), Err(Unpacked::TooLarge));
}

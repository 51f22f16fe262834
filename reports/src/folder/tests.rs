//! A run's folder among files that others put there.

use std::fs::Permissions;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_folder_is_private_and_holds_one_run() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let dir = temp.path().join("a/b");
    let folder = RunFolder::create(&dir).expect("made");
    assert_eq!(mode(&dir), 0o700);
    assert!(matches!(RunFolder::open(&dir), Err(FolderError::NoRun(_))));
    fs::write(folder.file(JOURNAL_FILE), "").expect("written");
    assert!(matches!(RunFolder::create(&dir), Err(FolderError::HoldsAnotherRun(_))));
    assert_eq!(RunFolder::open(&dir).expect("a run").path(), dir);
}

#[test]
fn a_default_folder_gets_the_next_free_suffix() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let next = || RunFolder::default_dir(temp.path(), "run-1");
    assert_eq!(next(), temp.path().join("run-1"));
    fs::create_dir(next()).expect("made");
    assert_eq!(next(), temp.path().join("run-1-2"));
    fs::create_dir(next()).expect("made");
    assert_eq!(next(), temp.path().join("run-1-3"));
}

#[test]
fn a_run_is_named_by_folder_or_by_id() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let dir = temp.path().join(RUNS_DIR).join("run-1");
    RunFolder::create(&dir).expect("made");
    fs::write(dir.join(JOURNAL_FILE), "").expect("written");
    for arg in ["run-1", dir.to_str().expect("UTF-8"), "lab-smoke-runs/run-1"] {
        let folder = RunFolder::resolve(temp.path(), arg).expect(arg);
        assert_eq!(folder.path(), dir, "{arg}");
    }
    let error = RunFolder::resolve(temp.path(), "run-2").expect_err("there is none");
    assert!(error.to_string().contains("run-2"), "{error}");
}

#[test]
fn a_lock_is_held_once_and_names_its_holder() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(temp.path()).expect("made");
    assert_eq!(folder.held_by().expect("readable"), None);
    let Locked::Taken(lock) = folder.try_lock("run-1, a rather long name").expect("io") else {
        panic!("nobody holds it");
    };
    let Locked::HeldBy(by) = folder.try_lock("run-2").expect("io") else {
        panic!("it is held");
    };
    assert_eq!(by, "run-1, a rather long name");
    assert_eq!(folder.held_by().expect("readable"), Some(by));
    drop(lock);
    assert!(matches!(folder.try_lock("run-2").expect("io"), Locked::Taken(_)));
    assert_eq!(fs::read_to_string(folder.file(LOCK_FILE)).expect("readable"), "run-2");
}

#[test]
fn a_file_is_replaced_whole() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(temp.path()).expect("made");
    folder.write(WORLD_FILE, b"old").expect("written");
    folder.write(WORLD_FILE, b"new").expect("written");
    assert_eq!(fs::read(folder.file(WORLD_FILE)).expect("readable"), b"new");
    assert_eq!(mode(&folder.file(WORLD_FILE)), 0o600);
    assert_eq!(fs::read_dir(temp.path()).expect("readable").count(), 1, "no file is left over");
}

#[test]
fn a_run_file_is_read_back() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(temp.path()).expect("made");
    let (run_id, host) = ("run-1".to_owned(), "operator".to_owned());
    let begun_in = Some(folder.begun_here().expect("there"));
    let written = RunFile { run_id, host, pid: 7, manifest: Some("/x/lab.toml".into()), begun_in };
    folder.write_json(RUN_FILE, &written).expect("written");
    assert_eq!(folder.read_run_file().expect("readable"), written);
}

/// The contents of a folder, and why it is not taken; its mode and its files stay as they are.
#[test]
fn only_a_new_folder_or_an_own_empty_one_is_taken_and_no_mode_is_changed() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    for (name, mode_of, file, refused) in [
        ("empty", 0o755, None, None),
        ("private", 0o700, None, None),
        ("open", 0o777, None, Some("others may write into")),
        ("group", 0o775, None, Some("`chmod go-w` it")),
        ("home", 0o755, Some("notes.txt"), Some("is not empty (there is notes.txt)")),
        ("hidden", 0o755, Some(".bashrc"), Some("is not empty (there is .bashrc)")),
        ("run", 0o700, Some(JOURNAL_FILE), Some("holds another run")),
    ] {
        let dir = temp.path().join(name);
        fs::create_dir(&dir).expect("made");
        if let Some(file) = file {
            fs::write(dir.join(file), "mine").expect("written");
        }
        fs::set_permissions(&dir, Permissions::from_mode(mode_of)).expect("set");
        let said = RunFolder::create(&dir).err().map(|error| error.to_string());
        match (said, refused) {
            (None, None) => {}
            (Some(said), Some(why)) => assert!(said.contains(why), "{name}: {said}"),
            (said, refused) => panic!("{name}: {said:?}, expected {refused:?}"),
        }
        assert_eq!(mode(&dir), mode_of, "{name}");
        assert_eq!(fs::read_dir(&dir).expect("readable").count(), usize::from(file.is_some()));
    }
    let file = temp.path().join("file");
    fs::write(&file, "mine").expect("written");
    assert!(matches!(RunFolder::create(&file), Err(FolderError::NoFolder(_))));
    assert!(matches!(RunFolder::create(Path::new("")), Err(FolderError::NoFolder(_))));
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let (real, link) = (temp.path().join("real"), temp.path().join(GO_FILE));
    fs::write(&real, "go").expect("written");
    symlink(&real, &link).expect("linked");
    let read = |path: &Path| read_plain(path, SMALL_LIMIT_BYTES);
    assert_eq!(read(&real).expect("a file"), b"go");
    let error = read(&link).expect_err("a link").to_string();
    assert_eq!(error, "a symbolic link, which is not followed");
    read(temp.path()).expect_err("a folder");
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo starts");
    assert!(made.success());
}

#[test]
fn a_fifo_hangs_nobody() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    for name in [LOCK_FILE, RUN_FILE, GO_FILE, JOURNAL_FILE] {
        fifo(&temp.path().join(name));
    }
    let folder = RunFolder::at(temp.path());
    let said = |error: FolderError| error.to_string();
    for error in [
        said(folder.try_lock("run-1").expect_err("a FIFO is no lock")),
        said(folder.held_by().expect_err("a FIFO is no lock")),
        said(folder.read_run_file().expect_err("a FIFO is no file")),
        said(RunFolder::open(temp.path()).expect_err("a FIFO is no journal")),
        crate::journal::read_file(temp.path()).expect_err("a FIFO is no journal").to_string(),
    ] {
        assert!(error.ends_with("no plain file"), "{error}");
    }
}

#[test]
fn a_file_above_its_limit_is_refused_by_its_size() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let path = temp.path().join(GO_FILE);
    fs::write(&path, [b' '; 9]).expect("written");
    assert_eq!(read_plain(&path, 9).expect("as large as it may be").len(), 9);
    let error = read_plain(&path, 8).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    assert!(error.to_string().contains("9 bytes"), "{error}");
}

/// Through a link the lock would be taken elsewhere, and what lies there emptied.
#[test]
fn a_lock_that_is_a_link_is_neither_followed_nor_emptied() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let notes = temp.path().join("notes");
    fs::write(&notes, "mine").expect("written");
    for (name, link) in [
        ("soft", (|to, link| symlink(to, link)) as fn(&Path, &Path) -> io::Result<()>),
        ("hard", |to, link| fs::hard_link(to, link)),
    ] {
        let folder = RunFolder::create(&temp.path().join(name)).expect("made");
        link(&notes, &folder.file(LOCK_FILE)).expect("linked");
        let error = folder.try_lock("run-1").expect_err("a link").to_string();
        assert!(error.contains("link"), "{name}: {error}");
        assert_eq!(fs::read_to_string(&notes).expect("readable"), "mine", "{name}");
    }
}

/// Whoever removes `lock` opens the folder to nobody: its journal is held too.
#[test]
fn a_folder_is_held_by_its_journal_where_the_lock_is_removed() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(temp.path()).expect("taken");
    let Locked::Taken(lock) = folder.try_lock("run-1").expect("io") else { panic!("it is free") };
    let journal = crate::journal::Writer::create(folder.path()).expect("a journal");
    fs::remove_file(folder.file(LOCK_FILE)).expect("removed");
    let Locked::HeldBy(by) = folder.try_lock("run-2").expect("io") else { panic!("it is held") };
    assert!(by.contains("holds its journal"), "{by}");
    assert_eq!(folder.held_by().expect("readable"), Some(by));
    let again = crate::journal::Writer::reopen(folder.path()).expect_err("it is held");
    assert!(matches!(again, crate::journal::JournalError::Held(_)), "{again}");
    drop((lock, journal));
    // A process that another test begins holds what is open here until it becomes its own program.
    let is_free = || {
        std::thread::yield_now();
        matches!(folder.try_lock("run-2").expect("io"), Locked::Taken(_))
    };
    assert!((0..10_000).any(|_| is_free()));
}

/// Whoever keeps a lock has it, shared or not: who asks is told what who takes is told.
#[test]
fn a_lock_that_somebody_shares_is_held_for_all() {
    for name in [LOCK_FILE, JOURNAL_FILE] {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::create(temp.path()).expect("taken");
        drop(crate::journal::Writer::create(folder.path()).expect("a journal"));
        drop(folder.try_lock("run-1").expect("io"));
        let file = fs::File::open(folder.file(name)).expect("there");
        file.try_lock_shared().expect("shared");
        assert!(folder.held_by().expect("readable").is_some(), "{name}");
        assert!(matches!(folder.try_lock("run-2").expect("io"), Locked::HeldBy(_)), "{name}");
        drop(file);
        assert_eq!(folder.held_by().expect("readable"), None, "{name}");
    }
}

/// Who asks holds the lock for an instant, and that keeps nobody out.
#[test]
fn who_only_asks_is_waited_out() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(temp.path()).expect("taken");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asks = || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                folder.held_by().expect("readable");
            }
        };
        scope.spawn(asks);
        let takes = || matches!(folder.try_lock("run-1"), Ok(Locked::Taken(_)));
        let taken = (0..200).all(|_| takes());
        // First, for a panic would wait for who asks.
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(taken, "nobody else takes it");
    });
}

//! Who is taken for alive, whatever is done to the files that say so.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use reports::folder::{GO_FILE, GO_SIGNATURE_FILE, LOCK_FILE, RUN_FILE};
use reports::journal::JOURNAL_FILE;
use serde_json::Value;

use super::place::{PROGRAM, Place, TRIES};

type Blow = fn(&Path);

/// The `lock` of a live run, and what `recover` finds in its place.
const LOCKS: &[(&str, Blow)] = &[
    ("left alone", |_| {}),
    ("removed", |lock| fs::remove_file(lock).expect("removed")),
    ("replaced", |lock| {
        fs::remove_file(lock).expect("removed");
        fs::write(lock, "nobody").expect("written");
    }),
    ("moved", |lock| fs::rename(lock, lock.with_file_name("old")).expect("moved")),
];

/// In preflight, before any lock lies on the node.
#[test]
fn recover_and_resume_leave_a_live_run_alone_whatever_its_lock_is() {
    for (what, blow) in LOCKS {
        let in_time = || {
            let place = Place::new();
            let begun = place.begun();
            let early = !place.journal("run").contains("lock-taken");
            blow(&place.path("run").join(LOCK_FILE));
            let before = place.journal("run");
            for command in ["recover", "resume"] {
                let answer = place.call(&[command, "run"]);
                assert_eq!(answer.code, Some(8), "{what}: {answer:?}");
            }
            assert_eq!(place.status("run")["state"], "live", "{what}");
            let second = place.call(&["run", "--out", "run"]);
            assert!(matches!(second.code, Some(2 | 8)), "{what}: {second:?}");
            assert_eq!(place.journal("run"), before, "{what}");
            let (code, _) = begun.ends();
            assert_eq!(code, Some(0), "{what}: the run itself goes on");
            early.then_some(())
        };
        (0..TRIES).find_map(|_| in_time()).expect("one is in preflight");
    }
}

/// A run is dead, and somebody else has its `lock` or its journal, and shares it.
#[test]
fn who_shares_a_lock_holds_the_run_for_every_command() {
    for name in [LOCK_FILE, JOURNAL_FILE] {
        let place = Place::new();
        place.killed();
        let file = fs::File::open(place.path("run").join(name)).expect("there");
        file.try_lock_shared().expect("shared");
        assert_eq!(place.status("run")["state"], "live", "{name}");
        for command in ["recover", "resume"] {
            let answer = place.call(&[command, "run"]);
            assert_eq!(answer.code, Some(8), "{name}: {answer:?}");
        }
        drop(file);
        assert_eq!(place.status("run")["state"], "dead", "{name}");
        assert_eq!(place.code("recover run"), Some(0), "{name}");
    }
}

fn edit(run: &Path, change: impl FnOnce(&mut Value)) {
    let text = fs::read(run.join(RUN_FILE)).expect("readable");
    let mut file: Value = serde_json::from_slice(&text).expect("JSON");
    change(&mut file);
    fs::write(run.join(RUN_FILE), file.to_string()).expect("written");
}

/// The forms that `run.json` of a run that is dead may have.
const RUN_FILES: &[(&str, Blow)] = &[
    ("as it was", |_| {}),
    ("a pid that is another process's by now", |run| {
        edit(run, |file| file["pid"] = std::process::id().into());
    }),
    ("lost", |run| fs::remove_file(run.join(RUN_FILE)).expect("removed")),
    ("empty", |run| fs::write(run.join(RUN_FILE), "").expect("written")),
    ("from another machine", |run| edit(run, |file| file["host"] = "elsewhere".into())),
];

#[test]
fn a_dead_run_is_dead_whatever_run_json_says() {
    for (what, blow) in RUN_FILES {
        let place = Place::new();
        place.killed();
        blow(&place.path("run"));
        assert_eq!(place.status("run")["state"], "dead", "{what}");
        let answer = place.call(&["recover", "run"]);
        assert_eq!(answer.code, Some(0), "{what}: {answer:?}");
    }
}

/// Nobody has waited for it, and its number is still taken.
#[test]
fn a_zombie_is_dead() {
    let in_time = || {
        let place = Place::new();
        let mut begun = place.begun_until("\"kind\":\"go-burnt\"");
        begun.signal(Signal::SIGKILL);
        let ended = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", begun.child.id()));
            stat.expect("it was not waited for").contains(") Z ")
        };
        while !ended() {
            std::thread::yield_now();
        }
        if place.journal("run").contains("run-finished") {
            return None;
        }
        assert_eq!(place.status("run")["state"], "dead");
        let answer = place.call(&["recover", "run"]);
        begun.child.wait().expect("its end");
        Some(answer)
    };
    let answer = (0..TRIES).find_map(|_| in_time()).expect("one is in time");
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo starts");
    assert!(made.success());
}

/// Each file of the folder in turn, and what each command that reads it answers.
#[test]
fn a_fifo_in_the_folder_hangs_nobody() {
    let all: &[&[&str]] =
        &[&["status", "run"], &["resume", "run"], &["recover", "run"], &["report", "run"]];
    for (name, hits) in [
        (LOCK_FILE, &all[..3]),
        (JOURNAL_FILE, all),
        (RUN_FILE, &all[1..2]),
        (GO_FILE, &all[1..2]),
        (GO_SIGNATURE_FILE, &all[1..2]),
        ("world.json", &all[1..3]),
    ] {
        let place = Place::new();
        assert_eq!(place.code("preflight --seed 3 --out run"), Some(3));
        for go in [GO_FILE, GO_SIGNATURE_FILE] {
            fs::write(place.path("run").join(go), "{}").expect("written");
        }
        let before = place.journal("run");
        fifo(&place.path("run").join(name));
        for words in hits {
            let answer = place.call(words);
            if name == RUN_FILE && answer.code == Some(4) {
                continue;
            }
            let said = format!("{}{}", answer.out, answer.err);
            assert!(matches!(answer.code, Some(2 | 4 | 8)), "{name} {words:?}: {answer:?}");
            assert!(said.contains("no plain file"), "{name} {words:?}: {answer:?}");
        }
        if name != JOURNAL_FILE {
            assert!(place.journal("run").starts_with(&before));
        }
    }
    let place = Place::new();
    fifo(&place.path("lab.toml"));
    let answer = place.call(&["lab", "check", "lab.toml"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
}

#[test]
fn a_go_of_a_gigabyte_is_refused_by_its_size() {
    let place = Place::new();
    assert_eq!(place.code("preflight --seed 3 --out run"), Some(3));
    let go = fs::File::create(place.path("run").join(GO_FILE)).expect("made");
    go.set_len(1 << 30).expect("a hole");
    fs::write(place.path("run").join(GO_SIGNATURE_FILE), "x").expect("written");
    // Less memory than the go would take.
    let line = format!("ulimit -v 900000; exec {PROGRAM} resume run");
    let mut shell = Command::new("bash");
    shell.args(["-c", &line]).current_dir(place.path("")).stdin(Stdio::null());
    let output = shell.output().expect("bash starts");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("it has 1073741824 bytes or more"), "{said}");
}

/// The lock is nobody's to follow, nor what it leads to to empty.
#[test]
fn a_lock_that_is_a_link_is_refused() {
    let place = Place::new();
    assert_eq!(place.code("preflight --seed 3 --out run"), Some(3));
    let notes = place.path("notes");
    fs::write(&notes, "mine").expect("written");
    let lock = place.path("run").join(LOCK_FILE);
    for link in [
        (|to: &Path, at: &Path| std::os::unix::fs::symlink(to, at)) as fn(&Path, &Path) -> _,
        |to, at| fs::hard_link(to, at),
    ] {
        fs::remove_file(&lock).expect("removed");
        link(&notes, &lock).expect("linked");
        for command in ["recover", "resume"] {
            let answer = place.call(&[command, "run"]);
            assert_eq!(answer.code, Some(2), "{answer:?}");
            assert!(answer.err.contains("link"), "{answer:?}");
        }
        assert_eq!(fs::read_to_string(&notes).expect("readable"), "mine");
    }
}

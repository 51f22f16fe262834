//! A run's folder under any name, and what is there already.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::place::Place;

/// The names of folders, as bytes, since that is what a path is.
const NAMES: &[&[u8]] = &[
    b"run",
    b"two words",
    b"-dash",
    b"--out",
    b"it's",
    b"quo\"te $HOME `id`",
    b"new\nline",
    b"tab\tback\\slash",
    b"caf\xc3\xa9",
    b"latin1 \xe9",
    b"'\xff",
    b"a/b c/d",
    b"./~",
    b"*",
    b"lab-smoke-runs/x",
];

fn printed<'a>(text: &'a str, before: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(before));
    line.unwrap_or_else(|| panic!("no line begins with {before:?}: {text}"))
}

/// Whatever `--out` takes, `RUN` takes, and what is printed runs as it is.
#[test]
fn a_run_is_named_by_any_path_that_its_folder_may_have() {
    for name in NAMES {
        let place = Place::new();
        let name = OsStr::from_bytes(name);
        let out = [OsStr::new("--out="), name].concat_os();
        let preflight = [OsStr::new("preflight"), OsStr::new("--seed"), OsStr::new("3"), &out];
        let answer = place.call(&preflight);
        assert_eq!(answer.code, Some(3), "{name:?}: {answer:?}");
        assert!(place.path(name).join("journal.jsonl").is_file(), "{name:?}");
        for command in ["status", "report", "resume"] {
            let words = [OsStr::new(command), OsStr::new("--"), name];
            let called = place.call(&words);
            let expected = if command == "resume" { 3 } else { 0 };
            assert_eq!(called.code, Some(expected), "{command} {name:?}: {called:?}");
        }
        let resume = place.typed(printed(&answer.out, "then it goes on:     "));
        assert_eq!(resume.code, Some(3), "{name:?}: {resume:?}");
        let recover = place.typed(printed(&answer.out, "or it is refused:    "));
        assert_eq!(recover.code, Some(0), "{name:?}: {recover:?}");
    }
}

trait ConcatOs {
    fn concat_os(&self) -> OsString;
}

impl ConcatOs for [&OsStr] {
    fn concat_os(&self) -> OsString {
        let mut all = OsString::new();
        for part in self {
            all.push(part);
        }
        all
    }
}

/// Nothing of a folder that is there is changed, and nothing is strewn into it.
#[test]
fn a_folder_that_is_there_is_taken_where_it_is_empty_and_left_as_it_is() {
    let place = Place::new();
    let mode = |name: &str| {
        let found = fs::metadata(place.path(name)).expect("there");
        found.permissions().mode() & 0o7777
    };
    let make = |name: &str, mode: u32| {
        fs::create_dir(place.path(name)).expect("made");
        fs::set_permissions(place.path(name), Permissions::from_mode(mode)).expect("set");
    };
    make("empty", 0o755);
    assert_eq!(place.code("run --seed 3 --out empty"), Some(0));
    assert_eq!(mode("empty"), 0o755);
    for entry in fs::read_dir(place.path("empty")).expect("readable") {
        let path = entry.expect("readable").path();
        let others = fs::metadata(&path).expect("there").permissions().mode() & 0o077;
        assert_eq!(others, 0, "{} is open to others", path.display());
    }

    make("home", 0o755);
    fs::write(place.path("home/notes"), "mine").expect("written");
    make("shared", 0o777);
    symlink(place.path("home"), place.path("link")).expect("linked");
    for (out, says) in [
        ("home", "is not empty (there is notes)"),
        ("link", "is not empty (there is notes)"),
        ("shared", "others may write into"),
        ("home/notes", "is no folder"),
        ("home/notes/run", "Not a directory"),
    ] {
        for command in ["run", "preflight"] {
            let answer = place.call(&[command, "--seed", "3", "--out", out]);
            assert_eq!(answer.code, Some(2), "{out}: {answer:?}");
            assert!(answer.err.contains(says), "{out}: {answer:?}");
        }
    }
    assert_eq!((mode("home"), mode("shared")), (0o755, 0o777));
    let names = fs::read_dir(place.path("home")).expect("readable").count();
    assert_eq!(names, 1, "something was strewn");
}

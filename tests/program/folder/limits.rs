//! The things that a process may not do: write large files, open many, or read what is damaged.

use std::fs;

use reports::folder::WORLD_FILE;
use reports::record::Kind;

use super::place::Place;

/// `ulimit -f` is a full disk: the signal that the kernel sends besides ends nobody.
#[test]
fn a_file_that_may_grow_no_further_is_a_full_disk() {
    for kilobytes in [1, 8, 40, 76, 78, 80, 82, 120] {
        let place = Place::new();
        let answer =
            place.typed(&format!("ulimit -f {kilobytes}; lab-smoke run --seed 3 --out run"));
        let code = answer.code.unwrap_or(-1);
        assert!([2, 5, 6, 8].contains(&code), "{kilobytes}: {answer:?}");
        if !place.path("run/journal.jsonl").is_file() {
            continue;
        }
        // Whole lines, and nothing that was begun is left without its end, but where nothing of it
        // could be written.
        let records = place.records("run");
        assert!(
            !records.iter().any(|it| matches!(it.kind, Kind::HarnessBroke(_))),
            "{kilobytes}: {answer:?}"
        );
    }
}

#[test]
fn too_few_open_files_are_no_bug() {
    for files in 3..=24 {
        let place = Place::new();
        assert_eq!(place.code("preflight --seed 3 --out parked"), Some(3));
        for words in ["run --out run", "resume parked", "recover parked", "mock serve"] {
            let answer = place.typed(&format!("ulimit -n {files}; lab-smoke {words}"));
            // The shell itself may not be able to start it.
            let by_the_shell = answer.code == Some(127) || answer.code == Some(126);
            assert!(by_the_shell || answer.code == Some(8), "{files} {words}: {answer:?}");
        }
        assert!(!place.path("run").exists(), "something was made");
    }
    let enough = Place::new().typed("ulimit -n 56; lab-smoke run --out run");
    assert_eq!(enough.code, Some(0), "what is proved is enough: {enough:?}");
}

#[test]
fn a_damaged_world_is_a_lab_that_cannot_be_used() {
    let whole = Place::new();
    whole.killed();
    let world = fs::read(whole.path("run").join(WORLD_FILE)).expect("a world");
    let cut = &world[..world.len() / 2];
    let damaged: &[(&str, Option<&[u8]>)] = &[
        ("absent", None),
        ("empty", Some(b"")),
        ("cut", Some(cut)),
        ("no world", Some(b"{}")),
        ("no JSON", Some(b"\xff\xfe")),
    ];
    for (what, bytes) in damaged {
        let path = whole.path("run").join(WORLD_FILE);
        match bytes {
            Some(bytes) => fs::write(&path, bytes).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        let answer = whole.call(&["recover", "run"]);
        assert_eq!(answer.code, Some(8), "{what}: {answer:?}");
        assert!(answer.err.contains("run/world.json"), "{what}: {answer:?}");
    }
    fs::write(whole.path("run").join(WORLD_FILE), &world).expect("written");
    assert_eq!(whole.code("recover run"), Some(0), "it was not closed meanwhile");
}

#[test]
fn a_manifest_that_is_no_utf8_is_told_with_its_line_and_byte() {
    let place = Place::new();
    let mut text = place.call(&["lab", "example"]).out.into_bytes();
    let line_two = text.iter().position(|byte| *byte == b'\n').expect("lines") + 1;
    text.insert(line_two, 0xff);
    fs::write(place.path("lab.toml"), text).expect("written");
    for words in [&["lab", "check", "lab.toml"][..], &["run", "--lab", "lab.toml"]] {
        let answer = place.call(words);
        assert_eq!(answer.code, Some(2), "{answer:?}");
        assert!(answer.err.contains("lab.toml:2:1: byte 0xff"), "{answer:?}");
    }
}

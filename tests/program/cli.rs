//! The program as a shell starts it: commands that need no lab, and words that it refuses.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A working directory of its own, so that whatever is left behind is seen.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn call(&self, words: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
        Answer::of(command.args(words).current_dir(self.path()))
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("readable");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
        entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
    }
}

#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } =
            command.stdin(Stdio::null()).output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }
}

#[test]
fn help_names_every_command() {
    let help = Place::new().call(&["--help"]);
    assert_eq!(help.code, Some(0));
    for command in [
        "run",
        "preflight",
        "review",
        "go",
        "resume",
        "status",
        "list",
        "schema",
        "report",
        "mock",
        "lab",
        "recover",
        "runs",
        "pack",
        "verify",
        "seal",
        "countersign",
    ] {
        assert!(help.out.contains(&format!("\n  {command}")), "{command}: {}", help.out);
    }
}

#[test]
fn words_that_cannot_be_meant_exit_2_and_make_nothing() {
    let place = Place::new();
    for (words, says) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["run", "--seed", "x"], "--seed"),
        (&["run", "--", "ping", "ssh"], "ssh"),
        (&["run", "--", "--shuffle"], "--shuffle"),
        (&["run", "--", "pong"], "`-- pong` selects no scenario"),
        (&["run", "--", "--exact", "pin"], "selects no scenario"),
        (&["run", "--lab", "nowhere.toml"], "nowhere.toml: No such file"),
        (&["run", "--lab", "netns", "--seed", "1"], "--seed is for `--lab mock` alone"),
        (&["run", "--junit", "nowhere/junit.xml"], "its folder: No such file"),
        (&["run", "--junit", "."], "it is a folder"),
        (&["report", "nowhere"], "there is no run `nowhere`"),
        (&["lab", "check", "nowhere.toml"], "nowhere.toml: No such file"),
    ] {
        let answer = place.call(words);
        assert_eq!(answer.code, Some(2), "{words:?}: {answer:?}");
        assert!(answer.err.contains(says), "{words:?}: {answer:?}");
        assert_eq!(answer.out, "", "{words:?}");
        assert_eq!(place.names(), Vec::<String>::new(), "{words:?}");
    }
}

#[test]
fn a_lab_on_aws_is_unavailable_to_whom_nothing_says_who_asks() {
    let place = Place::new();
    place.file("lab.toml", &place.call(&["lab", "example"]).out);
    let answer = place.call(&["run", "--lab", "lab.toml"]);
    assert_eq!(answer.code, Some(8), "{answer:?}");
    assert!(answer.err.contains("nothing was touched"), "{answer:?}");
    assert_eq!(place.names(), ["lab.toml"]);
}

#[test]
fn a_real_lab_takes_neither_seed_nor_faults() {
    let place = Place::new();
    place.file("lab.toml", &place.call(&["lab", "example"]).out);
    for (words, flag) in [(["--seed", "1"], "--seed"), (["--inject", "latency=200ms"], "--inject")]
    {
        let answer = place.call(&[&["run", "--lab", "lab.toml"], &words[..]].concat());
        assert_eq!(answer.code, Some(2), "{answer:?}");
        assert!(answer.err.contains(flag), "{answer:?}");
    }
}

#[test]
fn the_example_manifest_passes_and_an_error_is_named_with_its_place() {
    let place = Place::new();
    let example = place.call(&["lab", "example"]).out;
    place.file("lab.toml", &example);
    let checked = place.call(&["lab", "check", "lab.toml"]);
    assert_eq!((checked.code, checked.out.as_str()), (Some(0), "lab.toml: ok\n"));

    place.file("bad.toml", &example.replace("kind = \"aws\"", "kind = \"azure\""));
    for words in [&["lab", "check", "bad.toml"][..], &["run", "--lab", "bad.toml"]] {
        let checked = place.call(words);
        assert_eq!(checked.code, Some(2), "{checked:?}");
        assert!(checked.err.contains("bad.toml:5:8: lab.kind: "), "{checked:?}");
    }
}

/// The list that those read who choose faults by program.
#[test]
fn faults_are_listed_with_all_that_is_known_of_them() {
    let place = Place::new();
    let list = place.call(&["faults", "--format", "json"]);
    assert_eq!(list.code, Some(0), "{list:?}");
    let list: serde_json::Value = serde_json::from_str(&list.out).expect("JSON");
    let faults = list.as_array().expect("a list");
    assert!(faults.len() >= 60, "{}", faults.len());
    for fault in faults {
        for key in ["name", "breaks", "caught_by", "runbook", "source"] {
            assert!(fault[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {fault}");
        }
        let class = fault["class"].as_str().expect("a class");
        assert_eq!(class == "tolerated", fault["caught_by"] == "none", "{fault}");
        assert!(["caught", "tolerated"].contains(&class), "{fault}");
        assert!(fault["runbook"].as_str().is_some_and(|it| it.starts_with('§')), "{fault}");
        let labs = fault["labs"].as_array().expect("labs");
        assert!(labs.iter().any(|lab| lab == "mock"), "{fault}");
        // An argument always has a default, which is taken where none is given.
        let default = &fault["argument"];
        let default = default.as_str().is_some_and(|text| !text.is_empty()) || default.is_null();
        assert!(default && fault.get("argument").is_some(), "{fault}");
    }
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn scenarios_are_listed_as_libtest_does() {
    let place = Place::new();
    let list = place.call(&["run", "--", "--list"]);
    assert_eq!(list.code, Some(0), "{list:?}");
    let names: Vec<&str> = list.out.lines().filter_map(|it| it.strip_suffix(": test")).collect();
    let sequence: Vec<&str> = scenarios::SEQUENCE.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names, sequence);
    let one = place.call(&["run", "--", "--list", "--exact", "ping"]);
    assert_eq!(one.out, "ping: test\n");
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn a_closed_or_full_stdout_breaks_no_listing() {
    let place = Place::new();
    for words in [&["list"][..], &["schema"], &["lab", "example"], &["run", "--", "--list"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
        let answer = Answer::of(command.args(words).current_dir(place.path()).stdout(full));
        assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn a_link_named_as_a_node_side_program_is_that_program() {
    let place = Place::new();
    let through = |name: &str| {
        let link = place.path().join(name);
        symlink(env!("CARGO_BIN_EXE_lab-smoke"), &link).expect("linked");
        Answer::of(&mut Command::new(link))
    };
    let by_name = |name: &str, program: &str| {
        let answer = through(name);
        let alone = Answer::of(&mut Command::new(program));
        let same = (&answer.out, &answer.err, answer.code) == (&alone.out, &alone.err, alone.code);
        assert!(same, "{name}: {answer:?}, alone {alone:?}");
        assert!(!answer.err.contains("lab-smoke <COMMAND>"), "{answer:?}");
    };
    by_name("aws-provider-executor", env!("CARGO_BIN_EXE_aws-provider-executor"));
    by_name("lab-planner", env!("CARGO_BIN_EXE_lab-planner"));
    by_name("routerctl", env!("CARGO_BIN_EXE_routerctl"));
}

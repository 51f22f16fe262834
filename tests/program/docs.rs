//! The generated texts stand in `docs/` byte for byte. `INSTA_UPDATE=always` writes them anew.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lab_smoke_tests::documents::{assert_current, root};

fn docs(name: &str) -> PathBuf {
    root().join("docs").join(name)
}

#[test]
fn the_exit_codes_are_the_programs() {
    assert_current("docs/EXIT-CODES.md", &reports::verdict::exit_codes_markdown());
}

#[test]
fn the_schema_is_the_programs() {
    assert_current("docs/evidence.schema.json", &reports::schema::print_schema());
}

#[test]
fn the_hard_stops_are_the_programs() {
    assert_current("docs/HARD-STOPS.md", &scenarios::stops::markdown());
}

/// The policies that the guide shows are those of the example manifest.
#[test]
fn the_policies_are_the_programs() {
    let text = lab::manifest::example_manifest();
    let manifest = lab::manifest::Manifest::parse("the example", text).expect("a manifest");
    for phase in lab::iam::PolicyPhase::ALL {
        let policy = lab::iam::render_policy(&manifest, phase);
        assert_current(&format!("docs/iam/{}.json", phase.name()), &format!("{policy:#}\n"));
    }
}

#[test]
fn every_invariant_has_its_paragraph() {
    let text = fs::read_to_string(docs("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for number in 1..=10 {
        let heading = format!("**Architecture invariant I{number}:");
        assert_eq!(text.matches(&heading).count(), 1, "{heading}");
    }
}

/// Each names the test behind it, and that test is in one of the files that it names.
#[test]
fn every_invariant_names_its_tests_and_they_are_there() {
    let root = root();
    let text = fs::read_to_string(docs("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for number in 1..=10 {
        let heading = format!("**Architecture invariant I{number}:");
        let paragraph = text.split("\n\n").find(|it| it.starts_with(&heading)).expect("its own");
        let sources: String = paths_in(paragraph)
            .map(|path| root.join(path))
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .map(|path| fs::read_to_string(path).expect("the file"))
            .collect();
        let words = paragraph.split('`').skip(1).step_by(2).map(|word| word.replace('\n', " "));
        let is_test = |word: &String| word.matches('_').count() > 2 && !word.contains(['/', '.']);
        let tests: Vec<_> = words.filter(is_test).collect();
        assert!(!tests.is_empty(), "I{number} names no test");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "I{number}: there is no {test}");
        }
    }
}

/// Words in backquotes that are paths of this repository.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('`').skip(1).step_by(2);
    let rooms = ["reports/", "lab/", "scenarios/", "harness/", "tests/", "docs/"];
    words.filter(move |word| rooms.iter().any(|room| word.starts_with(room)))
}

#[test]
fn every_file_that_the_documentation_names_is_there() {
    let root = root();
    let mut seen = 0;
    for name in ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md"] {
        let text = fs::read_to_string(root.join(name)).expect(name);
        for path in paths_in(&text).filter(|path| !path.contains('<')) {
            assert!(root.join(path).exists(), "{name} names {path}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} paths: are they still written in backquotes?");
}

#[test]
fn every_scenario_stands_in_the_operators_guide() {
    let text = fs::read_to_string(docs("OPERATOR.md")).expect("OPERATOR.md");
    for scenario in scenarios::SEQUENCE {
        assert!(text.contains(&format!("`{}`", scenario.name)), "{}", scenario.name);
    }
}

/// The text that the README's reader sees, without what the machine's speed decides.
fn transcript(seed: &str) -> String {
    let place = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
    command.args(["run", "--seed", seed]).current_dir(place.path());
    let output = command.output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let timeless = |line: &str| match line.split_once("; finished in ") {
        Some((before, _)) => format!("{before}; finished in 0.33s\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(timeless).collect()
}

#[test]
fn the_readmes_transcript_is_a_real_one() {
    const BEGIN: &str = "```console\n$ cargo run -- run --seed 1\n";
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("a transcript");
    let (_, after) = rest.split_once("```").expect("its end");
    let real = transcript("1");
    assert_current("README.md", &format!("{before}{BEGIN}{real}```{after}"));
}

/// It names them, since it runs some of them beside the others: none is forgotten.
#[test]
fn ci_runs_every_binary_of_tests() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect(name);
    let ci = read(".ci/run");
    for (manifest, binaries) in [("harness/Cargo.toml", 4), ("reports/Cargo.toml", 1)] {
        let manifest: toml::Table = read(manifest).parse().expect("TOML");
        let tests = manifest["test"].as_array().expect("[[test]]");
        assert_eq!(tests.len(), binaries, "each links the AWS SDK: see CONTRIBUTING.md");
        for name in tests.iter().filter_map(|test| test["name"].as_str()) {
            assert!(ci.contains(&format!("--test {name}")), ".ci/run does not run {name}");
        }
    }
}

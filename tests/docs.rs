//! What is generated stands in `docs/` byte for byte. `UPDATE_DOCS=1` writes it anew.

use std::fs;
use std::path::PathBuf;

fn docs(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "docs", name].iter().collect()
}

fn is_committed(name: &str, generated: &str) {
    let path = docs(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, generated).expect("written");
    }
    let committed = fs::read_to_string(&path).expect(name);
    assert!(
        committed == generated,
        "docs/{name} is stale: UPDATE_DOCS=1 cargo test -p lab-smoke --test docs"
    );
}

#[test]
fn the_exit_codes_are_the_programs() {
    is_committed("EXIT-CODES.md", &reports::verdict::exit_codes_markdown());
}

#[test]
fn the_schema_is_the_programs() {
    is_committed("evidence.schema.json", &reports::schema::schema());
}

#[test]
fn every_invariant_has_its_paragraph() {
    let text = fs::read_to_string(docs("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for number in 1..=10 {
        let heading = format!("**Architecture invariant I{number}:");
        assert_eq!(text.matches(&heading).count(), 1, "{heading}");
    }
}

#[test]
fn every_scenario_stands_in_the_operators_guide() {
    let text = fs::read_to_string(docs("OPERATOR.md")).expect("OPERATOR.md");
    for scenario in scenarios::SEQUENCE {
        assert!(text.contains(&format!("`{}`", scenario.name)), "{}", scenario.name);
    }
}

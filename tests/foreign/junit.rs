//! PyPI's junitparser reads the report that `--junit` writes: of runs that ended in each way, and of
//! commands that began none. Needs Python as the referees do.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::{Value, json};

use super::referee::{find, python};

/// Prints what junitparser counts, and every case with its result.
const READER: &str = "
import json, sys
from junitparser import JUnitXml, Error, Failure, Skipped
names = {Error: 'error', Failure: 'failure', Skipped: 'skipped'}
xml = JUnitXml.fromfile(sys.argv[1])
cases = {}
for suite in xml:
    for case in suite:
        key = suite.name + '/' + case.name
        assert key not in cases, key
        assert case.classname == suite.name, key
        cases[key] = [names[type(it)] for it in case.result]
    sums = [len([1 for c in suite if any(isinstance(r, k) for r in c.result)])
            for k in (Failure, Error, Skipped)]
    assert sums == [suite.failures, suite.errors, suite.skipped], (suite.name, sums)
print(json.dumps({'tests': xml.tests, 'failures': xml.failures, 'errors': xml.errors,
                  'skipped': xml.skipped, 'cases': cases}))
";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_pass_is_green", a_pass_is_green),
        trial("a_failure_a_stop_and_a_wait", a_failure_a_stop_and_a_wait),
        trial("what_began_nothing_is_an_error", what_began_nothing_is_an_error),
    ]
}

fn trial(name: &str, body: fn(&Path)) -> Trial {
    Trial::ignorable_test(format!("junit::{name}"), move || {
        if let Err(reason) = find("junitparser") {
            return if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") {
                Err(Failed::from(reason))
            } else {
                Ok(Completion::ignored_with(reason))
            };
        }
        let place = tempfile::tempdir()?;
        body(place.path());
        Ok(Completion::Completed)
    })
}

/// The exit code of these words with `--junit`, and what junitparser reads.
fn told(place: &Path, words: &[&str]) -> (i32, Value) {
    let file = place.join("junit.xml");
    let _ = std::fs::remove_file(&file);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
    command.args(words).args(["--junit", "junit.xml"]).current_dir(place).stdin(Stdio::null());
    let ended = command.output().unwrap();
    let code = ended.status.code().unwrap();
    let read = Command::new(python()).args(["-B", "-c", READER]).arg(&file).output().unwrap();
    let complaint = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{words:?}: {complaint}");
    (code, serde_json::from_slice(&read.stdout).unwrap())
}

fn a_pass_is_green(place: &Path) {
    let (code, read) = told(place, &["run", "--out", "here"]);
    assert_eq!(code, 0);
    assert_eq!((&read["failures"], &read["errors"]), (&json!(0), &json!(0)), "{read}");
    assert_eq!(read["cases"]["lab-smoke/verdict"], json!([]));
    assert_eq!(read["cases"]["claim-ready/claim-ready"], json!(["skipped"]), "{read}");
    let evidence = std::fs::read(place.join("here/evidence.json")).unwrap();
    let evidence: Value = serde_json::from_slice(&evidence).unwrap();
    for scenario in evidence["scenarios"].as_array().unwrap() {
        for assertion in scenario["assertions"].as_array().unwrap() {
            let (scenario, id) = (&scenario["name"], &assertion["id"]);
            let key = format!("{}/{}", scenario.as_str().unwrap(), id.as_str().unwrap());
            assert!(read["cases"][&key].is_array(), "{key} has no case");
        }
    }
}

fn a_failure_a_stop_and_a_wait(place: &Path) {
    let (code, read) = told(place, &["run", "--out", "closed", "--inject", "ssh-port-closed"]);
    assert_eq!(code, 1);
    assert_eq!(read["cases"]["lab-smoke/verdict"], json!(["failure"]), "{read}");
    assert!(read["failures"].as_u64().unwrap() > 1, "{read}");

    let (code, read) = told(place, &["run", "--out", "foreign", "--inject", "foreign-holder"]);
    assert_eq!(code, 4);
    assert_eq!(read["cases"]["lab-smoke/verdict"], json!(["error"]), "{read}");
    assert_eq!(read["cases"]["lab-smoke/hard-stop-2"], json!(["error"]), "{read}");
    assert_eq!(read["cases"]["ping/ping"], json!(["skipped"]), "{read}");

    let (code, read) = told(place, &["run", "--out", "asks", "--wait-go", "1s"]);
    assert_eq!(code, 3);
    assert_eq!((&read["failures"], &read["errors"]), (&json!(0), &json!(0)), "{read}");
    assert_eq!(read["cases"]["lab-smoke/verdict"], json!(["skipped"]), "{read}");
    // Nobody gave it, and recover closes the run: it did not pass.
    let (code, read) = told(place, &["recover", "asks"]);
    assert_eq!(code, 0);
    assert_eq!(read["cases"]["lab-smoke/verdict"], json!(["error"]), "{read}");
    let (code, read) = told(place, &["resume", "asks"]);
    assert_eq!(code, 2);
    assert_eq!(read["cases"], json!({"lab-smoke/setup": ["error"]}));
}

fn what_began_nothing_is_an_error(place: &Path) {
    let words: [&[&str]; 3] =
        [&["run", "--lab", "nowhere.toml"], &["run", "--inject", "nothing"], &["recover", "none"]];
    for words in words {
        let (code, read) = told(place, words);
        assert_eq!(code, 2, "{words:?}");
        assert_eq!(read["cases"], json!({"lab-smoke/setup": ["error"]}), "{words:?}");
    }
}

//! What AWS itself answered, recorded by others (`../shared/fixtures/ec2-real`, no part of this
//! project): our facts can be read from every answer, and the mock refuses with AWS's codes and words.
//! Without the folder the trials are ignored with the reason; `LAB_SMOKE_RECORDINGS` names another.

mod answers;
mod refusals;

use std::path::{Path, PathBuf};

use lab_smoke_tests::documents::root;
use libtest_mimic::{Completion, Failed, Trial};

pub fn trials() -> Vec<Trial> {
    type Check = fn(&Path) -> Result<(), String>;
    let table: [(&str, Check); 2] = [
        ("recordings::every_recorded_answer_is_read_whole", answers::every_one_is_read),
        ("recordings::the_mock_refuses_as_aws_did", refusals::the_mock_refuses_likewise),
    ];
    let trial = |(name, check): (&str, Check)| {
        Trial::ignorable_test(name, move || {
            let folder = folder();
            if !folder.is_dir() {
                let why = format!("{} is not there: nothing is compared", folder.display());
                return Ok(Completion::ignored_with(why));
            }
            check(&folder).map(|()| Completion::Completed).map_err(Failed::from)
        })
    };
    table.into_iter().map(trial).collect()
}

fn folder() -> PathBuf {
    let named = std::env::var_os("LAB_SMOKE_RECORDINGS").map(PathBuf::from);
    named.unwrap_or_else(|| root().join("../shared/fixtures/ec2-real"))
}

fn read_json(folder: &std::path::Path, name: &str) -> Result<Vec<serde_json::Value>, String> {
    let path = folder.join(name);
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read(&path).map_err(|error| said(&error))?;
    serde_json::from_slice(&text).map_err(|error| said(&error))
}

fn field(entry: &serde_json::Value, name: &str) -> String {
    entry[name].as_str().unwrap_or_default().to_owned()
}

/// Each line of what does not hold, or nothing.
fn report(wrong: &[String]) -> Result<(), String> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

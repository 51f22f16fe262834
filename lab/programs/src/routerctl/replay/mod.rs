//! Replays every recorded call of the real routerctl: same stdout, stderr and exit code, times
//! aside, and the same ENI afterwards.

#![allow(clippy::unwrap_used)]

mod aws;
mod host;
mod unrecorded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use self::aws::Eni;
use self::host::{DATABASE, PLANNER, TestHost};
use crate::process::Process;
use lab::node::Output;

const RECORDS: usize = 82;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedCall {
    name: String,
    group: String,
    argv: Vec<String>,
    exit_code: i32,
    stdout: String,
    stderr: String,
    world: Eni,
    world_after: Eni,
    before: Vec<Before>,
    executor_script: Option<String>,
    planner_stdout: Option<Box<RawValue>>,
}

/// Something that happened since the group's last record.
#[derive(Deserialize)]
#[serde(untagged, rename_all = "camelCase")]
enum Before {
    #[serde(rename_all = "camelCase")]
    Call {
        argv: Vec<String>,
        exit_code: i32,
        stdout: String,
        stderr: String,
    },
    Sql {
        sql: String,
    },
}

/// The files that were deleted by hand before a record; the records say so in their `why`.
const DELETED: [(&str, &str); 2] =
    [("78-doctor-plugin-missing", PLANNER), ("81-list-missing-db", DATABASE)];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/routerctl")
}

fn records() -> Vec<RecordedCall> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    paths.iter().map(read).collect()
}

#[test]
fn every_recorded_call_is_answered_alike() {
    let mut hosts: BTreeMap<String, TestHost> = BTreeMap::new();
    let mut replayed = 0;
    for record in records() {
        let host = hosts
            .entry(record.group.clone())
            .or_insert_with(|| TestHost::new(&fixtures().join("files")));
        host.prepare(
            &record.world,
            record.planner_stdout.as_deref(),
            record.executor_script.as_deref(),
        );
        for before in &record.before {
            play_before(host, before, &record.name);
        }
        for (_, path) in DELETED.iter().filter(|(name, _)| *name == record.name) {
            host.delete(path);
        }
        let output = call(host, &record.argv);
        assert_same(&record.name, &output, record.exit_code, &record.stdout, &record.stderr);
        assert_eq!(host.eni(), record.world_after, "{}: the ENI afterwards", record.name);
        replayed += 1;
    }
    assert_eq!(replayed, RECORDS);
}

fn play_before(host: &TestHost, before: &Before, name: &str) {
    match before {
        Before::Sql { sql } => host.run_sql(sql),
        Before::Call { argv, exit_code, stdout, stderr } => {
            let output = call(host, argv);
            let name = format!("before {name}: {}", argv.join(" "));
            assert_same(&name, &output, *exit_code, stdout, stderr);
        }
    }
}

fn call(host: &TestHost, argv: &[String]) -> Output {
    let env = BTreeMap::from([
        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
        ("HOME".to_owned(), "/root".to_owned()),
    ]);
    let process = Process { argv: argv.to_vec(), env, stdin: Vec::new(), host };
    futures::executor::block_on(super::main(process))
}

fn assert_same(name: &str, output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| without_times(std::str::from_utf8(bytes).unwrap());
    assert_eq!(text(&output.stdout), without_times(stdout), "{name}: stdout");
    assert_eq!(text(&output.stderr), without_times(stderr), "{name}: stderr");
    assert_eq!(output.code, code, "{name}: exit code");
}

/// The zero time stays: that a time was not set is part of the answer.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = time_length(rest);
        if length > 0 && !rest.starts_with("0001") {
            out.push_str("<time>");
            rest = &rest[length..];
        } else if let Some(after) = rest.strip_prefix("\"durationMs\": ") {
            out.push_str("<duration>");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            let next = rest.chars().next().unwrap();
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

/// The length of an RFC 3339 time in UTC at the start of `text`; 0 where there is none.
fn time_length(text: &str) -> usize {
    let shape = "dddd-dd-ddTdd:dd:dd";
    let fits = text.len() > shape.len()
        && shape.bytes().zip(text.bytes()).all(|(wanted, byte)| match wanted {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        });
    if !fits {
        return 0;
    }
    let rest = text[shape.len()..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if rest.starts_with('Z') { text.len() - rest.len() + 1 } else { 0 }
}

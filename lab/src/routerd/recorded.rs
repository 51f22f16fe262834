//! Every recorded answer of a real routerctl is read, by the parser that fits its command.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use serde::Deserialize;

use super::*;
use crate::node::Output;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedAnswer {
    name: String,
    argv: Vec<String>,
    exit_code: i32,
    stdout: String,
    stderr: String,
}

fn records(folder: &str) -> Vec<RecordedAnswer> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
        .iter()
        .map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
        .collect()
}

fn record(folder: &str, name: &str) -> RecordedAnswer {
    records(folder).into_iter().find(|record| record.name == name).unwrap()
}

impl RecordedAnswer {
    fn output(&self) -> Output {
        Output {
            code: self.exit_code,
            stdout: self.stdout.clone().into_bytes(),
            stderr: self.stderr.clone().into_bytes(),
        }
    }

    fn read<T>(
        &self,
        parse: fn(&str, &Output) -> Result<T, AnswerError>,
    ) -> Result<T, AnswerError> {
        parse(&self.argv.join(" "), &self.output())
    }
}

/// The result that the fitting parser makes of a record, or none where no parser fits the command.
fn said(record: &RecordedAnswer) -> Option<Result<String, AnswerError>> {
    let argv: Vec<&str> = record.argv.iter().map(String::as_str).collect();
    let dry_run = argv.contains(&"--dry-run");
    Some(match argv.get(1..)? {
        ["plugin", "run", ..] => shown(record.read(answers::plugin_run), |run| {
            format!("stored={} plans={}", run.stored, run.plans.len())
        }),
        ["dynamic", "list", ..] => shown(record.read(answers::read_parts), |parts| {
            format!("parts={} plans={}", parts.len(), parts[0].plans)
        }),
        ["dynamic", "describe", ..] => shown(record.read(answers::parts_described), |parts| {
            format!("parts={} plans={}", parts.len(), parts[0].plans.len())
        }),
        ["action", "import", ..] => shown(record.read(answers::read_imported), |it| {
            format!("{}={}+{}, {}", it.total, it.inserted, it.duplicate, it.skipped)
        }),
        ["action", "list" | "journal", ..] => {
            shown(record.read(answers::read_action_rows), |rows| {
                let rows: Vec<_> =
                    rows.iter().map(|row| format!("{} {}", row.id, row.status)).collect();
                format!("[{}]", rows.join(", "))
            })
        }
        ["action", "show", ..] => shown(record.read(answers::read_action_row), |row| {
            let prior = row.observed.get("priorSourceDestCheck").map_or("-", String::as_str);
            format!("{} {} prior={prior}", row.id, row.status)
        }),
        ["action", "approve", ..] => shown(record.read(answers::read_approved), |it| {
            format!("{} {} by {}", it.id, it.status, it.by)
        }),
        ["action", "execute", ..] if dry_run => preview(record.read(answers::read_previewed)),
        ["action", "execute", ..] => shown(record.read(answers::read_executed), |it| {
            format!("{} {}: {}", it.id, it.status, it.message.as_deref().unwrap_or("-"))
        }),
        ["action", "rollback", ..] if dry_run => preview(record.read(answers::undo_previewed)),
        ["action", "rollback", ..] => {
            shown(record.read(answers::rolled_back), |it| format!("{} {}", it.id, it.status))
        }
        // No parser has such a verb; the refusal is the same for all of them.
        ["action", "frob"] => {
            shown(record.read(answers::read_action_row), |row| row.id.to_string())
        }
        ["doctor", ..] => shown(record.read(answers::read_doctor_report), |report| {
            let Summary { pass, warn, fail, skip, .. } = report.summary;
            format!("{:?} {pass}/{warn}/{fail}/{skip}", report.summary.overall)
        }),
        ["get", ..] => shown(record.read(answers::read_resources), |got| {
            let phases: Vec<_> = got.items.iter().map(|it| it.pool().unwrap().phase).collect();
            format!("{phases:?} status={}", got.status.is_some())
        }),
        ["describe", ..] => shown(record.read(answers::read_described), |it| {
            format!("{}/{} {}", it.kind, it.name, it.pool().unwrap().phase)
        }),
        ["mobility", "owners", ..] => shown(record.read(answers::read_owners), |owners| {
            let classes: Vec<_> = owners.iter().map(|owner| owner.class.as_str()).collect();
            format!("[{}]", classes.join(", "))
        }),
        _ => return None,
    })
}

fn shown<T>(
    answer: Result<T, AnswerError>,
    show: impl Fn(T) -> String,
) -> Result<String, AnswerError> {
    answer.map(show)
}

fn preview(answer: Result<Previewed, AnswerError>) -> Result<String, AnswerError> {
    shown(answer, |it| format!("{} {}: {}", it.id, it.status, it.message.as_deref().unwrap_or("-")))
}

/// Whether the harness sends such a command: it asks a daemon neither to explain nor for its traps.
fn is_sent(record: &RecordedAnswer) -> bool {
    !matches!(record.argv.get(1..3), Some([mobility, verb])
        if mobility == "mobility" && matches!(verb.as_str(), "explain" | "traps"))
}

/// `NAME => what was made of it`, one line per record.
fn table(folder: &str) -> String {
    let line = |record: &RecordedAnswer| {
        let said =
            said(record).unwrap_or_else(|| panic!("no parser fits {}", record.argv.join(" ")));
        let said = match said {
            Ok(said) => said,
            Err(AnswerError::Refused { refusal, .. }) => {
                format!("{:?}, {refusal:?}", refusal.effect())
            }
            Err(AnswerError::Ambiguous { expected, .. }) => format!("ambiguous, not {expected}"),
        };
        format!("{} => {said}\n", record.name)
    };
    records(folder).iter().filter(|it| is_sent(it)).map(line).collect()
}

#[test]
fn every_recorded_call_is_read() {
    assert_eq!(records("routerctl").len(), 82);
    insta::assert_snapshot!(table("routerctl"));
}

#[test]
fn every_answer_of_a_live_routerd_is_read() {
    assert_eq!(records("routerctl-live").len(), 29);
    insta::assert_snapshot!(table("routerctl-live"));
}

#[test]
fn a_row_is_decoded_to_its_last_field() {
    let row =
        record("routerctl", "16-show-forwarding-succeeded").read(answers::read_action_row).unwrap();
    assert_eq!(row.action, "ensure-forwarding-enabled");
    assert_eq!(row.target["nicRef"], "eni-0a1b2c3d4e5f60718");
    assert_eq!(row.target["address"], "10.88.60.9/32");
    assert_eq!(row.parameters["sourceDestCheck"], "false");
    assert_eq!(row.undo.unwrap().action, "ensure-forwarding-disabled");
    assert_eq!(row.approved_by.as_deref(), Some("owner"));
    assert!(row.executed_at.unwrap() > row.approved_at.unwrap());
    assert!(row.source == "Plugin/lab-planner" && row.error.is_none());

    let failed =
        record("routerctl", "33-show-unauthorized").read(answers::read_action_row).unwrap();
    assert!(failed.error.unwrap().contains("UnauthorizedOperation"));
    assert_eq!(failed.observed["failureClass"], "authorization");
}

#[test]
fn a_time_that_go_never_set_is_none() {
    let rows = record("routerctl", "06-list-pending").read(answers::read_action_rows).unwrap();
    assert!(rows.iter().all(|row| row.approved_at.is_none() && row.executed_at.is_none()));
}

#[test]
fn the_pool_of_a_live_routerd_has_its_owner_table() {
    let got =
        record("routerctl-live", "16-get-pool-observed").read(answers::read_resources).unwrap();
    let pool = got.items[0].pool().unwrap();
    let captured = pool.owners.iter().find(|owner| owner.address == "10.88.60.9/32").unwrap();
    assert_eq!((pool.phase.as_str(), captured.state.as_str()), ("Ready", "OK"));
    assert_eq!(captured.capture_holder_node.as_deref(), Some("aws-router"));
    assert_eq!(captured.capture_state.as_deref(), Some("Confirmed"));
}

#[test]
fn json_that_ends_early_is_never_read() {
    for record in
        records("routerctl").iter().chain(&records("routerctl-live")).filter(|it| is_sent(it))
    {
        let json = record.exit_code == 0 && record.argv.ends_with(&["-o".into(), "json".into()]);
        // The largest is 130 kB: a hundred cuts show the same as all of them.
        let step = record.stdout.len() / 100 + 1;
        for end in (0..record.stdout.trim_end().len()).step_by(step).filter(|_| json) {
            let cut = RecordedAnswer {
                name: record.name.clone(),
                argv: record.argv.clone(),
                exit_code: 0,
                stdout: String::from_utf8_lossy(&record.stdout.as_bytes()[..end]).into_owned(),
                stderr: String::new(),
            };
            let said = said(&cut).unwrap();
            assert!(matches!(said, Err(AnswerError::Ambiguous { .. })), "{} at {end}", cut.name);
        }
    }
}

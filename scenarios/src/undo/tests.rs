//! Tests of what becomes of one step, by what is so before it and what came of each way.

use lab::ec2::ReadError;
use lab::permit::PermitRefused;
use reports::digest::Digest;
use reports::record::{AssertionStatus as A, Intent, Kind, Permit, UndoPlanned};
use reports::redact::Form;

use super::*;
use crate::capture::capture_steps;
use crate::example::{
    Judged, example_acted, example_answer, example_silence, judge_as_scenario, read_by,
};
use crate::undo_plan::{UNDO_ADDRESS, UNDO_FORWARDING};

fn forwarding() -> CaptureStep {
    let steps = capture_steps(&crate::example::change_set());
    steps.into_iter().find(|step| step.undo == UNDO_FORWARDING).expect("a step")
}

fn step() -> StepToUndo {
    StepToUndo {
        capture: forwarding(),
        row_id: Some(2),
        goal: Goal::SourceDestCheck(true),
        message: "would re-enable SourceDestCheck (restore prior=true)".to_owned(),
    }
}

fn eni(source_dest_check: bool) -> NetworkInterface {
    NetworkInterface {
        network_interface_id: "eni-1".to_owned(),
        owner_id: "123456789012".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        subnet_id: "subnet-1".to_owned(),
        mac_address: "02:00:00:00:00:01".to_owned(),
        source_dest_check,
        primary_address: "10.88.60.4".parse().expect("an address"),
        secondary_addresses: vec!["10.88.60.9".parse().expect("an address")],
        security_groups: Vec::new(),
        instance_id: None,
        tags: lab::ec2::Tags::new(),
    }
}

fn row(status: &str) -> Row {
    let at = "2026-10-01T12:00:00Z";
    let row = json!({
        "id": 2, "idempotencyKey": "key", "provider": "aws",
        "action": "ensure-forwarding-enabled", "targetJSON": "{}", "parametersJSON": "{}",
        "undoJSON": "null", "status": status, "createdAt": at, "updatedAt": at,
    });
    serde_json::from_value(row).expect("a row")
}

/// The intent of a mutation in this scenario, which that step takes back.
fn intent(scenario: &str, undo: &str) -> Kind {
    Kind::Intent(Intent {
        id: "1".to_owned(),
        scenario: scenario.to_owned(),
        permit: Permit::Forward,
        effect: Effect::ExecuteAction {
            row: 2,
            network_interface_id: "eni-1".to_owned(),
            goal: Goal::SourceDestCheck(false),
            before: Value::Null,
        },
        undo: Some(undo.to_owned()),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "as it is handed on")]
fn says(status: RowStatus) -> Option<Preview> {
    let message = Some(step().message);
    Some(Preview::Said(Previewed { id: 2, status, message }, How::default()))
}

fn tripped(judged: &Judged) -> bool {
    judged.records.iter().any(|record| matches!(record.kind, Kind::StopTripped(_)))
}

/// Without a burnt go nothing is taken back: where it is tried, that is the complaint.
const TRIED: &str = "no go was burnt by this run";

#[test]
fn a_step_is_taken_back_only_where_the_run_began_it_and_it_does_not_hold() {
    let own = || intent("execute", UNDO_FORWARDING);
    let table = [
        ("nothing to restore", own(), "succeeded", true, RowStatus::Skipped, A::Passed, ""),
        ("it never landed", own(), "failed", true, RowStatus::Skipped, A::Passed, ""),
        ("routerd would do it", own(), "succeeded", true, RowStatus::Succeeded, A::Failed, TRIED),
        ("it does not hold", own(), "succeeded", false, RowStatus::Succeeded, A::Failed, TRIED),
        ("nor after a failure", own(), "failed", false, RowStatus::Skipped, A::Failed, TRIED),
        (
            "another step was begun",
            intent("execute", UNDO_ADDRESS),
            "succeeded",
            false,
            RowStatus::Succeeded,
            A::Failed,
            "never began to change it: it is left alone",
        ),
        (
            "another scenario began it",
            intent("undo", UNDO_FORWARDING),
            "succeeded",
            false,
            RowStatus::Succeeded,
            A::Failed,
            "never began to change it: it is left alone",
        ),
        (
            "never begun, and it holds",
            intent("execute", UNDO_ADDRESS),
            "pending",
            true,
            RowStatus::Skipped,
            A::Passed,
            "",
        ),
    ];
    for (what, begun, status, met, preview, expected, why) in table {
        let judged = judge_as_scenario("undo", async |lab, ctx| {
            ctx.write(begun);
            let now = Ok((vec![row(status)], eni(met), How::default()));
            undo_step(lab, ctx, &step(), &now, says(preview), &mut Rows::default()).await;
        });
        let made = judged.assertion(FORWARDING);
        assert_eq!(made.status, expected, "{what}");
        assert!(made.status == A::Passed || judged.message(FORWARDING).contains(why), "{what}");
        let seen = json!({ "addresses": ["10.88.60.9"], "source_dest_check": met });
        assert!(why == TRIED || made.observed == seen, "{what}: {}", made.observed);
    }
}

#[test]
fn what_cannot_be_read_is_taken_back_all_the_same_where_it_was_begun() {
    let table =
        [(UNDO_FORWARDING, A::Failed, TRIED), (UNDO_ADDRESS, A::Unknown, "the ENI is gone")];
    for (begun, expected, why) in table {
        let judged = judge_as_scenario("undo", async |lab, ctx| {
            ctx.write(intent("execute", begun));
            let now = Err(("the ENI is gone".to_owned(), How::default()));
            undo_step(lab, ctx, &step(), &now, None, &mut Rows::default()).await;
        });
        assert_eq!(judged.status(FORWARDING), expected, "{begun}");
        assert!(judged.message(FORWARDING).contains(why), "{begun}");
    }
}

/// The row of the forwarding as this run's import made it and its execution left it.
fn granted() -> Value {
    let plan = json!(crate::example::change_set().plans()[1]);
    let at = "2026-10-01T12:00:00Z";
    json!({
        "id": 2, "idempotencyKey": plan["idempotencyKey"], "provider": plan["provider"],
        "providerRef": plan["providerRef"], "action": plan["action"],
        "targetJSON": plan["target"].to_string(),
        "parametersJSON": plan["parameters"].to_string(),
        "undoJSON": json!({ "action": plan["undo"]["action"], "parameters": {} }).to_string(),
        "status": "succeeded", "createdAt": at, "updatedAt": at,
    })
}

#[test]
fn routerd_is_asked_only_for_rows_that_are_what_the_owner_granted() {
    let table = [
        ("id", json!(2), true, A::Passed),
        ("riskLevel", json!("high"), true, A::Passed),
        ("id", json!(3), false, A::Skipped),
        ("status", json!("running"), false, A::Skipped),
        ("idempotencyKey", json!("another"), false, A::Failed),
        ("provider", json!("azure"), false, A::Failed),
        ("providerRef", json!("other"), false, A::Failed),
        ("action", json!("assign-secondary-ip"), false, A::Failed),
        ("targetJSON", json!("{\"nicRef\":\"eni-2\"}"), false, A::Failed),
        ("parametersJSON", json!("{\"sourceDestCheck\":\"true\"}"), false, A::Failed),
        ("undoJSON", json!("{\"action\":\"unassign-secondary-ip\"}"), false, A::Failed),
        ("undoJSON", json!("null"), false, A::Failed),
    ];
    for (field, value, expected, status) in table {
        let mut row = granted();
        row[field] = value.clone();
        let rows = [serde_json::from_value::<Row>(row).expect("a row")];
        let judged = judge_as_scenario("undo", async |_, ctx| {
            let mut seen = Rows::default();
            let own = seen.judge(ctx, &step(), &rows, &How::default());
            assert_eq!(own, expected, "{field}: {value}");
            seen.end(ctx);
        });
        assert_eq!(judged.status(GRANTED), status, "{field}: {value}");
        assert_eq!(tripped(&judged), status == A::Failed, "{field}: {value}");
    }
}

/// A row that was read a moment ago is not read again.
#[test]
fn just_before_its_rollback_a_row_is_looked_at_and_a_refusal_says_why() {
    let table = [
        ("id", json!(2), Ok(())),
        ("action", json!("other"), Err("row 2 is not what the owner granted any more")),
        ("status", json!("rolledBack"), Err("row 2 is rolledBack")),
        ("id", json!(3), Err("the run has no such row")),
    ];
    for (field, value, expected) in table {
        let mut row = granted();
        row[field] = value.clone();
        let rows = [serde_json::from_value::<Row>(row).expect("a row")];
        judge_as_scenario("undo", async |lab, ctx| {
            let mut seen = Rows::default();
            seen.look(ctx, &[step()], &rows, &How::default());
            let given = seen.may_be_rolled_back(lab, ctx, &step()).await;
            assert_eq!(given, expected.map_err(str::to_owned), "{field}: {value}");
        });
    }
}

/// routerd's "nothing to do" is right only where the baseline says so too.
#[test]
fn a_preview_is_judged_against_the_row_and_the_baseline() {
    let (done, failed) = (RowStatus::Succeeded, RowStatus::Failed);
    let table = [
        ("it would do it", &done, false, says(RowStatus::Succeeded), Some(A::Passed), false),
        (
            "it would do nothing, rightly",
            &done,
            true,
            says(RowStatus::Skipped),
            Some(A::Passed),
            true,
        ),
        ("it would do nothing", &done, false, says(RowStatus::Skipped), Some(A::Failed), false),
        ("it would fail", &done, false, says(RowStatus::Failed), Some(A::Failed), false),
        ("never succeeded", &failed, true, says(RowStatus::Skipped), Some(A::Skipped), false),
        ("not asked", &done, true, None, None, false),
    ];
    for (what, status, met, preview, expected, skip) in table {
        let mut given = None;
        let judged = judge_as_scenario("undo", async |_, ctx| {
            given = Some(judge_preview(ctx, &step(), Some(status), met, preview));
        });
        assert_eq!(given, Some(skip), "{what}");
        // What was not judged ends as unknown.
        let expected = expected.unwrap_or(A::Unknown);
        assert_eq!(judged.status(PREVIEW_FORWARDING), expected, "{what}");
    }
}

#[test]
fn each_way_is_listed_and_the_first_that_is_done_settles_the_step() {
    let table = [
        (Ok(Outcome::Done), true, "done", Some(A::Passed)),
        (Ok(Outcome::NotDone), false, "not-done", None),
        (Ok(Outcome::Unknown), false, "unknown", None),
        (Err(PermitRefused::RunEnded), false, "not-tried", None),
    ];
    for (came, expected, word, status) in table {
        let mut ways = Vec::new();
        let judged = judge_as_scenario("undo", async |_, ctx| {
            let answer = RowAnswer { printed: None, samples: Vec::new() };
            let result =
                came.map(|outcome| example_acted(outcome, answer)).map_err(NotTried::Refused);
            assert_eq!(settle(ctx, &step(), &mut ways, "a way", result), expected, "{word}");
        });
        assert_eq!(
            (ways[0]["way"].as_str(), ways[0]["outcome"].as_str()),
            (Some("a way"), Some(word))
        );
        assert_eq!(judged.status(FORWARDING), status.unwrap_or(A::Unknown), "{word}");
    }
}

#[test]
fn where_no_way_worked_the_owner_is_given_the_steps_own_command() {
    let planned = |id: &str| UndoStep {
        id: id.to_owned(),
        section: "§6".to_owned(),
        operation: Operation::RemoveChangeSet { path: format!("/{id}") },
        restores: Value::Null,
    };
    let way = |outcome: Outcome| json!({ "way": "a way", "outcome": outcome });
    let table = [
        (vec![], A::Failed),
        (vec![way(Outcome::NotDone)], A::Failed),
        (vec![way(Outcome::NotDone), way(Outcome::Unknown)], A::Unknown),
    ];
    for (ways, expected) in table {
        let judged = judge_as_scenario("undo", async |lab, ctx| {
            let steps = vec![planned(UNDO_ADDRESS), planned(UNDO_FORWARDING)];
            let plan = UndoPlanned { steps, digest: Digest::of(b"plan") };
            ctx.run.state.borrow_mut().undo_plan = Some(plan);
            give_up(lab, ctx, &step(), &ways);
        });
        assert_eq!(judged.status(FORWARDING), expected, "{ways:?}");
        let said = judged.message(FORWARDING);
        assert!(said.ends_with("settles it with: sudo rm -f /undo.forwarding"), "{said}");
        assert!(tripped(&judged), "{ways:?}");
    }
}

#[test]
fn the_change_set_is_gone_or_not_or_nobody_knows() {
    let is = |outcome| Ok(example_acted(outcome, ()));
    let table = [
        (is(Outcome::Done), A::Passed),
        (is(Outcome::NotDone), A::Failed),
        (is(Outcome::Unknown), A::Unknown),
        (Err("not tried".to_owned()), A::Failed),
    ];
    for (came, expected) in table {
        let shown = format!("{came:?}");
        let judged = judge_as_scenario("undo", async |_, ctx| judge_change_set(ctx, came));
        assert_eq!(judged.status(CHANGE_SET), expected, "{shown}");
    }
}

#[test]
fn what_is_so_before_needs_both_the_eni_and_the_rows() {
    let answer = |value| {
        let call = "ec2 DescribeNetworkInterfaces".to_owned();
        Ok(lab::ec2::Answer { value, call, raw: Vec::new(), form: Form::Xml, attempts: 1 })
    };
    let unread = || {
        let call = "ec2 DescribeNetworkInterfaces".to_owned();
        Err(ReadError::Unreachable { call, why: "no route".to_owned() })
    };
    let rows = || example_answer(0, "[]", "");
    let table = [
        ("both", (rows(), answer(Some(eni(true)))), None),
        ("the ENI is gone", (rows(), answer(None)), Some("the ENI is gone")),
        ("no ENI", (rows(), unread()), Some("no route")),
        ("no rows", (example_silence(), answer(Some(eni(true)))), Some("no answer")),
        (
            "unreadable rows",
            (example_answer(0, "?", ""), answer(Some(eni(true)))),
            Some("action list"),
        ),
    ];
    for (what, looked, complaint) in table {
        judge_as_scenario("undo", async |lab, ctx| {
            let (rows, eni) = looked;
            let rows = read_by(&Observe::rows(&lab.manifest.routerd), rows);
            let why = now(ctx, (rows, eni)).err().map(|(why, _)| why);
            let right = match (&why, complaint) {
                (Some(why), Some(complaint)) => why.contains(complaint),
                (given, expected) => given.is_none() && expected.is_none(),
            };
            assert!(right, "{what}: {why:?}");
        });
    }
}

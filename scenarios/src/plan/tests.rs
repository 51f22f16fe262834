//! Tests of what the planner's run came to, and what routerd keeps of it.

use chrono::TimeDelta;
use lab::permit::PermitRefused;
use reports::record::{AssertionStatus as A, Kind};

use super::*;
use lab::shell::NodeAnswer;

use crate::example::{Judged, example_acted, example_answer, judge_as_scenario, read_by};

const SOURCE: &str = "Plugin/lab-planner";

fn not_tried<T>() -> Result<T, NotTried> {
    Err(NotTried::Refused(PermitRefused::RunEnded))
}

fn tripped(judged: &Judged) -> Vec<&str> {
    let kinds = judged.records.iter().map(|record| &record.kind);
    let trips = kinds.filter_map(|kind| match kind {
        Kind::StopTripped(it) => Some(it.detector.as_str()),
        _ => None,
    });
    trips.collect()
}

#[test]
fn the_change_set_is_in_place_or_not_or_nobody_knows() {
    let table = [
        (Ok(example_acted(Outcome::Done, ())), true, A::Passed),
        (Ok(example_acted(Outcome::NotDone, ())), false, A::Failed),
        (Ok(example_acted(Outcome::Unknown, ())), false, A::Unknown),
        (not_tried(), false, A::Failed),
    ];
    for (came, expected, status) in table {
        let shown = format!("{came:?}");
        let mut given = None;
        let judged =
            judge_as_scenario("plan", async |_, ctx| given = Some(judge_change_set(ctx, came)));
        assert_eq!((given, judged.status(CHANGE_SET)), (Some(expected), status), "{shown}");
    }
}

#[test]
fn what_the_planner_made_is_stored_or_not_or_nobody_knows() {
    let run = |stored: bool| {
        let at = "2026-10-01T12:00:00Z";
        let part = json!({ "spec": {
            "source": SOURCE, "generation": 1, "observedAt": at, "expiresAt": at, "digest": "d",
            "resources": [], "directives": [],
        }});
        let run = json!({
            "plugin": "lab-planner", "source": SOURCE, "dryRun": false, "stored": stored,
            "outcome": { "durationMs": 1 }, "actionPlans": [], "part": part,
        });
        Some(serde_json::from_value::<PluginRun>(run).expect("a run"))
    };
    let table = [
        (Ok(example_acted(Outcome::Done, run(true))), true, A::Passed),
        (Ok(example_acted(Outcome::Done, run(false))), false, A::Failed),
        (Ok(example_acted(Outcome::Done, None)), true, A::Passed),
        (Ok(example_acted(Outcome::NotDone, None)), false, A::Failed),
        (Ok(example_acted(Outcome::Unknown, None)), false, A::Unknown),
        (not_tried(), false, A::Failed),
    ];
    for (came, expected, status) in table {
        let shown = format!("{came:?}");
        let mut given = None;
        let judged =
            judge_as_scenario("plan", async |_, ctx| given = Some(judge_planner(ctx, came)));
        assert_eq!((given, judged.status(STORED)), (Some(expected), status), "{shown}");
    }
}

/// The answer of `dynamic describe` for a part with these plans, which expires so many seconds from
/// now.
fn part(now: chrono::DateTime<chrono::Utc>, seconds: i64, plans: &[Value]) -> NodeAnswer {
    let expires_at = now + TimeDelta::seconds(seconds);
    let part = json!([{
        "id": 1, "source": SOURCE, "generation": 1, "status": "active", "storedStatus": "active",
        "observedAt": now, "expiresAt": expires_at, "digest": "d",
        "resources": [], "directives": [], "actionPlans": plans,
    }]);
    example_answer(0, &part.to_string(), "")
}

#[test]
fn what_is_stored_and_has_not_expired_is_the_change_set() {
    let plans = json!(crate::example::change_set().plans());
    let [assign, forwarding] = [plans[0].clone(), plans[1].clone()];
    let changed = |key: &str, value: Value| {
        let mut plan = assign.clone();
        plan[key] = value;
        plan
    };
    let (both, foreign) = ([assign.clone(), forwarding.clone()], vec!["foreign-plan"]);
    let table = [
        ("both", 1, both.to_vec(), A::Passed, vec![]),
        ("expired just now", 0, both.to_vec(), A::Failed, foreign.clone()),
        ("one alone", 1, vec![assign.clone()], A::Failed, foreign.clone()),
        ("none", 1, vec![], A::Failed, foreign.clone()),
        (
            "another provider",
            1,
            vec![changed("provider", json!("gcp")), forwarding.clone()],
            A::Failed,
            vec!["foreign-plan", "other-provider"],
        ),
        (
            "another undo",
            1,
            vec![changed("undo", json!({ "action": "any" })), forwarding.clone()],
            A::Failed,
            vec!["foreign-plan", "undo-not-in-plan"],
        ),
    ];
    for (what, seconds, plans, status, stops) in table {
        let judged = judge_as_scenario("plan", async |lab, ctx| {
            let part = part(lab.clock.now(), seconds, &plans);
            let routerd = &lab.manifest.routerd;
            let part = read_by(&Observe::dynamic_part(routerd, SOURCE), part);
            let rows = read_by(&Observe::rows(routerd), example_answer(0, "[]", ""));
            judge_part(lab, ctx, SOURCE, part, rows);
        });
        assert_eq!((judged.status(EQUAL), tripped(&judged)), (status, stops), "{what}");
    }
}

#[test]
fn the_canonical_undo_is_the_runbooks_pair() {
    let table = [
        ("assign-secondary-ip", json!("unassign-secondary-ip"), true),
        ("assign-secondary-ip", json!("ensure-forwarding-disabled"), false),
        ("ensure-forwarding-enabled", json!("ensure-forwarding-disabled"), true),
        ("ensure-forwarding-enabled", json!("unassign-secondary-ip"), false),
        ("another", json!("any"), true),
        ("another", Value::Null, false),
    ];
    for (action, undo, expected) in table {
        let plan = json!({ "action": action, "undo": { "action": undo } });
        assert_eq!(has_its_undo(&plan), expected, "{plan}");
    }
}

#[test]
fn nothing_beside_it_would_be_imported() {
    let counts = |source: &str, plans: u64| {
        json!({
            "source": source, "generation": 1, "status": "active", "resources": 0,
            "directives": 0, "actionPlans": plans, "expiresAt": "2026-10-01T12:00:00Z",
        })
    };
    let table = [
        (vec![counts(SOURCE, 2)], A::Passed),
        (vec![counts(SOURCE, 2), counts("MobilityPool/pool", 0)], A::Passed),
        (vec![counts(SOURCE, 2), counts("MobilityPool/pool", 1)], A::Failed),
    ];
    for (parts, expected) in table {
        let list = example_answer(0, &json!(parts).to_string(), "");
        let judged = judge_as_scenario("plan", async |lab, ctx| {
            let list = read_by(&Observe::dynamic_parts(&lab.manifest.routerd), list);
            judge_list(ctx, SOURCE, list);
        });
        assert_eq!(judged.status(ALONE), expected, "{parts:?}");
    }
}

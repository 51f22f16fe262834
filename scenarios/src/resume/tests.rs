//! Tests of what a later process takes a run to be, from its journal alone.

use lab_mock::faults::{CommandEffect, CommandFault};
use reports::digest::Digest;
use reports::record::{
    Calls, Effect, FactsRecorded, GoBurnt, LabIdentity, LabKind, LockReleased, LockTaken,
    NobodysFound, OutcomeRecorded, Permit, ResidueItem, RowsRecorded, ScenarioFinished,
};
use serde_json::{Value, json};

use super::*;
use crate::capture::capture_steps;
use crate::example::change_set;

const TAKE: fn() -> Effect = || Effect::TakeLock { path: "/p".into(), contents: "{}".into() };
const BURN: fn() -> Effect = || Effect::BurnGo { path: "/p".into(), contents: "{}".into() };

fn records(kinds: Vec<Kind>) -> Vec<Record> {
    let at = "2026-10-01T12:00:00Z".parse().expect("a time");
    let record = |(seq, kind)| Record { seq, prev: Digest::of(b""), at, kind };
    (0..).zip(kinds).map(record).collect()
}

fn after(kinds: Vec<Kind>) -> RunState {
    rebuild_state(&records(kinds), &steps())
}

fn steps() -> Vec<CaptureStep> {
    capture_steps(&change_set())
}

/// The rows of all steps, in their order.
fn ids(ids: &[u64]) -> Option<RowIds> {
    let keys = change_set().keys();
    let pairs: Vec<_> = ids.iter().copied().zip(keys.iter().map(String::as_str)).collect();
    all_of(&pairs, &steps())
}

fn intent(id: &str, effect: fn() -> Effect) -> Kind {
    Kind::Intent(Intent {
        id: id.to_owned(),
        scenario: "gate".to_owned(),
        permit: Permit::Forward,
        effect: effect(),
        undo: None,
    })
}

fn outcome(intent: &str, outcome: Outcome) -> Kind {
    Kind::Outcome(OutcomeRecorded::of(intent, outcome))
}

fn burnt() -> Kind {
    Kind::GoBurnt(GoBurnt { go_digest: Digest::of(b"go"), path: "/burnt".to_owned() })
}

fn taken() -> Kind {
    let lease_until = "2026-10-01T13:00:00Z".parse().expect("a time");
    Kind::LockTaken(LockTaken { path: "/lock".to_owned(), lease_until })
}

fn released() -> Kind {
    Kind::LockReleased(LockReleased { path: "/lock".to_owned() })
}

#[test]
fn what_nobody_ends_is_known_from_what_preflight_saw() {
    let item = crate::watch::describe_costly_item(
        "volume",
        "vol-2",
        "nobody ends it".to_owned(),
        "eu-west-1",
    );
    let found = |items: &[ResidueItem]| Kind::NobodysFound(NobodysFound { items: items.to_vec() });
    let (seen, gone) = (found(std::slice::from_ref(&item)), found(&[]));
    let table = [
        (vec![burnt()], vec![]),
        (vec![seen.clone(), burnt()], vec![item]),
        (vec![seen, gone], vec![]),
    ];
    for (kinds, expected) in table {
        assert_eq!(after(kinds).nobodys, expected);
    }
}

#[test]
fn the_lock_is_the_runs_from_when_it_is_taken_until_it_is_released() {
    let tried = |came: Outcome| vec![intent("1", TAKE), outcome("1", came)];
    let table = [
        ("nothing", vec![], false),
        ("taken", vec![taken()], true),
        ("released", vec![taken(), released()], false),
        ("taken, and its record was lost", tried(Outcome::Done), true),
        ("held by another", tried(Outcome::NotDone), false),
        ("nobody knows", tried(Outcome::Unknown), false),
        ("another thing was done", vec![intent("1", BURN), outcome("1", Outcome::Done)], false),
        ("released after all", [tried(Outcome::Done), vec![released()]].concat(), false),
        (
            "the outcome of something else",
            vec![intent("1", TAKE), intent("2", BURN), outcome("2", Outcome::Done)],
            false,
        ),
        (
            "settled at last",
            [tried(Outcome::Unknown), vec![outcome("1", Outcome::Done)]].concat(),
            true,
        ),
    ];
    for (what, kinds, expected) in table {
        assert_eq!(after(kinds).lock_taken, expected, "{what}");
    }
}

/// The journal burns the go first, then the node does: only what the node refused was not burnt.
#[test]
fn a_go_is_burnt_unless_the_node_refused_it() {
    let tried = |came: Outcome| vec![intent("1", BURN), burnt(), outcome("1", came)];
    let table = [
        ("nothing", vec![], false),
        ("burnt", tried(Outcome::Done), true),
        ("nobody knows", tried(Outcome::Unknown), true),
        ("it was used", tried(Outcome::NotDone), false),
        ("no outcome", vec![intent("1", BURN), burnt()], true),
        (
            "something else was refused",
            vec![burnt(), intent("1", TAKE), outcome("1", Outcome::NotDone)],
            true,
        ),
    ];
    for (what, kinds, expected) in table {
        assert_eq!(after(kinds).burnt, expected, "{what}");
    }
}

#[test]
fn facts_and_plan_are_those_that_were_recorded_last() {
    let facts = |text: &str| {
        let facts = json!({
            "lab": { "kind": "mock", "name": "mock" },
            "account_id": "", "region": "", "vpc": {}, "subnet": {}, "route_table": {},
            "interface": {}, "instances": [], "captured_address": "",
            "captured_address_holders": [], "cloud_state": null, "nodes": {},
            "role": { "name": "", "documents": [], "granted_by": {}, "notes": [] },
            "router_yaml": { "sha256": Digest::of(text), "policies": [] },
            "programs": [], "rows_of_earlier_runs": [],
        });
        Kind::FactsRecorded(Box::new(FactsRecorded {
            facts: serde_json::from_value(facts).expect("facts"),
            facts_digest: Digest::of(text.as_bytes()),
            lab: LabIdentity {
                kind: LabKind::Mock,
                account_id: String::new(),
                region: String::new(),
                vpc_id: String::new(),
                network_interface_id: String::new(),
                instance_ids: Vec::new(),
                host_keys: Vec::new(),
            },
            lab_fingerprint: Digest::of(b"lab"),
            change_set: Value::Null,
            programs: Vec::new(),
        }))
    };
    let plan = |text: &str| {
        Kind::UndoPlanned(UndoPlanned { steps: Vec::new(), digest: Digest::of(text.as_bytes()) })
    };
    let state = after(vec![facts("one"), plan("one"), facts("two"), plan("two")]);
    assert_eq!(state.facts_digest, Some(Digest::of(b"two")));
    assert_eq!(state.router_yaml, Some(Digest::of("two")));
    assert_eq!(state.lab_fingerprint, Some(Digest::of(b"lab")));
    assert_eq!(state.undo_plan.map(|plan| plan.digest), Some(Digest::of(b"two")));
    assert!(after(vec![]).facts_digest.is_none());
}

/// Rows with these keys, as routerctl shows them.
fn shown(keys: &[&str]) -> Value {
    let row = |(id, key): (u64, &&str)| {
        let at = "2026-10-01T12:00:00Z";
        json!({
            "id": id, "idempotencyKey": key, "provider": "aws", "action": "any",
            "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
            "status": "pending", "createdAt": at, "updatedAt": at,
        })
    };
    (1..).zip(keys).map(row).collect()
}

fn rows_with(keys: &[&str]) -> Vec<Row> {
    serde_json::from_value(shown(keys)).expect("rows")
}

#[test]
fn the_runs_rows_are_found_by_both_their_keys() {
    let plans = change_set().plans();
    let [assign, forwarding] = [&plans[0].idempotency_key, &plans[1].idempotency_key];
    let table = [
        (vec!["else", assign, forwarding], ids(&[2, 3])),
        (vec![forwarding, assign], ids(&[2, 1])),
        (vec![assign], None),
        (vec!["else"], None),
    ];
    for (keys, expected) in table {
        let rows = rows_with(&keys);
        assert_eq!(own_rows(&rows, &steps()), expected, "{keys:?}");
        let recorded = RowsRecorded { phase: Phase::Baseline, rows: json!(rows) };
        let state = after(vec![Kind::RowsRecorded(recorded)]);
        assert_eq!(state.rows, expected, "as the journal has them: {keys:?}");
    }
}

#[test]
fn a_scenario_passed_if_it_did_the_last_time() {
    use ScenarioStatus::{Failed, Passed};
    let ended = |scenario: &str, status| {
        let (scenario, calls) = (scenario.to_owned(), Calls::default());
        Kind::ScenarioFinished(ScenarioFinished { scenario, status, reason: None, calls })
    };
    let table = [
        (vec![], false),
        (vec![ended("restored", Passed)], true),
        (vec![ended("restored", Failed)], false),
        (vec![ended("undo", Passed)], false),
        (vec![ended("restored", Failed), ended("restored", Passed), ended("undo", Failed)], true),
        (vec![ended("restored", Passed), ended("restored", Failed), ended("undo", Passed)], false),
    ];
    for (kinds, expected) in table {
        assert_eq!(has_passed(&records(kinds.clone()), "restored"), expected, "{kinds:?}");
    }
}

/// Not from the journal: its environment must not stand there.
#[test]
fn the_executor_is_read_from_router_yaml_again() {
    crate::example::judge_as_scenario("undo", async |lab, _| {
        let found = read_executor(lab).await.expect("router.yaml names one");
        assert!(found.program.executable.ends_with("aws-provider-executor"), "{found:?}");
        assert!(found.timeout > std::time::Duration::ZERO);
    });
}

/// A run that died before its journal had its rows: routerd is asked for them.
#[tokio::test(start_paused = true)]
async fn rows_that_the_journal_lacks_are_asked_of_routerd() {
    let plans = change_set().plans();
    let [assign, forwarding] = [&plans[0].idempotency_key, &plans[1].idempotency_key];
    for (keys, expected) in [(vec!["else", assign, forwarding], ids(&[2, 3])), (vec!["else"], None)]
    {
        let options = lab_mock::MockLabOptions { seed: 1, ..lab_mock::MockLabOptions::default() };
        let mock = lab_mock::open_mock_lab(&options).expect("a mock lab");
        let (stdout, stderr) = (shown(&keys).to_string(), String::new());
        mock.shared.lock().faults.commands.push(CommandFault {
            node: Some(Node::RouterdCloud),
            pattern: "*action list".to_owned(),
            skip: 0,
            times: 1,
            effect: CommandEffect::Answer { code: 0, stdout, stderr },
            seen: 0,
            fired: 0,
        });
        assert_eq!(super::find_own_rows(&mock.lab, &steps()).await, expected, "{keys:?}");
    }
}

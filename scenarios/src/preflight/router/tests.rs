//! Tests of what routerd's node may hold before a run.

use chrono::TimeDelta;
use lab::node::Node;
use lab::shell::{NodeAnswer, Observe};
use reports::record::AssertionStatus as A;

use super::*;
use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

/// The list of parts, and those of the run's own planner, as routerctl prints them.
fn as_asked(
    lab: &Lab,
    (list, plans): (NodeAnswer, NodeAnswer),
) -> (Readout<Vec<PartCounts>>, Readout<Vec<DynamicPart>>) {
    let routerd = &lab.manifest.routerd;
    let own = PlanSource::part_of(&routerd.planner);
    let list = read_by(&Observe::dynamic_parts(routerd), list);
    (list, read_by(&Observe::dynamic_part(routerd, &own), plans))
}

#[test]
fn nobody_elses_plans_would_be_imported() {
    // Whose, how many plans, and how many seconds they are still good for.
    let table = [
        (vec![], A::Passed, json!([])),
        (vec![("MobilityPool/pool", 1, 1)], A::Failed, json!(["MobilityPool/pool"])),
        (vec![("MobilityPool/pool", 1, 0)], A::Passed, json!([])),
        (vec![("MobilityPool/pool", 0, 1)], A::Passed, json!([])),
        (vec![("Plugin/lab-planner", 2, 1)], A::Unknown, json!(null)),
        (vec![("Plugin/lab-planner", 2, 0)], A::Passed, json!([])),
        (vec![("Plugin/another", 1, 1)], A::Failed, json!(["Plugin/another"])),
    ];
    for (counts, status, others) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            let part = |(source, plans, seconds): &(&str, u64, i64)| {
                json!({
                    "source": source, "generation": 1, "status": "active", "resources": 0,
                    "directives": 0, "actionPlans": plans,
                    "expiresAt": lab.clock.now() + TimeDelta::seconds(*seconds),
                })
            };
            let list = json!(counts.iter().map(part).collect::<Vec<_>>());
            let reads = (example_answer(0, &list.to_string(), ""), example_answer(0, "[]", ""));
            parts(lab, ctx, as_asked(lab, reads), Some(&[]), None);
        });
        let made = judged.assertion(PLAN_SOURCE);
        let found = made.observed.get("other_planners").unwrap_or(&Value::Null);
        assert_eq!((made.status, found), (status, &others), "{counts:?}");
    }
    let absent = "open state database /var/lib/routerd/state.db: unable to open database file";
    let table = [
        (example_answer(1, "", absent), A::Passed),
        (example_answer(1, "", "what?"), A::Unknown),
        (example_silence(), A::Unknown),
    ];
    for (answer, expected) in table {
        let shown = format!("{answer:?}");
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            let reads = as_asked(lab, (answer, example_answer(1, "", absent)));
            parts(lab, ctx, reads, Some(&[]), None);
        });
        assert_eq!(judged.status(PLAN_SOURCE), expected, "{shown}");
    }
}

/// Nothing takes an ended run's plans back: whether an import would make rows of them is what counts.
#[test]
fn the_plans_of_a_run_whose_rows_are_settled_keep_nobody_out() {
    let keys = crate::example::change_set().keys();
    let row = |key: &str, status: &str| -> Row {
        let at = "2026-10-01T12:00:00Z";
        let row = json!({
            "id": 7, "idempotencyKey": key, "provider": "aws", "action": "any",
            "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
            "status": status, "createdAt": at, "updatedAt": at,
        });
        serde_json::from_value(row).expect("a row")
    };
    let rows = |statuses: [&str; 2]| -> Vec<Row> {
        keys.iter().zip(statuses).map(|(key, status)| row(key, status)).collect()
    };
    let table = [
        (Some(rows(["rolledBack", "rolledBack"])), A::Passed),
        (Some(rows(["rolledBack", "succeeded"])), A::Passed),
        (Some(rows(["rolledBack", "skipped"])), A::Failed),
        (Some(rows(["failed", "approved"])), A::Failed),
        (Some(vec![]), A::Failed),
        (None, A::Unknown),
    ];
    for (rows, expected) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            let now = lab.clock.now();
            let expires_at = now + TimeDelta::hours(1);
            let list = json!([{
                "source": "Plugin/lab-planner", "generation": 1, "status": "active",
                "resources": 0, "directives": 0, "actionPlans": 2, "expiresAt": expires_at,
            }]);
            let described = json!([{
                "id": 1, "source": "Plugin/lab-planner", "generation": 1, "status": "active",
                "storedStatus": "active", "observedAt": now, "expiresAt": expires_at,
                "digest": "d", "resources": [], "directives": [],
                "actionPlans": crate::example::change_set().plans(),
            }]);
            let reads = (
                example_answer(0, &list.to_string(), ""),
                example_answer(0, &described.to_string(), ""),
            );
            parts(lab, ctx, as_asked(lab, reads), rows.as_deref(), None);
        });
        assert_eq!(judged.status(PLAN_SOURCE), expected, "{rows:?}");
    }
}

#[test]
fn of_an_earlier_run_only_its_burnt_goes_and_the_lock_may_be_there() {
    let table = [
        ("", A::Passed, json!([])),
        ("burnt-1234\nlock.json\nlock.json.new\n", A::Passed, json!([])),
        ("burnt-1234\nchange-set.json\n", A::Failed, json!(["change-set.json"])),
        ("a-lock.json\n", A::Failed, json!(["a-lock.json"])),
    ];
    for (names, status, left) in table {
        let judged = judge_as_scenario("preflight", async |_, ctx| {
            leftovers(ctx, read_by(&Observe::node_folder(), example_answer(0, names, "")));
        });
        let made = judged.assertion(LEFTOVERS);
        assert_eq!((made.status, &made.observed), (status, &left), "{names}");
    }
}

#[test]
fn open_rows_are_nobodys_run_and_those_of_another_provider_are_named() {
    let row = |status: &str, provider: &str| {
        let at = "2026-10-01T12:00:00Z";
        json!({
            "id": 7, "idempotencyKey": "key", "provider": provider, "action": "any",
            "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
            "status": status, "createdAt": at, "updatedAt": at,
        })
    };
    let table = [
        ("pending", "aws", A::Failed, None),
        ("approved", "aws", A::Failed, None),
        ("running", "aws", A::Failed, None),
        ("succeeded", "aws", A::Passed, None),
        ("pending", "gcp", A::Failed, Some("row 7 is for gcp")),
        ("approved", "gcp", A::Failed, Some("row 7 is for gcp")),
        ("succeeded", "gcp", A::Passed, None),
    ];
    for (status, provider, expected, other) in table {
        let list = json!([row(status, provider)]).to_string();
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            let list = read_by(&Observe::rows(&lab.manifest.routerd), example_answer(0, &list, ""));
            let found = rows(ctx, list).expect("rows");
            assert_eq!(of_another_provider(&found).as_deref(), other, "{status} {provider}");
        });
        assert_eq!(judged.status(ROWS), expected, "{status} {provider}");
    }
}

/// Without the planner nothing can be pinned; of what is there, every program has a digest or a reason.
#[test]
fn the_programs_are_those_of_router_yaml_as_they_lie_on_the_node() {
    // Whether router.yaml has the planner, whether the last program can be read, and how it ends.
    let table = [
        (true, true, A::Passed, None),
        (true, false, A::Failed, Some("(sha256sum: permission denied)")),
        (false, true, A::Failed, Some("router.yaml has no Plugin lab-planner")),
    ];
    for (planner, readable, status, says) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            let command = Observe::router_yaml(&lab.manifest.routerd);
            let read = lab.shell.observe(Node::RouterdCloud, &command).await.expect("an answer");
            let mut config = read.value.expect("a file").config.expect("router.yaml");
            if !planner {
                config.plugins.retain(|plugin| plugin.name != lab.manifest.routerd.planner);
            }
            let paths: Vec<_> =
                programs_of(lab, &config).into_iter().map(|(_, path)| path).collect();
            let node = Node::RouterdCloud;
            let mut hashing = lab.shell.hash_files(node, &paths, &[]).await;
            assert_eq!(hashing.hashed.len(), paths.len(), "each is a file of its own");
            if !readable {
                hashing.hashed.last_mut().expect("a program").1 =
                    example_answer(1, "", "sha256sum: permission denied\n");
            }
            let version = Some("routerctl 1".to_owned());
            let found = programs(lab, ctx, &config, version.as_deref(), Some(hashing));
            assert_eq!(found.is_some(), status == A::Passed);
        });
        let made = judged.assertion(PROGRAMS);
        assert_eq!(made.status, status, "{made:?}");
        assert!(says.is_none_or(|says| judged.message(PROGRAMS).ends_with(says)), "{made:?}");
    }
}

//! All plans are in routerd's journal as pending rows, by their keys. How many were inserted is
//! not asked: a daemon imports too (contract §1.11).

use std::collections::BTreeMap;

use lab::Lab;
use lab::act::{Acted, NotTried};
use lab::routerd::{Row, RowStatus};
use reports::record::{Kind, Outcome, Phase, RowsRecorded};
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::observe;
use crate::run::RowIds;
use crate::stops;

pub const IMPORTED: &str = "import.imported";
pub const ASSIGN: &str = "import.assign-pending";
pub const FORWARDING: &str = "import.forwarding-pending";
pub const NOTHING_ELSE: &str = "import.nothing-else";

pub const ASSERTS: &[&str] = &[IMPORTED, ASSIGN, FORWARDING, NOTHING_ELSE];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(forward) = ctx.run.forward() else { return };
    let keys = ctx.run.change_set.keys();
    let acted = lab.import(&forward, ctx.journal, &keys).await;
    let tried = acted.is_ok();
    judge_import(ctx, acted);
    if !tried {
        return;
    }
    match observe::observe_rows(lab, ctx).await {
        Ok((rows, how)) => judge(ctx, &rows, &how),
        Err((why, how)) => {
            if let Some(first) = ctx.run.steps.first() {
                ctx.check(first.asserts.pending).expects(json!("pending")).seen(how).unknown(why);
            }
        }
    }
}

fn judge_import<T>(ctx: &mut Context<'_>, acted: Result<Acted<T>, NotTried>) {
    let how = How::words("routerctl action import");
    match acted {
        Ok(acted) if acted.outcome == Outcome::Unknown => {
            ctx.check(IMPORTED).expects(json!("done")).seen(how).unknown(acted.detail);
        }
        Ok(acted) => {
            let done = acted.outcome == Outcome::Done;
            let ruling = Ruling::when(done, acted.detail);
            ctx.check(IMPORTED)
                .expects(json!("done"))
                .seen(how)
                .comes_to(json!(acted.outcome), ruling);
        }
        Err(error) => ctx.not_tried(IMPORTED, json!("done"), how, &error),
    }
}

fn judge(ctx: &mut Context<'_>, rows: &[Row], how: &How) {
    let mut ids = BTreeMap::new();
    for step in &ctx.run.steps {
        let found: Vec<_> = rows.iter().filter(|row| row.idempotency_key == step.key()).collect();
        let observed: Vec<_> =
            found.iter().map(|row| json!({ "id": row.id, "status": row.status })).collect();
        let pending = matches!(found[..], [row] if row.status == RowStatus::Pending);
        let message = format!("not exactly one pending row with the key {}", step.key());
        let expected = json!({ "rows": 1, "status": "pending" });
        let ruling = Ruling::when(pending, message);
        ctx.check(step.asserts.pending)
            .expects(expected)
            .seen(how.clone())
            .comes_to(json!(observed), ruling);
        ids.extend(found.first().map(|row| (step.key(), row.id)));
    }
    if let Some(all) = RowIds::find(&ctx.run.steps, |key| ids.get(key).copied()) {
        ctx.run.state.borrow_mut().rows = Some(all);
    }
    let own: Vec<u64> = ids.into_values().collect();
    let baseline = ctx.run.baseline().map(|baseline| baseline.rows.clone()).unwrap_or_default();
    let strangers: Vec<_> = rows
        .iter()
        .filter(|row| !own.contains(&row.id) && !baseline.contains(&row.id))
        .map(|row| row.idempotency_key.clone())
        .collect();
    let message = format!("rows that are not the run's appeared: {}", strangers.join(", "));
    let found = (!strangers.is_empty()).then(|| message.clone());
    let observed = json!(strangers);
    let ruling = Ruling::unless(found.clone());
    ctx.check(NOTHING_ELSE).expects(json!([])).seen(how.clone()).comes_to(observed, ruling);
    ctx.stop(&stops::FOREIGN_ROWS, found, "routerd's journal");
    ctx.write(Kind::RowsRecorded(RowsRecorded { phase: Phase::Baseline, rows: json!(rows) }));
}

#[cfg(test)]
mod tests {
    use lab::permit::PermitRefused;
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_acted, judge_as_scenario};

    #[test]
    fn an_import_is_done_or_not_or_nobody_knows() {
        let table = [
            (Ok(example_acted(Outcome::Done, ())), A::Passed),
            (Ok(example_acted(Outcome::NotDone, ())), A::Failed),
            (Ok(example_acted(Outcome::Unknown, ())), A::Unknown),
            (Err(NotTried::Refused(PermitRefused::RunEnded)), A::Failed),
        ];
        for (came, expected) in table {
            let shown = format!("{came:?}");
            let judged = judge_as_scenario("import", async |_, ctx| judge_import(ctx, came));
            assert_eq!(judged.status(IMPORTED), expected, "{shown}");
        }
    }

    /// Rows of earlier runs are in the baseline; any other that is not the run's is a stop.
    #[test]
    fn both_rows_are_pending_and_nobody_elses_appeared() {
        let row = |(id, key, status): &(u64, &str, &str)| -> Row {
            let at = "2026-10-01T12:00:00Z";
            let row = json!({
                "id": id, "idempotencyKey": key, "provider": "aws", "action": "any",
                "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
                "status": status, "createdAt": at, "updatedAt": at,
            });
            serde_json::from_value(row).expect("a row")
        };
        let keys = crate::example::change_set().keys();
        let (assign, forwarding) = (keys[0].as_str(), keys[1].as_str());
        let both = [(2, assign, "pending"), (3, forwarding, "pending")];
        let with = |more| [&both[..], more].concat();
        let ids = Some(vec![2, 3]);
        let table = [
            ("both", both.to_vec(), [A::Passed; 3], ids.clone()),
            (
                "an earlier run's too",
                with(&[(1, "earlier", "succeeded")]),
                [A::Passed; 3],
                ids.clone(),
            ),
            (
                "a stranger",
                with(&[(4, "stranger", "pending")]),
                [A::Passed, A::Passed, A::Failed],
                ids.clone(),
            ),
            (
                "twice the same",
                with(&[(4, assign, "pending")]),
                [A::Failed, A::Passed, A::Failed],
                ids.clone(),
            ),
            (
                "approved already",
                vec![(2, assign, "approved"), (3, forwarding, "pending")],
                [A::Failed, A::Passed, A::Passed],
                ids,
            ),
            ("one alone", vec![both[0]], [A::Passed, A::Failed, A::Passed], None),
        ];
        for (what, rows, expected, ids) in table {
            let judged = judge_as_scenario("import", async |_, ctx| {
                let baseline = std::rc::Rc::new(crate::example::example_baseline());
                ctx.run.state.borrow_mut().baseline = Some(baseline);
                judge(ctx, &rows.iter().map(row).collect::<Vec<_>>(), &How::default());
                let given = ctx.run.rows();
                let given = given.map(|rows| rows.iter().map(|row| row.id).collect::<Vec<_>>());
                assert_eq!(given, ids, "{what}");
            });
            let given = [ASSIGN, FORWARDING, NOTHING_ELSE].map(|id| judged.status(id));
            assert_eq!(given, expected, "{what}");
        }
    }
}

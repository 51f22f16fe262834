//! The run's own rows that routerd keeps. routerctl has no command that withdraws one (contract §1.6):
//! an approved row is executed by whoever asks for it, without a go, so that it is left; one that
//! nobody approved can do nothing, and is listed as kept.

use std::collections::BTreeSet;

use lab::Lab;
use lab::node::Node;
use lab::routerd::RowStatus;
use reports::record::{Kind, Phase, Record, ResidueListed};
use serde::Deserialize;

use crate::context::Context;
use crate::left;

/// The part of a row that the journal has, in other words than routerctl's.
#[derive(Clone, Debug, Deserialize)]
struct Recorded {
    id: u64,
    idempotency_key: String,
    status: RowStatus,
}

/// Lists the run's own rows as `restored` saw them last; `ended` are the instances that are gone,
/// with whatever was on their disks.
pub(super) fn list_rows_left(
    lab: &Lab,
    ctx: &Context<'_>,
    ended: &BTreeSet<String>,
    all: &mut ResidueListed,
) {
    let instance = lab.manifest.nodes[&Node::RouterdCloud].instance_id.as_ref();
    if instance.is_some_and(|id| ended.contains(id)) {
        return;
    }
    let keys = ctx.run.change_set.keys();
    let rows = ctx.journal.with_records(seen_last);
    for row in rows.iter().filter(|row| keys.contains(&row.idempotency_key)) {
        match row.status {
            RowStatus::Approved => {
                all.items.push(left::approved_row(&lab.manifest.routerd, row.id));
            }
            RowStatus::Pending => all.kept.push(left::pending_row(&lab.manifest.routerd, row.id)),
            _ => {}
        }
    }
}

fn seen_last(records: &[Record]) -> Vec<Recorded> {
    let rows = records.iter().rev().find_map(|record| match &record.kind {
        Kind::RowsRecorded(it) if it.phase == Phase::Final => Some(it.rows.clone()),
        _ => None,
    });
    rows.and_then(|rows| serde_json::from_value(rows).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use reports::record::RowsRecorded;
    use serde_json::json;

    use super::*;
    use crate::example::{change_set, judge_as_scenario};

    /// Everything that an import has seen is over.
    #[test]
    fn the_runs_own_rows_are_left_where_they_are_approved_and_kept_where_they_are_pending() {
        let keys = change_set().keys();
        let rows = |statuses: [&str; 2]| {
            let row = |(key, status): (&String, &str)| json!({ "id": key.len(), "idempotency_key": key, "status": status });
            let own = keys.iter().zip(statuses).map(row);
            let another = json!({ "id": 1, "idempotency_key": "another", "status": "approved" });
            own.chain([another]).collect::<Vec<_>>()
        };
        let table = [
            (["approved", "approved"], false, 2, 0),
            (["pending", "approved"], false, 1, 1),
            (["rolledBack", "succeeded"], false, 0, 0),
            (["failed", "running"], false, 0, 0),
            (["approved", "pending"], true, 0, 0),
        ];
        for (statuses, gone, left, kept) in table {
            judge_as_scenario("residue", async |lab, ctx| {
                for (phase, rows) in
                    [(Phase::Final, rows(statuses)), (Phase::Baseline, rows(["approved"; 2]))]
                {
                    ctx.write(Kind::RowsRecorded(RowsRecorded { phase, rows: json!(rows) }));
                }
                let router = lab.manifest.nodes[&Node::RouterdCloud].instance_id.clone();
                let ended = router.into_iter().filter(|_| gone).collect();
                let mut all = ResidueListed { items: Vec::new(), kept: Vec::new() };
                list_rows_left(lab, ctx, &ended, &mut all);
                assert_eq!((all.items.len(), all.kept.len()), (left, kept), "{statuses:?} {gone}");
                let settles = |it: &str| it.contains("SET status='rolledBack'");
                for item in all.items.iter().chain(&all.kept) {
                    assert!(item.owner_commands.iter().any(|it| settles(it)), "{item:?}");
                }
            });
        }
    }
}

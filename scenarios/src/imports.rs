//! Rows that an import would make of the plans that routerd keeps. It takes every plan of every part
//! that has not expired, and nothing can take a part back: an ended run's plans lie there until their
//! time is over (contract §2.3). What they come to is said by the rows with their keys alone.

use chrono::{DateTime, Utc};
use lab::routerd::{DynamicPart, Plan, Row, RowStatus};

/// The plans of which an import would make a pending row: those of whose key there is no row yet, or
/// one that failed or was skipped, which is opened again. A row that succeeded or was rolled back
/// stays as it is for ever (contract §1.6); one that is open is a finding of its own.
pub fn to_come<'a>(parts: &'a [DynamicPart], rows: &[Row], now: DateTime<Utc>) -> Vec<&'a Plan> {
    let settled = |plan: &Plan| {
        rows.iter().any(|row| {
            let ended = matches!(row.status, RowStatus::Succeeded | RowStatus::RolledBack);
            ended && row.idempotency_key == plan.idempotency_key
        })
    };
    let lasting = parts.iter().filter(|part| part.expires_at > now);
    lasting.flat_map(|part| &part.plans).filter(|plan| !settled(plan)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::example::change_set;

    #[test]
    fn what_an_import_would_leave_alone_is_not_to_come() {
        let now: DateTime<Utc> = "2026-10-01T12:00:00Z".parse().expect("a time");
        let (plans, keys) = (change_set().plans(), change_set().keys());
        let part = |seconds: i64| -> DynamicPart {
            let part = json!({
                "id": 1, "source": "Plugin/lab-planner", "generation": 1, "status": "active",
                "storedStatus": "active", "observedAt": now, "digest": "d",
                "expiresAt": now + TimeDelta::seconds(seconds),
                "resources": [], "directives": [], "actionPlans": plans,
            });
            serde_json::from_value(part).expect("a part")
        };
        let row = |key: &str, status: &str| -> Row {
            let row = json!({
                "id": 7, "idempotencyKey": key, "provider": "aws", "action": "any",
                "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
                "status": status, "createdAt": now, "updatedAt": now,
            });
            serde_json::from_value(row).expect("a row")
        };
        let (assign, forwarding) = (keys[0].as_str(), keys[1].as_str());
        let both = vec![assign, forwarding];
        let settled = [row(assign, "rolledBack"), row(forwarding, "succeeded")];
        let table = [
            (vec![], 1, both.clone()),
            (vec![], 0, vec![]),
            (settled.to_vec(), 1, vec![]),
            (vec![row(assign, "rolledBack")], 1, vec![forwarding]),
            (vec![row("another", "rolledBack")], 1, both.clone()),
            (vec![row(assign, "failed"), row(forwarding, "skipped")], 1, both.clone()),
            (vec![row(assign, "pending"), row(forwarding, "approved")], 1, both.clone()),
            (vec![row(assign, "running")], 1, both),
        ];
        for (rows, seconds, expected) in table {
            let parts = [part(seconds)];
            let plans = to_come(&parts, &rows, now);
            let keys: Vec<_> = plans.iter().map(|plan| plan.idempotency_key.as_str()).collect();
            assert_eq!(keys, expected, "{rows:?} {seconds}");
        }
    }
}

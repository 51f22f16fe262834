//! Both rows are approved, and they are still the approved change set: what routerd holds after
//! the approval is what will be executed.

use std::collections::BTreeMap;

use lab::Lab;
use lab::act::{Acted, NotTried};
use lab::routerd::{Row, RowStatus};
use reports::record::Outcome;
use serde_json::{Value, json};

use crate::context::{Context, How, Ruling};
use crate::observe;
use crate::requests;
use crate::run::{Run, StepRow};
use crate::stops;

pub const ASSIGN: &str = "approve.assign-approved";
pub const FORWARDING: &str = "approve.forwarding-approved";
pub const UNCHANGED: &str = "approve.rows-equal-change-set";

pub const ASSERTS: &[&str] = &[ASSIGN, FORWARDING, UNCHANGED];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let (Some(forward), Some(own)) = (ctx.run.forward(), ctx.run.rows()) else { return };
    let by = format!("lab-smoke:{}", ctx.run.id);
    let journal = ctx.journal;
    let approvals = own.iter().map(|row| lab.approve(&forward, journal, row.id, &by));
    let acted = futures::future::join_all(approvals).await;
    for (row, acted) in own.iter().zip(acted) {
        if !may_be_approved(ctx, row.step.asserts.approved, acted) {
            return;
        }
    }
    match observe::observe_rows(lab, ctx).await {
        Ok((rows, how)) => judge(ctx, &rows, &own, &by, &how),
        Err((why, how)) => {
            if let Some(first) = own.first() {
                ctx.check(first.step.asserts.approved)
                    .expects(json!("approved"))
                    .seen(how)
                    .unknown(why);
            }
        }
    }
}

/// Whether the rows are to be asked: a refusal is an answer by itself.
fn may_be_approved<T>(
    ctx: &mut Context<'_>,
    id: &'static str,
    acted: Result<Acted<T>, NotTried>,
) -> bool {
    let how = How::words("routerctl action approve");
    match acted {
        Err(error) => {
            ctx.not_tried(id, json!("approved"), how, &error);
            false
        }
        Ok(acted) if acted.outcome == Outcome::NotDone => {
            let detail = acted.detail;
            ctx.check(id).expects(json!("approved")).seen(how).fails(json!("not-done"), detail)
        }
        Ok(_) => true,
    }
}

fn judge(ctx: &mut Context<'_>, rows: &[Row], own: &[StepRow<'_>], by: &str, how: &How) {
    for StepRow { step, id } in own {
        let row = observe::row_with(rows, *id);
        let observed = json!({
            "status": row.map(|row| &row.status),
            "approved_by": row.and_then(|row| row.approved_by.as_ref()),
        });
        let approved = row.is_some_and(|row| {
            row.status == RowStatus::Approved && row.approved_by.as_deref() == Some(by)
        });
        let expected = json!({ "status": "approved", "approved_by": by });
        let message = format!("row {id} is not approved by this run");
        let ruling = Ruling::when(approved, message);
        ctx.check(step.asserts.approved)
            .expects(expected)
            .seen(how.clone())
            .comes_to(observed, ruling);
    }
    let expected = expected_rows(ctx.run);
    let observed = observed_rows(rows, own);
    let same = expected == observed;
    let message = "routerd would execute something else than the approved change set";
    let found = (!same).then(|| message.to_owned());
    let ruling = Ruling::unless(found.clone());
    ctx.check(UNCHANGED)
        .expects(json!(expected))
        .seen(how.clone())
        .comes_to(json!(&observed), ruling);
    ctx.stop(&stops::FOREIGN_PLAN, found, "routerd's journal");
    let secret = requests::secret_in(&observed);
    ctx.stop(&stops::CREDENTIALS_IN_REQUEST, secret, "routerd's journal");
}

/// The rows as they are to be: the change set that the owner granted.
pub(crate) fn expected_rows(run: &Run) -> Vec<Value> {
    run.steps.iter().map(|step| as_executed(&json!(step.plan))).collect()
}

/// The rows as they are.
pub(crate) fn observed_rows(rows: &[Row], own: &[StepRow<'_>]) -> Vec<Value> {
    let of = |id| observe::row_with(rows, id).map_or(Value::Null, row_as_executed);
    own.iter().map(|row| of(row.id)).collect()
}

/// The part of a plan that reaches the executor.
pub(crate) fn as_executed(plan: &Value) -> Value {
    let texts = |value: &Value| -> BTreeMap<String, String> {
        serde_json::from_value(value.clone()).unwrap_or_default()
    };
    json!({
        "action": plan["action"],
        "provider": plan["provider"],
        "provider_ref": plan["providerRef"],
        "target": texts(&plan["target"]),
        "parameters": texts(&plan["parameters"]),
        "undo_action": plan["undo"]["action"],
        "undo_parameters": texts(&plan["undo"]["parameters"]),
    })
}

/// The same of a row.
pub(crate) fn row_as_executed(row: &Row) -> Value {
    let undo = row.undo.as_ref();
    json!({
        "action": row.action,
        "provider": row.provider,
        "provider_ref": row.provider_ref,
        "target": row.target,
        "parameters": row.parameters,
        "undo_action": undo.map(|undo| &undo.action),
        "undo_parameters": undo.map(|undo| undo.parameters.clone()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use lab::permit::PermitRefused;
    use reports::record::ScenarioStatus;

    use super::*;
    use crate::example::{example_acted, judge_as_scenario};

    #[test]
    fn a_refusal_is_an_answer_and_all_else_is_asked_of_the_rows() {
        use ScenarioStatus::{Failed, Unknown};
        let refused = || Err(NotTried::Refused(PermitRefused::RunEnded));
        let table = [
            (Ok(example_acted(Outcome::Done, ())), true, Unknown, "not judged"),
            (Ok(example_acted(Outcome::Unknown, ())), true, Unknown, "not judged"),
            (Ok(example_acted(Outcome::NotDone, ())), false, Failed, "as it was seen"),
            (refused(), false, Failed, "the run has ended"),
        ];
        for (came, expected, status, why) in table {
            let shown = format!("{came:?}");
            let mut given = None;
            let judged = judge_as_scenario("approve", async |_, ctx| {
                given = Some(may_be_approved(ctx, ASSIGN, came));
            });
            assert_eq!((given, judged.finished.status), (Some(expected), status), "{shown}");
            assert!(judged.message(ASSIGN).contains(why), "{shown}");
        }
    }
}

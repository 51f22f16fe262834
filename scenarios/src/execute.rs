//! Both actions are executed, one after the other, each judged by its row *and* by the ENI. What
//! routerctl printed and its exit code prove nothing (contract §1.7).

use lab::Lab;
use lab::act::{Acted, Execution, Goal, NotTried, RowAnswer};
use lab::outage::watch;
use lab::routerd::{Row, Status};
use reports::record::Outcome;
use serde_json::json;

use crate::context::{Context, How};
use crate::undo_plan::{UNDO_ADDRESS, UNDO_FORWARDING};
use crate::{outage, stops, watch as watchdog};

const ASSIGN_ROW: &str = "execute.assign-succeeded";
const ASSIGN_ENI: &str = "execute.assign-on-eni";
const FORWARDING_ROW: &str = "execute.forwarding-succeeded";
const FORWARDING_ENI: &str = "execute.forwarding-on-eni";

pub const ASSERTS: &[&str] = &[ASSIGN_ROW, ASSIGN_ENI, FORWARDING_ROW, FORWARDING_ENI];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let (Some(forward), Some(ids), Some(executor)) =
        (ctx.run.forward(), ctx.run.rows(), ctx.run.executor())
    else {
        return;
    };
    let address = lab.manifest.capture.address.addr();
    let steps = [
        (ids.assign, Goal::Assigned(address), UNDO_ADDRESS, ASSIGN_ROW, ASSIGN_ENI),
        (
            ids.forwarding,
            Goal::SourceDestCheck(false),
            UNDO_FORWARDING,
            FORWARDING_ROW,
            FORWARDING_ENI,
        ),
    ];
    let name = outage::probe_name(ctx.run, "execute");
    let ((), watched) = watch(lab, &name, outage::EXECUTE, async |mark| {
        for (row_id, goal, undo, row, eni) in steps {
            mark.begins().await;
            let began = lab.clock.now();
            let execution = Execution { row_id, goal, plugin_timeout: executor.timeout };
            let executed = lab.execute(&forward, ctx.journal, execution, undo);
            let (acted, look) = futures::join!(executed, Box::pin(watchdog::look(lab)));
            let clear = judge(lab, ctx, (row, eni), goal, began, acted);
            watchdog::judge(lab, ctx, &look);
            if !clear || ctx.failed() {
                return;
            }
        }
    })
    .await;
    outage::record(ctx, "execute", watched);
}

fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    (row_assertion, eni_assertion): (&'static str, &'static str),
    goal: Goal,
    began: chrono::DateTime<chrono::Utc>,
    acted: Result<Acted<RowAnswer>, NotTried>,
) -> bool {
    let resource = lab.manifest.capture.network_interface_id.clone();
    let expected = json!({ "status": "succeeded", "executed_since": "this run's start of it" });
    let how = How::words("routerctl action execute --approved");
    let acted = match acted {
        Ok(acted) => acted,
        Err(NotTried::NotLab(why)) => {
            ctx.judge(
                row_assertion,
                false,
                expected,
                json!("not-tried"),
                how,
                Some(why.to_string()),
            );
            ctx.stop(&stops::NOT_THE_LABS, Some(why.to_string()), &resource);
            return false;
        }
        Err(error) => {
            ctx.not_tried(row_assertion, expected, how, &error);
            return false;
        }
    };
    let how = match &acted.value.printed {
        Some(answer) => ctx.seen(answer),
        None => how,
    }
    .and(How::words("routerctl action list -o json; ec2 DescribeNetworkInterfaces"));
    let skew = chrono::Duration::milliseconds(
        i64::try_from(lab.manifest.limits.clock_skew_ms).unwrap_or(i64::MAX),
    );
    let sample = acted.value.last();
    let row = sample.and_then(|sample| sample.row.as_ref().ok());
    let row_holds = row.is_some_and(|row| {
        row.status == Status::Succeeded && row.executed_at.is_some_and(|at| at + skew >= began)
    });
    let eni = sample.and_then(|sample| sample.eni.as_ref().ok());
    let eni_holds = eni.is_some_and(|eni| goal.met(eni));
    let observed = row.map(|row| {
        json!({ "status": row.status, "executed_at": row.executed_at.is_some(), "message": row.result_message, "error": row.error })
    });
    if row.is_some() {
        ctx.judge(
            row_assertion,
            row_holds,
            expected,
            json!(observed),
            how.clone(),
            Some(row_complaint(row)),
        );
    } else {
        ctx.unknown(row_assertion, expected, how.clone(), acted.detail.clone());
    }
    let goal_json = json!(goal.to_string());
    if let Some(eni) = eni {
        let observed = json!({ "addresses": eni.secondary_addresses, "source_dest_check": eni.source_dest_check });
        ctx.judge(eni_assertion, eni_holds, goal_json, observed, how, Some(acted.detail.clone()));
    } else {
        ctx.unknown(eni_assertion, goal_json, how, acted.detail.clone());
    }
    let clear = row_holds && eni_holds && acted.outcome == Outcome::Done;
    ctx.stop(&stops::AMBIGUOUS, (!clear).then(|| acted.detail.clone()), &resource);
    clear
}

fn row_complaint(row: Option<&Row>) -> String {
    let Some(row) = row else { return "the row could not be read".to_owned() };
    let message = row.result_message.as_deref().unwrap_or("no message");
    let error = row.error.as_deref().unwrap_or("no error");
    format!("row {} is {}: {message} ({error})", row.id, row.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_about_a_row_says_how_it_stands() {
        let row = |message: Option<&str>, error: Option<&str>| -> Row {
            let at = "2026-10-01T12:00:00Z";
            let row = json!({
                "id": 7, "idempotencyKey": "key", "provider": "aws", "action": "any",
                "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
                "status": "failed", "createdAt": at, "updatedAt": at,
                "resultMessage": message, "error": error,
            });
            serde_json::from_value(row).expect("a row")
        };
        let told = row(Some("it was refused"), Some("exit status 1"));
        let table = [
            (None, "the row could not be read"),
            (Some(&told), "row 7 is failed: it was refused (exit status 1)"),
            (Some(&row(None, None)), "row 7 is failed: no message (no error)"),
        ];
        for (row, expected) in table {
            assert_eq!(row_complaint(row), expected);
        }
    }
}

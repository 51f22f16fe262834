//! All actions are executed, one after the other, each judged by its row *and* by the ENI. What
//! routerctl printed and its exit code prove nothing (contract §1.7).

use lab::Lab;
use lab::act::{Acted, Execution, LOCK_PATH, LockState, NotTried, RowAnswer};
use lab::node::Node;
use lab::outage::watch_change;
use lab::routerd::{Row, RowStatus};
use lab::shell::{NodeAnswer, Observe};
use reports::record::Outcome;
use serde_json::json;

use crate::capture::CaptureStep;
use crate::context::{Context, How, Ruling};
use crate::observe::{self, Readout};
use crate::run::StepRow;
use crate::{approve, outage, stops, watch as watchdog};

pub const AS_APPROVED: &str = "execute.rows-as-approved";
pub const UNDER_LOCK: &str = "execute.under-lock";
pub const ASSIGN_ROW: &str = "execute.assign-succeeded";
pub const ASSIGN_ENI: &str = "execute.assign-on-eni";
pub const FORWARDING_ROW: &str = "execute.forwarding-succeeded";
pub const FORWARDING_ENI: &str = "execute.forwarding-on-eni";

pub const ASSERTS: &[&str] =
    &[AS_APPROVED, UNDER_LOCK, ASSIGN_ROW, ASSIGN_ENI, FORWARDING_ROW, FORWARDING_ENI];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let (Some(forward), Some(own), Some(executor)) =
        (ctx.run.forward(), ctx.run.rows(), ctx.run.executor())
    else {
        return;
    };
    let name = outage::probe_name(ctx.run, "execute");
    let ((), watched) = watch_change(lab, &name, outage::EXECUTE, async |mark| {
        for &StepRow { step, id } in &own {
            if !as_granted(lab, ctx, &own).await {
                return;
            }
            mark.begins().await;
            let began = lab.clock.now();
            let (goal, plugin_timeout) = (step.goal(), executor.timeout);
            let execution = Execution { row_id: id, goal, plugin_timeout };
            let executed = lab.execute(&forward, ctx.journal, execution, &step.undo);
            let (acted, look) = futures::join!(executed, Box::pin(watchdog::take_look(lab)));
            let clear = judge(lab, ctx, step, began, acted);
            watchdog::judge_look(lab, ctx, &look);
            if !clear || ctx.failed() {
                return;
            }
        }
        granted_throughout(ctx, &own);
    })
    .await;
    outage::record(ctx, "execute", watched);
}

/// Just before each mutation: the rows are still what was approved, and the lab is this run's.
/// Somebody who edits routerd's database or takes the lock away comes to nothing.
async fn as_granted(lab: &Lab, ctx: &mut Context<'_>, own: &[StepRow<'_>]) -> bool {
    let (rows, lock) = (Observe::rows(&lab.manifest.routerd), Observe::lock(&ctx.run.id));
    let node = Node::RouterdCloud;
    let (rows, lock) =
        futures::join!(lab.shell.observe(node, &rows), lab.shell.observe(node, &lock));
    let approved = rows_as_approved(ctx, own, rows);
    under_lock(ctx, lock) && approved
}

fn rows_as_approved(ctx: &mut Context<'_>, own: &[StepRow<'_>], asked: Readout<Vec<Row>>) -> bool {
    let expected = approve::expected_rows(ctx.run);
    let (rows, how) = match observe::keep_list(ctx, asked) {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.check(AS_APPROVED).expects(json!(expected)).seen(how).unknown(why);
            return false;
        }
    };
    let observed = approve::observed_rows(&rows, own);
    let message = "routerd would execute something else than what was approved: somebody has \
        edited its journal since";
    let found = (expected != observed).then(|| message.to_owned());
    let same = found.is_none();
    if let Some(why) = &found {
        ctx.check(AS_APPROVED).expects(json!(expected)).seen(how).fails(json!(observed), why);
    }
    ctx.stop(&stops::FOREIGN_PLAN, found, "routerd's journal");
    same
}

fn under_lock(ctx: &mut Context<'_>, told: NodeAnswer<LockState>) -> bool {
    let expected = json!({ "run_id": ctx.run.id });
    let (lock, how) = match observe::keep_answer(ctx, told) {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.check(UNDER_LOCK).expects(expected).seen(how).unknown(why);
            return false;
        }
    };
    let (observed, lost) = match lock {
        LockState::Own(_) => (expected.clone(), None),
        LockState::Free => {
            (json!({ "run_id": null }), Some("the lab's lock is gone from the node".to_owned()))
        }
        LockState::Other(holder) => {
            let why = format!("the lab's lock is held by {holder}");
            (json!({ "run_id": holder.run_id }), Some(why))
        }
        LockState::Unread(why) => {
            ctx.check(UNDER_LOCK).expects(expected).seen(how).unknown(why);
            return false;
        }
    };
    let held = lost.is_none();
    if let Some(why) = &lost {
        ctx.check(UNDER_LOCK).expects(expected).seen(how).fails(observed, why);
    }
    ctx.stop(&stops::LOCK_LOST, lost, LOCK_PATH);
    held
}

/// All mutations were begun, and before each it was so.
fn granted_throughout(ctx: &mut Context<'_>, own: &[StepRow<'_>]) {
    let expected = approve::expected_rows(ctx.run);
    let how = How::words("routerctl action list, before each mutation");
    let ids: Vec<u64> = own.iter().map(|row| row.id).collect();
    let observed = json!({ "rows": ids, "are": "the change set" });
    ctx.check(AS_APPROVED).expects(json!(expected)).seen(how).passes(observed);
    let run_id = json!({ "run_id": ctx.run.id });
    let how = How::words(format!("routerd-cloud$ sudo -n cat {LOCK_PATH}, before each mutation"));
    ctx.check(UNDER_LOCK).expects(run_id.clone()).seen(how).passes(run_id);
}

fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    step: &CaptureStep,
    began: chrono::DateTime<chrono::Utc>,
    acted: Result<Acted<RowAnswer>, NotTried>,
) -> bool {
    let (row_assertion, eni_assertion) = (step.asserts.succeeded, step.asserts.on_eni);
    let goal = step.goal();
    let resource = lab.manifest.capture.network_interface_id.clone();
    let expected = json!({ "status": "succeeded", "executed_since": "this run's start of it" });
    let how = How::words("routerctl action execute --approved");
    let acted = match acted {
        Ok(acted) => acted,
        Err(NotTried::NotLab(why)) => {
            ctx.check(row_assertion)
                .expects(expected)
                .seen(how)
                .fails(json!("not-tried"), why.to_string());
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
        row.status == RowStatus::Succeeded && row.executed_at.is_some_and(|at| at + skew >= began)
    });
    let eni = sample.and_then(|sample| sample.eni.as_ref().ok());
    let eni_holds = eni.is_some_and(|eni| eni.meets(goal));
    let observed = row.map(|row| {
        json!({ "status": row.status, "executed_at": row.executed_at.is_some(), "message": row.result_message, "error": row.error })
    });
    if row.is_some() {
        let ruling = Ruling::when(row_holds, row_complaint(row));
        ctx.check(row_assertion)
            .expects(expected)
            .seen(how.clone())
            .comes_to(json!(observed), ruling);
    } else {
        ctx.check(row_assertion).expects(expected).seen(how.clone()).unknown(acted.detail.clone());
    }
    let goal_json = json!(goal.to_string());
    if let Some(eni) = eni {
        let observed = json!({ "addresses": eni.secondary_addresses, "source_dest_check": eni.source_dest_check });
        let ruling = Ruling::when(eni_holds, acted.detail.clone());
        ctx.check(eni_assertion).expects(goal_json).seen(how).comes_to(observed, ruling);
    } else {
        ctx.check(eni_assertion).expects(goal_json).seen(how).unknown(acted.detail.clone());
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

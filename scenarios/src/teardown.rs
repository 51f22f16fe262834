//! Resources that cost money are stopped or destroyed, as the undo plan says and the manifest grants:
//! the instances, then what hung on them, volumes and elastic IP addresses at the same time. Each is
//! proved to be the lab's just before, and read back after.

use lab::Lab;
use lab::act::{Acted, LockState, NotTried};
use lab::permit::{Cost, PermitRefused};
use reports::journal::Writer;
use reports::operation::Torn;
use reports::record::{Operation, Outcome, UndoStep};
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::run::{Run, not_tried};
use crate::sight;

pub const INSTANCES: &str = "teardown.instances";
pub const ADDRESSES: &str = "teardown.addresses";
pub const VOLUMES: &str = "teardown.volumes";

pub const ASSERTS: &[&str] = &[INSTANCES, ADDRESSES, VOLUMES];
pub const NOT_APPLICABLE: &[&str] = &[];

/// The result for one resource.
type Came = (String, Result<Acted<()>, String>);

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let run = ctx.run;
    let (lock, ()) = futures::join!(lab.lock_state(&run.id), sight::look_again(lab, ctx));
    let others = match lock {
        LockState::Other(holder) => Some(format!("the lab's lock is held by {holder}")),
        // A node that cannot be asked is perhaps gone already: what was begun is ended.
        LockState::Own(_) | LockState::Free | LockState::Unread(_) => None,
    };
    let planned = ctx.run.planned_steps();
    let (run, journal, others) = (ctx.run, ctx.journal, others.as_deref());
    let all = |torn: Torn| {
        let steps = planned.iter().filter(move |step| step.operation.torn() == Some(torn));
        futures::future::join_all(steps.map(|step| tear_down(lab, run, journal, others, step)))
    };
    // A volume is let go only once its instance is terminated.
    let instances = all(Torn::Instance).await;
    let (volumes, addresses) = futures::join!(all(Torn::Volume), all(Torn::Address));
    judge(ctx, INSTANCES, &instances);
    judge(ctx, ADDRESSES, &addresses);
    judge(ctx, VOLUMES, &volumes);
}

async fn tear_down(
    lab: &Lab,
    run: &Run,
    journal: &Writer,
    others: Option<&str>,
    step: &UndoStep,
) -> Came {
    let resource = step.operation.resource().to_owned();
    if let Some(why) = others {
        return (resource, Err(why.to_owned()));
    }
    let result = match run.permit(journal, &step.id) {
        Ok(permit) => plain(lab.tear_down(&permit, journal).await),
        Err(PermitRefused::NotProved) => unproved(lab, run, journal, step).await,
        Err(refused) => Err(refused.to_string()),
    };
    (resource, result)
}

/// Without the proof nothing is ended. An instance may be stopped with the manifest's consent, so that
/// it does not go on costing; where no more was granted, that is all there is to do.
async fn unproved(
    lab: &Lab,
    run: &Run,
    journal: &Writer,
    step: &UndoStep,
) -> Result<Acted<()>, String> {
    let why = run.state.borrow().unproved.clone();
    let why = why.map_or_else(
        || PermitRefused::NotProved.to_string(),
        |why| format!("{}: {why}", PermitRefused::NotProved),
    );
    let (only_stopped, id) = match &step.operation {
        Operation::StopInstance { instance_id, .. } => (true, instance_id),
        Operation::TerminateInstance { instance_id, .. } => (false, instance_id),
        Operation::RestoreSourceDestCheck { .. }
        | Operation::UnassignAddress { .. }
        | Operation::RemoveChangeSet { .. }
        | Operation::ReleaseLock { .. }
        | Operation::ReleaseAddress { .. }
        | Operation::DeleteVolume { .. } => return Err(why),
    };
    let stopped = stop_for_cost(lab, journal, id).await;
    match stopped {
        Ok(acted) if only_stopped => Ok(acted),
        Ok(acted) => Err(format!("{why}; stopped instead: {}", acted.detail)),
        Err(not_stopped) => Err(format!("{why}; {not_stopped}")),
    }
}

async fn stop_for_cost(lab: &Lab, journal: &Writer, id: &str) -> Result<Acted<()>, String> {
    let found = lab.reader.instances(&[id.to_owned()]).await.map_err(|error| error.to_string())?;
    let instance = found.value.into_iter().find(|it| it.instance_id == id);
    let instance = instance.ok_or_else(|| format!("{id} was not found"))?;
    let permit = Cost::to_stop(&lab.manifest, &instance).map_err(|error| error.to_string())?;
    plain(lab.stop_instance(&permit, journal, "teardown").await)
}

fn plain(acted: Result<Acted<()>, NotTried>) -> Result<Acted<()>, String> {
    acted.map_err(|error| not_tried(&error))
}

fn judge(ctx: &mut Context<'_>, id: &'static str, torn: &[Came]) {
    let how = How::words("the resource, read back from EC2");
    let expected = json!({ "not_done": [] });
    let observed: Vec<_> = torn
        .iter()
        .map(|(resource, result)| match result {
            Ok(acted) => {
                json!({ "resource": resource, "outcome": acted.outcome, "detail": acted.detail })
            }
            Err(why) => json!({ "resource": resource, "outcome": "not-tried", "detail": why }),
        })
        .collect();
    let bad = |wanted: Option<Outcome>| -> Vec<String> {
        torn.iter()
            .filter(|(_, result)| match (result, wanted) {
                (Ok(acted), Some(outcome)) => acted.outcome == outcome,
                (Err(_), None) => true,
                _ => false,
            })
            .map(|(resource, _)| resource.clone())
            .collect()
    };
    let unknown = bad(Some(Outcome::Unknown));
    if !unknown.is_empty() {
        let why = format!("not established for {}", unknown.join(", "));
        return ctx.check(id).expects(expected).seen(how).unknown(why);
    }
    let failed: Vec<_> = bad(Some(Outcome::NotDone)).into_iter().chain(bad(None)).collect();
    let message = format!("not done: {}", failed.join(", "));
    let ruling = Ruling::when(failed.is_empty(), message);
    ctx.check(id).expects(expected).seen(how).comes_to(json!(observed), ruling);
}

#[cfg(test)]
mod tests {
    use reports::digest::Digest;
    use reports::record::{AssertionStatus as A, UndoPlanned};

    use super::*;
    use crate::example::{example_acted, judge_as_scenario};

    /// The manifest of this lab has all of it terminated: what counts is the plan alone.
    #[test]
    fn where_the_plan_tears_nothing_down_nothing_is_touched() {
        let judged = judge_as_scenario("teardown", async |lab, ctx| {
            let path = lab::act::LOCK_PATH.to_owned();
            let step = UndoStep {
                id: "undo.lock".to_owned(),
                section: "§6".to_owned(),
                operation: Operation::ReleaseLock { path },
                restores: json!(null),
            };
            let plan = UndoPlanned { steps: vec![step], digest: Digest::zero() };
            ctx.run.state.borrow_mut().undo_plan = Some(plan);
            run(lab, ctx).await;
        });
        for id in ASSERTS {
            assert_eq!(judged.status(id), A::Passed, "{id}");
            assert_eq!(judged.assertion(id).observed, json!([]), "{id}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_before_what_was_not_done() {
        let is = |outcome| Ok(example_acted(outcome, ()));
        let not_tried = || Err("not tried".to_owned());
        let table = [
            (vec![], A::Passed, ""),
            (vec![is(Outcome::Done)], A::Passed, ""),
            (vec![is(Outcome::Done), is(Outcome::NotDone)], A::Failed, "not done: 1"),
            (vec![is(Outcome::Done), not_tried()], A::Failed, "not done: 1"),
            (vec![is(Outcome::NotDone), not_tried()], A::Failed, "not done: 0, 1"),
            (vec![is(Outcome::NotDone), is(Outcome::Unknown)], A::Unknown, "established for 1"),
        ];
        for (results, expected, why) in table {
            let shown = format!("{results:?}");
            let named = |(index, result): (usize, _)| (index.to_string(), result);
            let torn: Vec<Came> = results.into_iter().enumerate().map(named).collect();
            let judged = judge_as_scenario("teardown", async |_, ctx| judge(ctx, VOLUMES, &torn));
            assert_eq!(judged.status(VOLUMES), expected, "{shown}");
            assert!(judged.message(VOLUMES).contains(why), "{shown}");
        }
    }
}

//! Everything that the run did is taken back, in reverse order: forwarding first, then the addresses,
//! then the run's own file. What is restored is the baseline, never what routerd remembers (I3).
//!
//! Three ways, tried in this order: routerd's own rollback, previewed first, where the row still is
//! what the owner granted; the executor with the baseline's prior value, where the row can or may no
//! longer be rolled back; the owner's command.

use lab::Lab;

use lab::act::{Acted, Holder, LockState, NotTried, RowAnswer, RowCall, goal_of};
use lab::ec2::NetworkInterface;
use lab::node::Node;
use lab::outage::{ChangeMark, watch_change};
use lab::routerd::{Previewed, Row, RowStatus};
use lab::shell::Observe;
use reports::journal::Writer;
use reports::record::{Effect, Goal, Kind, Operation, Outcome, Record, UndoStep};
use serde_json::{Value, json};

use crate::capture::CaptureStep;
use crate::context::{Context, How, Ruling};
use crate::observe::{self, Readout};
use crate::preview::{self, Preview};
use crate::run::{Executor, Run, not_tried};
use crate::undo_plan::UNDO_CHANGE_SET;
use crate::{outage, sight, stops};

mod rows;

use rows::Rows;

pub const GRANTED: &str = "undo.rows-as-granted";
pub const PREVIEW_FORWARDING: &str = "undo.forwarding-previewed";
pub const FORWARDING: &str = "undo.forwarding-restored";
pub const PREVIEW_ADDRESS: &str = "undo.address-previewed";
pub const ADDRESS: &str = "undo.address-unassigned";
pub const CHANGE_SET: &str = "undo.change-set-removed";

pub const ASSERTS: &[&str] =
    &[GRANTED, PREVIEW_FORWARDING, FORWARDING, PREVIEW_ADDRESS, ADDRESS, CHANGE_SET];
pub const NOT_APPLICABLE: &[&str] = &[];

/// A step of the capture, and how it is taken back.
struct StepToUndo {
    capture: CaptureStep,
    row_id: Option<u64>,
    /// The state that the ENI is to come to again.
    goal: Goal,
    /// The preview's words where there is something to do.
    message: String,
}

impl StepToUndo {
    /// Its id in the undo plan.
    fn id(&self) -> &str {
        &self.capture.undo
    }

    /// Under which it is judged.
    fn assertion(&self) -> &'static str {
        self.capture.asserts.undone
    }
}

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    Box::pin(sight::look_again(lab, ctx)).await;
    let steps: Vec<StepToUndo> =
        ctx.run.planned_steps().iter().filter_map(|planned| step_of(ctx.run, planned)).collect();
    let name = outage::probe_name(ctx.run, "undo");
    let ((), watched) =
        watch_change(lab, &name, outage::UNDO, async |mark| undo(lab, ctx, &steps, mark).await)
            .await;
    outage::record(ctx, "undo", watched);
}

/// How a step of the undo plan is carried out here; none for one of another scenario.
fn step_of(run: &Run, planned: &UndoStep) -> Option<StepToUndo> {
    let goal = goal_of(&planned.operation)?;
    let capture = run.steps.iter().find(|step| step.undo == planned.id)?.clone();
    let message = match &planned.operation {
        Operation::RestoreSourceDestCheck { source_dest_check: prior, .. } => {
            format!("would re-enable SourceDestCheck (restore prior={prior})")
        }
        Operation::UnassignAddress { network_interface_id: eni, address, .. } => {
            format!("would unassign {address} from {eni}")
        }
        Operation::RemoveChangeSet { .. }
        | Operation::ReleaseLock { .. }
        | Operation::TerminateInstance { .. }
        | Operation::StopInstance { .. }
        | Operation::ReleaseAddress { .. }
        | Operation::DeleteVolume { .. } => return None,
    };
    Some(StepToUndo { row_id: run.row_of(&capture), capture, goal, message })
}

async fn undo(lab: &Lab, ctx: &mut Context<'_>, steps: &[StepToUndo], mark: &ChangeMark<'_>) {
    let previews = steps.iter().map(|step| ask_preview(lab, step));
    let (looked, previews, lock) =
        futures::join!(look(lab), futures::future::join_all(previews), lab.lock_state(&ctx.run.id));
    let now = now(ctx, looked);
    if let LockState::Other(holder) = lock {
        return leave_alone(ctx, steps, &now, &holder);
    }
    let mut rows = Rows::default();
    if let Ok((seen, _, how)) = &now {
        rows.look(ctx, steps, seen, how);
    }
    let previews: Vec<_> =
        previews.into_iter().map(|told| told.map(|told| preview::read(ctx, told))).collect();
    mark.begins().await;
    // The file on the node has nothing to do with the ENI: it goes meanwhile.
    let (run, journal) = (ctx.run, ctx.journal);
    let removed = remove_change_set(lab, run, journal);
    let undone = async {
        for (step, preview) in steps.iter().zip(previews) {
            undo_step(lab, ctx, step, &now, preview, &mut rows).await;
        }
        rows.end(ctx);
    };
    let (removed, ()) = futures::join!(removed, undone);
    judge_change_set(ctx, removed);
}

/// Another run holds the lab by now: nothing in it can be proved to be this run's any more.
fn leave_alone(ctx: &mut Context<'_>, steps: &[StepToUndo], now: &Now, holder: &Holder) {
    let why = format!("the lab's lock is held by {holder}: what is there is left alone");
    for step in steps {
        let expected = json!(step.goal.to_string());
        match now {
            Ok((_, eni, how)) => {
                let met = eni.meets(step.goal);
                let message = format!("{why}; to settle it: {}", owner_command(ctx, step.id()));
                let ruling = Ruling::when(met, message);
                ctx.check(step.assertion())
                    .expects(expected)
                    .seen(how.clone())
                    .comes_to(state(eni), ruling);
            }
            Err((unread, how)) => {
                ctx.check(step.assertion())
                    .expects(expected)
                    .seen(how.clone())
                    .unknown(format!("{unread}; {why}"));
            }
        }
    }
    let how = How::words("the lock on routerd-cloud");
    ctx.check(CHANGE_SET).expects(json!("gone")).seen(how).fails(json!("left alone"), why);
}

/// The owner's command as the undo plan has it.
fn owner_command(ctx: &Context<'_>, step: &str) -> String {
    let steps = ctx.run.planned_steps().into_iter().filter(|planned| planned.id == step);
    steps.map(|it| it.operation.owner_command()).collect::<Vec<_>>().join("; ")
}

/// The state before the undo: the rows and the ENI. The steps do not touch one another's.
type Now = Result<(Vec<Row>, NetworkInterface, How), (String, How)>;

async fn ask_preview(lab: &Lab, step: &StepToUndo) -> Option<Readout<Previewed>> {
    let command = Observe::rollback_dry_run(&lab.manifest.routerd, step.row_id?);
    Some(lab.shell.observe(Node::RouterdCloud, &command).await)
}

type Looked =
    (Readout<Vec<Row>>, Result<lab::ec2::Answer<Option<NetworkInterface>>, lab::ec2::ReadError>);

async fn look(lab: &Lab) -> Looked {
    let command = Observe::rows(&lab.manifest.routerd);
    futures::join!(
        lab.shell.observe(Node::RouterdCloud, &command),
        lab.reader.network_interface(&lab.manifest.capture.network_interface_id),
    )
}

fn now(ctx: &mut Context<'_>, (rows, eni): Looked) -> Now {
    let eni = match eni {
        Ok(answer) => answer,
        Err(error) => return Err((error.to_string(), ctx.seen_error(&error))),
    };
    let how = ctx.seen(&eni);
    let Some(eni) = eni.value else { return Err(("the ENI is gone".to_owned(), how)) };
    let (read, rows_how) = observe::keep_answer(ctx, rows)?;
    let (rows, how) = observe::read_list(read, how.and(rows_how))?;
    Ok((rows, eni, how))
}

async fn undo_step(
    lab: &Lab,
    ctx: &mut Context<'_>,
    step: &StepToUndo,
    now: &Now,
    preview: Option<Preview>,
    granted: &mut Rows,
) {
    let expected = json!(step.goal.to_string());
    let (rows, eni, how) = match now {
        Ok((rows, eni, how)) => (rows, eni, how.clone()),
        Err((why, how)) => {
            let unread = (why.as_str(), how.clone());
            return take_back_unread(lab, ctx, step, expected, unread, granted).await;
        }
    };
    let row = step.row_id.and_then(|id| observe::row_with(rows, id));
    let met = eni.meets(step.goal);
    let status = row.map(|row| row.status.clone());
    let skip = judge_preview(ctx, step, status.as_ref(), met, preview);
    if !begun(ctx, step) {
        let ruling = Ruling::when(met, never_begun(step));
        ctx.check(step.assertion()).expects(expected).seen(how).comes_to(state(eni), ruling);
    } else if met && (skip || status != Some(RowStatus::Succeeded)) {
        // Nothing to restore: the check was off before the run, or the action never landed.
        ctx.check(step.assertion()).expects(expected).seen(how).passes(state(eni));
    } else {
        take_back(lab, ctx, step, granted).await;
    }
}

/// Whether this run's journal has an intent for the action.
fn begun(ctx: &Context<'_>, step: &StepToUndo) -> bool {
    ctx.journal.with_records(|records| {
        records.iter().any(|record| match &record.kind {
            reports::record::Kind::Intent(intent) => {
                intent.scenario == "execute" && intent.undo.as_deref() == Some(step.id())
            }
            _ => false,
        })
    })
}

fn never_begun(step: &StepToUndo) -> String {
    format!("{} does not hold, and this run never began to change it: it is left alone", step.goal)
}

fn state(eni: &NetworkInterface) -> Value {
    json!({ "addresses": eni.secondary_addresses, "source_dest_check": eni.source_dest_check })
}

/// Judges what rollback's own dry-run says, and answers whether it says that there is nothing to
/// do. That is right only where the baseline says so too.
fn judge_preview(
    ctx: &mut Context<'_>,
    step: &StepToUndo,
    status: Option<&RowStatus>,
    met: bool,
    preview: Option<Preview>,
) -> bool {
    let id = step.capture.asserts.undo_previewed;
    if status != Some(&RowStatus::Succeeded) {
        let why = "the row was never executed with success: routerd has nothing to roll back";
        ctx.check(id).seen(How::words("routerctl action list")).skipped(json!(status), why);
        return false;
    }
    match preview {
        Some(Preview::Said(preview, how)) if preview.status == RowStatus::Skipped => {
            let message = "routerd would restore nothing, and the baseline says otherwise";
            let nothing = json!({ "status": "skipped", "baseline_already_holds": true });
            let observed = json!({ "status": preview.status, "baseline_already_holds": met });
            let ruling = Ruling::when(met, message.to_owned());
            ctx.check(id).expects(nothing).seen(how).comes_to(observed, ruling);
            met
        }
        Some(preview) => {
            preview::judge(ctx, id, &step.message, preview);
            false
        }
        None => false,
    }
}

async fn take_back(lab: &Lab, ctx: &mut Context<'_>, step: &StepToUndo, granted: &mut Rows) {
    let expected = json!({ "outcome": "done", "goal": step.goal.to_string() });
    let permit = match ctx.run.permit(ctx.journal, step.id()) {
        Ok(permit) => permit,
        Err(error) => {
            let how = How::words("the run's journal");
            ctx.check(step.assertion())
                .expects(expected)
                .seen(how)
                .fails(Value::Null, error.to_string());
            return;
        }
    };
    let executor = ctx.run.executor();
    let timeout = executor.as_ref().map_or(std::time::Duration::from_mins(2), |it| it.timeout);
    let row_id = step.row_id.unwrap_or(0);
    let row = RowCall { row_id, plugin_timeout: timeout };
    let mut ways = Vec::new();
    match granted.may_be_rolled_back(lab, ctx, step).await {
        Ok(()) => {
            let acted = lab.rollback(&permit, ctx.journal, row).await;
            if settle(ctx, step, &mut ways, ROLLBACK, acted) {
                return;
            }
        }
        Err(why) => {
            ways.push(json!({ "way": ROLLBACK, "outcome": "not-tried", "detail": why }));
        }
    }
    if let Some(Executor { program, .. }) = executor {
        let acted = lab.undo_by_executor(&permit, ctx.journal, &program, row).await;
        if settle(ctx, step, &mut ways, "the executor with the baseline's prior value", acted) {
            return;
        }
    }
    give_up(lab, ctx, step, &ways);
}

const ROLLBACK: &str = "routerctl action rollback";

/// Neither way took it back: what is so is known or not, and the owner has a command for it.
fn give_up(lab: &Lab, ctx: &mut Context<'_>, step: &StepToUndo, ways: &[Value]) {
    let expected = json!({ "outcome": "done", "goal": step.goal.to_string() });
    let message = format!(
        "neither way took it back; the owner settles it with: {}",
        owner_command(ctx, step.id())
    );
    let unknown = ways.iter().any(|way| way["outcome"] == json!(Outcome::Unknown));
    let how = How::words("the row and the ENI, read back");
    if unknown {
        ctx.check(step.assertion()).expects(expected).seen(how).unknown(message.clone());
    } else {
        ctx.check(step.assertion()).expects(expected).seen(how).fails(json!(ways), message.clone());
    }
    let resource = lab.manifest.capture.network_interface_id.clone();
    ctx.stop(&stops::AMBIGUOUS, Some(message), &resource);
}

/// Judges one way of undoing; true where it is done.
fn settle(
    ctx: &mut Context<'_>,
    step: &StepToUndo,
    ways: &mut Vec<Value>,
    way: &str,
    acted: Result<Acted<RowAnswer>, NotTried>,
) -> bool {
    match acted {
        Ok(acted) => {
            let how =
                acted.value.printed.as_ref().map(|answer| ctx.seen(answer)).unwrap_or_default();
            ways.push(json!({ "way": way, "outcome": acted.outcome, "detail": acted.detail }));
            if acted.outcome == Outcome::Done {
                let expected = json!({ "outcome": "done", "goal": step.goal.to_string() });
                let how =
                    how.and(How::words("routerctl action list; ec2 DescribeNetworkInterfaces"));
                ctx.check(step.assertion()).expects(expected).seen(how).passes(json!(ways));
            }
            acted.outcome == Outcome::Done
        }
        Err(error) => {
            ways.push(json!({ "way": way, "outcome": "not-tried", "detail": not_tried(&error) }));
            false
        }
    }
}

/// Takes a step back where its state cannot be read. A step that this run began is taken back all the
/// same: both ways are idempotent, and each reads back what came of it.
async fn take_back_unread(
    lab: &Lab,
    ctx: &mut Context<'_>,
    step: &StepToUndo,
    expected: Value,
    (why, how): (&str, How),
    granted: &mut Rows,
) {
    if begun(ctx, step) {
        take_back(lab, ctx, step, granted).await;
    } else {
        ctx.check(step.assertion()).expects(expected).seen(how).unknown(why);
    }
}

async fn remove_change_set(lab: &Lab, run: &Run, journal: &Writer) -> Result<Acted<()>, String> {
    if journal.with_records(was_removed) {
        let detail = "gone, as this run's journal has it".to_owned();
        return Ok(Acted { outcome: Outcome::Done, detail, samples: Vec::new(), value: () });
    }
    let permit = run.permit(journal, UNDO_CHANGE_SET).map_err(|error| error.to_string())?;
    lab.remove_change_set(&permit, journal).await.map_err(|error| not_tried(&error))
}

/// Whether the run's file was seen to be gone after this run removed it: its node need not be asked
/// again, which may be gone as well.
fn was_removed(records: &[Record]) -> bool {
    let removals: Vec<&str> = records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Intent(it) if matches!(it.effect, Effect::RemoveChangeSet { .. }) => {
                Some(it.id.as_str())
            }
            _ => None,
        })
        .collect();
    records.iter().any(|record| {
        matches!(&record.kind, Kind::Outcome(it)
            if it.outcome == Outcome::Done && removals.contains(&it.intent.as_str()))
    })
}

fn judge_change_set(ctx: &mut Context<'_>, removed: Result<Acted<()>, String>) {
    let expected = json!("gone");
    let how = How::words("rm on routerd-cloud, then its folder's names");
    match removed {
        Ok(acted) if acted.outcome == Outcome::Unknown => {
            ctx.check(CHANGE_SET).expects(expected).seen(how).unknown(acted.detail);
        }
        Ok(acted) => {
            let done = acted.outcome == Outcome::Done;
            let observed = json!(acted.detail);
            let ruling = Ruling::when(done, acted.detail);
            ctx.check(CHANGE_SET).expects(expected).seen(how).comes_to(observed, ruling);
        }
        Err(why) => {
            ctx.check(CHANGE_SET).expects(expected).seen(how).fails(Value::Null, why);
        }
    }
}

#[cfg(test)]
mod tests;

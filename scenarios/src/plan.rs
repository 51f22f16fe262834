//! The planner runs, and what routerd stored is the approved change set: as canonical JSON, with
//! nothing beside it that would be imported too.

use lab::Lab;
use lab::act::{Acted, NotTried};
use lab::node::Node;
use lab::routerd::{DynamicPart, PartCounts, PluginRun, Row};
use lab::shell::Observe;
use reports::digest::Digest;
use reports::record::Outcome;
use serde_json::{Value, json};

use crate::context::{Context, How, Ruling};
use crate::imports;
use crate::observe::{self, Readout};
use crate::requests;
use crate::run::PlanSource;
use crate::stops;

pub const CHANGE_SET: &str = "plan.change-set-in-place";
pub const STORED: &str = "plan.stored";
pub const EQUAL: &str = "plan.equals-change-set";
pub const ALONE: &str = "plan.nothing-beside-it";

pub const ASSERTS: &[&str] = &[CHANGE_SET, STORED, EQUAL, ALONE];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    if ctx.run.plan_source == PlanSource::MobilityPool {
        let why = "plans of a MobilityPool end their lease before an owner can decide on them, and change their keys: this version runs its own planner";
        let how = How::words("the run's settings");
        ctx.check(CHANGE_SET)
            .expects(json!("planner"))
            .seen(how)
            .fails(json!("mobility-pool"), why.to_owned());
        return;
    }
    if put_change_set(lab, ctx).await && run_planner(lab, ctx).await {
        compare(lab, ctx).await;
    }
}

async fn put_change_set(lab: &Lab, ctx: &mut Context<'_>) -> bool {
    let Some(forward) = ctx.run.forward() else { return false };
    let acted = lab.put_change_set(&forward, ctx.journal, &ctx.run.change_set).await;
    judge_change_set(ctx, acted)
}

fn judge_change_set<T>(ctx: &mut Context<'_>, acted: Result<Acted<T>, NotTried>) -> bool {
    let expected = json!("done");
    match acted {
        Ok(acted) if acted.outcome == Outcome::Unknown => {
            ctx.check(CHANGE_SET)
                .expects(expected)
                .seen(How::words("create the file on routerd-cloud"))
                .unknown(acted.detail);
            false
        }
        Ok(acted) => {
            let how = How::words(format!("create the file on routerd-cloud: {}", acted.detail));
            let ruling = Ruling::when(acted.outcome == Outcome::Done, acted.detail);
            ctx.check(CHANGE_SET).expects(expected).seen(how).comes_to(json!(acted.outcome), ruling)
        }
        Err(error) => {
            ctx.not_tried(CHANGE_SET, expected, How::words("the permit"), &error);
            false
        }
    }
}

async fn run_planner(lab: &Lab, ctx: &mut Context<'_>) -> bool {
    let Some(forward) = ctx.run.forward() else { return false };
    let keys = ctx.run.change_set.keys();
    let acted = lab.run_planner(&forward, ctx.journal, &keys).await;
    judge_planner(ctx, acted)
}

fn judge_planner(ctx: &mut Context<'_>, acted: Result<Acted<Option<PluginRun>>, NotTried>) -> bool {
    let how = How::words("routerctl plugin run");
    let expected = json!({ "stored": true });
    match acted {
        Ok(acted) => match acted.value {
            Some(run) => {
                let observed =
                    json!({ "stored": run.stored, "stdout_digest": run.outcome.stdout_digest });
                let ruling = Ruling::when(run.stored, acted.detail);
                ctx.check(STORED).expects(expected).seen(how).comes_to(observed, ruling)
            }
            None if acted.outcome == Outcome::Done => {
                let observed = json!({ "stored": true, "read_back": acted.detail });
                ctx.check(STORED).expects(expected).seen(how).passes(observed)
            }
            None if acted.outcome == Outcome::NotDone => {
                ctx.check(STORED).expects(expected).seen(how).fails(json!("not-done"), acted.detail)
            }
            None => {
                ctx.check(STORED).expects(expected).seen(how).unknown(acted.detail);
                false
            }
        },
        Err(error) => {
            ctx.not_tried(STORED, expected, how, &error);
            false
        }
    }
}

/// Reads back what routerd keeps, which is what it will import.
async fn compare(lab: &Lab, ctx: &mut Context<'_>) {
    let routerd = &lab.manifest.routerd;
    let source = PlanSource::part_of(&routerd.planner);
    let (part, list) = (Observe::dynamic_part(routerd, &source), Observe::dynamic_parts(routerd));
    let rows = Observe::rows(routerd);
    let (part, list, rows) = futures::join!(
        lab.shell.observe(Node::RouterdCloud, &part),
        lab.shell.observe(Node::RouterdCloud, &list),
        lab.shell.observe(Node::RouterdCloud, &rows),
    );
    judge_part(lab, ctx, &source, part, rows);
    judge_list(ctx, &source, list);
}

/// Judges the part of which the next import would make rows; an ended run's plans, whose rows are
/// settled, it leaves alone.
fn judge_part(
    lab: &Lab,
    ctx: &mut Context<'_>,
    source: &str,
    part: Readout<Vec<DynamicPart>>,
    rows: Readout<Vec<Row>>,
) {
    let expected = json!(ctx.run.change_set.plans());
    let read = observe::keep_list(ctx, part).and_then(|(parts, how)| {
        let (read, rows_how) = observe::keep_answer(ctx, rows)?;
        let (rows, how) = observe::read_list(read, how.and(rows_how))?;
        Ok(((parts, rows), how))
    });
    match read {
        Ok(((parts, rows), how)) => {
            let plans = json!(imports::to_come(&parts, &rows, lab.clock.now()));
            let same = Digest::of_json(&plans) == Digest::of_json(&expected);
            let message = "routerd would import another plan than the approved change set";
            let ruling = Ruling::when(same, message.to_owned());
            ctx.check(EQUAL).expects(expected).seen(how).comes_to(plans.clone(), ruling);
            let found = (!same).then(|| message.to_owned());
            ctx.stop(&stops::FOREIGN_PLAN, found, source);
            let other = parts
                .iter()
                .flat_map(|part| part.plans.iter())
                .find(|plan| plan.provider != "aws")
                .map(|plan| format!("plan {} is of provider {}", plan.name, plan.provider));
            ctx.stop(&stops::OTHER_PROVIDER, other, source);
            let undescribed = parts
                .iter()
                .flat_map(|part| part.plans.iter())
                .find(|plan| !has_its_undo(&json!(plan)))
                .map(|plan| format!("plan {} has not the canonical undo", plan.name));
            ctx.stop(&stops::UNDO_NOT_IN_PLAN, undescribed, source);
            let secret = requests::secret_in(plans.as_array().into_iter().flatten());
            ctx.stop(&stops::CREDENTIALS_IN_REQUEST, secret, source);
        }
        Err((why, how)) => ctx.check(EQUAL).expects(expected).seen(how).unknown(why),
    }
}

fn judge_list(ctx: &mut Context<'_>, source: &str, list: Readout<Vec<PartCounts>>) {
    let read = observe::keep_answer(ctx, list).and_then(|(read, how)| match read {
        Ok(parts) => Ok((parts, how)),
        Err(error) => Err((error.to_string(), how)),
    });
    match read {
        Ok((parts, how)) => {
            let others: Vec<_> = parts
                .iter()
                .filter(|part| part.source != source && part.plans > 0)
                .map(|part| part.source.clone())
                .collect();
            let message = format!("their plans would be imported too: {}", others.join(", "));
            let ruling = Ruling::when(others.is_empty(), message);
            ctx.check(ALONE).expects(json!([])).seen(how).comes_to(json!(others), ruling);
        }
        Err((why, how)) => ctx.check(ALONE).expects(json!([])).seen(how).unknown(why),
    }
}

/// The runbook's pairs (§6): what each action is taken back by.
fn has_its_undo(plan: &Value) -> bool {
    let undo = plan["undo"]["action"].as_str();
    match plan["action"].as_str() {
        Some("assign-secondary-ip") => undo == Some("unassign-secondary-ip"),
        Some("ensure-forwarding-enabled") => undo == Some("ensure-forwarding-disabled"),
        _ => undo.is_some(),
    }
}

#[cfg(test)]
mod tests;

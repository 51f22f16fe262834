//! Source/dest check is off: by the API, by what the journal says it was before, and by a packet
//! that only passes while it is off. A ping does not show it, for the ENI owns the captured
//! address either way; the canary does: its answer, "time exceeded", comes from the far router,
//! whose address the ENI does not own.

use lab::Lab;
use lab::change_set::CaptureAction;
use lab::node::Node;
use lab::routerd::Row;
use lab::shell::{CanaryAnswer, NodeAnswer, Observe};
use serde_json::json;

use crate::capture::CaptureStep;
use crate::context::{Context, Ruling};
use crate::observe::{self, InterfaceLook, Readout};

pub const OFF: &str = "source-dest-check.off";
pub const PRIOR: &str = "source-dest-check.prior-recorded";
pub const CANARY: &str = "source-dest-check.canary";

pub const ASSERTS: &[&str] = &[OFF, PRIOR, CANARY];
pub const NOT_APPLICABLE: &[&str] = &[];

/// The VPC does not count a hop inside a subnet: routerd-cloud takes one, the far router the second.
const CANARY_TTL: u8 = 2;

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let address = lab.manifest.capture.address.addr();
    let list = Observe::rows(&lab.manifest.routerd);
    let canary = Observe::canary(address, CANARY_TTL);
    let (eni, rows, canary) = futures::join!(
        observe::look_until_twice(lab, |eni| !eni.source_dest_check),
        lab.shell.observe(Node::RouterdCloud, &list),
        lab.shell.observe(Node::CloudClient, &canary),
    );
    judge_off(lab, ctx, eni);
    judge_prior(ctx, rows);
    judge_canary(ctx, canary);
}

fn judge_off(lab: &Lab, ctx: &mut Context<'_>, looks: Vec<InterfaceLook>) {
    match observe::keep_looks(lab, ctx, looks, |eni| eni.source_dest_check) {
        Ok(((eni, looks), how)) => {
            let ruling = Ruling::when(
                !eni.source_dest_check,
                format!("expected false, observed true in {} looks", looks.len()),
            );
            let observed = json!({ "source_dest_check": eni.source_dest_check, "looks": looks });
            ctx.check(OFF).expects(json!(false)).seen(how).comes_to(observed, ruling);
        }
        Err((why, how)) => ctx.check(OFF).expects(json!(false)).seen(how).unknown(why),
    }
}

fn judge_prior(ctx: &mut Context<'_>, rows: Readout<Vec<Row>>) {
    let Some(baseline) = ctx.run.baseline() else { return };
    let expected = json!(baseline.interface.source_dest_check.to_string());
    let (read, how) = match observe::keep_answer(ctx, rows) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.check(PRIOR).expects(expected).seen(how).unknown(why),
    };
    match read {
        Ok(rows) => {
            let is_own = |step: &&CaptureStep| step.action == CaptureAction::Forwarding;
            let id = ctx.run.steps.iter().find(is_own).and_then(|step| ctx.run.row_of(step));
            let row = id.and_then(|id| observe::row_with(&rows, id));
            let observed = row.and_then(|row| row.observed.get("priorSourceDestCheck").cloned());
            ctx.check(PRIOR).expects(expected).seen(how).is(json!(observed));
        }
        Err(error) => ctx.check(PRIOR).expects(expected).seen(how).unknown(error.to_string()),
    }
}

fn judge_canary(ctx: &mut Context<'_>, canary: NodeAnswer<CanaryAnswer>) {
    let expected = json!("Time to live exceeded");
    match observe::keep_answer(ctx, canary) {
        Ok((CanaryAnswer { expired }, how)) => {
            let ruling = Ruling::when(
                expired.is_some(),
                "the far router's answer did not come back: the check still drops it".to_owned(),
            );
            ctx.check(CANARY).expects(expected).seen(how).comes_to(json!(expired), ruling);
        }
        Err((why, how)) => ctx.check(CANARY).expects(expected).seen(how).unknown(why),
    }
}

//! The executor's preview of each action says what is expected, and changes nothing: the ENI is
//! the same before and after.

use lab::Lab;
use lab::node::Node;
use lab::shell::Observe;
use serde_json::json;

use crate::baseline::restorable_fields;
use crate::context::Context;
use crate::run::StepRow;
use crate::{observe, preview};

pub const ASSIGN: &str = "dry-run.assign";
pub const FORWARDING: &str = "dry-run.forwarding";
pub const NO_MUTATION: &str = "dry-run.no-mutation";

pub const ASSERTS: &[&str] = &[ASSIGN, FORWARDING, NO_MUTATION];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(own) = ctx.run.rows() else { return };
    let before = observe::observe_interface(lab, ctx).await;
    let routerd = &lab.manifest.routerd;
    let commands: Vec<_> =
        own.iter().map(|row| Observe::execute_dry_run(routerd, row.id)).collect();
    let asked = commands.iter().map(|command| lab.shell.observe(Node::RouterdCloud, command));
    let told = futures::future::join_all(asked).await;
    let after = observe::observe_interface(lab, ctx).await;
    for (StepRow { step, .. }, told) in own.iter().zip(told) {
        let preview = preview::read(ctx, told);
        preview::judge(ctx, step.asserts.previewed, &step.preview, preview);
    }
    match (before, after) {
        (Ok((before, how)), Ok((after, other))) => {
            let (before, after) = (restorable_fields(&before), restorable_fields(&after));
            ctx.check(NO_MUTATION).expects(before).seen(how.and(other)).is(after);
        }
        (Err((why, how)), _) | (_, Err((why, how))) => {
            ctx.check(NO_MUTATION).expects(json!("the ENI unchanged")).seen(how).unknown(why);
        }
    }
}

//! The executor's preview of both actions says what is expected, and changes nothing: the ENI is
//! the same before and after.

use lab::Lab;
use lab::node::Node;
use lab::routerd::{Routerctl, Status};
use lab::shell::Observe;
use serde_json::json;

use crate::baseline::restorable;
use crate::context::Context;
use crate::observe;

const ASSIGN: &str = "dry-run.assign";
const FORWARDING: &str = "dry-run.forwarding";
const NO_MUTATION: &str = "dry-run.no-mutation";

pub const ASSERTS: &[&str] = &[ASSIGN, FORWARDING, NO_MUTATION];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(ids) = ctx.run.rows() else { return };
    let before = observe::interface(lab, ctx).await;
    let routerd = &lab.manifest.routerd;
    let commands = [ids.assign, ids.forwarding].map(|id| Observe::execute_dry_run(routerd, id));
    let (assign, forwarding) = futures::join!(
        lab.shell.observe(Node::RouterdCloud, &commands[0]),
        lab.shell.observe(Node::RouterdCloud, &commands[1]),
    );
    let after = observe::interface(lab, ctx).await;
    let change_set = &ctx.run.change_set;
    let verb = if change_set.allow_reassignment { "seize/reassign" } else { "assign" };
    let (address, eni) = (change_set.address.addr(), change_set.network_interface_id.clone());
    let expected = format!("would {verb} {address} to {eni}");
    judge(lab, ctx, ASSIGN, ids.assign, &expected, assign);
    judge(lab, ctx, FORWARDING, ids.forwarding, "would set SourceDestCheck=false", forwarding);
    match (before, after) {
        (Ok((before, how)), Ok((after, other))) => {
            let (before, after) = (restorable(&before), restorable(&after));
            ctx.expect(NO_MUTATION, before, after, how.and(other));
        }
        (Err((why, how)), _) | (_, Err((why, how))) => {
            ctx.unknown(NO_MUTATION, json!("the ENI unchanged"), how, why);
        }
    }
}

fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    row: u64,
    message: &str,
    told: Result<lab::ec2::Answer<lab::node::Output>, lab::shell::ShellError>,
) {
    let expected = json!({ "status": "succeeded", "message": message });
    let (output, how) = match observe::told(ctx, told) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.unknown(id, expected, how, why),
    };
    match Routerctl::new(&lab.manifest.routerd).execute_dry_run(row).read(&output) {
        Ok(preview) => {
            let holds =
                preview.status == Status::Succeeded && preview.message.as_deref() == Some(message);
            let observed = json!({ "status": preview.status, "message": preview.message });
            let said = preview.message.unwrap_or_default();
            ctx.judge(
                id,
                holds,
                expected,
                observed,
                how,
                Some(format!("the preview says: {said}")),
            );
        }
        Err(error) if error.refusal().is_some() => {
            ctx.judge(id, false, expected, json!("refused"), how, Some(error.to_string()));
        }
        Err(error) => ctx.unknown(id, expected, how, error.to_string()),
    }
}

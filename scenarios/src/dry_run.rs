//! The executor's preview of both actions says what is expected, and changes nothing: the ENI is
//! the same before and after.

use lab::Lab;
use lab::node::Node;
use lab::routerd::Routerctl;
use lab::shell::Observe;
use serde_json::json;

use crate::baseline::restorable;
use crate::context::Context;
use crate::{observe, preview};

pub const ASSIGN: &str = "dry-run.assign";
pub const FORWARDING: &str = "dry-run.forwarding";
pub const NO_MUTATION: &str = "dry-run.no-mutation";

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
    let [assigned, forwarded] = preview::expected_messages(&ctx.run.change_set);
    let rows = [
        (ASSIGN, ids.assign, assigned.as_str(), assign),
        (FORWARDING, ids.forwarding, forwarded.as_str(), forwarding),
    ];
    for (id, row, message, told) in rows {
        let call = Routerctl::new(routerd).execute_dry_run(row);
        let preview = preview::read(ctx, told, |output| call.read(output));
        preview::judge(ctx, id, message, preview);
    }
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

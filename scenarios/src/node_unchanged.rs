//! No node was changed: all that its kernel does with packets, and who may log in, is as preflight
//! saw it, but for what the change set explains.

use lab::Lab;
use lab::node::Node;
use serde_json::json;

use crate::baseline::Baseline;
use crate::context::Context;
use crate::default_gateway::{explained, settle};
use crate::left::Changed;
use crate::node_state::{self, Explained, Looked, REST, Source};

pub const ASSERTS: &[&str] = &[
    "node-state.routerd-cloud",
    "node-state.cloud-client",
    "node-state.onprem-router",
    "node-state.onprem-client",
];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(before) = ctx.run.baseline() else { return };
    let looked = node_state::at_acceptance(lab, ctx).await;
    let explained = explained(lab, ctx);
    let sources = [REST, &[Source::Addresses, Source::Nft]].concat();
    for ((node, id), looked) in Node::ALL.into_iter().zip(ASSERTS).zip(&looked) {
        judge(ctx, &before, (node, id), looked, &sources, explained);
    }
}

/// Compares these sources of a node with its baseline, and answers what has changed.
pub fn judge(
    ctx: &mut Context<'_>,
    before: &Baseline,
    (node, id): (Node, &'static str),
    looked: &Looked,
    sources: &[Source],
    explained: Explained,
) -> Option<Changed> {
    let before = &before.nodes.get(&node)?.state;
    let expected = json!({ "changed": [] });
    match looked {
        Ok((now, how)) => {
            let comparison = node_state::compare(before, now, sources, explained);
            let observed = json!({
                "changed": comparison.shown(),
                "not_readable_here": comparison.not_compared,
            });
            settle(ctx, id, &comparison, (expected, observed), how);
            node_state::changed(node, &comparison, before, now)
        }
        Err((why, how)) => {
            ctx.unknown(id, expected, how.clone(), why);
            None
        }
    }
}

//! No node's default route has changed: each is compared with the baseline of that node. That a
//! gateway exists proves nothing.

use lab::Lab;
use lab::node::Node;
use lab::shell::Observe;
use serde_json::json;

use crate::baseline;
use crate::context::Context;
use crate::left::{self, Changed};
use crate::observe;

pub const ASSERTS: &[&str] = &[
    "default-gateway.routerd-cloud",
    "default-gateway.cloud-client",
    "default-gateway.onprem-router",
    "default-gateway.onprem-client",
];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    compare(lab, ctx, ASSERTS).await;
}

/// Compares every node with its baseline, and answers those that have changed; `ids` are in the
/// order of [`Node::ALL`].
pub async fn compare(
    lab: &Lab,
    ctx: &mut Context<'_>,
    ids: &'static [&'static str],
) -> Vec<Changed> {
    let mut changed = Vec::new();
    let Some(before) = ctx.run.baseline() else { return changed };
    let command = Observe::default_routes();
    let answers =
        futures::future::join_all(Node::ALL.map(|node| lab.shell.observe(node, &command))).await;
    for ((node, id), answer) in Node::ALL.into_iter().zip(ids).zip(answers) {
        let expected = before.nodes.get(&node).map(|node| node.default_routes.clone());
        let expected = json!(expected);
        let read = observe::told(ctx, answer)
            .and_then(|(output, how)| observe::succeeded(&output, &how))
            .and_then(|(text, how)| match baseline::default_routes(&text) {
                Ok(routes) => Ok((routes, how)),
                Err(why) => Err((why, how)),
            });
        match read {
            Ok((routes, how)) => {
                changed.extend(left::default_routes(node, &expected, &routes));
                ctx.expect(id, expected, routes, how);
            }
            Err((why, how)) => ctx.unknown(id, expected, how, why),
        }
    }
    changed
}

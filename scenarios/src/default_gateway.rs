//! Everything that decides where packets to outside go is as it was on every node: rules, routes of
//! all tables, both families, the gateways' permanent neighbours, and the kernel's own answer for
//! addresses outside. Each is compared with the baseline of that node: that a gateway exists proves
//! nothing.

use lab::Lab;
use lab::node::Node;
use serde_json::{Value, json};

use crate::baseline::Baseline;
use crate::context::Context;
use crate::left::Changed;
use crate::node_state::{self, Comparison, Explained, Looked, NodeState, ROUTING};

pub const ROUTERD_CLOUD: &str = "default-gateway.routerd-cloud";
pub const CLOUD_CLIENT: &str = "default-gateway.cloud-client";
pub const ONPREM_ROUTER: &str = "default-gateway.onprem-router";
pub const ONPREM_CLIENT: &str = "default-gateway.onprem-client";

pub const ASSERTS: &[&str] = &[ROUTERD_CLOUD, CLOUD_CLIENT, ONPREM_ROUTER, ONPREM_CLIENT];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(before) = ctx.run.baseline() else { return };
    let looked = node_state::at_acceptance(lab, ctx.run).await;
    let looked = node_state::read_all(ctx, &looked);
    let explained = explain_by_plan_source(lab, ctx);
    for ((node, id), looked) in Node::ALL.into_iter().zip(ASSERTS).zip(&looked) {
        judge(ctx, &before, (node, id), looked, explained);
    }
}

/// The changes that the plan source is known to make to a node while the address is captured.
pub fn explain_by_plan_source(lab: &Lab, ctx: &Context<'_>) -> Explained {
    match ctx.run.plan_source {
        crate::run::PlanSource::Planner => Explained::Nothing,
        crate::run::PlanSource::MobilityPool => {
            Explained::CapturedBy(lab.manifest.capture.address.addr())
        }
    }
}

/// Compares a node with its baseline, and answers what has changed.
pub fn judge(
    ctx: &mut Context<'_>,
    before: &Baseline,
    (node, id): (Node, &'static str),
    looked: &Looked,
    explained: Explained,
) -> Option<Changed> {
    let before = &before.nodes.get(&node)?.state;
    let expected = shown(before);
    match looked {
        Ok((now, how)) => {
            let comparison = compare(before, now, explained);
            let mut observed = shown(now);
            observed["changed"] = comparison.shown();
            let mut expected = expected;
            expected["changed"] = json!([]);
            judge_comparison(ctx, id, &comparison, (expected, observed), how);
            node_state::describe_changed_node(node, &comparison, before, now)
        }
        Err((why, how)) => {
            ctx.check(id).expects(expected).seen(how.clone()).unknown(why);
            None
        }
    }
}

/// A difference fails, whatever else could not be read.
pub fn judge_comparison(
    ctx: &mut Context<'_>,
    id: &'static str,
    comparison: &Comparison,
    (expected, observed): (Value, Value),
    how: &crate::context::How,
) {
    if !comparison.is_equal() {
        let message = format!("it is not as before the run: {}", comparison.words());
        ctx.check(id).expects(expected).seen(how.clone()).fails(observed, message);
    } else if comparison.unknown.is_empty() {
        ctx.check(id).expects(expected).seen(how.clone()).passes(observed);
    } else {
        ctx.check(id).expects(expected).seen(how.clone()).unknown(comparison.unknown.join("; "));
    }
}

fn shown(state: &NodeState) -> Value {
    json!({ "default_routes": state.default_routes() })
}

fn compare(before: &NodeState, now: &NodeState, explained: Explained) -> Comparison {
    let mut comparison = node_state::compare_states(before, now, ROUTING, explained);
    comparison.differences.extend(node_state::compare_gateways(before, now));
    comparison
}

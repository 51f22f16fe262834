//! The captured address is on the ENI and in no form on the router itself: on no interface, in no
//! route that delivers it there, in no other network namespace. Before, after, and once whatever
//! configures the guest has had time to add it, when nobody else looks any more (contract §8.4, F8).

use std::time::Duration;

use lab::Lab;
use lab::node::Node;
use serde_json::{Value, json};

use crate::context::{Context, Ruling};
use crate::node_state::{self, Looked, NodeState, namespaces_out_of_reach};

pub const ABSENT: &str = "os-address.absent";
pub const ABSENT_AFTER_SETTLING: &str = "os-address.absent-after-settling";

pub const ASSERTS: &[&str] = &[ABSENT, ABSENT_AFTER_SETTLING];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let address = lab.manifest.capture.address.addr();
    let settle_ms = lab.manifest.limits.guest_settle_ms;
    let began = lab.clock.now();
    let first = node_state::at_acceptance(lab, ctx.run).await;
    let first = node_state::read_all(ctx, &first);
    let first = Node::ALL.into_iter().zip(first).find(|(node, _)| *node == Node::RouterdCloud);
    if let Some((_, first)) = first {
        judge(lab, ctx, ABSENT, json!({ "absent": address }), first);
    }
    let passed = (lab.clock.now() - began).to_std().unwrap_or_default();
    lab.clock.sleep(Duration::from_millis(settle_ms).saturating_sub(passed)).await;
    let looks = ctx.run.state.borrow().looks.clone();
    looks.are_over().await;
    let second = node_state::look_at_node(lab, ctx, Node::RouterdCloud).await;
    let expected = json!({ "absent": address, "guest_settle_ms": settle_ms });
    judge(lab, ctx, ABSENT_AFTER_SETTLING, expected, second);
}

fn judge(lab: &Lab, ctx: &mut Context<'_>, id: &'static str, expected: Value, looked: Looked) {
    let address = lab.manifest.capture.address.addr();
    match looked {
        Ok((state, how)) => {
            let places = node_state::places_of(&state, address);
            let unread = out_of_reach_since(ctx, &state);
            if places.is_empty() && !unread.is_empty() {
                let why = format!(
                    "{} has a network namespace since the run began that cannot be looked into: {}",
                    Node::RouterdCloud,
                    unread.join(", ")
                );
                return ctx.check(id).expects(expected).seen(how).unknown(why);
            }
            let has = format!("{} has it: {}", Node::RouterdCloud, places.join("; "));
            let message = (!places.is_empty()).then_some(has);
            let observed = json!({ "addresses": state.addresses(), "has_it": places });
            ctx.check(id).expects(expected).seen(how).comes_to(observed, Ruling::unless(message));
        }
        Err((why, how)) => ctx.check(id).expects(expected).seen(how).unknown(why),
    }
}

/// Namespaces that are out of reach by now; one that could not be looked into before the run either
/// is said to be not seen.
fn out_of_reach_since(ctx: &Context<'_>, state: &NodeState) -> Vec<String> {
    let baseline = ctx.run.baseline();
    let before = baseline.as_ref().and_then(|it| it.nodes.get(&Node::RouterdCloud));
    let before = before.map(|node| namespaces_out_of_reach(&node.state)).unwrap_or_default();
    namespaces_out_of_reach(state).difference(&before).cloned().collect()
}

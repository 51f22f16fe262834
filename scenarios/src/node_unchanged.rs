//! No node was changed: all that its kernel does with packets, and who may log in, is as preflight
//! saw it, but for what the change set explains.

use std::collections::BTreeMap;

use lab::Lab;
use lab::node::Node;
use lab::shell::{HashedFile, Hashing};
use serde_json::json;

use crate::baseline::Baseline;
use crate::context::{Context, How, Ruling};
use crate::default_gateway::{explain_by_plan_source, judge_comparison};
use crate::left::{self, Changed};
use crate::no_nat;
use crate::node_state::{self, Explained, Looked, REST, Source};
use crate::observe;

pub const ROUTERD_CLOUD: &str = "node-state.routerd-cloud";
pub const CLOUD_CLIENT: &str = "node-state.cloud-client";
pub const ONPREM_ROUTER: &str = "node-state.onprem-router";
pub const ONPREM_CLIENT: &str = "node-state.onprem-client";
pub const PROGRAMS: &str = "node-state.programs";

pub const ASSERTS: &[&str] = &[ROUTERD_CLOUD, CLOUD_CLIENT, ONPREM_ROUTER, ONPREM_CLIENT, PROGRAMS];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(before) = ctx.run.baseline() else { return };
    let (looked, programs) =
        futures::join!(node_state::at_acceptance(lab, ctx.run), ask_programs(lab, &before));
    let looked = node_state::read_all(ctx, &looked);
    judge_programs(ctx, &before, PROGRAMS, programs);
    let explained = explain_by_plan_source(lab, ctx);
    let sources = [REST, &[Source::Addresses, Source::Nft]].concat();
    for ((node, id), looked) in Node::ALL.into_iter().zip(ASSERTS).zip(&looked) {
        judge(ctx, &before, (node, id), looked, &sources, explained);
    }
}

/// Which of them is in another state: only such a one is hashed again.
pub async fn ask_programs(lab: &Lab, before: &Baseline) -> Hashing {
    let paths: Vec<String> = before.programs.keys().cloned().collect();
    let known: Vec<HashedFile> = before.programs.values().cloned().collect();
    lab.shell.hash_files(Node::RouterdCloud, &paths, &known).await
}

/// The programs under test are what preflight hashed; answers those that are not.
pub fn judge_programs(
    ctx: &mut Context<'_>,
    before: &Baseline,
    id: &'static str,
    hashing: Hashing,
) -> Vec<Changed> {
    let contents = |files: &BTreeMap<String, HashedFile>| -> BTreeMap<String, String> {
        files.iter().map(|(path, file)| (path.clone(), file.contents())).collect()
    };
    let (expected, now) = (contents(&before.programs), contents(&hashing.files()));
    let complaints = hashing.complaints().join("; ");
    let asked =
        std::iter::once(hashing.identified).chain(hashing.hashed.into_iter().map(|it| it.1));
    let (mut how, mut unknown) = (How::default(), None);
    for told in asked {
        match observe::keep_answer(ctx, told) {
            Ok((_, one)) => how = how.and(one),
            Err((why, one)) => {
                how = how.and(one);
                unknown = Some(why);
            }
        }
    }
    if let Some(why) = unknown {
        ctx.check(id).expects(json!(expected)).seen(how).unknown(why);
        return Vec::new();
    }
    let differ = expected.iter().filter(|(path, contents)| now.get(*path) != Some(*contents));
    let left: Vec<Changed> =
        differ.map(|(path, before)| left::describe_left_program(path, before)).collect();
    let paths: Vec<&str> = left.iter().map(|it| it.item.id.as_str()).collect();
    let message = format!("not what preflight hashed: {} {complaints}", paths.join(", "));
    let message = (!paths.is_empty()).then(|| message.trim().to_owned());
    ctx.check(id).expects(json!(expected)).seen(how).comes_to(json!(now), Ruling::unless(message));
    left
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
            let comparison = node_state::compare_states(before, now, sources, explained);
            let comparison = comparison.without_listeners_on(&no_nat::listening_ports(&ctx.run.id));
            let observed = json!({
                "changed": comparison.shown(),
                "not_readable_here": comparison.not_compared,
            });
            judge_comparison(ctx, id, &comparison, (expected, observed), how);
            node_state::describe_changed_node(node, &comparison, before, now)
        }
        Err((why, how)) => {
            ctx.check(id).expects(expected).seen(how.clone()).unknown(why);
            None
        }
    }
}

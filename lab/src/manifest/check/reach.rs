//! The checks of how a node is reached: where its address comes from, and what is on the way.

use std::collections::BTreeSet;

use super::{ManifestCheck, is_ssh_target};
use crate::manifest::{Manifest, NodeEntry, Reach};
use crate::node::Node;

/// The values that are put into the words of `proxy`.
pub const PLACEHOLDERS: [&str; 4] = ["{instance_id}", "{address}", "{port}", "{region}"];

/// The fields of one node of a lab on AWS.
pub(super) fn check_node(check: &mut ManifestCheck, node: Node, entry: &NodeEntry) {
    let field = |name: &str| format!("nodes.{node}.{name}");
    let (reach, ssh) = (entry.reach, entry.ssh.is_some());
    if reach.is_none() && !ssh {
        let message = "missing: \"public\", \"private\" or \"fixed\" (or ssh = \"user@host\")";
        check.report(&field("reach"), message);
    }
    if matches!(reach, Some(Reach::Public | Reach::Private)) {
        let there = entry.instance_id.is_some();
        let message = "without instance_id nobody tells its address: only \"fixed\" can be";
        check.require(there, &field("reach"), message);
        check.require(!ssh, &field("ssh"), "its address is EC2's to tell, by reach");
    }
    let port = entry.port;
    check.require(port != Some(0), &field("port"), "expected 1 to 65535");
    let twice = ssh && port.is_some();
    check.require(!twice, &field("port"), "ssh has one already: leave one of them out");
    if let Some(file) = &entry.identity_file {
        let usable = !file.is_empty() && !file.contains(is_read_by_ssh);
        let message = "expected a path without quotes, $ or control characters";
        check.require(usable, &field("identity_file"), message);
    }
    let both = !entry.jump.is_empty() && !entry.proxy.is_empty();
    check.require(!both, &field("proxy"), "jump is there as well: one of them is the way");
    for word in &entry.proxy {
        if let Err(message) = check_word(word, entry) {
            check.report(&field("proxy"), message);
        }
    }
}

/// A quote ends the path for ssh, and it reads variables.
fn is_read_by_ssh(c: char) -> bool {
    c == '"' || c == '$' || c.is_control()
}

fn check_word(word: &str, entry: &NodeEntry) -> Result<(), String> {
    if word.is_empty() || word.contains(char::is_control) {
        return Err(format!("{word:?} is no word: empty, or with a control character"));
    }
    let mut rest = word.to_owned();
    for known in PLACEHOLDERS {
        rest = rest.replace(known, "");
    }
    if rest.contains(['{', '}']) {
        let known = PLACEHOLDERS.join(", ");
        return Err(format!("{word:?}: only {known} are put in, and no other brace may be there"));
    }
    if word.contains("{instance_id}") && entry.instance_id.is_none() {
        return Err(format!("{word:?}: this node has no instance_id"));
    }
    Ok(())
}

/// The stations on the way to each node: nodes of the lab, or hosts; never in a circle.
pub(super) fn check_ways(check: &mut ManifestCheck, manifest: &Manifest) {
    for (node, entry) in &manifest.nodes {
        let field = format!("nodes.{node}.jump");
        for hop in &entry.jump {
            let known = find_node(hop).is_some_and(|hop| manifest.nodes.contains_key(&hop));
            if !known && !is_ssh_target(hop) {
                let message = format!("{hop:?} is neither a node nor user@host[:port]");
                check.report(&field, message);
            }
        }
        let mut seen = BTreeSet::new();
        if leads_to(manifest, *node, *node, &mut seen) {
            check.report(&field, format!("the way to {node} leads through {node} itself"));
        }
    }
}

/// The node of this name.
pub fn find_node(name: &str) -> Option<Node> {
    Node::ALL.into_iter().find(|node| node.as_str() == name)
}

fn leads_to(manifest: &Manifest, from: Node, to: Node, seen: &mut BTreeSet<Node>) -> bool {
    let hops = manifest.nodes.get(&from).map(|entry| entry.jump.as_slice()).unwrap_or_default();
    let mut nodes = hops.iter().filter_map(|hop| find_node(hop));
    nodes.any(|hop| hop == to || (seen.insert(hop) && leads_to(manifest, hop, to, seen)))
}

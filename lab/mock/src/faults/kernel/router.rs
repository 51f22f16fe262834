//! routerd on its node: its configuration, its programs, its database, and the lab's own files.

use super::super::hand::{EXECUTOR, PLANNER, STRANGERS_PART, YAML, strangers_row};
use super::{Deeds, Means, make_deed};
use lab::node::Node;

fn one(means: Means) -> Deeds {
    Ok(vec![make_deed(Node::RouterdCloud, means)])
}

fn edit(from: &'static str, to: &'static str) -> Deeds {
    one(Means::Edit { path: YAML, from, to })
}

fn file(path: &str, contents: &str, mode: u32) -> Deeds {
    one(Means::File { path: path.to_owned(), contents: contents.to_owned(), mode })
}

fn row(status: &str) -> Deeds {
    one(Means::Sql(strangers_row(status)))
}

pub fn policy_typo(_: &str) -> Deeds {
    edit("allowedCIDRs:", "allowedCidrs:")
}

pub fn wider_policy(_: &str) -> Deeds {
    edit("allowedCIDRs: [10.88.60.9/32]", "allowedCIDRs: [10.88.60.0/24]")
}

pub fn auto_approve(_: &str) -> Deeds {
    edit("requireApproval: true", "requireApproval: false")
}

pub fn second_provider(_: &str) -> Deeds {
    edit("allowedProviders: [aws]", "allowedProviders: [aws, azure]")
}

pub fn no_undo(_: &str) -> Deeds {
    edit("allowUndo: true", "allowUndo: false")
}

/// Beside the way to EC2, which the executor is told in this lab.
pub fn credentials_in_yaml(_: &str) -> Deeds {
    edit("        env: { ", "        env: { AWS_ACCESS_KEY_ID: AKIAIOSFODNN7EXAMPLE, ")
}

pub fn environment_path(_: &str) -> Deeds {
    edit("        env: { ", "        env: { PATH: \"/opt/bin:/usr/bin:/bin\", ")
}

pub fn planner_missing(_: &str) -> Deeds {
    one(Means::NoFile { path: PLANNER.to_owned() })
}

pub fn planner_replaced(_: &str) -> Deeds {
    file(PLANNER, "#!/bin/sh\nexit 1\n", 0o755)
}

pub fn executor_fails(_: &str) -> Deeds {
    file(EXECUTOR, "#!/bin/sh\nexec /root/bin/aws\n", 0o755)
}

pub fn database_garbage(_: &str) -> Deeds {
    file("/var/lib/routerd/routerd.db", &"x".repeat(8192), 0o644)
}

pub fn open_row(_: &str) -> Deeds {
    row("pending")
}

pub fn wedged_row(_: &str) -> Deeds {
    row("running")
}

pub fn earlier_run(_: &str) -> Deeds {
    row("rolledBack")
}

pub fn mobility_plans(_: &str) -> Deeds {
    one(Means::Sql(STRANGERS_PART.to_owned()))
}

pub fn leftover_change_set(_: &str) -> Deeds {
    file(lab::change_set::PATH, "{}", 0o600)
}

pub fn lock_held(_: &str) -> Deeds {
    file(super::super::gate::LOCK, super::super::gate::STRANGERS_LOCK, 0o600)
}

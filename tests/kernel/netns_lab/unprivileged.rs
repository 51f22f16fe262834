//! An ordinary user builds the same lab: the trials once more, as nobody, where this is root.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::Trial;

use super::support::trial;

pub fn trials() -> Vec<Trial> {
    // Only root can become another user; who is not root has just done all of it unprivileged.
    if !nix::unistd::geteuid().is_root() {
        return Vec::new();
    }
    vec![trial("an_ordinary_user_builds_the_same_lab", an_ordinary_user_builds_the_same_lab)]
}

fn an_ordinary_user_builds_the_same_lab() {
    // Where nobody may go: the build's own folder may lie below root's home.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("netns");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for name in [
        "down_leaves_nothing",
        "a_killed_supervisor_leaves_nothing",
        "routerd_moves_the_address",
        "a_nodes_files_are_its_own",
        "without_overlayfs_a_nodes_files_are_its_own",
        "nothing_on_a_node_leads_to_the_hosts_files",
    ] {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
            .arg(&program)
            .args(["--exact", &format!("netns_lab::{name}")])
            .env("LAB_SMOKE_REQUIRE_NETNS", "1")
            .env("HOME", "/nonexistent")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{name}:\n{said}");
    }
}

//! A node's files are its own, whoever made the lab, and the host's are out of its reach.

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::node::Node;
use lab::shell::HashedFile;
use lab_netns::Netns;
use libtest_mimic::Trial;

use super::support::{on_a_lab, run, text, trial};
use crate::own::{folders_at_the_root, is_a_users};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_nodes_files_are_its_own", a_nodes_files_are_its_own),
        trial("without_overlayfs_a_nodes_files_are_its_own", without_overlayfs),
        trial("nothing_on_a_node_leads_to_the_hosts_files", nothing_leads_to_the_host),
        trial("no_inode_is_hashed_twice", no_inode_is_hashed_twice),
    ]
}

/// Where programs put their files, as routerd does by itself.
const FOLDERS: [&str; 10] = [
    "/etc",
    "/etc/sysctl.d",
    "/usr/local/sbin",
    "/usr/local/etc",
    "/usr/lib",
    "/opt",
    "/boot",
    "/var/log",
    "/var/lib",
    "/srv",
];

fn system_and_users_folders() -> Vec<String> {
    let users = folders_at_the_root().filter(|top| is_a_users(top));
    let users = users.map(|top| top.display().to_string());
    FOLDERS.map(str::to_owned).into_iter().chain(users).collect()
}

/// Files of the host that the trial made, for destroying.
struct Markers(Vec<PathBuf>);

impl Markers {
    /// None where this user may not.
    fn make(name: &str) -> Self {
        let all =
            ["/etc", "/opt", "/usr/lib", "/var/log"].map(|folder| Path::new(folder).join(name));
        Self(all.into_iter().filter(|path| std::fs::write(path, "the host's\n").is_ok()).collect())
    }
}

impl Drop for Markers {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn a_nodes_files_are_its_own() {
    let own = format!("own-{}", std::process::id());
    let markers = Markers::make(&format!("marker-{}", std::process::id()));
    on_a_lab(async |opened| {
        for folder in system_and_users_folders() {
            let path = format!("{folder}/{own}");
            let wrote =
                run(opened, Node::RouterdCloud, &format!("sudo sh -c 'echo x > {path}'")).await;
            // First, so that nothing is left by a lab that leaks.
            let leaked = std::fs::remove_file(&path).is_ok();
            assert!(!leaked, "{path} was written on the host");
            assert_eq!(wrote.code, 0, "{path}: {wrote:?}");
            let seen = run(opened, Node::RouterdCloud, &format!("cat {path}")).await;
            assert_eq!(text(&seen), "x", "{path}");
            let other = run(opened, Node::OnpremRouter, &format!("test ! -e {path}")).await;
            assert_eq!(other.code, 0, "{path} is another node's, too");
        }
        for path in &markers.0 {
            let path = path.display();
            let lines = [
                format!("grep -q host {path} && echo node >> {path} && grep -q node {path}"),
                format!("rm -f {path} && test ! -e {path} && echo again > {path}"),
            ];
            for line in lines {
                let done = run(opened, Node::RouterdCloud, &line).await;
                let there = std::fs::read_to_string(path.to_string()).unwrap_or_default();
                assert_eq!(there, "the host's\n", "{line}");
                assert_eq!(done.code, 0, "{line}: {done:?}");
            }
        }
        // At the root of all as well.
        assert_eq!(run(opened, Node::RouterdCloud, "mkdir /own && rmdir /own").await.code, 0);
    });
}

/// A mount below a folder is one that no user namespace may take away, and so none may be put over.
fn without_overlayfs() {
    // /boot and /srv may have no folder, and none that is needed is covered.
    let covered = "for below in /etc/opt /usr/share/doc /var/cache $(ls -d /opt/* | head -n 1); do \
        test ! -d $below || mount -t tmpfs tmpfs $below; done; exec \"$@\"";
    for name in ["a_nodes_files_are_its_own", "nothing_on_a_node_leads_to_the_hosts_files"] {
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "--propagation", "private"])
            .args(["sh", "-c", covered, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", &format!("netns_lab::{name}")])
            .env("LAB_SMOKE_REQUIRE_NETNS", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{name}: {said}");
    }
}

/// Ways that would show the host's files again, or change its kernel for all; each has to fail.
const WAYS: [&str; 12] = [
    "mount -o remount,bind,rw none /usr/local/sbin/routerctl",
    "mount -o remount,bind,rw none /run/lab-smoke/program",
    "mount -o remount,bind,rw none /proc/sys",
    "umount /proc/sys",
    "mount -t proc proc /mnt",
    "mount -t sysfs sysfs /mnt",
    "nsenter --target 1 --mount true",
    "ls /proc/1/root/",
    "ls /proc/1/cwd/",
    ": > /proc/sys/kernel/printk",
    ": > /sys/power/state",
    "find /dev -type b | grep .",
];

fn nothing_leads_to_the_host() {
    on_a_lab(async |opened| {
        for way in WAYS {
            let line = format!("sudo sh -c '{way}'");
            let output = run(opened, Node::RouterdCloud, &line).await;
            assert_ne!(output.code, 0, "{way}: {output:?}");
        }
        // It has all capabilities over what is its own.
        for line in ["sysctl -w net.ipv4.ip_forward=1", "mount -t tmpfs own /mnt", "umount /mnt"] {
            let output = run(opened, Node::RouterdCloud, &format!("sudo {line}")).await;
            assert_eq!(output.code, 0, "{line}: {output:?}");
        }
        let keys = format!("test ! -e {}", opened.folder.operator_key().display());
        assert_eq!(run(opened, Node::RouterdCloud, &keys).await.code, 0, "the operator's key");
    });
}

/// All of routerd's programs are this very binary.
fn no_inode_is_hashed_twice() {
    on_a_lab(async |opened| {
        let plugins = "/usr/local/libexec/routerd/plugins";
        let paths = [
            "/usr/local/sbin/routerctl".to_owned(),
            format!("{plugins}/lab-planner"),
            format!("{plugins}/aws-provider-executor/bin/aws-provider-executor"),
            "/etc/hostname".to_owned(),
        ];
        let (first, hashed) = look(opened, &paths, &[]).await;
        assert_eq!(hashed, [paths[0].as_str(), "/etc/hostname"]);
        assert_eq!(first.len(), 4, "every path has its digest");
        assert_eq!(first[0], first[1]);
        let (again, hashed) = look(opened, &paths, &first).await;
        assert_eq!((again, hashed.len()), (first.clone(), 0), "nothing has changed");
        // The same size, and a time of modification that was put back.
        let forge = "touch -r /etc/hostname /tmp/then; printf 'Routerd-cloud\\n' > /etc/hostname; \
            touch -r /tmp/then /etc/hostname";
        assert_eq!(run(opened, Node::RouterdCloud, forge).await.code, 0);
        let (forged, hashed) = look(opened, &paths, &first).await;
        assert_eq!(hashed, ["/etc/hostname"]);
        assert_ne!(forged[3].sha256, first[3].sha256);
        assert_eq!(forged[..3], first[..3]);
    });
}

/// The files in the order of their paths, and which were read.
async fn look(
    lab: &Netns,
    paths: &[String],
    known: &[HashedFile],
) -> (Vec<HashedFile>, Vec<String>) {
    let hashing = lab.lab.shell.hash_files(Node::RouterdCloud, paths, known).await;
    let files = hashing.files();
    let read = hashing.hashed.iter().map(|(path, _)| path.clone()).collect();
    (paths.iter().map(|path| files[path].clone()).collect(), read)
}

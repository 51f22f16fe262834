//! ssh's configuration for the nodes of one lab, in a private folder that ends with this process. It
//! reads no other configuration, and knows the pinned host keys and no others.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use lab::manifest::{Manifest, NodeEntry};
use lab::node::Node;
use lab::ssh_transport::Access;
use tempfile::TempDir;

/// Short: the path of a control socket has room for about 100 bytes, and ssh and its own suffix take
/// 40 of them.
const PLACE: &str = "/tmp";
const CONFIG: &str = "config";
const KNOWN_HOSTS: &str = "known_hosts";

/// The folder with the configuration and the control sockets; gone when this is dropped.
pub struct SshFolder(TempDir);

impl SshFolder {
    /// # Errors
    /// Where it cannot be made or written.
    pub fn make(manifest: &Manifest) -> io::Result<Self> {
        let folder = Self(tempfile::Builder::new().prefix("lab-smoke-").tempdir_in(PLACE)?);
        let keys: String = manifest
            .nodes
            .iter()
            .map(|(node, entry)| format!("{node} {}\n", entry.host_key))
            .collect();
        std::fs::write(folder.known_hosts(), keys)?;
        std::fs::write(folder.config(), write_config(manifest, &folder.known_hosts()))?;
        Ok(folder)
    }

    pub fn access(&self) -> Access {
        let hosts: BTreeMap<_, _> =
            Node::ALL.into_iter().map(|node| (node, node.as_str().to_owned())).collect();
        Access { config: self.config(), control_folder: self.0.path().to_owned(), hosts }
    }

    fn config(&self) -> PathBuf {
        self.0.path().join(CONFIG)
    }

    fn known_hosts(&self) -> PathBuf {
        self.0.path().join(KNOWN_HOSTS)
    }
}

/// The text that `ssh -F` reads.
fn write_config(manifest: &Manifest, known_hosts: &Path) -> String {
    let hosts = manifest.nodes.iter().map(|(node, entry)| describe_host(*node, entry));
    let all = format!(
        "Host *\n  UserKnownHostsFile \"{}\"\n  GlobalKnownHostsFile /dev/null\n  \
         StrictHostKeyChecking yes\n  UpdateHostKeys no\n  BatchMode yes\n  \
         PreferredAuthentications publickey\n  ForwardAgent no\n  ServerAliveInterval 15\n",
        known_hosts.display()
    );
    hosts.chain([all]).collect()
}

fn describe_host(node: Node, entry: &NodeEntry) -> String {
    let (user, host, port) = read_target(entry);
    format!("Host {node}\n  HostKeyAlias {node}\n  User {user}\n  HostName {host}\n  Port {port}\n")
}

/// `user@host[:port]`, which `lab check` has looked at.
fn read_target(entry: &NodeEntry) -> (String, String, u16) {
    let target = entry.ssh.as_deref().unwrap_or_default();
    let (user, host) = target.split_once('@').unwrap_or((&entry.user, target));
    let (host, port) = host.rsplit_once(':').unwrap_or((host, "22"));
    (user.to_owned(), host.to_owned(), port.parse().unwrap_or(22))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use lab::manifest::example_manifest;

    use super::*;

    fn example() -> Manifest {
        Manifest::parse("the example", example_manifest()).unwrap()
    }

    #[test]
    fn each_node_is_a_host_with_its_pinned_key_and_nobody_elses_configuration() {
        let folder = SshFolder::make(&example()).unwrap();
        let text = std::fs::read_to_string(folder.access().config).unwrap();
        for line in [
            "Host onprem-router\n  HostKeyAlias onprem-router\n  User lab\n  HostName 198.51.100.1\n  Port 2222\n",
            "StrictHostKeyChecking yes",
            "GlobalKnownHostsFile /dev/null",
            "ForwardAgent no",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let keys = std::fs::read_to_string(folder.known_hosts()).unwrap();
        assert_eq!(keys.lines().count(), 4);
        assert!(keys.starts_with("routerd-cloud ssh-ed25519 AAAA"), "{keys}");
    }

    #[test]
    fn a_control_socket_has_a_path_that_fits() {
        let folder = SshFolder::make(&example()).unwrap();
        let path = folder.access().control_folder;
        assert!(path.as_os_str().len() <= 60, "{}", path.display());
    }
}

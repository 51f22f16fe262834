//! ssh's configuration for the nodes of one lab, in a private folder that ends with this process. It
//! reads no other configuration, and knows the pinned host keys: a host on the way that is no node is
//! known by the operator's own known_hosts, or not at all.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lab::manifest::{Manifest, NodeEntry, find_node};
use lab::node::Node;
use lab::quote_for_shell;
use lab::ssh_transport::Access;
use reports::folder::{Sync, write_atomically};
use tempfile::TempDir;

/// Short: the path of a control socket has room for about 100 bytes, and ssh and its own suffix take
/// 40 of them.
const PLACE: &str = "/tmp";
const CONFIG: &str = "config";
const KNOWN_HOSTS: &str = "known_hosts";
const SSH_PORT: u16 = 22;

/// The folder with the configuration and the control sockets; gone when this is dropped.
pub struct SshFolder {
    folder: TempDir,
    manifest: Manifest,
    /// The addresses that EC2 told.
    found: RefCell<BTreeMap<Node, IpAddr>>,
}

impl SshFolder {
    /// # Errors
    /// Where it cannot be made or written.
    pub fn make(manifest: &Manifest) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("lab-smoke-").tempdir_in(PLACE)?;
        let made = Self { folder, manifest: manifest.clone(), found: RefCell::default() };
        let nodes = manifest.nodes.iter();
        let keys = nodes.map(|(node, entry)| format!("{node} {}\n", entry.host_key));
        std::fs::write(made.known_hosts(), keys.collect::<String>())?;
        made.write()?;
        Ok(made)
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn access(&self) -> Access {
        let hosts: BTreeMap<_, _> =
            Node::ALL.into_iter().map(|node| (node, node.as_str().to_owned())).collect();
        Access { config: self.config(), control_folder: self.folder.path().to_owned(), hosts }
    }

    /// A connection that is made from now on goes there.
    ///
    /// # Errors
    /// Where the configuration cannot be written.
    pub fn set_address(&self, node: Node, address: Option<IpAddr>) -> io::Result<()> {
        let before = match address {
            Some(address) => self.found.borrow_mut().insert(node, address),
            None => self.found.borrow_mut().remove(&node),
        };
        if before == address { Ok(()) } else { self.write() }
    }

    fn write(&self) -> io::Result<()> {
        let text = write_config(&self.manifest, &self.found.borrow(), &self.known_hosts());
        write_atomically(&self.config(), text.as_bytes(), Sync::No)
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join(CONFIG)
    }

    fn known_hosts(&self) -> PathBuf {
        self.folder.path().join(KNOWN_HOSTS)
    }
}

/// The text that `ssh -F` reads; of two values for one host it takes the first.
fn write_config(manifest: &Manifest, found: &BTreeMap<Node, IpAddr>, known_hosts: &Path) -> String {
    let mut text = String::new();
    for (node, entry) in &manifest.nodes {
        text.push_str(&describe_host(manifest, *node, entry, found.get(node).copied()));
    }
    for host in foreign_hosts(manifest) {
        text.push_str(&host);
    }
    let _ = write!(
        text,
        "Host *\n  UserKnownHostsFile \"{}\"\n  GlobalKnownHostsFile /dev/null\n  \
         StrictHostKeyChecking yes\n  UpdateHostKeys no\n  BatchMode yes\n  \
         PreferredAuthentications publickey\n  ForwardAgent no\n  ServerAliveInterval 15\n",
        known_hosts.display()
    );
    text
}

fn describe_host(
    manifest: &Manifest,
    node: Node,
    entry: &NodeEntry,
    found: Option<IpAddr>,
) -> String {
    let target = Target::of(entry, found);
    let Target { user, host, port } = &target;
    let mut text = format!(
        "Host {node}\n  HostKeyAlias {node}\n  User {user}\n  HostName {host}\n  Port {port}\n"
    );
    text.push_str(&describe_key(entry));
    if !entry.jump.is_empty() {
        let _ = writeln!(text, "  ProxyJump {}", entry.jump.join(","));
    }
    if !entry.proxy.is_empty() {
        let command = proxy_command(manifest, entry, &target);
        let _ = writeln!(text, "  ProxyCommand {command}");
    }
    text
}

/// The agent's keys and ssh's usual ones, unless one is named.
fn describe_key(entry: &NodeEntry) -> String {
    let path = |file: &str| file.replace('%', "%%");
    let key = entry.identity_file.as_deref();
    key.map(|file| format!("  IdentityFile \"{}\"\n  IdentitiesOnly yes\n", path(file)))
        .unwrap_or_default()
}

/// The hosts on the way that are no nodes, with the key of the first node behind them.
fn foreign_hosts(manifest: &Manifest) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut hosts = Vec::new();
    for entry in manifest.nodes.values() {
        for hop in entry.jump.iter().filter(|hop| find_node(hop).is_none()) {
            let host = hop.split_once('@').map_or(hop.as_str(), |(_, host)| host);
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            if seen.insert(host.to_owned()) {
                hosts.push(format!(
                    "Host {host}\n  UserKnownHostsFile ~/.ssh/known_hosts\n  \
                     GlobalKnownHostsFile /etc/ssh/ssh_known_hosts\n{}",
                    describe_key(entry)
                ));
            }
        }
    }
    hosts
}

/// Where the node's sshd is.
struct Target {
    user: String,
    host: String,
    port: u16,
}

/// Where EC2 has not told an address, nobody is to be reached by another name.
const NOWHERE: &str = "not-told.invalid";

impl Target {
    fn of(entry: &NodeEntry, found: Option<IpAddr>) -> Self {
        let port = entry.port.unwrap_or(SSH_PORT);
        // `lab check` has looked at it.
        if let Some((user, host)) = entry.ssh.as_deref().and_then(|ssh| ssh.split_once('@')) {
            let (host, port) = match host.rsplit_once(':') {
                Some((host, own)) => (host, own.parse().unwrap_or(port)),
                None => (host, port),
            };
            return Self { user: user.to_owned(), host: host.to_owned(), port };
        }
        let host = if entry.told_by_ec2() {
            found.map_or_else(|| NOWHERE.to_owned(), |it| it.to_string())
        } else {
            entry.address.to_string()
        };
        Self { user: entry.user.clone(), host, port }
    }
}

/// ssh hands it to a shell, to which no word means anything, after it has read `%` for itself.
fn proxy_command(manifest: &Manifest, entry: &NodeEntry, target: &Target) -> String {
    let put_in = |word: &String| {
        let instance_id = entry.instance_id.as_deref().unwrap_or_default();
        let word = word
            .replace("{instance_id}", instance_id)
            .replace("{address}", &target.host)
            .replace("{port}", &target.port.to_string())
            .replace("{region}", &manifest.aws.region);
        quote_for_shell(&word).replace('%', "%%")
    };
    entry.proxy.iter().map(put_in).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::process::Command;

    use lab::manifest::{Reach, example_manifest};

    use super::*;

    fn example() -> Manifest {
        Manifest::parse("the example", example_manifest()).unwrap()
    }

    fn config(manifest: &Manifest) -> String {
        write_config(manifest, &BTreeMap::new(), Path::new("/k/hosts"))
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

    #[test]
    fn an_address_that_ec2_tells_is_where_the_next_connection_goes() {
        let mut manifest = example();
        let entry = manifest.nodes.get_mut(&Node::RouterdCloud).unwrap();
        (entry.ssh, entry.reach, entry.port) = (None, Some(Reach::Public), Some(2022));
        entry.identity_file = Some("~/.ssh/lab 100%".to_owned());
        let folder = SshFolder::make(&manifest).unwrap();
        let text = || std::fs::read_to_string(folder.access().config).unwrap();
        assert!(text().contains("HostName not-told.invalid\n  Port 2022\n"), "{}", text());
        assert!(text().contains("IdentityFile \"~/.ssh/lab 100%%\"\n  IdentitiesOnly yes\n"));
        for address in ["203.0.113.7", "203.0.113.9"] {
            folder.set_address(Node::RouterdCloud, address.parse().ok()).unwrap();
            assert!(text().contains(&format!("User ubuntu\n  HostName {address}\n")), "{}", text());
        }
    }

    #[test]
    fn a_host_on_the_way_is_a_node_or_known_to_the_operator() {
        let mut manifest = example();
        let entry = manifest.nodes.get_mut(&Node::CloudClient).unwrap();
        entry.jump = vec!["admin@bastion.example.org:2200".into(), "routerd-cloud".into()];
        let text = config(&manifest);
        assert!(text.contains("ProxyJump admin@bastion.example.org:2200,routerd-cloud\n"));
        assert!(
            text.contains("Host bastion.example.org\n  UserKnownHostsFile ~/.ssh/known_hosts\n")
        );
        assert_eq!(text.matches("Host bastion").count(), 1);
    }

    /// A shell's reading of the line, once ssh has read `%` of it.
    #[test]
    fn no_word_of_a_proxy_means_anything_to_a_shell() {
        let mut manifest = example();
        let entry = manifest.nodes.get_mut(&Node::RouterdCloud).unwrap();
        let words =
            ["it's", "$HOME;id", "a b", "100%h", "{instance_id}", "{address}:{port}", "{region}"];
        entry.proxy = ["printf", "%s|"].iter().chain(&words).map(|&it| it.to_owned()).collect();
        let text = config(&manifest);
        let line = text.lines().find_map(|line| line.strip_prefix("  ProxyCommand ")).unwrap();
        let read = line.replace("%%", "%");
        let said = Command::new("sh").args(["-c", &format!("exec {read}")]).output().unwrap();
        assert_eq!(
            String::from_utf8(said.stdout).unwrap(),
            "it's|$HOME;id|a b|100%h|i-0a1b2c3d4e5f60718|192.0.2.4:22|ap-northeast-1|"
        );
    }

    #[test]
    fn ssh_itself_reads_the_configuration() {
        let mut manifest = example();
        let entry = manifest.nodes.get_mut(&Node::RouterdCloud).unwrap();
        entry.proxy = vec!["/opt/my proxy".into(), "{address}".into()];
        let folder = SshFolder::make(&manifest).unwrap();
        let mut ssh = Command::new("ssh");
        ssh.arg("-G").arg("-F").arg(folder.access().config).arg("routerd-cloud");
        // No ssh here, no look.
        let Ok(said) = ssh.output() else { return };
        let said = String::from_utf8(said.stdout).unwrap();
        for line in [
            "hostkeyalias routerd-cloud",
            "hostname 192.0.2.4",
            "proxycommand '/opt/my proxy' 192.0.2.4",
        ] {
            assert!(said.lines().any(|it| it == line), "{line} in {said}");
        }
    }
}

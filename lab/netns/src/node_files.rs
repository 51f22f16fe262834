//! The contents of a node's files: its identity, its sshd, who may log in, and routerd's
//! configuration.

use serde::{Deserialize, Serialize};

use lab::node::Node;
use lab::shell::ssh::KNOWN_HOSTS;
use lab_mock::machines::ROUTER_YAML;

/// Where programs on a node find EC2 and STS.
pub const EC2_ENDPOINT: &str = "http://127.0.0.1:8773";
/// The user of every login; with all capabilities of the lab.
pub const USER: &str = "lab";
/// On the clients.
pub const OUTAGE_PROBE: &str = "/usr/local/sbin/outage-probe";
pub const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// A node's description, which the supervisor tells it as one line of JSON.
#[derive(Serialize, Deserialize)]
pub struct NodeSpec {
    pub host_key: String,
    pub host_key_public: String,
    /// The private key of the node's user, for the ssh between the clients.
    pub user_key: String,
    /// Public keys.
    pub authorized: Vec<String>,
    pub known_hosts: String,
}

/// A file of a node: path, permission bits, text.
pub type File = (String, u32, String);

pub fn make_node_files(node: Node, spec: &NodeSpec) -> Vec<File> {
    let file = |path: &str, mode, text: String| (path.to_owned(), mode, text);
    let mut files = vec![
        file(
            "/etc/passwd",
            0o644,
            format!("root:x:0:0:root:/root:/bin/sh\n{USER}:x:1000:1000::/home/{USER}:/bin/sh\n"),
        ),
        file("/etc/group", 0o644, format!("root:x:0:\n{USER}:x:1000:\n")),
        file("/etc/hostname", 0o644, format!("{node}\n")),
        file("/etc/hosts", 0o644, format!("127.0.0.1 localhost {node}\n")),
        file("/etc/ssh/ssh_host_ed25519_key", 0o600, spec.host_key.clone()),
        file(
            "/etc/ssh/ssh_host_ed25519_key.pub",
            0o644,
            format!("{} root@{node}\n", spec.host_key_public),
        ),
        file("/etc/ssh/authorized_keys", 0o600, spec.authorized.join("\n") + "\n"),
        file(SSHD_CONFIG, 0o644, SSHD.to_owned()),
        file(KNOWN_HOSTS, 0o644, spec.known_hosts.clone()),
        file(&format!("/home/{USER}/.ssh/id_ed25519"), 0o600, spec.user_key.clone()),
        file("/usr/local/sbin/sudo", 0o755, SUDO.to_owned()),
    ];
    if node == Node::RouterdCloud {
        files.push(file("/usr/local/etc/routerd/router.yaml", 0o644, router_yaml()));
    }
    files
}

const SSHD: &str = "\
Port 22
ListenAddress 0.0.0.0
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile none
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
PrintMotd no
PrintLastLog no
MaxSessions 64
MaxStartups 64
LogLevel INFO
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
";

/// The host's own cannot become root in a user namespace, and need not: whoever is logged in has
/// all capabilities of the lab already.
const SUDO: &str = "#!/bin/sh\nif test \"${1-}\" = -n; then shift; fi\nexec \"$@\"\n";

/// The runbook's, with the way to EC2 that routerd hands to the executor.
fn router_yaml() -> String {
    let timeout = "        timeout: 120s\n";
    let env = format!(
        "        env: {{ AWS_ENDPOINT_URL_EC2: \"{EC2_ENDPOINT}\", AWS_ENDPOINT_URL_STS: \"{EC2_ENDPOINT}\" }}\n"
    );
    ROUTER_YAML.replacen(timeout, &format!("{timeout}{env}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> NodeSpec {
        NodeSpec {
            host_key: "private".into(),
            host_key_public: "ssh-ed25519 AAAA".into(),
            user_key: "user".into(),
            authorized: vec!["one".into(), "two".into()],
            known_hosts: "10.88.60.9 ssh-ed25519 AAAA\n".into(),
        }
    }

    fn text(node: Node, path: &str) -> Option<String> {
        make_node_files(node, &spec()).into_iter().find(|file| file.0 == path).map(|file| file.2)
    }

    #[test]
    fn private_keys_are_private() {
        let files = make_node_files(Node::CloudClient, &spec());
        for (path, mode, text) in files {
            assert_eq!(
                text == "private" || text == "user",
                mode == 0o600 && !path.ends_with("authorized_keys"),
                "{path}"
            );
        }
    }

    #[test]
    fn only_the_cloud_router_has_routerd() {
        let path = "/usr/local/etc/routerd/router.yaml";
        for node in Node::ALL {
            assert_eq!(text(node, path).is_some(), node == Node::RouterdCloud, "{node}");
        }
    }

    #[test]
    fn the_executor_is_told_where_ec2_is() {
        let text = router_yaml();
        assert_eq!(text.matches("AWS_ENDPOINT_URL_EC2: \"http://127.0.0.1:8773\"").count(), 1);
        let executor = text.find("name: aws-executor").expect("the executor");
        let planner = text.find("name: lab-planner").expect("the planner");
        let env = text.find("env: {").expect("its environment");
        assert!((executor..planner).contains(&env), "{text}");
    }
}

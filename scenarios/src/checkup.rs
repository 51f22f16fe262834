//! What would keep a run from using a lab, asked before there is one and without changing anything: each
//! finding with its remedy. `lab-smoke doctor --lab FILE` shows them.

use chrono::TimeDelta;
use futures::future::join_all;
use lab::Lab;
use lab::ec2::NetworkInterface;
use lab::manifest::NodeEntry;
use lab::node::Node;
use lab::shell::{NodeReadiness, Observe};

/// One thing that a run needs, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckupFinding {
    /// `routerd-cloud: sudo -n`.
    pub what: String,
    /// What is wrong, and what to do; none where it is as it should be.
    pub wrong: Option<String>,
}

impl CheckupFinding {
    pub fn of(what: impl Into<String>, wrong: Option<String>) -> Self {
        Self { what: what.into(), wrong }
    }
}

/// The lab's part: who asks AWS, and each node.
pub async fn examine_lab(lab: &Lab) -> Vec<CheckupFinding> {
    let vpcs = lab.reader.interfaces_in(&lab.manifest.aws.vpc_id);
    let nodes = join_all(Node::ALL.map(|node| examine_node(lab, node)));
    let (account, interfaces, nodes) = futures::join!(examine_account(lab), vpcs, nodes);
    let mut found = vec![account];
    let interfaces = interfaces.map(|answer| answer.value);
    found.push(CheckupFinding::of(
        format!("EC2 shows the interfaces of {}", lab.manifest.aws.vpc_id),
        interfaces.as_ref().err().map(|error| {
            format!("{error}; the operator needs ec2:Describe* (docs/iam/), and the way to EC2")
        }),
    ));
    for (node, findings, ready) in nodes {
        found.extend(findings);
        let (Some(ready), Ok(interfaces)) = (ready, &interfaces) else { continue };
        found.extend(examine_mac(node, &lab.manifest.nodes[&node], &ready, interfaces));
    }
    found
}

async fn examine_account(lab: &Lab) -> CheckupFinding {
    let wanted = &lab.manifest.aws.account_id;
    let wrong = match lab.reader.caller_identity().await {
        Ok(answer) if answer.value.account_id == *wanted => None,
        Ok(answer) => Some(format!(
            "{} is of another account: name a role of {wanted} with --assume-role or [identity]",
            answer.value.arn
        )),
        Err(error) => Some(error.to_string()),
    };
    CheckupFinding::of(format!("the operator is of account {wanted}"), wrong)
}

async fn examine_node(lab: &Lab, node: Node) -> (Node, Vec<CheckupFinding>, Option<NodeReadiness>) {
    let entry = &lab.manifest.nodes[&node];
    let about = |what: &str, wrong| CheckupFinding::of(format!("{node}: {what}"), wrong);
    let before = lab.clock.now();
    let told = match lab.shell.observe(node, &Observe::clock()).await {
        Ok(answer) => answer.value,
        Err(error) => {
            let remedy = match error.why.other_host_key() {
                Some(_) => "compare its key with the instance's console, then correct host_key",
                None => "try `ssh` by hand with the manifest's user, key and way; is it running?",
            };
            return (node, vec![about("ssh", Some(format!("{error}; {remedy}")))], None);
        }
    };
    let after = lab.clock.now();
    let skew = TimeDelta::milliseconds(
        i64::try_from(lab.manifest.limits.clock_skew_ms).unwrap_or(i64::MAX / 1_000_000),
    );
    let clock = match told {
        Err(error) => Some(error.to_string()),
        Ok(there) if there + skew >= before && there - skew <= after => None,
        Ok(there) => Some(format!(
            "it has {there} at {after} here: set it by NTP (`timedatectl set-ntp true`), there or here"
        )),
    };
    let mut found = vec![about("ssh", None), about("clock", clock)];
    let files = needed_files(lab, node);
    let command = Observe::readiness(node, entry, &files);
    match lab.shell.observe(node, &command).await.map(|answer| answer.value) {
        Ok(Ok(ready)) => {
            found.extend(examine_readiness(node, &ready));
            (node, found, Some(ready))
        }
        Ok(Err(error)) => {
            found.push(about("commands", Some(error.to_string())));
            (node, found, None)
        }
        Err(error) => {
            found.push(about("commands", Some(error.to_string())));
            (node, found, None)
        }
    }
}

/// The files that a run reads of a node.
fn needed_files(lab: &Lab, node: Node) -> Vec<String> {
    let entry = &lab.manifest.nodes[&node];
    let mut files = vec!["/etc/ssh/ssh_host_ed25519_key.pub".to_owned(), "/etc/passwd".to_owned()];
    if node == Node::RouterdCloud {
        let routerd = &lab.manifest.routerd;
        // Its database comes with its first action.
        files.extend([&routerd.config, &routerd.routerctl].map(Clone::clone));
    }
    files.extend(entry.outage_probe.iter().chain(&entry.path_probe).cloned());
    files
}

fn examine_readiness(node: Node, ready: &NodeReadiness) -> Vec<CheckupFinding> {
    let about = |what: &str, wrong| CheckupFinding::of(format!("{node}: {what}"), wrong);
    let shells = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"];
    let shell = ready.login_shell.rsplit('/').next().unwrap_or_default();
    let posix = ready.login_shell.is_empty() || shells.contains(&shell);
    let shell = (!posix)
        .then(|| format!("{} is no POSIX shell: `sudo chsh -s /bin/sh USER`", ready.login_shell));
    let sudo = (!ready.sudo).then(|| {
        "it asks for a password: `USER ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d/".to_owned()
    });
    let synchronized = (ready.synchronized == "no")
        .then(|| "its clock follows nobody: `sudo timedatectl set-ntp true`".to_owned());
    let list = |names: &[String], what: &str, remedy: &str| {
        (!names.is_empty()).then(|| format!("{what} {}: {remedy}", names.join(", ")))
    };
    let install = "install them with the node's package manager";
    let agents = list(
        &ready.agents,
        "would give the captured address to the router's own system:",
        "`sudo systemctl disable --now UNIT`",
    );
    // Without sudo none of root's is found, and that has been said.
    let root = list(&ready.root_lacks, "root lacks", install).filter(|_| ready.sudo);
    let files = list(&ready.missing_files, "there is no", "correct the manifest, or put it there");
    vec![
        about("login shell", shell),
        about("sudo -n", sudo),
        about("clock follows a server", synchronized),
        about("programs of the user", list(&ready.lacks, "it lacks", install)),
        about("programs of root", root),
        about("files", files.filter(|_| ready.sudo)),
        about("nobody else configures addresses", agents),
    ]
}

/// The interface's name changes with kernels and instance types: its MAC address does not.
fn examine_mac(
    node: Node,
    entry: &NodeEntry,
    ready: &NodeReadiness,
    interfaces: &[NetworkInterface],
) -> Option<CheckupFinding> {
    let id = entry.instance_id.as_deref()?;
    let its = interfaces.iter().filter(|it| it.instance_id.as_deref() == Some(id));
    let owner = its.clone().find(|it| it.has(entry.address));
    let what = format!("{node}: {} has {}", entry.interface, entry.address);
    let wrong = match owner {
        None => Some(format!("no interface of {id} has it by EC2: correct address or instance_id")),
        Some(eni) if eni.mac_address.eq_ignore_ascii_case(&ready.mac) => None,
        Some(eni) => Some(format!(
            "the interface of {} has the MAC {}, and {} there has {:?}: correct interface",
            eni.network_interface_id, eni.mac_address, entry.interface, ready.mac
        )),
    };
    Some(CheckupFinding::of(what, wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a node says of itself, and the finding that turns.
    #[test]
    fn each_defect_is_one_finding_with_a_remedy() {
        let good = || NodeReadiness {
            login_shell: "/bin/bash".to_owned(),
            sudo: true,
            synchronized: "yes".to_owned(),
            ..NodeReadiness::default()
        };
        let some = || vec!["x".to_owned()];
        let table = [
            (good(), None),
            (NodeReadiness { login_shell: "/usr/bin/fish".into(), ..good() }, Some("login shell")),
            (NodeReadiness { sudo: false, root_lacks: some(), ..good() }, Some("sudo -n")),
            (NodeReadiness { synchronized: "no".into(), ..good() }, Some("clock follows a server")),
            (NodeReadiness { lacks: some(), ..good() }, Some("programs of the user")),
            (NodeReadiness { root_lacks: some(), ..good() }, Some("programs of root")),
            (NodeReadiness { missing_files: some(), ..good() }, Some("files")),
            (NodeReadiness { agents: some(), ..good() }, Some("nobody else configures addresses")),
        ];
        for (ready, turned) in table {
            let found = examine_readiness(Node::RouterdCloud, &ready);
            let wrong: Vec<_> = found.iter().filter(|it| it.wrong.is_some()).collect();
            let named: Vec<_> = wrong.iter().map(|it| it.what.as_str()).collect();
            let expected: Vec<String> =
                turned.iter().map(|what| format!("routerd-cloud: {what}")).collect();
            assert_eq!(named, expected, "{ready:?}");
        }
    }
}

//! Things that a run would find on a node, asked before there is a run: programs, files, rights, and who else
//! configures addresses there.

use super::Observe;
use super::observe::{QUICK, words};
use super::readings::Unread;
use crate::manifest::NodeEntry;
use crate::node::{Node, Output};

const SCRIPT: &str = include_str!("readiness.sh");

/// A node's word on itself; lists are of what it lacks, or of what should not be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeReadiness {
    /// The shell that sshd starts; empty where nobody says.
    pub login_shell: String,
    pub sudo: bool,
    /// The node's own word for it: `yes`, `no`, or nothing.
    pub synchronized: String,
    /// The MAC address of the manifest's interface; empty where it has none.
    pub mac: String,
    /// Units and files of programs that would configure a captured address.
    pub agents: Vec<String>,
    pub lacks: Vec<String>,
    pub root_lacks: Vec<String>,
    pub missing_files: Vec<String>,
}

impl Observe<Result<NodeReadiness, Unread>> {
    /// `files` are those that a run reads of this node.
    pub fn readiness(node: Node, entry: &NodeEntry, files: &[String]) -> Self {
        let mut argv = words(&["sh", "-s", &entry.interface]);
        argv.extend(words(users_programs(node)));
        argv.push("--".to_owned());
        argv.extend(words(roots_programs(node)));
        if entry.instance_id.is_some() {
            argv.extend(words(SWITCH_PROGRAMS));
        }
        argv.push("--".to_owned());
        argv.extend_from_slice(files);
        Observe::new(argv, QUICK)
            .with_stdin(SCRIPT.as_bytes().to_vec())
            .read_as(|output| read(&output))
    }
}

/// The programs that a run starts as the user who logs in.
fn users_programs(node: Node) -> &'static [&'static str] {
    match node {
        Node::RouterdCloud | Node::OnpremRouter => {
            &["sh", "sudo", "hostname", "date", "cat", "ip", "ping", "printf"]
        }
        Node::CloudClient | Node::OnpremClient => {
            &["sh", "sudo", "hostname", "date", "cat", "ip", "ping", "printf", "ssh"]
        }
    }
}

/// The programs that it starts as root.
fn roots_programs(node: Node) -> &'static [&'static str] {
    match node {
        Node::RouterdCloud => &[
            "sh",
            "cat",
            "stat",
            "ip",
            "nft",
            "ss",
            "tc",
            "conntrack",
            "tcpdump",
            "timeout",
            "env",
            "sha256sum",
            "grep",
            "mkdir",
            "sync",
            "mv",
            "rm",
            // Who the executor would be, where there is no AWS CLI.
            "curl",
            "systemctl",
        ],
        Node::OnpremRouter => {
            &["sh", "cat", "stat", "ip", "nft", "ss", "tc", "conntrack", "tcpdump", "timeout"]
        }
        Node::CloudClient | Node::OnpremClient => {
            &["sh", "cat", "stat", "ip", "nft", "ss", "tc", "tcpdump", "timeout"]
        }
    }
}

/// What the dead man's switch starts on an instance; by `curl` the instance says which it is.
const SWITCH_PROGRAMS: &[&str] =
    &["systemd-run", "systemctl", "curl", "cut", "expr", "mkdir", "mv"];

fn read(output: &Output) -> Result<NodeReadiness, Unread> {
    if output.code != 0 {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Unread::Ended { code: output.code, said });
    }
    let mut found = NodeReadiness::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = value.trim().to_owned();
        match key {
            "login" => found.login_shell = value,
            "sudo" => found.sudo = value == "yes",
            "synchronized" => found.synchronized = value,
            "mac" => found.mac = value,
            "agent" => found.agents.push(value),
            "lacks" => found.lacks.push(value),
            "root-lacks" => found.root_lacks.push(value),
            "no-file" => found.missing_files.push(value),
            // A login's own greeting.
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_lines_are_read_and_a_greeting_is_not() {
        let text = "Welcome!\nlogin /bin/bash\nsudo yes\nsynchronized no\nmac 0a:00:00:00:00:01\n\
                    agent policy-routes@ens5.service\nlacks ping\nroot-lacks nft\nno-file /etc/x\n";
        let output = Output { code: 0, stdout: text.into(), stderr: vec![] };
        let found = read(&output).expect("it ended well");
        assert_eq!((found.login_shell.as_str(), found.sudo), ("/bin/bash", true));
        assert_eq!((found.synchronized.as_str(), found.mac.as_str()), ("no", "0a:00:00:00:00:01"));
        assert_eq!(found.agents, ["policy-routes@ens5.service"]);
        assert_eq!((found.lacks, found.root_lacks), (vec!["ping".into()], vec!["nft".into()]));
        assert_eq!(found.missing_files, ["/etc/x"]);
        assert!(read(&Output { code: 1, ..Output::default() }).is_err());
    }

    /// A node that is no instance has no switch, and needs nothing for it.
    #[test]
    fn an_instance_is_asked_for_what_its_switch_starts() {
        let manifest = crate::manifest::example_manifest();
        let manifest = crate::manifest::Manifest::parse("the example", manifest).expect("valid");
        for instance in [true, false] {
            let mut entry = manifest.nodes[&Node::CloudClient].clone();
            entry.instance_id = instance.then(|| "i-1".to_owned());
            let shown = Observe::readiness(Node::CloudClient, &entry, &[]).shown().clone();
            for program in ["systemd-run", "systemctl", "curl", "expr"] {
                assert_eq!(shown.contains(&format!(" {program} ")), instance, "{shown}");
            }
        }
    }

    /// By this machine's own shell.
    #[test]
    fn the_script_says_what_is_not_there() {
        let argv = ["-s", "lo", "sh", "no-such-program", "--", "--", "/no/such/file"];
        let mut child = Command::new("sh")
            .args(argv)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        child.stdin.take().expect("piped").write_all(SCRIPT.as_bytes()).expect("it reads");
        let ended = child.wait_with_output().expect("it ends");
        let output = Output { code: 0, stdout: ended.stdout, stderr: vec![] };
        let found = read(&output).expect("read");
        assert_eq!(found.lacks, ["no-such-program"], "{found:?}");
        assert_eq!(found.missing_files, ["/no/such/file"]);
        assert_eq!(found.mac, "00:00:00:00:00:00");
    }
}

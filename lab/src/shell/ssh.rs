//! The nested ssh between the clients: what is run, and what its answer says.

use std::net::{Ipv4Addr, SocketAddrV4};

use reports::digest::Digest;

use crate::node::Output;

/// Where a nested ssh goes.
#[derive(Clone, Debug)]
pub struct SshTarget {
    pub address: Ipv4Addr,
    pub user: String,
    /// A known_hosts file on the client that pins the far side's key.
    pub known_hosts: String,
}

/// Where sshd listens on the clients.
pub const PORT: u16 = 22;

/// On every client: the keys of the other nodes, put there when the lab was made.
pub const KNOWN_HOSTS: &str = "/etc/lab-smoke/known_hosts";

/// `seq 1 20000`: 108 894 bytes, far more than any path MTU.
const PAYLOAD_LINES: u32 = 20_000;

/// The digest of the payload, computed here and not by the node that sends it.
pub fn payload_digest() -> Digest {
    let lines: Vec<_> = (1..=PAYLOAD_LINES).map(|line| format!("{line}\n")).collect();
    Digest::of(lines.concat())
}

const REMOTE_PAYLOAD: &str = "printf 'connection %s\\n' \"$SSH_CONNECTION\"; printf 'hostname '; hostname; printf 'sha256 '; sha256sum";
const REMOTE_TUPLE: &str = "printf 'connection %s\\n' \"$SSH_CONNECTION\"";

/// The key exchange is one of short packets (OpenSSH's own choice sends 1,564 bytes at once), so
/// that a path that swallows long packets lets the login pass and stops the payload: the two say
/// different things.
fn ssh(to: &SshTarget) -> String {
    format!("ssh {} -o ConnectTimeout=5", options(to).join(" "))
}

fn options(to: &SshTarget) -> Vec<String> {
    let known_hosts = format!("UserKnownHostsFile={}", to.known_hosts);
    let values = [
        "BatchMode=yes",
        "ControlMaster=no",
        "ControlPath=none",
        "KexAlgorithms=curve25519-sha256",
        "StrictHostKeyChecking=yes",
        &known_hosts,
        "GlobalKnownHostsFile=/dev/null",
    ];
    let options = values.into_iter().flat_map(|value| ["-o", value]);
    ["-F", "/dev/null"].into_iter().chain(options).map(str::to_owned).collect()
}

/// Asks for a connection and does nothing with it.
pub(super) fn knock_argv(to: &SshTarget) -> Vec<String> {
    let who = format!("{}@{}", to.user, to.address);
    let rest = ["-o", "ConnectTimeout=1", &who, "true"].map(str::to_owned);
    ["ssh".to_owned()].into_iter().chain(options(to)).chain(rest).collect()
}

/// The outcome of a connection that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knocked {
    /// Nobody answered, in ssh's words.
    Silence(String),
    /// Somebody did, whatever came of it.
    Answer(String),
    /// Nobody was asked: the node has no ssh, in its shell's words.
    NoProgram(String),
}

/// A shell's exit code where there is no such program.
const NO_SUCH_PROGRAM: i32 = 127;

impl Knocked {
    /// Reads what came of asking for a connection. A refusal is an answer, and so is whatever ssh
    /// complains of once it is connected.
    pub(super) fn read(output: &Output) -> Self {
        const SILENT: [&str; 4] =
            ["Connection timed out", "No route to host", "Network is unreachable", "Host is down"];
        let stderr = String::from_utf8_lossy(&output.stderr);
        let asked = |line: &&str| line.starts_with("ssh: connect to host ");
        let said = match stderr.lines().map(str::trim).find(asked) {
            Some(line) if SILENT.iter().any(|why| line.ends_with(why)) => {
                return Self::Silence(line.to_owned());
            }
            Some(line) => line.to_owned(),
            None => {
                let last = stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
                let code = output.code;
                last.map_or(format!("ssh ended with exit code {code}"), str::to_owned)
            }
        };
        if output.code == NO_SUCH_PROGRAM { Self::NoProgram(said) } else { Self::Answer(said) }
    }
}

/// Killed, and not asked to end: an ssh whose send buffer never drains waits for it even then. With
/// `-k` it would live on, since `timeout` only waits for the shell, which ends when it is asked.
fn script(script: String) -> Vec<String> {
    let words = ["timeout", "-s", "KILL", "20", "sh", "-c"];
    words.into_iter().map(str::to_owned).chain([script]).collect()
}

pub(super) fn payload_argv(to: &SshTarget) -> Vec<String> {
    script(format!(
        "seq 1 {PAYLOAD_LINES} | {} {}@{} '{}'",
        ssh(to),
        to.user,
        to.address,
        REMOTE_PAYLOAD.replace('\'', "'\\''")
    ))
}

/// `LocalCommand` runs on the near side once the connection stands, so that `ss` shows its four
/// fields while it is alive.
pub(super) fn tuple_argv(to: &SshTarget) -> Vec<String> {
    script(format!(
        "{} -o PermitLocalCommand=yes -o 'LocalCommand=ss -Htn state established dst {} dport = :22' \
         {}@{} '{}'",
        ssh(to),
        to.address,
        to.user,
        to.address,
        REMOTE_TUPLE.replace('\'', "'\\''")
    ))
}

/// The words of the far side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Client and server, as the server sees them.
    pub connection: Option<Flow>,
    pub hostname: Option<String>,
    pub sha256: Option<String>,
    /// The near side's established connections to the far side's port 22.
    pub local_flows: Vec<Flow>,
}

/// The four fields of a TCP connection, from the side that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    pub client: SocketAddrV4,
    pub server: SocketAddrV4,
}

impl std::fmt::Display for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {}", self.client, self.server)
    }
}

/// How a login went: what both ends said, and how ssh ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Empty where there was no login.
    pub greeting: Greeting,
    /// ssh's own exit code.
    pub code: i32,
    /// The words of ssh on stderr.
    pub complaint: String,
}

impl Login {
    pub(super) fn read(output: &Output) -> Self {
        Self {
            greeting: read_greeting(&String::from_utf8_lossy(&output.stdout)),
            code: output.code,
            complaint: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }
}

/// Reads what `payload_argv` and `tuple_argv` print; lines of anything else (a banner) are
/// passed over.
fn read_greeting(stdout: &str) -> Greeting {
    let mut greeting = Greeting::default();
    for line in stdout.lines() {
        if let Some(rest) = line.strip_prefix("connection ") {
            greeting.connection = connection(rest);
        } else if let Some(rest) = line.strip_prefix("hostname ") {
            greeting.hostname = Some(rest.trim().to_owned());
        } else if let Some(rest) = line.strip_prefix("sha256 ") {
            greeting.sha256 = rest.split_whitespace().next().map(str::to_owned);
        } else if let Some(flow) = established(line) {
            greeting.local_flows.push(flow);
        }
    }
    greeting
}

/// `10.88.60.7 46992 10.88.60.9 22`
fn connection(text: &str) -> Option<Flow> {
    let mut fields = text.split_whitespace();
    let mut socket =
        || Some(SocketAddrV4::new(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?));
    Some(Flow { client: socket()?, server: socket()? })
}

/// `0      0          10.88.60.7:46992    10.88.60.9:22`
fn established(line: &str) -> Option<Flow> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [recv, send, local, peer, ..] = fields[..] else { return None };
    recv.parse::<u64>().ok()?;
    send.parse::<u64>().ok()?;
    Some(Flow { client: local.parse().ok()?, server: peer.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_views_of_a_connection_are_read() {
        let text = "Welcome!\n0      0          10.88.60.7:46992    10.88.60.9:22   \n\
                    connection 10.88.60.7 46992 10.88.60.9 22\nhostname onprem-client\n\
                    sha256 ab12  -\n";
        let greeting = read_greeting(text);
        assert_eq!(greeting.local_flows, [greeting.connection.expect("a connection line")]);
        assert_eq!(greeting.hostname.as_deref(), Some("onprem-client"));
        assert_eq!(greeting.sha256.as_deref(), Some("ab12"));
    }

    #[test]
    fn a_connection_with_a_field_missing_is_none() {
        assert_eq!(connection("10.88.60.7 46992 10.88.60.9"), None);
        assert_eq!(connection("fe80::1 1 10.88.60.9 22"), None);
    }

    #[test]
    fn only_silence_is_no_answer() {
        let said = |why: &str| Output {
            code: 255,
            stdout: Vec::new(),
            stderr: format!("{why}\r\n").into_bytes(),
        };
        let to = |why: &str| format!("ssh: connect to host 10.88.60.9 port 22: {why}");
        let table = [
            (to("Connection timed out"), true),
            (to("No route to host"), true),
            (to("Connection refused"), false),
            ("Connection timed out during banner exchange".to_owned(), false),
            ("Host key verification failed.".to_owned(), false),
            (String::new(), false),
        ];
        for (why, silent) in table {
            let given = Knocked::read(&said(&why));
            assert_eq!(matches!(given, Knocked::Silence(_)), silent, "{why}: {given:?}");
        }
        let last = "Host key verification failed.".to_owned();
        assert_eq!(
            Knocked::read(&said("Warning\nHost key verification failed.\n ")),
            Knocked::Answer(last)
        );
        let none = Output { code: 127, ..said("sh: 1: ssh: not found") };
        let why = "sh: 1: ssh: not found".to_owned();
        assert_eq!(Knocked::read(&none), Knocked::NoProgram(why));
    }

    #[test]
    fn a_login_takes_nothing_from_the_nodes_own_configuration() {
        let to = SshTarget {
            address: Ipv4Addr::new(10, 88, 60, 9),
            user: "lab".to_owned(),
            known_hosts: KNOWN_HOSTS.to_owned(),
        };
        let options = "-F /dev/null -o BatchMode=yes -o ControlMaster=no -o ControlPath=none \
            -o KexAlgorithms=curve25519-sha256 -o StrictHostKeyChecking=yes \
            -o UserKnownHostsFile=/etc/lab-smoke/known_hosts -o GlobalKnownHostsFile=/dev/null";
        let knock = format!("ssh {options} -o ConnectTimeout=1 lab@10.88.60.9 true");
        assert_eq!(knock_argv(&to).join(" "), knock);
        let payload = payload_argv(&to).join(" ");
        assert!(payload.contains(&format!("ssh {options} -o ConnectTimeout=5 lab@10.88.60.9 '")));
    }

    #[test]
    fn the_payload_is_what_seq_prints() {
        // seq 1 20000 | sha256sum
        let digest = "f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a";
        assert_eq!(payload_digest().as_str(), digest);
    }
}

//! Commands on nodes over real ssh: one connection to each node, many commands over it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::node::{Node, Output};
use crate::shell::{Heard, Stream, Transport, TransportError};

/// sshd refuses the eleventh session of a connection, and that refusal cannot be told from a
/// command that was killed.
const SESSIONS: usize = 8;
/// Where the harness is killed its connection outlives it for so long.
const IDLE_SECONDS: std::num::NonZeroUsize = std::num::NonZeroUsize::new(60).unwrap();
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How the nodes are reached. Everything else is in ssh's configuration file, which must pin the
/// host keys.
#[derive(Clone, Debug)]
pub struct Access {
    pub config: PathBuf,
    /// For control sockets; at most 60 characters long.
    pub control_folder: PathBuf,
    /// Names of hosts in the configuration.
    pub hosts: BTreeMap<Node, String>,
}

/// Finds a node before a connection to it is made, and writes what it found into ssh's configuration.
pub trait LocateNode {
    /// # Errors
    /// Why it is nowhere to be found.
    fn locate(&self, node: Node) -> LocalBoxFuture<'_, Result<(), String>>;
}

/// A [`Transport`] to the nodes over ssh.
pub struct SshTransport {
    access: Access,
    locator: Option<Rc<dyn LocateNode>>,
    links: BTreeMap<Node, SshLink>,
    calls: Cell<u64>,
}

struct SshLink {
    session: Mutex<Option<Rc<Session>>>,
    sessions: Semaphore,
}

impl SshTransport {
    /// Makes no connection yet: a node's is made with its first command.
    pub fn new(access: Access) -> Self {
        let link = || SshLink { session: Mutex::default(), sessions: Semaphore::new(SESSIONS) };
        let links = access.hosts.keys().map(|node| (*node, link())).collect();
        Self { access, locator: None, links, calls: Cell::new(0) }
    }

    /// One whose nodes are not always at the same place.
    #[must_use]
    pub fn that_looks_by(self, locator: Rc<dyn LocateNode>) -> Self {
        Self { locator: Some(locator), ..self }
    }

    /// A place among the calls under way to the node, its connection, and the call's own mark.
    async fn begin_call(
        &self,
        node: Node,
    ) -> Result<(SemaphorePermit<'_>, Rc<Session>, ExitMark), TransportError> {
        let unreachable =
            |error: &dyn std::fmt::Display| TransportError::Unreachable(error.to_string());
        let link = self
            .links
            .get(&node)
            .ok_or_else(|| unreachable(&format!("ssh's configuration has no host for {node}")))?;
        let permit = link.sessions.acquire().await.map_err(|error| unreachable(&error))?;
        let session = self.session(node, link).await?;
        self.calls.set(self.calls.get() + 1);
        Ok((permit, session, ExitMark::new(self.calls.get())))
    }

    async fn send(
        &self,
        node: Node,
        argv: &[String],
        stdin: &[u8],
    ) -> Result<Output, TransportError> {
        let (_permit, session, mark) = self.begin_call(node).await?;
        let lost = |error: openssh::Error| TransportError::Lost(words(&error));
        let mut child = session
            .raw_command(mark.wrap(argv))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .await
            .map_err(lost)?;
        let input = child.stdin().take();
        let feed = async {
            let Some(mut input) = input else { return };
            // A command that does not read its input is no failure: it may not need it.
            let _ = input.write_all(stdin).await;
        };
        let ((), ended) = futures::join!(feed, child.wait_with_output());
        mark.read(ended.map_err(lost)?)
    }

    async fn hear(
        &self,
        node: Node,
        argv: &[String],
        heard: &Heard,
    ) -> Result<i32, TransportError> {
        let (_permit, session, mark) = self.begin_call(node).await?;
        let lost = |error: openssh::Error| TransportError::Lost(words(&error));
        let mut child = session
            .raw_command(mark.wrap(argv))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .await
            .map_err(lost)?;
        let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
        let (out, err) =
            futures::join!(pump(stdout, Stream::Out, heard), pump(stderr, Stream::Err, heard));
        let status = child.wait().await.map_err(lost)?;
        mark.read(std::process::Output { status, stdout: out, stderr: err }).map(|it| it.code)
    }

    /// The open connection, or a new one where there is none or it has died.
    async fn session(&self, node: Node, link: &SshLink) -> Result<Rc<Session>, TransportError> {
        let mut kept = link.session.lock().await;
        if let Some(session) = kept.as_ref()
            && session.check().await.is_ok()
        {
            return Ok(session.clone());
        }
        *kept = None;
        let session = Rc::new(self.connect(node).await?);
        *kept = Some(session.clone());
        Ok(session)
    }

    async fn connect(&self, node: Node) -> Result<Session, TransportError> {
        if let Some(locator) = &self.locator {
            locator.locate(node).await.map_err(TransportError::Unreachable)?;
        }
        let host = &self.access.hosts[&node];
        SessionBuilder::default()
            .config_file(&self.access.config)
            .control_directory(&self.access.control_folder)
            .control_persist(ControlPersist::IdleFor(IDLE_SECONDS))
            .known_hosts_check(KnownHosts::Strict)
            .connect_timeout(CONNECT_TIMEOUT)
            .connect_mux(host)
            .await
            .map_err(|error| no_connection(words(&error)))
    }
}

impl Transport for SshTransport {
    fn run<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        stdin: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>> {
        Box::pin(self.send(node, argv, stdin))
    }

    fn follow<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        heard: &'a Heard,
    ) -> LocalBoxFuture<'a, Result<i32, TransportError>> {
        Box::pin(self.hear(node, argv, heard))
    }

    fn forget(&self, node: Node) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(link) = self.links.get(&node) {
                *link.session.lock().await = None;
            }
        })
    }
}

/// Tells what comes as it comes; answers all of it.
async fn pump(
    from: Option<impl tokio::io::AsyncRead + Unpin>,
    stream: Stream,
    heard: &Heard,
) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 8192]);
    let Some(mut from) = from else { return all };
    while let Ok(count @ 1..) = from.read(&mut part).await {
        heard.add(stream, &part[..count]);
        all.extend_from_slice(&part[..count]);
    }
    all
}

/// ssh's own words: it has no exit code for them.
fn no_connection(words: String) -> TransportError {
    if words.contains("Host key verification failed") {
        TransportError::OtherHostKey(words)
    } else {
        TransportError::Unreachable(words)
    }
}

/// An error with what caused it, on one line.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// ssh's own exit codes say too little: 255 is a broken connection and a command's own, 127 an
/// error of the crate. So the far shell writes the code behind the command's last words, and where
/// it is missing the command may still be running.
struct ExitMark(String);

impl ExitMark {
    fn new(call: u64) -> Self {
        Self(format!("lab-smoke-exit-{}-{call}=", std::process::id()))
    }

    fn wrap(&self, argv: &[String]) -> String {
        let words: Vec<_> = argv.iter().map(|word| quote_for_shell(word)).collect();
        format!("{}; printf '\\n{}%d\\n' \"$?\" >&2", words.join(" "), self.0)
    }

    fn read(&self, ended: std::process::Output) -> Result<Output, TransportError> {
        let lost = || TransportError::Lost(format!("ssh ended with {}", ended.status));
        let mark = format!("\n{}", self.0);
        let at = position_of_last(&ended.stderr, mark.as_bytes()).ok_or_else(lost)?;
        let code: String = ended.stderr[at + mark.len()..]
            .iter()
            .map(|byte| char::from(*byte))
            .take_while(char::is_ascii_digit)
            .collect();
        let code = code.parse().map_err(|_| lost())?;
        Ok(Output { code, stdout: ended.stdout, stderr: ended.stderr[..at].to_vec() })
    }
}

fn position_of_last(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).rposition(|part| part == what)
}

/// For a POSIX shell: nothing in it means anything.
pub fn quote_for_shell(word: &str) -> String {
    reports::operation::shell_word(word)
}

/// The generated configuration of one lab: it reads no other.
pub struct Host<'a> {
    pub name: &'a str,
    pub user: &'a str,
    /// A shell's command line that speaks ssh with the node.
    pub proxy_command: &'a str,
}

/// The text that `ssh -F` reads.
pub fn make_ssh_config(hosts: &[Host<'_>], key: &Path, known_hosts: &Path) -> String {
    let host = |Host { name, user, proxy_command }: &Host<'_>| {
        format!(
            "Host {name}\n  User {user}\n  HostKeyAlias {name}\n  ProxyCommand {proxy_command}\n"
        )
    };
    let all = format!(
        "Host *\n  IdentityFile \"{}\"\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
         UserKnownHostsFile \"{}\"\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  \
         UpdateHostKeys no\n  BatchMode yes\n  PreferredAuthentications publickey\n  \
         KexAlgorithms curve25519-sha256\n  ServerAliveInterval 15\n",
        key.display(),
        known_hosts.display()
    );
    hosts.iter().map(host).chain([all]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::process::Command;

    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    /// Runs the words as sshd would.
    fn run(words: &[&str]) -> Result<Output, TransportError> {
        let mark = ExitMark::new(7);
        mark.read(Command::new("sh").arg("-c").arg(mark.wrap(&argv(words))).output().unwrap())
    }

    #[test]
    fn every_exit_code_arrives_as_it_was() {
        for code in [0, 1, 42, 126, 127, 254, 255] {
            let output =
                run(&["sh", "-c", &format!("echo out; echo err >&2; exit {code}")]).unwrap();
            let expected = Output { code, stdout: b"out\n".into(), stderr: b"err\n".into() };
            assert_eq!(output, expected);
        }
        assert_eq!(run(&["sh", "-c", "kill -TERM $$"]).unwrap().code, 143);
        assert_eq!(run(&["/no/such/program"]).unwrap().code, 127);
    }

    #[test]
    fn no_word_means_anything_to_the_shell_between() {
        for word in ["", "a b", "$HOME", "`id`", "it's", "*", "\"", "a\\b", "A=B", ";", "a\nb"] {
            let output = run(&["printf", "%s", word]).unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
            assert_eq!(output.code, 0);
        }
    }

    #[test]
    fn without_the_mark_the_command_may_still_run() {
        let killed = Command::new("sh").args(["-c", "echo half >&2; exit 255"]).output().unwrap();
        assert!(matches!(ExitMark::new(7).read(killed), Err(TransportError::Lost(_))));
        let other_call = ExitMark::new(6).wrap(&argv(&["true"]));
        let other = Command::new("sh").arg("-c").arg(other_call).output().unwrap();
        assert!(matches!(ExitMark::new(7).read(other), Err(TransportError::Lost(_))));
    }

    #[test]
    fn the_configuration_pins_host_keys_and_reads_nothing_else() {
        let host = Host { name: "routerd-cloud", user: "lab", proxy_command: "true" };
        let text = make_ssh_config(&[host], Path::new("/k/key"), Path::new("/k/hosts"));
        for line in [
            "HostKeyAlias routerd-cloud",
            "StrictHostKeyChecking yes",
            "UserKnownHostsFile \"/k/hosts\"",
            "GlobalKnownHostsFile /dev/null",
            "IdentitiesOnly yes",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}

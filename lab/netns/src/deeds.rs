//! Carries out on the nodes what a fault does to them, by the kernel's own means: from outside, in
//! the node's namespaces, as somebody would who is none of the run's.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::Connection;
use tokio::process::Command;

use super::keys::Key;
use super::run;
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::faults::{Deed, Means};

/// The hidden subcommand that runs statements of standard input on a database: within the node, so
/// that SQLite's locks and paths are the node's.
pub const SQL_COMMAND: &str = "__netns-sql";
/// This binary, as every node has it.
const PROGRAM: &str = "/run/lab-smoke/program";
const DATABASE: &str = "/var/lib/routerd/routerd.db";
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

/// Whether the process of a node sees what the deed does when this returns; `pids` has a process of each
/// node.
///
/// # Errors
/// Where the node's kernel or a program refuses it, with the refusal's own words.
pub async fn carry_out(deed: &Deed, pids: &[(Node, u32)], clock: Clock) -> io::Result<()> {
    let inside = |wanted| Inside {
        pid: pids.iter().find(|(node, _)| *node == wanted).map_or(0, |(_, pid)| *pid),
    };
    let node = inside(deed.node);
    match &deed.means {
        Means::Nft(ruleset) => node.feed(&["nft", "-f", "-"], ruleset).await,
        Means::IptablesLegacy(words) => {
            let words: Vec<&str> = ["iptables-legacy"].iter().chain(*words).copied().collect();
            node.feed(&words, "").await
        }
        Means::Ip(lines) => node.feed(&["ip", "-batch", "-"], lines).await,
        Means::Cable { to } => {
            let far = inside(*to);
            node.feed(&["ip", "-batch", "-"], &near_end(far.pid)).await?;
            far.feed(&["ip", "-batch", "-"], FAR_END).await
        }
        Means::Bridge(lines) => node.feed(&["bridge", "-batch", "-"], lines).await,
        Means::File { path, contents, mode } => node.put(path, contents, *mode).await,
        Means::Edit { path, from, to } => node.edit(path, from, to).await,
        Means::NoFile { path } => node.script(REMOVE, &[path], "").await,
        Means::Sql(statements) => node.feed(&[PROGRAM, SQL_COMMAND, DATABASE], statements).await,
        Means::Hostname(name) => node.feed(&["hostname", name], "").await,
        Means::OtherHostKey => node.other_host_key(clock).await,
        Means::Freeze => node.freeze(),
        Means::Script(text) => node.script(text, &[], "").await,
        Means::NoProgram(name) => node.script(NO_PROGRAM, &[name], "").await,
    }
}

fn near_end(far_pid: u32) -> String {
    format!(
        "link add bypass type veth peer name bypass netns {far_pid}\n\
         addr add 169.254.121.1/30 dev bypass\nlink set bypass up\n"
    )
}

const FAR_END: &str = "addr add 169.254.121.2/30 dev bypass\nlink set bypass up\n";

/// A file that is bound there is another file of the host: it must never be written through.
const PUT: &str = "umount \"$1\" 2>/dev/null || true; mkdir -p \"$(dirname \"$1\")\"; \
    cat > \"$1.fault\" && chmod \"$2\" \"$1.fault\" && mv -f \"$1.fault\" \"$1\"";
const REMOVE: &str = "umount \"$1\" 2>/dev/null || true; rm -f \"$1\"";
/// A file that nobody may execute lies over it.
const NO_PROGRAM: &str = "mount --bind /dev/null \"$(command -v \"$1\")\"";

/// A node's namespaces, by its first process.
struct Inside {
    pid: u32,
}

impl Inside {
    /// The files are the node's own only for what lies in its mount namespace; the programs are
    /// the same everywhere, but for one that a fault took away: so only those that need the node's
    /// files go there.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid));
        if !matches!(words.first(), Some(&("nft" | "iptables-legacy" | "ip" | "bridge"))) {
            command.arg(format!("--uts=/proc/{}/ns/uts", self.pid));
            command.arg(format!("--mount=/proc/{}/ns/mnt", self.pid));
        }
        command.arg("--").args(words);
        command
    }

    async fn feed(&self, words: &[&str], input: &str) -> io::Result<()> {
        run::run_checked(self.command(words), input).await.map(drop)
    }

    async fn script(&self, script: &str, words: &[&str], input: &str) -> io::Result<()> {
        let all: Vec<&str> = ["sh", "-ec", script, "sh"].iter().chain(words).copied().collect();
        self.feed(&all, input).await
    }

    async fn put(&self, path: &str, contents: &str, mode: u32) -> io::Result<()> {
        self.script(PUT, &[path, &format!("{mode:o}")], contents).await
    }

    async fn edit(&self, path: &str, from: &str, to: &str) -> io::Result<()> {
        let text = run::run_checked(self.command(&["cat", path]), "").await?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let edited = text.replacen(from, to, 1);
        if edited == text {
            return Err(io::Error::other(format!("{path} has no `{from}`")));
        }
        self.put(path, &edited, 0o644).await
    }

    /// sshd reads its keys when it starts, and starts anew when it is hung up on.
    async fn other_host_key(&self, clock: Clock) -> io::Result<()> {
        let key = Key::generate()?;
        self.put(HOST_KEY, &key.private, 0o600).await?;
        self.put(&format!("{HOST_KEY}.pub"), &format!("{} lab\n", key.public), 0o644).await?;
        for pid in children(self.pid) {
            if name(pid).as_deref() == Some("sshd") {
                kill(Pid::from_raw(pid), Signal::SIGHUP)?;
            }
        }
        let shown = async {
            while !self.shows(&key.public).await {
                clock.sleep(LOOK_AGAIN_AFTER).await;
            }
        };
        clock
            .timeout(PATIENCE, shown)
            .await
            .map_err(|_| io::Error::other("sshd does not show its new key"))
    }

    async fn shows(&self, key: &str) -> bool {
        let mut scan = self.command(&["ssh-keyscan", "-t", "ed25519", "127.0.0.1"]);
        let output = scan.stdin(Stdio::null()).output().await;
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(key))
    }

    /// Its sshd and all sessions, then what joins it with the outside.
    fn freeze(&self) -> io::Result<()> {
        let own = i32::try_from(self.pid).map_err(io::Error::other)?;
        let mut all = vec![own];
        let mut next = 0;
        while let Some(pid) = all.get(next).copied() {
            all.extend(children(u32::try_from(pid).map_err(io::Error::other)?));
            next += 1;
        }
        for pid in all.into_iter().rev() {
            kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
        }
        Ok(())
    }
}

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

fn children(pid: u32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn name(pid: i32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim().to_owned())
}

/// The subcommand: the database is made where there is none.
pub fn run_sql(path: &Path) -> io::Result<()> {
    let statements = io::read_to_string(io::stdin())?;
    let fresh = !path.exists();
    sql(path, fresh, &statements).map_err(io::Error::other)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

fn sql(path: &Path, fresh: bool, statements: &str) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    if fresh {
        lab_programs::routerctl::make_tables(&connection)?;
    }
    connection.execute_batch(statements)
}

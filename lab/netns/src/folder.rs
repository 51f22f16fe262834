//! A lab's folder on the host: the sockets and keys with which it is reached, and who holds it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::aws_cli::AwsCli;
use super::outliving::OutlivingVolume;
use lab::node::Node;

/// Private to its owner (0700). Its path is short: a socket's may have about 100 characters, and
/// ssh adds its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// A socket's path may have 107 bytes. Below the folder there are `/c`, the control folder of the
/// `openssh` crate (`/.ssh-connectionXXXXXX/master`) and what ssh itself adds while it binds (a dot
/// and 16 characters).
const LONGEST_PATH: usize = 107 - "/c/.ssh-connectionXXXXXX/master.0123456789abcdef".len();

const LEFT_TO: &str = "run";
/// The ids of all runs that were begun on the lab.
const RUNS: &str = "runs";

/// The description of what the lab is to be, written before it is built.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    pub id: String,
    pub seed: u64,
    pub made_at: DateTime<Utc>,
    /// The lab ends itself then.
    pub ends_at: DateTime<Utc>,
    /// The user's own `routerctl` and executor instead of the stand-ins.
    pub routerctl: Option<PathBuf>,
    pub executor: Option<PathBuf>,
    /// Who may grant a go, in OpenSSH's format.
    pub allowed_signers: String,
    #[serde(default)]
    pub outliving_volume: Option<OutlivingVolume>,
    /// The AWS CLI of the host that the nodes are shown.
    pub aws_cli: Option<AwsCli>,
}

/// Who holds the lab: a process of the host, told apart from a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// In clock ticks since the machine started.
    pub started: u64,
}

/// Where labs are, by default: one folder for each user.
pub fn find_home() -> PathBuf {
    match std::env::var_os("LAB_SMOKE_NETNS_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(format!("/tmp/lab-smoke-{}", nix::unistd::geteuid())),
    }
}

impl Folder {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// # Errors
    /// Where it exists already, or its parent is another user's.
    pub fn create(home: &Path, id: &str) -> io::Result<Self> {
        let private = |recursive| {
            let mut builder = DirBuilder::new();
            builder.mode(0o700).recursive(recursive);
            builder
        };
        let path = home.join(id);
        let length = path.as_os_str().len();
        if length > LONGEST_PATH {
            let words = format!(
                "ssh's control sockets lie below {}, which is {} characters too long for them; \
                 a shorter home goes into LAB_SMOKE_NETNS_HOME",
                path.display(),
                length - LONGEST_PATH
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        private(true).create(home)?;
        let owner = home.metadata()?.uid();
        if owner != nix::unistd::geteuid().as_raw() {
            let words = format!("{} is another user's ({owner})", home.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
        }
        let folder = Self::at(path);
        private(false).create(&folder.path)?;
        let of_nodes = Node::ALL.map(|node| folder.inside_of(node));
        for inner in [folder.inside(), folder.control_folder()].into_iter().chain(of_nodes) {
            private(false).create(inner)?;
        }
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn spec(&self) -> PathBuf {
        self.path.join("spec.json")
    }

    pub fn holder(&self) -> PathBuf {
        self.path.join("holder.json")
    }

    pub fn manifest(&self) -> PathBuf {
        self.path.join("lab.toml")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("supervisor.log")
    }

    pub fn ssh_config(&self) -> PathBuf {
        self.path.join("ssh_config")
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.path.join("known_hosts")
    }

    pub fn operator_key(&self) -> PathBuf {
        self.path.join("operator_key")
    }

    /// For ssh's control sockets.
    pub fn control_folder(&self) -> PathBuf {
        self.path.join("c")
    }

    /// EC2, STS and IAM, as the operator's desk reaches them.
    pub fn ec2_socket(&self) -> PathBuf {
        self.path.join("ec2.sock")
    }

    /// The supervisor's own.
    pub fn supervisor_socket(&self) -> PathBuf {
        self.path.join("supervisor.sock")
    }

    /// A node's sshd.
    pub fn ssh_socket(&self, node: Node) -> PathBuf {
        self.path.join(format!("{node}.sock"))
    }

    /// Leaves the lab to a run: whoever brings that to its end takes the lab down.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub fn leave_to(&self, run_id: &str) -> io::Result<()> {
        write_private(&self.path.join(LEFT_TO), run_id.as_bytes())
    }

    pub fn is_left_to(&self, run_id: &str) -> bool {
        std::fs::read(self.path.join(LEFT_TO)).is_ok_and(|text| text == run_id.as_bytes())
    }

    /// Notes the run that begins on the lab, behind those before it.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub fn note_run(&self, run_id: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(self.path.join(RUNS))?;
        file.write_all(format!("{run_id}\n").as_bytes())
    }

    /// The run that was begun last; none where there was none.
    pub fn last_run(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.path.join(RUNS)).ok()?;
        text.lines().next_back().map(str::to_owned)
    }

    /// The part of the folder that the nodes see.
    pub fn inside(&self) -> PathBuf {
        self.path.join("in")
    }

    /// The part of it that one node sees, and no other does.
    pub fn inside_of(&self, node: Node) -> PathBuf {
        self.inside().join(node.as_str())
    }

    /// # Errors
    /// Where the file cannot be written.
    pub fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> io::Result<()> {
        write_private(path, &serde_json::to_vec_pretty(value)?)
    }

    /// # Errors
    /// Where the file cannot be read, or is not what it should be.
    pub fn read_json<T: for<'a> Deserialize<'a>>(&self, path: &Path) -> io::Result<T> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}

/// For the owner's eyes alone.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

impl Holder {
    /// None where there is no such process.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self { pid, started: started(&stat)? })
    }

    /// A zombie has ended: whoever started it has not looked yet.
    pub fn is_alive(self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        stat.is_ok_and(|stat| started(&stat) == Some(self.started) && state(&stat) != Some("Z"))
    }
}

/// A program's name may hold blanks and brackets, so the fields count from the last bracket.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

fn state(stat: &str) -> Option<&str> {
    fields(stat).next()
}

fn started(stat: &str) -> Option<u64> {
    fields(stat).nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_is_private_and_is_made_once() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "a").unwrap();
        assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(Folder::create(home.path(), "a").is_err());
        assert!(!folder.is_left_to("smoke-1"));
        folder.leave_to("smoke-1").unwrap();
        assert!(folder.is_left_to("smoke-1") && !folder.is_left_to("smoke-2"));
        assert_eq!(folder.last_run(), None);
        for run in ["smoke-1", "smoke-2"] {
            folder.note_run(run).unwrap();
            assert_eq!(folder.last_run().as_deref(), Some(run));
        }
        write_private(&folder.operator_key(), b"secret").unwrap();
        let mode = folder.operator_key().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_folder_that_no_socket_fits_below_is_refused_before_it_is_made() {
        let home = tempfile::tempdir().unwrap();
        let id = |more: usize| "x".repeat(LONGEST_PATH - home.path().as_os_str().len() - 1 + more);
        let refused = Folder::create(home.path(), &id(1)).unwrap_err().to_string();
        assert!(refused.contains("1 characters too long"), "{refused}");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        assert!(Folder::create(home.path(), &id(0)).is_ok());
    }

    #[test]
    fn a_holder_is_alive_while_it_is_the_same_process() {
        let own = Holder::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(!Holder { started: own.started + 1, ..own }.is_alive());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let holder = Holder::of(child.id()).unwrap();
        child.wait().unwrap();
        assert!(!holder.is_alive());
    }

    #[test]
    fn the_fields_of_a_process_count_from_its_names_end() {
        let stat = "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";
        assert_eq!(state(stat), Some("S"));
        assert_eq!(started(stat), Some(4242));
    }
}

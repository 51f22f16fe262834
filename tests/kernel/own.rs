//! The things that are one lab's on this machine, told apart from other labs of the same time, and what the
//! host has by itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lab::clock::Clock;
use lab_netns::Folder;

/// The things that the host itself has; labs that others hold at the same time never show in it.
#[derive(Debug)]
pub struct Host {
    has: Has,
    /// The file that is older than whatever was changed since.
    marker: tempfile::NamedTempFile,
}

#[derive(Debug, PartialEq, Eq)]
struct Has {
    links: BTreeSet<String>,
    mounts: BTreeSet<String>,
    /// The names of network namespaces, as `ip netns` has them.
    names: BTreeSet<String>,
}

impl Has {
    fn now() -> Self {
        let names = |folder: &str| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        Self {
            links: names("/sys/class/net"),
            mounts: mounts.lines().map(str::to_owned).collect(),
            names: names("/run/netns"),
        }
    }
}

impl Host {
    pub fn now() -> Self {
        Self { has: Has::now(), marker: tempfile::NamedTempFile::new().unwrap() }
    }

    /// Whether it has what it had, and no file that a node could show was changed.
    pub fn is_unchanged(&self) -> Result<(), String> {
        let has = Has::now();
        if has != self.has {
            return Err(format!("the host has {has:?}, and had {:?}", self.has));
        }
        let changed = changed_since(self.marker.path());
        if changed.is_empty() { Ok(()) } else { Err(format!("on the host: {changed:#?}")) }
    }
}

/// Folders of the host's root that nodes have something of their own instead of.
const NEVER_SHOWN: [&str; 8] = ["proc", "sys", "dev", "run", "tmp", "home", "root", "lost+found"];
/// The same, further below.
const COVERED: [&str; 5] =
    ["/var/lib", "/var/tmp", "/usr/local/etc", "/usr/local/libexec", "/etc/ssh"];
/// The host's own services write there all the time: only which files there are is looked at.
const BUSY: [&str; 3] = ["/var/log", "/var/cache", "/var/spool"];

/// The folders of the host that nodes show and that are the system's.
pub fn shown() -> Vec<PathBuf> {
    folders_at_the_root().filter(|path| !is_a_users(path)).collect()
}

/// All that nodes show, the system's and a user's.
pub fn folders_at_the_root() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/").unwrap().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let never = |path: &PathBuf| NEVER_SHOWN.iter().any(|name| *path == Path::new("/").join(name));
    folders.map(|entry| entry.path()).filter(move |path| !never(path))
}

/// Whether a folder at the root is a user's: the Filesystem Hierarchy Standard does not name it. Others write
/// there while a test runs (a build, the log of the CI that runs this). Nodes show all of these folders by
/// the same overlay; `a_nodes_files_are_its_own` writes into them and looks for its own names.
pub fn is_a_users(top: &Path) -> bool {
    const SYSTEMS: [&str; 10] =
        ["bin", "boot", "etc", "media", "mnt", "opt", "sbin", "srv", "usr", "var"];
    let name = top.file_name().unwrap_or_default().to_string_lossy();
    !SYSTEMS.contains(&&*name) && !name.starts_with("lib")
}

/// By ctime, which nobody can put back.
fn changed_since(marker: &Path) -> Vec<String> {
    let mut find = Command::new("find");
    find.args(shown()).arg("-xdev");
    for path in COVERED {
        find.args(["-path", path, "-prune", "-o"]);
    }
    find.arg("-newercc").arg(marker);
    for path in BUSY {
        find.args(["(", "-type", "d", "-o", "!", "-path", &format!("{path}/*"), ")"]);
    }
    find.args(["!", "-path", "/var/log/journal*", "-print"]);
    let output = find.output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

pub fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
}

const KINDS: [&str; 5] = ["net", "mnt", "pid", "uts", "user"];

fn namespaces(pid: u32) -> BTreeSet<String> {
    let link = |kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    KINDS.into_iter().filter_map(link).map(|it| it.to_string_lossy().into_owned()).collect()
}

/// The things that are one lab's own.
pub struct Own {
    /// Its folder, which stands in the words of its processes and of those that use it.
    folder: String,
    namespaces: BTreeSet<String>,
}

impl Own {
    /// The things of a lab that lives: everything below the process that holds it.
    pub fn of(folder: &Folder) -> Self {
        let holder = holder(folder);
        let mut tree = BTreeSet::from([holder]);
        // A child's number may be lower than its parent's.
        while let Some(child) = processes().find(|pid| {
            !tree.contains(pid) && parent(*pid).is_some_and(|parent| tree.contains(&parent))
        }) {
            tree.insert(child);
        }
        let host = namespaces(std::process::id());
        let inside = tree.iter().flat_map(|pid| namespaces(*pid));
        let own = Self {
            folder: folder.path().display().to_string(),
            namespaces: inside.filter(|name| !host.contains(name)).collect(),
        };
        // The fabric's and four nodes'.
        let of = |kind: &str| own.namespaces.iter().filter(|it| it.starts_with(kind)).count();
        assert!(of("net:") >= 5 && of("mnt:") >= 5 && of("uts:") >= 4, "{:?}", own.namespaces);
        assert!(of("pid:") >= 1 && of("user:") >= 1, "{:?}", own.namespaces);
        for top in reach(&tree) {
            assert!(shown().contains(&top) || is_a_users(&top), "{} is looked at", top.display());
        }
        // Who holds it, the supervisor, four nodes, and sshd at least on premises.
        assert!(tree.len() >= 8 && own.left().len() >= 8, "{tree:?}");
        own
    }

    /// Processes that are in its namespaces, or are told of its folder.
    fn left(&self) -> Vec<String> {
        let is_its = |pid: &u32| {
            !namespaces(*pid).is_disjoint(&self.namespaces) || told(*pid).contains(&self.folder)
        };
        let own = std::process::id();
        processes()
            .filter(|pid| *pid != own && is_its(pid))
            .map(|pid| format!("{pid} {}", told(pid)))
            .collect()
    }

    /// The kernel takes namespaces apart in its own time.
    pub async fn is_gone(&self) {
        let gone = async {
            while !self.left().is_empty() {
                Clock::System.sleep(Duration::from_millis(10)).await;
            }
        };
        let ended = Clock::System.timeout(Duration::from_secs(30), gone).await;
        assert!(ended.is_ok(), "left: {:#?}", self.left());
    }
}

pub fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A process's words.
pub fn told(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

/// The process that waits for the lab's first.
pub fn holder(folder: &Folder) -> u32 {
    let text = fs::read(folder.path().join("holder.json")).unwrap();
    let holder: serde_json::Value = serde_json::from_slice(&text).unwrap();
    u32::try_from(holder["pid"].as_u64().unwrap()).unwrap()
}

/// Folders at the host's root that a process of a lab's nodes sees files of.
fn reach(tree: &BTreeSet<u32>) -> BTreeSet<PathBuf> {
    let tables =
        tree.iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok());
    let tops = tables.filter(|table| table.contains(" lab-smoke rw,lowerdir="));
    let of_line = |line: &str| {
        let options = line.split(' ').next_back()?;
        let lower = options.split(',').find_map(|option| option.strip_prefix("lowerdir="));
        let linked = line.split(' ').nth(4)?.strip_prefix("/run/host").map(str::to_owned);
        let path =
            lower.and_then(|lower| lower.split(':').next_back().map(str::to_owned)).or(linked)?;
        Some(Path::new("/").join(Path::new(&path).components().nth(1)?))
    };
    tops.flat_map(|table| table.lines().filter_map(of_line).collect::<Vec<_>>()).collect()
}

//! A lab leaves nothing behind, however it ends.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use lab::clock::Clock;
use lab::netns;
use libtest_mimic::Trial;

use crate::support::{block_on, down, home, options, trial, up};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("down_leaves_nothing", down_leaves_nothing),
        trial("a_killed_supervisor_leaves_nothing", a_killed_supervisor_leaves_nothing),
        trial("a_lab_ends_when_its_time_has_passed", a_lab_ends_when_its_time_has_passed),
        trial("labs_do_not_meet", labs_do_not_meet),
    ]
}

/// What the machine has.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    namespaces: BTreeSet<String>,
    links: BTreeSet<String>,
    mounts: BTreeSet<String>,
    /// Of this user's, without those of the trial itself.
    lab_processes: BTreeSet<String>,
}

impl Machine {
    fn now() -> Self {
        let mut namespaces = BTreeSet::new();
        let mut lab_processes = BTreeSet::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            for kind in ["net", "mnt", "pid", "uts", "user"] {
                if let Ok(link) = fs::read_link(format!("/proc/{pid}/ns/{kind}")) {
                    namespaces.insert(link.to_string_lossy().into_owned());
                }
            }
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            if words.contains("__netns-") || words.contains("sshd -D -e") {
                lab_processes.insert(format!("{pid} {words}"));
            }
        }
        let names = |folder: &str| fs::read_dir(folder).unwrap().flatten();
        let links = names("/sys/class/net").map(|e| e.file_name().to_string_lossy().into_owned());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        Self {
            namespaces,
            links: links.collect(),
            mounts: mounts.lines().map(str::to_owned).collect(),
            lab_processes,
        }
    }

    /// What is here and was not there; other programs of the machine may come and go.
    fn more_than(&self, before: &Self) -> Vec<String> {
        let sets = |machine: &Self| {
            [&machine.links, &machine.mounts, &machine.lab_processes]
                .into_iter()
                .flatten()
                .cloned()
                .collect::<BTreeSet<String>>()
        };
        sets(self).difference(&sets(before)).cloned().collect()
    }
}

/// The kernel takes namespaces apart in its own time.
async fn nothing_more_than(before: &Machine, of_lab: &BTreeSet<String>) {
    let gone = async {
        loop {
            let now = Machine::now();
            if now.more_than(before).is_empty() && now.namespaces.is_disjoint(of_lab) {
                return;
            }
            Clock::System.sleep(Duration::from_millis(10)).await;
        }
    };
    if Clock::System.timeout(Duration::from_secs(5), gone).await.is_err() {
        let now = Machine::now();
        let left: Vec<_> = now.namespaces.intersection(of_lab).collect();
        panic!("left: {:#?} {left:?}", now.more_than(before));
    }
}

/// The namespaces that came with a lab: its own, four nodes', at least.
fn made(before: &Machine, during: &Machine) -> BTreeSet<String> {
    let made: BTreeSet<_> = during.namespaces.difference(&before.namespaces).cloned().collect();
    let of = |kind: &str| made.iter().filter(|name| name.starts_with(kind)).count();
    assert!(of("net:") >= 5 && of("mnt:") >= 5 && of("uts:") >= 4, "{made:?}");
    assert!(of("pid:") >= 1 && of("user:") >= 1, "{made:?}");
    assert!(during.lab_processes.difference(&before.lab_processes).count() >= 10, "{during:?}");
    made
}

fn down_leaves_nothing() {
    let home = home();
    let before = Machine::now();
    block_on(async {
        let folder = up(home.path());
        let during = Machine::now();
        assert_eq!(during.links, before.links, "no link on the host");
        assert_eq!(during.mounts, before.mounts, "no mount on the host");
        let made = made(&before, &during);
        down(&folder).await;
        nothing_more_than(&before, &made).await;
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "no folder");
        // Again is as good.
        down(&folder).await;
    });
}

fn a_killed_supervisor_leaves_nothing() {
    for victim in ["the one that waits", "the first inside"] {
        let home = home();
        let before = Machine::now();
        block_on(async {
            let folder = up(home.path());
            let made = made(&before, &Machine::now());
            let holder: serde_json::Value =
                serde_json::from_slice(&fs::read(folder.path().join("holder.json")).unwrap())
                    .unwrap();
            let outer = holder["pid"].to_string();
            let inner = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
            let pid = if victim == "the one that waits" { outer } else { inner.trim().to_owned() };
            let killed = std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
            assert!(killed.success(), "{victim}");
            nothing_more_than(&before, &made).await;
            assert!(netns::list(home.path()).unwrap().is_empty(), "{victim}");
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "{victim}: swept");
        });
    }
}

fn a_lab_ends_when_its_time_has_passed() {
    let home = home();
    let before = Machine::now();
    block_on(async {
        let options =
            netns::Options { time_to_live: Duration::from_millis(1500), ..options(home.path()) };
        netns::up(&options, Clock::System).unwrap_or_else(|error| panic!("{error}"));
        nothing_more_than(&before, &BTreeSet::new()).await;
        assert!(netns::list(home.path()).unwrap().is_empty());
    });
}

fn labs_do_not_meet() {
    let home = home();
    block_on(async {
        let (one, other) = (up(home.path()), up(home.path()));
        assert_eq!(netns::list(home.path()).unwrap().len(), 2);
        assert!(netns::find(home.path(), None).unwrap_err().to_string().contains("several labs"));
        let mut opened = Vec::new();
        for folder in [&one, &other] {
            opened.push(netns::open(folder.clone(), Clock::System).unwrap());
        }
        let keys: BTreeSet<_> = opened
            .iter()
            .map(|lab| lab.lab.manifest.nodes[&lab::node::Node::CloudClient].host_key.clone())
            .collect();
        assert_eq!(keys.len(), 2, "each has keys of its own");
        // One lab's way in is the other's stranger.
        let config = fs::read_to_string(one.path().join("ssh_config")).unwrap();
        let mixed = config.replace(
            &one.path().join("cloud-client.sock").display().to_string(),
            &other.path().join("cloud-client.sock").display().to_string(),
        );
        let file = home.path().join("mixed");
        fs::write(&file, mixed).unwrap();
        let output = std::process::Command::new("ssh")
            .arg("-F")
            .arg(&file)
            .args(["cloud-client", "true"])
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains("Host key verification failed"), "{words}");
        fs::remove_file(file).unwrap();
        down(&one).await;
        let alive = crate::support::run(&opened[1], lab::node::Node::CloudClient, "hostname").await;
        assert_eq!(crate::support::text(&alive), "cloud-client");
        opened.clear();
        down(&other).await;
    });
}

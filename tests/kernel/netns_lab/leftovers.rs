//! A lab leaves nothing behind, however it ends.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use lab::clock::Clock;
use libtest_mimic::Trial;

use super::support::{block_on, captured, down, home, options, trial, up};
use crate::own::{Host, Own, holder, parent, processes};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("down_leaves_nothing", down_leaves_nothing),
        trial("a_killed_supervisor_leaves_nothing", a_killed_supervisor_leaves_nothing),
        trial("a_lab_ends_when_its_time_has_passed", a_lab_ends_when_its_time_has_passed),
        trial("labs_do_not_meet", labs_do_not_meet),
    ]
}

fn down_leaves_nothing() {
    let home = home();
    let before = Host::now();
    block_on(async {
        let folder = up(home.path());
        let own = Own::of(&folder);
        assert_eq!(before.is_unchanged(), Ok(()), "nothing of it is on the host");
        down(&folder).await;
        own.is_gone().await;
        assert_eq!(before.is_unchanged(), Ok(()));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "no folder");
        // Again is as good.
        down(&folder).await;
    });
}

fn a_killed_supervisor_leaves_nothing() {
    for victim in ["the one that waits", "the first inside"] {
        let home = home();
        let before = Host::now();
        block_on(async {
            let folder = up(home.path());
            let own = Own::of(&folder);
            let outer = holder(&folder);
            let inner = processes().find(|pid| parent(*pid) == Some(outer)).unwrap();
            let pid = if victim == "the one that waits" { outer } else { inner };
            let mut kill = std::process::Command::new("kill");
            assert!(kill.args(["-9", &pid.to_string()]).status().unwrap().success(), "{victim}");
            own.is_gone().await;
            assert_eq!(before.is_unchanged(), Ok(()), "{victim}");
            assert!(lab_netns::list_labs(home.path()).unwrap().is_empty(), "{victim}");
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "{victim}: swept");
        });
    }
}

fn a_lab_ends_when_its_time_has_passed() {
    let home = home();
    block_on(async {
        // Its time begins before it is built, which may take long on a busy machine.
        let building = Clock::System.stopwatch();
        down(&up(home.path())).await;
        let time_to_live = building.elapsed() * 4 + Duration::from_secs(2);
        let options = lab_netns::KernelLabOptions { time_to_live, ..options(home.path()) };
        let folder =
            lab_netns::bring_up(&options, Clock::System).unwrap_or_else(|error| panic!("{error}"));
        let own = Own::of(&folder);
        own.is_gone().await;
        assert!(lab_netns::list_labs(home.path()).unwrap().is_empty());
    });
}

fn labs_do_not_meet() {
    let home = home();
    block_on(async {
        let (one, other) = (up(home.path()), up(home.path()));
        assert_eq!(lab_netns::list_labs(home.path()).unwrap().len(), 2);
        assert!(
            lab_netns::find_lab(home.path(), None)
                .unwrap_err()
                .to_string()
                .contains("several labs")
        );
        let mut opened = Vec::new();
        for folder in [&one, &other] {
            opened.push(lab_netns::open_kernel_lab(folder.clone(), Clock::System).unwrap());
        }
        let keys: BTreeSet<_> = opened
            .iter()
            .map(|lab| lab.lab.manifest.nodes[&lab::node::Node::CloudClient].host_key.clone())
            .collect();
        assert_eq!(keys.len(), 2, "each has keys of its own");
        // What is done to one is not done to the other, neither in its world nor in its kernel.
        captured(&opened[0]).await;
        let world = lab_netns::read_world(&other).await.unwrap();
        assert_eq!(world.cloud.owner_of([10, 88, 60, 9].into()).map(|eni| &eni.id), None);
        for (lab, answers) in opened.iter().zip([true, false]) {
            let ping = format!("ping -n -c 1 -W {} 10.88.60.9", if answers { 10 } else { 1 });
            let code = super::support::run(lab, lab::node::Node::CloudClient, &ping).await.code;
            assert_eq!(code == 0, answers, "{}", lab.folder.path().display());
        }
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
        let alive = super::support::run(&opened[1], lab::node::Node::CloudClient, "hostname").await;
        assert_eq!(super::support::text(&alive), "cloud-client");
        opened.clear();
        down(&other).await;
    });
}

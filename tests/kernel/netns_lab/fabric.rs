//! The fabric's ruleset in the kernel: it follows the world in one transaction, and leaves alone
//! what is not its own.

use lab_netns::Netns;
use libtest_mimic::Trial;

use super::support::{captured, on_a_lab, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("the_fabric_follows_in_one_transaction", in_one_transaction),
        trial("the_fabric_leaves_the_tables_of_others_alone", leaves_others_alone),
    ]
}

/// In the fabric's namespaces, which are the supervisor's, with the host's files: no node may enter
/// them.
async fn in_the_fabric(opened: &Netns, script: &str) -> String {
    let holder = std::fs::read_to_string(opened.folder.holder()).unwrap();
    let holder: serde_json::Value = serde_json::from_str(&holder).unwrap();
    let pid = holder["pid"].to_string();
    let mut command = tokio::process::Command::new("nsenter");
    command.args(["--target", &pid, "--net"]);
    // The host's root may enter as he is; whoever made the lab is root in its own user namespace.
    if !nix::unistd::geteuid().is_root() {
        command.arg("--user");
    }
    let output = command.args(["sh", "-c", script, "sh"]).arg(opened.folder.path()).output().await;
    let output = output.unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The monitor says nothing when it begins to listen: so something is changed until it has heard it.
const LISTEN: &str = "setsid nft monitor >$1/heard 2>&1 </dev/null & echo $! >$1/monitor; \
    until grep -q 'delete table ip begin' $1/heard; do nft add table ip begin; nft delete table ip begin; done";
const HEARD: &str = "nft add table ip end; until grep -q 'add table ip end' $1/heard; do :; done; \
    kill $(cat $1/monitor); cat $1/heard";

fn in_one_transaction() {
    on_a_lab(async |opened| {
        in_the_fabric(opened, LISTEN).await;
        captured(opened).await;
        let heard = in_the_fabric(opened, HEARD).await;
        let (_, heard) = heard.rsplit_once("delete table ip begin").unwrap();
        let (changes, _) = heard.split_once("add table ip end").unwrap();
        for family in ["arp", "inet"] {
            let owner = format!("add element {family} vpc owner {{ 10.88.60.9 : ");
            assert!(changes.contains(&owner), "{owner}: {changes}");
        }
        assert!(changes.contains("add rule inet vpc deliver "), "{changes}");
        // The one that took `begin` away, and the fabric's.
        assert_eq!(changes.matches("new generation").count(), 2, "{changes}");
    });
}

const OTHERS: &str = "\
table ip somebodys { counter c { }; chain f { type filter hook forward priority 5; ip daddr 192.0.2.1 counter name c drop; }; }
table inet vpc_of_somebody { set own { type ipv4_addr; elements = { 192.0.2.7 }; }; chain pre { }; }
table arp somebodys { chain in { type filter hook input priority 5; counter; }; }";

fn leaves_others_alone() {
    on_a_lab(async |opened| {
        in_the_fabric(opened, &format!("nft '{OTHERS}'")).await;
        let others = "nft list table ip somebodys; nft list table inet vpc_of_somebody; \
            nft list table arp somebodys | grep -v counter; nft list tables";
        let before = in_the_fabric(opened, others).await;
        assert!(before.contains("192.0.2.7") && before.contains("table inet vpc\n"), "{before}");
        let start = lab_netns::read_world(&opened.folder).await.unwrap();
        captured(opened).await;
        let (from, to) = ([10, 88, 60, 7].into(), [10, 88, 60, 4].into());
        lab_netns::explain_packet(&opened.folder, from, to).await.unwrap();
        lab_netns::write_world(&opened.folder, &start).await.unwrap();
        assert_eq!(in_the_fabric(opened, others).await, before);
    });
}

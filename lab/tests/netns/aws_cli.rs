//! The AWS CLI in routerd-cloud's network: its default chain finds the instance's identity, which
//! may do the four actions and nothing else. `LAB_SMOKE_AWS_CLI` names it; without one the trial is
//! ignored, and fails where `LAB_SMOKE_REQUIRE_FOREIGN=1`.

use std::fs;
use std::process::{Command, Output, Stdio};

use lab::netns::{self, Netns};
use lab::node::Node;
use libtest_mimic::{Completion, Failed, Trial};

use crate::support::{on_a_lab, run, trial};

pub fn trials() -> Vec<Trial> {
    let name = "the_cli_has_the_instances_identity_and_four_actions";
    let found = Command::new(program()).arg("--version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return vec![trial(name, the_cli_has_the_instances_identity_and_four_actions)];
    }
    vec![Trial::ignorable_test(name, || {
        let reason = format!("no AWS CLI: `{}`; pip install awscli", program());
        if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") {
            return Err(Failed::from(reason));
        }
        Ok(Completion::ignored_with(reason))
    })]
}

fn program() -> String {
    std::env::var("LAB_SMOKE_AWS_CLI").unwrap_or_else(|_| "aws".to_owned())
}

/// The first process of routerd-cloud, by the host's numbers.
fn router_pid(opened: &Netns) -> String {
    let path = opened.folder.path().display().to_string();
    let wanted = ["__netns-node", path.as_str(), "routerd-cloud"];
    let is_it = |pid: &str| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        let words: Vec<_> = words.trim_end_matches('\0').split('\0').collect();
        words.ends_with(&wanted)
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    pids.find(|pid| is_it(pid)).expect("the node runs")
}

/// With the host's files, for that is where the CLI is, and the node's network.
fn aws(pid: &str, line: &str) -> Output {
    let endpoint = "http://127.0.0.1:8773";
    Command::new("nsenter")
        .args(["--target", pid, "--user", "--preserve-credentials", "--net", "--"])
        .arg(program())
        .args(line.split_whitespace())
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| name == "PATH" || name == "LANG"))
        .env("AWS_REGION", "ap-northeast-1")
        .env("AWS_DEFAULT_REGION", "ap-northeast-1")
        .env("AWS_ENDPOINT_URL_EC2", endpoint)
        .env("AWS_ENDPOINT_URL_STS", endpoint)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_PAGER", "")
        .env("AWS_MAX_ATTEMPTS", "1")
        .output()
        .unwrap()
}

fn the_cli_has_the_instances_identity_and_four_actions() {
    on_a_lab(async |opened| {
        let pid = router_pid(opened);
        // The supervisor answers from another process, so that waiting here holds nobody up.
        let said = |line: &str| {
            let output = aws(&pid, line);
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        };
        let (ok, identity) = said("sts get-caller-identity");
        assert!(ok && identity.contains("assumed-role/lab-smoke-executor/i-"), "{identity}");

        let eni = &opened.lab.manifest.capture.network_interface_id;
        let assign = format!(
            "ec2 assign-private-ip-addresses --network-interface-id {eni} --private-ip-addresses 10.88.60.9"
        );
        let unassign = assign.replace("assign-private", "unassign-private");
        let check = |flag: &str| {
            format!("ec2 modify-network-interface-attribute --network-interface-id {eni} {flag}")
        };
        let allowed = [
            format!("ec2 describe-network-interfaces --network-interface-ids {eni}"),
            assign,
            check("--no-source-dest-check"),
        ];
        for line in &allowed {
            let (ok, text) = said(line);
            assert!(ok, "{line}: {text}");
        }
        let canary = run(opened, Node::CloudClient, "ping -n -c 1 -W 1 -t 2 10.88.60.9").await;
        let canary = String::from_utf8_lossy(&canary.stdout).into_owned();
        assert!(canary.contains("Time to live exceeded"), "the kernel has followed: {canary}");
        for line in [&unassign, &check("--source-dest-check")] {
            let (ok, text) = said(line);
            assert!(ok, "{line}: {text}");
        }
        for line in ["ec2 describe-instances", "ec2 describe-vpcs", "ec2 describe-volumes"] {
            let (ok, text) = said(line);
            let refused = "You are not authorized to perform this operation";
            assert!(
                !ok && text.contains("UnauthorizedOperation") && text.contains(refused),
                "{text}"
            );
        }
        let world = netns::read_world(&opened.folder).await.unwrap();
        let eni = &world.cloud.network_interfaces[eni];
        assert!(eni.source_dest_check && eni.private_addresses.len() == 1, "{eni:?}");
    });
}

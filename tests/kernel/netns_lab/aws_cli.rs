//! The AWS CLI on routerd-cloud, as `lab exec` runs it: with nothing but the region and the
//! endpoints its default chain finds the instance's identity, which may do the four actions and
//! nothing else. Without a CLI the trials are ignored with the reason, and fail where
//! `LAB_SMOKE_REQUIRE_FOREIGN=1`.

use std::process::{Command, Stdio};

use lab::node::{Node, Output};
use lab_netns::Netns;
use libtest_mimic::{Completion, Failed, Trial};

use super::support::{on_a_lab, run, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        cli_trial(
            "the_cli_has_the_instances_identity_and_four_actions",
            the_cli_has_the_instances_identity_and_four_actions,
        ),
        cli_trial("only_the_right_secret_is_believed", only_the_right_secret_is_believed),
    ]
}

/// A trial that needs the CLI on this machine.
pub fn cli_trial(name: &str, body: fn()) -> Trial {
    let found = Command::new("aws").arg("--version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return trial(name, body);
    }
    Trial::ignorable_test(name, || {
        let reason = "no AWS CLI: pip install awscli";
        if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") {
            return Err(Failed::from(reason));
        }
        Ok(Completion::ignored_with(reason))
    })
}

/// The region, the endpoints, and nothing else unless it is said.
pub async fn aws(opened: &Netns, more: &[(&str, &str)], line: &str) -> (bool, String) {
    let usual = [
        ("AWS_REGION", "ap-northeast-1"),
        ("AWS_DEFAULT_REGION", "ap-northeast-1"),
        ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:8773"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:8773"),
    ];
    let environment = usual.iter().chain(more).map(|(name, value)| format!("{name}={value}"));
    let argv: Vec<String> = std::iter::once("env".to_owned())
        .chain(environment)
        .chain(std::iter::once("aws".to_owned()))
        .chain(line.split_whitespace().map(str::to_owned))
        .collect();
    let Output { code, stdout, stderr } =
        opened.transport.run(Node::RouterdCloud, &argv, b"").await.unwrap();
    (code == 0, String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn the_cli_has_the_instances_identity_and_four_actions() {
    on_a_lab(async |opened| {
        let (ok, identity) = aws(opened, &[], "sts get-caller-identity").await;
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
            assign.clone(),
            check("--no-source-dest-check"),
            check("--source-dest-check"),
            unassign,
        ];
        for line in allowed {
            let (ok, text) = aws(opened, &[], &line).await;
            assert!(ok, "{line}: {text}");
            if line.contains("--no-source-dest-check") {
                let canary =
                    run(opened, Node::CloudClient, "ping -n -c 1 -W 1 -t 2 10.88.60.9").await;
                let canary = String::from_utf8_lossy(&canary.stdout).into_owned();
                assert!(
                    canary.contains("Time to live exceeded"),
                    "the kernel has followed: {canary}"
                );
            }
        }
        // Another's interface, and every other action.
        let world = lab_netns::read_world(&opened.folder).await.unwrap();
        let other = world.cloud.network_interfaces.keys().find(|id| *id != eni).unwrap();
        let refused = [
            assign.replace(eni.as_str(), other),
            "ec2 describe-instances".to_owned(),
            "ec2 describe-vpcs".to_owned(),
            "ec2 describe-volumes".to_owned(),
            format!("ec2 create-tags --resources {eni} --tags Key=a,Value=b"),
            format!("ec2 delete-network-interface --network-interface-id {eni}"),
        ];
        for line in refused {
            let (ok, text) = aws(opened, &[], &line).await;
            let words = "You are not authorized to perform this operation";
            assert!(!ok && text.contains("(UnauthorizedOperation)"), "{line}: {text}");
            assert!(text.contains(words), "{line}: {text}");
        }
        let world = lab_netns::read_world(&opened.folder).await.unwrap();
        let eni = &world.cloud.network_interfaces[eni];
        assert!(eni.source_dest_check && eni.private_addresses.len() == 1, "{eni:?}");
    });
}

fn only_the_right_secret_is_believed() {
    on_a_lab(async |opened| {
        let world = lab_netns::read_world(&opened.folder).await.unwrap();
        let key = world.cloud.operator.access_key_id.as_str();
        for (secret, code) in [
            (world.cloud.operator.secret_access_key.as_str(), None),
            ("of/somebody/else", Some("SignatureDoesNotMatch")),
        ] {
            let keys = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)];
            let (ok, text) = aws(opened, &keys, "sts get-caller-identity").await;
            assert_eq!(ok, code.is_none(), "{text}");
            assert!(text.contains(code.unwrap_or("user/lab-operator")), "{text}");
            let (ok, text) = aws(opened, &keys, "ec2 describe-vpcs").await;
            assert_eq!(ok, code.is_none(), "{text}");
            assert!(ok || text.contains("(AuthFailure)"), "EC2 does not say what is wrong: {text}");
        }
        let strangers =
            [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "x")];
        let (ok, text) = aws(opened, &strangers, "ec2 describe-vpcs").await;
        assert!(!ok && text.contains("(AuthFailure)"), "{text}");
    });
}

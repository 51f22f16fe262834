//! The AWS CLI against the mock's endpoint over HTTP: the runbook's own commands (§4, §2, §6).
//! Needs the CLI (`pip install awscli`), named by `LAB_SMOKE_AWS_CLI` or found as `aws`; without it
//! the trials are ignored with the reason, and fail where `LAB_SMOKE_REQUIRE_FOREIGN=1`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Stdio};

use lab::clock::Clock;
use lab_mock::cloud::Cloud;
use lab_mock::faults::{ApiEffect, ApiFault, CallerKind, Faults};
use lab_mock::machines::Machines;
use lab_mock::serve::{Serving, serve_api};
use lab_mock::world::{Shared, World};
use libtest_mimic::{Completion, Failed, Trial};
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("read_only_preflight", |cli| Box::pin(read_only_preflight(cli))),
        trial("the_role_is_read", |cli| Box::pin(the_role_is_read(cli))),
        trial("mutations_and_their_undo", |cli| Box::pin(mutations_and_their_undo(cli))),
        trial("a_lost_reply_is_no_answer", |cli| Box::pin(a_lost_reply_is_no_answer(cli))),
        trial("teardown", |cli| Box::pin(teardown(cli))),
    ]
}

type Scenario = for<'a> fn(&'a Cli) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

fn trial(name: &str, scenario: Scenario) -> Trial {
    Trial::ignorable_test(format!("aws_cli::{name}"), move || {
        if let Err(reason) = find_cli() {
            return if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") {
                Err(Failed::from(reason))
            } else {
                Ok(Completion::ignored_with(reason))
            };
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let cli = Cli::start().await;
            scenario(&cli).await;
            cli.serving.stop(std::future::ready(())).await
        })?;
        Ok(Completion::Completed)
    })
}

fn program() -> String {
    std::env::var("LAB_SMOKE_AWS_CLI").unwrap_or_else(|_| "aws".to_owned())
}

fn find_cli() -> Result<(), String> {
    let found = Command::new(program()).arg("--version").stdout(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{} --version` ended with {status}", program())),
        Err(error) => Err(format!("no AWS CLI: `{}`: {error}; pip install awscli", program())),
    }
}

/// The CLI with the environment that the endpoint exports, and nothing else of ours.
struct Cli {
    serving: Serving,
    shared: Shared,
    exports: Vec<(String, String)>,
}

impl Cli {
    async fn start() -> Self {
        let clock = Clock::System;
        let now = clock.now();
        let shared = Shared::new(World {
            seed: 7,
            now,
            cloud: Cloud::example(7, now, true),
            machines: Machines::default(),
            faults: Faults::default(),
            at_first_end: None,
        });
        let serving = serve_api(shared.clone(), clock, 0).await.unwrap();
        let exports = serving.exports(&shared.lock().cloud);
        Self { serving, shared, exports }
    }

    fn id(&self, name: &str) -> &str {
        let found = self.exports.iter().find(|(exported, _)| exported == name);
        &found.unwrap_or_else(|| panic!("{name} is not exported: {:?}", self.exports)).1
    }

    /// `$NAME` in the line is an id; the answer is JSON or, for changes, nothing.
    async fn run(&self, line: &str) -> Result<Value, String> {
        let words = line.split_whitespace().map(|word| self.filled(word));
        let output = tokio::process::Command::new(program())
            .args(words)
            .args(["--output", "json"])
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| name == "PATH" || name == "LANG"))
            .envs(self.exports.iter().filter(|(name, _)| name.starts_with("AWS_")).cloned())
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "")
            .env("AWS_MAX_ATTEMPTS", "1")
            .output()
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if !output.status.success() {
            return Err(text(&output.stderr));
        }
        let stdout = text(&output.stdout);
        if stdout.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("{line}: {error}: {stdout}")))
    }

    fn filled(&self, word: &str) -> String {
        match word.split_once('$') {
            Some((before, name)) => format!("{before}{}", self.id(name)),
            None => word.to_owned(),
        }
    }

    async fn answer(&self, line: &str) -> Value {
        self.run(line).await.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    async fn refusal(&self, line: &str) -> String {
        match self.run(line).await {
            Err(stderr) => stderr,
            Ok(answer) => panic!("{line} was not refused: {answer}"),
        }
    }
}

/// §4, its four commands as they stand.
async fn read_only_preflight(cli: &Cli) {
    let before = cli.shared.lock().cloud.clone();
    let eni = cli
        .answer(
            "ec2 describe-network-interfaces --network-interface-ids $ENI_ID --query NetworkInterfaces[0].{Eni:NetworkInterfaceId,SrcDstCheck:SourceDestCheck,PrivateIps:PrivateIpAddresses[*].PrivateIpAddress}",
        )
        .await;
    let expected =
        json!({ "Eni": cli.id("ENI_ID"), "SrcDstCheck": true, "PrivateIps": ["10.88.60.4"] });
    assert_eq!(eni, expected);
    let instances = cli
        .answer("ec2 describe-instances --filters Name=network-interface.network-interface-id,Values=$ENI_ID")
        .await;
    let instance = &instances["Reservations"][0]["Instances"][0];
    assert_eq!(instance["InstanceId"], cli.id("ROUTERD_CLOUD_INSTANCE_ID"));
    assert_eq!(instance["State"], json!({ "Code": 16, "Name": "running" }));
    let subnets = cli.answer("ec2 describe-subnets --subnet-ids $SUBNET_ID").await;
    assert_eq!(subnets["Subnets"][0]["CidrBlock"], "10.88.60.0/24");
    let explicit = cli
        .answer("ec2 describe-route-tables --filters Name=association.subnet-id,Values=$SUBNET_ID")
        .await;
    assert_eq!(explicit, json!({ "RouteTables": [] }), "the main table is implicit");
    let main = cli
        .answer("ec2 describe-route-tables --filters Name=vpc-id,Values=$VPC_ID Name=association.main,Values=true")
        .await;
    assert_eq!(main["RouteTables"][0]["Routes"][1]["DestinationCidrBlock"], "0.0.0.0/0");
    let unknown = cli.refusal("ec2 describe-vpcs --filters Name=colour,Values=blue").await;
    assert!(unknown.contains("(InvalidParameterValue)"), "{unknown}");
    assert!(unknown.contains("The filter 'colour' is invalid"), "{unknown}");
    assert_eq!(cli.shared.lock().cloud, before);
}

/// §4, the first confirmation.
async fn the_role_is_read(cli: &Cli) {
    let identity = cli.answer("sts get-caller-identity").await;
    assert_eq!(identity["Account"], "123456789012");
    let names = cli.answer("iam list-role-policies --role-name $ROLE_NAME").await;
    assert_eq!(names["PolicyNames"], json!(["lab-smoke-executor"]));
    let policy = cli
        .answer("iam get-role-policy --role-name $ROLE_NAME --policy-name lab-smoke-executor")
        .await;
    let statements = &policy["PolicyDocument"]["Statement"];
    assert_eq!(statements[0]["Action"], "ec2:DescribeNetworkInterfaces");
    let attached = cli.answer("iam list-attached-role-policies --role-name $ROLE_NAME").await;
    assert_eq!(attached["AttachedPolicies"], json!([]));
    let none = cli.refusal("iam get-role --role-name none").await;
    assert!(none.contains("(NoSuchEntity)"), "{none}");
}

/// §2's mutations, and §6's undo, in their words.
async fn mutations_and_their_undo(cli: &Cli) {
    let before = cli.shared.lock().cloud.network_interfaces.clone();
    let assign = "ec2 assign-private-ip-addresses --network-interface-id $ENI_ID --private-ip-addresses 10.88.60.9";
    let unassign = "ec2 unassign-private-ip-addresses --network-interface-id $ENI_ID --private-ip-addresses 10.88.60.9";
    let check = "ec2 describe-network-interfaces --network-interface-ids $ENI_ID --query NetworkInterfaces[0].SourceDestCheck";
    cli.answer(assign).await;
    cli.answer("ec2 modify-network-interface-attribute --network-interface-id $ENI_ID --no-source-dest-check").await;
    assert_eq!(cli.answer(check).await, json!(false));
    let addresses = "ec2 describe-network-interfaces --network-interface-ids $ENI_ID --query NetworkInterfaces[0].PrivateIpAddresses[*].[PrivateIpAddress,Primary]";
    assert_eq!(cli.answer(addresses).await, json!([["10.88.60.4", true], ["10.88.60.9", false]]));
    cli.answer(
        "ec2 modify-network-interface-attribute --network-interface-id $ENI_ID --source-dest-check",
    )
    .await;
    cli.answer(unassign).await;
    assert_eq!(cli.shared.lock().cloud.network_interfaces, before);
    let absent = cli.refusal(unassign).await;
    let eni = cli.id("ENI_ID");
    assert!(
        absent.contains(&format!(
            "An error occurred (InvalidParameterValue) when calling the UnassignPrivateIpAddresses operation: Some of the specified addresses are not assigned to interface {eni}"
        )),
        "{absent}"
    );
    let held = cli.refusal(&assign.replace(".60.9", ".60.7")).await;
    assert!(held.contains("[10.88.60.7] assigned, but move is not allowed."), "{held}");
}

/// The change is made, and the client cannot know.
async fn a_lost_reply_is_no_answer(cli: &Cli) {
    cli.shared.lock().faults.api.push(ApiFault {
        action: "AssignPrivateIpAddresses".to_owned(),
        caller: CallerKind::Operator,
        skip: 0,
        times: 1,
        effect: ApiEffect::ReplyLost,
        seen: 0,
        fired: 0,
    });
    let assign = "ec2 assign-private-ip-addresses --network-interface-id $ENI_ID --private-ip-addresses 10.88.60.9";
    let lost = cli.refusal(assign).await;
    assert!(lost.to_lowercase().contains("connection"), "{lost}");
    let world = cli.shared.lock();
    assert_eq!(world.faults.api[0].fired, 1);
    let eni = world.cloud.interface(cli.id("ENI_ID")).unwrap();
    assert!(eni.owns([10, 88, 60, 9].into()));
}

/// §6.3, in the order that AWS asks for.
async fn teardown(cli: &Cli) {
    let rehearsal =
        cli.refusal("ec2 stop-instances --dry-run --instance-ids $CLOUD_CLIENT_INSTANCE_ID").await;
    assert!(rehearsal.contains("(DryRunOperation)"), "{rehearsal}");
    let stopping = cli.answer("ec2 stop-instances --instance-ids $CLOUD_CLIENT_INSTANCE_ID").await;
    assert_eq!(stopping["StoppingInstances"][0]["CurrentState"]["Name"], "stopping");
    let in_use = cli.refusal("ec2 release-address --allocation-id $ALLOCATION_ID").await;
    assert!(in_use.contains("(InvalidIPAddress.InUse)"), "{in_use}");
    let found = cli
        .answer("ec2 describe-addresses --allocation-ids $ALLOCATION_ID --query Addresses[0].AssociationId")
        .await;
    let association = found.as_str().unwrap();
    cli.answer(&format!("ec2 disassociate-address --association-id {association}")).await;
    cli.answer("ec2 release-address --allocation-id $ALLOCATION_ID").await;
    cli.answer("ec2 delete-volume --volume-id $VOLUME_ID").await;
    let terminated =
        cli.answer("ec2 terminate-instances --instance-ids $ROUTERD_CLOUD_INSTANCE_ID").await;
    assert_eq!(terminated["TerminatingInstances"][0]["CurrentState"]["Name"], "shutting-down");
    let left = cli
        .answer("ec2 describe-tags --filters Name=tag:lab-smoke,Values=smoke-lab Name=resource-type,Values=elastic-ip")
        .await;
    assert_eq!(left, json!({ "Tags": [] }));
}

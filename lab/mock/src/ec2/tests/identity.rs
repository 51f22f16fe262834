//! Who calls, what its role lets it do, and what IAM shows of that.

use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::types::AttributeBooleanValue;
use serde_json::Value;

use super::{ExampleLab, refusal};
use crate::cloud::{ManagedPolicy, PolicyVersion, Tags};
use lab::node::Node;

const ROLE: &str = "lab-smoke-executor";

/// Adds a managed policy with one statement, and attaches it to the executor's role.
fn attach(lab: &ExampleLab, statement: &Value) -> String {
    let arn = "arn:aws:iam::123456789012:policy/lab-smoke-extra".to_owned();
    let document = serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] });
    let version = |document: String| PolicyVersion { document, created_at: lab.clock.now() };
    let policy = ManagedPolicy {
        id: "ANPAIOSFODNN7EXAMPLE0".to_owned(),
        name: "lab-smoke-extra".to_owned(),
        arn: arn.clone(),
        path: "/".to_owned(),
        created_at: lab.clock.now(),
        default_version: "v2".to_owned(),
        versions: [
            ("v1".to_owned(), version("{}".to_owned())),
            ("v2".to_owned(), version(document.to_string())),
        ]
        .into(),
        tags: Tags::new(),
    };
    let mut world = lab.shared.lock();
    world.cloud.iam.policies.insert(arn.clone(), policy);
    world.cloud.iam.roles.get_mut(ROLE).unwrap().attached_policies.push(arn.clone());
    arn
}

#[tokio::test(start_paused = true)]
async fn everyone_is_who_they_are() {
    let lab = ExampleLab::new();
    let operator = lab.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(operator.arn(), Some("arn:aws:iam::123456789012:user/lab-operator"));
    assert_eq!(operator.account(), Some("123456789012"));
    let sts = aws_sdk_sts::Client::new(&lab.node_config(Node::RouterdCloud));
    let executor = sts.get_caller_identity().send().await.unwrap();
    let instance = &lab.instance;
    let expected = format!("arn:aws:sts::123456789012:assumed-role/{ROLE}/{instance}");
    assert_eq!(executor.arn(), Some(expected.as_str()));
    assert!(executor.user_id().unwrap().ends_with(&format!(":{instance}")));
}

#[tokio::test(start_paused = true)]
async fn the_executor_may_its_four_actions_on_its_own_interface_and_nothing_else() {
    let lab = ExampleLab::new();
    let ec2 = lab.on_node(Node::RouterdCloud);
    let assign = |eni: &str| {
        ec2.assign_private_ip_addresses()
            .network_interface_id(eni)
            .private_ip_addresses("10.88.60.9")
            .send()
    };
    ec2.describe_network_interfaces().network_interface_ids(&lab.eni).send().await.unwrap();
    assign(&lab.eni).await.unwrap();
    ec2.modify_network_interface_attribute()
        .network_interface_id(&lab.eni)
        .source_dest_check(AttributeBooleanValue::builder().value(false).build())
        .send()
        .await
        .unwrap();
    ec2.unassign_private_ip_addresses()
        .network_interface_id(&lab.eni)
        .private_ip_addresses("10.88.60.9")
        .send()
        .await
        .unwrap();

    let refused = refusal(assign(&lab.other_eni).await);
    assert_eq!((refused.status, refused.code.as_str()), (403, "UnauthorizedOperation"));
    let expected = format!(
        "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/{ROLE}/{} is not authorized to perform: ec2:AssignPrivateIpAddresses on resource: arn:aws:ec2:ap-northeast-1:123456789012:network-interface/{} because no identity-based policy allows the ec2:AssignPrivateIpAddresses action. Encoded authorization failure message: ",
        lab.instance, lab.other_eni
    );
    assert!(refused.message.starts_with(&expected), "{}", refused.message);
    let described = refusal(ec2.describe_instances().send().await);
    assert_eq!(described.code, "UnauthorizedOperation");
    let stopped = refusal(ec2.stop_instances().instance_ids(&lab.instance).send().await);
    assert_eq!(stopped.code, "UnauthorizedOperation");
    let iam = aws_sdk_iam::Client::new(&lab.node_config(Node::RouterdCloud));
    let role = refusal(iam.get_role().role_name(ROLE).send().await);
    assert_eq!((role.status, role.code.as_str()), (403, "AccessDenied"));
}

#[tokio::test(start_paused = true)]
async fn a_wider_role_may_more_and_a_deny_wins() {
    let lab = ExampleLab::new();
    let ec2 = lab.on_node(Node::RouterdCloud);
    attach(&lab, &serde_json::json!({ "Effect": "Allow", "Action": "ec2:Desc*", "Resource": "*" }));
    ec2.describe_instances().send().await.unwrap();
    attach(
        &lab,
        &serde_json::json!({ "Effect": "Deny", "Action": "EC2:describenetworkinterfaces", "Resource": "*" }),
    );
    let denied = refusal(ec2.describe_network_interfaces().send().await);
    assert!(denied.message.contains("with an explicit deny in an identity-based policy"));
}

#[tokio::test(start_paused = true)]
async fn the_region_condition_holds_in_its_region_only() {
    let lab = ExampleLab::new();
    let elsewhere = || {
        let region = aws_sdk_ec2::config::Region::new("us-east-1");
        aws_sdk_ec2::config::Builder::new().region(region)
    };
    let ec2 = lab.on_node(Node::RouterdCloud);
    let call = ec2.describe_network_interfaces().customize().config_override(elsewhere());
    assert_eq!(refusal(call.send().await).code, "UnauthorizedOperation");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_and_a_machine_elsewhere_have_no_identity() {
    let lab = ExampleLab::new();
    for node in [Node::OnpremRouter, Node::CloudClient] {
        let answer = lab.on_node(node).describe_vpcs().send().await;
        assert!(matches!(answer, Err(SdkError::DispatchFailure(_))), "{node}: {answer:?}");
    }
    lab.ec2.stop_instances().instance_ids(&lab.instance).send().await.unwrap();
    let answer = lab.on_node(Node::RouterdCloud).describe_vpcs().send().await;
    assert!(matches!(answer, Err(SdkError::DispatchFailure(_))), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn the_metadata_service_tells_an_instance_about_itself() {
    let lab = ExampleLab::new();
    let provider = aws_config::provider_config::ProviderConfig::empty()
        .with_http_client(crate::connector::Connector::instance(
            lab.shared.clone(),
            lab.clock,
            Node::RouterdCloud,
        ))
        .with_sleep_impl(lab.clock.sdk_sleep())
        .with_time_source(lab.clock.sdk_time());
    let imds = aws_config::imds::Client::builder().configure(&provider).build();
    let get = async |path: &str| imds.get(path).await.map(String::from);
    let table = [
        ("/latest/meta-data/instance-id", lab.instance.as_str()),
        ("/latest/meta-data/placement/region", "ap-northeast-1"),
        ("/latest/meta-data/iam/security-credentials/", ROLE),
        ("/latest/meta-data/local-ipv4", "10.88.60.4"),
    ];
    for (path, expected) in table {
        assert_eq!(get(path).await.unwrap(), expected, "{path}");
    }
    let document = get("/latest/dynamic/instance-identity/document").await.unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["accountId"], "123456789012");
    assert!(get("/latest/meta-data/no-such-thing").await.is_err());
    let mac = get("/latest/meta-data/mac").await.unwrap();
    let addresses = format!("/latest/meta-data/network/interfaces/macs/{mac}/local-ipv4s");
    assert_eq!(get(&addresses).await.unwrap(), "10.88.60.4");
}

#[test]
fn version_one_of_the_metadata_service_is_refused() {
    use crate::cloud::Cloud;
    use crate::ec2::metadata::{Query, answer_query};
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let cloud = Cloud::example(7, now, true);
    let instance = cloud.instance_of(Node::RouterdCloud).unwrap();
    let path = "/latest/meta-data/instance-id";
    let ask = |method, path, token, ttl_seconds, now| {
        let query = Query { method, path, token, ttl_seconds };
        let response = answer_query(&cloud, instance, &query, now);
        (response.status, String::from_utf8(response.body).unwrap())
    };
    assert_eq!(ask("GET", path, None, None, now).0, 401);
    assert_eq!(ask("PUT", "/latest/api/token", None, None, now).0, 400);
    assert_eq!(ask("PUT", "/latest/api/token", None, Some("21601"), now).0, 400);
    let (status, token) = ask("PUT", "/latest/api/token", None, Some("60"), now);
    assert_eq!(status, 200);
    assert_eq!(ask("GET", path, Some(&token), None, now), (200, instance.id.clone()));
    let later = now + chrono::TimeDelta::seconds(60);
    assert_eq!(ask("GET", path, Some(&token), None, later).0, 401, "a token ends");
}

#[tokio::test(start_paused = true)]
async fn iam_shows_the_role_whole() {
    let lab = ExampleLab::new();
    let iam = &lab.iam;
    let profile = iam.get_instance_profile().instance_profile_name(ROLE).send().await.unwrap();
    assert_eq!(profile.instance_profile().unwrap().roles()[0].role_name(), ROLE);
    let role = iam.get_role().role_name(ROLE).send().await.unwrap();
    let role = role.role().unwrap();
    assert_eq!(role.arn(), format!("arn:aws:iam::123456789012:role/{ROLE}"));
    assert!(role.assume_role_policy_document().unwrap().starts_with("%7B%22"));
    let inline = iam.list_role_policies().role_name(ROLE).send().await.unwrap();
    assert_eq!(inline.policy_names(), [ROLE]);
    assert!(!inline.is_truncated());
    let document = iam.get_role_policy().role_name(ROLE).policy_name(ROLE).send().await.unwrap();
    let document = decoded(document.policy_document());
    assert_eq!(document["Statement"][0]["Action"], "ec2:DescribeNetworkInterfaces");
    assert_eq!(document["Statement"][1]["Action"].as_array().unwrap().len(), 3);
    let none = iam.list_attached_role_policies().role_name(ROLE).send().await.unwrap();
    assert!(none.attached_policies().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_attached_policy_has_its_versions() {
    let lab = ExampleLab::new();
    let iam = &lab.iam;
    let arn =
        attach(&lab, &serde_json::json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }));
    let attached = iam.list_attached_role_policies().role_name(ROLE).send().await.unwrap();
    assert_eq!(attached.attached_policies()[0].policy_arn(), Some(arn.as_str()));
    let policy = iam.get_policy().policy_arn(&arn).send().await.unwrap();
    let default = policy.policy().unwrap().default_version_id().unwrap().to_owned();
    assert_eq!(default, "v2");
    let version = iam.get_policy_version().policy_arn(&arn).version_id(default).send().await;
    let version = version.unwrap();
    let document = decoded(version.policy_version().unwrap().document().unwrap());
    assert_eq!(document["Statement"][0]["Action"], "*");
}

#[tokio::test(start_paused = true)]
async fn what_iam_does_not_have_is_no_such_entity() {
    let lab = ExampleLab::new();
    let iam = &lab.iam;
    let arn = "arn:aws:iam::123456789012:policy/none";
    let refused = [
        refusal(iam.get_role().role_name("none").send().await),
        refusal(iam.get_instance_profile().instance_profile_name("none").send().await),
        refusal(iam.list_role_policies().role_name("none").send().await),
        refusal(iam.list_attached_role_policies().role_name("none").send().await),
        refusal(iam.get_role_policy().role_name(ROLE).policy_name("none").send().await),
        refusal(iam.get_policy().policy_arn(arn).send().await),
        refusal(iam.get_policy_version().policy_arn(arn).version_id("v1").send().await),
    ];
    for refused in refused {
        assert_eq!((refused.status, refused.code.as_str()), (404, "NoSuchEntity"));
    }
}

fn decoded(document: &str) -> Value {
    let text: String = form_urlencoded::parse(format!("d={document}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect();
    serde_json::from_str(&text).unwrap()
}

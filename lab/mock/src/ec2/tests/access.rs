//! Roles that are assumed, users, and what the simulator says of both.

use serde_json::{Value, json};

use super::{ExampleLab, ServiceRefusal, refusal};
use crate::cloud::{Role, User};

const ROLE: &str = "arn:aws:iam::123456789012:role/visitor";

/// A role that trusts whom `principal` says.
fn add_role(lab: &ExampleLab, principal: &Value, condition: &Value) {
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition
    }] });
    let mut world = lab.shared.lock();
    let example = world.cloud.iam.roles.values().next().unwrap().clone();
    let role = Role {
        name: "visitor".to_owned(),
        arn: ROLE.to_owned(),
        trust_policy: trust.to_string(),
        inline_policies: [(
            "look".to_owned(),
            json!({ "Statement": { "Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*" } })
                .to_string(),
        )]
        .into(),
        ..example
    };
    world.cloud.iam.roles.insert("visitor".to_owned(), role);
}

fn assume(
    lab: &ExampleLab,
) -> aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder {
    lab.sts.assume_role().role_arn(ROLE).role_session_name("visit")
}

#[tokio::test(start_paused = true)]
async fn a_role_is_assumed_where_it_trusts_the_caller() {
    let table = [
        (json!({ "AWS": "arn:aws:iam::123456789012:root" }), json!({}), true),
        (json!({ "AWS": "arn:aws:iam::123456789012:user/lab-operator" }), json!({}), true),
        (json!({ "AWS": ["123456789012"] }), json!({}), true),
        (json!("*"), json!({}), true),
        (json!({ "Service": "ec2.amazonaws.com" }), json!({}), false),
        (json!({ "AWS": "arn:aws:iam::999999999999:root" }), json!({}), false),
        (json!("*"), json!({ "StringEquals": { "sts:ExternalId": "secret" } }), false),
    ];
    for (principal, condition, works) in table {
        let lab = ExampleLab::new();
        add_role(&lab, &principal, &condition);
        let answer = assume(&lab).send().await;
        if !works {
            let refused = refusal(answer);
            assert_eq!((refused.status, refused.code.as_str()), (403, "AccessDenied"));
            let expected = format!(
                "User: arn:aws:iam::123456789012:user/lab-operator is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
            );
            assert_eq!(refused.message, expected, "{principal}");
            continue;
        }
        let answer = answer.unwrap();
        let user = answer.assumed_role_user().unwrap();
        assert_eq!(user.arn(), "arn:aws:sts::123456789012:assumed-role/visitor/visit");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_request_is_said() {
    let lab = ExampleLab::new();
    add_role(&lab, &json!("*"), &json!({ "StringEquals": { "sts:ExternalId": "secret" } }));
    assume(&lab).external_id("secret").send().await.unwrap();
    let table = [
        (refusal(assume(&lab).send().await), "AccessDenied"),
        (refusal(assume(&lab).duration_seconds(60).send().await), "ValidationError"),
        (refusal(assume(&lab).duration_seconds(7200).send().await), "ValidationError"),
        (refusal(assume(&lab).role_session_name("x").send().await), "ValidationError"),
        (refusal(assume(&lab).role_session_name("a b").send().await), "ValidationError"),
        (refusal(assume(&lab).policy("{").send().await), "MalformedPolicyDocument"),
        (refusal(assume(&lab).role_arn(format!("{ROLE}s")).send().await), "AccessDenied"),
    ];
    for (refused, code) in table {
        assert_eq!(refused.code, code, "{}", refused.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_may_what_its_role_and_its_policy_both_allow() {
    let lab = ExampleLab::new();
    add_role(&lab, &json!("*"), &json!({}));
    let only_vpcs =
        json!({ "Statement": { "Effect": "Allow", "Action": "ec2:*Vpc*", "Resource": "*" } });
    let answer = assume(&lab).policy(only_vpcs.to_string()).send().await.unwrap();
    let credentials = answer.credentials().unwrap();
    let keys = aws_credential_types::Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        Some(credentials.session_token().to_owned()),
        None,
        "tests",
    );
    let own = || aws_sdk_ec2::config::Builder::new().credentials_provider(keys.clone());
    let vpcs = || lab.ec2.describe_vpcs().customize().config_override(own());
    vpcs().send().await.unwrap();
    let subnets = lab.ec2.describe_subnets().customize().config_override(own()).send().await;
    assert_eq!(refusal(subnets).code, "UnauthorizedOperation", "the session's policy is narrower");
    let vpc = lab.cloud().vpcs.keys().next().unwrap().clone();
    let tags = aws_sdk_ec2::types::Tag::builder().key("a").value("b").build();
    let tagged = lab.ec2.create_tags().resources(vpc).tags(tags).customize().config_override(own());
    assert_eq!(refusal(tagged.send().await).code, "UnauthorizedOperation");
}

/// A session's key without its token, with another's, and after its end, in each service's words.
#[tokio::test(start_paused = true)]
async fn a_sessions_key_is_nothing_without_its_token_and_after_its_end() {
    let lab = ExampleLab::new();
    add_role(&lab, &json!("*"), &json!({}));
    let answer = assume(&lab).duration_seconds(900).send().await.unwrap();
    let credentials = answer.credentials().unwrap();
    let keys = |token: Option<&str>| {
        let (key, secret) = (credentials.access_key_id(), credentials.secret_access_key());
        let token = token.map(str::to_owned);
        aws_credential_types::Credentials::new(key, secret, token, None, "tests")
    };
    let vpcs = async |token: Option<&str>| {
        let own = aws_sdk_ec2::config::Builder::new().credentials_provider(keys(token));
        lab.ec2.describe_vpcs().customize().config_override(own).send().await
    };
    let whoami = async |token: Option<&str>| {
        let own = aws_sdk_sts::config::Builder::new().credentials_provider(keys(token));
        lab.sts.get_caller_identity().customize().config_override(own).send().await
    };
    let own = Some(credentials.session_token());
    vpcs(own).await.unwrap();
    whoami(own).await.unwrap();
    for token in [None, Some("another's")] {
        let refused = refusal(vpcs(token).await);
        let words = "AWS was not able to validate the provided access credentials";
        assert_eq!(refused, ServiceRefusal::new(401, "AuthFailure", words), "{token:?}");
        let refused = refusal(whoami(token).await);
        let words = "The security token included in the request is invalid.";
        assert_eq!(refused, ServiceRefusal::new(403, "InvalidClientTokenId", words), "{token:?}");
    }
    lab.clock.sleep(std::time::Duration::from_mins(15)).await;
    let refused = refusal(vpcs(own).await);
    assert_eq!(refused, ServiceRefusal::new(400, "RequestExpired", "Request has expired."));
    let refused = refusal(whoami(own).await);
    let words = "The security token included in the request is expired";
    assert_eq!(refused, ServiceRefusal::new(403, "ExpiredToken", words));
}

#[tokio::test(start_paused = true)]
async fn an_encoded_refusal_is_decoded_for_those_who_may() {
    let lab = ExampleLab::new();
    let ec2 = lab.on_node(lab::node::Node::RouterdCloud);
    let refused = refusal(ec2.stop_instances().instance_ids(&lab.instance).send().await);
    let (_, message) = refused.message.split_once("failure message: ").unwrap();
    let decoded =
        lab.sts.decode_authorization_message().encoded_message(message).send().await.unwrap();
    let decoded: Value = serde_json::from_str(decoded.decoded_message().unwrap()).unwrap();
    assert_eq!(decoded["explicitDeny"], json!(false));
    assert_eq!(decoded["context"]["action"], "ec2:StopInstances");
    let resource = decoded["context"]["resource"].as_str().unwrap();
    assert!(resource.ends_with(&lab.instance), "{decoded}");
    let odd = lab.sts.decode_authorization_message().encoded_message("e30").send().await;
    assert_eq!(refusal(odd).code, "InvalidAuthorizationMessageException");
}

#[tokio::test(start_paused = true)]
async fn the_simulator_decides_from_the_policies() {
    let lab = ExampleLab::new();
    let eni = lab.shared.lock().cloud.arn("network-interface", &lab.eni);
    let other = lab.shared.lock().cloud.arn("network-interface", &lab.other_eni);
    let table = [
        ("ec2:AssignPrivateIpAddresses", eni.as_str(), None, "allowed", ""),
        ("ec2:assignprivateipaddresses", eni.as_str(), None, "allowed", ""),
        ("ec2:AssignPrivateIpAddresses", other.as_str(), None, "implicitDeny", ""),
        ("ec2:StopInstances", "*", None, "implicitDeny", ""),
        ("ec2:DescribeNetworkInterfaces", "*", None, "implicitDeny", "ec2:Region"),
        ("ec2:DescribeNetworkInterfaces", "*", Some("ap-northeast-1"), "allowed", ""),
        ("ec2:DescribeNetworkInterfaces", "*", Some("us-east-1"), "implicitDeny", ""),
    ];
    for (action, resource, region, decision, missing) in table {
        let entry = region.map(|region| {
            aws_sdk_iam::types::ContextEntry::builder()
                .context_key_name("ec2:Region")
                .context_key_values(region)
                .context_key_type("string".into())
                .build()
        });
        let answer = lab
            .iam
            .simulate_principal_policy()
            .policy_source_arn("arn:aws:iam::123456789012:role/lab-smoke-executor")
            .action_names(action)
            .resource_arns(resource)
            .set_context_entries(entry.map(|entry| vec![entry]))
            .send()
            .await
            .unwrap();
        let result = &answer.evaluation_results()[0];
        assert_eq!(result.eval_decision().as_str(), decision, "{action} {resource}");
        assert_eq!(result.missing_context_values().join(","), missing, "{action} {resource}");
        assert_eq!(result.matched_statements().is_empty(), decision != "allowed");
    }
    let denied = json!({ "Statement": { "Effect": "Deny", "Action": "*", "Resource": "*" } });
    let custom = lab
        .iam
        .simulate_custom_policy()
        .policy_input_list(denied.to_string())
        .action_names("ec2:StopInstances")
        .send()
        .await
        .unwrap();
    assert_eq!(custom.evaluation_results()[0].eval_decision().as_str(), "explicitDeny");
    let nobody = lab
        .iam
        .simulate_principal_policy()
        .policy_source_arn("arn:aws:iam::123456789012:role/none")
        .action_names("ec2:StopInstances");
    assert_eq!(refusal(nobody.send().await).code, "NoSuchEntity");
}

#[tokio::test(start_paused = true)]
async fn users_are_shown_with_their_policies() {
    let lab = ExampleLab::new();
    let own = lab.iam.get_user().send().await.unwrap();
    assert_eq!(own.user().unwrap().user_name(), "lab-operator");
    let names = lab.iam.list_user_policies().user_name("lab-operator").send().await.unwrap();
    assert_eq!(names.policy_names(), ["lab-operator"]);
    let none = lab.iam.get_user().user_name("none").send().await;
    assert_eq!(refusal(none).code, "NoSuchEntity");
    let attached =
        lab.iam.list_attached_user_policies().user_name("lab-operator").send().await.unwrap();
    assert!(attached.attached_policies().is_empty());
    let profiles = lab
        .iam
        .list_instance_profiles_for_role()
        .role_name("lab-smoke-executor")
        .send()
        .await
        .unwrap();
    assert_eq!(profiles.instance_profiles()[0].roles()[0].role_name(), "lab-smoke-executor");
}

/// A second user, with what one policy allows, calls with its own key.
pub fn add_user(lab: &ExampleLab, key: &str, document: &Value) {
    let user = User {
        id: "AIDAIOSFODNN7EXAMPLE1".to_owned(),
        name: "second".to_owned(),
        arn: "arn:aws:iam::123456789012:user/second".to_owned(),
        path: "/".to_owned(),
        created_at: lab.clock.now(),
        inline_policies: [("own".to_owned(), document.to_string())].into(),
        attached_policies: vec![],
        access_keys: [(key.to_owned(), "secret".to_owned())].into(),
        tags: crate::cloud::Tags::new(),
    };
    lab.shared.lock().cloud.iam.users.insert("second".to_owned(), user);
}

#[tokio::test(start_paused = true)]
async fn conditions_see_the_resource() {
    let lab = ExampleLab::new();
    let key = "AKIAIOSFODNN7SECOND0";
    let keys = aws_credential_types::Credentials::new(key, "secret", None, None, "tests");
    let vpc = lab.cloud().interface(&lab.eni).unwrap().vpc_id.clone();
    let vpc_arn = lab.cloud().arn("vpc", &vpc);
    let table = [
        (json!({ "StringEquals": { "aws:ResourceTag/lab-smoke": "smoke-lab" } }), true),
        (json!({ "StringEquals": { "ec2:ResourceTag/Name": "cloud-client" } }), false),
        (json!({ "ArnEquals": { "ec2:Vpc": vpc_arn } }), true),
        (json!({ "ArnEquals": { "ec2:Vpc": "arn:aws:ec2:*:*:vpc/vpc-0" } }), false),
        (json!({ "StringEquals": { "aws:RequestedRegion": "ap-northeast-1" } }), true),
        (json!({ "StringEquals": { "aws:RequestedRegion": "us-east-1" } }), false),
    ];
    for (condition, works) in table {
        let document = json!({ "Statement": {
            "Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": condition
        } });
        add_user(&lab, key, &document);
        let own = aws_sdk_ec2::config::Builder::new().credentials_provider(keys.clone());
        let check = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
        let answer = lab
            .ec2
            .modify_network_interface_attribute()
            .network_interface_id(&lab.eni)
            .source_dest_check(check)
            .customize()
            .config_override(own)
            .send()
            .await;
        assert_eq!(answer.is_ok(), works, "{condition}: {answer:?}");
    }
}

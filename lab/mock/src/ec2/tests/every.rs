//! Tests of the rules that hold for every operation, whatever else it does: each is found in the
//! endpoint's own table, so that a new operation is asked too.

use super::ExampleLab;
use super::boundaries::{expect_error_code, send_raw};
use super::script::{Script, find_element};
use crate::ec2::{Operation, list_operations};

fn ec2() -> impl Iterator<Item = Operation> {
    list_operations().into_iter().filter(|operation| operation.service == "ec2")
}

fn ec2_with(parameter: &str) -> Vec<&'static str> {
    ec2().filter(|it| it.parameters.contains(&parameter)).map(|it| it.name).collect()
}

fn request(name: &str, parameters: &str) -> String {
    format!("Action={name}&Version=2016-11-15{parameters}")
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_is_not_known_is_refused() {
    let lab = ExampleLab::new();
    let mut asked = 0;
    for operation in ec2() {
        let body = request(operation.name, "&NoSuchParameter=1");
        assert_eq!(expect_error_code(&lab, "ec2", &body).await, "UnknownParameter", "{body}");
        asked += 1;
    }
    assert!(asked > 70, "{asked}");
}

/// The two that the model has without `DryRun`, and the two attributes that are set at once.
#[tokio::test(start_paused = true)]
async fn a_rehearsal_is_an_unknown_parameter_on_exactly_four() {
    let without: Vec<_> = ec2().filter(|it| !it.dry_run).map(|it| it.name).collect();
    let expected = [
        "AssignPrivateIpAddresses",
        "ModifySubnetAttribute",
        "ModifyVpcAttribute",
        "UnassignPrivateIpAddresses",
    ];
    let mut sorted = without.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let lab = ExampleLab::new();
    for name in without {
        let body = request(name, "&DryRun=true");
        assert_eq!(expect_error_code(&lab, "ec2", &body).await, "UnknownParameter", "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_not_known_is_refused_by_every_operation_that_has_filters() {
    let lab = ExampleLab::new();
    let all = ec2_with("Filter.N.Name");
    assert!(all.len() >= 15, "{all:?}");
    for name in all {
        let body = request(name, "&Filter.1.Name=no-such-filter&Filter.1.Value.1=x");
        let (status, text) = send_raw(&lab, "ec2", &body).await;
        assert_eq!(status, 400, "{text}");
        let said = "<Message>The filter &apos;no-such-filter&apos; is invalid</Message>";
        let plain = "<Message>The filter 'no-such-filter' is invalid</Message>";
        assert!(text.contains("<Code>InvalidParameterValue</Code>"), "{text}");
        assert!(text.contains(said) || text.contains(plain), "{text}");
    }
}

/// The least and the most of `MaxResults`, as the API reference has them.
const PAGES: &[(&str, u32, u32)] = &[
    ("DescribeImages", 1, 1000),
    ("DescribeInstanceStatus", 5, 1000),
    ("DescribeInstanceTypes", 5, 100),
    ("DescribeInstances", 5, 1000),
    ("DescribeInternetGateways", 5, 1000),
    ("DescribeNatGateways", 5, 1000),
    ("DescribeNetworkAcls", 5, 1000),
    ("DescribeNetworkInterfaces", 5, 1000),
    ("DescribeRouteTables", 5, 100),
    ("DescribeSecurityGroupRules", 5, 1000),
    ("DescribeSecurityGroups", 5, 1000),
    ("DescribeSubnets", 5, 1000),
    ("DescribeTags", 5, 1000),
    ("DescribeTransitGatewayVpcAttachments", 5, 1000),
    ("DescribeVolumes", 5, 1000),
    // More than 1,000 is taken, and answered with 1,000.
    ("DescribeVpcEndpoints", 5, u32::MAX),
    ("DescribeVpcPeeringConnections", 5, 1000),
    ("DescribeVpcs", 5, 1000),
];

#[tokio::test(start_paused = true)]
async fn pages_have_a_least_and_a_most() {
    let lab = ExampleLab::new();
    let mut all = ec2_with("MaxResults");
    all.sort_unstable();
    assert_eq!(all, PAGES.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    for (name, least, most) in PAGES {
        for good in [*least, *most] {
            let body = request(name, &format!("&MaxResults={good}"));
            assert_eq!(send_raw(&lab, "ec2", &body).await.0, 200, "{body}");
        }
        for bad in [Some(least - 1), most.checked_add(1)].into_iter().flatten() {
            let body = request(name, &format!("&MaxResults={bad}"));
            assert_eq!(
                expect_error_code(&lab, "ec2", &body).await,
                "InvalidParameterValue",
                "{body}"
            );
        }
    }
}

/// One request for each operation that takes a token, and what it makes.
const WITH_TOKEN: &[(&str, &str, &str)] = &[
    ("CreateNetworkAcl VpcId=$lab_vpc", "networkAclId", "VpcId=$default_vpc"),
    (
        "CreateNetworkInterface SubnetId=$lab_subnet",
        "networkInterfaceId",
        "SubnetId=$lab_subnet Description=other",
    ),
    ("CreateRouteTable VpcId=$lab_vpc", "routeTableId", "VpcId=$default_vpc"),
    (
        "CreateVolume AvailabilityZone=ap-northeast-1a Size=1",
        "volumeId",
        "AvailabilityZone=ap-northeast-1a Size=2",
    ),
    (
        "RunInstances ImageId=$ami InstanceType=t3.small MinCount=1 MaxCount=1 SubnetId=$lab_subnet",
        "instanceId",
        "ImageId=$ami InstanceType=t3.micro MinCount=1 MaxCount=1 SubnetId=$lab_subnet",
    ),
];

#[tokio::test(start_paused = true)]
async fn a_client_token_makes_one_of_two_and_is_for_one_request() {
    let mut all = ec2_with("ClientToken");
    all.sort_unstable();
    let table: Vec<_> =
        WITH_TOKEN.iter().map(|(request, ..)| request.split_once(' ').unwrap().0).collect();
    assert_eq!(all, table);
    let lab = ExampleLab::new();
    let mut script = Script::new(&lab);
    for (request, made, other) in WITH_TOKEN {
        let name = request.split_once(' ').unwrap().0;
        let first = script.line(&format!("{request} ClientToken=once")).await;
        let again = script.line(&format!("{request} ClientToken=once")).await;
        assert_eq!(find_element(&first, made), find_element(&again, made), "{request}");
        let another = script.line(&format!("{request} ClientToken=twice")).await;
        assert_ne!(find_element(&first, made), find_element(&another, made), "{request}");
        let mismatch = format!("{name} {other} ClientToken=once ! IdempotentParameterMismatch");
        script.line(&mismatch).await;
    }
}

/// AWS's two ways to say no in a rehearsal: 412 with its code, or the refusal of the deed itself.
#[tokio::test(start_paused = true)]
async fn every_answer_has_a_request_id_and_every_refusal_a_status() {
    let lab = ExampleLab::new();
    for operation in list_operations() {
        let version = match operation.service {
            "ec2" => "2016-11-15",
            "sts" => "2011-06-15",
            _ => "2010-05-08",
        };
        let body = format!("Action={}&Version={version}", operation.name);
        let (status, text) = send_raw(&lab, operation.service, &body).await;
        assert!([200, 400, 403, 404].contains(&status), "{body}: {status} {text}");
        let id = ["requestId", "RequestID", "RequestId"]
            .iter()
            .find_map(|name| find_element(&text, name));
        assert!(id.is_some_and(|id| id.len() == 36), "{body}: {text}");
        assert_eq!(status == 200, find_element(&text, "Code").is_none(), "{body}: {text}");
    }
}

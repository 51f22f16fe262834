//! Anything that the endpoint does not know is an error, never an empty success.

use super::{ExampleLab, ServiceRefusal, refusal};
use crate::ec2::{ApiError, Headers, Request, answer_request};
use crate::faults::CallerKind;

/// A raw request with the operator's key; the status and the body.
pub async fn send_raw(lab: &ExampleLab, service: &str, body: &str) -> (u16, String) {
    let key = lab.shared.lock().cloud.operator.access_key_id.clone();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/ap-northeast-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let headers = Headers { authorization: Some(&authorization), security_token: None };
    let response =
        answer_request(&lab.shared, lab.clock, CallerKind::Operator, headers, body.as_bytes());
    let response = response.await.unwrap();
    (response.status, String::from_utf8(response.body).unwrap())
}

pub async fn expect_error_code(lab: &ExampleLab, service: &str, body: &str) -> String {
    let (status, text) = send_raw(lab, service, body).await;
    assert_ne!(status, 200, "{body}: {text}");
    text.split_once("<Code>").unwrap().1.split_once("</Code>").unwrap().0.to_owned()
}

#[tokio::test(start_paused = true)]
async fn unknown_actions_parameters_versions_and_values_are_errors() {
    let lab = ExampleLab::new();
    let v = "Version=2016-11-15";
    let eni = &lab.eni;
    let table = [
        (format!("Action=DescribeVpnConnections&{v}"), "InvalidAction"),
        (format!("Action=GetCallerIdentity&{v}"), "InvalidAction"),
        ("Action=DescribeVpcs&Version=2014-01-01".to_owned(), "NoSuchVersion"),
        ("Action=DescribeVpcs".to_owned(), "MissingParameter"),
        (v.to_owned(), "MissingParameter"),
        (format!("Action=DescribeVpcs&{v}&VpcIds.1=x"), "UnknownParameter"),
        (format!("Action=DescribeVpcs&{v}&VpcId.x=y"), "UnknownParameter"),
        (format!("Action=DescribeVpcs&{v}&DryRun=maybe"), "InvalidParameterValue"),
        (format!("Action=DescribeAddresses&{v}&MaxResults=5"), "UnknownParameter"),
        (
            format!("Action=AssignPrivateIpAddresses&{v}&NetworkInterfaceId={eni}&DryRun=true"),
            "UnknownParameter",
        ),
        (
            format!("Action=UnassignPrivateIpAddresses&{v}&NetworkInterfaceId={eni}&DryRun=true"),
            "UnknownParameter",
        ),
        (
            format!("Action=UnassignPrivateIpAddresses&{v}&NetworkInterfaceId={eni}"),
            "MissingParameter",
        ),
        (
            format!(
                "Action=AssignPrivateIpAddresses&{v}&NetworkInterfaceId={eni}&PrivateIpAddress.1=10.88.60.9%2F32"
            ),
            "InvalidParameterValue",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(expect_error_code(&lab, "ec2", &body).await, expected, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_have_the_shape_of_their_service() {
    let lab = ExampleLab::new();
    let (_, ec2) = send_raw(&lab, "ec2", "Action=X&Version=2016-11-15").await;
    assert!(ec2.contains("<Response><Errors><Error><Code>InvalidAction</Code>"), "{ec2}");
    assert!(ec2.contains("<RequestID>"), "{ec2}");
    for (service, version) in [("sts", "2011-06-15"), ("iam", "2010-05-08")] {
        let (_, text) = send_raw(&lab, service, &format!("Action=X&Version={version}")).await;
        assert!(text.contains("<ErrorResponse xmlns="), "{text}");
        assert!(text.contains("<Type>Sender</Type><Code>InvalidAction</Code>"), "{text}");
        assert!(text.contains("</Error><RequestId>"), "{text}");
    }
}

#[test]
fn a_request_without_a_signature_is_refused() {
    let refused = |header| Request::parse(header, b"Action=DescribeVpcs").unwrap_err();
    let code = |error: ApiError| (error.status, error.code);
    assert_eq!(code(refused(None)), (403, "MissingAuthenticationToken".to_owned()));
    let short = Some("AWS4-HMAC-SHA256 Credential=AKID/20260101/ec2");
    assert_eq!(code(refused(short)), (403, "IncompleteSignature".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn ids_are_malformed_or_not_there() {
    let lab = ExampleLab::new();
    let ec2 = &lab.ec2;
    let absent = "0123456789abcdef0";
    let bad = |code: &str, message: String| ServiceRefusal::new(400, code, &message);
    let eni = |id: String| ec2.describe_network_interfaces().network_interface_ids(id).send();
    assert_eq!(
        refusal(eni(format!("eni-{absent}")).await),
        bad(
            "InvalidNetworkInterfaceID.NotFound",
            format!("The networkInterface ID 'eni-{absent}' does not exist")
        )
    );
    assert_eq!(
        refusal(eni("i-0123".to_owned()).await),
        bad(
            "InvalidNetworkInterfaceId.Malformed",
            "Invalid id: \"i-0123\" (expecting \"eni-...\")".to_owned()
        )
    );
    let instances = ec2
        .describe_instances()
        .instance_ids(format!("i-{absent}"))
        .instance_ids("i-0123456789abcdef1")
        .send();
    assert_eq!(
        refusal(instances.await),
        bad(
            "InvalidInstanceID.NotFound",
            format!("The instance IDs 'i-{absent}, i-0123456789abcdef1' do not exist")
        )
    );
    let subnet = ec2.describe_subnets().subnet_ids(format!("subnet-{absent}")).send().await;
    assert_eq!(refusal(subnet).code, "InvalidSubnetID.NotFound");
    let table = ec2.describe_route_tables().route_table_ids(format!("rtb-{absent}")).send().await;
    assert_eq!(refusal(table).code, "InvalidRouteTableID.NotFound");
    let vpc = ec2.describe_vpcs().vpc_ids(format!("vpc-{absent}")).send().await;
    assert_eq!(refusal(vpc).code, "InvalidVpcID.NotFound");
    let group = ec2.describe_security_groups().group_ids(format!("sg-{absent}")).send().await;
    assert_eq!(refusal(group).code, "InvalidGroup.NotFound");
    let volume = ec2.delete_volume().volume_id(format!("vol-{absent}")).send().await;
    assert_eq!(refusal(volume).code, "InvalidVolume.NotFound");
    let address = ec2.release_address().allocation_id(format!("eipalloc-{absent}")).send().await;
    assert_eq!(refusal(address).code, "InvalidAllocationID.NotFound");
}

#[tokio::test(start_paused = true)]
async fn another_region_is_another_place() {
    let lab = ExampleLab::new();
    let region = aws_sdk_ec2::config::Region::new("us-east-1");
    let elsewhere = aws_sdk_ec2::config::Builder::new().region(region);
    let call = lab.ec2.describe_network_interfaces().network_interface_ids(&lab.eni);
    let answer = call.customize().config_override(elsewhere.clone()).send().await;
    assert_eq!(refusal(answer).code, "InvalidNetworkInterfaceID.NotFound");
    let call = lab.ec2.create_vpc().cidr_block("10.1.0.0/16").customize();
    let refused = refusal(call.config_override(elsewhere).send().await);
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (401, "AuthFailure"),
        "it would be nowhere"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_no_identity() {
    let lab = ExampleLab::new();
    lab.shared.lock().cloud.operator.access_key_id = "AKIAIOSFODNN7ANOTHER".to_owned();
    let refused = refusal(lab.ec2.describe_vpcs().send().await);
    assert_eq!((refused.status, refused.code.as_str()), (401, "AuthFailure"));
    let refused = refusal(lab.sts.get_caller_identity().send().await);
    assert_eq!((refused.status, refused.code.as_str()), (403, "InvalidClientTokenId"));
}

#[tokio::test(start_paused = true)]
async fn request_ids_follow_from_the_request_and_its_time() {
    let ids = async || {
        let lab = ExampleLab::new();
        let body = "Action=DescribeVpcs&Version=2016-11-15";
        let (_, first) = send_raw(&lab, "ec2", body).await;
        lab.clock.sleep(std::time::Duration::from_secs(1)).await;
        let (_, second) = send_raw(&lab, "ec2", body).await;
        (first, second)
    };
    let (first, second) = ids().await;
    assert_ne!(first, second);
    assert_eq!((first, second), ids().await);
}

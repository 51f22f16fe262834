//! The faults' rules as a client sees them: what was done, what was answered, how often, and when.

use aws_sdk_ec2::error::SdkError;

use super::{ExampleLab, refusal};
use crate::faults::{ApiEffect, ApiFault, CallerKind};

const READ: &str = "DescribeNetworkInterfaces";
const WRITE: &str = "AssignPrivateIpAddresses";

fn inject(lab: &ExampleLab, action: &str, times: u32, effect: ApiEffect) {
    lab.shared.lock().faults.api.push(ApiFault {
        action: action.to_owned(),
        caller: CallerKind::Operator,
        skip: 0,
        times,
        effect,
        seen: 0,
        fired: 0,
    });
}

/// Calls that the rule saw, and how often it fired.
fn counts(lab: &ExampleLab) -> (u32, u32) {
    let world = lab.shared.lock();
    (world.faults.api[0].seen, world.faults.api[0].fired)
}

fn throttle() -> ApiEffect {
    ApiEffect::Error {
        status: 503,
        code: "RequestLimitExceeded".to_owned(),
        message: "Request limit exceeded.".to_owned(),
    }
}

async fn read(lab: &ExampleLab) -> Result<usize, aws_sdk_ec2::Error> {
    let answer = lab.ec2.describe_network_interfaces().network_interface_ids(&lab.eni).send();
    let answer = answer.await?;
    Ok(answer.network_interfaces().iter().map(|eni| eni.private_ip_addresses().len()).sum())
}

fn assign(
    lab: &ExampleLab,
) -> aws_sdk_ec2::operation::assign_private_ip_addresses::builders::AssignPrivateIpAddressesFluentBuilder
{
    lab.ec2
        .assign_private_ip_addresses()
        .network_interface_id(&lab.eni)
        .private_ip_addresses("10.88.60.9")
}

fn is_assigned(lab: &ExampleLab) -> bool {
    lab.cloud().interface(&lab.eni).unwrap().owns([10, 88, 60, 9].into())
}

#[tokio::test(start_paused = true)]
async fn a_throttled_read_is_repeated_and_then_answered() {
    let lab = ExampleLab::new();
    inject(&lab, READ, 2, throttle());
    assert_eq!(read(&lab).await.unwrap(), 1);
    assert_eq!(counts(&lab), (3, 2));
    assert!(lab.elapsed_ms() > 0, "the SDK waits between attempts");
}

#[tokio::test(start_paused = true)]
async fn throttled_for_ever_it_is_given_up() {
    let lab = ExampleLab::new();
    inject(&lab, READ, u32::MAX, throttle());
    let refused = refusal(lab.ec2.describe_network_interfaces().send().await);
    assert_eq!((refused.status, refused.code.as_str()), (503, "RequestLimitExceeded"));
    assert_eq!(counts(&lab), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_hides_a_change_that_was_made_and_a_lost_request_one_that_was_not() {
    for (effect, made) in [(ApiEffect::ReplyLost, true), (ApiEffect::RequestLost, false)] {
        let lab = ExampleLab::new();
        inject(&lab, WRITE, u32::MAX, effect.clone());
        let once = aws_sdk_ec2::config::Builder::new()
            .retry_config(aws_smithy_types::retry::RetryConfig::disabled());
        let answer = assign(&lab).customize().config_override(once).send().await;
        assert!(matches!(answer, Err(SdkError::DispatchFailure(_))), "{answer:?}");
        assert_eq!((is_assigned(&lab), counts(&lab)), (made, (1, 1)), "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_ends_with_the_clients_timeout_and_does_nothing() {
    let lab = ExampleLab::new();
    inject(&lab, WRITE, u32::MAX, ApiEffect::Hang);
    let once = aws_sdk_ec2::config::Builder::new()
        .retry_config(aws_smithy_types::retry::RetryConfig::disabled());
    let answer = assign(&lab).customize().config_override(once).send().await;
    assert!(matches!(answer, Err(SdkError::TimeoutError(_))), "{answer:?}");
    assert_eq!(lab.elapsed_ms(), 10_000);
    assert!(!is_assigned(&lab));
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_of_nine_seconds_arrives_at_the_first_attempt() {
    let lab = ExampleLab::new();
    inject(&lab, READ, 1, ApiEffect::Delay { ms: 9_000 });
    assert_eq!(read(&lab).await.unwrap(), 1);
    assert_eq!((lab.elapsed_ms(), counts(&lab)), (9_000, (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_early_reads_as_fewer_items() {
    let lab = ExampleLab::new();
    // The body ends after `<networkInterfaceSet>`.
    inject(&lab, READ, 1, ApiEffect::Truncated { bytes: 203 });
    let answer = lab.ec2.describe_network_interfaces().send().await.unwrap();
    assert_eq!(answer.network_interfaces().len(), 0, "this is the SDK's pitfall, not an answer");
    assert_eq!(counts(&lab), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_shows_the_world_before_the_last_change() {
    let lab = ExampleLab::new();
    assign(&lab).send().await.unwrap();
    inject(&lab, READ, 1, ApiEffect::Stale);
    assert_eq!(read(&lab).await.unwrap(), 1, "too early");
    assert_eq!(read(&lab).await.unwrap(), 2, "later");
    assert!(is_assigned(&lab), "reading changes nothing");
}

#[tokio::test(start_paused = true)]
async fn latency_is_the_operators_alone() {
    let lab = ExampleLab::new();
    lab.shared.lock().faults.latency_ms = 200;
    read(&lab).await.unwrap();
    assert_eq!(lab.elapsed_ms(), 200);
    let node = lab.on_node(lab::node::Node::RouterdCloud);
    node.describe_network_interfaces().send().await.unwrap();
    assert_eq!(lab.elapsed_ms(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_the_operator_spares_the_instance() {
    let lab = ExampleLab::new();
    inject(&lab, READ, u32::MAX, throttle());
    let node = lab.on_node(lab::node::Node::RouterdCloud);
    node.describe_network_interfaces().send().await.unwrap();
    assert_eq!(counts(&lab), (0, 0));
}

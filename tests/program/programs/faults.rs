//! The executor's words when EC2 does not answer as it should: a mutation is sent once, every
//! request ends in time, and what is not known is not told.

use serde_json::{Value, json};

use super::conformance::request;
use super::scripted::{Fault, Machine, default_world};

const UNKNOWN: &str = "whether it was carried out is unknown: describe before repeating";

fn assign() -> Value {
    request("assign-secondary-ip", "execute", &json!({}))
}

fn enable_forwarding() -> Value {
    request("ensure-forwarding-enabled", "execute", &json!({}))
}

/// The one error text of a failed result.
fn error(status: &Value) -> &str {
    assert_eq!(status["status"], "failed");
    assert_eq!(status["observed"], Value::Null, "no class, no facts");
    status["error"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_mutation_is_sent_once_whatever_the_answer() {
    let cases = [
        (Fault::ConnectionLost, UNKNOWN),
        (Fault::ConnectionRefused, ": not sent: connection refused"),
        (Fault::Hang, UNKNOWN),
        (Fault::Cut(60), UNKNOWN),
        // Up to its closing tag: the SDK would read a success out of this.
        (Fault::Cut(185), UNKNOWN),
        (Fault::Cut(0), UNKNOWN),
        (Fault::Answer(500, "<html>oops</html>"), UNKNOWN),
        (Fault::Answer(503, ""), UNKNOWN),
        (Fault::Answer(200, "<html>a login page</html>"), UNKNOWN),
        (
            Fault::Answer(
                503,
                "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Slow down.\
                 </Message></Error></Errors></Response>",
            ),
            "An error occurred (RequestLimitExceeded) when calling the \
             AssignPrivateIpAddresses operation: Slow down.",
        ),
    ];
    for (fault, expected) in cases {
        let name = format!("{fault:?}");
        let machine = Machine::new(default_world()).with_fault("AssignPrivateIpAddresses", fault);
        let status = machine.status(&assign()).await;
        assert!(error(&status).ends_with(expected), "{name}: {status}");
        assert_eq!(machine.operations(), ["AssignPrivateIpAddresses"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_describe_is_not_repeated_either() {
    let fault = Fault::ConnectionLost;
    let machine = Machine::new(default_world()).with_fault("DescribeNetworkInterfaces", fault);
    let status = machine.status(&enable_forwarding()).await;
    let line = "aws ec2 describe-network-interfaces --network-interface-ids eni-1 \
                --region ap-northeast-1";
    assert!(error(&status).starts_with(&format!("{line}: no answer: ")), "{status}");
    assert!(!error(&status).contains(UNKNOWN), "reading changes nothing");
    assert_eq!(machine.operations(), ["DescribeNetworkInterfaces"]);
}

/// routerd's plugin timeout is 30 s where nobody sets another.
#[tokio::test(start_paused = true)]
async fn every_request_ends_inside_routerds_timeout() {
    let cases = [
        (assign(), "AssignPrivateIpAddresses", 25),
        (enable_forwarding(), "ModifyNetworkInterfaceAttribute", 25),
        (enable_forwarding(), "DescribeNetworkInterfaces", 15),
        (request("unassign-route-table-route", "execute", &json!({})), "DescribeRouteTables", 15),
        (request("assign-secondary-ip", "dry-run", &json!({})), "DescribeNetworkInterfaces", 15),
    ];
    for (request, operation, seconds) in cases {
        let machine = Machine::new(default_world()).with_fault(operation, Fault::Hang);
        let (passed, status) = machine.seconds_passed(machine.status(&request)).await;
        assert_eq!(passed, seconds, "{operation}");
        assert_eq!(error(&status).contains(UNKNOWN), !operation.starts_with("Describe"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_waited_for() {
    let machine = Machine::new(default_world())
        .with_fault("DescribeNetworkInterfaces", Fault::Slow(14))
        .with_fault("ModifyNetworkInterfaceAttribute", Fault::Slow(10));
    let (passed, status) = machine.seconds_passed(machine.status(&enable_forwarding())).await;
    assert_eq!((passed, &status["status"]), (24, &json!("succeeded")));
}

#[tokio::test(start_paused = true)]
async fn a_mutation_that_could_not_end_in_time_is_not_begun() {
    let machine = Machine::new(default_world())
        .with_fault("ReplaceRoute", Fault::Slow(16))
        .with_api_error("ReplaceRoute", "(InvalidRoute.NotFound): no such route");
    let seize = request("assign-route-table-route", "execute", &json!({"allowReassignment": "1"}));
    let status = machine.status(&seize).await;
    assert!(error(&status).contains("; create: aws ec2 create-route "), "{status}");
    assert!(error(&status).contains(": not sent: the request is 15 s old"), "{status}");
    assert_eq!(machine.operations(), ["ReplaceRoute"]);
}

/// The route may be there: a second mutation would rest on a guess.
#[tokio::test(start_paused = true)]
async fn no_route_is_created_after_a_replace_that_nobody_answered() {
    let machine = Machine::new(default_world()).with_fault("ReplaceRoute", Fault::ConnectionLost);
    let seize = request("assign-route-table-route", "execute", &json!({"allowReassignment": "1"}));
    let status = machine.status(&seize).await;
    assert!(error(&status).ends_with(UNKNOWN), "{status}");
    assert_eq!(machine.operations(), ["ReplaceRoute"]);
}

/// The SDK reads `Ok` out of most of these.
#[tokio::test(start_paused = true)]
async fn a_describe_that_ends_early_is_never_a_fact() {
    let whole = whole_describe().await;
    for end in (0..whole).step_by(7) {
        let fault = Fault::Cut(end);
        let machine = Machine::new(default_world()).with_fault("DescribeNetworkInterfaces", fault);
        let status = machine.status(&enable_forwarding()).await;
        assert_eq!(status["status"], "failed", "cut after {end} bytes: {status}");
        assert_eq!(machine.operations(), ["DescribeNetworkInterfaces"], "cut after {end} bytes");
    }
}

/// The length of the answer, found by asking how much may be cut off it.
async fn whole_describe() -> usize {
    const CLOSING: &str = "</DescribeNetworkInterfacesResponse>";
    let mut end = 400;
    loop {
        let fault = Fault::Cut(end);
        let machine = Machine::new(default_world()).with_fault("DescribeNetworkInterfaces", fault);
        if machine.status(&enable_forwarding()).await["status"] == "succeeded" {
            assert!(end > CLOSING.len());
            return end;
        }
        end += 1;
    }
}

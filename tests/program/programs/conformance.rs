//! The cases that routerd's own tests of its executor ask for and no recorded run shows, and what
//! this executor does better where nobody can have come to rely on it.

use serde_json::{Value, json};

use super::scripted::{Machine, default_world};

pub fn request(action: &str, mode: &str, parameters: &Value) -> Value {
    json!({"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
        "spec": {"action": action, "provider": "aws", "mode": mode, "idempotencyKey": "k1",
            "parameters": parameters, "context": {},
            "target": {"nicRef": "eni-1", "address": "10.88.60.9/32", "region": "ap-northeast-1",
                "routeTableRef": "rtb-1"}}})
}

fn world(changes: &Value) -> Value {
    let mut world = default_world();
    for (key, value) in changes.as_object().unwrap() {
        world[key] = value.clone();
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_route_of_somebody_else_is_left_alone() {
    let routes =
        json!([{"DestinationCidrBlock": "10.88.60.9/32", "NetworkInterfaceId": "eni-other"}]);
    let machine = Machine::new(world(&json!({"routes": routes})));
    let status =
        machine.status(&request("unassign-route-table-route", "execute", &json!({}))).await;
    assert_eq!(
        status,
        json!({"status": "skipped", "message":
            "route 10.88.60.9/32 in rtb-1 is held by eni-other, not eni-1; leaving it intact"})
    );
    assert_eq!(machine.operations(), ["DescribeRouteTables"]);
}

#[tokio::test(start_paused = true)]
async fn a_route_or_table_that_is_gone_is_absent() {
    let cases = [
        ("DescribeRouteTables", "(InvalidRouteTableID.NotFound): The routeTable does not exist"),
        ("DeleteRoute", "(InvalidRoute.NotFound): no route with that destination"),
    ];
    for (operation, error) in cases {
        let machine = Machine::new(default_world()).with_api_error(operation, error);
        let undo = request("unassign-route-table-route", "execute", &json!({}));
        let status = machine.status(&undo).await;
        let message = "route 10.88.60.9/32 already absent from rtb-1";
        assert_eq!(status, json!({"status": "skipped", "message": message}), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_can_neither_be_replaced_nor_created_names_both_errors() {
    let machine = Machine::new(default_world())
        .with_api_error("ReplaceRoute", "(InvalidRoute.NotFound): no such route")
        .with_api_error("CreateRoute", "(UnauthorizedOperation): no");
    let seize = request("assign-route-table-route", "execute", &json!({"allowReassignment": "on"}));
    let status = machine.status(&seize).await;
    assert_eq!(status["message"], "assign-route-table-route execute: replace/create route failed");
    assert_eq!(status["observed"]["permissionHint"], "ec2:CreateRoute/ec2:ReplaceRoute");
    let error = status["error"].as_str().unwrap();
    assert!(error.starts_with("replace: aws ec2 replace-route "), "{error}");
    assert!(error.contains("; create: aws ec2 create-route "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn previews_of_the_undo_of_a_route_only_look() {
    let machine = Machine::new(default_world());
    let status =
        machine.status(&request("unassign-route-table-route", "dry-run", &json!({}))).await;
    let message = "would delete route 10.88.60.9/32 from rtb-1";
    assert_eq!(status, json!({"status": "succeeded", "message": message}));
    assert_eq!(machine.operations(), ["DescribeRouteTables"]);
}

#[tokio::test(start_paused = true)]
async fn no_preview_ever_mutates() {
    for action in [
        "assign-secondary-ip",
        "unassign-secondary-ip",
        "assign-route-table-route",
        "unassign-route-table-route",
        "ensure-forwarding-enabled",
        "ensure-forwarding-disabled",
    ] {
        let machine = Machine::new(default_world());
        let parameters = json!({"allowReassignment": "true", "priorSourceDestCheck": "true"});
        machine.status(&request(action, "dry-run", &parameters)).await;
        let operations = machine.operations();
        assert!(operations.iter().all(|name| name.starts_with("Describe")), "{operations:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_field_of_a_route_is_required_in_turn() {
    let cases = [
        ("routeTableRef", "target.routeTableRef is required"),
        ("nicRef", "target.nicRef (ENI id) is required"),
        ("region", "target.region is required"),
        ("address", "target.address is required"),
    ];
    for (field, error) in cases {
        let mut without = request("assign-route-table-route", "execute", &json!({}));
        without["spec"]["target"].as_object_mut().unwrap().remove(field);
        let machine = Machine::new(default_world());
        let message = "assign-route-table-route: missing target field";
        let expected = json!({"status": "failed", "message": message, "error": error});
        assert_eq!(machine.status(&without).await, expected);
        assert_eq!(machine.operations(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn forwarding_needs_no_address() {
    let mut enable = request("ensure-forwarding-enabled", "dry-run", &json!({}));
    enable["spec"]["target"].as_object_mut().unwrap().remove("address");
    let status = Machine::new(default_world()).status(&enable).await;
    assert_eq!(status["status"], "succeeded");
}

/// The original takes a check that is not mentioned for one that is off, records that, and an undo
/// then leaves it off for ever.
#[tokio::test(start_paused = true)]
async fn a_check_that_is_not_mentioned_is_not_off() {
    for mode in ["dry-run", "execute"] {
        let machine = Machine::new(world(&json!({"sourceDestCheck": null})));
        let enable = request("ensure-forwarding-enabled", mode, &json!({}));
        let error = "describe-network-interfaces returned no SourceDestCheck for \"eni-1\"";
        let message = "ensure-forwarding-enabled: describe (capture prior) failed";
        let expected = json!({"status": "failed", "message": message, "error": error});
        assert_eq!(machine.status(&enable).await, expected);
        assert_eq!(machine.operations(), ["DescribeNetworkInterfaces"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_another_interface_is_none() {
    let machine = Machine::new(world(&json!({"answersFor": "eni-12"})));
    let enable = request("ensure-forwarding-enabled", "execute", &json!({}));
    let status = machine.status(&enable).await;
    let error = "describe-network-interfaces returned other interfaces than \"eni-1\"";
    assert_eq!(status["error"], error);
    assert_eq!(machine.operations(), ["DescribeNetworkInterfaces"]);
}

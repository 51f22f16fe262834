//! `lab-planner`: two plans from the one file that it reads, or the reason why not.

use lab::node::Output;
use serde_json::{Value, json};

use super::scripted::{Machine, default_world};

const FILE: &str = "/var/lib/lab-smoke/change-set.json";

fn change_set() -> Value {
    json!({"run_id": "run-1", "provider": "aws", "provider_ref": "aws-lab",
        "network_interface_id": "eni-1", "region": "ap-northeast-1", "address": "10.88.60.9/32",
        "allow_reassignment": false, "ttl": "2h"})
}

async fn plan(file: Option<&str>) -> Output {
    let mut machine = Machine::new(default_world());
    machine.files = file.map(|text| (FILE, text.to_owned())).into_iter().collect();
    lab_programs::planner::main(machine.process("lab-planner", "{\"kind\":\"PluginRequest\"}\n"))
        .await
}

#[tokio::test(start_paused = true)]
async fn the_plans_are_those_of_the_change_set() {
    let output = plan(Some(&change_set().to_string())).await;
    assert_eq!((output.code, output.stderr.as_slice()), (0, [].as_slice()));
    let target = json!({"provider": "aws", "providerRef": "aws-lab", "nicRef": "eni-1",
        "region": "ap-northeast-1", "address": "10.88.60.9/32"});
    let expected = json!({
        "apiVersion": "plugin.routerd.net/v1alpha1", "kind": "PluginResult",
        "metadata": {"name": "lab-planner"},
        "status": {"observedAt": "0001-01-01T00:00:00Z", "ttl": "2h",
            "resources": [], "directives": [], "events": [],
            "actionPlans": [
                {"name": "assign-secondary-ip", "provider": "aws",
                    "action": "assign-secondary-ip", "providerRef": "aws-lab", "mode": "dry-run",
                    "riskLevel": "medium", "target": target,
                    "idempotencyKey": "run-1:aws:eni-1:assign-secondary-ip:10.88.60.9/32",
                    "undo": {"action": "unassign-secondary-ip"}},
                {"name": "ensure-forwarding-enabled", "provider": "aws",
                    "action": "ensure-forwarding-enabled", "providerRef": "aws-lab",
                    "mode": "dry-run", "riskLevel": "medium", "target": target,
                    "idempotencyKey": "run-1:aws:eni-1:ensure-forwarding-enabled",
                    "parameters": {"sourceDestCheck": "false"},
                    "undo": {"action": "ensure-forwarding-disabled"}}]}});
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_is_not_right_makes_no_plan() {
    let mut for_a_subnet = change_set();
    for_a_subnet["address"] = "10.88.60.0/24".into();
    let cases = [
        (None, "entity not found"),
        (Some("{".into()), "EOF while parsing an object at line 1 column 1"),
        (Some("{}".into()), "missing field `run_id` at line 1 column 2"),
        (Some(for_a_subnet.to_string()), "address: 10.88.60.0/24 is not one host (/32)"),
    ];
    for (file, reason) in cases {
        let output = plan(file.as_deref()).await;
        let line = format!("lab-planner: {FILE}: {reason}\n");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), line);
        assert_eq!((output.code, output.stdout.as_slice()), (1, [].as_slice()));
    }
}

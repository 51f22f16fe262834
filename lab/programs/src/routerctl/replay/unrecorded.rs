//! Behaviour that no record shows: approval by policy, fencing at execution, and whose undo
//! parameters win.

use serde_json::{Value, json};

use super::aws::Eni;
use super::call;
use super::host::TestHost;
use lab::node::Output;

const EXECUTOR: &str =
    "/usr/local/libexec/routerd/plugins/aws-provider-executor/bin/aws-provider-executor";

struct ReplayLab {
    host: TestHost,
    _folder: tempfile::TempDir,
}

/// One ENI whose check is off, and a policy that needs, or does not need, an approval.
fn lab(require_approval: bool, plan: &Value) -> ReplayLab {
    let router = json!({"spec": {"resources": [
        {"kind": "ProviderActionPolicy", "metadata": {"name": "lab"}, "spec": {
            "enabled": true, "dryRunOnly": false, "requireApproval": require_approval,
            "allowedProviders": ["aws"], "maxActionsPerRun": 1, "allowUndo": true,
            "allowedActions": ["ensure-forwarding-enabled"],
        }},
        {"kind": "Plugin", "metadata": {"name": "aws-executor"}, "spec": {
            "executable": EXECUTOR, "capabilities": ["execute.providerAction"],
        }},
        {"kind": "Plugin", "metadata": {"name": "lab-planner"}, "spec": {
            "executable": super::host::PLANNER,
        }},
    ]}});
    let answer = json!({
        "apiVersion": "plugin.routerd.net/v1alpha1", "kind": "PluginResult",
        "status": {"ttl": "1h", "actionPlans": [plan]},
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("router.yaml"), router.to_string()).unwrap();
    let host = TestHost::new(folder.path());
    let eni: Eni = serde_json::from_value(json!({
        "networkInterfaceId": "eni-1", "sourceDestCheck": false,
        "privateIpAddresses": ["10.88.60.4"], "apiErrors": {},
    }))
    .unwrap();
    let raw = serde_json::value::to_raw_value(&answer).unwrap();
    host.prepare(&eni, Some(&*raw), None);
    let lab = ReplayLab { host, _folder: folder };
    assert_eq!(lab.run("plugin run lab-planner").code, 0);
    assert_eq!(lab.run("action import").code, 0);
    lab
}

fn forwarding() -> Value {
    json!({
        "name": "f", "provider": "aws", "action": "ensure-forwarding-enabled",
        "idempotencyKey": "k", "target": {"nicRef": "eni-1", "region": "ap-northeast-1"},
        "undo": {"action": "ensure-forwarding-disabled"},
    })
}

impl ReplayLab {
    fn run(&self, command: &str) -> Output {
        let argv: Vec<String> = format!("routerctl {command}").split(' ').map(Into::into).collect();
        call(&self.host, &argv)
    }

    fn row(&self) -> Value {
        serde_json::from_slice(&self.run("action show 1 -o json").stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_policy_that_approves_by_itself_signs_the_row() {
    for (require_approval, code, status, approved_by) in
        [(true, 1, "pending", Value::Null), (false, 0, "succeeded", json!("policy:auto-approve"))]
    {
        let lab = lab(require_approval, &forwarding());
        assert_eq!(lab.run("action execute 1 --approved").code, code);
        let row = lab.row();
        assert_eq!((&row["status"], &row["approvedBy"]), (&json!(status), &approved_by));
    }
}

#[test]
fn a_stale_plan_is_skipped_with_exit_code_0_and_reopened_without_its_approval() {
    let lab = lab(true, &forwarding());
    lab.run("action approve 1");
    lab.host.run_sql(
        "UPDATE action_executions SET parameters_json = \
         '{\"mobilityAssignmentGeneration\":\"1\",\"mobilityAssignmentLeaseUntil\":\"2026-11-22T00:00:00Z\"}'",
    );
    let output = lab.run("action execute 1 --approved");
    assert_eq!(
        (output.code, text(&output.stdout)),
        (0, "action 1 executed: status now skipped (stale mobility assignment: lease expired)\n")
    );
    assert_eq!(lab.row()["approvedBy"], "operator");
    lab.run("action import");
    let row = lab.row();
    assert_eq!((&row["status"], &row["approvedBy"]), (&json!("pending"), &Value::Null));
}

#[test]
fn what_the_planner_wrote_wins_over_what_was_observed() {
    let mut plan = forwarding();
    plan["undo"]["parameters"] = json!({"priorSourceDestCheck": "true"});
    for (plan, code, status) in [(forwarding(), 1, "succeeded"), (plan, 0, "rolledBack")] {
        let lab = lab(true, &plan);
        lab.run("action approve 1");
        lab.run("action execute 1 --approved");
        assert_eq!(lab.row()["observed"]["priorSourceDestCheck"], "false");
        assert_eq!(lab.run("action rollback 1 --approved").code, code);
        assert_eq!(lab.row()["status"], status);
    }
}

#[test]
fn an_abandoned_generation_is_imported_until_it_expires() {
    let lab = lab(true, &forwarding());
    lab.run("plugin run lab-planner");
    assert_eq!(
        text(&lab.run("action import").stdout),
        "imported 2 action(s): 0 inserted, 2 duplicate, 0 skipped (missing idempotencyKey)\n"
    );
    lab.host.run_sql("UPDATE dynamic_config_parts SET expires_at = '2026-11-22T00:00:00Z'");
    assert_eq!(
        text(&lab.run("action import").stdout),
        "imported 0 action(s): 0 inserted, 0 duplicate, 0 skipped (missing idempotencyKey)\n"
    );
    assert_eq!(lab.row()["status"], "pending");
}

#[test]
fn what_this_stand_in_does_not_do_is_never_answered_as_done() {
    let lab = lab(true, &forwarding());
    for command in
        ["apply -f x", "doctor", "doctor wan", "doctor hybrid --incident", "dynamic render"]
    {
        let output = lab.run(command);
        assert_eq!(output.code, 1, "{command}");
        assert!(text(&output.stderr).contains("not part of this stand-in"), "{command}");
    }
}

/// The mock runs it inside futures that the AWS SDK holds.
#[test]
fn a_call_may_move_between_threads() {
    fn is_send(_: impl Send) {}
    let lab = lab(true, &forwarding());
    is_send(crate::routerctl::main(crate::process::Process {
        argv: Vec::new(),
        env: std::collections::BTreeMap::new(),
        stdin: Vec::new(),
        host: &lab.host,
    }));
}

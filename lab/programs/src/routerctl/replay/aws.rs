//! The recorded executor, played against the recorded ENI: its words, its order of calls, and
//! its oddities (a failed modify forgets the prior state).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Eni {
    network_interface_id: String,
    source_dest_check: bool,
    private_ip_addresses: Vec<String>,
    api_errors: BTreeMap<String, ApiError>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiError {
    error: String,
    /// The change landed, its answer was lost.
    applied_all_the_same: bool,
}

impl Eni {
    fn call(
        &mut self,
        operation: &str,
        argv: &str,
        apply: impl FnOnce(&mut Self),
    ) -> Result<(), String> {
        let error = self.api_errors.get(operation).cloned();
        if error.as_ref().is_none_or(|error| error.applied_all_the_same) {
            apply(self);
        }
        match error {
            Some(error) => Err(format!("aws {argv}: exit status 254: {}", error.error)),
            None => Ok(()),
        }
    }

    fn modify(&mut self, argv: &str, check: bool) -> Result<(), String> {
        self.call("ModifyNetworkInterfaceAttribute", argv, |eni| eni.source_dest_check = check)
    }
}

pub fn execute_request(eni: &mut Eni, stdin: &[u8]) -> String {
    let request: Value = serde_json::from_slice(stdin).unwrap();
    assert_eq!(request["kind"], "ExecuteActionRequest");
    assert_eq!(request["spec"]["context"], json!({}));
    let status = status(eni, &request["spec"]);
    json!({
        "apiVersion": "provideraction.routerd.net/v1alpha1",
        "kind": "ExecuteActionResult",
        "status": status,
    })
    .to_string()
}

fn status(eni: &mut Eni, spec: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nic = text(&spec["target"]["nicRef"]);
    assert_eq!(nic, eni.network_interface_id);
    let address = text(&spec["target"]["address"]).trim_end_matches("/32").to_owned();
    let tail = format!("--region {}", text(&spec["target"]["region"]));
    let prior = text(&spec["parameters"]["priorSourceDestCheck"]);
    let observed = json!({ "priorSourceDestCheck": eni.source_dest_check.to_string() });
    let addresses = format!("--network-interface-id {nic} --private-ip-addresses {address} {tail}");
    let modify = |flag: &str| {
        format!("ec2 modify-network-interface-attribute --network-interface-id {nic} {flag} {tail}")
    };
    match (text(&spec["action"]).as_str(), text(&spec["mode"]).as_str(), prior.as_str()) {
        ("assign-secondary-ip", "dry-run", _) => {
            succeeded(&format!("would assign {address} to {nic}"), &json!({}))
        }
        ("assign-secondary-ip", "execute", _) => {
            let argv = format!("ec2 assign-private-ip-addresses {addresses}");
            let added = address.clone();
            match eni.call("AssignPrivateIpAddresses", &argv, |eni| {
                eni.private_ip_addresses.push(added);
            }) {
                Ok(()) => succeeded(
                    &format!("assigned {address} to {nic}"),
                    &json!({ "assignedAddress": address }),
                ),
                Err(error) => failed("assign-secondary-ip execute: assign failed", &error),
            }
        }
        ("ensure-forwarding-enabled", "dry-run", _) => {
            succeeded("would set SourceDestCheck=false", &observed)
        }
        ("ensure-forwarding-enabled", "execute", _) => {
            let was = eni.source_dest_check;
            match eni.modify(&modify("--no-source-dest-check"), false) {
                Ok(()) => succeeded(
                    &format!("disabled SourceDestCheck on {nic} (prior={was})"),
                    &observed,
                ),
                Err(error) => failed("ensure-forwarding-enabled execute: modify failed", &error),
            }
        }
        ("unassign-secondary-ip", "execute", _) => {
            eni.private_ip_addresses.retain(|one| *one != address);
            succeeded(&format!("unassigned {address} from {nic}"), &json!({}))
        }
        ("ensure-forwarding-disabled", _, "false") => json!({
            "status": "skipped",
            "message": "prior SourceDestCheck was already false; nothing to restore",
            "observed": { "priorSourceDestCheck": "false" },
        }),
        ("ensure-forwarding-disabled", "dry-run", "true") => {
            succeeded("would re-enable SourceDestCheck (restore prior=true)", &observed)
        }
        ("ensure-forwarding-disabled", "execute", "true") => {
            eni.modify(&modify("--source-dest-check"), true).unwrap();
            succeeded(
                &format!("re-enabled SourceDestCheck on {nic} (restored prior=true)"),
                &observed,
            )
        }
        other => panic!("no record asks the executor for {other:?}"),
    }
}

fn succeeded(message: &str, observed: &Value) -> Value {
    json!({ "status": "succeeded", "message": message, "observed": observed, "undoAvailable": true })
}

fn failed(message: &str, error: &str) -> Value {
    let observed = if error.contains("UnauthorizedOperation") {
        json!({
            "failureClass": "authorization",
            "permissionHint": "ec2:AssignPrivateIpAddresses",
        })
    } else {
        json!({})
    };
    json!({ "status": "failed", "message": message, "error": error, "observed": observed })
}

//! The change that one run makes, and the two plans of routerd that make it: the harness writes this
//! file on the routerd node, the planner makes the plans from it, and the harness compares what
//! routerd stored with the same plans.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use reports::record::Goal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::golang::parse_duration;

/// Where the change set lies on the routerd node: the one file that the planner reads.
pub const PATH: &str = "/var/lib/lab-smoke/change-set.json";

/// Read strictly: a key too many, too few or of another type is refused by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawChangeSet")]
pub struct ChangeSet {
    /// Part of both idempotency keys, so that each run's rows are its own.
    pub run_id: String,
    /// `aws`.
    pub provider: String,
    /// The name of router.yaml's `CloudProviderProfile`.
    pub provider_ref: String,
    pub network_interface_id: String,
    pub region: String,
    /// One host, as `10.88.60.9/32`.
    pub address: Ipv4Net,
    /// May the address be taken from another interface?
    pub allow_reassignment: bool,
    /// How long routerd imports the plans, as a Go duration: `2h`.
    pub ttl: String,
}

/// The fields before their types are known, so that an error can name the one it is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChangeSet {
    run_id: Value,
    provider: Value,
    provider_ref: Value,
    network_interface_id: Value,
    region: Value,
    address: Value,
    allow_reassignment: Value,
    ttl: Value,
}

impl TryFrom<RawChangeSet> for ChangeSet {
    type Error = String;

    fn try_from(document: RawChangeSet) -> Result<Self, String> {
        let change_set = Self {
            run_id: typed("run_id", document.run_id)?,
            provider: typed("provider", document.provider)?,
            provider_ref: typed("provider_ref", document.provider_ref)?,
            network_interface_id: typed("network_interface_id", document.network_interface_id)?,
            region: typed("region", document.region)?,
            address: typed("address", document.address)?,
            allow_reassignment: typed("allow_reassignment", document.allow_reassignment)?,
            ttl: typed("ttl", document.ttl)?,
        };
        change_set.check()?;
        Ok(change_set)
    }
}

fn typed<T: DeserializeOwned>(field: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("{field}: {error}"))
}

impl ChangeSet {
    /// # Errors
    /// Which field cannot be right, and what it should be.
    pub fn check(&self) -> Result<(), String> {
        if self.provider != "aws" {
            return Err(format!("provider: {:?} is not \"aws\"", self.provider));
        }
        for (field, value) in [
            ("run_id", &self.run_id),
            ("provider_ref", &self.provider_ref),
            ("network_interface_id", &self.network_interface_id),
            ("region", &self.region),
        ] {
            if !is_name(value) {
                return Err(format!("{field}: {value:?} is not a name (letters, digits, -._)"));
            }
        }
        if !self.network_interface_id.starts_with("eni-") {
            let id = &self.network_interface_id;
            return Err(format!("network_interface_id: {id:?} does not begin with eni-"));
        }
        if self.address.prefix_len() != 32 {
            return Err(format!("address: {} is not one host (/32)", self.address));
        }
        if !is_positive_go_duration(&self.ttl) {
            return Err(format!("ttl: {:?} is not a Go duration above zero, as 2h", self.ttl));
        }
        Ok(())
    }

    /// The addresses to be captured. Here is the limit of one: the file and the manifest name one
    /// each. Whoever gives both a list answers all of it here, and everything that is made of the
    /// change set (plans, rows, undo steps) has as many; the scenarios of the acceptance look at the
    /// manifest's one address, and `RESERVE_BYTES` of the undo plan is room for a dozen steps.
    pub fn addresses(&self) -> Vec<Ipv4Net> {
        vec![self.address]
    }

    /// Assign first, so that an undo in reverse order takes the addresses off last.
    pub fn actions(&self) -> Vec<CaptureAction> {
        let assign = self.addresses().into_iter().map(CaptureAction::Assign);
        assign.chain([CaptureAction::Forwarding]).collect()
    }

    /// The plans of all actions, in their order.
    pub fn plans(&self) -> Vec<ActionPlan> {
        self.actions().into_iter().map(|action| self.plan(action)).collect()
    }

    /// The idempotency keys of the plans: no other run's.
    pub fn keys(&self) -> Vec<String> {
        self.plans().into_iter().map(|plan| plan.idempotency_key).collect()
    }

    /// routerd's plan of one action. The forwarding plan names an address too, though it changes the
    /// whole interface: routerd's policy denies a plan without one. No undo names a prior state:
    /// routerd puts in what it saw.
    pub fn plan(&self, action: CaptureAction) -> ActionPlan {
        let (address, key, parameters) = match action {
            CaptureAction::Assign(address) if self.allow_reassignment => {
                (address, format!(":{address}"), texts([("allowReassignment", "true")]))
            }
            CaptureAction::Assign(address) => (address, format!(":{address}"), BTreeMap::new()),
            CaptureAction::Forwarding => {
                (self.address, String::new(), texts([("sourceDestCheck", "false")]))
            }
        };
        let (undo, action) = (action.undo(), action.name());
        let Self { run_id, provider, provider_ref, network_interface_id: eni, .. } = self;
        let address = address.to_string();
        ActionPlan {
            name: action.into(),
            provider: provider.clone(),
            action: action.into(),
            target: texts([
                ("provider", provider),
                ("providerRef", provider_ref),
                ("nicRef", eni),
                ("region", &self.region),
                ("address", &address),
            ]),
            provider_ref: provider_ref.clone(),
            mode: "dry-run".into(),
            risk_level: "medium".into(),
            idempotency_key: format!("{run_id}:{provider}:{eni}:{action}{key}"),
            parameters,
            undo: Some(ActionUndo { action: undo.into(), parameters: BTreeMap::new() }),
            ..ActionPlan::default()
        }
    }
}

/// One of the actions that capture addresses: what routerd calls it, and what the ENI is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureAction {
    /// The ENI gets this secondary address.
    Assign(Ipv4Net),
    /// The ENI's source/dest check is set off, so that it forwards.
    Forwarding,
}

impl CaptureAction {
    /// The state of the ENI once it is done.
    pub fn goal(self) -> Goal {
        match self {
            Self::Assign(address) => Goal::Assigned(address.addr()),
            Self::Forwarding => Goal::SourceDestCheck(false),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Assign(_) => "assign-secondary-ip",
            Self::Forwarding => "ensure-forwarding-enabled",
        }
    }

    fn undo(self) -> &'static str {
        match self {
            Self::Assign(_) => "unassign-secondary-ip",
            Self::Forwarding => "ensure-forwarding-disabled",
        }
    }
}

/// routerd's `actionPlan`: its keys, its order, empty ones left out as routerd leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionPlan {
    pub name: String,
    pub provider: String,
    pub action: String,
    pub target: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider_ref: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mode: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub risk_level: String,
    /// Without one, routerd does not import the plan.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub idempotency_key: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<ActionCheck>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_effects: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<ActionUndo>,
}

/// A precondition that routerd shows and never evaluates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionCheck {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expect: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub target: BTreeMap<String, String>,
}

/// The action of routerd that takes an [`ActionPlan`] back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionUndo {
    pub action: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}

fn is_positive_go_duration(text: &str) -> bool {
    parse_duration(text).is_ok_and(|nanos| nanos > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({"run_id": "20261122-7f3a", "provider": "aws", "provider_ref": "aws-lab",
            "network_interface_id": "eni-1", "region": "ap-northeast-1",
            "address": "10.88.60.9/32", "allow_reassignment": false, "ttl": "2h"})
    }

    #[test]
    fn the_plans_are_what_routerd_takes() {
        let change_set: ChangeSet = serde_json::from_value(document()).expect("it is right");
        let target = json!({"provider": "aws", "providerRef": "aws-lab", "nicRef": "eni-1",
            "region": "ap-northeast-1", "address": "10.88.60.9/32"});
        let expected = json!([
            {"name": "assign-secondary-ip", "provider": "aws", "action": "assign-secondary-ip",
             "target": target, "providerRef": "aws-lab", "mode": "dry-run", "riskLevel": "medium",
             "idempotencyKey": "20261122-7f3a:aws:eni-1:assign-secondary-ip:10.88.60.9/32",
             "undo": {"action": "unassign-secondary-ip"}},
            {"name": "ensure-forwarding-enabled", "provider": "aws",
             "action": "ensure-forwarding-enabled", "target": target, "providerRef": "aws-lab",
             "mode": "dry-run", "riskLevel": "medium",
             "idempotencyKey": "20261122-7f3a:aws:eni-1:ensure-forwarding-enabled",
             "parameters": {"sourceDestCheck": "false"},
             "undo": {"action": "ensure-forwarding-disabled"}}]);
        assert_eq!(serde_json::to_value(change_set.plans()).ok(), Some(expected.clone()));
        let keys = ["assign-secondary-ip:10.88.60.9/32", "ensure-forwarding-enabled"];
        assert_eq!(change_set.keys(), keys.map(|key| format!("20261122-7f3a:aws:eni-1:{key}")));
        let read: Vec<ActionPlan> = serde_json::from_value(expected).expect("they read back");
        assert_eq!(read, change_set.plans());
    }

    #[test]
    fn an_address_may_be_seized_only_where_the_change_set_says_so() {
        let mut document = document();
        document["allow_reassignment"] = true.into();
        let change_set: ChangeSet = serde_json::from_value(document).expect("it is right");
        let plans = change_set.plans();
        assert_eq!(plans[0].parameters, texts([("allowReassignment", "true")]));
        assert_eq!(plans[1].parameters, texts([("sourceDestCheck", "false")]));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_field() {
        let cases = [
            ("run_id", json!(""), "run_id: \"\" is not a name (letters, digits, -._)"),
            ("run_id", json!(7), "run_id: invalid type: integer `7`, expected a string"),
            ("provider", json!("azure"), "provider: \"azure\" is not \"aws\""),
            ("network_interface_id", json!("i-1"), "network_interface_id: \"i-1\" does not begin"),
            ("region", json!("a b"), "region: \"a b\" is not a name"),
            ("address", json!("10.88.60.0/24"), "address: 10.88.60.0/24 is not one host (/32)"),
            ("address", json!("10.88.60.9"), "address: invalid IP address syntax"),
            ("allow_reassignment", json!("true"), "allow_reassignment: invalid type: string"),
            ("ttl", json!("2 hours"), "ttl: \"2 hours\" is not a Go duration above zero, as 2h"),
            ("ttl", json!("0s"), "ttl: \"0s\" is not a Go duration"),
            ("surprise", json!(1), "unknown field `surprise`"),
        ];
        for (field, value, reason) in cases {
            let mut document = document();
            document[field] = value;
            let error = serde_json::from_value::<ChangeSet>(document).expect_err(reason);
            assert!(error.to_string().starts_with(reason), "{error}");
        }
        for field in document().as_object().expect("it is an object").keys() {
            let mut document = document();
            document.as_object_mut().expect("it is an object").remove(field);
            let error = serde_json::from_value::<ChangeSet>(document).expect_err("it is missing");
            assert_eq!(error.to_string(), format!("missing field `{field}`"));
        }
    }

    #[test]
    fn durations_are_gos() {
        for good in ["2h", "1h30m", "1.5h", "90s", "100ms", "0h1m"] {
            assert!(is_positive_go_duration(good), "{good}");
        }
        for bad in ["", "2", "h", "2h30", "-2h", "0s", "1.2.3h", "2d", "1e3s"] {
            assert!(!is_positive_go_duration(bad), "{bad}");
        }
    }
}

//! A plan: what a planner proposes, and the rules that routerd checks before it stores it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_yaml_ng::Value;

use super::config::{get_member, read_text, read_texts, text_map};
use super::go::doc::{Doc, DocMap, make_string_map};
use lab::golang::quote;

const PROVIDERS: [&str; 4] = ["aws", "azure", "oci", "gcp"];
const RISK_LEVELS: [&str; 3] = ["low", "medium", "high"];
const ACTIONS: [&str; 6] = [
    "assign-secondary-ip",
    "unassign-secondary-ip",
    "assign-route-table-route",
    "unassign-route-table-route",
    "ensure-forwarding-enabled",
    "ensure-forwarding-disabled",
];

/// The order of the members is that of the stored JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProposedPlan {
    pub name: String,
    pub provider: String,
    pub action: String,
    /// `None` where the planner gave none: printed as null.
    pub target: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider_ref: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub risk_level: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub idempotency_key: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<PlanCheck>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected_effects: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<ProposedUndo>,
}

/// Shown, never evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanCheck {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expect: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub target: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProposedUndo {
    pub action: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl ProposedPlan {
    pub fn target(&self, key: &str) -> &str {
        self.target.as_ref().and_then(|target| target.get(key)).map_or("", String::as_str)
    }

    pub fn parameter(&self, key: &str) -> &str {
        self.parameters.get(key).map_or("", |value| value.trim())
    }

    pub fn from_yaml(value: &Value) -> Result<Self, String> {
        let list = |key: &str| match get_member(value, key) {
            Value::Sequence(items) => items.clone(),
            _ => Vec::new(),
        };
        let undo = match get_member(value, "undo") {
            Value::Null => None,
            undo => Some(ProposedUndo {
                action: read_text(get_member(undo, "action"))?,
                parameters: text_map(get_member(undo, "parameters"))?,
            }),
        };
        Ok(Self {
            name: read_text(get_member(value, "name"))?,
            provider: read_text(get_member(value, "provider"))?,
            action: read_text(get_member(value, "action"))?,
            target: match get_member(value, "target") {
                Value::Null => None,
                target => Some(text_map(target)?),
            },
            provider_ref: read_text(get_member(value, "providerRef"))?,
            mode: read_text(get_member(value, "mode"))?,
            description: read_text(get_member(value, "description"))?,
            risk_level: read_text(get_member(value, "riskLevel"))?,
            idempotency_key: read_text(get_member(value, "idempotencyKey"))?,
            parameters: text_map(get_member(value, "parameters"))?,
            preconditions: list("preconditions").iter().map(check).collect::<Result<_, _>>()?,
            expected_effects: read_texts(get_member(value, "expectedEffects"))?,
            undo,
        })
    }

    pub fn doc(&self) -> Doc {
        let checks = self.preconditions.iter().map(|check| {
            DocMap::new()
                .put("name", check.name.as_str())
                .text("expect", &check.expect)
                .text("detail", &check.detail)
                .strings("target", &check.target)
                .done()
        });
        let fields = DocMap::new()
            .put("name", self.name.as_str())
            .put("provider", self.provider.as_str())
            .put("action", self.action.as_str())
            .put("target", self.target.as_ref().map_or(Doc::Nil, make_string_map))
            .text("providerRef", &self.provider_ref)
            .text("mode", &self.mode)
            .text("description", &self.description)
            .text("riskLevel", &self.risk_level)
            .text("idempotencyKey", &self.idempotency_key)
            .strings("parameters", &self.parameters)
            .list("preconditions", checks.collect())
            .list(
                "expectedEffects",
                self.expected_effects.iter().map(|effect| effect.as_str().into()).collect(),
            );
        match &self.undo {
            None => fields.done(),
            Some(undo) => fields
                .put(
                    "undo",
                    DocMap::new()
                        .put("action", undo.action.as_str())
                        .strings("parameters", &undo.parameters)
                        .done(),
                )
                .done(),
        }
    }

    /// The rules in routerd's order.
    pub fn validate(&self) -> Result<(), String> {
        let name = quote(&self.name);
        let blank = |text: &str| text.trim().is_empty();
        if blank(&self.name) {
            return Err("actionPlan name is required".into());
        }
        if blank(&self.provider) {
            return Err(format!("actionPlan {name} provider is required"));
        }
        if !PROVIDERS.contains(&self.provider.as_str()) {
            return Err(format!(
                "actionPlan {name} provider {} must be one of {}",
                quote(&self.provider),
                PROVIDERS.join(", ")
            ));
        }
        if blank(&self.action) {
            return Err(format!("actionPlan {name} action is required"));
        }
        known_action(&self.action).map_err(|rest| format!("actionPlan {name} action {rest}"))?;
        self.validate_target()
            .map_err(|rest| format!("actionPlan {name} action {} {rest}", quote(&self.action)))?;
        match self.mode.as_str() {
            "" | "dry-run" => {}
            "execute" => {
                return Err("actionPlan mode=execute is not supported; provider actions are \
                            dry-run/display-only in Phase 4.1"
                    .into());
            }
            mode => {
                return Err(format!(
                    "actionPlan {name} mode {} must be empty or dry-run",
                    quote(mode)
                ));
            }
        }
        if !self.risk_level.is_empty() && !RISK_LEVELS.contains(&self.risk_level.as_str()) {
            return Err(format!(
                "actionPlan {name} riskLevel {} must be one of {}",
                quote(&self.risk_level),
                RISK_LEVELS.join(", ")
            ));
        }
        match &self.undo {
            Some(undo) if blank(&undo.action) => {
                Err(format!("actionPlan {name} undo.action is required"))
            }
            Some(undo) => known_action(&undo.action)
                .map_err(|rest| format!("actionPlan {name} undo.action {rest}")),
            None => Ok(()),
        }
    }

    /// The forwarding verbs need nothing.
    fn validate_target(&self) -> Result<(), String> {
        let required: &[&str] = match self.action.as_str() {
            "assign-secondary-ip" | "unassign-secondary-ip" => &["address", "nicRef"],
            "assign-route-table-route" | "unassign-route-table-route" => {
                &["address", "routeTableRef", "nicRef"]
            }
            _ => return Ok(()),
        };
        if let Some(key) = required.iter().find(|key| self.target(key).trim().is_empty()) {
            return Err(format!("requires target.{key}"));
        }
        if self.target("captureStrategy").trim() == "route-table"
            && self.target("routeTableRef").trim().is_empty()
        {
            return Err(
                "with target.captureStrategy route-table requires target.routeTableRef".into()
            );
        }
        Ok(())
    }
}

fn check(value: &Value) -> Result<PlanCheck, String> {
    Ok(PlanCheck {
        name: read_text(get_member(value, "name"))?,
        expect: read_text(get_member(value, "expect"))?,
        detail: read_text(get_member(value, "detail"))?,
        target: text_map(get_member(value, "target"))?,
    })
}

fn known_action(action: &str) -> Result<(), String> {
    if ACTIONS.contains(&action) {
        return Ok(());
    }
    Err(format!("{} must be one of {}", quote(action), ACTIONS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign() -> ProposedPlan {
        let target = [("address", "10.88.60.9/32"), ("nicRef", "eni-1")];
        ProposedPlan {
            name: "a".into(),
            provider: "aws".into(),
            action: "assign-secondary-ip".into(),
            target: Some(target.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            ..ProposedPlan::default()
        }
    }

    #[test]
    fn each_rule_has_its_words() {
        type Edit = fn(&mut ProposedPlan);
        let cases: [(Edit, &str); 14] = [
            (|p| p.name.clear(), "actionPlan name is required"),
            (|p| p.provider.clear(), r#"actionPlan "a" provider is required"#),
            (
                |p| p.provider = "AWS".into(),
                r#"actionPlan "a" provider "AWS" must be one of aws, azure, oci, gcp"#,
            ),
            (|p| p.action.clear(), r#"actionPlan "a" action is required"#),
            (
                |p| p.action = "x".into(),
                r#"actionPlan "a" action "x" must be one of assign-secondary-ip, unassign-secondary-ip, assign-route-table-route, unassign-route-table-route, ensure-forwarding-enabled, ensure-forwarding-disabled"#,
            ),
            (
                |p| p.target = None,
                r#"actionPlan "a" action "assign-secondary-ip" requires target.address"#,
            ),
            (
                |p| drop(p.target.as_mut().map(|t| t.remove("nicRef"))),
                r#"actionPlan "a" action "assign-secondary-ip" requires target.nicRef"#,
            ),
            (
                |p| {
                    let target = p.target.get_or_insert_default();
                    target.insert("captureStrategy".into(), "route-table".into());
                },
                r#"actionPlan "a" action "assign-secondary-ip" with target.captureStrategy route-table requires target.routeTableRef"#,
            ),
            (
                |p| p.action = "assign-route-table-route".into(),
                r#"actionPlan "a" action "assign-route-table-route" requires target.routeTableRef"#,
            ),
            (
                |p| p.mode = "execute".into(),
                "actionPlan mode=execute is not supported; provider actions are dry-run/display-only in Phase 4.1",
            ),
            (|p| p.mode = "live".into(), r#"actionPlan "a" mode "live" must be empty or dry-run"#),
            (
                |p| p.risk_level = "fatal".into(),
                r#"actionPlan "a" riskLevel "fatal" must be one of low, medium, high"#,
            ),
            (
                |p| p.undo = Some(ProposedUndo::default()),
                r#"actionPlan "a" undo.action is required"#,
            ),
            (
                |p| p.undo = Some(ProposedUndo { action: "x".into(), ..ProposedUndo::default() }),
                r#"actionPlan "a" undo.action "x" must be one of assign-secondary-ip, unassign-secondary-ip, assign-route-table-route, unassign-route-table-route, ensure-forwarding-enabled, ensure-forwarding-disabled"#,
            ),
        ];
        assert_eq!(assign().validate(), Ok(()));
        for (edit, error) in cases {
            let mut plan = assign();
            edit(&mut plan);
            assert_eq!(plan.validate(), Err(error.to_owned()));
        }
    }

    #[test]
    fn a_forwarding_plan_needs_no_target() {
        let plan =
            ProposedPlan { action: "ensure-forwarding-enabled".into(), target: None, ..assign() };
        assert_eq!(plan.validate(), Ok(()));
    }
}

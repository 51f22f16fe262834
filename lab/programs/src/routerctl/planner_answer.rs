//! A planner's answer (`PluginResult`): how it is read, checked, and made a stored part.

use chrono::{DateTime, TimeDelta, Utc};
use reports::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_yaml_ng::Value;

use super::config::{get_member, read_text};
use super::go::doc::{Doc, DocMap};
use super::go::json;
use super::go::time::{Time, parse_time};
use super::go::yaml::format_yaml_error;
use super::plan::ProposedPlan;
use super::store::parts::StoredPart;
use lab::golang::{parse_duration, quote};

const API_VERSION: &str = "plugin.routerd.net/v1alpha1";

#[derive(Debug)]
pub struct PlannerAnswer {
    api_version: String,
    kind: String,
    observed_at: Time,
    ttl: String,
    /// `None` where the planner left the member out: it is printed and hashed as null.
    resources: Option<usize>,
    pub directives: Option<Vec<Directive>>,
    pub plans: Vec<ProposedPlan>,
    pub events: usize,
}

/// Masks a resource of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Directive {
    pub op: String,
    pub target: DirectiveTarget,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DirectiveTarget {
    pub api_version: String,
    pub kind: String,
    pub name: String,
}

impl DirectiveTarget {
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.api_version, self.kind, self.name)
    }
}

impl Directive {
    pub fn decode(column: &str) -> Result<Option<Vec<Self>>, String> {
        if column.trim().is_empty() { Ok(None) } else { json::decode(column.as_bytes()) }
    }

    pub fn docs(directives: Option<&[Self]>) -> Doc {
        let doc = |directive: &Self| {
            let target = DocMap::new()
                .put("apiVersion", directive.target.api_version.as_str())
                .put("kind", directive.target.kind.as_str())
                .put("name", directive.target.name.as_str())
                .done();
            DocMap::new()
                .put("op", directive.op.as_str())
                .put("target", target)
                .text("reason", &directive.reason)
                .done()
        };
        directives.map_or(Doc::Nil, |all| Doc::List(all.iter().map(doc).collect()))
    }

    fn from_yaml(value: &Value) -> Result<Self, String> {
        let target = get_member(value, "target");
        Ok(Self {
            op: read_text(get_member(value, "op"))?,
            target: DirectiveTarget {
                api_version: read_text(get_member(target, "apiVersion"))?,
                kind: read_text(get_member(target, "kind"))?,
                name: read_text(get_member(target, "name"))?,
            },
            reason: read_text(get_member(value, "reason"))?,
        })
    }

    fn validate(&self) -> Result<(), String> {
        if self.op != "mask" {
            return Err("op must be mask".into());
        }
        for (value, field) in [
            (&self.target.api_version, "apiVersion"),
            (&self.target.kind, "kind"),
            (&self.target.name, "name"),
        ] {
            if value.trim().is_empty() {
                return Err(format!("target.{field} is required"));
            }
        }
        Ok(())
    }
}

impl PlannerAnswer {
    /// The answer is read as YAML, which JSON is.
    pub fn read(stdout: &[u8]) -> Result<Self, String> {
        let document: Value = if stdout.iter().all(u8::is_ascii_whitespace) {
            Value::Null
        } else {
            serde_yaml_ng::from_slice(stdout).map_err(|error| format_yaml_error(&error))?
        };
        let status = get_member(&document, "status");
        let resources = items(status, "resources")?;
        let events = items(status, "events")?;
        let directives = match items(status, "directives")? {
            Some(all) => Some(all.iter().map(Directive::from_yaml).collect::<Result<_, _>>()?),
            None => None,
        };
        let plans = items(status, "actionPlans")?.unwrap_or_default();
        Ok(Self {
            api_version: read_text(get_member(&document, "apiVersion"))?,
            kind: read_text(get_member(&document, "kind"))?,
            observed_at: observed_at(&read_text(get_member(status, "observedAt"))?)?,
            ttl: read_text(get_member(status, "ttl"))?,
            resources: resources.map(<[Value]>::len),
            directives,
            plans: plans.iter().map(ProposedPlan::from_yaml).collect::<Result<_, _>>()?,
            events: events.map_or(0, <[Value]>::len),
        })
    }

    /// routerd's checks in its order, then the part.
    pub fn to_part(
        &self,
        source: &str,
        generation: i64,
        now: DateTime<Utc>,
    ) -> Result<StoredPart, String> {
        if self.api_version != API_VERSION {
            return Err(format!("PluginResult apiVersion must be {API_VERSION}"));
        }
        if self.kind != "PluginResult" {
            return Err("PluginResult kind must be PluginResult".into());
        }
        let observed_at = self.observed_at.unwrap_or(now);
        let expires_at = observed_at + self.lifetime()?;
        if self.resources.is_some_and(|count| count > 0) {
            return Err("PluginResult status.resources[0]: this stand-in routerctl stores plans \
                        and directives alone; use routerd's own"
                .into());
        }
        for (index, directive) in self.directives.iter().flatten().enumerate() {
            directive
                .validate()
                .map_err(|rest| format!("PluginResult status.directives[{index}].{rest}"))?;
        }
        for (index, plan) in self.plans.iter().enumerate() {
            plan.validate()
                .map_err(|error| format!("PluginResult status.actionPlans[{index}]: {error}"))?;
        }
        let resources_json = self.resources.map_or("null", |_| "[]").to_owned();
        let directives_json = encode(&self.directives)?;
        let hashed = format!("{{\"resources\":{resources_json},\"directives\":{directives_json}}}");
        Ok(StoredPart {
            source: source.into(),
            generation,
            observed_at: Some(observed_at),
            expires_at: Some(expires_at),
            // Of resources and directives alone: two parts with other plans have one digest.
            digest: Digest::of(hashed).to_string(),
            resources_json,
            directives_json,
            plans_json: if self.plans.is_empty() { String::new() } else { encode(&self.plans)? },
            status: "active".into(),
            ..StoredPart::default()
        })
    }

    fn lifetime(&self) -> Result<TimeDelta, String> {
        let ttl = self.ttl.trim();
        if ttl.is_empty() {
            return Err("PluginResult status.ttl is required".into());
        }
        let nanos = parse_duration(ttl).map_err(|error| {
            format!("PluginResult status.ttl must be a valid duration: {error}")
        })?;
        if nanos <= 0 {
            return Err("PluginResult status.ttl must be greater than 0".into());
        }
        Ok(TimeDelta::nanoseconds(nanos))
    }

    pub fn resources_doc(&self) -> Doc {
        self.resources.map_or(Doc::Nil, |_| Doc::List(Vec::new()))
    }
}

fn items<'a>(status: &'a Value, key: &str) -> Result<Option<&'a [Value]>, String> {
    match get_member(status, key) {
        Value::Null => Ok(None),
        Value::Sequence(items) => Ok(Some(items)),
        _ => Err(format!("yaml: unmarshal errors:\n  cannot unmarshal status.{key} into a list")),
    }
}

fn observed_at(text: &str) -> Result<Time, String> {
    const ZERO: &str = "0001-01-01T00:00:00Z";
    if text.is_empty() || text == ZERO {
        return Ok(None);
    }
    match parse_time(text) {
        None => Err(format!("parsing time {}: not RFC 3339", quote(text))),
        time => Ok(time),
    }
}

fn encode(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value)
        .map(|json| json::escape_html(&json))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-22T00:00:00Z".parse().unwrap()
    }

    fn part_of(head: &str, status: &str) -> Result<StoredPart, String> {
        let text = format!("{{{head}, status: {{{status}}}}}");
        PlannerAnswer::read(text.as_bytes())?.to_part("Plugin/p", 1, now())
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_said_in_routerds_words() {
        let head = "apiVersion: plugin.routerd.net/v1alpha1, kind: PluginResult";
        for (head, status, error) in [
            ("kind: x", "", "PluginResult apiVersion must be plugin.routerd.net/v1alpha1"),
            (
                "apiVersion: plugin.routerd.net/v1alpha1, kind: x",
                "",
                "PluginResult kind must be PluginResult",
            ),
            (head, "ttl: ''", "PluginResult status.ttl is required"),
            (
                head,
                "ttl: 1d",
                r#"PluginResult status.ttl must be a valid duration: time: unknown unit "d" in duration "1d""#,
            ),
            (head, "ttl: 0s", "PluginResult status.ttl must be greater than 0"),
            (
                head,
                "ttl: 1h, directives: [{op: add}]",
                "PluginResult status.directives[0].op must be mask",
            ),
            (
                head,
                "ttl: 1h, directives: [{op: mask, target: {apiVersion: a}}]",
                "PluginResult status.directives[0].target.kind is required",
            ),
            (
                head,
                "ttl: 1h, actionPlans: [{provider: aws}]",
                "PluginResult status.actionPlans[0]: actionPlan name is required",
            ),
        ] {
            assert_eq!(part_of(head, status).unwrap_err(), error);
        }
    }

    #[test]
    fn the_digest_does_not_cover_the_plans() {
        let head = "apiVersion: plugin.routerd.net/v1alpha1, kind: PluginResult";
        let empty = part_of(head, "ttl: 2h, resources: [], directives: []").unwrap();
        let planned = part_of(
            head,
            "ttl: 2h, resources: [], directives: [], actionPlans: [{name: a, provider: aws, \
             action: ensure-forwarding-enabled}]",
        )
        .unwrap();
        assert_eq!(empty.digest, planned.digest);
        assert_eq!(
            empty.digest,
            "4eda4ed6b7998102167365cc34ead3e8dfcee2865441335a3a70cac27e5367ac"
        );
        assert_eq!(empty.expires_at, Some(now() + TimeDelta::hours(2)));
    }
}

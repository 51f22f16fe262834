//! `router.yaml` as routerd loads it: unknown keys in a spec are ignored, a kind it does not know
//! is refused, and nothing is validated.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml_ng::Value;

use super::go::numbers::os_error;
use super::go::yaml::format_yaml_error;
use super::kinds;
use crate::process::Host;

#[derive(Debug, Default)]
pub struct Router {
    pub resources: Vec<ConfigResource>,
    /// The digest of the file: what a planner gets as the hash of the configuration.
    pub digest: String,
}

#[derive(Debug)]
pub struct ConfigResource {
    pub kind: String,
    pub name: String,
    pub spec: Spec,
}

#[derive(Debug)]
pub enum Spec {
    Policy(ActionPolicy),
    Plugin(Plugin),
    Other,
}

/// `ProviderActionPolicy`.
#[derive(Clone, Debug, Default)]
pub struct ActionPolicy {
    pub enabled: bool,
    /// Absent means true, here and below.
    pub dry_run_only: Option<bool>,
    pub require_approval: Option<bool>,
    pub allowed_providers: Vec<String>,
    pub allowed_provider_refs: Vec<String>,
    pub allowed_actions: Vec<String>,
    pub allowed_cidrs: Vec<String>,
    pub max_actions_per_run: i64,
    pub allow_undo: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Plugin {
    pub executable: String,
    pub timeout: String,
    pub env: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
}

impl Router {
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &ConfigResource> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    pub fn plugins(&self) -> impl Iterator<Item = (&str, &Plugin)> {
        self.resources.iter().filter_map(|resource| match &resource.spec {
            Spec::Plugin(plugin) => Some((resource.name.as_str(), plugin)),
            _ => None,
        })
    }

    /// The first policy of the file; without one, nothing may be executed.
    pub fn policy(&self) -> ActionPolicy {
        self.resources
            .iter()
            .find_map(|resource| match &resource.spec {
                Spec::Policy(policy) => Some(policy.clone()),
                _ => None,
            })
            .unwrap_or_default()
    }
}

pub fn load(host: &dyn Host, path: &str) -> Result<Router, String> {
    let bytes = host
        .read_file(Path::new(path))
        .map_err(|error| format!("read config {path}: open {path}: {}", os_error(&error)))?;
    let mut router = parse(&bytes).map_err(|error| format!("parse config {path}: {error}"))?;
    router.digest = reports::digest::Digest::of(&bytes).to_string();
    Ok(router)
}

fn parse(bytes: &[u8]) -> Result<Router, String> {
    let document: Value =
        serde_yaml_ng::from_slice(bytes).map_err(|error| format_yaml_error(&error))?;
    let resources = match get_member(get_member(&document, "spec"), "resources") {
        Value::Null => Vec::new(),
        Value::Sequence(items) => items.iter().map(resource).collect::<Result<_, _>>()?,
        other => return Err(mismatch(other, "[]api.Resource")),
    };
    Ok(Router { resources, digest: String::new() })
}

fn resource(value: &Value) -> Result<ConfigResource, String> {
    let kind = read_text(get_member(value, "kind"))?;
    let name = read_text(get_member(get_member(value, "metadata"), "name"))?;
    let id = format!("{}/{kind}/{name}", read_text(get_member(value, "apiVersion"))?);
    kinds::check_kind(&kind, &id)?;
    let spec = get_member(value, "spec");
    let spec = match kind.as_str() {
        "ProviderActionPolicy" => policy(spec).map(Spec::Policy),
        "Plugin" => plugin(spec).map(Spec::Plugin),
        _ => Ok(Spec::Other),
    };
    Ok(ConfigResource { kind, name, spec: spec.map_err(|error| format!("{id} spec: {error}"))? })
}

fn policy(spec: &Value) -> Result<ActionPolicy, String> {
    Ok(ActionPolicy {
        enabled: boolean(get_member(spec, "enabled"))?.unwrap_or(false),
        dry_run_only: boolean(get_member(spec, "dryRunOnly"))?,
        require_approval: boolean(get_member(spec, "requireApproval"))?,
        allowed_providers: read_texts(get_member(spec, "allowedProviders"))?,
        allowed_provider_refs: read_texts(get_member(spec, "allowedProviderRefs"))?,
        allowed_actions: read_texts(get_member(spec, "allowedActions"))?,
        allowed_cidrs: read_texts(get_member(spec, "allowedCIDRs"))?,
        max_actions_per_run: integer(get_member(spec, "maxActionsPerRun"))?,
        allow_undo: boolean(get_member(spec, "allowUndo"))?.unwrap_or(false),
    })
}

fn plugin(spec: &Value) -> Result<Plugin, String> {
    Ok(Plugin {
        executable: read_text(get_member(spec, "executable"))?,
        timeout: read_text(get_member(spec, "timeout"))?,
        env: text_map(get_member(spec, "env"))?,
        capabilities: read_texts(get_member(spec, "capabilities"))?,
    })
}

/// A member of a mapping; what is absent, or in no mapping, is null.
pub fn get_member<'a>(value: &'a Value, key: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    value.get(key).unwrap_or(&NULL)
}

/// `yaml.v3` puts any scalar into a string, by its text.
pub fn read_text(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(text.clone()),
        other => Err(mismatch(other, "string")),
    }
}

pub fn read_texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Sequence(items) => items.iter().map(read_text).collect(),
        other => Err(mismatch(other, "[]string")),
    }
}

pub fn text_map(value: &Value) -> Result<BTreeMap<String, String>, String> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Mapping(members) => {
            members.iter().map(|(key, value)| Ok((read_text(key)?, read_text(value)?))).collect()
        }
        other => Err(mismatch(other, "map[string]string")),
    }
}

/// The booleans of YAML 1.1 count too, where a boolean is expected.
fn boolean(value: &Value) -> Result<Option<bool>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        Value::String(word) if ["y", "Y", "yes", "on"].contains(&word.as_str()) => Ok(Some(true)),
        Value::String(word) if ["n", "N", "no", "off"].contains(&word.as_str()) => Ok(Some(false)),
        other => Err(mismatch(other, "bool")),
    }
}

fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Null => Ok(0),
        other => other.as_i64().ok_or_else(|| mismatch(other, "int")),
    }
}

/// `yaml.v3` adds the line, which this reader does not know.
fn mismatch(value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Null => "!!null".into(),
        Value::Bool(flag) => format!("!!bool `{flag}`"),
        Value::Number(number) if number.is_f64() => format!("!!float `{number}`"),
        Value::Number(number) => format!("!!int `{number}`"),
        Value::String(text) => format!("!!str `{text}`"),
        Value::Sequence(_) => "!!seq".into(),
        Value::Mapping(_) | Value::Tagged(_) => "!!map".into(),
    };
    format!("yaml: unmarshal errors:\n  cannot unmarshal {found} into {wanted}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with_policy(spec: &str) -> Result<Router, String> {
        parse(
            format!(
                "spec: {{resources: [{{apiVersion: hybrid.routerd.net/v1alpha1, \
                 kind: ProviderActionPolicy, metadata: {{name: lab}}, spec: {{{spec}}}}}]}}"
            )
            .as_bytes(),
        )
    }

    #[test]
    fn an_unknown_key_is_ignored_and_opens_the_gate() {
        let policy = with_policy("enabled: yes, allowedCidrs: [10.99.0.0/24]").unwrap().policy();
        assert!(policy.enabled);
        assert!(policy.allowed_cidrs.is_empty());
        assert_eq!(policy.dry_run_only, None);
    }

    #[test]
    fn the_first_policy_wins() {
        let router = parse(
            b"spec:\n  resources:\n  - {kind: ProviderActionPolicy, metadata: {name: a}, spec: {allowUndo: false}}\n  - {kind: ProviderActionPolicy, metadata: {name: b}, spec: {allowUndo: true}}\n",
        );
        assert!(!router.unwrap().policy().allow_undo);
        assert!(!parse(b"{}").unwrap().policy().enabled);
    }

    #[test]
    fn what_routerd_cannot_load_is_refused_by_name() {
        for (yaml, error) in [
            (
                "spec: {resources: [{apiVersion: hybrid.routerd.net/v1alpha1, kind: RemoteAddressClaim, metadata: {name: x}}]}",
                "unsupported resource kind RemoteAddressClaim in hybrid.routerd.net/v1alpha1/RemoteAddressClaim/x",
            ),
            (
                "spec: {resources: [{apiVersion: a/v1, kind: Link, metadata: {name: x}}]}",
                "a/v1/Link/x is not supported; use Interface resources as link status providers",
            ),
            (
                "spec: {resources: [{apiVersion: a/v1, kind: Plugin, metadata: {name: p}, spec: {env: [1]}}]}",
                "a/v1/Plugin/p spec: yaml: unmarshal errors:\n  cannot unmarshal !!seq into map[string]string",
            ),
        ] {
            assert_eq!(parse(yaml.as_bytes()).unwrap_err(), error);
        }
    }
}

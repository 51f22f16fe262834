//! From router.yaml's text to the facts that a preflight needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use serde::{Serialize, Serializer};
use serde_yaml_ng::Value;

use super::fields::ResourceFields;
use super::{credentials, duration, kinds};

/// Something in the file that routerd would ignore, refuse or read differently than it looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `KIND/NAME`, or `Router` for the file itself.
    pub resource: String,
    /// The path of the field, as `spec.allowedCIDRs`.
    pub field: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.resource, self.field, self.message)
    }
}

/// The facts of a router.yaml: the resources that a preflight needs, and the names of all others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RouterConfig {
    pub name: String,
    /// In the file's order: routerd obeys the first and no other.
    pub policies: Vec<ProviderActionPolicy>,
    pub plugins: Vec<Plugin>,
    pub providers: Vec<ProviderProfile>,
    /// Names of MobilityPools: where there is one, the daemon plans too.
    pub mobility_pools: Vec<String>,
    /// All other resources; their specs are not read.
    pub others: Vec<OtherResource>,
    /// Where the file holds AWS credentials, as `spec.resources[3].spec.env.AWS_SECRET_ACCESS_KEY`.
    pub credentials: Vec<String>,
}

/// A ProviderActionPolicy, with routerd's defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are routerd's own switches")]
pub struct ProviderActionPolicy {
    pub name: String,
    pub enabled: bool,
    pub dry_run_only: bool,
    pub require_approval: bool,
    pub max_actions_per_run: i64,
    pub allowed_providers: Vec<String>,
    /// Empty is no restriction.
    pub allowed_provider_refs: Vec<String>,
    pub allowed_actions: Vec<String>,
    /// Empty is no restriction.
    pub allowed_cidrs: Vec<IpNet>,
    pub allow_undo: bool,
    pub execution_window: String,
}

/// A Plugin: a program that routerd starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    pub name: String,
    pub executable: String,
    /// None leaves it to routerd: 30 s for an executor, 10 s for others.
    pub timeout_ms: Option<u64>,
    pub env: Environment,
    pub capabilities: Vec<String>,
}

/// Variables whose values are shown nowhere: only their names are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(pub BTreeMap<String, String>);

/// A CloudProviderProfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderProfile {
    pub name: String,
    pub provider: String,
}

/// A resource whose spec is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherResource {
    pub kind: String,
    pub name: String,
}

/// Which plugin routerd would start for a provider (contract §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor<'a> {
    Resolved(&'a Plugin),
    None,
    Ambiguous { candidates: usize },
}

const EXECUTES: &str = "execute.providerAction";
const PROVIDERS: [&str; 4] = ["aws", "azure", "oci", "gcp"];
const ACTIONS: [&str; 6] = [
    "assign-secondary-ip",
    "unassign-secondary-ip",
    "assign-route-table-route",
    "unassign-route-table-route",
    "ensure-forwarding-enabled",
    "ensure-forwarding-disabled",
];
const CAPABILITIES: [&str; 5] = [
    "observe.cloud",
    "observe.providerPrivateIPs",
    "propose.dynamicConfig",
    "propose.providerAction",
    EXECUTES,
];

impl RouterConfig {
    /// The plugins with the capability `execute.providerAction`.
    pub fn executors(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter().filter(|it| it.capabilities.iter().any(|held| held == EXECUTES))
    }

    /// The plugin that routerd would start for a provider: the executor with the name
    /// `PROVIDER-executor`, else the only executor that there is.
    pub fn executor(&self, provider: &str) -> Executor<'_> {
        let name = format!("{provider}-executor");
        if let Some(plugin) = self.executors().find(|it| it.name.eq_ignore_ascii_case(&name)) {
            return Executor::Resolved(plugin);
        }
        let candidates: Vec<&Plugin> = self.executors().collect();
        match candidates[..] {
            [] => Executor::None,
            [plugin] => Executor::Resolved(plugin),
            _ => Executor::Ambiguous { candidates: candidates.len() },
        }
    }
}

/// Reads the whole file, or tells everything that is wrong with it.
pub fn read_config(yaml: &str) -> Result<RouterConfig, Vec<Problem>> {
    let mut problems = Vec::new();
    let document: Value = match serde_yaml_ng::from_str(yaml) {
        Ok(document) => document,
        Err(error) => {
            let resource = "Router".to_owned();
            let message = format!("no YAML: {error}");
            return Err(vec![Problem { resource, field: String::new(), message }]);
        }
    };
    let mut config = RouterConfig {
        credentials: credentials::find_credentials(&document),
        ..Default::default()
    };
    let mut fields = ResourceFields { resource: "Router".to_owned(), problems: &mut problems };
    let top = fields.mapping("", Some(&document), &["apiVersion", "kind", "metadata", "spec"]);
    if fields.required("", &top, "apiVersion") != "routerd.net/v1alpha1"
        || fields.required("", &top, "kind") != "Router"
    {
        fields.report("kind", "expected a Router of routerd.net/v1alpha1");
    }
    config.name = named(&mut fields, top.get("metadata"));
    let spec = fields.mapping("spec", top.get("spec"), &["reconcile", "resources"]);
    let resources: Vec<Value> = fields.optional("spec", &spec, "resources").unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (index, value) in resources.iter().enumerate() {
        resource(&mut config, &mut problems, &mut seen, index, value);
    }
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

fn resource(
    config: &mut RouterConfig,
    problems: &mut Vec<Problem>,
    seen: &mut BTreeSet<String>,
    index: usize,
    value: &Value,
) {
    let mut fields = ResourceFields { resource: format!("spec.resources[{index}]"), problems };
    let known = ["apiVersion", "kind", "metadata", "spec", "status"];
    let top = fields.mapping("", Some(value), &known);
    let api_version = fields.required("", &top, "apiVersion");
    let kind = fields.required("", &top, "kind");
    let name = named(&mut fields, top.get("metadata"));
    fields.resource = format!("{kind}/{name}");
    if !kinds::is_known(&api_version, &kind) {
        let message = format!("routerd v20260822 has no kind {kind:?} in {api_version:?}");
        fields.report("kind", message);
        return;
    }
    if !seen.insert(format!("{api_version}/{kind}/{name}")) {
        fields.report("metadata.name", "a second resource of this kind and name");
    }
    let spec = top.get("spec");
    match kind.as_str() {
        "ProviderActionPolicy" => config.policies.push(policy(&mut fields, name, spec)),
        "Plugin" => config.plugins.push(plugin(&mut fields, name, spec)),
        "CloudProviderProfile" => config.providers.push(profile(&mut fields, name, spec)),
        "MobilityPool" => config.mobility_pools.push(name),
        _ => config.others.push(OtherResource { kind, name }),
    }
}

fn named(fields: &mut ResourceFields<'_>, metadata: Option<&Value>) -> String {
    let metadata = fields.mapping("metadata", metadata, &["name", "ownerRefs", "annotations"]);
    fields.required("metadata", &metadata, "name")
}

fn policy(
    fields: &mut ResourceFields<'_>,
    name: String,
    spec: Option<&Value>,
) -> ProviderActionPolicy {
    let known = [
        "enabled",
        "dryRunOnly",
        "requireApproval",
        "maxActionsPerRun",
        "allowedProviders",
        "allowedProviderRefs",
        "allowedActions",
        "allowedCIDRs",
        "executionWindow",
        "allowUndo",
    ];
    let spec = fields.mapping("spec", spec, &known);
    let cidrs: Vec<String> = fields.optional("spec", &spec, "allowedCIDRs").unwrap_or_default();
    let mut allowed_cidrs = Vec::new();
    for cidr in cidrs {
        match cidr.parse() {
            Ok(cidr) => allowed_cidrs.push(cidr),
            Err(_) => fields.report("spec.allowedCIDRs", format!("{cidr:?} is no CIDR")),
        }
    }
    ProviderActionPolicy {
        name,
        enabled: fields.optional("spec", &spec, "enabled").unwrap_or(false),
        dry_run_only: fields.optional("spec", &spec, "dryRunOnly").unwrap_or(true),
        require_approval: fields.optional("spec", &spec, "requireApproval").unwrap_or(true),
        max_actions_per_run: fields.optional("spec", &spec, "maxActionsPerRun").unwrap_or(0),
        allowed_providers: fields.words("spec", &spec, "allowedProviders", &PROVIDERS),
        allowed_provider_refs: fields
            .optional("spec", &spec, "allowedProviderRefs")
            .unwrap_or_default(),
        allowed_actions: fields.words("spec", &spec, "allowedActions", &ACTIONS),
        allowed_cidrs,
        allow_undo: fields.optional("spec", &spec, "allowUndo").unwrap_or(false),
        execution_window: fields.optional("spec", &spec, "executionWindow").unwrap_or_default(),
    }
}

fn plugin(fields: &mut ResourceFields<'_>, name: String, spec: Option<&Value>) -> Plugin {
    let known = ["executable", "timeout", "env", "capabilities", "triggers", "context"];
    let spec = fields.mapping("spec", spec, &known);
    let executable = fields.required("spec", &spec, "executable");
    if !executable.starts_with('/') {
        fields.report("spec.executable", "expected an absolute path");
    }
    let timeout: Option<String> = fields.optional("spec", &spec, "timeout");
    let timeout_ms = timeout.filter(|text| !text.is_empty()).and_then(|text| {
        let timeout_ms = duration::parse_ms(&text).filter(|ms| *ms > 0);
        if timeout_ms.is_none() {
            fields.report("spec.timeout", format!("{text:?} is no duration, as 120s"));
        }
        timeout_ms
    });
    for trigger in fields.optional::<Vec<Value>>("spec", &spec, "triggers").unwrap_or_default() {
        fields.mapping("spec.triggers", Some(&trigger), &["type", "every", "topic"]);
    }
    let context = fields.mapping("spec.context", spec.get("context"), &["resources"]);
    let resources: Vec<Value> =
        fields.optional("spec.context", &context, "resources").unwrap_or_default();
    for resource in &resources {
        fields.mapping("spec.context.resources", Some(resource), &["apiVersion", "kind", "name"]);
    }
    Plugin {
        name,
        executable,
        timeout_ms,
        env: Environment(fields.optional("spec", &spec, "env").unwrap_or_default()),
        capabilities: fields.words("spec", &spec, "capabilities", &CAPABILITIES),
    }
}

fn profile(fields: &mut ResourceFields<'_>, name: String, spec: Option<&Value>) -> ProviderProfile {
    let known = ["provider", "subscriptionID", "resourceGroup", "capabilities", "auth"];
    let spec = fields.mapping("spec", spec, &known);
    let auth = fields.mapping("spec.auth", spec.get("auth"), &["mode", "command"]);
    if fields.required("spec.auth", &auth, "mode") != "external-command" {
        fields.report("spec.auth.mode", "expected external-command");
    }
    let provider = fields.required("spec", &spec, "provider");
    if !PROVIDERS.contains(&provider.as_str()) {
        fields.report("spec.provider", format!("{provider:?} is none of {}", PROVIDERS.join(", ")));
    }
    let _: Option<Vec<String>> = fields.optional("spec", &spec, "capabilities");
    ProviderProfile { name, provider }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Serialize for Environment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.keys())
    }
}

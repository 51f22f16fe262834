//! The permissions of routerd's policy, against what the run is going to do.

use std::fmt;

use ipnet::Ipv4Net;
use lab::router_yaml::{
    Executor, PLUGIN_VARIABLES, Plugin, ProviderActionPolicy, RouterConfig, is_credential_name,
    may_be_given,
};

/// The change set, as far as the policy sees it.
#[derive(Clone, Debug)]
pub struct PolicyExpectation {
    /// `aws`.
    pub provider: String,
    pub provider_ref: String,
    /// The captured address, a /32.
    pub address: Ipv4Net,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyProblem {
    /// One of the hard stops (contract §9.4).
    Stop { stop: u8, detector: &'static str, message: String },
    /// The run could not do what it is asked to do; nothing is dangerous about it.
    Unusable { detector: &'static str, message: String },
}

impl PolicyProblem {
    pub fn detector(&self) -> &'static str {
        match self {
            Self::Stop { detector, .. } | Self::Unusable { detector, .. } => detector,
        }
    }

    /// The hard stop's number.
    pub fn stop(&self) -> Option<u8> {
        match self {
            Self::Stop { stop, .. } => Some(*stop),
            Self::Unusable { .. } => None,
        }
    }
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop { stop, message, .. } => write!(f, "hard stop {stop}: {message}"),
            Self::Unusable { message, .. } => f.write_str(message),
        }
    }
}

/// The two that the run executes; the other two undo them.
const FORWARD: [&str; 2] = ["assign-secondary-ip", "ensure-forwarding-enabled"];
const CHANGE_SET: [&str; 4] =
    [FORWARD[0], "unassign-secondary-ip", FORWARD[1], "ensure-forwarding-disabled"];

/// Two AWS calls of 25 s each have to fit (contract §3.4).
const MIN_EXECUTOR_TIMEOUT_MS: u64 = 60_000;
const DEFAULT_EXECUTOR_TIMEOUT_MS: u64 = 30_000;

/// The name of what is wrong with a plugin's environment.
pub const ENVIRONMENT: &str = "plugin-environment";

/// Lists everything about the node's configuration that forbids the run.
pub fn judge_policy(config: &RouterConfig, expected: &PolicyExpectation) -> Vec<PolicyProblem> {
    let mut found = PolicyProblems { problems: Vec::new() };
    match &config.policies[..] {
        [] => found.unusable("policy-missing", "router.yaml has no ProviderActionPolicy"),
        [policy, others @ ..] => {
            if !others.is_empty() {
                let message = format!(
                    "{} policies: routerd obeys only the first, {}",
                    others.len() + 1,
                    policy.name
                );
                found.stop(8, "policy-several", message);
            }
            found.switches(policy);
            found.scope(policy, expected);
            found.providers(policy, expected);
        }
    }
    found.other_providers(config, expected);
    found.executor(config, expected);
    found.credentials(config);
    found.environment(config);
    found.problems
}

struct PolicyProblems {
    problems: Vec<PolicyProblem>,
}

impl PolicyProblems {
    fn stop(&mut self, stop: u8, detector: &'static str, message: impl Into<String>) {
        self.problems.push(PolicyProblem::Stop { stop, detector, message: message.into() });
    }

    fn unusable(&mut self, detector: &'static str, message: impl Into<String>) {
        self.problems.push(PolicyProblem::Unusable { detector, message: message.into() });
    }

    fn switches(&mut self, policy: &ProviderActionPolicy) {
        if !policy.require_approval {
            let message = "requireApproval is false: the daemon executes by itself, and executes again what was undone";
            self.stop(8, "policy-approves-by-itself", message);
        }
        if !policy.allow_undo {
            self.stop(
                4,
                "policy-undo-refused",
                "allowUndo is not true: routerd would refuse the undo",
            );
        }
        if !policy.enabled {
            self.unusable("policy-disabled", "the policy is not enabled");
        }
        if policy.dry_run_only {
            self.unusable("policy-dry-run-only", "dryRunOnly is not false: nothing is executed");
        }
        if policy.max_actions_per_run <= 0 {
            self.unusable(
                "policy-max-actions",
                "maxActionsPerRun is not positive: nothing is executed",
            );
        }
    }

    fn scope(&mut self, policy: &ProviderActionPolicy, expected: &PolicyExpectation) {
        let address = expected.address.trunc();
        if policy.allowed_cidrs.is_empty() {
            self.stop(8, "policy-cidrs-wider", "allowedCIDRs is empty, which allows every address");
        }
        for cidr in &policy.allowed_cidrs {
            if *cidr != ipnet::IpNet::V4(address) {
                let message = format!("allowedCIDRs has {cidr}, the change set only {address}");
                self.stop(8, "policy-cidrs-wider", message);
            }
        }
        let contains = |cidr: &ipnet::IpNet| cidr.contains(&ipnet::IpNet::V4(address));
        if !policy.allowed_cidrs.is_empty() && !policy.allowed_cidrs.iter().any(contains) {
            self.unusable("policy-cidrs-miss", format!("allowedCIDRs does not contain {address}"));
        }
        for action in &policy.allowed_actions {
            if !CHANGE_SET.contains(&action.as_str()) {
                let message = format!("allowedActions has {action}, which the change set has not");
                self.stop(8, "policy-actions-wider", message);
            }
        }
        for action in FORWARD {
            if !policy.allowed_actions.iter().any(|allowed| allowed == action) {
                self.unusable("policy-actions-miss", format!("allowedActions lacks {action}"));
            }
        }
    }

    fn providers(&mut self, policy: &ProviderActionPolicy, expected: &PolicyExpectation) {
        let (provider, provider_ref) = (&expected.provider, &expected.provider_ref);
        for other in policy.allowed_providers.iter().filter(|it| *it != provider) {
            self.stop(3, "policy-other-provider", format!("allowedProviders has {other}"));
        }
        if !policy.allowed_providers.contains(provider) {
            self.unusable("policy-provider-miss", format!("allowedProviders lacks {provider}"));
        }
        if policy.allowed_provider_refs.is_empty() {
            let message = "allowedProviderRefs is empty, which allows every profile";
            self.stop(8, "policy-refs-wider", message);
        } else if !policy.allowed_provider_refs.contains(provider_ref) {
            let message = format!("allowedProviderRefs lacks {provider_ref}");
            self.unusable("policy-refs-miss", message);
        }
        for other in policy.allowed_provider_refs.iter().filter(|it| *it != provider_ref) {
            let message =
                format!("allowedProviderRefs has {other}, the change set only {provider_ref}");
            self.stop(8, "policy-refs-wider", message);
        }
    }

    fn other_providers(&mut self, config: &RouterConfig, expected: &PolicyExpectation) {
        for profile in config.providers.iter().filter(|it| it.provider != expected.provider) {
            let message =
                format!("CloudProviderProfile/{} is for {}", profile.name, profile.provider);
            self.stop(3, "router-other-provider", message);
        }
        let own = format!("{}-executor", expected.provider);
        for plugin in config.executors().filter(|it| !it.name.eq_ignore_ascii_case(&own)) {
            let message = format!("Plugin/{} executes provider actions too", plugin.name);
            self.stop(3, "router-other-executor", message);
        }
    }

    fn executor(&mut self, config: &RouterConfig, expected: &PolicyExpectation) {
        let provider = &expected.provider;
        match config.executor(provider) {
            Executor::Resolved(plugin) => self.executor_timeout(plugin),
            Executor::None => {
                self.unusable(
                    "executor-missing",
                    format!("no plugin executes actions of {provider}"),
                );
            }
            Executor::Ambiguous { candidates } => {
                let message =
                    format!("{candidates} executors, and none is named {provider}-executor");
                self.unusable("executor-ambiguous", message);
            }
        }
    }

    fn executor_timeout(&mut self, plugin: &Plugin) {
        let timeout_ms = plugin.timeout_ms.unwrap_or(DEFAULT_EXECUTOR_TIMEOUT_MS);
        if timeout_ms < MIN_EXECUTOR_TIMEOUT_MS {
            let message = format!(
                "Plugin/{} has {timeout_ms} ms; two AWS calls of 25 s need at least {MIN_EXECUTOR_TIMEOUT_MS}",
                plugin.name
            );
            self.unusable("executor-timeout", message);
        }
    }

    /// routerd hands on whatever stands there, PATH included (contract §3.4).
    fn environment(&mut self, config: &RouterConfig) {
        for plugin in &config.plugins {
            let others =
                plugin.env.0.iter().filter(|(name, value)| {
                    !is_credential_name(name) && !may_be_given(name, value)
                });
            for (name, _) in others {
                let message = format!(
                    "Plugin/{} gets {name} from router.yaml, which may give it another program, service \
                     or identity; take it out: only {} may stand there",
                    plugin.name,
                    PLUGIN_VARIABLES.join(", ")
                );
                self.stop(1, ENVIRONMENT, message);
            }
        }
    }

    fn credentials(&mut self, config: &RouterConfig) {
        for plugin in &config.plugins {
            for name in plugin.env.0.keys().filter(|name| is_credential_name(name)) {
                let message = format!("Plugin/{} gets {name} from router.yaml", plugin.name);
                self.stop(1, "plugin-credentials", message);
            }
        }
        for path in &config.credentials {
            self.stop(1, "router-credentials", format!("router.yaml holds a credential at {path}"));
        }
    }
}

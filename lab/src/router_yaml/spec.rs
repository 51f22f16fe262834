//! A good router.yaml, and each way to spoil it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use super::*;

/// The router.yaml under which the smoke was recorded, with a time in which AWS can answer.
fn good() -> String {
    fixture("routerctl/files/router.yaml").replace("timeout: 5s", "timeout: 120s")
}

fn fixture(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read_to_string(folder.join(path)).unwrap()
}

fn spoiled(from: &str, to: &str) -> String {
    let good = good();
    assert!(good.contains(from), "{from:?} is not in {good}");
    good.replacen(from, to, 1)
}

#[test]
fn a_good_file_has_its_facts() {
    let config = read_config(&good()).unwrap();
    assert_eq!(config.policies.len(), 1);
    assert!(config.policies[0].require_approval && !config.policies[0].dry_run_only);
    let Executor::Resolved(executor) = config.executor("aws") else { panic!("no executor") };
    assert_eq!((executor.name.as_str(), executor.timeout_ms), ("aws-executor", Some(120_000)));
}

#[test]
fn a_live_routers_file_is_read_with_its_pool() {
    let config = read_config(&fixture("routerctl-live/cloud-router.yaml")).unwrap();
    assert_eq!(config.mobility_pools, ["smoke"]);
    assert_eq!(config.others.len(), 6);
    assert!(read_config(&fixture("routerctl-live/onprem-router.yaml")).is_ok());
}

#[test]
fn what_routerd_would_ignore_or_refuse_is_a_problem() {
    let table = [
        (
            "allowedCIDRs:",
            "allowedCidrs:",
            "ProviderActionPolicy/lab",
            "spec.allowedCidrs",
            "is it allowedCIDRs?",
        ),
        (
            "requireApproval: true",
            "requireApprovals: true",
            "ProviderActionPolicy/lab",
            "spec.requireApprovals",
            "unknown key",
        ),
        (
            "requireApproval: true",
            "requireApproval: \"true\"",
            "ProviderActionPolicy/lab",
            "spec.requireApproval",
            "invalid type",
        ),
        (
            "requireApproval: true",
            "requireApproval: yes",
            "ProviderActionPolicy/lab",
            "spec.requireApproval",
            "invalid type",
        ),
        (
            "[10.88.60.9/32]",
            "[10.88.60.9]",
            "ProviderActionPolicy/lab",
            "spec.allowedCIDRs",
            "no CIDR",
        ),
        (
            "[10.88.60.9/32]",
            "10.88.60.9/32",
            "ProviderActionPolicy/lab",
            "spec.allowedCIDRs",
            "invalid type",
        ),
        (
            "allowedProviders: [aws]",
            "allowedProviders: [AWS]",
            "ProviderActionPolicy/lab",
            "spec.allowedProviders",
            "none of",
        ),
        (
            "[assign-secondary-ip,",
            "[assign-secondary-ips,",
            "ProviderActionPolicy/lab",
            "spec.allowedActions",
            "none of",
        ),
        ("timeout: 120s", "timeout: 120", "Plugin/aws-executor", "spec.timeout", "invalid type"),
        ("timeout: 120s", "timeout: 2 min", "Plugin/aws-executor", "spec.timeout", "no duration"),
        ("timeout: 120s", "timeuot: 120s", "Plugin/aws-executor", "spec.timeuot", "unknown key"),
        (
            "executable: /usr",
            "executable: usr",
            "Plugin/aws-executor",
            "spec.executable",
            "absolute",
        ),
        (
            "[execute.providerAction]",
            "[execute.everything]",
            "Plugin/aws-executor",
            "spec.capabilities",
            "none of",
        ),
        (
            "mode: external-command",
            "mode: static-key",
            "CloudProviderProfile/aws-lab",
            "spec.auth.mode",
            "external-command",
        ),
        (
            "provider: aws",
            "provider: aws\n        regoin: x",
            "CloudProviderProfile/aws-lab",
            "spec.regoin",
            "unknown key",
        ),
        (
            "kind: CloudProviderProfile",
            "kind: RemoteAddressClaim",
            "RemoteAddressClaim/aws-lab",
            "kind",
            "no kind",
        ),
        (
            "name: lab-planner",
            "name: aws-executor",
            "Plugin/aws-executor",
            "metadata.name",
            "a second resource",
        ),
        ("kind: Router\n", "kind: Route\n", "Router", "kind", "expected a Router"),
        ("  resources:", "  resource:", "Router", "spec.resource", "unknown key"),
        ("requireApproval: true", "enabled: true", "Router", "", "no YAML"),
    ];
    for (from, to, resource, field, message) in table {
        let problems = read_config(&spoiled(from, to)).unwrap_err();
        let hit = problems
            .iter()
            .any(|p| p.resource == resource && p.field == field && p.message.contains(message));
        assert!(hit, "{to:?}: no {resource} {field:?} {message:?} in {problems:#?}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = spoiled("allowedCIDRs:", "allowedCidrs:").replace("timeout: 10s", "timout: 10s");
    assert_eq!(read_config(&text).unwrap_err().len(), 2);
}

#[test]
fn the_executor_is_the_one_that_routerd_would_start() {
    let plugin = |name: &str| Plugin {
        name: name.into(),
        executable: "/x".into(),
        timeout_ms: None,
        env: Environment::default(),
        capabilities: vec!["execute.providerAction".into()],
    };
    let resolved = |names: &[&str]| {
        let plugins = names.iter().map(|name| plugin(name)).collect();
        let config = RouterConfig { plugins, ..Default::default() };
        match config.executor("aws") {
            Executor::Resolved(plugin) => plugin.name.clone(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(resolved(&["azure-executor", "AWS-Executor"]), "AWS-Executor");
    assert_eq!(resolved(&["azure-executor"]), "azure-executor", "the sole one, whatever its name");
    assert_eq!(resolved(&["azure-executor", "x"]), "Ambiguous { candidates: 2 }");
    assert_eq!(resolved(&[]), "None");
}

#[test]
fn an_absent_require_approval_is_routerds_default_true() {
    let config = read_config(&spoiled("requireApproval: true", "executionWindow: \"\"")).unwrap();
    assert!(config.policies[0].require_approval);
}

#[test]
fn values_of_the_environment_are_shown_nowhere() {
    let text = spoiled("timeout: 120s", "timeout: 120s\n        env: { WORD: hunter2 }");
    let config = read_config(&text).unwrap();
    let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(shown.contains("WORD") && !shown.contains("hunter2"), "{shown}");
}

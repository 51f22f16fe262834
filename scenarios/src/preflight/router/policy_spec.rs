//! The policy of a good router.yaml, and each way to spoil it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use lab::router_yaml::read_config;

use super::policy::{PolicyExpectation, judge_policy};

/// The router.yaml under which the smoke was recorded, with a time in which AWS can answer.
fn good() -> String {
    fixture("routerctl/files/router.yaml").replace("timeout: 5s", "timeout: 120s")
}

fn fixture(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/tests/fixtures");
    std::fs::read_to_string(folder.join(path)).unwrap()
}

fn expected() -> PolicyExpectation {
    PolicyExpectation {
        provider: "aws".into(),
        provider_ref: "aws-lab".into(),
        address: "10.88.60.9/32".parse().unwrap(),
    }
}

fn spoiled(from: &str, to: &str) -> String {
    let good = good();
    assert!(good.contains(from), "{from:?} is not in {good}");
    good.replacen(from, to, 1)
}

/// `requireApproval` is true where nothing is said of it.
#[test]
fn a_good_policy_has_no_problem() {
    let silent = spoiled("requireApproval: true", "executionWindow: \"\"");
    let named = spoiled(
        "timeout: 120s",
        "timeout: 120s\n        env: { AWS_SDK_UA_APP_ID: lab-smoke, AWS_REGION: us-east-1 }",
    );
    for text in [good(), fixture("routerctl-live/cloud-router.yaml"), silent, named] {
        assert_eq!(judge_policy(&read_config(&text).unwrap(), &expected()), []);
    }
}

#[test]
fn each_defect_of_the_policy_is_detected() {
    let second = "kind: Plugin\n      metadata: { name: azure-executor }\n      spec: { executable: /x, timeout: 120s, capabilities: [execute.providerAction] }\n    - apiVersion: plugin.routerd.net/v1alpha1\n      kind: Plugin";
    let other_policy = "kind: ProviderActionPolicy\n      metadata: { name: other }\n      spec: { enabled: false }\n    - apiVersion: hybrid.routerd.net/v1alpha1\n      kind: ProviderActionPolicy";
    let table = [
        ("requireApproval: true", "requireApproval: false", Some(8), "policy-approves-by-itself"),
        ("allowedCIDRs: [10.88.60.9/32]", "allowedCIDRs: []", Some(8), "policy-cidrs-wider"),
        ("[10.88.60.9/32]", "[10.88.60.0/24]", Some(8), "policy-cidrs-wider"),
        ("[10.88.60.9/32]", "[10.88.60.9/32, 10.88.60.10/32]", Some(8), "policy-cidrs-wider"),
        ("[10.88.60.9/32]", "[10.88.60.10/32]", None, "policy-cidrs-miss"),
        (
            "[assign-secondary-ip,",
            "[assign-route-table-route, assign-secondary-ip,",
            Some(8),
            "policy-actions-wider",
        ),
        ("[assign-secondary-ip,", "[", None, "policy-actions-miss"),
        ("allowedProviderRefs: [aws-lab]", "allowedProviderRefs: []", Some(8), "policy-refs-wider"),
        (
            "allowedProviderRefs: [aws-lab]",
            "allowedProviderRefs: [aws-lab, b]",
            Some(8),
            "policy-refs-wider",
        ),
        ("allowedProviderRefs: [aws-lab]", "allowedProviderRefs: [b]", None, "policy-refs-miss"),
        (
            "allowedProviders: [aws]",
            "allowedProviders: [aws, gcp]",
            Some(3),
            "policy-other-provider",
        ),
        ("allowedProviders: [aws]", "allowedProviders: []", None, "policy-provider-miss"),
        ("provider: aws", "provider: oci", Some(3), "router-other-provider"),
        ("kind: Plugin", second, Some(3), "router-other-executor"),
        ("allowUndo: true", "allowUndo: false", Some(4), "policy-undo-refused"),
        ("allowUndo: true", "executionWindow: \"\"", Some(4), "policy-undo-refused"),
        (
            "timeout: 120s",
            "timeout: 120s\n        env: { AWS_SECRET_ACCESS_KEY: x }",
            Some(1),
            "plugin-credentials",
        ),
        (
            "timeout: 120s",
            "timeout: 120s\n        env: { AWS_PROFILE: admin }",
            Some(1),
            "plugin-credentials",
        ),
        (
            "timeout: 120s",
            "timeout: 120s\n        env: { X: AKIAIOSFODNN7EXAMPLE }",
            Some(1),
            "router-credentials",
        ),
        ("kind: ProviderActionPolicy", other_policy, Some(8), "policy-several"),
        ("kind: ProviderActionPolicy", other_policy, None, "policy-disabled"),
        ("enabled: true", "enabled: false", None, "policy-disabled"),
        ("dryRunOnly: false", "dryRunOnly: true", None, "policy-dry-run-only"),
        ("dryRunOnly: false", "dryRunOnly:", None, "policy-dry-run-only"),
        ("maxActionsPerRun: 2", "maxActionsPerRun: 0", None, "policy-max-actions"),
        ("timeout: 120s", "timeout: 59s", None, "executor-timeout"),
        ("timeout: 120s", "triggers: []", None, "executor-timeout"),
        (
            "timeout: 120s",
            "timeout: 120s\n        env: { PATH: /tmp/bin }",
            Some(1),
            "plugin-environment",
        ),
        (
            "timeout: 120s",
            "timeout: 120s\n        env: { AWS_ENDPOINT_URL: \"https://ec2.example.org\" }",
            Some(1),
            "plugin-environment",
        ),
        ("[execute.providerAction]", "[]", None, "executor-missing"),
    ];
    for (from, to, stop, detector) in table {
        let config = read_config(&spoiled(from, to)).unwrap_or_else(|p| panic!("{to:?}: {p:#?}"));
        let problems = judge_policy(&config, &expected());
        let hit = problems.iter().any(|p| p.detector() == detector && p.stop() == stop);
        assert!(hit, "{to:?}: no {detector} with {stop:?} in {problems:#?}");
    }
}

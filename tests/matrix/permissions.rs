//! The policies that `lab-smoke iam render` writes are enough for a whole run, and none of it is too
//! much: without any one statement, and any one action, a call is refused, and the verdict names it.

use lab::iam::{PolicyPhase, render_policy};
use lab::manifest::Manifest;
use lab_mock::cloud::{ManagedPolicy, OperatorsPolicies, PolicyVersion, Tags};
use lab_mock::world::World;
use lab_smoke_tests::smoke::{Prior, Ran, run_prepared};
use serde_json::{Value, json};

/// What is only shown, and decides nothing: without these a run passes, and says what it does not know.
const SHOWN_ALONE: &[&str] = &["sts:DecodeAuthorizationMessage", "iam:SimulatePrincipalPolicy"];

/// A part of a policy that is left out.
#[derive(Clone, Debug)]
struct LeftOut {
    phase: PolicyPhase,
    /// None where the whole statement is.
    action: Option<String>,
    sid: String,
    /// All actions of the statement.
    actions: Vec<String>,
}

/// A run by the rendered policies alone: the operator's, and the role's, a part of it inline and a part
/// managed, which are read by other calls.
fn run_by_policies(left_out: Option<&LeftOut>, prior: Prior) -> Ran {
    run_prepared(1, &[], prior, &|world, manifest| enforce(world, manifest, left_out))
}

fn enforce(world: &mut World, manifest: &Manifest, left_out: Option<&LeftOut>) {
    let policy = |phase| policy_without(manifest, phase, left_out).to_string();
    let now = world.now;
    let cloud = &mut world.cloud;
    cloud.options.operators_policies = OperatorsPolicies::Asked;
    let arn = cloud.operator.arn.clone();
    let operator = cloud.iam.users.values_mut().find(|user| user.arn == arn).expect("the operator");
    operator.attached_policies.clear();
    operator.inline_policies = [PolicyPhase::Preflight, PolicyPhase::Run]
        .map(|phase| (phase.name().to_owned(), policy(phase)))
        .into();
    let role = cloud.iam.roles.get_mut(&manifest.iam.role_name).expect("the role");
    let arn = role.arn.replace(":role/", ":policy/");
    let (inline, attached) = split(&policy_without(manifest, PolicyPhase::Executor, left_out));
    role.inline_policies = [("own".to_owned(), inline.to_string())].into();
    role.attached_policies = vec![arn.clone()];
    let version = PolicyVersion { document: attached.to_string(), created_at: now };
    let managed = ManagedPolicy {
        id: "ANPAEXAMPLEEXAMPLE000".to_owned(),
        name: manifest.iam.role_name.clone(),
        arn: arn.clone(),
        path: "/".to_owned(),
        created_at: now,
        default_version: "v1".to_owned(),
        versions: [("v1".to_owned(), version)].into(),
        tags: Tags::new(),
    };
    cloud.iam.policies.insert(arn, managed);
}

/// What looks, and what changes.
fn split(policy: &Value) -> (Value, Value) {
    let only = |looks: bool| {
        let mut part = policy.clone();
        let statements = part["Statement"].as_array_mut().expect("statements");
        statements.retain(|it| (it["Sid"] == "DescribeEnis") == looks);
        part
    };
    (only(true), only(false))
}

fn policy_without(manifest: &Manifest, phase: PolicyPhase, left_out: Option<&LeftOut>) -> Value {
    let mut policy = render_policy(manifest, phase);
    let Some(left_out) = left_out.filter(|it| it.phase == phase) else { return policy };
    let statements = policy["Statement"].as_array_mut().expect("statements");
    match &left_out.action {
        None => statements.retain(|it| it["Sid"] != json!(left_out.sid)),
        Some(action) => {
            for statement in statements.iter_mut().filter(|it| it["Sid"] == json!(left_out.sid)) {
                let actions = statement["Action"].as_array_mut().expect("actions");
                actions.retain(|it| it != action);
            }
            // A statement needs an action.
            statements.retain(|it| it["Action"] != json!([]));
        }
    }
    policy
}

/// Each statement of each policy, and then each action by itself where a statement has several.
fn parts(manifest: &Manifest) -> Vec<LeftOut> {
    let mut parts = Vec::new();
    for phase in PolicyPhase::ALL {
        let policy = render_policy(manifest, phase);
        for statement in policy["Statement"].as_array().expect("statements") {
            let sid = statement["Sid"].as_str().expect("a sid").to_owned();
            let actions: Vec<String> =
                serde_json::from_value(statement["Action"].clone()).expect("actions");
            let part =
                |action| LeftOut { phase, action, sid: sid.clone(), actions: actions.clone() };
            parts.push(part(None));
            if actions.len() > 1 {
                parts.extend(actions.iter().cloned().map(|action| part(Some(action))));
            }
        }
    }
    parts
}

fn example() -> Manifest {
    harness::labs::mock_manifest(1).expect("a manifest")
}

#[test]
fn a_whole_run_passes_by_the_rendered_policies_alone() {
    for prior in Prior::BOTH {
        let ran = run_by_policies(None, prior);
        let judgement = &ran.judgement;
        assert_eq!((judgement.exit_code, &judgement.reasons), (0, &vec![]), "{prior:?}");
    }
}

#[test]
fn without_any_part_of_a_policy_a_call_is_refused_and_the_verdict_names_it() {
    let mut wrong = Vec::new();
    for part in parts(&example()) {
        let ran = run_by_policies(Some(&part), Prior::CheckOn);
        let reasons = ran.judgement.reasons.join("\n");
        let missing = part.action.clone().map_or_else(|| part.actions.clone(), |it| vec![it]);
        let decides = |action: &&String| !SHOWN_ALONE.contains(&action.as_str());
        let needed: Vec<_> = missing.iter().filter(decides).collect();
        if needed.is_empty() {
            if ran.judgement.exit_code != 0 {
                wrong.push(format!("{part:?} is not needed, and yet: {reasons}"));
            }
            continue;
        }
        // As the runbook names it, or as the call is named: `ec2 DescribeVpcs`.
        let named = needed.iter().any(|action| {
            reasons.contains(action.as_str()) || reasons.contains(&action.replace(':', " "))
        });
        let says_what_to_do = part.phase == PolicyPhase::Executor || reasons.contains("iam render");
        if ran.judgement.exit_code == 0 || !named || !says_what_to_do {
            wrong.push(format!("{part:?}: exit {}: {reasons}", ran.judgement.exit_code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

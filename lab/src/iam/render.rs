//! The policies that a lab needs: the operator's, by phase, and the executor's. Each statement once, as
//! a row; filled from a manifest they are documents as IAM takes them.

use serde_json::{Map, Value, json};

use super::arn::{make_ec2_arn, make_iam_arn, partition_of};
use crate::manifest::Manifest;

/// Who is to have a policy, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyPhase {
    /// The operator's, for all that looks.
    Preflight,
    /// The operator's, beside the one for preflight: what stops, starts and ends.
    Run,
    /// The executor's role's.
    Executor,
}

impl PolicyPhase {
    /// All of them, in the order in which they are needed.
    pub const ALL: [Self; 3] = [Self::Preflight, Self::Run, Self::Executor];

    /// The policy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "operator-preflight",
            Self::Run => "operator-run",
            Self::Executor => "executor",
        }
    }

    fn rows(self) -> &'static [StatementRow] {
        match self {
            Self::Preflight => PREFLIGHT,
            Self::Run => RUN,
            Self::Executor => EXECUTOR,
        }
    }
}

/// The subject of a statement.
#[derive(Clone, Copy)]
enum On {
    /// `*`: what has no resource of its own.
    Anything,
    /// All of these kinds in the account and region, as `instance`.
    Kinds(&'static [&'static str]),
    /// The ENI that is captured on.
    Interface,
    Role,
    Profile,
    /// Managed policies, the account's and AWS's.
    Policies,
}

/// Under which condition it holds.
#[derive(Clone, Copy)]
enum Under {
    Nothing,
    /// `ec2:Region`: all that narrows a describe.
    Region,
    /// The lab's tag on the resource.
    LabTag,
}

struct StatementRow {
    sid: &'static str,
    actions: &'static [&'static str],
    on: On,
    under: Under,
}

const fn row(
    sid: &'static str,
    on: On,
    under: Under,
    actions: &'static [&'static str],
) -> StatementRow {
    StatementRow { sid, actions, on, under }
}

const PREFLIGHT: &[StatementRow] = &[
    row(
        "LookInRegion",
        On::Anything,
        Under::Region,
        &[
            "ec2:DescribeAddresses",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeInstances",
            "ec2:DescribeNatGateways",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeTransitGatewayVpcAttachments",
            "ec2:DescribeVolumes",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcPeeringConnections",
            "ec2:DescribeVpcs",
        ],
    ),
    row(
        "LookAtInstances",
        On::Kinds(&["instance"]),
        Under::LabTag,
        &["ec2:DescribeInstanceAttribute"],
    ),
    row(
        "LookAtTheRole",
        On::Role,
        Under::Nothing,
        &[
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:SimulatePrincipalPolicy",
        ],
    ),
    row("LookAtTheProfile", On::Profile, Under::Nothing, &["iam:GetInstanceProfile"]),
    row("LookAtPolicies", On::Policies, Under::Nothing, &["iam:GetPolicy", "iam:GetPolicyVersion"]),
    row("ReadRefusals", On::Anything, Under::Nothing, &["sts:DecodeAuthorizationMessage"]),
];

const RUN: &[StatementRow] = &[
    row(
        "CostByTag",
        On::Kinds(&["instance"]),
        Under::LabTag,
        &["ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"],
    ),
    row("AddressesByTag", On::Kinds(&["elastic-ip"]), Under::LabTag, &["ec2:ReleaseAddress"]),
    row(
        "UnbindByTag",
        On::Kinds(&["elastic-ip", "network-interface"]),
        Under::LabTag,
        &["ec2:DisassociateAddress"],
    ),
    row("VolumesByTag", On::Kinds(&["volume"]), Under::LabTag, &["ec2:DeleteVolume"]),
];

const EXECUTOR: &[StatementRow] = &[
    row("DescribeEnis", On::Anything, Under::Region, &["ec2:DescribeNetworkInterfaces"]),
    row(
        "MutateLabEni",
        On::Interface,
        Under::Nothing,
        &[
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
            "ec2:ModifyNetworkInterfaceAttribute",
        ],
    ),
];

/// Finds the policy of the operator and its statement that grant an action.
pub fn find_granting(action: &str) -> Option<(&'static str, &'static str)> {
    [PolicyPhase::Preflight, PolicyPhase::Run].into_iter().find_map(|phase| {
        let row = phase.rows().iter().find(|row| row.actions.contains(&action))?;
        Some((phase.name(), row.sid))
    })
}

/// Renders the policy of one phase for this lab, as IAM takes it.
pub fn render_policy(manifest: &Manifest, phase: PolicyPhase) -> Value {
    let statements: Vec<Value> =
        phase.rows().iter().map(|row| render_statement(manifest, row)).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Renders all policies for this lab, by name.
pub fn render_policies(manifest: &Manifest) -> Value {
    let named = PolicyPhase::ALL.map(|it| (it.name().to_owned(), render_policy(manifest, it)));
    Value::Object(named.into_iter().collect::<Map<_, _>>())
}

fn render_statement(manifest: &Manifest, row: &StatementRow) -> Value {
    let mut statement = Map::new();
    statement.insert("Sid".to_owned(), json!(row.sid));
    statement.insert("Effect".to_owned(), json!("Allow"));
    statement.insert("Action".to_owned(), json!(row.actions));
    statement.insert("Resource".to_owned(), render_resource(manifest, row.on));
    let condition = match row.under {
        Under::Nothing => None,
        Under::Region => Some(("ec2:Region".to_owned(), &manifest.aws.region)),
        Under::LabTag => {
            let key = format!("aws:ResourceTag/{}", manifest.lab.tag_key);
            Some((key, &manifest.lab.tag_value))
        }
    };
    if let Some((key, value)) = condition {
        statement.insert("Condition".to_owned(), json!({ "StringEquals": { key: value } }));
    }
    Value::Object(statement)
}

fn render_resource(manifest: &Manifest, on: On) -> Value {
    let (region, account) = (&manifest.aws.region, &manifest.aws.account_id);
    let arns = match on {
        On::Anything => return json!("*"),
        On::Kinds(kinds) => kinds
            .iter()
            .map(|kind| make_ec2_arn(region, account, &format!("{kind}/*")))
            .collect::<Vec<_>>(),
        On::Interface => {
            let eni = &manifest.capture.network_interface_id;
            vec![make_ec2_arn(region, account, &format!("network-interface/{eni}"))]
        }
        On::Role => {
            vec![make_iam_arn(region, account, &format!("role/{}", manifest.iam.role_name))]
        }
        On::Profile => {
            let name = &manifest.iam.instance_profile_name;
            vec![make_iam_arn(region, account, &format!("instance-profile/{name}"))]
        }
        On::Policies => vec![
            make_iam_arn(region, account, "policy/*"),
            format!("arn:{}:iam::aws:policy/*", partition_of(region)),
        ],
    };
    match arns.as_slice() {
        [arn] => json!(arn),
        _ => json!(arns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::example_manifest;

    fn example() -> Manifest {
        Manifest::parse("the example", example_manifest()).expect("a manifest")
    }

    /// IAM takes 6,144 characters of a managed policy, blanks not counted, and 2,048 of all of a user's
    /// own together.
    #[test]
    fn each_policy_fits_into_a_managed_one() {
        for phase in PolicyPhase::ALL {
            let text = render_policy(&example(), phase).to_string();
            assert!(text.len() < 6_144, "{}: {}", phase.name(), text.len());
        }
    }

    #[test]
    fn every_sid_is_there_once_and_every_action_of_the_operator_is_granted_by_one() {
        let mut sids = Vec::new();
        for phase in PolicyPhase::ALL {
            sids.extend(phase.rows().iter().map(|row| row.sid));
        }
        let count = sids.len();
        sids.sort_unstable();
        sids.dedup();
        assert_eq!(sids.len(), count);
        let stop = Some(("operator-run", "CostByTag"));
        assert_eq!(find_granting("ec2:StopInstances"), stop);
        assert_eq!(find_granting("ec2:AssignPrivateIpAddresses"), None);
    }

    #[test]
    fn another_partition_is_in_every_arn() {
        let mut manifest = example();
        manifest.aws.region = "cn-north-1".to_owned();
        let text = render_policies(&manifest).to_string();
        assert_eq!(text.matches("arn:").count(), text.matches("arn:aws-cn:").count(), "{text}");
    }
}

//! Without any one statement of the rendered policies a call is refused, and the verdict names it: each by an
//! operator of his own, who lacks that statement alone. They ask the same lab, some at a time.

use std::collections::{BTreeMap, BTreeSet};

use lab_mock::cloud::{ManagedPolicy, PolicyVersion, Tags};
use lab_mock::world::World;
use lab_smoke_tests::parallel;
use serde_json::{Value, json};

use super::place::{AwsPlace, CallingAs};
use crate::netns::place::words;

use AskedBy::{Check, Preflight};

/// A statement that is left out, and what comes of it.
struct LackRow {
    sid: &'static str,
    asked: AskedBy,
    /// What is refused by that, as it is told.
    refused: &'static str,
    /// The assertion whose reason it is, or the line of the check.
    told_by: &'static str,
}

/// The command that meets the refusal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AskedBy {
    /// A run's: its verdict has the reason.
    Preflight,
    /// `iam check`, which asks less of the nodes.
    Check,
}

const fn row(
    sid: &'static str,
    asked: AskedBy,
    refused: &'static str,
    told_by: &'static str,
) -> LackRow {
    LackRow { sid, asked, refused, told_by }
}

#[rustfmt::skip]
const OF_THE_OPERATOR: &[LackRow] = &[
    row("LookInRegion", Preflight, "ec2 DescribeInstances was refused", "the lab does not answer"),
    row("LookAtInstances", Preflight, "ec2 DescribeInstanceAttribute was refused", "preflight.stoppable"),
    row("LookAtTheRole", Preflight, "lacks-LookAtTheRole is not authorized to perform: iam:List", "preflight.role is unknown"),
    row("LookAtTheProfile", Preflight, "iam GetInstanceProfile was refused", "preflight.instance-profile is unknown"),
    row("LookAtPolicies", Preflight, "iam GetPolicy was refused", "preflight.role is unknown"),
    row("CostByTag", Preflight, "ec2:StopInstances", "preflight.permissions failed"),
    row("ReadRefusals", Check, "sts DecodeAuthorizationMessage was refused", "denied   operator ec2:DeleteVolume"),
    row("AddressesByTag", Check, "ec2:ReleaseAddress", "denied   operator ec2:ReleaseAddress"),
    row("UnbindByTag", Check, "ec2:DisassociateAddress", "denied   operator ec2:DisassociateAddress"),
    row("VolumesByTag", Check, "ec2:DeleteVolume", "denied   operator ec2:DeleteVolume"),
];

/// His role is one for all.
#[rustfmt::skip]
const OF_THE_EXECUTOR: &[LackRow] = &[
    row("DescribeEnis", Check, "ec2:DescribeNetworkInterfaces", "denied   executor ec2:DescribeNetworkInterfaces"),
    row("MutateLabEni", Check, "ec2:AssignPrivateIpAddresses", "denied   executor ec2:AssignPrivateIpAddresses"),
];

/// Two operators who lack nothing.
const LACKING_NOTHING: &[LackRow] =
    &[row("Whole", Preflight, "", ""), row("WholeAgain", Check, "", "")];

/// Only where something is refused it is asked for.
const READ_REFUSALS: &str = "ReadRefusals";
const REFUSED_BESIDE: &str = "VolumesByTag";

type Policies = BTreeMap<String, Value>;

pub fn miss_each_statement() -> Result<(), String> {
    let aws = AwsPlace::new(CallingAs::Root, |_| {})?;
    aws.edit(|manifest| {
        manifest.teardown = aws.ends.clone();
        Ok(())
    })?;
    let policies = aws.rendered_policies()?;
    has_a_row_for_each(&policies)?;
    let rows: Vec<&LackRow> = OF_THE_OPERATOR.iter().chain(LACKING_NOTHING).collect();
    aws.change(|world| {
        set_role(world, &policies, "")?;
        rows.iter().try_for_each(|row| add_operator(world, &policies, row.sid))
    })?;
    // A preflight asks each node for much, and has a limit for each answer: a core each.
    let told = parallel::map(&rows, |row| row.is_told(&aws, row.sid).err());
    let mut wrong: Vec<String> = told.into_iter().flatten().collect();
    for row in OF_THE_EXECUTOR {
        aws.change(|world| set_role(world, &policies, row.sid))?;
        wrong.extend(row.is_told(&aws, LACKING_NOTHING[0].sid).err());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n\n")) }
}

fn has_a_row_for_each(policies: &Policies) -> Result<(), String> {
    let statements = policies.values().filter_map(|it| it["Statement"].as_array());
    let rendered = statements.flatten().filter_map(|it| it["Sid"].as_str());
    let rendered: BTreeSet<_> = rendered.collect();
    let rows = OF_THE_OPERATOR.iter().chain(OF_THE_EXECUTOR).map(|row| row.sid).collect();
    if rendered == rows { Ok(()) } else { Err(format!("rendered are {rendered:?}, not {rows:?}")) }
}

/// One policy as text, without a statement.
fn without(policy: &Value, sids: &[&str]) -> String {
    let mut policy = policy.clone();
    if let Some(statements) = policy["Statement"].as_array_mut() {
        statements.retain(|it| !sids.iter().any(|sid| it["Sid"] == json!(sid)));
    }
    policy.to_string()
}

/// What the executor looks by is a managed policy of the account's, what it changes by is the role's own.
fn set_role(world: &mut World, policies: &Policies, lacking: &str) -> Result<(), &'static str> {
    let policy = policies.get("executor").ok_or("no policy for the executor")?;
    let (looks, changes) = ("DescribeEnis", "MutateLabEni");
    let iam = &mut world.cloud.iam;
    let role = iam.roles.values_mut().next().ok_or("no role")?;
    let arn = role.arn.replace(":role/", ":policy/");
    role.inline_policies = [("executor".to_owned(), without(policy, &[looks, lacking]))].into();
    role.attached_policies = vec![arn.clone()];
    let document = without(policy, &[changes, lacking]);
    let created_at = role.created_at;
    let managed = ManagedPolicy {
        id: "ANPAEXAMPLEEXAMPLE000".to_owned(),
        name: role.name.clone(),
        arn: arn.clone(),
        path: "/".to_owned(),
        created_at,
        default_version: "v1".to_owned(),
        versions: [("v1".to_owned(), PolicyVersion { document, created_at })].into(),
        tags: Tags::new(),
    };
    iam.policies.insert(arn, managed);
    Ok(())
}

/// One more user, who lacks this statement; what another asks is not asked in his name.
fn add_operator(world: &mut World, policies: &Policies, lacking: &str) -> Result<(), &'static str> {
    let beside = if lacking == READ_REFUSALS { REFUSED_BESIDE } else { lacking };
    let users = &mut world.cloud.iam.users;
    let mut user = users.values().next().ok_or("no user")?.clone();
    user.name = format!("lacks-{lacking}");
    user.arn = format!("arn:aws:iam::123456789012:user/{}", user.name);
    user.access_keys = [(key_of(lacking), secret_of(lacking))].into();
    user.attached_policies.clear();
    let his = policies.iter().filter(|(name, _)| *name != "executor");
    user.inline_policies =
        his.map(|(name, policy)| (name.clone(), without(policy, &[lacking, beside]))).collect();
    users.insert(user.name.clone(), user);
    Ok(())
}

/// Their ends tell the statements apart.
fn key_of(lacking: &str) -> String {
    let end: String = lacking.to_ascii_uppercase().chars().rev().take(9).collect();
    format!("AKIAEXAMPLE{end:0<9}")
}

fn secret_of(lacking: &str) -> String {
    format!("{lacking:/<40}")
}

impl LackRow {
    /// In the name of an operator; who lacks nothing is told of nothing.
    fn is_told(&self, aws: &AwsPlace, operator: &str) -> Result<(), String> {
        let line = match self.asked {
            Preflight => format!("preflight --lab lab.toml --out {} --leave-running", self.sid),
            Check => "iam check lab.toml".to_owned(),
        };
        let mut command = aws.command(&line);
        command.env("AWS_ACCESS_KEY_ID", key_of(operator));
        command.env("AWS_SECRET_ACCESS_KEY", secret_of(operator));
        let output = command.output().map_err(words)?;
        let code = output.status.code();
        let told = match self.asked {
            Preflight => aws.evidence(self.sid)?.verdict.reasons.join("\n"),
            Check => String::from_utf8_lossy(&output.stdout).into_owned(),
        };
        let passes = match self.asked {
            Preflight => 3,
            Check => 0,
        };
        let is_refused = code.is_some_and(|code| ![0, 3].contains(&code));
        let right = if self.refused.is_empty() {
            code == Some(passes)
        } else {
            is_refused && [self.refused, self.told_by].iter().all(|it| told.contains(it))
        };
        if right { Ok(()) } else { Err(format!("{} ended with {code:?}:\n{told}", self.sid)) }
    }
}

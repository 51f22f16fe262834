//! The executor's role and the profile that gives it to the instance.

use super::fault::Fault;
use super::hand::{Done, add_api_fault, make_api_error};
use super::rules::CallerKind;
use crate::cloud::{LAB_TAG, ManagedPolicy, PolicyVersion, Tags};
use crate::machines::AWS_CLI;
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("wider-role", "the executor's role has ec2:* on everything", wider_role)
        .from("§3", "contract F3"),
    Fault::new("narrow-role", "the executor's role lacks one of the four actions", narrow_role)
        .from("§3", "contract F3"),
    Fault::new("role-elsewhere", "the executor's role may change any ENI of the account", role_elsewhere)
        .from("§3", "contract F4"),
    Fault::new("other-profile-role", "the instance profile has another role than the executor's", other_profile_role)
        .from("§8.1", "contract §9.4"),
    Fault::new("empty-profile", "the instance profile has no role", empty_profile)
        .from("§8.1", "contract §9.4"),
    Fault::new("no-aws-cli", "routerd-cloud has no AWS CLI: nobody can ask there what the executor may", no_aws_cli)
        .from("§8.1", "contract §9.4"),
    Fault::new("bounded-role", "the executor's role has a permissions boundary that lacks one of the four actions", bounded_role)
        .from("§3", "issue: the judge reads the boundary"),
    Fault::new("executor-denied", "a service control policy denies what the executor's role allows: ModifyNetworkInterfaceAttribute", executor_denied)
        .from("§3", "issue: permissions are proved before anything is spent"),
    Fault::new("no-right-to-stop", "a service control policy denies StopInstances", no_right_to_stop)
        .from("§8.7", "issue: no right to stop"),
    Fault::new("no-right-to-release", "a service control policy denies ReleaseAddress", no_right_to_release)
        .from("§6.3", "issue: permissions are proved before anything is spent"),
    Fault::new("rehearsal-unanswered", "EC2 throttles every DryRun of DeleteVolume: whether it is allowed is not known", rehearsal_unanswered)
        .from("§6.3", "issue: permissions are proved before anything is spent"),
    Fault::new("role-by-tags", "the role's policy names the ENI by its tags and its VPC: at this moment they are the lab's alone", role_by_tags)
        .from("§3", "issue: the judge takes a role by tags and VPC"),
    Fault::new("role-by-lab-tag", "the role's policy names all ENIs with the lab's tag", role_by_lab_tag)
        .from("§3", "issue: the judge takes a role by tags and VPC"),
];

fn no_aws_cli(world: &mut World, _: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.remove(AWS_CLI, 0).map_err(|error| format!("{AWS_CLI}: {error:?}"))
}

fn deny_to_all(world: &mut World, action: &str) -> Done {
    world.cloud.options.scp_denies.insert(action.to_owned());
    Ok(())
}

fn executor_denied(world: &mut World, _: &str) -> Done {
    deny_to_all(world, "ec2:ModifyNetworkInterfaceAttribute")
}

fn no_right_to_stop(world: &mut World, _: &str) -> Done {
    deny_to_all(world, "ec2:StopInstances")
}

fn no_right_to_release(world: &mut World, _: &str) -> Done {
    deny_to_all(world, "ec2:ReleaseAddress")
}

fn rehearsal_unanswered(world: &mut World, _: &str) -> Done {
    let effect = make_api_error(503, "RequestLimitExceeded", "Request limit exceeded.");
    add_api_fault(world, "DryRun:DeleteVolume", CallerKind::Operator, u32::MAX, effect)
}

fn bounded_role(world: &mut World, _: &str) -> Done {
    let now = world.now;
    let iam = &mut world.cloud.iam;
    let role = iam.roles.values_mut().next().ok_or("there is no role")?;
    let arn = role.arn.replace(":role/", ":policy/boundary-of-");
    role.boundary = Some(arn.clone());
    let document = r#"{"Statement":{"Effect":"Allow","NotAction":"ec2:Unassign*","Resource":"*"}}"#;
    let version = PolicyVersion { document: document.to_owned(), created_at: now };
    let policy = ManagedPolicy {
        id: "ANPAEXAMPLEEXAMPLE000".to_owned(),
        name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
        arn: arn.clone(),
        path: "/".to_owned(),
        created_at: now,
        default_version: "v1".to_owned(),
        versions: [("v1".to_owned(), version)].into(),
        tags: Tags::new(),
    };
    iam.policies.insert(arn, policy);
    Ok(())
}

/// The mutations on all interfaces, under these conditions.
fn name_by(world: &mut World, conditions: &str) -> Done {
    let eni = super::hand::interface_of(world, super::hand::ROUTER)?.id.clone();
    edit_role(world, |text| {
        text.replace(&format!("{eni}\""), &format!("*\",\"Condition\":{conditions}"))
    })
}

fn role_by_tags(world: &mut World, _: &str) -> Done {
    let vpc = super::hand::interface_of(world, super::hand::ROUTER)?.vpc_id.clone();
    let arn = world.cloud.arn("vpc", &vpc);
    let (key, value) = LAB_TAG;
    let conditions = format!(
        r#"{{"StringEquals":{{"aws:ResourceTag/{key}":"{value}","aws:ResourceTag/Name":"routerd-cloud"}},"ArnEquals":{{"ec2:Vpc":"{arn}"}}}}"#
    );
    name_by(world, &conditions)
}

fn role_by_lab_tag(world: &mut World, _: &str) -> Done {
    let (key, value) = LAB_TAG;
    name_by(world, &format!(r#"{{"StringEquals":{{"aws:ResourceTag/{key}":"{value}"}}}}"#))
}

fn edit_role(world: &mut World, edit: impl Fn(&str) -> String) -> Done {
    let roles = &mut world.cloud.iam.roles;
    let role = roles.values_mut().next().ok_or("there is no role")?;
    for document in role.inline_policies.values_mut() {
        let edited = edit(document);
        if edited == *document {
            return Err("the policy has not what is to be changed".to_owned());
        }
        *document = edited;
    }
    Ok(())
}

fn wider_role(world: &mut World, _: &str) -> Done {
    edit_role(world, |text| text.replace("ec2:AssignPrivateIpAddresses", "ec2:*"))
}

fn narrow_role(world: &mut World, _: &str) -> Done {
    edit_role(world, |text| {
        text.replace("ec2:UnassignPrivateIpAddresses", "ec2:AssignPrivateIpAddresses")
    })
}

fn role_elsewhere(world: &mut World, _: &str) -> Done {
    let eni = super::hand::interface_of(world, super::hand::ROUTER)?.id.clone();
    edit_role(world, |text| text.replace(&eni, "*"))
}

fn other_profile_role(world: &mut World, _: &str) -> Done {
    let iam = &mut world.cloud.iam;
    let mut other = iam.roles.values().next().ok_or("there is no role")?.clone();
    other.name = "somebody-else".to_owned();
    other.arn = other.arn.replace("lab-smoke-executor", "somebody-else");
    iam.roles.insert(other.name.clone(), other);
    for profile in iam.instance_profiles.values_mut() {
        profile.roles = vec!["somebody-else".to_owned()];
    }
    Ok(())
}

fn empty_profile(world: &mut World, _: &str) -> Done {
    for profile in world.cloud.iam.instance_profiles.values_mut() {
        profile.roles.clear();
    }
    Ok(())
}

//! The executor's role and the profile that gives it to the instance.

use super::fault::Fault;
use super::hand::Done;
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
    Fault::new("no-aws-cli", "routerd-cloud has no AWS CLI: its metadata service is asked for the executor's identity", no_aws_cli)
        .from("§8.1", "contract §9.4"),
];

fn no_aws_cli(world: &mut World, _: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.remove(AWS_CLI, 0).map_err(|error| format!("{AWS_CLI}: {error:?}"))
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

//! IAM: users, and what else of a role or a policy can be listed.

use super::action::{Action, Call};
use super::error::ApiError;
use super::iam::{
    attached, inline_document, inline_names, no_such_entity, page, policy, read, required, role,
    truncation,
};
use super::identify::Caller;
use super::principal::Principal;
use super::render::time_seconds;
use super::xml::Xml;
use crate::cloud::User;

pub const ACTIONS: &[Action] = &[
    read("GetUser", &["UserName"], get_user),
    read("ListUserPolicies", &["UserName", "Marker", "MaxItems"], list_user_policies),
    read("GetUserPolicy", &["UserName", "PolicyName"], get_user_policy),
    read(
        "ListAttachedUserPolicies",
        &["UserName", "PathPrefix", "Marker", "MaxItems"],
        list_attached_user_policies,
    ),
    read("ListPolicyVersions", &["PolicyArn", "Marker", "MaxItems"], list_policy_versions),
    read(
        "ListInstanceProfilesForRole",
        &["RoleName", "Marker", "MaxItems"],
        list_instance_profiles_for_role,
    ),
];

fn user<'a>(call: &'a Call<'_>) -> Result<&'a User, ApiError> {
    let name = required(call.params, "UserName")?;
    named(call, name)
}

fn named<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a User, ApiError> {
    let found = call.cloud.iam.users.get(name);
    found.ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))
}

/// Without a name, the caller itself; a role is no user.
fn get_user(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let own = match call.caller {
        Caller::Operator | Caller::User { .. } => {
            Principal::of(call.cloud, call.caller).and_then(|principal| principal.name)
        }
        Caller::Instance { .. } | Caller::Session { .. } => None,
    };
    let name = call.params.text("UserName").or(own).ok_or_else(|| {
        ApiError::bad(
            "ValidationError",
            "Must specify userName when calling with non-User credentials",
        )
    })?;
    let user = named(call, name)?;
    let mut xml = Xml::new();
    xml.element("User", |xml| {
        xml.leaf("Path", &user.path);
        xml.leaf("UserName", &user.name);
        xml.leaf("UserId", &user.id);
        xml.leaf("Arn", &user.arn);
        xml.leaf("CreateDate", time_seconds(user.created_at));
    });
    Ok(xml)
}

fn list_user_policies(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    inline_names(call.params, &user(call)?.inline_policies)
}

fn get_user_policy(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let user = user(call)?;
    inline_document(call.params, ("user", "UserName", &user.name), &user.inline_policies)
}

fn list_attached_user_policies(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    attached(call, &user(call)?.attached_policies)
}

fn list_policy_versions(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let policy = policy(call)?;
    let mut xml = Xml::new();
    let (page, marker) = page(call.params, policy.versions.iter().rev().collect())?;
    xml.members("Versions", page, |xml, (id, version)| {
        xml.leaf("VersionId", id);
        xml.leaf("IsDefaultVersion", *id == policy.default_version);
        xml.leaf("CreateDate", time_seconds(version.created_at));
    });
    truncation(&mut xml, marker);
    Ok(xml)
}

fn list_instance_profiles_for_role(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let role = role(call)?;
    let profiles = call.cloud.iam.instance_profiles.values();
    let own = profiles.filter(|profile| profile.roles.contains(&role.name)).collect();
    let mut xml = Xml::new();
    let (page, marker) = page(call.params, own)?;
    xml.members("InstanceProfiles", page, |xml, profile| {
        super::iam::profile_detail(xml, call.cloud, profile);
    });
    truncation(&mut xml, marker);
    Ok(xml)
}

//! IAM: users, and what else of a role or a policy can be listed.

use super::action::{ApiCall, ApiOperation};
use super::error::ApiError;
use super::iam::{
    define_read, find_policy, find_role, inline_document, inline_names, list_attached_policies,
    no_such_entity, require_parameter, take_iam_page, write_truncation,
};
use super::identify::Caller;
use super::principal::Principal;
use super::render::time_seconds;
use super::xml::Xml;
use crate::cloud::User;

pub const ACTIONS: &[ApiOperation] = &[
    define_read("GetUser", &["UserName"], get_user),
    define_read("ListUserPolicies", &["UserName", "Marker", "MaxItems"], list_user_policies),
    define_read("GetUserPolicy", &["UserName", "PolicyName"], get_user_policy),
    define_read(
        "ListAttachedUserPolicies",
        &["UserName", "PathPrefix", "Marker", "MaxItems"],
        list_attached_user_policies,
    ),
    define_read("ListPolicyVersions", &["PolicyArn", "Marker", "MaxItems"], list_policy_versions),
    define_read(
        "ListInstanceProfilesForRole",
        &["RoleName", "Marker", "MaxItems"],
        list_instance_profiles_for_role,
    ),
];

fn user<'a>(call: &'a ApiCall<'_>) -> Result<&'a User, ApiError> {
    let name = require_parameter(call.params, "UserName")?;
    named(call, name)
}

fn named<'a>(call: &'a ApiCall<'_>, name: &str) -> Result<&'a User, ApiError> {
    let found = call.cloud.iam.users.get(name);
    found.ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))
}

/// Without a name, the caller itself; a role is no user.
fn get_user(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
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

fn list_user_policies(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    inline_names(call.params, &user(call)?.inline_policies)
}

fn get_user_policy(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let user = user(call)?;
    inline_document(call.params, ("user", "UserName", &user.name), &user.inline_policies)
}

fn list_attached_user_policies(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    list_attached_policies(call, &user(call)?.attached_policies)
}

fn list_policy_versions(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let policy = find_policy(call)?;
    let mut xml = Xml::new();
    let (page, marker) = take_iam_page(call.params, policy.versions.iter().rev().collect())?;
    xml.members("Versions", page, |xml, (id, version)| {
        xml.leaf("VersionId", id);
        xml.leaf("IsDefaultVersion", *id == policy.default_version);
        xml.leaf("CreateDate", time_seconds(version.created_at));
    });
    write_truncation(&mut xml, marker);
    Ok(xml)
}

fn list_instance_profiles_for_role(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let role = find_role(call)?;
    let profiles = call.cloud.iam.instance_profiles.values();
    let own = profiles.filter(|profile| profile.roles.contains(&role.name)).collect();
    let mut xml = Xml::new();
    let (page, marker) = take_iam_page(call.params, own)?;
    xml.members("InstanceProfiles", page, |xml, profile| {
        super::iam::profile_detail(xml, call.cloud, profile);
    });
    write_truncation(&mut xml, marker);
    Ok(xml)
}

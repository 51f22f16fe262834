//! IAM: what a role may do, as its policies say it.

use std::collections::BTreeMap;

use super::action::{AccessLevel, ApiCall, ApiOperation, DryRun, Resources};
use super::error::ApiError;
use super::params::Params;
use super::render::time_seconds;
use super::request::Service;
use super::xml::Xml;
use crate::cloud::{Cloud, InstanceProfile, ManagedPolicy, PolicyVersion, Role, Tags};

pub const ACTIONS: &[ApiOperation] = &[
    define_read("GetRole", &["RoleName"], get_role).on(ROLE),
    define_read("GetInstanceProfile", &["InstanceProfileName"], get_instance_profile)
        .on(Resources::Named { kind: "instance-profile", parameter: "InstanceProfileName" }),
    define_read(
        "ListAttachedRolePolicies",
        &["RoleName", "PathPrefix", "Marker", "MaxItems"],
        list_attached_role_policies,
    )
    .on(ROLE),
    define_read("ListRolePolicies", &["RoleName", "Marker", "MaxItems"], list_role_policies)
        .on(ROLE),
    define_read("GetRolePolicy", &["RoleName", "PolicyName"], get_role_policy).on(ROLE),
    define_read("GetPolicy", &["PolicyArn"], get_policy).on(POLICY),
    define_read("GetPolicyVersion", &["PolicyArn", "VersionId"], get_policy_version).on(POLICY),
];

const ROLE: Resources = Resources::Named { kind: "role", parameter: "RoleName" };
const POLICY: Resources = Resources::ByArn { parameter: "PolicyArn" };

pub const fn define_read(
    name: &'static str,
    parameters: &'static [&'static str],
    handler: fn(&mut ApiCall<'_>) -> Result<Xml, ApiError>,
) -> ApiOperation {
    ApiOperation {
        service: Service::Iam,
        name,
        parameters,
        effect: AccessLevel::Read,
        dry_run: DryRun::Absent,
        resources: Resources::Any,
        handler,
    }
}

pub fn no_such_entity(message: String) -> ApiError {
    ApiError::new(404, "NoSuchEntity", message)
}

pub fn find_role<'a>(call: &'a ApiCall<'_>) -> Result<&'a Role, ApiError> {
    let name = require_parameter(call.params, "RoleName")?;
    let found = call.cloud.iam.roles.get(name);
    found.ok_or_else(|| no_such_entity(format!("The role with name {name} cannot be found.")))
}

pub fn find_policy<'a>(call: &'a ApiCall<'_>) -> Result<&'a ManagedPolicy, ApiError> {
    let arn = require_parameter(call.params, "PolicyArn")?;
    let found = call.cloud.iam.policies.get(arn);
    found.ok_or_else(|| {
        // As recorded: AWS says something else of its own.
        let is_awss = arn.contains(":iam::aws:policy/");
        let why = if is_awss { "was not found" } else { "does not exist or is not attachable" };
        no_such_entity(format!("Policy {arn} {why}."))
    })
}

/// IAM's words for a parameter that is not there.
pub fn require_parameter<'a>(params: &'a Params, name: &str) -> Result<&'a str, ApiError> {
    params.text(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let mut member = name.to_owned();
        member[..1].make_ascii_lowercase();
        ApiError::bad(
            "ValidationError",
            format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ),
        )
    })
}

fn get_role(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let role = find_role(call)?;
    let mut xml = Xml::new();
    xml.element("Role", |xml| {
        role_detail(xml, role);
        xml.leaf("MaxSessionDuration", 3600);
        if let Some(arn) = &role.boundary {
            xml.element("PermissionsBoundary", |xml| {
                xml.leaf("PermissionsBoundaryType", "Policy");
                xml.leaf("PermissionsBoundaryArn", arn);
            });
        }
        if !role.tags.is_empty() {
            tag_members(xml, &role.tags);
        }
        xml.element("RoleLastUsed", |_| {});
    });
    Ok(xml)
}

fn get_instance_profile(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let name = require_parameter(call.params, "InstanceProfileName")?;
    let profile: &InstanceProfile = call
        .cloud
        .iam
        .instance_profiles
        .get(name)
        .ok_or_else(|| no_such_entity(format!("Instance Profile {name} cannot be found.")))?;
    let mut xml = Xml::new();
    xml.element("InstanceProfile", |xml| profile_detail(xml, call.cloud, profile));
    Ok(xml)
}

pub fn profile_detail(xml: &mut Xml, cloud: &Cloud, profile: &InstanceProfile) {
    let roles = profile.roles.iter().filter_map(|name| cloud.iam.roles.get(name));
    xml.leaf("Path", &profile.path);
    xml.leaf("InstanceProfileName", &profile.name);
    xml.leaf("InstanceProfileId", &profile.id);
    xml.leaf("Arn", &profile.arn);
    xml.leaf("CreateDate", time_seconds(profile.created_at));
    xml.members("Roles", roles, role_detail);
}

fn role_detail(xml: &mut Xml, role: &Role) {
    xml.leaf("Path", &role.path);
    xml.leaf("RoleName", &role.name);
    xml.leaf("RoleId", &role.id);
    xml.leaf("Arn", &role.arn);
    xml.leaf("CreateDate", time_seconds(role.created_at));
    xml.leaf("AssumeRolePolicyDocument", url_encoded(&role.trust_policy));
}

fn tag_members(xml: &mut Xml, tags: &Tags) {
    xml.members("Tags", tags, |xml, (key, value)| {
        xml.leaf("Key", key);
        xml.leaf("Value", value);
    });
}

fn list_attached_role_policies(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    list_attached_policies(call, &find_role(call)?.attached_policies)
}

fn list_role_policies(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    inline_names(call.params, &find_role(call)?.inline_policies)
}

fn get_role_policy(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let role = find_role(call)?;
    inline_document(call.params, ("role", "RoleName", &role.name), &role.inline_policies)
}

/// The managed policies of a role or a user, page by page.
pub fn list_attached_policies<'a>(
    call: &ApiCall<'_>,
    arns: impl IntoIterator<Item = &'a String>,
) -> Result<Xml, ApiError> {
    let prefix = call.params.text("PathPrefix").unwrap_or("/");
    let policies = arns.into_iter().filter_map(|arn| call.cloud.iam.policies.get(arn));
    let policies: Vec<_> = policies.filter(|policy| policy.path.starts_with(prefix)).collect();
    let mut xml = Xml::new();
    let (page, marker) = take_iam_page(call.params, policies)?;
    xml.members("AttachedPolicies", page, |xml, policy| {
        xml.leaf("PolicyName", &policy.name);
        xml.leaf("PolicyArn", &policy.arn);
    });
    write_truncation(&mut xml, marker);
    Ok(xml)
}

/// The names of a role's or a user's own policies, page by page.
pub fn inline_names(params: &Params, policies: &BTreeMap<String, String>) -> Result<Xml, ApiError> {
    let mut xml = Xml::new();
    let (page, marker) = take_iam_page(params, policies.keys().collect())?;
    xml.members("PolicyNames", page, |xml, name| xml.text(name));
    write_truncation(&mut xml, marker);
    Ok(xml)
}

/// One of them: whose it is, as the messages and as the answer say it.
pub fn inline_document(
    params: &Params,
    (kind, element, owner): (&str, &str, &str),
    policies: &BTreeMap<String, String>,
) -> Result<Xml, ApiError> {
    let name = require_parameter(params, "PolicyName")?;
    let document = policies.get(name).ok_or_else(|| {
        no_such_entity(format!("The {kind} policy with name {name} cannot be found."))
    })?;
    let mut xml = Xml::new();
    xml.leaf(element, owner);
    xml.leaf("PolicyName", name);
    xml.leaf("PolicyDocument", url_encoded(document));
    Ok(xml)
}

fn get_policy(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let policy = find_policy(call)?;
    let roles = call.cloud.iam.roles.values();
    let attached = roles.filter(|role| role.attached_policies.contains(&policy.arn)).count();
    let mut xml = Xml::new();
    xml.element("Policy", |xml| {
        xml.leaf("PolicyName", &policy.name);
        xml.leaf("PolicyId", &policy.id);
        xml.leaf("Arn", &policy.arn);
        xml.leaf("Path", &policy.path);
        xml.leaf("DefaultVersionId", &policy.default_version);
        xml.leaf("AttachmentCount", attached);
        xml.leaf("PermissionsBoundaryUsageCount", 0);
        xml.leaf("IsAttachable", true);
        xml.leaf("CreateDate", time_seconds(policy.created_at));
        let newest = policy.versions.values().map(|version| version.created_at).max();
        xml.leaf("UpdateDate", time_seconds(newest.unwrap_or(policy.created_at)));
        tag_members(xml, &policy.tags);
    });
    Ok(xml)
}

fn get_policy_version(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let policy = find_policy(call)?;
    let id = require_parameter(call.params, "VersionId")?;
    let version: &PolicyVersion = policy.versions.get(id).ok_or_else(|| {
        no_such_entity(format!(
            "Policy {} version {id} does not exist or is not attachable.",
            policy.arn
        ))
    })?;
    let mut xml = Xml::new();
    xml.element("PolicyVersion", |xml| {
        xml.leaf("Document", url_encoded(&version.document));
        xml.leaf("VersionId", id);
        xml.leaf("IsDefaultVersion", id == policy.default_version);
        xml.leaf("CreateDate", time_seconds(version.created_at));
    });
    Ok(xml)
}

/// `MaxItems` (1 to 1000, 100 by default) and `Marker`, IAM's paging.
pub fn take_iam_page<T>(
    params: &Params,
    mut items: Vec<T>,
) -> Result<(Vec<T>, Option<usize>), ApiError> {
    let size: usize = params.number("MaxItems")?.unwrap_or(100);
    if !(1..=1000).contains(&size) {
        return Err(ApiError::bad(
            "ValidationError",
            format!(
                "1 validation error detected: Value '{size}' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000 and greater than or equal to 1"
            ),
        ));
    }
    let start: usize = match params.text("Marker") {
        None => 0,
        Some(marker) => marker
            .parse()
            .ok()
            .filter(|start| *start <= items.len())
            .ok_or_else(|| ApiError::bad("InvalidMarker", "Invalid Marker."))?,
    };
    let mut page = items.split_off(start);
    let rest = page.len() > size;
    page.truncate(size);
    Ok((page, rest.then_some(start + size)))
}

pub fn write_truncation(xml: &mut Xml, marker: Option<usize>) {
    xml.leaf("IsTruncated", marker.is_some());
    xml.leaf_if("Marker", marker);
}

/// IAM hands out documents percent-encoded (RFC 3986).
pub fn url_encoded(document: &str) -> String {
    form_urlencoded::byte_serialize(document.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
        .replace('*', "%2A")
}

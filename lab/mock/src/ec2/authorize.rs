//! Whether the caller may, by the policies of its role or user.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::action::{AccessLevel, ApiOperation, Resources};
use super::error::ApiError;
use super::identify::Caller;
use super::policy::{Context, Decision, Question};
use super::principal::Principal;
use super::request::{Request, Service};
use super::tags;
use crate::cloud::{Cloud, kind_of};

/// One thing that must be allowed.
struct RequiredPermission {
    action: String,
    resource: String,
    context: Context,
}

pub fn check_permissions(
    cloud: &Cloud,
    caller: &Caller,
    action: &ApiOperation,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    if matches!(action.resources, Resources::Free) {
        return Ok(());
    }
    let principal = Principal::of(cloud, caller).unwrap_or_else(Principal::nobody);
    let denied_to_all = &cloud.options.scp_denies;
    if *caller == Caller::Operator && denied_to_all.is_empty() {
        return Ok(());
    }
    for asked in questions(cloud, &principal, action, request, now) {
        if denied_to_all.contains(&asked.action) {
            return Err(refusal(&principal, action, &asked, Because::OrganizationDenies));
        }
        let question =
            Question { action: &asked.action, resource: &asked.resource, context: &asked.context };
        let because = match principal.verdict(&question).decision {
            Decision::Allowed => continue,
            Decision::Denied => Because::Denied,
            Decision::NothingAllows => Because::NothingAllows,
        };
        return Err(refusal(&principal, action, &asked, because));
    }
    Ok(())
}

/// Why somebody may not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Because {
    NothingAllows,
    Denied,
    OrganizationDenies,
}

/// The action on each resource that it touches; and where something is made with tags, that these
/// may be given.
fn questions(
    cloud: &Cloud,
    principal: &Principal<'_>,
    action: &ApiOperation,
    request: &Request,
    now: DateTime<Utc>,
) -> Vec<RequiredPermission> {
    let base = context(cloud, principal, action, request, now);
    let arn = |kind: &str, id: &str| {
        format!("arn:aws:ec2:{}:{}:{kind}/{id}", request.region, cloud.account_id)
    };
    let name = format!("{}:{}", action.service.as_str(), action.name);
    let mut asked: Vec<RequiredPermission> = resources(cloud, action, request)
        .into_iter()
        .map(|touched| {
            let (resource, id) = match touched {
                Touched::Anything => ("*".to_owned(), None),
                Touched::Ec2 { kind, id } => (arn(kind, &id), Some(id)),
                Touched::Iam { arn } => (arn, None),
            };
            let context = with_resource(cloud, &base, id.as_deref(), &arn);
            let context = with_attribute(context, action, request);
            RequiredPermission { action: name.clone(), resource, context }
        })
        .collect();
    if action.name != "CreateTags" {
        asked.extend(tags::kinds_specified(&request.params).into_iter().map(|kind| {
            let mut context = base.clone();
            context.insert("ec2:createaction".to_owned(), vec![action.name.to_owned()]);
            RequiredPermission {
                action: "ec2:CreateTags".to_owned(),
                resource: arn(kind, "*"),
                context,
            }
        }));
    }
    asked
}

/// Something that a policy is asked about.
enum Touched {
    Anything,
    Ec2 { kind: &'static str, id: String },
    Iam { arn: String },
}

fn resources(cloud: &Cloud, action: &ApiOperation, request: &Request) -> Vec<Touched> {
    let given = |parameter: &str| -> Vec<String> {
        let mut ids = request.params.list(parameter);
        ids.extend(request.params.text(parameter));
        ids.into_iter().map(str::to_owned).collect()
    };
    let of = |kind: &'static str, parameter: &str| -> Vec<Touched> {
        given(parameter).into_iter().map(|id| Touched::Ec2 { kind, id }).collect()
    };
    let found: Vec<Touched> = match action.resources {
        Resources::Any | Resources::Free => vec![],
        Resources::Of { kind, parameter } => of(kind, parameter),
        Resources::New { kind, with } => {
            let mut found = vec![Touched::Ec2 { kind, id: "*".to_owned() }];
            found.extend(with.iter().flat_map(|(kind, parameter)| of(kind, parameter)));
            found
        }
        Resources::Many(pairs) => {
            pairs.iter().flat_map(|(kind, parameter)| of(kind, parameter)).collect()
        }
        Resources::Tagged { parameter } => given(parameter)
            .into_iter()
            .map(|id| Touched::Ec2 { kind: kind_of(&id).unwrap_or("unknown"), id })
            .collect(),
        Resources::Associated { parameter } => {
            given(parameter).iter().flat_map(|id| associated(cloud, id)).collect()
        }
        Resources::Named { kind, parameter } => {
            let arn = |name| format!("arn:aws:iam::{}:{kind}/{name}", cloud.account_id);
            given(parameter).iter().map(|name| Touched::Iam { arn: arn(name) }).collect()
        }
        Resources::ByArn { parameter } => {
            given(parameter).into_iter().map(|arn| Touched::Iam { arn }).collect()
        }
    };
    if found.is_empty() { vec![Touched::Anything] } else { found }
}

/// Both ends of an association.
fn associated(cloud: &Cloud, association: &str) -> Vec<Touched> {
    let ends = cloud.addresses.values().filter_map(|address| {
        let found = address.association.as_ref().filter(|it| it.id == association)?;
        Some([
            Touched::Ec2 { kind: "elastic-ip", id: address.allocation_id.clone() },
            Touched::Ec2 { kind: "network-interface", id: found.network_interface_id.clone() },
        ])
    });
    ends.flatten().collect()
}

/// The context with the attribute that a modify of an interface changes, and its value.
fn with_attribute(mut context: Context, action: &ApiOperation, request: &Request) -> Context {
    let value = request.params.text("SourceDestCheck.Value");
    if let (true, Some(value)) = (action.name == "ModifyNetworkInterfaceAttribute", value) {
        context.insert("ec2:attribute".to_owned(), vec!["SourceDestCheck".to_owned()]);
        context.insert("ec2:attribute/sourcedestcheck".to_owned(), vec![value.to_owned()]);
    }
    context
}

fn context(
    cloud: &Cloud,
    principal: &Principal<'_>,
    action: &ApiOperation,
    request: &Request,
    now: DateTime<Utc>,
) -> Context {
    let mut context = principal.context(&cloud.account_id);
    let mut add = |key: String, values: Vec<String>| context.insert(key, values);
    add("aws:requestedregion".to_owned(), vec![request.region.clone()]);
    add("aws:currenttime".to_owned(), vec![now.to_rfc3339_opts(SecondsFormat::Secs, true)]);
    add("aws:epochtime".to_owned(), vec![now.timestamp().to_string()]);
    if action.service == Service::Ec2 {
        add("ec2:region".to_owned(), vec![request.region.clone()]);
    }
    if let Some(instance_type) = request.params.text("InstanceType") {
        add("ec2:instancetype".to_owned(), vec![instance_type.to_owned()]);
    }
    let given = tags::read_given_tags(&request.params);
    if !given.is_empty() {
        add("aws:tagkeys".to_owned(), given.iter().map(|(key, _)| (*key).to_owned()).collect());
    }
    for (key, value) in given {
        add(format!("aws:requesttag/{}", key.to_lowercase()), vec![value.to_owned()]);
    }
    context
}

/// The context with the keys that the resource itself shows: its tags, its VPC and its subnet.
fn with_resource(
    cloud: &Cloud,
    base: &Context,
    id: Option<&str>,
    arn: &impl Fn(&str, &str) -> String,
) -> Context {
    let mut context = base.clone();
    let Some(id) = id else { return context };
    for (key, value) in cloud.tags_of(id).into_iter().flatten() {
        for service in ["aws", "ec2"] {
            let key = format!("{service}:resourcetag/{}", key.to_lowercase());
            context.insert(key, vec![value.clone()]);
        }
    }
    let (vpc, subnet) = cloud.place_of(id);
    if let Some(vpc) = vpc {
        context.insert("ec2:vpc".to_owned(), vec![arn("vpc", vpc)]);
    }
    if let Some(subnet) = subnet {
        context.insert("ec2:subnet".to_owned(), vec![arn("subnet", subnet)]);
    }
    context
}

fn refusal(
    principal: &Principal<'_>,
    action: &ApiOperation,
    asked: &RequiredPermission,
    why: Because,
) -> ApiError {
    let (arn, name, resource) = (&principal.arn, &asked.action, &asked.resource);
    let because = match why {
        Because::Denied => "with an explicit deny in an identity-based policy".to_owned(),
        Because::OrganizationDenies => {
            "with an explicit deny in a service control policy".to_owned()
        }
        Because::NothingAllows => {
            format!("because no identity-based policy allows the {name} action")
        }
    };
    let on = if resource == "*" { String::new() } else { format!(" on resource: {resource}") };
    let who = format!("User: {arn} is not authorized to perform: {name}{on} {because}");
    if action.service != Service::Ec2 {
        return ApiError::new(403, "AccessDenied", who);
    }
    let encoded = match action.effect {
        AccessLevel::Read => String::new(),
        AccessLevel::Write => {
            let message = URL_SAFE_NO_PAD.encode(details(principal, asked, why).to_string());
            format!(". Encoded authorization failure message: {message}")
        }
    };
    let message = format!("You are not authorized to perform this operation. {who}{encoded}");
    ApiError::new(403, "UnauthorizedOperation", message)
}

/// The details of a refusal that DecodeAuthorizationMessage shows.
fn details(principal: &Principal<'_>, asked: &RequiredPermission, why: Because) -> Value {
    let items = |values: Vec<Value>| json!({ "items": values });
    let conditions = asked.context.iter().map(|(key, values)| {
        let values = values.iter().map(|value| json!({ "value": value })).collect();
        json!({ "key": key, "values": items(values) })
    });
    json!({
        "allowed": false,
        "explicitDeny": why != Because::NothingAllows,
        "matchedStatements": items(vec![]),
        "failures": items(vec![]),
        "context": {
            "principal": { "id": principal.user_id, "arn": principal.arn },
            "action": asked.action,
            "resource": asked.resource,
            "conditions": items(conditions.collect()),
        }
    })
}

/// The text in an encoded message.
pub fn decode_message(message: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(message).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.get("context").is_some().then(|| value.to_string())
}

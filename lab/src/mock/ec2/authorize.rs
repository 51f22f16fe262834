//! Whether the caller may, by the policies of its role. The operator may everything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::action::{Action, Effect, Resources};
use super::error::ApiError;
use super::filters::matches;
use super::identify::Caller;
use super::request::{Request, Service};
use crate::mock::cloud::{Cloud, Role};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Allowed,
    NothingAllows,
    Denied,
}

pub fn check(
    cloud: &Cloud,
    caller: &Caller,
    action: &Action,
    request: &Request,
) -> Result<(), ApiError> {
    let Caller::Instance { instance_id } = caller else { return Ok(()) };
    if matches!(action.resources, Resources::Free) {
        return Ok(());
    }
    let name = format!("{}:{}", action.service.as_str(), action.name);
    for resource in resources(cloud, action, request) {
        let decision = cloud.role_of(instance_id).map_or(Decision::NothingAllows, |role| {
            decide(cloud, role, &name, &resource, &request.region)
        });
        if decision != Decision::Allowed {
            return Err(refusal(cloud, instance_id, action, &name, &resource, decision));
        }
    }
    Ok(())
}

fn resources(cloud: &Cloud, action: &Action, request: &Request) -> Vec<String> {
    let Resources::Of { kind, parameter } = action.resources else { return vec!["*".to_owned()] };
    let mut ids = request.params.list(parameter);
    ids.extend(request.params.text(parameter));
    if ids.is_empty() {
        return vec!["*".to_owned()];
    }
    let (region, account) = (&request.region, &cloud.account_id);
    ids.into_iter().map(|id| format!("arn:aws:ec2:{region}:{account}:{kind}/{id}")).collect()
}

/// An explicit deny wins, then any allow.
fn decide(cloud: &Cloud, role: &Role, action: &str, resource: &str, region: &str) -> Decision {
    let mut decision = Decision::NothingAllows;
    for document in cloud.iam.documents(role) {
        // A document that AWS could not have stored allows nothing.
        let Ok(document) = serde_json::from_str::<Value>(document) else { continue };
        for statement in one_or_many(&document["Statement"]) {
            if !applies(statement, action, resource, region) {
                continue;
            }
            match statement["Effect"].as_str() {
                Some("Deny") => return Decision::Denied,
                Some("Allow") => decision = Decision::Allowed,
                _ => {}
            }
        }
    }
    decision
}

fn applies(statement: &Value, action: &str, resource: &str, region: &str) -> bool {
    let action_fits = |pattern: &str| matches(&pattern.to_lowercase(), &action.to_lowercase());
    let resource_fits = |pattern: &str| matches(pattern, resource);
    listed(statement, "Action", "NotAction", action_fits)
        && listed(statement, "Resource", "NotResource", resource_fits)
        && conditions_hold(&statement["Condition"], region)
}

fn listed(statement: &Value, name: &str, not_name: &str, fits: impl Fn(&str) -> bool) -> bool {
    let any = |value: &Value| one_or_many(value).any(|v| v.as_str().is_some_and(&fits));
    if statement[not_name].is_null() { any(&statement[name]) } else { !any(&statement[not_name]) }
}

/// `StringEquals` and `StringLike` on the region; a condition that is not known does not hold.
fn conditions_hold(conditions: &Value, region: &str) -> bool {
    let Some(operators) = conditions.as_object() else { return conditions.is_null() };
    operators.iter().all(|(operator, keys)| {
        let fits: fn(&str, &str) -> bool = match operator.as_str() {
            "StringEquals" => |pattern, text| pattern == text,
            "StringLike" => matches,
            _ => return false,
        };
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, values)| {
                matches!(key.to_lowercase().as_str(), "ec2:region" | "aws:requestedregion")
                    && one_or_many(values).any(|v| v.as_str().is_some_and(|v| fits(v, region)))
            })
        })
    })
}

fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        single => std::slice::from_ref(single),
    }
    .iter()
}

fn refusal(
    cloud: &Cloud,
    instance_id: &str,
    action: &Action,
    name: &str,
    resource: &str,
    decision: Decision,
) -> ApiError {
    let role = cloud.role_of(instance_id).map_or("", |role| role.name.as_str());
    let arn = cloud.assumed_role_arn(role, instance_id);
    let because = match decision {
        Decision::Denied => "with an explicit deny in an identity-based policy".to_owned(),
        _ => format!("because no identity-based policy allows the {name} action"),
    };
    let on = if resource == "*" { String::new() } else { format!(" on resource: {resource}") };
    let who = format!("User: {arn} is not authorized to perform: {name}{on} {because}");
    if action.service != Service::Ec2 {
        return ApiError::new(403, "AccessDenied", who);
    }
    let encoded = match action.effect {
        Effect::Read => String::new(),
        Effect::Write => {
            let message = format!("{arn} {name} {resource}");
            format!(". Encoded authorization failure message: {}", URL_SAFE_NO_PAD.encode(message))
        }
    };
    let message = format!("You are not authorized to perform this operation. {who}{encoded}");
    ApiError::new(403, "UnauthorizedOperation", message)
}

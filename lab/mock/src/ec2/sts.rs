//! STS: who am I, and may I be somebody else for a while.

use chrono::TimeDelta;
use serde_json::Value;

use super::action::{AccessLevel, ApiCall, ApiOperation, DryRun, Resources};
use super::authorize;
use super::conditions;
use super::error::ApiError;
use super::filters::matches_pattern;
use super::identify::{Caller, unknown_key};
use super::policy::{Context, Decision, Question, one_or_many};
use super::principal::Principal;
use super::render::time_seconds;
use super::request::Service;
use super::xml::Xml;
use crate::cloud::{Cloud, Role, Session, ids};

pub const ACTIONS: &[ApiOperation] = &[
    action("GetCallerIdentity", Resources::Free, &[], get_caller_identity),
    ApiOperation {
        effect: AccessLevel::Write,
        ..action(
            "AssumeRole",
            // The role's own policy decides as well: see below.
            Resources::Free,
            &["RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "Policy"],
            assume_role,
        )
    },
    action(
        "DecodeAuthorizationMessage",
        Resources::Any,
        &["EncodedMessage"],
        decode_authorization_message,
    ),
];

const fn action(
    name: &'static str,
    resources: Resources,
    parameters: &'static [&'static str],
    handler: fn(&mut ApiCall<'_>) -> Result<Xml, ApiError>,
) -> ApiOperation {
    ApiOperation {
        service: Service::Sts,
        name,
        parameters,
        effect: AccessLevel::Read,
        dry_run: DryRun::Absent,
        resources,
        handler,
    }
}

fn get_caller_identity(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let cloud = &*call.cloud;
    let principal = Principal::of(cloud, call.caller).ok_or_else(|| unknown_key(Service::Sts))?;
    let mut xml = Xml::new();
    // The account is the caller's own, as its ARN says: it need not be the one it looks at.
    let account = principal.arn.split(':').nth(4).unwrap_or(&cloud.account_id).to_owned();
    xml.leaf("Arn", principal.arn);
    xml.leaf("UserId", principal.user_id);
    xml.leaf("Account", account);
    Ok(xml)
}

fn assume_role(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let arn = required(call, "RoleArn")?.to_owned();
    let name = required(call, "RoleSessionName")?.to_owned();
    check_name(&name)?;
    let duration: i64 = call.params.number("DurationSeconds")?.unwrap_or(3600);
    check_duration(call.caller, duration)?;
    let policy = call.params.text("Policy").map(str::to_owned);
    if policy.as_deref().is_some_and(|text| serde_json::from_str::<Value>(text).is_err()) {
        return Err(ApiError::bad("MalformedPolicyDocument", "This policy contains invalid Json"));
    }
    let role = trusted(call, &arn)?.clone();
    call.cloud.made += 1;
    let label = format!("session/{}", call.cloud.made);
    let seed = call.cloud.seed;
    let key: String = ids::unique_id("ASIA", seed, &label).chars().take(20).collect();
    let session = Session {
        role: role.name.clone(),
        name: name.clone(),
        secret_access_key: ids::make_secret(seed, &label),
        session_token: ids::make_secret(seed, &format!("token/{label}")),
        expires_at: call.now + TimeDelta::seconds(duration),
        policy,
    };
    let mut xml = Xml::new();
    xml.element("AssumedRoleUser", |xml| {
        xml.leaf("AssumedRoleId", format!("{}:{name}", role.id));
        xml.leaf("Arn", call.cloud.assumed_role_arn(&role.name, &name));
    });
    xml.element("Credentials", |xml| {
        xml.leaf("AccessKeyId", &key);
        xml.leaf("SecretAccessKey", &session.secret_access_key);
        xml.leaf("SessionToken", &session.session_token);
        xml.leaf("Expiration", time_seconds(session.expires_at));
    });
    call.cloud.iam.sessions.insert(key, session);
    Ok(xml)
}

fn required<'a>(call: &'a ApiCall<'_>, name: &str) -> Result<&'a str, ApiError> {
    call.params.text(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let mut member = name.to_owned();
        member[..1].make_ascii_lowercase();
        invalid(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

fn invalid(message: String) -> ApiError {
    ApiError::bad("ValidationError", message)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&name.len()) && name.chars().all(good) {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    )))
}

/// A role that assumes a role has it for an hour at most.
fn check_duration(caller: &Caller, seconds: i64) -> Result<(), ApiError> {
    if seconds < 900 {
        return Err(invalid(format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
        )));
    }
    if seconds <= 3600 {
        return Ok(());
    }
    let message = match caller {
        Caller::Instance { .. } | Caller::Session { .. } => {
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        }
        _ => "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    };
    Err(invalid(message.to_owned()))
}

/// The role, where it trusts the caller, and the caller's policies let it where the role only
/// trusts the account. Whether the role is there at all is not said.
fn trusted<'a>(call: &'a ApiCall<'_>, arn: &str) -> Result<&'a Role, ApiError> {
    let cloud = &*call.cloud;
    let principal = Principal::of(cloud, call.caller).unwrap_or_else(Principal::nobody);
    let mut context = principal.context(&cloud.account_id);
    if let Some(id) = call.params.text("ExternalId") {
        context.insert("sts:externalid".to_owned(), vec![id.to_owned()]);
    }
    let role = cloud.iam.roles.values().find(|role| role.arn == arn);
    let trust = role.map_or(Trust::None, |role| trust(cloud, role, &principal, &context));
    let question = Question { action: "sts:AssumeRole", resource: arn, context: &context };
    let own = principal.verdict(&question).decision;
    let allowed = match (trust, own) {
        (Trust::None, _) | (_, Decision::Denied) => false,
        (Trust::Named, _) => true,
        (Trust::Account, own) => own == Decision::Allowed,
    };
    role.filter(|_| allowed).ok_or_else(|| {
        let who = &principal.arn;
        ApiError::new(
            403,
            "AccessDenied",
            format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"),
        )
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    None,
    /// The account: its own policies decide who.
    Account,
    /// This very principal.
    Named,
}

fn trust(cloud: &Cloud, role: &Role, principal: &Principal<'_>, context: &Context) -> Trust {
    let document: Value = serde_json::from_str(&role.trust_policy).unwrap_or(Value::Null);
    let mut trust = Trust::None;
    for statement in one_or_many(&document["Statement"]) {
        let acts = one_or_many(&statement["Action"]).any(|action| {
            action.as_str().is_some_and(|pattern| matches_pattern(pattern, "sts:AssumeRole"))
        });
        if !acts || !conditions::hold(&statement["Condition"], context) {
            continue;
        }
        let found = named(cloud, &statement["Principal"], principal, context);
        match (statement["Effect"].as_str(), found) {
            (_, Trust::None) => {}
            (Some("Allow"), found) if trust != Trust::Named => trust = found,
            (Some("Deny"), _) => return Trust::None,
            _ => {}
        }
    }
    trust
}

fn named(cloud: &Cloud, whom: &Value, principal: &Principal<'_>, context: &Context) -> Trust {
    let account = [cloud.account_id.clone(), format!("arn:aws:iam::{}:root", cloud.account_id)];
    let role = context.get("aws:principalarn").and_then(|values| values.first());
    let all = if whom.is_string() { one_or_many(whom) } else { one_or_many(&whom["AWS"]) };
    let mut found = Trust::None;
    for one in all.filter_map(Value::as_str) {
        if one == principal.arn || Some(one) == role.map(String::as_str) {
            return Trust::Named;
        }
        if one == "*" || account.iter().any(|account| account == one) {
            found = Trust::Account;
        }
    }
    found
}

fn decode_authorization_message(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let decoded =
        authorize::decode_message(required(call, "EncodedMessage")?).ok_or_else(|| {
            ApiError::bad("InvalidAuthorizationMessageException", "Message is not valid")
        })?;
    let mut xml = Xml::new();
    xml.leaf("DecodedMessage", decoded);
    Ok(xml)
}

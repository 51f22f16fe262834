//! IAM's policy simulator: what would be decided, from the policies as they are.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::ApiError;
use super::iam::{define_read, no_such_entity, require_parameter, take_iam_page, write_truncation};
use super::params::Params;
use super::policy::{Context, Decision, PolicyEvaluation, Question};
use super::principal::Principal;
use super::xml::Xml;
use crate::cloud::{Cloud, NamedPolicy};

const OF_PRINCIPAL: &[&str] = &[
    "PolicySourceArn",
    "PolicyInputList.member.N",
    "ActionNames.member.N",
    "ResourceArns.member.N",
    "ContextEntries.member.N.ContextKeyName",
    "ContextEntries.member.N.ContextKeyType",
    "ContextEntries.member.N.ContextKeyValues.member.N",
    "CallerArn",
    "MaxItems",
    "Marker",
];
const CUSTOM: &[&str] = &[
    "PolicyInputList.member.N",
    "ActionNames.member.N",
    "ResourceArns.member.N",
    "ContextEntries.member.N.ContextKeyName",
    "ContextEntries.member.N.ContextKeyType",
    "ContextEntries.member.N.ContextKeyValues.member.N",
    "CallerArn",
    "MaxItems",
    "Marker",
];

pub const ACTIONS: &[ApiOperation] = &[
    define_read("SimulatePrincipalPolicy", OF_PRINCIPAL, of_principal)
        .on(Resources::ByArn { parameter: "PolicySourceArn" }),
    define_read("SimulateCustomPolicy", CUSTOM, custom),
];

fn of_principal(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let arn = require_parameter(call.params, "PolicySourceArn")?;
    let principal = find(call.cloud, arn)?;
    evaluate(call, principal)
}

fn custom(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    if call.params.list("PolicyInputList.member").is_empty() {
        require_parameter(call.params, "PolicyInputList")?;
    }
    evaluate(call, Principal::nobody())
}

fn find<'a>(cloud: &'a Cloud, arn: &str) -> Result<Principal<'a>, ApiError> {
    let role = cloud.iam.roles.values().find(|role| role.arn == arn);
    let user = cloud.iam.users.values().find(|user| user.arn == arn);
    match (role, user) {
        (Some(role), _) => Ok(Principal::role(cloud, role)),
        (None, Some(user)) => Ok(Principal::user(cloud, user)),
        (None, None) if !arn.starts_with("arn:aws:iam::") => {
            Err(ApiError::bad("InvalidInput", format!("Invalid Entity Arn: {arn}")))
        }
        (None, None) => Err(no_such_entity("Unable to retrieve specified IAM entity.".to_owned())),
    }
}

fn evaluate(call: &ApiCall<'_>, principal: Principal<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let texts = params.list("PolicyInputList.member");
    let names: Vec<String> = (1..=texts.len()).map(|n| format!("PolicyInputList.{n}")).collect();
    let principal =
        principal.with(names.iter().zip(&texts).map(|(name, text)| NamedPolicy { name, text }));
    let context = context(params, &principal, &call.cloud.account_id)?;
    let actions = params.list("ActionNames.member");
    if actions.is_empty() {
        require_parameter(params, "ActionNames")?;
    }
    let mut resources = params.list("ResourceArns.member");
    if resources.is_empty() {
        resources.push("*");
    }
    let mut results = Vec::new();
    for action in actions {
        if !action.contains(':') {
            return Err(ApiError::bad("InvalidInput", format!("Invalid Action Name: {action}")));
        }
        for &resource in &resources {
            let question = Question { action, resource, context: &context };
            results.push((action, resource, principal.verdict(&question)));
        }
    }
    let mut xml = Xml::new();
    let (page, marker) = take_iam_page(params, results)?;
    xml.members("EvaluationResults", page, |xml, (action, resource, verdict)| {
        result(xml, action, resource, &verdict);
    });
    write_truncation(&mut xml, marker);
    Ok(xml)
}

/// The condition keys that the request gives, and nothing of the world besides who is asked about.
fn context(
    params: &Params,
    principal: &Principal<'_>,
    account_id: &str,
) -> Result<Context, ApiError> {
    let mut context = principal.context(account_id);
    for number in params.numbers("ContextEntries.member") {
        let entry = format!("ContextEntries.member.{number}");
        let key = require_parameter(params, &format!("{entry}.ContextKeyName"))?;
        let values = params.list(&format!("{entry}.ContextKeyValues.member"));
        context.insert(key.to_lowercase(), values.into_iter().map(str::to_owned).collect());
    }
    Ok(context)
}

fn result(xml: &mut Xml, action: &str, resource: &str, verdict: &PolicyEvaluation) {
    xml.leaf("EvalActionName", action);
    xml.leaf("EvalResourceName", resource);
    xml.leaf(
        "EvalDecision",
        match verdict.decision {
            Decision::Allowed => "allowed",
            Decision::Denied => "explicitDeny",
            Decision::NothingAllows => "implicitDeny",
        },
    );
    xml.members("MatchedStatements", &verdict.matched, |xml, name| {
        xml.leaf("SourcePolicyId", name);
        xml.leaf("SourcePolicyType", "IAM Policy");
    });
    xml.members("MissingContextValues", &verdict.missing, |xml, key| xml.text(key));
}

//! The decision of policy documents: an explicit deny wins, then any allow, else nothing allows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::conditions;
use super::filters::matches_pattern;
use crate::cloud::NamedPolicy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    NothingAllows,
    Denied,
}

/// Condition keys in lower case, and what the request has for them.
pub type Context = BTreeMap<String, Vec<String>>;

#[derive(Debug)]
pub struct Question<'a> {
    /// The service and the operation, such as `ec2:StopInstances`.
    pub action: &'a str,
    pub resource: &'a str,
    pub context: &'a Context,
}

/// A decision, and what led to it.
#[derive(Debug, PartialEq, Eq)]
pub struct PolicyEvaluation {
    pub decision: Decision,
    /// The names of the policies whose statements decided.
    pub matched: Vec<String>,
    /// Keys that conditions ask for and the request does not have.
    pub missing: BTreeSet<String>,
}

pub fn evaluate_documents<'a>(
    documents: impl Iterator<Item = NamedPolicy<'a>>,
    question: &Question<'_>,
) -> PolicyEvaluation {
    let (mut allowed, mut denied) = (Vec::new(), Vec::new());
    let mut missing = BTreeSet::new();
    for document in documents {
        // A document that AWS could not have stored allows nothing.
        let Ok(value) = serde_json::from_str::<Value>(document.text) else { continue };
        for statement in one_or_many(&value["Statement"]) {
            if !is_about(statement, question) {
                continue;
            }
            conditions::collect_missing_keys(
                &statement["Condition"],
                question.context,
                &mut missing,
            );
            if !conditions::hold(&statement["Condition"], question.context) {
                continue;
            }
            match statement["Effect"].as_str() {
                Some("Deny") => denied.push(document.name.to_owned()),
                Some("Allow") => allowed.push(document.name.to_owned()),
                _ => {}
            }
        }
    }
    let (decision, matched) = match (denied.is_empty(), allowed.is_empty()) {
        (false, _) => (Decision::Denied, denied),
        (true, false) => (Decision::Allowed, allowed),
        (true, true) => (Decision::NothingAllows, vec![]),
    };
    PolicyEvaluation { decision, matched, missing }
}

fn is_about(statement: &Value, question: &Question<'_>) -> bool {
    let action = question.action.to_lowercase();
    let action_fits = |pattern: &str| matches_pattern(&pattern.to_lowercase(), &action);
    let resource_fits = |pattern: &str| {
        conditions::fill_variables(pattern, question.context)
            .is_some_and(|pattern| matches_pattern(&pattern, question.resource))
    };
    is_listed(statement, "Action", "NotAction", action_fits)
        && is_listed(statement, "Resource", "NotResource", resource_fits)
}

pub fn is_listed(
    statement: &Value,
    name: &str,
    not_name: &str,
    fits: impl Fn(&str) -> bool,
) -> bool {
    let any = |value: &Value| one_or_many(value).any(|v| v.as_str().is_some_and(&fits));
    if statement[not_name].is_null() { any(&statement[name]) } else { !any(&statement[not_name]) }
}

pub fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        single => std::slice::from_ref(single),
    }
    .iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision(statements: &Value, action: &str, resource: &str, context: &Context) -> Decision {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let documents = [NamedPolicy { name: "p", text: &text }];
        evaluate_documents(documents.into_iter(), &Question { action, resource, context }).decision
    }

    #[test]
    fn statements_decide_by_table() {
        let eni = "arn:aws:ec2:ap-northeast-1:123456789012:network-interface/eni-1";
        let allow = |action: &str, resource: &str| json!({ "Effect": "Allow", "Action": action, "Resource": resource });
        let all_eni = "arn:aws:ec2:*:*:network-interface/*";
        let (yes, none, no) = (Decision::Allowed, Decision::NothingAllows, Decision::Denied);
        let table = [
            (json!([]), none),
            (allow("ec2:Assign*", all_eni), yes),
            (allow("EC2:assignprivateipaddresses", eni), yes),
            (allow("ec2:AssignPrivateIpAddresse?", eni), yes),
            (allow("ec2:Assign", eni), none),
            (allow("iam:*", "*"), none),
            (allow("ec2:*", "arn:aws:ec2:*:*:instance/*"), none),
            (json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }), yes),
            (json!({ "Effect": "Allow", "Action": "*", "NotResource": eni }), none),
            (
                json!([
                    allow("*", "*"),
                    { "Effect": "Deny", "Action": ["ec2:Assign*"], "Resource": [all_eni] }
                ]),
                no,
            ),
        ];
        for (statements, expected) in table {
            let found = decision(&statements, "ec2:AssignPrivateIpAddresses", eni, &Context::new());
            assert_eq!(found, expected, "{statements}");
        }
    }

    #[test]
    fn a_condition_decides_and_what_it_misses_is_named() {
        let statements = json!([{
            "Effect": "Allow", "Action": "*", "Resource": "arn:aws:iam::*:user/${aws:username}",
            "Condition": { "StringEquals": { "aws:RequestedRegion": "ap-northeast-1" } }
        }]);
        let text = json!({ "Statement": statements }).to_string();
        let ask = |context: &Context| {
            let documents = [NamedPolicy { name: "p", text: &text }];
            let resource = "arn:aws:iam::123456789012:user/me";
            evaluate_documents(
                documents.into_iter(),
                &Question { action: "a:B", resource, context },
            )
        };
        let mut context = Context::from([("aws:username".to_owned(), vec!["me".to_owned()])]);
        let verdict = ask(&context);
        assert_eq!(verdict.decision, Decision::NothingAllows);
        assert_eq!(verdict.missing, BTreeSet::from(["aws:RequestedRegion".to_owned()]));
        context.insert("aws:requestedregion".to_owned(), vec!["ap-northeast-1".to_owned()]);
        assert_eq!(ask(&context).decision, Decision::Allowed);
        context.insert("aws:username".to_owned(), vec!["you".to_owned()]);
        assert_eq!(ask(&context).decision, Decision::NothingAllows);
    }
}

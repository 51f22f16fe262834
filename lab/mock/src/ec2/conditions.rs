//! The conditions of a policy's statement.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::Value;

use super::filters::matches_pattern;
use super::policy::{Context, one_or_many};

/// Whether all conditions hold. An operator that is not known does not.
pub fn hold(conditions: &Value, context: &Context) -> bool {
    let Some(operators) = conditions.as_object() else { return conditions.is_null() };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, values)| holds(operator, key, values, context))
        })
    })
}

/// The keys that the conditions ask for and the context does not have.
pub fn collect_missing_keys(conditions: &Value, context: &Context, missing: &mut BTreeSet<String>) {
    let keys =
        conditions.as_object().into_iter().flatten().filter_map(|(_, keys)| keys.as_object());
    let absent = keys.flatten().filter(|(key, _)| !context.contains_key(&key.to_lowercase()));
    missing.extend(absent.map(|(key, _)| key.clone()));
}

/// With `${key}` replaced by what the context has; none where it has nothing.
pub fn fill_variables(text: &str, context: &Context) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (key, tail) = after.split_once('}')?;
        out.push_str(before);
        match key {
            // Themselves, not wildcards.
            "*" | "?" | "$" => out.extend(["\\", key]),
            _ => out.push_str(context.get(&key.to_lowercase())?.first()?),
        }
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

/// How many of a key's values must fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    /// The key has one value, or any of them does.
    Any,
    All,
}

fn holds(operator: &str, key: &str, values: &Value, context: &Context) -> bool {
    let (quantity, operator) = match operator.split_once(':') {
        Some(("ForAllValues", rest)) => (Quantity::All, rest),
        Some(("ForAnyValue", rest)) => (Quantity::Any, rest),
        _ => (Quantity::Any, operator),
    };
    let present = context.get(&key.to_lowercase());
    if operator == "Null" {
        let wants_absent = one_or_many(values).any(|value| as_text(value) == "true");
        return wants_absent == present.is_none();
    }
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let Some((fits, negated)) = test(operator) else { return false };
    let Some(present) = present else {
        return if_exists || negated || quantity == Quantity::All;
    };
    let wanted: Vec<String> =
        one_or_many(values).filter_map(|value| fill_variables(&as_text(value), context)).collect();
    let one = |own: &String| wanted.iter().any(|wanted| fits(wanted, own)) != negated;
    match quantity {
        Quantity::All => present.iter().all(one),
        // Several values under a negated operator: none of them may fit.
        Quantity::Any if negated => present.iter().all(one),
        Quantity::Any => present.iter().any(one),
    }
}

type Test = fn(&str, &str) -> bool;

/// The test that an operator makes of a wanted and an own value, and whether it is the contrary.
fn test(operator: &str) -> Option<(Test, bool)> {
    let equal_text: Test = |wanted, own| wanted == own;
    let ignoring_case: Test = |wanted, own| wanted.eq_ignore_ascii_case(own);
    Some(match operator {
        "StringEquals" => (equal_text, false),
        "StringNotEquals" => (equal_text, true),
        "StringEqualsIgnoreCase" | "Bool" => (ignoring_case, false),
        "StringNotEqualsIgnoreCase" => (ignoring_case, true),
        "StringLike" | "ArnEquals" | "ArnLike" => (matches_pattern, false),
        "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => (matches_pattern, true),
        "NumericEquals" => (|w, o| number(w, o, |w, o| (w - o).abs() < f64::EPSILON), false),
        "NumericNotEquals" => (|w, o| number(w, o, |w, o| (w - o).abs() < f64::EPSILON), true),
        "NumericLessThan" => (|w, o| number(w, o, |w, o| o < w), false),
        "NumericLessThanEquals" => (|w, o| number(w, o, |w, o| o <= w), false),
        "NumericGreaterThan" => (|w, o| number(w, o, |w, o| o > w), false),
        "NumericGreaterThanEquals" => (|w, o| number(w, o, |w, o| o >= w), false),
        "DateLessThan" => (|w, o| date(w, o, |w, o| o < w), false),
        "DateLessThanEquals" => (|w, o| date(w, o, |w, o| o <= w), false),
        "DateGreaterThan" => (|w, o| date(w, o, |w, o| o > w), false),
        "DateGreaterThanEquals" => (|w, o| date(w, o, |w, o| o >= w), false),
        "IpAddress" => (in_range, false),
        "NotIpAddress" => (in_range, true),
        _ => return None,
    })
}

fn number(wanted: &str, own: &str, compare: fn(f64, f64) -> bool) -> bool {
    matches!((wanted.parse(), own.parse()), (Ok(wanted), Ok(own)) if compare(wanted, own))
}

fn date(wanted: &str, own: &str, compare: fn(DateTime<Utc>, DateTime<Utc>) -> bool) -> bool {
    matches!((wanted.parse(), own.parse()), (Ok(wanted), Ok(own)) if compare(wanted, own))
}

fn in_range(wanted: &str, own: &str) -> bool {
    let single = || wanted.parse::<IpAddr>().ok().map(IpNet::from);
    let range = wanted.parse::<IpNet>().ok().or_else(single);
    matches!((range, own.parse::<IpAddr>()), (Some(range), Ok(own)) if range.contains(&own))
}

/// IAM takes `true` and `"true"` for the same.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_operator_by_table() {
        let context = Context::from([
            ("aws:requestedregion".to_owned(), vec!["ap-northeast-1".to_owned()]),
            ("aws:tagkeys".to_owned(), vec!["Name".to_owned(), "lab-smoke".to_owned()]),
            ("ec2:vpc".to_owned(), vec!["arn:aws:ec2:r:a:vpc/vpc-1".to_owned()]),
            ("aws:sourceip".to_owned(), vec!["203.0.113.9".to_owned()]),
            ("aws:currenttime".to_owned(), vec!["2026-01-01T00:00:00Z".to_owned()]),
            ("n".to_owned(), vec!["5".to_owned()]),
            ("aws:securetransport".to_owned(), vec!["true".to_owned()]),
        ]);
        let table = [
            (json!({ "StringEquals": { "AWS:RequestedRegion": "ap-northeast-1" } }), true),
            (json!({ "StringEquals": { "aws:RequestedRegion": ["x", "ap-northeast-1"] } }), true),
            (json!({ "StringEquals": { "aws:RequestedRegion": "AP-northeast-1" } }), false),
            (
                json!({ "StringEqualsIgnoreCase": { "aws:RequestedRegion": "AP-northeast-1" } }),
                true,
            ),
            (json!({ "StringNotEquals": { "aws:RequestedRegion": ["x", "y"] } }), true),
            (json!({ "StringNotEquals": { "absent": "x" } }), true),
            (json!({ "StringEquals": { "absent": "x" } }), false),
            (json!({ "StringEqualsIfExists": { "absent": "x" } }), true),
            (json!({ "StringLike": { "aws:RequestedRegion": "ap-*" } }), true),
            (json!({ "StringNotLike": { "aws:RequestedRegion": "ap-*" } }), false),
            (json!({ "ArnLike": { "ec2:Vpc": "arn:aws:ec2:*:*:vpc/vpc-?" } }), true),
            (json!({ "Null": { "aws:TagKeys": "false" } }), true),
            (json!({ "Null": { "absent": true } }), true),
            (json!({ "ForAllValues:StringEquals": { "aws:TagKeys": ["Name"] } }), false),
            (json!({ "ForAnyValue:StringEquals": { "aws:TagKeys": ["Name"] } }), true),
            (json!({ "ForAllValues:StringEquals": { "absent": ["Name"] } }), true),
            (json!({ "IpAddress": { "aws:SourceIp": "203.0.113.0/24" } }), true),
            (json!({ "IpAddress": { "aws:SourceIp": "203.0.113.9" } }), true),
            (json!({ "NotIpAddress": { "aws:SourceIp": "203.0.113.0/24" } }), false),
            (json!({ "DateGreaterThan": { "aws:CurrentTime": "2025-12-31T00:00:00Z" } }), true),
            (json!({ "DateLessThan": { "aws:CurrentTime": "2025-12-31T00:00:00Z" } }), false),
            (json!({ "NumericLessThanEquals": { "n": "5" } }), true),
            (json!({ "NumericGreaterThan": { "n": 5 } }), false),
            (json!({ "Bool": { "aws:SecureTransport": true } }), true),
            (json!({ "Unheard": { "n": "5" } }), false),
            (
                json!({ "StringEquals": { "n": "5" }, "Bool": { "aws:SecureTransport": "false" } }),
                false,
            ),
            (json!(null), true),
            (json!("odd"), false),
        ];
        for (conditions, expected) in table {
            assert_eq!(hold(&conditions, &context), expected, "{conditions}");
        }
    }
}

//! Secrets in YAML. What parses is redacted as data and written anew, without its comments; what
//! does not is text.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::Value;

use super::{REDACTED, Redactor};

/// The text without its secrets; none where it had none.
pub(super) fn redact_yaml(redactor: &Redactor, text: &str) -> Option<String> {
    let as_text = || match redactor.text(text) {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(other) => Some(other),
    };
    let Some(mut documents) = parsed(text) else { return as_text() };
    let came = documents.clone();
    let found = documents.iter_mut().fold(false, |found, it| redactor.value(it) | found);
    if found && has_aliases(text) {
        hide_elsewhere(&came, &mut documents);
    }
    if !found {
        // Comments are no data.
        return as_text();
    }
    let written: Result<Vec<_>, _> = documents.iter().map(serde_yaml_ng::to_string).collect();
    written.map_or_else(|_| as_text(), |documents| Some(documents.join("---\n")))
}

/// `&name` somewhere and `*name` elsewhere: the parser gives the same value at both places.
fn has_aliases(text: &str) -> bool {
    let mut names = text.split('&').skip(1).map(|rest| {
        rest.split(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}')).next().unwrap_or("")
    });
    names.any(|name| !name.is_empty() && text.contains(&format!("*{name}")))
}

/// Hides what an alias repeats at its anchor too, whatever that is named.
fn hide_elsewhere(came: &[Value], documents: &mut [Value]) {
    let mut secrets = BTreeSet::new();
    came.iter().zip(&*documents).for_each(|(came, kept)| collect_hidden(came, kept, &mut secrets));
    for document in documents.iter_mut() {
        hide_equal(document, &secrets);
    }
}

/// The texts of a document that are in its redacted form no more.
fn collect_hidden<'a>(came: &'a Value, kept: &Value, secrets: &mut BTreeSet<&'a str>) {
    match (came, kept) {
        (Value::Array(came), Value::Array(kept)) => {
            came.iter().zip(kept).for_each(|(came, kept)| collect_hidden(came, kept, secrets));
        }
        (Value::Object(came), Value::Object(kept)) => {
            for (key, came) in came {
                collect_hidden(came, kept.get(key).unwrap_or(&Value::Null), secrets);
            }
        }
        (Value::String(came), kept) if kept.as_str() != Some(came) => {
            secrets.insert(came);
        }
        (Value::Array(items), _) => {
            for item in items {
                collect_hidden(item, &Value::Null, secrets);
            }
        }
        (Value::Object(map), _) => {
            map.values().for_each(|item| collect_hidden(item, &Value::Null, secrets));
        }
        _ => {}
    }
}

fn hide_equal(value: &mut Value, secrets: &BTreeSet<&str>) {
    match value {
        Value::String(text) if secrets.contains(text.as_str()) => *value = REDACTED.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_equal(item, secrets)),
        Value::Object(map) => map.values_mut().for_each(|item| hide_equal(item, secrets)),
        _ => {}
    }
}

fn parsed(text: &str) -> Option<Vec<Value>> {
    serde_yaml_ng::Deserializer::from_str(text).map(|it| Value::deserialize(it).ok()).collect()
}

//! Secrets in JSON, by the names of its members.

use std::borrow::Cow;

use serde_json::{Deserializer, Map, Value};

use super::names::{Named, judge_name, names_several};
use super::text::is_secret_argument;
use super::{REDACTED, Redactor, is_silent, shapes};

/// `None` where the text begins with no JSON object or array; then it is read as text. What follows
/// the JSON (a command's standard error) is read as text as well.
pub(super) fn in_text<'a>(redactor: &Redactor, text: &'a str) -> Option<Cow<'a, str>> {
    let blanks = text.len() - text.trim_start().len();
    if !text[blanks..].starts_with(['{', '[']) {
        return None;
    }
    let mut values = Deserializer::from_str(&text[blanks..]).into_iter::<Value>();
    let mut value = values.next()?.ok()?;
    let end = blanks + values.byte_offset();
    let rest = redactor.text(&text[end..]);
    if !redactor.value(&mut value) {
        return Some(match rest {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(rest) => Cow::Owned(format!("{}{rest}", &text[..end])),
        });
    }
    Some(Cow::Owned(format!("{value}{rest}")))
}

/// Says whether anything was hidden.
pub(super) fn hide_in(redactor: &Redactor, value: &mut Value) -> bool {
    match value {
        Value::String(text) => match redactor.text(text) {
            Cow::Borrowed(_) => false,
            Cow::Owned(hidden) => {
                *text = hidden;
                true
            }
        },
        Value::Array(items) => in_array(redactor, items),
        Value::Object(map) => in_object(redactor, map),
        _ => false,
    }
}

/// `["--password", "value"]` is a command line.
fn in_array(redactor: &Redactor, items: &mut [Value]) -> bool {
    let mut found = false;
    for index in 0..items.len() {
        let (before, rest) = items.split_at_mut(index);
        let item = &mut rest[0];
        let secret = item.as_str().is_some_and(|value| {
            let program = before.first().and_then(Value::as_str).unwrap_or_default();
            let flag = before.last().and_then(Value::as_str).unwrap_or_default();
            is_secret_argument(program, flag, value)
        });
        found |= if secret { hide(item) } else { redactor.value(item) };
    }
    found
}

fn in_object(redactor: &Redactor, map: &mut Map<String, Value>) -> bool {
    let mut found = false;
    // `{"Name": "PASSWORD", "Value": "…"}` names its secret one level away.
    let named = ["name", "Name", "key", "Key"]
        .iter()
        .filter_map(|key| map.get(*key)?.as_str())
        .any(|name| judge_name(name) == Named::Secret);
    for (key, member) in map.iter_mut() {
        found |= match judge_name(key) {
            Named::Secret => hide(member),
            Named::Perhaps if names_several(key) => hide_texts(member, &|_| true),
            Named::Perhaps => hide_texts(member, &shapes::looks_random),
            Named::Innocent if named && key.eq_ignore_ascii_case("value") => hide(member),
            Named::Innocent => false,
        };
        found |= redactor.value(member);
    }
    let keys: Vec<_> =
        map.keys().filter(|key| redactor.text(key) != key.as_str()).cloned().collect();
    for key in keys {
        if let Some(member) = map.remove(&key) {
            map.insert(redactor.text(&key).into_owned(), member);
            found = true;
        }
    }
    found
}

/// Hides each text in the value that is such a one; numbers and names stay.
fn hide_texts(value: &mut Value, is_one: &impl Fn(&str) -> bool) -> bool {
    let each = |found, item: &mut Value| hide_texts(item, is_one) | found;
    match value {
        Value::String(text) => is_one(text) && hide(value),
        Value::Array(items) => items.iter_mut().fold(false, each),
        Value::Object(map) => map.values_mut().fold(false, each),
        _ => false,
    }
}

/// Hides a value; one that says nothing (`null`, a flag, an empty text) stays.
fn hide(value: &mut Value) -> bool {
    let silent = match value {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => is_silent(text),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) => false,
    };
    if !silent {
        *value = REDACTED.into();
    }
    !silent
}

//! Secrets in YAML. What parses is redacted as data and written anew, without its comments; what
//! does not is text.

use serde::Deserialize as _;
use serde_json::Value;

use super::Redactor;

/// The text without its secrets; none where it had none.
pub(super) fn redacted(redactor: &Redactor, text: &str) -> Option<String> {
    let as_text = || match redactor.text(text) {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(other) => Some(other),
    };
    let Some(mut documents) = parsed(text) else { return as_text() };
    let found = documents.iter_mut().fold(false, |found, it| redactor.value(it) | found);
    if !found {
        // Comments are no data.
        return as_text();
    }
    let written: Result<Vec<_>, _> = documents.iter().map(serde_yaml_ng::to_string).collect();
    written.map_or_else(|_| as_text(), |documents| Some(documents.join("---\n")))
}

fn parsed(text: &str) -> Option<Vec<Value>> {
    serde_yaml_ng::Deserializer::from_str(text).map(|it| Value::deserialize(it).ok()).collect()
}

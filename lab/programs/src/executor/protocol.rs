//! The messages between routerd and an executor, and their bytes as a Go encoder writes them.

use std::collections::BTreeMap;

use serde::Serialize;

const API_VERSION: &str = "provideraction.routerd.net/v1alpha1";
const RESULT_KIND: &str = "ExecuteActionResult";

/// The part of an `ExecuteActionRequest` that an executor reads. The envelope, the provider and the
/// idempotency key do not matter to it: routerd's journal has asked already.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ActionRequest {
    pub action: String,
    pub mode: String,
    pub target: BTreeMap<String, String>,
    pub parameters: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ActionOutcome {
    Succeeded,
    Failed,
    Skipped,
}

/// `ExecuteActionResult.status`, its keys in the order in which they are written.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecuteActionStatus {
    #[serde(rename = "status")]
    outcome: ActionOutcome,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    observed: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "is_false")]
    undo_available: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

impl ExecuteActionStatus {
    fn new(outcome: ActionOutcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            message: message.into(),
            observed: BTreeMap::new(),
            undo_available: false,
            error: String::new(),
        }
    }

    pub fn succeeded(message: impl Into<String>) -> Self {
        Self::new(ActionOutcome::Succeeded, message)
    }

    pub fn skipped(message: impl Into<String>) -> Self {
        Self::new(ActionOutcome::Skipped, message)
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ActionOutcome::Failed, message)
    }

    pub fn with_error(mut self, error: impl Into<String>) -> Self {
        self.error = error.into();
        self
    }

    pub fn observing(mut self, fact: &'static str, value: impl Into<String>) -> Self {
        self.observed.insert(fact, value.into());
        self
    }

    pub fn undo_available(mut self) -> Self {
        self.undo_available = true;
        self
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    api_version: &'static str,
    kind: &'static str,
    status: &'a ExecuteActionStatus,
}

/// The result as one indented JSON document with a newline at its end.
pub(super) fn encode_result(status: &ExecuteActionStatus) -> Vec<u8> {
    let message = Message { api_version: API_VERSION, kind: RESULT_KIND, status };
    let text = serde_json::to_string_pretty(&message).expect("texts and flags can be written");
    let mut bytes = escape_for_html(&text).into_bytes();
    bytes.push(b'\n');
    bytes
}

/// A Go encoder escapes these wherever they stand, and in JSON they stand in strings alone.
fn escape_for_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_written_as_a_go_encoder_writes_it() {
        let status = ExecuteActionStatus::failed("a & b").observing("z", "<2>").observing("a", "");
        let expected = "{\n  \"apiVersion\": \"provideraction.routerd.net/v1alpha1\",\n  \
            \"kind\": \"ExecuteActionResult\",\n  \"status\": {\n    \"status\": \"failed\",\n    \
            \"message\": \"a \\u0026 b\",\n    \"observed\": {\n      \"a\": \"\",\n      \
            \"z\": \"\\u003c2\\u003e\"\n    },\n    \"error\": \"no \\\"way\\\"\"\n  }\n}\n";
        let bytes = encode_result(&status.with_error("no \"way\""));
        assert_eq!(std::str::from_utf8(&bytes), Ok(expected));
    }
}

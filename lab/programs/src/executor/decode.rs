//! Reads a request as a Go decoder would: unknown keys pass, `null` is nothing, a value of another
//! type is refused, in Go's words where it has words for it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::protocol::ActionRequest;

type JsonObject = Map<String, Value>;

/// No input at all is an empty request, which is then answered like any other.
pub(super) fn decode_request(stdin: &[u8]) -> Result<ActionRequest, String> {
    if stdin.is_empty() {
        return Ok(ActionRequest::default());
    }
    let document: Value =
        serde_json::from_slice(stdin).map_err(|error| syntax_error(&error, stdin))?;
    let document = match document {
        Value::Object(document) => document,
        Value::Null => JsonObject::new(),
        other => {
            let kind = kind(&other);
            return Err(format!(
                "json: cannot unmarshal {kind} into Go value of type main.executeActionRequest"
            ));
        }
    };
    for ignored in ["apiVersion", "kind"] {
        text(&document, ignored, &format!("executeActionRequest.typeMeta.{ignored}"))?;
    }
    let spec = match document.get("spec") {
        None | Some(Value::Null) => return Ok(ActionRequest::default()),
        Some(Value::Object(spec)) => spec,
        Some(other) => {
            return Err(mismatch(
                other,
                "executeActionRequest.spec",
                "main.executeActionRequestSpec",
            ));
        }
    };
    for ignored in ["provider", "providerRef", "idempotencyKey"] {
        text(spec, ignored, &spec_field(ignored))?;
    }
    Ok(ActionRequest {
        action: text(spec, "action", &spec_field("action"))?,
        mode: text(spec, "mode", &spec_field("mode"))?,
        target: texts(spec, "target")?,
        parameters: texts(spec, "parameters")?,
    })
}

fn text(object: &JsonObject, key: &str, field: &str) -> Result<String, String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(mismatch(other, field, "string")),
    }
}

fn texts(spec: &JsonObject, key: &str) -> Result<BTreeMap<String, String>, String> {
    let field = spec_field(key);
    let entries = match spec.get(key) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(entries)) => entries,
        Some(other) => return Err(mismatch(other, &field, "map[string]string")),
    };
    entries.keys().map(|name| Ok((name.clone(), text(entries, name, &field)?))).collect()
}

fn spec_field(key: &str) -> String {
    format!("executeActionRequestSpec.spec.{key}")
}

fn mismatch(value: &Value, field: &str, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field {field} of type {wanted}", kind(value))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Go names the character at which it stopped and what it was reading.
fn syntax_error(error: &serde_json::Error, text: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let words = error.to_string();
    let Some(character) = character_at(text, error.line(), error.column()) else { return words };
    match reading(&words, character) {
        Some(reading) => format!("invalid character {} {reading}", go_character(character)),
        None => words,
    }
}

/// The part that Go says it was reading where serde_json has these words.
fn reading(words: &str, character: char) -> Option<&'static str> {
    let beginnings = [
        ("key must be a string", "looking for beginning of object key string"),
        ("expected value", "looking for beginning of value"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `:`", "after object key"),
        ("expected `,` or `]`", "after array element"),
        ("trailing characters", "after top-level value"),
        ("control character", "in string literal"),
    ];
    match character {
        '}' if words.starts_with("trailing comma") => Some(beginnings[0].1),
        ']' if words.starts_with("trailing comma") => Some(beginnings[1].1),
        _ => beginnings
            .into_iter()
            .find(|(beginning, _)| words.starts_with(beginning))
            .map(|(_, reading)| reading),
    }
}

/// serde_json's columns count bytes from one; it reports the last byte that it read.
fn character_at(text: &[u8], line: usize, column: usize) -> Option<char> {
    let line = text.split(|byte| *byte == b'\n').nth(line.checked_sub(1)?)?;
    line.get(column.checked_sub(1)?).map(|byte| char::from(*byte))
}

fn go_character(character: char) -> String {
    match character {
        '\'' => r"'\''".into(),
        '"' => "'\"'".into(),
        other => format!("'{}'", other.escape_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_in_gos_words() {
        let cases = [
            ("{not json", "invalid character 'n' looking for beginning of object key string"),
            ("garbage", "invalid character 'g' looking for beginning of value"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("{\"spec\":{", "unexpected end of JSON input"),
            (" \n", "unexpected end of JSON input"),
            ("[]", "json: cannot unmarshal array into Go value of type main.executeActionRequest"),
            (
                "{\"spec\":{\"mode\":1}}",
                "json: cannot unmarshal number into Go struct field \
                 executeActionRequestSpec.spec.mode of type string",
            ),
            (
                "{\"spec\":{\"target\":{\"nicRef\":true}}}",
                "json: cannot unmarshal bool into Go struct field \
                 executeActionRequestSpec.spec.target of type string",
            ),
        ];
        for (stdin, reason) in cases {
            assert_eq!(decode_request(stdin.as_bytes()), Err(reason.into()), "{stdin}");
        }
    }

    #[test]
    fn what_is_absent_null_or_unknown_is_nothing() {
        for stdin in ["", "null", "{}", "{\"spec\":null}", "{\"spec\":{\"target\":null,\"x\":1}}"] {
            assert_eq!(decode_request(stdin.as_bytes()), Ok(ActionRequest::default()), "{stdin}");
        }
    }
}

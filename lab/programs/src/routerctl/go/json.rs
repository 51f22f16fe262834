//! JSON as Go's `encoding/json` writes it (two-space indent, HTML escaped), and the words in
//! which it refuses.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::doc::{Doc, DocField};
use super::time;
use lab::golang::quote;

/// With the newline that Go's encoder ends with.
pub fn print_pretty(doc: &Doc) -> String {
    let mut out = String::new();
    write(doc, 0, &mut out);
    out.push('\n');
    out
}

/// A map of strings on one line, as the journal's columns hold it.
pub fn print_compact(map: &BTreeMap<String, String>) -> String {
    let members: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{}:{}", quote_string(key), quote_string(value)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A JSON string with Go's HTML escaping.
pub fn quote_string(text: &str) -> String {
    escape_html(&serde_json::Value::from(text).to_string())
}

/// Escapes what Go's encoder escapes; these characters stand only inside JSON's strings.
pub fn escape_html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn write(doc: &Doc, depth: usize, out: &mut String) {
    match doc {
        Doc::Nil => out.push_str("null"),
        Doc::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Doc::Number(number) => out.push_str(&number.to_string()),
        Doc::Text(text) => out.push_str(&quote_string(text)),
        Doc::Time(at) => out.push_str(&quote_string(&time::format_nano(*at))),
        Doc::List(items) => block(['[', ']'], items, depth, out, |item, out| {
            write(item, depth + 1, out);
        }),
        Doc::Map(fields) => block(['{', '}'], fields, depth, out, |field: &DocField, out| {
            out.push_str(&quote_string(&field.key));
            out.push_str(": ");
            write(&field.value, depth + 1, out);
        }),
    }
}

fn block<T>(
    [open, close]: [char; 2],
    items: &[T],
    depth: usize,
    out: &mut String,
    mut each: impl FnMut(&T, &mut String),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        each(item, out);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push(close);
}

/// `json.Unmarshal`: unknown members are ignored; a refusal is in Go's words where they are known.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>();
    let first = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
    let Some(first) = first else { return Err("unexpected end of JSON input".into()) };
    if !b"{[\"-0123456789tfn".contains(&bytes[first]) {
        return Err(format!(
            "invalid character {} looking for beginning of value",
            character(bytes, first)
        ));
    }
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) if !error.is_eof() => return Err(error.to_string()),
        _ => return Err("unexpected end of JSON input".into()),
    };
    let end = values.byte_offset();
    if let Some(offset) = bytes[end..].iter().position(|byte| !byte.is_ascii_whitespace()) {
        return Err(format!(
            "invalid character {} after top-level value",
            character(bytes, end + offset)
        ));
    }
    serde_json::from_value(value).map_err(|error| format!("json: {error}"))
}

/// One byte as Go's scanner quotes it.
fn character(bytes: &[u8], at: usize) -> String {
    match bytes[at] {
        b'\'' => r"'\''".into(),
        b'"' => "'\"'".into(),
        byte => {
            let quoted = quote(&char::from(byte).to_string());
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

/// A column that holds a map of strings; routerd reads what it cannot decode as no map.
pub fn string_map(column: &str) -> BTreeMap<String, String> {
    serde_json::from_str(column).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::doc::DocMap;
    use super::*;

    #[test]
    fn a_document_is_indented_and_escaped_as_by_go() {
        let doc = DocMap::new()
            .put("id", 2_i64)
            .text("source", "")
            .put("note", "a<b>&\"c\"\u{2028}\n\u{1}")
            .put("approvedAt", Doc::Time(None))
            .put("none", Doc::Nil)
            .put("empty", Doc::List(Vec::new()))
            .put("items", Doc::List(vec![true.into()]))
            .put("plan", Doc::Map(Vec::new()))
            .done();
        let expected = r#"{
  "id": 2,
  "note": "a\u003cb\u003e\u0026\"c\"\u2028\n\u0001",
  "approvedAt": "0001-01-01T00:00:00Z",
  "none": null,
  "empty": [],
  "items": [
    true
  ],
  "plan": {}
}
"#;
        assert_eq!(print_pretty(&doc), expected);
    }

    #[test]
    fn what_is_no_json_is_refused_in_go_words() {
        for (bytes, error) in [
            ("", "unexpected end of JSON input"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("hello\n", "invalid character 'h' looking for beginning of value"),
            ("{} x", "invalid character 'x' after top-level value"),
        ] {
            assert_eq!(decode::<serde_json::Value>(bytes.as_bytes()).unwrap_err(), error);
        }
    }
}

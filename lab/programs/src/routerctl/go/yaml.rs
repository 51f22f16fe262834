//! YAML as Go's `yaml.v3` writes it: four spaces, lists indented, plain scalars where they can be.

use super::doc::{Doc, Field, Shown};
use super::time;

const INDENT: usize = 4;

pub fn print(doc: &Doc) -> String {
    let mut out = String::new();
    match doc {
        Doc::List(items) if !items.is_empty() => list(items, 0, &mut out),
        Doc::Map(fields) if visible(fields).next().is_some() => map(fields, 0, &mut out),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

fn visible(fields: &[Field]) -> impl Iterator<Item = &Field> {
    fields.iter().filter(|field| field.shown == Shown::Always)
}

/// The first line of a map that stands in a list follows the dash: its indent is written already.
fn map(fields: &[Field], indent: usize, out: &mut String) {
    for (index, field) in visible(fields).enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&text(&field.key, indent));
        out.push(':');
        let deeper = INDENT * ((indent + INDENT) / INDENT);
        match &field.value {
            Doc::List(items) if !items.is_empty() => {
                out.push('\n');
                list(items, deeper, out);
            }
            Doc::Map(inner) if visible(inner).next().is_some() => {
                out.push('\n');
                out.push_str(&" ".repeat(deeper));
                map(inner, deeper, out);
            }
            Doc::Text(value) => {
                out.push(' ');
                out.push_str(&text(value, deeper));
                out.push('\n');
            }
            other => {
                out.push(' ');
                out.push_str(&scalar(other));
                out.push('\n');
            }
        }
    }
}

fn list(items: &[Doc], indent: usize, out: &mut String) {
    for item in items {
        out.push_str(&" ".repeat(indent));
        out.push_str("- ");
        match item {
            Doc::Map(fields) if visible(fields).next().is_some() => map(fields, indent + 2, out),
            other => {
                out.push_str(&scalar(other));
                out.push('\n');
            }
        }
    }
}

fn scalar(doc: &Doc) -> String {
    match doc {
        Doc::NilList | Doc::List(_) => "[]".into(),
        Doc::NilMap | Doc::Map(_) => "{}".into(),
        Doc::Bool(value) => value.to_string(),
        Doc::Number(number) => number.to_string(),
        Doc::Time(at) => time::nano(*at),
        Doc::Text(value) => text(value, INDENT),
    }
}

fn text(value: &str, indent: usize) -> String {
    if value.contains('\n') {
        return literal(value, indent);
    }
    if value.is_empty() || resolves_to_another_type(value) {
        return double_quoted(value);
    }
    if value.chars().any(char::is_control) {
        return double_quoted(value);
    }
    if plain(value) { value.into() } else { format!("'{}'", value.replace('\'', "''")) }
}

fn literal(value: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let body = value.trim_end_matches('\n');
    let chomp = match value.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let hint = if value.starts_with(' ') { INDENT.to_string() } else { String::new() };
    let lines: Vec<String> = body
        .split('\n')
        .map(|line| if line.is_empty() { String::new() } else { format!("{pad}{line}") })
        .collect();
    let kept = "\n".repeat((value.len() - body.len()).saturating_sub(1));
    format!("|{hint}{chomp}\n{}{kept}", lines.join("\n"))
}

fn double_quoted(value: &str) -> String {
    super::quote::quote(value)
}

/// What a YAML reader would take for no string, and the booleans of YAML 1.1.
fn resolves_to_another_type(value: &str) -> bool {
    const WORDS: [&str; 20] = [
        "y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off",
        "OFF", "~", "null", "Null", "NULL",
    ];
    const BOOLS: [&str; 8] = ["true", "True", "TRUE", "false", "False", "FALSE", "<<", ".nan"];
    let numeric = value.trim_start_matches(['+', '-']);
    let number = numeric.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (numeric.replace('_', "").parse::<f64>().is_ok()
            || is_radix(numeric)
            || is_base_60(numeric));
    WORDS.contains(&value) || BOOLS.contains(&value) || number || is_timestamp(value)
}

fn is_radix(text: &str) -> bool {
    [("0x", 16), ("0o", 8), ("0b", 2)].iter().any(|(prefix, radix)| {
        text.strip_prefix(prefix).is_some_and(|digits| i64::from_str_radix(digits, *radix).is_ok())
    })
}

fn is_base_60(text: &str) -> bool {
    text.contains(':')
        && text
            .split(':')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn is_timestamp(text: &str) -> bool {
    chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
        || chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").is_ok()
}

/// Whether libyaml's emitter may write it without quotes, in block context.
fn plain(value: &str) -> bool {
    let starts_badly = value.starts_with(|c: char| "#,[]{}&*!|>'\"%@`".contains(c))
        || matches!(value, "-" | "?" | ":")
        || ["- ", "? ", ": ", "---", "..."].iter().any(|start| value.starts_with(start));
    !(starts_badly
        || value.starts_with(' ')
        || value.ends_with(' ')
        || value.ends_with(':')
        || value.contains(": ")
        || value.contains(" #"))
}

/// A reader's refusal as `yaml.v3` words it: the problem, after the line where it is not the first.
pub fn refusal(error: &serde_yaml_ng::Error) -> String {
    let text = error.to_string();
    let (problem, context) = text.split_once(", while").unwrap_or((&text, ""));
    let message = problem.split_once(" at line ").map_or(problem, |(message, _)| message);
    // Lines count from zero here, and zero is not said.
    let line = |part: &str| {
        let rest = part.split_once(" at line ").map_or("", |(_, rest)| rest);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().unwrap_or(1).saturating_sub(1)
    };
    match (line(context), line(problem)) {
        (0, 0) => format!("yaml: {message}"),
        (0, line) | (line, _) => format!("yaml: line {line}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::doc::Fields;
    use super::*;

    #[test]
    fn lists_and_maps_are_indented_as_by_yaml_v3() {
        let inner = Fields::new().put("address", "10.88.60.9/32").done();
        let plan = Fields::new().put("name", "a").put("target", inner).done();
        let doc = Doc::List(vec![
            Fields::new()
                .put("id", 1_i64)
                .time("approvedAt", None)
                .put("plans", Doc::List(vec![plan]))
                .put("none", Doc::NilList)
                .done(),
        ]);
        let expected = "- id: 1\n  plans:\n    - name: a\n      target:\n        address: 10.88.60.9/32\n  none: []\n";
        assert_eq!(print(&doc), expected);
    }

    #[test]
    fn a_refusal_names_the_line_as_yaml_v3_does() {
        for (text, words) in [
            ("]", "yaml: did not find expected node content"),
            ("a: [\n", "yaml: line 1: did not find expected node content"),
        ] {
            let error = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text).unwrap_err();
            assert_eq!(refusal(&error), words);
        }
    }

    #[test]
    fn a_scalar_is_quoted_only_where_it_must_be() {
        for (value, printed) in [
            ("", "\"\""),
            ("true", "\"true\""),
            ("yes", "\"yes\""),
            ("12", "\"12\""),
            ("2026-11-22T00:28:54Z", "\"2026-11-22T00:28:54Z\""),
            ("{\"a\":1}", "'{\"a\":1}'"),
            ("a: b", "'a: b'"),
            ("it's", "it's"),
            ("10.88.60.9/32", "10.88.60.9/32"),
            ("disabled on eni-1 (prior=true)", "disabled on eni-1 (prior=true)"),
        ] {
            assert_eq!(text(value, 4), printed);
        }
    }
}

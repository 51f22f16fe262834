//! Finds `name = value` in any text: what stands before `=`, `:`, `=>`, `,` or between tags, and
//! what stands behind it. It reads bytes, parts only at ASCII, and never fails: a text that is no
//! format at all has assignments too.

use std::ops::Range;

use super::names::{Named, judge_name, names_several};

/// A name and where its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    pub name: &'a str,
    /// Without its quotes.
    pub value: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Equals,
    Colon,
    Comma,
}

/// A list of secrets is shorter.
const MAX_BRACKETED_BYTES: usize = 20_000;

/// A tag is shorter.
const MAX_TAG_BYTES: usize = 400;

/// Types that stand between a variable's name and its value.
const TYPES: &[&str] = &["string", "String", "str", "char", "text", "varchar"];

/// Those of a text whose name says something, in its order.
pub fn find_assignments(text: &str) -> Vec<Assignment<'_>> {
    let mut found = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        let assignment = match byte {
            b'=' => equals(text, at),
            b':' => colon(text, at),
            b'>' => tag(text, at),
            b',' => comma(text, at),
            _ => None,
        };
        found.extend(assignment.filter(|it| !it.value.is_empty()));
    }
    found
}

/// `name = value`, and what programming languages make of it: `:=`, `?=`, `.=`, `=>`, `==`.
fn equals(text: &str, at: usize) -> Option<Assignment<'_>> {
    let bytes = text.as_bytes();
    if bytes.get(at + 1) == Some(&b'=') {
        return None;
    }
    let mut end = at;
    while end > 0 && matches!(bytes[end - 1], b':' | b'?' | b'.' | b'+' | b'|' | b'=' | b'!') {
        end -= 1;
    }
    let name = telling(text, name_before(text, end, By::Equals))?;
    let arrow = usize::from(bytes.get(at + 1) == Some(&b'>'));
    let value = value_at(text, at + 1 + arrow, By::Equals, &name)?;
    Some(Assignment { name: &text[name.0], value })
}

fn colon(text: &str, at: usize) -> Option<Assignment<'_>> {
    let bytes = text.as_bytes();
    let behind = bytes.get(at + 1);
    if matches!(behind, Some(b':' | b'=')) || (at > 0 && bytes[at - 1] == b':') {
        return None;
    }
    // `https://` names nothing.
    if behind == Some(&b'/') && bytes.get(at + 2) == Some(&b'/') {
        return None;
    }
    let name = telling(text, name_before(text, at, By::Colon))?;
    let value = value_at(text, at + 1, By::Colon, &name)?;
    Some(Assignment { name: &text[name.0], value })
}

/// `<name …>value</`.
fn tag(text: &str, at: usize) -> Option<Assignment<'_>> {
    let from = at.saturating_sub(MAX_TAG_BYTES);
    let open = from + text.as_bytes()[from..at].iter().rposition(|byte| *byte == b'<')?;
    let inside = &text[open + 1..at];
    let name = inside.split_whitespace().next()?;
    let name = name.rsplit(':').next()?;
    if inside.ends_with('/') || !name.bytes().all(is_name) || !tells(name) {
        return None;
    }
    let rest = &text[at + 1..];
    let end = if rest.trim_start().starts_with("<![CDATA[") {
        rest.find("]]>")? + 3
    } else {
        rest.find('<')?
    };
    rest[end..].starts_with("</").then_some(())?;
    let value = &rest[..end];
    let start = at + 1 + (value.len() - value.trim_start().len());
    Some(Assignment { name, value: start..(at + 1 + value.trim_end().len()).max(start) })
}

/// `set("name", "value")` and `["--name", "value"]`.
fn comma(text: &str, at: usize) -> Option<Assignment<'_>> {
    let bytes = text.as_bytes();
    let quote = *bytes.get(at.checked_sub(1)?)?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let name = telling(text, name_before(text, at, By::Comma))?;
    let opens = name.0.start.checked_sub(1).and_then(|it| bytes.get(it).copied())? == quote;
    let called = name.0.start.checked_sub(2).map(|it| bytes[it]) == Some(b'(');
    let flag = text[name.0.clone()].starts_with('-');
    let next = text[at + 1..].trim_start();
    if !opens || !(called || flag) || !next.starts_with(['"', '\'']) {
        return None;
    }
    let value = value_at(text, at + 1, By::Comma, &name)?;
    Some(Assignment { name: &text[name.0], value })
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether a name says anything of its value, or of its neighbour's.
fn tells(name: &str) -> bool {
    judge_name(name) != Named::Innocent || PairHalf::of(name).is_some()
}

fn telling(text: &str, name: Option<Name>) -> Option<Name> {
    name.filter(|(name, _)| tells(&text[name.clone()]))
}

/// The part that an assignment is of a pair that names its secret one step away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairHalf {
    Name,
    Value,
}

impl PairHalf {
    /// The part that the last word of this name says; none where it says neither.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit(['.', '-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str()
        {
            "key" | "name" | "k" => Some(Self::Name),
            "value" | "v" | "content" => Some(Self::Value),
            _ => None,
        }
    }
}

/// Where a name stands, and the quote right before it where there is one.
type Name = (Range<usize>, Option<u8>);

fn name_before(text: &str, end: usize, by: By) -> Option<Name> {
    let bytes = text.as_bytes();
    let mut end = back_over(bytes, end, is_blank);
    end = back_over(bytes, end, |it| matches!(it, b'"' | b'\'' | b'`' | b'\\' | b']' | b'%'));
    let mut start = back_over(bytes, end, is_name);
    if start == end {
        return None;
    }
    let mut name = start..end;
    if by == By::Equals && TYPES.contains(&&text[name.clone()]) {
        let before = back_over(bytes, start, |it| is_blank(it) || it == b':');
        let first = back_over(bytes, before, is_name);
        if first < before {
            name = first..before;
        }
    }
    // `API key: …` is one name of two words.
    if by == By::Colon && start > 1 && bytes[start - 1] == b' ' && is_name(bytes[start - 2]) {
        let first = back_over(bytes, start - 1, is_name);
        if matches!(
            &text[name.clone()].to_ascii_lowercase()[..],
            "key" | "phrase" | "data" | "string"
        ) {
            start = first;
            name = start..end;
        }
    }
    let quote = name.start.checked_sub(1).map(|it| bytes[it]);
    Some((name, quote.filter(|it| matches!(it, b'"' | b'\'' | b'`'))))
}

fn back_over(bytes: &[u8], end: usize, is: impl Fn(u8) -> bool) -> usize {
    let mut at = end;
    while at > 0 && is(bytes[at - 1]) {
        at -= 1;
    }
    at
}

fn value_at(text: &str, from: usize, by: By, name: &Name) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() && is_blank(bytes[at]) {
        at += 1;
    }
    at += wrapping(&text[at..]);
    let first = *bytes.get(at)?;
    let named = &text[name.0.clone()];
    if (judge_name(named) == Named::Secret || names_several(named))
        && let Some(all) = everything_below(text, at, by, name.0.start)
    {
        return Some(all);
    }
    match first {
        b'|' | b'>' if by == By::Colon => block(text, at, name.0.start),
        b'\\' => escaped_quotes(text, at),
        b'"' | b'\'' | b'`' => Some(quoted(text, at, first)),
        b'[' if !text[at..].starts_with(super::REDACTED) => bracketed(text, at),
        b'\n' | b'\r' | b'{' | b'[' | b',' | b')' | b'}' | b']' => None,
        _ if by == By::Comma => None,
        _ if by == By::Equals => Some(word(text, at, name)),
        _ => Some(rest_of_line(text, at, name)),
    }
}

/// `Some(`, `b`, `r` and such before a quote.
fn wrapping(text: &str) -> usize {
    for wrap in ["Some(b", "Some(", "b", "r", "f", "@", "$", "u", "=", "~"] {
        let rest = text.strip_prefix(wrap);
        if rest.is_some_and(|it| it.starts_with(['"', '\'', '\\'])) {
            return wrap.len();
        }
    }
    0
}

/// The part of a line that a value without quotes may be.
fn rest_of_line(text: &str, at: usize, name: &Name) -> Range<usize> {
    let rest = &text[at..];
    let stops = |(index, c): (usize, char)| match c {
        '\n' | '\r' => true,
        // The name stands in quotes with its value: `'Authorization: Bearer x'`.
        '"' | '\'' | '`' => name.1 == Some(c as u8),
        '\\' => rest[index + 1..].starts_with(['n', 'r', '"']),
        _ => false,
    };
    let end = rest.char_indices().find(|it| stops(*it)).map_or(text.len(), |(end, _)| at + end);
    at..at + text[at..end].trim_end().len()
}

/// Up to a blank, a quote, or what joins it to the next assignment.
fn word(text: &str, at: usize, name: &Name) -> Range<usize> {
    let rest = &text[at..];
    let line = text[..name.0.start].rsplit('\n').next().unwrap_or_default().trim_start();
    let alone = matches!(line, "" | "export ");
    let stops = |(index, c): (usize, char)| match c {
        c if c.is_whitespace() => true,
        '"' | '\'' | '`' | '<' | ')' | '}' => !alone,
        '\\' => rest[index + 1..].starts_with(['n', 'r', '"', '\\', 't']),
        '&' | ';' | ',' => joins(&rest[index + 1..]),
        _ => false,
    };
    let end = rest.char_indices().find(|it| stops(*it)).map_or(rest.len(), |(end, _)| end);
    at..at + end
}

/// Whether another assignment, or nothing, follows.
fn joins(rest: &str) -> bool {
    let name = rest.bytes().take_while(|byte| is_name(*byte) || *byte == b'%').count();
    let behind = rest.as_bytes().get(name);
    behind == Some(&b'=') || behind.is_none_or(u8::is_ascii_whitespace) && name == 0
}

fn quoted(text: &str, at: usize, quote: u8) -> Range<usize> {
    let bytes = text.as_bytes();
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let width = if triple { 3 } else { 1 };
    let start = at + width;
    let mut end = start;
    while end < bytes.len() {
        if bytes[end] == b'\\' && quote != b'\'' {
            end += 2;
        } else if bytes[end] == quote {
            let closes = if triple {
                bytes[end..].starts_with(&[quote; 3])
            } else {
                // YAML and SQL write a quote in quotes twice.
                !(quote == b'\'' && bytes.get(end + 1) == Some(&quote))
            };
            if closes {
                return start..end;
            }
            end += if triple { 1 } else { 2 };
        } else {
            end += 1;
        }
    }
    // Nothing closes it: what stands on its line.
    start..text[start.min(text.len())..].find('\n').map_or(text.len(), |length| start + length)
}

/// `\"value\"`, however often it was escaped.
fn escaped_quotes(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let slashes = bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
    let quote = bytes.get(at + slashes).filter(|it| matches!(it, b'"' | b'\''))?;
    let start = at + slashes + 1;
    let mut end = start;
    while end < bytes.len() {
        if bytes[end] == *quote {
            let before = bytes[start..end].iter().rev().take_while(|it| **it == b'\\').count();
            if before <= slashes {
                return Some(start..end - before);
            }
        }
        end += 1;
    }
    Some(start..text.len())
}

/// All of a list on one line.
fn bracketed(text: &str, at: usize) -> Option<Range<usize>> {
    let end = text[at..].find([']', '\n'])?;
    let inside = at + 1..at + end;
    let plain = text[at + end..].starts_with(']') && !text[inside.clone()].contains(['{', ':']);
    plain.then_some(inside)
}

/// A list or a map as a value: in brackets, or in YAML's lines below. None where it is neither.
fn everything_below(text: &str, at: usize, by: By, name: usize) -> Option<Range<usize>> {
    match text.as_bytes()[at] {
        // `{{ token }}` names one, and is none.
        b'[' | b'{'
            if !text[at..].starts_with(super::REDACTED) && !text[at..].starts_with("{{") =>
        {
            let inside = &text[at + 1..at + closing(&text[at..])?];
            let start = at + 1 + (inside.len() - inside.trim_start().len());
            Some(start..start + inside.trim().len())
        }
        b'\n' if by == By::Colon => lines_below(text, at, name),
        _ => None,
    }
}

/// Where the bracket that a text begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (index, byte) in text.bytes().enumerate().take(MAX_BRACKETED_BYTES) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if quote == Some(byte) => quote = None,
            _ if quote.is_some() => {}
            b'"' => quote = Some(byte),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// The lines that stand farther in than the name, where they begin as a list or a map does.
fn lines_below(text: &str, at: usize, name: usize) -> Option<Range<usize>> {
    let line_start = text[..name].rfind('\n').map_or(0, |it| it + 1);
    let outer = level(&text[line_start..name]);
    let (mut span, mut from): (Option<Range<usize>>, _) = (None, at + 1);
    for line in text[from..].split_inclusive('\n') {
        let inner = line.trim_start_matches([' ', '\t']);
        let depth = line.len() - inner.len();
        let item = inner.starts_with("- ");
        if !inner.trim().is_empty() {
            if depth < outer || (depth == outer && !item) {
                break;
            }
            let comment = inner.starts_with('#');
            if span.is_none() && !comment && !item && !is_member(inner) {
                return None;
            }
            if !comment || span.is_some() {
                let start = span.map_or(from + depth, |it| it.start);
                span = Some(start..from + line.trim_end().len());
            }
        }
        from += line.len();
    }
    span
}

/// How far in a name stands: `- ` before it counts.
fn level(before: &str) -> usize {
    before.bytes().take_while(|byte| is_blank(*byte) || *byte == b'-').count()
}

/// `name: …`, the name in quotes or without.
fn is_member(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, rest)| {
        let name = name.trim_matches(['"', '\'']);
        !name.is_empty() && name.bytes().all(is_name) && rest.starts_with([' ', '\n', '\r'])
    })
}

/// A YAML block scalar: the lines behind that stand further in than the name's.
fn block(text: &str, at: usize, name: usize) -> Option<Range<usize>> {
    let line_end = at + text[at..].find('\n')?;
    let head = text[at..line_end].split('#').next().unwrap_or_default().trim_end();
    if !head[1..].bytes().all(|byte| matches!(byte, b'+' | b'-' | b'0'..=b'9')) {
        return Some(rest_of_line(text, at, &(name..name, None)));
    }
    let line_start = text[..name].rfind('\n').map_or(0, |it| it + 1);
    let outer = indent(&text[line_start..name]);
    let (mut start, mut end, mut from) = (None, line_end, line_end + 1);
    for line in text[from.min(text.len())..].split_inclusive('\n') {
        let blank = line.trim().is_empty();
        if !blank && indent(line) <= outer {
            break;
        }
        if !blank {
            start.get_or_insert(from + indent(line));
            end = from + line.trim_end().len();
        }
        from += line.len();
    }
    start.map(|start| start..end)
}

/// `- ` counts: what stands behind it is one level in.
fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| is_blank(*byte)).count()
}

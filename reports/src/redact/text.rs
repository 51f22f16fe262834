//! Secrets in text of any kind, as spans.

use std::ops::Range;

use super::assign::{Assignment, PairHalf, find_assignments};
use super::names::{Named, judge_name, names_several};
use super::{REDACTED, is_silent, shapes};

/// Farther apart, a name and a value are not of one pair.
const NEAR_BYTES: usize = 400;

/// Where secrets stand: sorted, apart from each other, at ASCII borders.
pub fn find_secrets(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let lower = text.to_ascii_lowercase();
    shapes::key_blocks(text, &mut spans);
    shapes::find_tokens(text, &mut spans);
    shapes::logins_in_urls(text, &mut spans);
    shapes::find_schemes(text, &lower, &mut spans);
    let found = find_assignments(text);
    by_name(text, &found, &mut spans);
    by_neighbour(text, &found, &mut spans);
    flags(text, &mut spans);
    logins(text, &lower, &mut spans);
    byte_lists(text, &mut spans);
    spans.retain(|span| !is_silent(&text[span.clone()]));
    merged(spans)
}

fn by_name(text: &str, found: &[Assignment<'_>], spans: &mut Vec<Range<usize>>) {
    for it in found {
        let value = &text[it.value.clone()];
        let secret = match judge_name(it.name) {
            Named::Secret => !is_reference(value),
            Named::Perhaps if names_several(it.name) && is_list(text, &it.value) => true,
            Named::Perhaps => shapes::looks_random(value),
            Named::Innocent => false,
        };
        if secret {
            spans.push(it.value.clone());
        }
    }
}

fn is_list(text: &str, value: &Range<usize>) -> bool {
    text[..value.start].ends_with(['[', '{']) || text[value.clone()].starts_with("- ")
}

/// `name: DB_PASSWORD` beside `value: …`, as YAML, XML, EC2's tags and a debug print have it.
fn by_neighbour(text: &str, found: &[Assignment<'_>], spans: &mut Vec<Range<usize>>) {
    let parts: Vec<(PairHalf, &Assignment<'_>)> =
        found.iter().filter_map(|it| Some((PairHalf::of(it.name)?, it))).collect();
    for (index, (part, it)) in parts.iter().enumerate() {
        let named = judge_name(&text[it.value.clone()]);
        if *part != PairHalf::Name || named == Named::Innocent {
            continue;
        }
        let mut found = Vec::new();
        let is_value = |at: Option<usize>| {
            let (part, other) = parts.get(at?)?;
            let near = other.value.start.abs_diff(it.value.start) < NEAR_BYTES;
            (*part == PairHalf::Value && near).then(|| other.value.clone())
        };
        let before = index.checked_sub(1);
        // One that has no other name before it may be this one's.
        let free =
            before.and_then(|it| it.checked_sub(1)).is_none_or(|it| parts[it].0 == PairHalf::Value);
        found.extend(is_value(Some(index + 1)));
        found.extend(is_value(before.filter(|_| free)));
        let hidden = |span: &Range<usize>| {
            named == Named::Secret || shapes::looks_random(&text[span.clone()])
        };
        spans.extend(found.into_iter().filter(hidden));
    }
}

/// `--password value`, and `-u user:password` of curl; and the same in a list, as YAML has it.
fn flags(text: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('-') {
        let before = at.checked_sub(1).map(|it| bytes[it]);
        let begins = before.is_none_or(|it| b" \t\n\"'=[,".contains(&it));
        if !begins {
            continue;
        }
        let rest = &text[at..];
        let name_end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
            .unwrap_or(rest.len());
        let name = &rest[..name_end];
        if let Some(span) = listed(text, at, at + name_end) {
            spans.extend(Some(span).filter(|it| is_secret_argument("", name, &text[it.clone()])));
            continue;
        }
        let line = text[..at].rsplit('\n').next().unwrap_or_default();
        // `mysql -pVALUE`
        if name.len() > 2 && name.starts_with("-p") && takes_passwords(line) {
            spans.push(at + 2..argument(rest, at).end);
            continue;
        }
        let behind = &rest[name_end..];
        let blanks = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        let value = &behind[blanks..];
        if blanks == 0 || value.is_empty() || value.starts_with('-') {
            continue;
        }
        let start = at + name_end + blanks;
        let span = argument(value, start);
        let given = &text[span.clone()];
        if judge_name(name) == Named::Secret {
            if !is_reference(given) {
                spans.push(span);
            }
        } else if matches!(name, "-u" | "--user" | "--proxy-user") && line.contains("curl") {
            let password = given.find(':').map(|colon| span.start + colon + 1..span.end);
            spans.extend(password.filter(|it| !is_reference(&text[it.clone()])));
        } else if name == "-p" && takes_passwords(line) {
            spans.push(span);
        }
    }
}

/// The item behind a flag that is an item itself: `[-p, value]`, or each on a line of its own.
fn listed(text: &str, at: usize, end: usize) -> Option<Range<usize>> {
    let before = &text[..at];
    let behind = text[end..].trim_start_matches(['"', '\'']);
    let (start, stops): (usize, &[char]) = if let Some(rest) = behind.strip_prefix(',') {
        // A flag of prose may stand before a comma as well; one of a list begins its item.
        let item = before.trim_end_matches(['"', '\'']).trim_end();
        if !item.ends_with(['[', ',']) {
            return None;
        }
        (text.len() - rest.trim_start().len(), &[',', ']', '\n'])
    } else {
        let line = before.rsplit('\n').next().unwrap_or_default().trim_end_matches(['"', '\'']);
        let dash = line.strip_suffix("- ")?;
        let next = behind.strip_prefix('\n')?.strip_prefix(dash)?.strip_prefix("- ")?;
        (!dash.contains(|c: char| c != ' ')).then_some(())?;
        (text.len() - next.trim_start_matches(' ').len(), &['\n'])
    };
    let value = &text[start..];
    if value.starts_with(REDACTED) {
        return Some(start..start + REDACTED.len());
    }
    if value.starts_with(['"', '\'']) {
        return Some(argument(value, start));
    }
    let length = value.find(stops).unwrap_or(value.len());
    let span = start..start + value[..length].trim_end().len();
    (!span.is_empty()).then_some(span)
}

/// Programs whose `-p` is a password, whatever it looks like.
const TAKE_PASSWORDS: &[&str] = &["sshpass", "mysql", "mysqldump", "mysqladmin", "mariadb"];

/// Whether such a program stands in the line before a flag.
fn takes_passwords(line: &str) -> bool {
    let mut words = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    words.any(|word| TAKE_PASSWORDS.contains(&word))
}

/// Shorter words behind a `-p` are modes and names.
const PASSWORD_MIN_CHARS: usize = 6;

/// Whether the word behind a flag is a secret, in a list of arguments of which the first may be a
/// program. Of `-p`, which is a port, a protocol or a path as well, the value tells.
pub(super) fn is_secret_argument(program: &str, flag: &str, value: &str) -> bool {
    if !flag.starts_with('-') || flag.contains('=') || value.starts_with('-') || is_reference(value)
    {
        return false;
    }
    let program = program.rsplit('/').next().unwrap_or_default();
    match judge_name(flag) {
        Named::Secret => true,
        Named::Perhaps => shapes::looks_random(value),
        Named::Innocent if matches!(flag, "-p" | "-P") => {
            TAKE_PASSWORDS.contains(&program) || looks_chosen(value)
        }
        Named::Innocent => false,
    }
}

/// Letters and something else, and no port, protocol, path, pattern of `ping` or id.
fn looks_chosen(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    value.len() >= PASSWORD_MIN_CHARS
        && has(u8::is_ascii_alphabetic)
        && (has(u8::is_ascii_digit) || has(u8::is_ascii_punctuation))
        && !value.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !value.contains(['/', '='])
        && !value.contains(char::is_whitespace)
        && !shapes::names_a_thing(value)
}

/// A word of a command line, without its quotes.
fn argument(value: &str, start: usize) -> Range<usize> {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else {
        let stops = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        return start..start + value.find(stops).unwrap_or(value.len());
    };
    let inside = &value[1..];
    start + 1..start + 1 + inside.find(quote).unwrap_or(inside.len())
}

/// `machine host login user password secret`, as `.netrc` has it.
fn logins(text: &str, lower: &str, spans: &mut Vec<Range<usize>>) {
    for (at, word) in lower.match_indices("password ") {
        let line = lower[..at].rsplit('\n').next().unwrap_or_default();
        if line.contains("login ") {
            spans.push(argument(&text[at + word.len()..], at + word.len()));
        }
    }
}

/// A debug print shows bytes as numbers.
fn byte_lists(text: &str, spans: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices('[') {
        let Some(length) = text[at + 1..].find(']').filter(|length| *length >= 40) else {
            continue;
        };
        let inside = &text[at + 1..at + 1 + length];
        let bytes: Option<Vec<u8>> =
            inside.split(',').map(|number| number.trim().parse().ok()).collect();
        let Some(said) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else { continue };
        if !find_secrets(&said).is_empty() {
            spans.push(at + 1..at + 1 + length);
        }
    }
}

/// Whether it only says where the secret is: `$TOKEN`, `${TOKEN}`, `$(pass show x)`, `{{ token }}`.
fn is_reference(value: &str) -> bool {
    let value = value.trim();
    let variable = |name: &str| {
        let is_one = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !name.is_empty()
            && name.bytes().all(is_one)
            && name.bytes().next().is_some_and(|it| !it.is_ascii_digit())
    };
    value.strip_prefix('$').is_some_and(|rest| rest.starts_with(['(', '{']) || variable(rest))
        || value.starts_with("{{")
        || value.starts_with("%{")
        || (value.starts_with('<') && value.ends_with('>') && !value.contains("CDATA"))
}

fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| (span.start, span.end));
    let mut apart: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => apart.push(span),
        }
    }
    apart
}

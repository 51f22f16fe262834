//! A unit's environment: the names are evidence, the values are nobody's.

use super::{REDACTED, Redactor};

/// `systemctl show` and the unit's files: of `Environment=` the names, everything else as text.
pub(super) fn of_unit(redactor: &Redactor, text: &str) -> String {
    split_unit_lines(text)
        .map(|line| match unit_setting(line) {
            Some((key, value)) if key == "Environment" => {
                format!("Environment={}\n", names(&value))
            }
            _ => redactor.text(line).into_owned(),
        })
        .collect()
}

/// The lines of a unit: one that ends with a backslash goes on in the next, past comments.
pub fn split_unit_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        let mut goes_on = false;
        for line in rest.split_inclusive('\n') {
            end += line.len();
            let inside = goes_on && is_comment(line);
            goes_on = inside || (!is_comment(line) && line.trim_end_matches('\n').ends_with('\\'));
            if !goes_on {
                break;
            }
        }
        let (line, after) = rest.split_at(end);
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

/// `Key = value` of such a line, which may go on over several; none where it is none.
pub fn unit_setting(line: &str) -> Option<(String, String)> {
    let parts = line.lines().filter(|it| !is_comment(it)).map(|it| it.trim_end_matches('\\'));
    let whole = parts.collect::<Vec<_>>().join(" ");
    let (key, value) = whole.split_once('=')?;
    Some((key.trim().to_owned(), value.trim().to_owned()))
}

/// `A=1 "B=2 3"` without the values.
fn names(value: &str) -> String {
    split_unit_words(value).iter().map(|word| hidden(word)).collect::<Vec<_>>().join(" ")
}

/// The words of a setting as systemd reads it: blanks part them, but not inside quotes.
pub fn split_unit_words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), String::new(), None, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' | '\'' if quoted == Some(c) => quoted = None,
            '"' | '\'' if quoted.is_none() => quoted = Some(c),
            ' ' if quoted.is_none() => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// A file of variables: a line for each, and no comment.
pub(super) fn of_variables(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines.filter(|line| line.contains('=')).map(|line| hidden(line) + "\n").collect()
}

fn hidden(assignment: &str) -> String {
    match assignment.split_once('=') {
        Some((name, "")) => format!("{}=", name.trim()),
        Some((name, _)) => format!("{}={REDACTED}", name.trim()),
        None => REDACTED.to_owned(),
    }
}

//! A unit's environment: the names are evidence, the values are nobody's.

use super::{REDACTED, Redactor};

/// `systemctl show`: of `Environment=` the names, everything else as text.
pub(super) fn of_unit(redactor: &Redactor, text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.strip_prefix("Environment=") {
            Some(value) => format!("Environment={}\n", names(value.trim_end())),
            None => redactor.text(line).into_owned(),
        })
        .collect()
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

//! Takes credentials out of everything that enters a run's folder.
//!
//! Two signs are looked for: what a value *is* (access key ids, private key blocks, bearer
//! tokens, values that the harness was told to hide) and what it is *named* (`password`,
//! `SecretAccessKey`, …), in JSON by key and in text by what stands before `=`, `:` or between
//! tags. Rather too much is hidden than too little, but never a digest, an id or a token that only
//! makes a call idempotent.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};
use serde_json::Value;

use crate::record::Kind;

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// Shorter values would hide innocent text.
const HIDDEN_MIN_CHARS: usize = 8;

/// Names of secrets in lower case without `_`, `-`, `.` and blanks. A name that ends in one counts.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secretaccesskey",
    "secretkey",
    "sessiontoken",
    "securitytoken",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "privatekey",
    "apikey",
    "authorization",
    "xamzsignature",
];

/// The same for text, as one pattern.
const NAMES: &str = r"(?:password|passwd|passphrase|secret[_-]?access[_-]?key|secret[_-]?key|secret|session[_-]?token|security[_-]?token|access[_-]?token|refresh[_-]?token|auth[_-]?token|private[_-]?key|api[_-]?key|authorization|x-amz-signature)";

/// A pattern and the lower-case words without which it cannot match: looking for words first is
/// what keeps this cheap.
struct Pattern {
    words: &'static [Word],
    regex: Regex,
    /// Groups 1 and 2 are kept around the secret where there are any.
    keeps: Keeps,
}

/// A word, and others of which one must be there as well, unless there are none.
type Word = (&'static str, &'static [&'static str]);

impl Pattern {
    fn may_match(&self, lower: &str) -> bool {
        self.words.iter().any(|(word, others)| {
            lower.contains(word)
                && (others.is_empty() || others.iter().any(|other| lower.contains(other)))
        })
    }
}

#[derive(Clone, Copy)]
enum Keeps {
    Nothing,
    Around,
}

/// Words that names of secrets have in common, each with the names where it is not one itself.
/// `token` and `private` stand in almost every answer of EC2.
const NAME_WORDS: &[Word] = &[
    ("passw", &[]),
    ("passphrase", &[]),
    ("secret", &[]),
    ("authorization", &[]),
    ("x-amz-signature", &[]),
    ("token", &["session", "security", "access", "refresh", "auth"]),
    ("private", &["privatekey", "private_key", "private-key"]),
    ("api", &["apikey", "api_key", "api-key"]),
];

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let pattern = |words, regex: &str, keeps| Pattern {
        words,
        regex: Regex::new(regex).expect("the patterns are constants"),
        keeps,
    };
    let value = r#"(?:\\+"[\s\S]*?\\+"|\\+'[\s\S]*?\\+'|"(?:[^"\\]|\\[\s\S])*"?|'[^']*'?|"#;
    vec![
        pattern(
            &[("private key", &[])],
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
            Keeps::Nothing,
        ),
        pattern(&[("akia", &[]), ("asia", &[])], "(?:AKIA|ASIA)[0-9A-Z]{16}", Keeps::Nothing),
        pattern(&[("bearer", &[])], r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]+()", Keeps::Around),
        pattern(NAME_WORDS, &format!(r"(?i)(<{NAMES}>)[^<]+(</)"), Keeps::Around),
        // A header's value, and a YAML one, may have blanks in it; a shell variable's may not.
        pattern(
            NAME_WORDS,
            &format!(r#"(?i)({NAMES}\\*["']?[ \t]*:[ \t]*){value}[^\s"'\\,\[{{][^\r\n]*)()"#),
            Keeps::Around,
        ),
        pattern(
            NAME_WORDS,
            &format!(r#"(?i)({NAMES}\\*["']?[ \t]*=[ \t]*){value}[^\s"'\\\[]\S*)()"#),
            Keeps::Around,
        ),
    ]
});

/// Knows which further values are secret in this process.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    hidden: Vec<String>,
}

impl Redactor {
    /// Hides these values wherever they appear.
    pub fn hide(&mut self, secrets: impl IntoIterator<Item = String>) {
        self.hidden.extend(secrets.into_iter().filter(|value| value.len() >= HIDDEN_MIN_CHARS));
        self.hidden.sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.hidden.dedup();
    }

    /// A record without its secrets.
    pub fn kind(&self, kind: Kind) -> Result<Kind, serde_json::Error> {
        let mut value = serde_json::to_value(&kind)?;
        if self.value(&mut value) { serde_json::from_value(value) } else { Ok(kind) }
    }

    /// A raw answer without its secrets, byte for byte the same where there were none.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let text = String::from_utf8_lossy(bytes);
        match self.text(&text) {
            Cow::Borrowed(_) => Cow::Borrowed(bytes),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if let Some(json) = self.json_text(text) {
            return json;
        }
        let mut result = Cow::Borrowed(text);
        for secret in &self.hidden {
            if result.contains(secret) {
                result = Cow::Owned(result.replace(secret, REDACTED));
            }
        }
        let lower = result.to_ascii_lowercase();
        for pattern in PATTERNS.iter() {
            if pattern.may_match(&lower) {
                result = replace(result, pattern);
            }
        }
        result
    }

    /// `None` where the text is no JSON object or array; then it is read as text.
    fn json_text<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if !text.trim_start().starts_with(['{', '[']) {
            return None;
        }
        let mut value: Value = serde_json::from_str(text).ok()?;
        if !self.value(&mut value) {
            return Some(Cow::Borrowed(text));
        }
        Some(Cow::Owned(value.to_string()))
    }

    /// Says whether anything was hidden.
    pub fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(text) {
                Cow::Borrowed(_) => false,
                Cow::Owned(hidden) => {
                    *text = hidden;
                    true
                }
            },
            Value::Array(items) => {
                items.iter_mut().fold(false, |found, item| self.value(item) | found)
            }
            Value::Object(map) => self.object(map),
            _ => false,
        }
    }

    fn object(&self, map: &mut serde_json::Map<String, Value>) -> bool {
        let mut found = false;
        // `{"Name": "PASSWORD", "Value": "…"}` names its secret one level away.
        let named = ["name", "Name", "key", "Key"]
            .iter()
            .filter_map(|key| map.get(*key)?.as_str())
            .any(is_secret_name);
        for (key, member) in map.iter_mut() {
            let secret = is_secret_name(key) || (named && key.eq_ignore_ascii_case("value"));
            found |= if secret { hide(member) } else { self.value(member) };
        }
        let keys: Vec<_> =
            map.keys().filter(|key| self.text(key) != key.as_str()).cloned().collect();
        for key in keys {
            if let Some(member) = map.remove(&key) {
                map.insert(self.text(&key).into_owned(), member);
                found = true;
            }
        }
        found
    }
}

/// What says nothing (`null`, a flag, an empty text) stays.
fn hide(value: &mut Value) -> bool {
    let silent = match value {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => text.is_empty() || text == REDACTED,
        _ => false,
    };
    if !silent {
        *value = REDACTED.into();
    }
    !silent
}

fn is_secret_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | '.' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SECRET_NAMES.iter().any(|secret| plain.ends_with(secret))
}

fn replace<'a>(text: Cow<'a, str>, pattern: &Pattern) -> Cow<'a, str> {
    let put = |found: &Captures<'_>| match pattern.keeps {
        Keeps::Nothing => REDACTED.to_owned(),
        Keeps::Around if found[0].ends_with(REDACTED) => found[0].to_owned(),
        Keeps::Around => format!("{}{REDACTED}{}", &found[1], &found[2]),
    };
    match pattern.regex.replace_all(&text, put) {
        Cow::Owned(replaced) if replaced != text => Cow::Owned(replaced),
        _ => text,
    }
}

#[cfg(test)]
mod tests;

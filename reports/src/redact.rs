//! The one room that decides what a secret is. Whatever is written to a run's folder, to a terminal
//! or to the log goes through it.
//!
//! Two signs are looked for: what a value *looks like* (access key ids, private key blocks, tokens
//! with their maker's mark, logins in URLs, values that the harness was told to hide) and what it is
//! *named*. JSON and YAML are read as such; any other text by what stands before `=`, `:` or between
//! tags. Rather too much is hidden than too little, but never a digest, an id, a public key or a
//! token that only makes a call idempotent.

mod assign;
mod encoded;
mod form;
mod json;
mod names;
mod service;
mod shapes;
mod text;
mod yaml;

use std::borrow::Cow;

use serde_json::Value;

pub use form::{Form, Kept};
pub use service::{split_unit_lines, split_unit_words, unit_setting};

use crate::digest::Digest;
use crate::record::Kind;
use names::{Named, judge_name};

/// The text that stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// Shorter values would hide innocent text.
const HIDDEN_MIN_CHARS: usize = 8;

/// A token of the metadata service has no name in the SDK's own log.
const LOGGED_TOKEN_MIN_CHARS: usize = 32;

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

    /// The part of a raw answer that is kept: byte for byte the same where it had no secret.
    pub fn keep<'a>(&self, form: Form, bytes: &'a [u8]) -> Kept<'a> {
        form::redact_bytes(self, form, bytes)
    }

    /// The text without its secrets; borrowed where it had none.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if let Some(json) = json::in_text(self, text) {
            return json;
        }
        let mut result = Cow::Borrowed(text);
        for secret in &self.hidden {
            if result.contains(secret) {
                result = Cow::Owned(result.replace(secret, REDACTED));
            }
        }
        if let Cow::Owned(unwrapped) = encoded::redact_encoded(self, &result) {
            result = Cow::Owned(unwrapped);
        }
        let spans = text::find_secrets(&result);
        if spans.is_empty() {
            return result;
        }
        let (mut written, mut from) = (String::with_capacity(result.len()), 0);
        for span in spans {
            written.push_str(&result[from..span.start]);
            written.push_str(REDACTED);
            from = span.end;
        }
        written.push_str(&result[from..]);
        Cow::Owned(written)
    }

    /// The value of a pair, as EC2's tags are: where it is a secret, its digest stands in its place,
    /// so that it can still be compared.
    pub fn pair<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        if is_silent(value) {
            return Cow::Borrowed(value);
        }
        let secret = match judge_name(name) {
            Named::Secret => true,
            Named::Perhaps => shapes::looks_random(value),
            Named::Innocent => matches!(self.text(value), Cow::Owned(_)),
        };
        if secret { compared_by_digest(value).into() } else { Cow::Borrowed(value) }
    }

    /// A line of a log, which is no evidence: what merely looks random is hidden as well.
    pub fn log(&self, text: &str) -> String {
        let text = self.text(text);
        let is_one =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '=');
        let mut shown = String::with_capacity(text.len());
        let mut rest = &text[..];
        while !rest.is_empty() {
            let word = rest.find(|c| !is_one(c)).unwrap_or(rest.len());
            let random = word >= LOGGED_TOKEN_MIN_CHARS && shapes::looks_random(&rest[..word]);
            shown.push_str(if random { REDACTED } else { &rest[..word] });
            rest = &rest[word..];
            let between = rest.find(is_one).unwrap_or(rest.len());
            shown.push_str(&rest[..between]);
            rest = &rest[between..];
        }
        shown
    }

    /// Says whether anything was hidden.
    pub fn value(&self, value: &mut Value) -> bool {
        json::hide_in(self, value)
    }
}

/// A secret that can still be told from another.
fn compared_by_digest(value: &str) -> String {
    format!("{REDACTED} sha256:{}", Digest::of(value))
}

fn is_compared_by_digest(value: &str) -> bool {
    let digest = value.strip_prefix(REDACTED).and_then(|rest| rest.strip_prefix(" sha256:"));
    digest.is_some_and(|it| it.len() == 64 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether it says nothing, or says that it was hidden already.
fn is_silent(value: &str) -> bool {
    let value = value.trim().trim_end_matches([',', ';', ')', '}']);
    matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "null"
            | "~"
            | "none"
            | "nil"
            | "true"
            | "false"
            | "undefined"
            | "(hidden)"
            | "{"
            | "["
    ) || value.trim_matches(['"', '\'', '\\']) == REDACTED
        || is_compared_by_digest(value)
        || value.bytes().all(|byte| byte == b'*')
        || value.contains("** redacted **")
        || (value.starts_with(REDACTED) && value[REDACTED.len()..].trim().is_empty())
}

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;

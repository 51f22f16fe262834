//! The allowed signers, in OpenSSH's format (`ssh-keygen(1)`, "ALLOWED SIGNERS").
//!
//! Nothing is accepted that `ssh-keygen -Y verify` refuses. It is stricter in this:
//!
//! | here | ssh-keygen |
//! |---|---|
//! | one bad line refuses the whole file, with its number | a bad line is passed over |
//! | `cert-authority` is refused | a certificate's authority may sign through certificates |
//! | `valid-after` and `valid-before` must end in `Z` | without it the time is local |
//! | a key type that this program cannot verify is refused | |
//! | RSA keys have at least 2048 bits | 1024 |
//! | white space must follow a quoted principal | it may be left out |

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use ssh_key::{Algorithm, PublicKey, public::KeyData};
use thiserror::Error;

use super::patterns::matches_list;

const BLANKS: [char; 2] = [' ', '\t'];

/// A line for which the whole file is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("allowed signers, line {line}: {why}")]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    pub why: String,
}

/// The signers that one file allows.
#[derive(Clone, Debug, Default)]
pub struct AllowedSigners {
    signers: Vec<Signer>,
    whose: Whose,
}

/// Whose the file is: by that, and not by a name that a signer gives himself, a go is the owner's or
/// the lab's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Whose {
    #[default]
    Owner,
    Lab,
}

#[derive(Clone, Debug)]
struct Signer {
    principals: String,
    namespaces: Option<String>,
    valid_after: Option<DateTime<Utc>>,
    valid_before: Option<DateTime<Utc>>,
    key: KeyData,
}

/// Why nobody who signs with this key is allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAllowed {
    Principal,
    Key,
    Namespace,
    NotYetValid,
    NoLongerValid,
}

impl NotAllowed {
    fn describe(self, namespace: &str) -> String {
        match self {
            Self::Principal => "there is no such signer".to_owned(),
            Self::Key => "the key is nobody's".to_owned(),
            Self::Namespace => format!("the key is not for the namespace `{namespace}`"),
            Self::NotYetValid => "the key was not valid yet (valid-after)".to_owned(),
            Self::NoLongerValid => "the key was valid no longer (valid-before)".to_owned(),
        }
    }
}

impl AllowedSigners {
    /// Reads the owner's file. Fails at its first bad line.
    pub fn parse(text: &str) -> Result<Self, BadLine> {
        let mut signers = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_matches([' ', '\t', '\r']);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let signer = parse_line(line).map_err(|why| BadLine { line: index + 1, why })?;
            signers.push(signer);
        }
        Ok(Self { signers, whose: Whose::Owner })
    }

    /// The line of the key with which a lab grants itself: a go that it allows is self-granted.
    ///
    /// # Errors
    /// The errors of [`parse`](Self::parse).
    pub fn of_the_lab(text: &str) -> Result<Self, BadLine> {
        Ok(Self { whose: Whose::Lab, ..Self::parse(text)? })
    }

    pub(super) fn are_the_labs(&self) -> bool {
        self.whose == Whose::Lab
    }

    /// The principals, as their lines name them, whom the file allows to sign with this key in this namespace.
    ///
    /// # Errors
    /// Why there is none, by the reason that came nearest.
    pub(crate) fn principals_of(
        &self,
        key: &KeyData,
        namespace: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, String> {
        let mut nearest = NotAllowed::Key;
        let mut principals = Vec::new();
        for signer in self.signers.iter().filter(|signer| signer.key == *key) {
            match signer.allows(namespace, now) {
                Ok(()) => principals.push(signer.principals.clone()),
                Err(why) => nearest = why,
            }
        }
        if principals.is_empty() { Err(nearest.describe(namespace)) } else { Ok(principals) }
    }

    /// Whether a line of the file allows it; else the reason that came nearest.
    pub(super) fn check(
        &self,
        principal: &str,
        key: &KeyData,
        namespace: &str,
        now: DateTime<Utc>,
    ) -> Result<(), NotAllowed> {
        let mut nearest = NotAllowed::Principal;
        for signer in &self.signers {
            match signer.check(principal, key, namespace, now) {
                Ok(()) => return Ok(()),
                Err(NotAllowed::Principal) => {}
                Err(NotAllowed::Key) if nearest != NotAllowed::Principal => {}
                Err(nearer) => nearest = nearer,
            }
        }
        Err(nearest)
    }
}

impl Signer {
    fn check(
        &self,
        principal: &str,
        key: &KeyData,
        namespace: &str,
        now: DateTime<Utc>,
    ) -> Result<(), NotAllowed> {
        if !matches_list(principal, &self.principals) {
            return Err(NotAllowed::Principal);
        }
        if self.key != *key {
            return Err(NotAllowed::Key);
        }
        self.allows(namespace, now)
    }

    /// The same, of a signer whose line it is.
    fn allows(&self, namespace: &str, now: DateTime<Utc>) -> Result<(), NotAllowed> {
        if self.namespaces.as_ref().is_some_and(|list| !matches_list(namespace, list)) {
            return Err(NotAllowed::Namespace);
        }
        if self.valid_after.is_some_and(|after| now < after) {
            return Err(NotAllowed::NotYetValid);
        }
        if self.valid_before.is_some_and(|before| now > before) {
            return Err(NotAllowed::NoLongerValid);
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Result<Signer, String> {
    if line.contains('\0') {
        return Err("it holds a NUL byte".to_owned());
    }
    let (principals, rest) = principals(line)?;
    let (word, after) = split_word(rest);
    let (options, key) =
        if is_key_type(word) { ("", rest) } else { split_options(rest, word, after)? };
    let mut signer = Signer {
        principals,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        key: parse_key(key)?,
    };
    for option in options_of(options)? {
        signer.apply(&option)?;
    }
    if let (Some(after), Some(before)) = (signer.valid_after, signer.valid_before)
        && before <= after
    {
        return Err("valid-before is not after valid-after".to_owned());
    }
    Ok(signer)
}

/// The first field, perhaps in quotes, and what follows its white space.
fn principals(line: &str) -> Result<(String, &str), String> {
    let (principals, rest) = match line.strip_prefix('"') {
        None => split_word(line),
        Some(quoted) => {
            let (inside, rest) = quoted.split_once('"').ok_or("a quote is not closed")?;
            if !rest.is_empty() && !rest.starts_with(BLANKS) {
                return Err("white space must follow the quoted principals".to_owned());
            }
            (inside, rest.trim_start_matches(BLANKS))
        }
    };
    if principals.is_empty() || principals.contains('"') {
        return Err("the principals are empty or hold a quote".to_owned());
    }
    if rest.is_empty() {
        return Err("there is no key after the principals".to_owned());
    }
    Ok((principals.to_owned(), rest))
}

fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(BLANKS).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start_matches(BLANKS))
}

fn is_key_type(word: &str) -> bool {
    !matches!(Algorithm::new(word), Err(_) | Ok(Algorithm::Other(_)))
}

/// Options end at the first white space outside quotes.
fn split_options<'a>(
    rest: &'a str,
    word: &str,
    after: &'a str,
) -> Result<(&'a str, &'a str), String> {
    // A key type that is not known looks like an option: say so rather than "unknown option".
    if !word.contains('=') && after.starts_with("AAAA") {
        return Err(format!("keys of type `{word}` are not supported"));
    }
    let mut inside = false;
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b' ' | b'\t' if !inside => {
                return Ok((&rest[..at], rest[at..].trim_start_matches(BLANKS)));
            }
            _ => {}
        }
    }
    Err(if inside { "a quote is not closed" } else { "there is no key" }.to_owned())
}

fn parse_key(text: &str) -> Result<KeyData, String> {
    let (word, rest) = split_word(text);
    if word.contains("-cert-") {
        return Err("certificates are not supported: list the key itself".to_owned());
    }
    if !is_key_type(word) {
        return Err(format!("`{word}` is no key type that can be verified"));
    }
    let (blob, _comment) = split_word(rest);
    let key = PublicKey::from_openssh(&format!("{word} {blob}"))
        .map_err(|error| format!("the {word} key cannot be read: {error}"))?;
    match key.key_data() {
        KeyData::Rsa(rsa) => {
            let bytes = rsa.n.as_positive_bytes().map_or(0, <[u8]>::len);
            if bytes < 256 {
                return Err(format!("an RSA key of {} bits is too short", bytes * 8));
            }
        }
        KeyData::Ecdsa(_)
        | KeyData::Ed25519(_)
        | KeyData::SkEcdsaSha2NistP256(_)
        | KeyData::SkEd25519(_) => {}
        _ => return Err(format!("keys of type `{word}` are not supported")),
    }
    Ok(key.key_data().clone())
}

/// `name` or `name="value"`, as OpenSSH reads them.
struct KeyOption {
    name: String,
    value: Option<String>,
}

fn options_of(text: &str) -> Result<Vec<KeyOption>, String> {
    let mut options = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        let value;
        if let Some(quoted) = rest[end..].strip_prefix('=') {
            let (inside, after) = dequote(quoted)?;
            (value, rest) = (Some(inside), after);
        } else {
            (value, rest) = (None, &rest[end..]);
        }
        options.push(KeyOption { name, value });
        rest = match rest.strip_prefix(',') {
            Some("") => return Err("the options end in a comma".to_owned()),
            Some(next) => next,
            None if rest.is_empty() => rest,
            None => return Err("a comma must stand between options".to_owned()),
        };
    }
    Ok(options)
}

fn dequote(text: &str) -> Result<(String, &str), String> {
    let inner = text.strip_prefix('"').ok_or("an option's value must stand in quotes")?;
    let mut value = String::new();
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &inner[at + 1..])),
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                chars.next();
                value.push('"');
            }
            c => value.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}

impl Signer {
    fn apply(&mut self, option: &KeyOption) -> Result<(), String> {
        let name = option.name.as_str();
        let value = option.value.as_deref();
        match (name, value) {
            ("cert-authority", _) => {
                Err("cert-authority is not supported: list each signer's own key".to_owned())
            }
            ("namespaces", Some("")) => Err("namespaces is empty".to_owned()),
            ("namespaces", Some(list)) => once(&mut self.namespaces, list.to_owned(), name),
            ("valid-after", Some(time)) => once(&mut self.valid_after, timestamp(time)?, name),
            ("valid-before", Some(time)) => once(&mut self.valid_before, timestamp(time)?, name),
            ("namespaces" | "valid-after" | "valid-before", None) => {
                Err(format!("{name} needs a value"))
            }
            _ => Err(format!("`{name}` is no option of allowed signers")),
        }
    }
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name} stands twice")),
    }
}

/// `YYYYMMDDZ`, `YYYYMMDDHHMMZ` or `YYYYMMDDHHMMSSZ`.
fn timestamp(text: &str) -> Result<DateTime<Utc>, String> {
    let bad = || format!("`{text}` is no time; write YYYYMMDD[HHMM[SS]]Z");
    let Some(digits) = text.strip_suffix('Z') else {
        return Err(format!("`{text}` is local time; end it in Z and write UTC"));
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let time = match digits.len() {
        8 => NaiveDate::parse_from_str(digits, "%Y%m%d")
            .ok()
            .and_then(|day| day.and_hms_opt(0, 0, 0)),
        12 => NaiveDateTime::parse_from_str(&format!("{digits}00"), "%Y%m%d%H%M%S").ok(),
        14 => NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok(),
        _ => None,
    };
    let time = time.ok_or_else(bad)?.and_utc();
    // OpenSSH takes a time of zero or before for none at all.
    if time.timestamp() <= 0 { Err(bad()) } else { Ok(time) }
}

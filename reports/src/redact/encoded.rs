//! Text within text: what XML's entities or a URL's percent signs wrap is read unwrapped, and
//! wrapped again where it had a secret.

use std::borrow::Cow;

use super::{REDACTED, Redactor};

/// Each way: what must be there, where a part ends, and how it is unwrapped and wrapped.
struct Wrapping {
    sign: &'static str,
    ends: fn(char) -> bool,
    unwrap: fn(&str) -> Option<String>,
    wrap: fn(&str) -> String,
}

const WRAPPINGS: [Wrapping; 2] = [
    Wrapping {
        sign: "&quot;",
        ends: |c| matches!(c, '<' | '>'),
        unwrap: |text| Some(ENTITIES.iter().fold(text.to_owned(), |it, (a, b)| it.replace(a, b))),
        wrap: |text| ENTITIES.iter().rev().fold(text.to_owned(), |it, (a, b)| it.replace(b, a)),
    },
    Wrapping {
        sign: "%22",
        ends: |c| c.is_whitespace() || matches!(c, '<' | '>' | '&' | '"' | '\''),
        unwrap: from_percent,
        wrap: to_percent,
    },
];

/// The ampersand last, so that nothing is unwrapped twice.
const ENTITIES: [(&str, &str); 5] =
    [("&quot;", "\""), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];

pub(super) fn redact_encoded<'a>(redactor: &Redactor, text: &'a str) -> Cow<'a, str> {
    WRAPPINGS.iter().fold(Cow::Borrowed(text), |text, wrapping| {
        if !text.contains(wrapping.sign) {
            return text;
        }
        let (mut written, mut changed) = (String::with_capacity(text.len()), false);
        for part in text.split_inclusive(wrapping.ends) {
            let inside = part.trim_end_matches(wrapping.ends);
            let plain = inside.contains(wrapping.sign).then(|| (wrapping.unwrap)(inside)).flatten();
            match plain.as_deref().map(|plain| redactor.text(plain)) {
                Some(Cow::Owned(hidden)) => {
                    changed = true;
                    written.push_str(&(wrapping.wrap)(&hidden));
                    written.push_str(&part[inside.len()..]);
                }
                _ => written.push_str(part),
            }
        }
        if changed { Cow::Owned(written) } else { text }
    })
}

fn from_percent(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, behind @ ..] = rest {
        let pair = behind.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        if let Some(byte) =
            pair.and_then(|it| u8::from_str_radix(it, 16).ok()).filter(|_| *first == b'%')
        {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

fn to_percent(text: &str) -> String {
    use std::fmt::Write as _;
    let parts = text.split(REDACTED).map(|part| {
        part.bytes().fold(String::new(), |mut written, byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~=+".contains(&byte) {
                written.push(char::from(byte));
            } else {
                // A string takes everything.
                let _ = write!(written, "%{byte:02X}");
            }
            written
        })
    });
    parts.collect::<Vec<_>>().join(REDACTED)
}

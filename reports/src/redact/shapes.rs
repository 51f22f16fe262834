//! The judgement of a value by its looks alone: tokens that carry their maker's mark, key blocks,
//! logins in URLs; and what looks random.

use std::ops::Range;
use std::sync::LazyLock;

/// Characters of a token behind its mark.
#[derive(Clone, Copy)]
enum Class {
    Alnum,
    /// And `_`, `-`.
    Word,
    /// And `.` as well.
    Dotted,
    /// And `/`, `+`, `=`.
    Base64,
}

impl Class {
    fn has(self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
            || match self {
                Self::Alnum => false,
                Self::Word => matches!(byte, b'_' | b'-'),
                Self::Dotted => matches!(byte, b'_' | b'-' | b'.'),
                Self::Base64 => matches!(byte, b'_' | b'-' | b'/' | b'+' | b'=' | b'.'),
            }
    }
}

/// A maker's mark, what may follow it, and the least number of characters that do.
struct Mark(&'static str, Class, usize);

/// From the rules that scanners publish; the tests name rule and project.
const MARKS: &[Mark] = &[
    Mark("4b1d", Class::Alnum, 38),
    Mark("A3-", Class::Word, 20),
    Mark("ABSK", Class::Base64, 100),
    Mark("AGE-SECRET-KEY-1", Class::Alnum, 40),
    Mark("AIza", Class::Word, 30),
    Mark("AKCp", Class::Alnum, 40),
    Mark("ATATT3", Class::Base64, 180),
    Mark("API-", Class::Alnum, 26),
    Mark("CLOJARS_", Class::Alnum, 40),
    Mark("EAAA", Class::Word, 22),
    Mark("EAAC", Class::Alnum, 20),
    Mark("EAAM", Class::Alnum, 20),
    Mark("EZAK", Class::Alnum, 54),
    Mark("EZTK", Class::Alnum, 54),
    Mark("FLWPUBK_TEST-", Class::Word, 32),
    Mark("FLWSECK_TEST-", Class::Word, 12),
    Mark("HRKU-AA", Class::Word, 50),
    Mark("LTAI", Class::Alnum, 20),
    Mark("NRAK-", Class::Alnum, 27),
    Mark("NRII-", Class::Word, 32),
    Mark("NRJS-", Class::Alnum, 19),
    Mark("PMAK-", Class::Word, 50),
    Mark("SG.", Class::Base64, 60),
    Mark("SK", Class::Alnum, 32),
    Mark("authress_", Class::Dotted, 60),
    Mark("bedrock-api-key-", Class::Base64, 20),
    Mark("cmVmd", Class::Alnum, 59),
    Mark("dapi", Class::Alnum, 32),
    Mark("dckr_oat_", Class::Word, 25),
    Mark("dckr_pat_", Class::Word, 25),
    Mark("doo_v1_", Class::Alnum, 64),
    Mark("dop_v1_", Class::Alnum, 64),
    Mark("dor_v1_", Class::Alnum, 64),
    Mark("dp.pt.", Class::Alnum, 40),
    Mark("duffel_live_", Class::Word, 40),
    Mark("duffel_test_", Class::Word, 40),
    Mark("dt0c01.", Class::Dotted, 80),
    Mark("ext_", Class::Dotted, 60),
    Mark("ey", Class::Dotted, 40),
    Mark("eyJrIjoi", Class::Base64, 60),
    Mark("fio-u-", Class::Base64, 60),
    Mark("fo1_", Class::Word, 40),
    Mark("fm1", Class::Base64, 90),
    Mark("fm2_", Class::Base64, 90),
    Mark("ghp_", Class::Alnum, 30),
    Mark("gho_", Class::Alnum, 30),
    Mark("ghu_", Class::Alnum, 30),
    Mark("ghs_", Class::Alnum, 30),
    Mark("ghr_", Class::Alnum, 30),
    Mark("github_pat_", Class::Word, 40),
    Mark("glagent-", Class::Word, 40),
    Mark("glc_", Class::Base64, 30),
    Mark("glcbt-", Class::Word, 20),
    Mark("gldt-", Class::Word, 20),
    Mark("glffct-", Class::Word, 20),
    Mark("glft-", Class::Word, 20),
    Mark("glimt-", Class::Word, 20),
    Mark("gloas-", Class::Word, 40),
    Mark("glpat-", Class::Word, 20),
    Mark("glptt-", Class::Word, 40),
    Mark("glrt-", Class::Word, 20),
    Mark("glsoat-", Class::Word, 20),
    Mark("glsa_", Class::Word, 32),
    Mark("GR1348941", Class::Word, 20),
    Mark("hf_", Class::Alnum, 30),
    Mark("api_org_", Class::Alnum, 30),
    Mark("hvb.", Class::Word, 100),
    Mark("hvs.", Class::Word, 24),
    Mark("ico-", Class::Alnum, 32),
    Mark("lin_api_", Class::Alnum, 40),
    Mark("npm_", Class::Alnum, 36),
    Mark("ops_ey", Class::Base64, 200),
    Mark("p8e-", Class::Alnum, 32),
    Mark("pat", Class::Dotted, 79),
    Mark("pat-", Class::Word, 36),
    Mark("pat.", Class::Dotted, 60),
    Mark("pnu_", Class::Alnum, 36),
    Mark("pplx-", Class::Alnum, 48),
    Mark("pscale_oauth_", Class::Dotted, 32),
    Mark("pscale_pw_", Class::Dotted, 32),
    Mark("pscale_tkn_", Class::Dotted, 32),
    Mark("pul-", Class::Alnum, 40),
    Mark("pypi-AgEI", Class::Word, 50),
    Mark("rdme_", Class::Alnum, 70),
    Mark("rubygems_", Class::Alnum, 48),
    Mark("s-s4t2", Class::Word, 64),
    Mark("sat.", Class::Dotted, 60),
    Mark("sc_", Class::Dotted, 60),
    Mark("scauth_", Class::Dotted, 60),
    Mark("secret-", Class::Word, 28),
    Mark("sha256~", Class::Word, 43),
    Mark("sm_aat_", Class::Alnum, 16),
    Mark("sm_pat_", Class::Alnum, 16),
    Mark("sm_sat_", Class::Alnum, 16),
    Mark("sgp_", Class::Word, 40),
    Mark("shpat_", Class::Alnum, 32),
    Mark("shpca_", Class::Alnum, 32),
    Mark("shppa_", Class::Alnum, 32),
    Mark("shpss_", Class::Alnum, 32),
    Mark("shippo_live_", Class::Alnum, 40),
    Mark("shippo_test_", Class::Alnum, 40),
    Mark("sk-", Class::Word, 32),
    Mark("sk_live_", Class::Alnum, 10),
    Mark("sk_test_", Class::Alnum, 10),
    Mark("sk_prod_", Class::Alnum, 10),
    Mark("rk_live_", Class::Alnum, 10),
    Mark("rk_test_", Class::Alnum, 10),
    Mark("rk_prod_", Class::Alnum, 10),
    Mark("sntryu_", Class::Alnum, 64),
    Mark("sntrys_", Class::Base64, 80),
    Mark("sq0atp-", Class::Word, 22),
    Mark("sq0csp-", Class::Word, 40),
    Mark("tfp_", Class::Alnum, 59),
    Mark("tk-us-", Class::Word, 48),
    Mark("tskey-", Class::Word, 20),
    Mark("v1.0-", Class::Word, 160),
    Mark("xapp-", Class::Word, 30),
    Mark("xkeysib-", Class::Word, 64),
    Mark("xoxa-", Class::Word, 10),
    Mark("xoxb-", Class::Word, 10),
    Mark("xoxe-", Class::Word, 10),
    Mark("xoxe.", Class::Word, 30),
    Mark("xoxo-", Class::Word, 10),
    Mark("xoxp-", Class::Word, 10),
    Mark("xoxr-", Class::Word, 10),
    Mark("xoxs-", Class::Word, 10),
];

/// The marks by their first byte: most words begin as none does.
static BY_FIRST_BYTE: LazyLock<Vec<Vec<&Mark>>> = LazyLock::new(|| {
    let begins = |byte: u8| MARKS.iter().filter(move |it| it.0.as_bytes()[0] == byte);
    (0..=u8::MAX).map(|byte| begins(byte).collect()).collect()
});

/// First four letters of the ids of AWS's access keys; sixteen capitals and digits follow.
const ACCESS_KEYS: &[&[u8; 4]] = &[b"AKIA", b"ASIA", b"ABIA", b"ACCA", b"A3T0"];
const ACCESS_KEY_CHARS: usize = 20;

fn is_part_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Tokens that their looks betray, in the order of the text; they may overlap.
pub fn tokens(text: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_part_of_word(bytes[at]) {
            at += 1;
        }
        word(bytes, start..at, spans);
    }
    aws_secret_keys(bytes, spans);
    marked_within(text, spans);
}

fn word(bytes: &[u8], word: Range<usize>, spans: &mut Vec<Range<usize>>) {
    let (start, end) = (word.start, word.end);
    if end - start >= ACCESS_KEY_CHARS {
        access_keys(bytes, word, spans);
    }
    let rest = &bytes[start..];
    for Mark(mark, class, least) in &BY_FIRST_BYTE[usize::from(bytes[start])] {
        if !rest.starts_with(mark.as_bytes()) {
            continue;
        }
        let tail = rest[mark.len()..].iter().take_while(|byte| class.has(**byte)).count();
        let found = start..start + mark.len() + tail;
        if tail >= *least && is_certain(mark, &bytes[found.clone()]) {
            spans.push(found);
        }
    }
    marked_at_the_end(bytes, start..end, spans);
}

/// Whether the token has what more a short mark asks for.
fn is_certain(mark: &str, token: &[u8]) -> bool {
    let tail = &token[mark.len()..];
    match mark {
        // A JSON Web Token has three parts, of which the first two are base64 of `{"`.
        "ey" => is_jwt(token),
        "SK" => tail.len() == 32 && tail.iter().all(u8::is_ascii_hexdigit),
        // A digest begins by chance with it.
        "4b1d" => tail.len() == 38,
        "pat" => tail.get(14) == Some(&b'.'),
        "sc_" | "ext_" | "scauth_" | "authress_" => token.windows(4).any(|it| it == b".acc"),
        "API-" => !tail.iter().any(u8::is_ascii_lowercase) && has_digit(tail),
        "pat-" | "secret-" | "sk-" | "EAAA" | "dapi" => has_digit(tail),
        _ => true,
    }
}

/// `…_mmk` of MaxMind, `…-us12` of Mailchimp.
fn marked_at_the_end(bytes: &[u8], word: Range<usize>, spans: &mut Vec<Range<usize>>) {
    let text = &bytes[word.clone()];
    let hex = |key: &[u8]| key.len() == 32 && key.iter().all(u8::is_ascii_hexdigit);
    let mailchimp = text.len() > 35
        && text[32..].starts_with(b"-us")
        && hex(&text[..32])
        && text[35..].iter().all(u8::is_ascii_digit);
    if mailchimp || (text.len() >= 39 && text.ends_with(b"_mmk")) {
        spans.push(word);
    }
}

/// Finds what stands around a mark in the middle, and behind the address of a webhook.
fn marked_within(text: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let is_one = |byte: u8| Class::Dotted.has(byte) || matches!(byte, b'~' | b'=');
    for (mark, least) in [("Q~", 34), (".atlasv1.", 70)] {
        for (at, _) in text.match_indices(mark) {
            let start = at - bytes[..at].iter().rev().take_while(|it| is_one(**it)).count();
            let end = at + bytes[at..].iter().take_while(|it| is_one(**it)).count();
            if end - start >= least {
                spans.push(start..end);
            }
        }
    }
    // A bot of Telegram: its number, a colon, `A` and 34 more.
    for (at, _) in text.match_indices(":A") {
        let digits = bytes[..at].iter().rev().take_while(|it| it.is_ascii_digit()).count();
        let tail = bytes[at + 1..].iter().take_while(|it| Class::Word.has(**it)).count();
        if (5..=16).contains(&digits) && tail == 35 {
            spans.push(at - digits..at + 1 + tail);
        }
    }
    let webhooks = [
        "hooks.slack.com/services/",
        "hooks.slack.com/workflows/",
        "webhook.office.com/webhookb2/",
        "discord.com/api/webhooks/",
        "discordapp.com/api/webhooks/",
    ];
    for mark in webhooks {
        for (at, _) in text.match_indices(mark) {
            let start = at + mark.len();
            let is_one = |byte: &&u8| Class::Base64.has(**byte) || **byte == b'@';
            let length = bytes[start..].iter().take_while(is_one).count();
            spans.push(start..start + length);
        }
    }
}

fn has_digit(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_digit)
}

fn is_jwt(bytes: &[u8]) -> bool {
    let parts: Vec<_> = bytes.split(|byte| *byte == b'.').collect();
    parts.len() >= 2 && parts[0].len() >= 16 && parts[1].starts_with(b"ey")
}

fn access_keys(bytes: &[u8], word: Range<usize>, spans: &mut Vec<Range<usize>>) {
    let mut at = word.start;
    while at + ACCESS_KEY_CHARS <= word.end {
        let key = &bytes[at..at + ACCESS_KEY_CHARS];
        let is_one = ACCESS_KEYS.iter().any(|mark| key.starts_with(*mark))
            && key.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_one {
            spans.push(at..at + ACCESS_KEY_CHARS);
            at += ACCESS_KEY_CHARS;
        } else {
            at += 1;
        }
    }
}

/// Exactly forty characters of base64 in a row that look random: an AWS secret access key.
fn aws_secret_keys(bytes: &[u8], spans: &mut Vec<Range<usize>>) {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| is_one(**byte)).count();
        let (start, end) = (at, at + length);
        at = end + 1;
        let bounded = |byte: Option<&u8>| !byte.is_some_and(|it| matches!(it, b'_' | b'-' | b'.'));
        if length != 40
            || bytes[start] == b'/'
            || !bounded(start.checked_sub(1).map(|index| &bytes[index]))
            || !bounded(bytes.get(end))
        {
            continue;
        }
        let key = &bytes[start..end];
        let count = |is: fn(&u8) -> bool| key.iter().filter(|byte| is(byte)).count();
        let slashes = count(|byte| *byte == b'/');
        if count(u8::is_ascii_digit) >= 2
            && count(u8::is_ascii_uppercase) >= 4
            && count(u8::is_ascii_lowercase) >= 4
            && slashes <= 6
            && entropy(key) >= 4.0
        {
            spans.push(start..end);
        }
    }
}

/// Private key blocks of every maker, to their end or to the text's.
pub fn key_blocks(text: &str, spans: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(found) = text[from..].find("-----BEGIN ") {
        let start = from + found;
        let head = &text[start + 11..];
        let Some(dashes) = head.find("-----").filter(|it| *it < 60) else {
            from = start + 11;
            continue;
        };
        let body = start + 11 + dashes + 5;
        from = body;
        if !head[..dashes].contains("PRIVATE KEY") {
            continue;
        }
        let end = text[body..].find("-----END ").map_or(text.len(), |end| {
            let tail = body + end + 9;
            text[tail..].find("-----").map_or(text.len(), |it| tail + it + 5)
        });
        spans.push(start..end);
        from = end;
    }
    putty(text, spans);
}

/// PuTTY's own format.
fn putty(text: &str, spans: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(found) = text[from..].find("Private-Lines:") {
        let start = from + found + "Private-Lines:".len();
        let end = text[start..].find("Private-MAC:").map_or(text.len(), |mac| {
            let mac = start + mac;
            text[mac..].find('\n').map_or(text.len(), |line| mac + line)
        });
        if text[start..end].trim() != super::REDACTED {
            spans.push(start + 1..end.max(start + 1).min(text.len()));
        }
        from = end;
    }
}

/// The password in `scheme://user:password@host`.
pub fn logins_in_urls(text: &str, spans: &mut Vec<Range<usize>>) {
    for (found, _) in text.match_indices("://") {
        let start = found + 3;
        let authority = text[start..]
            .find(|c: char| {
                c.is_whitespace()
                    || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`' | '\\')
            })
            .map_or(text.len(), |length| start + length);
        let Some(at) = text[start..authority].rfind('@') else { continue };
        let login = &text[start..start + at];
        match login.split_once(':') {
            Some((user, password)) if !super::is_silent(password) => {
                let password = start + user.len() + 1..start + at;
                // A token is often put in the user's place.
                if user.len() >= 20 && looks_random(user) {
                    spans.push(start..password.end);
                } else {
                    spans.push(password);
                }
            }
            None if login.len() >= 20 && looks_random(login) => spans.push(start..start + at),
            _ => {}
        }
    }
}

/// `Bearer …`, `Basic …`: the scheme stays.
pub fn schemes(text: &str, lower: &str, spans: &mut Vec<Range<usize>>) {
    for (scheme, least) in [("bearer ", 1), ("basic ", 12)] {
        for (found, _) in lower.match_indices(scheme) {
            if found > 0 && is_part_of_word(lower.as_bytes()[found - 1]) {
                continue;
            }
            let start = found + scheme.len();
            let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(byte);
            let length = text.as_bytes()[start..].iter().take_while(|byte| is_one(byte)).count();
            let token = &text[start..start + length];
            let like_base64 = token.ends_with('=')
                || (token.bytes().any(|it| it.is_ascii_uppercase())
                    && token.bytes().any(|it| it.is_ascii_lowercase())
                    && token.bytes().any(|it| it.is_ascii_digit()));
            if length >= least && (least == 1 || like_base64) {
                spans.push(start..start + length);
            }
        }
    }
}

/// Whether a value could have been drawn: long, of mixed characters, and nothing that evidence
/// names things by (an id, an address, a digest, a public key, a path).
pub fn looks_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    let classes = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
    let mixed = classes.iter().filter(|is| bytes.iter().any(is)).count();
    bytes.len() >= 12
        && bytes.iter().all(u8::is_ascii_graphic)
        && has_digit(bytes)
        && mixed >= 2
        && entropy(bytes) >= 3.0
        && !names_a_thing(value)
}

/// Whether evidence names things by such a value.
pub fn names_a_thing(value: &str) -> bool {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit());
    let lower_id = value.rsplit_once('-').is_some_and(|(kind, id)| {
        matches!(id.len(), 8 | 17)
            && hex(id)
            && kind.bytes().all(|it| it.is_ascii_lowercase() || it == b'-')
    });
    let uuid = value.len() == 36
        && value.bytes().filter(|it| *it == b'-').count() == 4
        && value.bytes().all(|it| it == b'-' || it.is_ascii_hexdigit());
    lower_id
        || uuid
        || (value.len() == 64 && hex(value))
        || value.starts_with(['/', '$', '<', '{', '~', '.'])
        || value.contains(':')
        || value.starts_with("AAAA")
        || value.starts_with("ssh-")
        || value.contains("://")
        || value.parse::<std::net::IpAddr>().is_ok()
        || value.split('/').next().is_some_and(|it| it.parse::<std::net::IpAddr>().is_ok())
        || value.bytes().filter(|it| matches!(it, b'-' | b'_' | b'.' | b'/')).count() * 5
            > value.len()
}

/// Shannon's, in bits for each byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let all = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let parts = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / all);
    -parts.map(|part| part * part.log2()).sum::<f64>()
}

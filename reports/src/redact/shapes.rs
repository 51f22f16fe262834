//! The judgement of a value by its looks alone: tokens that carry their maker's mark, key blocks,
//! logins in URLs; and what looks random.

use std::ops::Range;
use std::sync::LazyLock;

/// Characters of a token behind its mark.
#[derive(Clone, Copy)]
enum CharClass {
    Alnum,
    /// And `_`, `-`.
    Word,
    /// And `.` as well.
    Dotted,
    /// And `/`, `+`, `=`.
    Base64,
}

impl CharClass {
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
struct TokenMark(&'static str, CharClass, usize);

/// From the rules that scanners publish; the tests name rule and project.
const MARKS: &[TokenMark] = &[
    TokenMark("4b1d", CharClass::Alnum, 38),
    TokenMark("A3-", CharClass::Word, 20),
    TokenMark("ABSK", CharClass::Base64, 100),
    TokenMark("AGE-SECRET-KEY-1", CharClass::Alnum, 40),
    TokenMark("AIza", CharClass::Word, 30),
    TokenMark("AKCp", CharClass::Alnum, 40),
    TokenMark("ATATT3", CharClass::Base64, 180),
    TokenMark("API-", CharClass::Alnum, 26),
    TokenMark("CLOJARS_", CharClass::Alnum, 40),
    TokenMark("EAAA", CharClass::Word, 22),
    TokenMark("EAAC", CharClass::Alnum, 20),
    TokenMark("EAAM", CharClass::Alnum, 20),
    TokenMark("EZAK", CharClass::Alnum, 54),
    TokenMark("EZTK", CharClass::Alnum, 54),
    TokenMark("FLWPUBK_TEST-", CharClass::Word, 32),
    TokenMark("FLWSECK_TEST-", CharClass::Word, 12),
    TokenMark("HRKU-AA", CharClass::Word, 50),
    TokenMark("LTAI", CharClass::Alnum, 20),
    TokenMark("NRAK-", CharClass::Alnum, 27),
    TokenMark("NRII-", CharClass::Word, 32),
    TokenMark("NRJS-", CharClass::Alnum, 19),
    TokenMark("PMAK-", CharClass::Word, 50),
    TokenMark("SG.", CharClass::Base64, 60),
    TokenMark("SK", CharClass::Alnum, 32),
    TokenMark("authress_", CharClass::Dotted, 60),
    TokenMark("bedrock-api-key-", CharClass::Base64, 20),
    TokenMark("cmVmd", CharClass::Alnum, 59),
    TokenMark("dapi", CharClass::Alnum, 32),
    TokenMark("dckr_oat_", CharClass::Word, 25),
    TokenMark("dckr_pat_", CharClass::Word, 25),
    TokenMark("doo_v1_", CharClass::Alnum, 64),
    TokenMark("dop_v1_", CharClass::Alnum, 64),
    TokenMark("dor_v1_", CharClass::Alnum, 64),
    TokenMark("dp.pt.", CharClass::Alnum, 40),
    TokenMark("duffel_live_", CharClass::Word, 40),
    TokenMark("duffel_test_", CharClass::Word, 40),
    TokenMark("dt0c01.", CharClass::Dotted, 80),
    TokenMark("ext_", CharClass::Dotted, 60),
    TokenMark("ey", CharClass::Dotted, 40),
    TokenMark("eyJrIjoi", CharClass::Base64, 60),
    TokenMark("fio-u-", CharClass::Base64, 60),
    TokenMark("fo1_", CharClass::Word, 40),
    TokenMark("fm1", CharClass::Base64, 90),
    TokenMark("fm2_", CharClass::Base64, 90),
    TokenMark("ghp_", CharClass::Alnum, 30),
    TokenMark("gho_", CharClass::Alnum, 30),
    TokenMark("ghu_", CharClass::Alnum, 30),
    TokenMark("ghs_", CharClass::Alnum, 30),
    TokenMark("ghr_", CharClass::Alnum, 30),
    TokenMark("github_pat_", CharClass::Word, 40),
    TokenMark("glagent-", CharClass::Word, 40),
    TokenMark("glc_", CharClass::Base64, 30),
    TokenMark("glcbt-", CharClass::Word, 20),
    TokenMark("gldt-", CharClass::Word, 20),
    TokenMark("glffct-", CharClass::Word, 20),
    TokenMark("glft-", CharClass::Word, 20),
    TokenMark("glimt-", CharClass::Word, 20),
    TokenMark("gloas-", CharClass::Word, 40),
    TokenMark("glpat-", CharClass::Word, 20),
    TokenMark("glptt-", CharClass::Word, 40),
    TokenMark("glrt-", CharClass::Word, 20),
    TokenMark("glsoat-", CharClass::Word, 20),
    TokenMark("glsa_", CharClass::Word, 32),
    TokenMark("GR1348941", CharClass::Word, 20),
    TokenMark("hf_", CharClass::Alnum, 30),
    TokenMark("api_org_", CharClass::Alnum, 30),
    TokenMark("hvb.", CharClass::Word, 100),
    TokenMark("hvs.", CharClass::Word, 24),
    TokenMark("ico-", CharClass::Alnum, 32),
    TokenMark("lin_api_", CharClass::Alnum, 40),
    TokenMark("npm_", CharClass::Alnum, 36),
    TokenMark("ops_ey", CharClass::Base64, 200),
    TokenMark("p8e-", CharClass::Alnum, 32),
    TokenMark("pat", CharClass::Dotted, 79),
    TokenMark("pat-", CharClass::Word, 36),
    TokenMark("pat.", CharClass::Dotted, 60),
    TokenMark("pnu_", CharClass::Alnum, 36),
    TokenMark("pplx-", CharClass::Alnum, 48),
    TokenMark("pscale_oauth_", CharClass::Dotted, 32),
    TokenMark("pscale_pw_", CharClass::Dotted, 32),
    TokenMark("pscale_tkn_", CharClass::Dotted, 32),
    TokenMark("pul-", CharClass::Alnum, 40),
    TokenMark("pypi-AgEI", CharClass::Word, 50),
    TokenMark("rdme_", CharClass::Alnum, 70),
    TokenMark("rubygems_", CharClass::Alnum, 48),
    TokenMark("s-s4t2", CharClass::Word, 64),
    TokenMark("sat.", CharClass::Dotted, 60),
    TokenMark("sc_", CharClass::Dotted, 60),
    TokenMark("scauth_", CharClass::Dotted, 60),
    TokenMark("secret-", CharClass::Word, 28),
    TokenMark("sha256~", CharClass::Word, 43),
    TokenMark("sm_aat_", CharClass::Alnum, 16),
    TokenMark("sm_pat_", CharClass::Alnum, 16),
    TokenMark("sm_sat_", CharClass::Alnum, 16),
    TokenMark("sgp_", CharClass::Word, 40),
    TokenMark("shpat_", CharClass::Alnum, 32),
    TokenMark("shpca_", CharClass::Alnum, 32),
    TokenMark("shppa_", CharClass::Alnum, 32),
    TokenMark("shpss_", CharClass::Alnum, 32),
    TokenMark("shippo_live_", CharClass::Alnum, 40),
    TokenMark("shippo_test_", CharClass::Alnum, 40),
    TokenMark("sk-", CharClass::Word, 32),
    TokenMark("sk_live_", CharClass::Alnum, 10),
    TokenMark("sk_test_", CharClass::Alnum, 10),
    TokenMark("sk_prod_", CharClass::Alnum, 10),
    TokenMark("rk_live_", CharClass::Alnum, 10),
    TokenMark("rk_test_", CharClass::Alnum, 10),
    TokenMark("rk_prod_", CharClass::Alnum, 10),
    TokenMark("sntryu_", CharClass::Alnum, 64),
    TokenMark("sntrys_", CharClass::Base64, 80),
    TokenMark("sq0atp-", CharClass::Word, 22),
    TokenMark("sq0csp-", CharClass::Word, 40),
    TokenMark("tfp_", CharClass::Alnum, 59),
    TokenMark("tk-us-", CharClass::Word, 48),
    TokenMark("tskey-", CharClass::Word, 20),
    TokenMark("v1.0-", CharClass::Word, 160),
    TokenMark("xapp-", CharClass::Word, 30),
    TokenMark("xkeysib-", CharClass::Word, 64),
    TokenMark("xoxa-", CharClass::Word, 10),
    TokenMark("xoxb-", CharClass::Word, 10),
    TokenMark("xoxe-", CharClass::Word, 10),
    TokenMark("xoxe.", CharClass::Word, 30),
    TokenMark("xoxo-", CharClass::Word, 10),
    TokenMark("xoxp-", CharClass::Word, 10),
    TokenMark("xoxr-", CharClass::Word, 10),
    TokenMark("xoxs-", CharClass::Word, 10),
];

/// The marks by their first byte: most words begin as none does.
static BY_FIRST_BYTE: LazyLock<Vec<Vec<&TokenMark>>> = LazyLock::new(|| {
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
pub fn find_tokens(text: &str, spans: &mut Vec<Range<usize>>) {
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
    for TokenMark(mark, class, least) in &BY_FIRST_BYTE[usize::from(bytes[start])] {
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
    let is_one = |byte: u8| CharClass::Dotted.has(byte) || matches!(byte, b'~' | b'=');
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
        let tail = bytes[at + 1..].iter().take_while(|it| CharClass::Word.has(**it)).count();
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
            let is_one = |byte: &&u8| CharClass::Base64.has(**byte) || **byte == b'@';
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
pub fn find_schemes(text: &str, lower: &str, spans: &mut Vec<Range<usize>>) {
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

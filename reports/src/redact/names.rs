//! The judgement of a value by its name. A name is read word by word (`db_passwordOld` is `db`,
//! `password`, `old`), so that `password_file` is a path and `clientToken` makes a call idempotent.

use std::cell::RefCell;
use std::collections::HashMap;

/// The nature of a value, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A secret, whatever it looks like.
    Secret,
    /// A secret where it looks random.
    Perhaps,
    Innocent,
}

/// Endings of a word that names a secret.
const SECRETS: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "apikey",
    "secretkey",
    "privatekey",
    "accesskey",
    "authkey",
    "presharedkey",
    "sharedkey",
    "psk",
    "authorization",
    "setcookie",
    "connectionstring",
    "bearer",
    "keymaterial",
    "snmpcommunity",
];

/// Words that name a secret only where they stand alone.
const ALONE: &[&str] = &["credential", "credentials", "cookie", "pin"];

/// Whole words that name a secret.
const WHOLE: &[&str] = &["pw", "jwt", "otp", "totp", "pincode", "hmac", "kek", "mnemonic", "tsig"];

/// Words that make the word `key` behind them a secret's name.
const SECRET_KEYS: &[&str] = &[
    "api",
    "secret",
    "private",
    "access",
    "auth",
    "shared",
    "preshared",
    "signing",
    "encryption",
    "encrypt",
    "master",
    "account",
    "session",
    "hmac",
    "license",
    "app",
    "application",
    "deploy",
    "storage",
    "subscription",
    "wireguard",
    "wg",
    "md5",
    "tcp",
];

/// Two words that name a secret together.
const PAIRS: &[(&str, &str)] = &[
    ("amz", "signature"),
    ("user", "data"),
    ("set", "cookie"),
    ("connection", "string"),
    ("private", "lines"),
    ("auth", "pass"),
    ("security", "code"),
    ("key", "material"),
    ("snmp", "community"),
    ("tcp", "md5"),
    ("bgp", "md5"),
    ("ospf", "md5"),
    ("isis", "md5"),
    ("vrrp", "md5"),
];

/// Words before `token` that make it a mark of a call or of a page.
const NO_SECRET_TOKENS: &[&str] =
    &["client", "next", "continuation", "pagination", "page", "idempotency", "starting", "marker"];

/// Words behind a secret's name that make it the name of something else.
const DESCRIBES: &[&str] = &[
    "file",
    "files",
    "path",
    "dir",
    "folder",
    "name",
    "names",
    "id",
    "ids",
    "arn",
    "type",
    "mode",
    "policy",
    "length",
    "len",
    "age",
    "ttl",
    "seconds",
    "ms",
    "count",
    "max",
    "min",
    "size",
    "limit",
    "expiration",
    "expires",
    "expiry",
    "at",
    "date",
    "created",
    "last",
    "used",
    "changed",
    "updated",
    "enabled",
    "required",
    "authentication",
    "ref",
    "url",
    "uri",
    "endpoint",
    "version",
    "format",
    "prompt",
    "digest",
    "fingerprint",
    "sha256",
    "algorithm",
    "manager",
    "error",
    "reset",
    "provider",
    "source",
    "owner",
    "rotation",
    "set",
    "exists",
    "present",
    "encoding",
    "kind",
    "status",
    "state",
    "hint",
    "env",
    "variable",
    "interval",
    "timeout",
    "pair",
    "pairs",
    "hop",
];

/// Endings of a word whose value is looked at.
const PERHAPS: &[&str] = &[
    "key",
    "keys",
    "auth",
    "credential",
    "credentials",
    "creds",
    "cred",
    "pass",
    "pwd",
    "tokens",
    "cookie",
    "session",
    "sessionid",
    "salt",
    "signature",
    "dsn",
];

/// Whole words whose value is looked at.
const PERHAPS_WHOLE: &[&str] = &["sig", "sas"];

/// Words before `key` that make it one that everybody may know.
const PUBLIC_KEYS: &[&str] =
    &["public", "host", "idempotency", "sort", "partition", "primary", "foreign", "cache", "known"];

/// Judges the value of something with this name.
pub fn judge_name(name: &str) -> Named {
    if name.len() > 120 {
        return Named::Innocent;
    }
    JUDGED.with_borrow_mut(|judged| {
        if let Some(known) = judged.get(name) {
            return *known;
        }
        if judged.len() == JUDGED_MAX {
            judged.clear();
        }
        let named = judge_words(name);
        judged.insert(name.to_owned(), named);
        named
    })
}

/// Whether it names a list of secrets. A number of tokens is none, so that the name alone is not
/// enough: what is counted is a number, what is listed is a text.
pub fn names_several(name: &str) -> bool {
    let words = words(name);
    let [before @ .., last] = words.as_slice() else { return false };
    let marks = before.last().is_some_and(|it| NO_SECRET_TOKENS.contains(&it.as_str()));
    last.ends_with("tokens") && !marks
}

thread_local! {
    /// Each line of a journal has the same names.
    static JUDGED: RefCell<HashMap<String, Named>> = RefCell::default();
}

const JUDGED_MAX: usize = 4096;

fn judge_words(name: &str) -> Named {
    let words = words(name);
    let last = words.iter().rposition(|word| !is_suffix(word));
    let Some(last) = last else { return Named::Innocent };
    let before = last.checked_sub(1).map(|index| words[index].as_str());
    // What stands behind a describing word counts no more: `token_ttl_seconds`.
    for index in (0..=last).rev() {
        let before = index.checked_sub(1).map(|index| words[index].as_str());
        if names_secret(&words[index], before) {
            let described =
                words[index + 1..].iter().any(|word| DESCRIBES.contains(&word.as_str()));
            return if described { Named::Innocent } else { Named::Secret };
        }
    }
    let ends = |word: &str| {
        let word = unnumbered(word);
        PERHAPS_WHOLE.contains(&word) || PERHAPS.iter().any(|ending| word.ends_with(ending))
    };
    let public = before.is_some_and(|word| PUBLIC_KEYS.contains(&word))
        || PUBLIC_KEYS.iter().any(|word| words[last].starts_with(word));
    if ends(&words[last]) && !public { Named::Perhaps } else { Named::Innocent }
}

/// `password2` is a password; `md5` and `sha256` are no numbered words.
fn unnumbered(word: &str) -> &str {
    let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if bare.is_empty() || bare == "md" || bare == "sha" { word } else { bare }
}

fn names_secret(word: &str, before: Option<&str>) -> bool {
    let word = unnumbered(word);
    if word == "token" && before.is_some_and(|before| NO_SECRET_TOKENS.contains(&before)) {
        return false;
    }
    if NO_SECRET_TOKENS.iter().any(|first| word.strip_suffix("token") == Some(first)) {
        return false;
    }
    SECRETS.iter().any(|secret| word.ends_with(secret))
        || WHOLE.contains(&word)
        || (before.is_none() && ALONE.contains(&word))
        || before.is_some_and(|before| {
            (word == "key" && SECRET_KEYS.contains(&before)) || PAIRS.contains(&(before, word))
        })
}

/// Numbers and such behind a name say nothing: `PASSWORD_2`, `token[0]`.
fn is_suffix(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words in lower case: parted by what is no letter or digit, and where capitals begin.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| chars[index]);
        let behind = chars.get(index + 1);
        let begins = c.is_uppercase()
            && (before.is_some_and(|it| it.is_lowercase() || it.is_ascii_digit())
                || (before.is_some_and(char::is_uppercase)
                    && behind.is_some_and(|it| it.is_lowercase())));
        if (begins || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_word_by_word() {
        let table = [
            (
                Named::Secret,
                "password DB_PASSWORD dbPassword PASSWORD_2 AWS_SECRET_ACCESS_KEY SecretAccessKey \
                 secret_key_base x-amz-security-token X-Amz-Signature presharedKey PresharedKey \
                 pre-shared-key preSharedKey privateKey PrivateKey wg_private_key apiKey apikey \
                 token refreshToken slack-token authorization Proxy-Authorization tcp_md5_key psk \
                 userData passphrase passwd gitlabToken password_hash secrets bgp.password \
                 client_secret MYSQL_ROOT_PASSWORD_OLD signingKey credentials Cookie PIN bearer \
                 KeyMaterial snmpCommunity password2 DB_PW apiKey2 private-key2 jwt otp pincode \
                 hmac tcpMd5 ospf_md5",
            ),
            (
                Named::Perhaps,
                "key sshKey aws_credentials auth proxy_auth DB_PASS pwd consumer_key salt \
                 pwd1 PASS1 SAS sig",
            ),
            (
                Named::Innocent,
                "clientToken ClientToken nextToken NextToken idempotencyKey idempotency_key keyName \
                 publicKey PublicKey public_key host_key hostKey keyFingerprint privateKeyFile \
                 secretFile passwordPolicy PasswordLastUsed PasswordAuthentication token_ttl_seconds \
                 access_key_id AccessKeyId AccessKeyLastUsed tokenUrl name value address \
                 md5 sha256 kansas signal X-aws-ec2-metadata-token-ttl-seconds secretKeyRef keyPairId monkeyBusiness 7",
            ),
        ];
        for (expected, names) in table {
            for name in names.split_whitespace() {
                assert_eq!(judge_name(name), expected, "{name}");
            }
        }
    }
}

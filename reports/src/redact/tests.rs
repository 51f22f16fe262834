//! Planted secrets in every shape, and the innocent text around them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn hidden(text: &str) -> String {
    Redactor::default().text(text).into_owned()
}

#[test]
fn text_loses_its_secrets_and_nothing_else() {
    let table = [
        ("key AKIAIOSFODNN7EXAMPLE of", "key [redacted] of"),
        ("aws_secret_access_key = wJalr/X+Y= x", "aws_secret_access_key = [redacted] x"),
        ("export AWS_SESSION_TOKEN=FwoG/aa next", "export AWS_SESSION_TOKEN=[redacted] next"),
        ("Authorization: AWS4-HMAC a, b=c\r\nHost: x", "Authorization: [redacted]\r\nHost: x"),
        ("sent Bearer abc.def-ghi, then", "sent Bearer [redacted], then"),
        ("password: correct horse battery", "password: [redacted]"),
        (r#"password = "a\"b c" # x"#, "password = [redacted] # x"),
        (r#"say {\"Password\":\"ab\",\"x\":1}"#, r#"say {\"Password\":[redacted],\"x\":1}"#),
        ("<SessionToken>AQo</SessionToken>", "<SessionToken>[redacted]</SessionToken>"),
        ("?X-Amz-Signature=0a1b2c", "?X-Amz-Signature=[redacted]"),
        (
            "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3B\n-----END OPENSSH PRIVATE KEY-----\nb",
            "a\n[redacted]\nb",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "[redacted]"),
        (r#"[1,{"password":"x"}]"#, r#"[1,{"password":"[redacted]"}]"#),
        (r#"{"in":"{\"secretKey\":\"x\"}"}"#, r#"{"in":"{\"secretKey\":\"[redacted]\"}"}"#),
    ];
    for (text, expected) in table {
        assert_eq!(hidden(text), expected, "{text}");
        assert_eq!(hidden(expected), expected, "it is stable");
    }
}

#[test]
fn innocent_text_stays_byte_for_byte() {
    let table = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ",
        "Permission denied (publickey,password).",
        "ClientToken=7f3c2d, RequestId: 59dbff89-35bd-4eac-99ed-be587EXAMPLE",
        "eni-0123456789abcdef0 i-0abc vpc-1 SHA256:abc",
        r#"{"clientToken":"t-1","idempotencyKey":"run-1:seize","keyName":"lab"}"#,
        r#"{"b":1, "a" : 2}"#,
        "PasswordAuthentication no",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    for text in table {
        assert!(matches!(Redactor::default().text(text), Cow::Borrowed(_)), "{text}");
    }
    let binary = [0xff, 0xfe, 0, 1];
    assert_eq!(*Redactor::default().bytes(&binary), binary);
}

#[test]
fn json_is_hidden_by_the_name_of_its_key() {
    let mut value = json!({
        "SecretAccessKey": "x", "AWS_SESSION_TOKEN": "x", "db.password": 7, "apiKey": ["x"],
        "password": null, "secret": "", "token": "kept", "NextToken": "kept",
        "env": [{"Name": "DB_PASSWORD", "Value": "x"}, {"name": "PATH", "value": "kept"}],
    });
    assert!(Redactor::default().value(&mut value));
    let r = REDACTED;
    assert_eq!(
        value,
        json!({
            "SecretAccessKey": r, "AWS_SESSION_TOKEN": r, "db.password": r, "apiKey": r,
            "password": null, "secret": "", "token": "kept", "NextToken": "kept",
            "env": [{"Name": "DB_PASSWORD", "Value": r}, {"name": "PATH", "value": "kept"}],
        })
    );
}

/// Ways in which a secret gets into an answer; `@` is its place.
const CARRIERS: &[&str] = &[
    "aws_secret_access_key=@",
    "aws_secret_access_key: @\nregion: x",
    "{\"SecretAccessKey\":\"@\"}",
    "{\"a\":[{\"password\":\"@\"}]}",
    "error: {\"SessionToken\": \"@\"} was refused",
    "<SecretAccessKey>@</SecretAccessKey>",
    "curl -H 'Authorization: Bearer @' x",
    "-----BEGIN PRIVATE KEY-----\n@\n-----END PRIVATE KEY-----",
    "{\"stderr\":\"passwd='@'\"}",
    "API_KEY=\"@\" run",
];

proptest! {
    #[test]
    fn a_planted_secret_never_gets_through(
        secret in "[A-Za-z0-9/+]{12,40}",
        carrier in prop::sample::select(CARRIERS),
        before in "[a-z0-9 ]{0,20}",
        after in "[a-z0-9 ]{0,20}",
    ) {
        let carried = carrier.replace('@', &secret);
        let plain = !carrier.starts_with('{');
        let text = if plain { format!("{before}\n{carried}\n{after}") } else { carried };
        let result = hidden(&text);
        prop_assert!(!result.contains(&secret), "{}", result);
        prop_assert!(!plain || result.starts_with(&before), "{}", result);
        prop_assert!(!plain || result.ends_with(&after), "{}", result);
        let nested = hidden(&json!({"stdout": text}).to_string());
        prop_assert!(!nested.contains(&secret), "{}", nested);
    }

    #[test]
    fn a_value_that_was_told_to_be_hidden_never_gets_through(
        secret in "[ -~]{8,40}",
        around in "[a-z\"{ ]{0,20}",
    ) {
        let mut redactor = Redactor::default();
        redactor.hide([secret.clone()]);
        let text = format!("{around}{secret}{around}");
        let result = redactor.text(&text).into_owned();
        prop_assert!(!result.contains(&secret) || REDACTED.contains(&secret), "{}", result);
    }

    #[test]
    fn ids_and_digests_get_through(digest in "[0-9a-f]{64}", id in "(i|eni|vpc|vol)-[0-9a-f]{17}") {
        let text = format!("{{\"digest\":\"{digest}\",\"id\":\"{id}\"}} {digest} {id}");
        prop_assert_eq!(hidden(&text), text);
    }
}

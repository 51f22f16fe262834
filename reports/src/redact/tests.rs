//! Planted secrets in every shape, and the innocent text around them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn hidden(text: &str) -> String {
    Redactor::default().text(text).into_owned()
}

/// Text, and what is left of it. Each line is stable: redacted once more it stays as it is.
#[test]
fn text_loses_its_secrets_and_nothing_else() {
    let table = [
        ("key AKIAIOSFODNN7EXAMPLE of", "key [redacted] of"),
        ("aws_secret_access_key = wJalr/X+Y= x", "aws_secret_access_key = [redacted] x"),
        ("export AWS_SESSION_TOKEN=FwoG/aa next", "export AWS_SESSION_TOKEN=[redacted] next"),
        ("Authorization: AWS4-HMAC a, b=c\r\nHost: x", "Authorization: [redacted]\r\nHost: x"),
        ("sent Bearer abc.def-ghi, then", "sent Bearer [redacted], then"),
        ("password: correct horse battery", "password: [redacted]"),
        (r#"password = "a\"b c" # x"#, r#"password = "[redacted]" # x"#),
        (r#"say {\"Password\":\"ab\",\"x\":1}"#, r#"say {\"Password\":\"[redacted]\",\"x\":1}"#),
        ("<SessionToken>AQo</SessionToken>", "<SessionToken>[redacted]</SessionToken>"),
        ("?X-Amz-Signature=0a1b2c&x=1", "?X-Amz-Signature=[redacted]&x=1"),
        (
            "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3B\n-----END OPENSSH PRIVATE KEY-----\nb",
            "a\n[redacted]\nb",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "[redacted]"),
        (r#"[1,{"password":"x"}]"#, r#"[1,{"password":"[redacted]"}]"#),
        (r#"{"in":"{\"secretKey\":\"x\"}"}"#, r#"{"in":"{\"secretKey\":\"[redacted]\"}"}"#),
        (
            "{\"token\":\"x\"}\nsudo: password: hunter2",
            "{\"token\":\"[redacted]\"}\nsudo: password: [redacted]",
        ),
        (
            "<value>{&quot;secret&quot;:&quot;hunter2&quot;,&quot;a&quot;:1}</value>",
            "<value>{&quot;a&quot;:1,&quot;secret&quot;:&quot;[redacted]&quot;}</value>",
        ),
        ("%7B%22secret%22%3A%22hunter2%22%7D", "%7B%22secret%22%3A%22[redacted]%22%7D"),
        // EC2's tags, and what a debug print and the CLI make of them.
        (
            "<item><key>db_password</key><value>hunter2</value></item><item><key>Name</key><value>lab</value></item>",
            "<item><key>db_password</key><value>[redacted]</value></item><item><key>Name</key><value>lab</value></item>",
        ),
        (
            "<item><key>MYSQL_PWD</key><value>correct-horse-7</value></item><item><key>auth</key><value>none</value></item>",
            "<item><key>MYSQL_PWD</key><value>[redacted]</value></item><item><key>auth</key><value>none</value></item>",
        ),
        ("mysql -phunter2 lab", "mysql -p[redacted] lab"),
        ("<value>sshpass -p hunter2 ssh h</value>", "<value>sshpass -p [redacted] ssh h</value>"),
        ("ping -p 5f5f -c 3", "ping -p 5f5f -c 3"),
        ("bot 123456789:AAabcdefghijklmnopqrstuvwxyz0123456 end", "bot [redacted] end"),
        (
            "<tag>\n <value>hunter2</value>\n <key>token</key>\n</tag>",
            "<tag>\n <value>[redacted]</value>\n <key>token</key>\n</tag>",
        ),
        ("<password><![CDATA[a<b]]></password>", "<password>[redacted]</password>"),
        (
            r#"Tag { key: Some("db_password"), value: Some("hunter2") }"#,
            r#"Tag { key: Some("db_password"), value: Some("[redacted]") }"#,
        ),
        (
            "Tag.1.Key=db_password&Tag.1.Value=hunter2&x=1",
            "Tag.1.Key=db_password&Tag.1.Value=[redacted]&x=1",
        ),
        ("Key=db_password,Value=hunter2", "Key=db_password,Value=[redacted]"),
        // YAML that is part of something else.
        (
            "- name: PSK\n  value: hunter2\n- name: PATH\n  value: /bin",
            "- name: PSK\n  value: [redacted]\n- name: PATH\n  value: /bin",
        ),
        (
            "a:\n  password: |-\n    one\n    two\n  b: 1\n",
            "a:\n  password: |-\n    [redacted]\n  b: 1\n",
        ),
        ("presharedKey: 'a''b' # x", "presharedKey: '[redacted]' # x"),
        ("pre-shared key: hunter2", "pre-shared key: [redacted]"),
        ("API key: hunter2", "API key: [redacted]"),
        // Logins.
        (
            "to https://user:hunter2@host:8080/x, then",
            "to https://user:[redacted]@host:8080/x, then",
        ),
        ("amqp://u:p@ss@h/v", "amqp://u:[redacted]@h/v"),
        ("curl -sS -u admin:hunter2 x", "curl -sS -u admin:[redacted] x"),
        ("curl -H 'Authorization: Token hunter2' x", "curl -H 'Authorization: [redacted]' x"),
        ("Proxy: Basic dXNlcjpodW50ZXIy,", "Proxy: Basic [redacted],"),
        ("machine h login u password hunter2", "machine h login u password [redacted]"),
        // Command lines, whole and as lists.
        ("vtysh --password hunter2 -c x", "vtysh --password [redacted] -c x"),
        ("vtysh --password=hunter2 -c x", "vtysh --password=[redacted] -c x"),
        ("sshpass -p 'hunter 2' ssh x", "sshpass -p '[redacted]' ssh x"),
        (r#"["mysql","--password","hunter2","x"]"#, r#"["mysql","--password","[redacted]","x"]"#),
        (r#"argv: ["--token", "hunter2"]"#, r#"argv: ["--token", "[redacted]"]"#),
        (r#"put("API_TOKEN", "hunter2")"#, r#"put("API_TOKEN", "[redacted]")"#),
        ("run: [ship, -p, hunter2, -v]", "run: [ship, -p, [redacted], -v]"),
        ("run: [ship, --token, hunter2]", "run: [ship, --token, [redacted]]"),
        ("run:\n  - --token\n  - hunter2\n  - x", "run:\n  - --token\n  - [redacted]\n  - x"),
        ("- '-p'\n- 'hunter2'\n", "- '-p'\n- '[redacted]'\n"),
        (r#"["sshpass","-p","letmein","ssh"]"#, r#"["sshpass","-p","[redacted]","ssh"]"#),
        (r#"["x","-p","hunter2"]"#, r#"["x","-p","[redacted]"]"#),
        // All that a secret's name has below it.
        (
            "a:\n  passwords:\n    - one\n    - two\n  b: 1",
            "a:\n  passwords:\n    [redacted]\n  b: 1",
        ),
        ("tokens:\n- one\n- two\nb: 1", "tokens:\n[redacted]\nb: 1"),
        ("tokens: [one, two]", "tokens: [[redacted]]"),
        ("- secret:\n    a: one\n    b: [two]\n- x: 1", "- secret:\n    [redacted]\n- x: 1"),
        ("passwords: [one,\n  http://two, three] # x", "passwords: [[redacted]] # x"),
        ("secrets: { a: one, b: { c: two } }, d: 1", "secrets: { [redacted] }, d: 1"),
        // What the SDK's own log says.
        (
            r#"body: Once(Some(b"{\n \"SecretAccessKey\" : \"wJalr\",\n \"Expiration\" : \"x\"}"))"#,
            r#"body: Once(Some(b"{\n \"SecretAccessKey\" : \"[redacted]\",\n \"Expiration\" : \"x\"}"))"#,
        ),
        ("x-aws-ec2-metadata-token: AQAE", "x-aws-ec2-metadata-token: [redacted]"),
        (
            "body [112, 97, 115, 115, 119, 111, 114, 100, 61, 104, 117, 110, 116, 101, 114]",
            "body [[redacted]]",
        ),
        (
            "[Interface]\nPrivateKey = aGk=\nPublicKey = aGk=",
            "[Interface]\nPrivateKey = [redacted]\nPublicKey = aGk=",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(hidden(text), expected, "{text}");
        assert_eq!(hidden(expected), expected, "it is stable");
    }
}

/// The texts that evidence is made of: ids, digests, addresses, public keys, and words about
/// secrets.
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
        "<key>Name</key><value>lab-smoke</value><networkInterfaceId>eni-0123456789abcdef0</networkInterfaceId>",
        "<nextToken>eyJ2IjoiMiIsImMiOiJ4In0</nextToken><keyName>lab</keyName>",
        "host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4uD7Kq1Zb6Yq0Wn2Xv3Rt5Pm8Lc9Gd",
        "arn:aws:sts::123456789012:assumed-role/lab-smoke-executor/i-0123456789abcdef0",
        "link/ether 02:42:0a:58:3c:07 brd ff:ff:ff:ff:ff:ff",
        "https://ec2.us-east-1.amazonaws.com/?Action=DescribeVpcs&Version=2016-11-15",
        "ssh://lab@10.88.60.7:22",
        "privateKeyFile: /usr/local/etc/routerd/secrets/wg.key",
        "PublicKey = 1Yb8Gv5Hc3Kq2Zs7Xw9Lr4Tn6Mp0Dj8Fa5Se2Uo7Iy4=",
        "key: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "token=$(curl -sS http://169.254.169.254/latest/api/token) || exit 1",
        "-H \"X-aws-ec2-metadata-token: $token\"",
        "password: \"${DB_PASSWORD}\"",
        r#"{"password":null,"secret":"","PasswordLastUsed":"2026-01-01","token":false}"#,
        "sudo: a password is required",
        "tokens: 128 of 256",
        r#"{"tokens":{"input":128},"maxTokens":7,"keys":["lab-smoke","ssh-ed25519 AAAAC3NzaC1l"]}"#,
        r#"["ssh","-p","22022","lab@10.88.60.7"]"#,
        r#"["ping","-n","-p","0a1b2c3d4e5f6071","10.88.60.9"]"#,
        r#"["iptables","-A","FORWARD","-p","tcp"]"#,
        r#"["mkdir","-p","/var/lib/lab-smoke"]"#,
        r#"["systemctl","show","routerd.service","-p","EnvironmentFiles"]"#,
        "run: [docker, -p, 8080:80, -p, 22/tcp]",
        "options -a, -p, ports22 and such",
        "secret:\nnothing is below it",
        r#"{"Account":"123456789012","UserId":"AROADIRT6YNDMFEU7AYKN:i-03903200de6baf5f4"}"#,
    ];
    for text in table {
        assert!(matches!(Redactor::default().text(text), Cow::Borrowed(_)), "{}", hidden(text));
    }
}

#[test]
fn json_is_hidden_by_the_name_of_its_key() {
    let mut value = json!({
        "SecretAccessKey": "x", "AWS_SESSION_TOKEN": "x", "db.password": 7, "apiKey": ["x"],
        "password": null, "secret": "", "token": "x", "NextToken": "kept",
        "env": [{"Name": "DB_PASSWORD", "Value": "x"}, {"name": "PATH", "value": "kept"}],
    });
    assert!(Redactor::default().value(&mut value));
    let r = REDACTED;
    assert_eq!(
        value,
        json!({
            "SecretAccessKey": r, "AWS_SESSION_TOKEN": r, "db.password": r, "apiKey": r,
            "password": null, "secret": "", "token": r, "NextToken": "kept",
            "env": [{"Name": "DB_PASSWORD", "Value": r}, {"name": "PATH", "value": "kept"}],
        })
    );
}

fn kept(form: Form, text: &str) -> String {
    let kept = Redactor::default().keep(form, text.as_bytes());
    assert_eq!(kept.original.is_some(), *kept.bytes != *text.as_bytes(), "{text}");
    if let Some(original) = kept.original {
        assert_eq!(original, crate::digest::Digest::of(text), "the digest is of what came");
    }
    String::from_utf8(kept.bytes.into_owned()).expect("UTF-8")
}

/// The text that is kept of each form.
#[test]
fn a_form_is_read_as_what_it_is() {
    let table = [
        (
            Form::Yaml,
            "peers: # all\n- {name: bgp_password, value: hunter2}\n- name: asn\n  value: 64512\n",
            "peers:\n- name: bgp_password\n  value: '[redacted]'\n- name: asn\n  value: 64512\n",
        ),
        (Form::Yaml, "a: &x hunter2\npassword: *x\n", "a: '[redacted]'\npassword: '[redacted]'\n"),
        (
            Form::Yaml,
            "a: &x {k: hunter2, n: [hunter3]}\nsecrets: *x\nb: lab\n",
            "a:\n  k: '[redacted]'\n  n:\n  - '[redacted]'\nb: lab\nsecrets: '[redacted]'\n",
        ),
        (
            Form::Yaml,
            "tokens: [a, b]\nx: &y 1\nz: *y\n",
            "tokens:\n- '[redacted]'\n- '[redacted]'\nx: 1\nz: 1\n",
        ),
        (Form::Yaml, "args: [-p, hunter2]\n", "args:\n- -p\n- '[redacted]'\n"),
        (Form::Yaml, "a: 1 # token: hunter2\n", "a: 1 # token: [redacted]\n"),
        (Form::Yaml, "a: 1\n---\npassword: >\n  x\n  y\n", "a: 1\n---\npassword: '[redacted]'\n"),
        (Form::Yaml, "{ broken\npassword: x y\n", "{ broken\npassword: [redacted]\n"),
        (Form::Yaml, "a: {b: 1} # kept as it is\n", "a: {b: 1} # kept as it is\n"),
        (
            Form::Unit,
            "LoadState=loaded\nEnvironment=LANG=C \"DB=a b\" X=\nExecStart={ argv[]=/r --token x --config /c }\n",
            "LoadState=loaded\nEnvironment=LANG=[redacted] DB=[redacted] X=\nExecStart={ argv[]=/r --token [redacted] --config /c }\n",
        ),
        (
            Form::Unit,
            "# /etc/x.d/a.conf\n[Service]\n Environment = A=1 \\\n# one\n  \"B=2 3\"\nPassEnvironment=A\nExecStart=/r \\\n --token x\n",
            "# /etc/x.d/a.conf\n[Service]\nEnvironment=A=[redacted] B=[redacted]\nPassEnvironment=A\nExecStart=/r \\\n --token [redacted]\n",
        ),
        (Form::Unit, "LoadState=not-found\nEnvironment=\n", "LoadState=not-found\nEnvironment=\n"),
        (
            Form::Variables,
            "# was hunter1\nGREETING=hunter 2\n export X='y'\nhunter3\n",
            "GREETING=[redacted]\nexport X=[redacted]\n",
        ),
        (Form::Json, r#"{"a":1}"#, r#"{"a":1}"#),
    ];
    for (form, text, expected) in table {
        assert_eq!(kept(form, text), expected, "{text}");
    }
    let sealed = kept(Form::Sealed, "whatever");
    assert!(
        !sealed.contains("whatever")
            && sealed.contains(&crate::digest::Digest::of("whatever").to_string()),
        "{sealed}"
    );
    let binary = [0xff, 0xfe, 0, 1];
    assert_eq!(*Redactor::default().keep(Form::Text, &binary).bytes, binary);
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

//! Secrets in every place that a run reads, so that a test can look for them in everything that a
//! run writes. No check minds them: they are tags, comments, variables of other programs.

use super::fault::Fault;
use super::hand::{Done, YAML, add_command_fault, edit_file, make_command_answer};
use super::stops::edit_unit;
use crate::world::World;
use lab::node::Node;

/// Stands in every planted secret and nowhere else. It is put together here, so that no planted
/// secret stands in this repository.
const MARK: &str = "Pl4nT";

#[rustfmt::skip] // A table: one fault each.
pub const FAULTS: &[Fault] = &[
    Fault::new("planted-secrets", "tags, router.yaml, routerd's service and what commands print are full of secrets", plant)
        .from("§5", "issue 11"),
];

/// Environment files that routerd's unit names: root's own, and everybody's.
const FILES: [(&str, u32); 2] = [("/etc/default/routerd", 0o600), ("/etc/routerd.env", 0o644)];

/// One secret after the other, none like another.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    /// Letters and digits, as a generator of passwords makes them.
    fn plain(&mut self) -> String {
        self.with("", 12)
    }

    /// With a maker's mark before it.
    fn with(&mut self, maker: &str, chars: usize) -> String {
        const LETTERS: &[u8] = b"kV3qZ8wRt5Yn2Xc7Hb4Jm9Ls6Dg1FpQa";
        let number = self.0.len();
        let tail: String = (0..chars)
            .map(|index| char::from(LETTERS[(index * 7 + number * 11) % LETTERS.len()]))
            .collect();
        let secret = format!("{maker}{MARK}{number:02}{tail}");
        self.0.push(secret.clone());
        secret
    }

    /// A secret in the form of AWS's ids of access keys.
    fn access_key(&mut self) -> String {
        let number = self.0.len();
        let key = format!("{}{}{number:02}EXAMPLE7", "AKIA", MARK.to_uppercase());
        let key = format!("{key:X<20}");
        self.0.push(key.clone());
        key
    }
}

/// All of them, for who looks for them.
pub fn planted_secrets() -> Vec<String> {
    let mut secrets = Secrets::default();
    let _ = places(&mut secrets);
    secrets.0
}

struct Places {
    tags: Vec<(String, String)>,
    yaml: String,
    unit: String,
    options: String,
    variables: [String; 2],
    printed: String,
    row: String,
    policy_sid: String,
}

fn places(secrets: &mut Secrets) -> Places {
    Places {
        tags: tags(secrets),
        yaml: yaml(secrets),
        unit: unit(secrets),
        options: format!("--token {} --api-key={}", secrets.plain(), secrets.plain()),
        variables: [variables(secrets), variables(secrets)],
        printed: printed(secrets),
        row: format!("{{\"password\":\"{}\"}}", secrets.plain()),
        policy_sid: secrets.access_key(),
    }
}

fn plant(world: &mut World, _: &str) -> Done {
    let places = places(&mut Secrets::default());
    for (key, value) in &places.tags {
        for eni in world.cloud.network_interfaces.values_mut() {
            eni.tags.insert(key.clone(), value.clone());
        }
        for instance in world.cloud.instances.values_mut() {
            instance.tags.insert(key.clone(), value.clone());
        }
        for volume in world.cloud.volumes.values_mut() {
            volume.tags.insert(key.clone(), value.clone());
        }
    }
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    for ((path, mode), text) in FILES.into_iter().zip(&places.variables) {
        files.put(path, text.as_bytes(), mode);
    }
    edit_file(world, YAML, "  resources:\n", &format!("  resources:\n{}", places.yaml))?;
    let lines = FILES.map(|(path, _)| format!("EnvironmentFile={path}\n")).concat();
    edit_unit(world, "Restart=", &format!("{}{lines}Restart=", places.unit))?;
    edit_unit(world, " serve ", &format!(" serve {} ", places.options))?;
    for role in world.cloud.iam.roles.values_mut() {
        for document in role.inline_policies.values_mut() {
            let sid = format!("{{\"Sid\":\"{}\",\"Effect\":", places.policy_sid);
            *document = document.replacen("{\"Effect\":", &sid, 1);
        }
    }
    super::events::run_sql(world, &ended_row(&places.row))?;
    add_command_fault(
        world,
        "*routerctl version",
        0,
        make_command_answer(0, "routerctl v20260822.1715\n", &places.printed),
    )
}

/// A row of somebody else that was carried out, and taken back, long ago.
fn ended_row(parameters: &str) -> String {
    super::hand::strangers_row("rolledBack")
        .replace("INSERT INTO action_executions(", "INSERT INTO action_executions(parameters_json,")
        .replace("VALUES(", &format!("VALUES('{parameters}',"))
}

fn tags(secrets: &mut Secrets) -> Vec<(String, String)> {
    let names = [
        "db_password",
        "DbPassword",
        "api_key",
        "apiKey",
        "auth-token",
        "client_secret",
        "passphrase",
        "bgp.psk",
        "private_key",
        "SessionToken",
        "accessToken",
        "license-key",
        "token",
        "secret",
        "wg/preshared_key",
        "signing.key",
    ];
    let mut tags: Vec<_> = names.iter().map(|name| ((*name).to_owned(), secrets.plain())).collect();
    let login = format!("postgres://svc:{}@db.example/x", secrets.plain());
    let shown = [
        ("database", login),
        ("ci", secrets.with("ghp_", 36)),
        ("deploy", secrets.with("glpat-", 20)),
        ("note", format!("password={} since May", secrets.plain())),
        ("json", format!("{{\"secret\":\"{}\"}}", secrets.plain())),
        ("key-id", secrets.access_key()),
    ];
    tags.extend(shown.map(|(name, value)| (name.to_owned(), value)));
    tags
}

fn yaml(secrets: &mut Secrets) -> String {
    let mut one = || secrets.plain();
    format!(
        "    # the old one was password: {}\n\
         \x20   - apiVersion: net.routerd.net/v1alpha1\n      kind: WireGuardInterface\n      metadata: {{ name: wg0 }}\n\
         \x20     spec:\n        privateKey: {}\n        listenPort: 51820\n\
         \x20   - apiVersion: net.routerd.net/v1alpha1\n      kind: WireGuardPeer\n      metadata: {{ name: peer }}\n\
         \x20     spec: {{ presharedKey: '{}', publicKey: aGVsbG8= }}\n\
         \x20   - apiVersion: net.routerd.net/v1alpha1\n      kind: BGPPeer\n      metadata: {{ name: bgp }}\n\
         \x20     spec:\n        password: |\n          {}\n          {}\n        asn: 64512\n        md5Secret: >-\n          {}\n\
         \x20   - apiVersion: net.routerd.net/v1alpha1\n      kind: IPsecConnection\n      metadata: {{ name: ipsec }}\n\
         \x20     spec:\n        preSharedKey: \"{}\"\n        settings:\n\
         \x20         - name: EAP_PASSWORD\n            value: {}\n          - value: {}\n            name: eap-secret\n          - {{ key: token, value: {} }}\n\
         \x20   - apiVersion: net.routerd.net/v1alpha1\n      kind: PPPoESession\n      metadata: {{ name: pppoe }}\n\
         \x20     spec: {{ username: lab, password: {} }}\n\
         \x20   - apiVersion: system.routerd.net/v1alpha1\n      kind: LogSink\n      metadata: {{ name: sink }}\n\
         \x20     spec:\n        url: https://logs:{}@sink.example/in\n        headers: {{ Authorization: Bearer {} }}\n\
         \x20       command: [ship, --token, {}, --secret={}]\n\
         \x20   - apiVersion: net.routerd.net/v1alpha1\n      kind: TailscaleNode\n      metadata: {{ name: ts }}\n\
         \x20     spec:\n        authKey: {}\n        apiToken: {}\n        env: [API_KEY={}]\n",
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
    )
}

fn unit(secrets: &mut Secrets) -> String {
    format!(
        "Environment=DB_PASSWORD={} GREETING={}\nEnvironment=\"DSN=mysql://u:{}@db/x\" 'PAIR={} {}'\nEnvironment=PATH_TOKEN={}\n",
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
    )
}

fn variables(secrets: &mut Secrets) -> String {
    format!(
        "# once {}\nDB_PASSWORD={}\nGREETING={} {}\nexport API_TOKEN=\"{}\"\nDSN=redis://:{}@cache/0\n",
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
        secrets.plain(),
    )
}

fn printed(secrets: &mut Secrets) -> String {
    let mut lines = vec![
        format!("warning: token={} is deprecated", secrets.plain()),
        format!("Authorization: Basic {}==", secrets.with("dXNlcjp", 12)),
        format!("curl -sS -u admin:{} http://10.88.60.4", secrets.plain()),
        format!("x-amz-security-token: {}", secrets.plain()),
        format!("login with --password {} --quiet", secrets.plain()),
        format!("{{\"Key\":\"db_password\",\"Value\":\"{}\"}}", secrets.plain()),
        format!("Tag {{ key: Some(\"api_key\"), value: Some(\"{}\") }}", secrets.plain()),
        format!("PrivateKey = {}", secrets.plain()),
        format!("hook {}", secrets.with(&["xo", "xb-"].concat(), 24)),
        format!("stripe {}", secrets.with(&["sk_", "live_"].concat(), 24)),
    ];
    let kind = "RSA PRIVATE KEY";
    lines.push(format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----", secrets.plain()));
    lines.join("\n") + "\n"
}

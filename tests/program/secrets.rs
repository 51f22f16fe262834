//! Nothing that a run writes holds a secret: not its folder, not what it shows, not its log.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lab_mock::faults::planted_secrets;
use reports::digest::Digest;
use reports::record::{Attachment, Kind, Record};
use reports::redact::REDACTED;
use serde_json::Value;
use tempfile::TempDir;

/// A run of the mock lab, and every byte that came of it, by where it came out.
struct Ran {
    place: TempDir,
    code: Option<i32>,
    bytes: Vec<(String, Vec<u8>)>,
}

fn run(words: &[&str]) -> Ran {
    let place = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_lab-smoke"))
        .args(["run", "--seed", "7", "--out"])
        .arg(place.path().join("run"))
        .args(words)
        .env("LAB_SMOKE_LOG", "trace")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let mut bytes = files(&place.path().join("run"));
    bytes.push(("stdout".to_owned(), output.stdout));
    bytes.push(("stderr".to_owned(), output.stderr));
    Ran { place, code: output.status.code(), bytes }
}

/// Every file of the run's folder but `world.json`, which is no part of the evidence: it is the mock
/// lab itself, where the secrets were planted.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name != "world.json") {
            found.push((path.display().to_string(), fs::read(&path).expect("readable")));
        }
    }
    found
}

impl Ran {
    fn named(&self, name: &str) -> String {
        let found = self.bytes.iter().find(|(other, _)| other == name).expect("it was kept");
        String::from_utf8_lossy(&found.1).into_owned()
    }

    fn records(&self) -> Vec<Record> {
        let bytes = fs::read(self.place.path().join("run").join(reports::journal::JOURNAL_FILE));
        reports::journal::verify_chain(&bytes.expect("a journal")).expect("a whole chain")
    }

    fn attachments(&self) -> Vec<(Attachment, String)> {
        let folder = self.place.path().join("run").join(reports::journal::ATTACHMENTS_DIR);
        let text = |digest: &Digest| fs::read(folder.join(digest.as_str())).expect("it was kept");
        let all = self.records().into_iter().filter_map(|record| match record.kind {
            Kind::AttachmentStored(kept) => Some(kept),
            _ => None,
        });
        all.map(|kept| {
            let text = String::from_utf8_lossy(&text(&kept.digest)).into_owned();
            (kept, text)
        })
        .collect()
    }

    /// Where which of these is found.
    fn leaks(&self, secrets: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for (name, bytes) in &self.bytes {
            let text = String::from_utf8_lossy(bytes);
            for secret in secrets.iter().filter(|secret| text.contains(secret.as_str())) {
                let at = text.find(secret.as_str()).unwrap_or_default();
                let from = text.floor_char_boundary(at.saturating_sub(60));
                found.push(format!("{name}: …{}", &text[from..at + secret.len()]));
            }
        }
        found
    }
}

/// The keys that the mock's own cloud hands out.
fn keys_of_the_world(ran: &Ran) -> Vec<String> {
    fn collect(value: &Value, keys: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (name, member) in map {
                    let secret = ["secret_access_key", "session_token"].contains(&name.as_str());
                    keys.extend(member.as_str().filter(|_| secret).map(str::to_owned));
                    collect(member, keys);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
            _ => {}
        }
    }
    let world = fs::read(ran.place.path().join("run/world.json")).expect("the mock's world");
    let mut keys = Vec::new();
    collect(&serde_json::from_slice(&world).expect("JSON"), &mut keys);
    keys.retain(|key| !key.is_empty());
    keys
}

/// Beside the planted secrets, what makes a run say more: in each way of showing it.
#[test]
fn a_planted_secret_is_in_no_byte_of_a_run() {
    let planted = planted_secrets();
    assert!(planted.len() >= 70, "{} are few", planted.len());
    // Only an executor that was run has asked for the instance role's keys.
    let table: [(&[&str], i32, bool); 5] = [
        (&["--format", "json"], 0, true),
        (&[], 0, true),
        (&["--inject", "secret-in-row"], 4, true),
        (&["--inject", "credentials-in-unit", "--format", "json"], 4, false),
        (&["--inject", "credentials-in-environment-file"], 4, false),
    ];
    for (words, code, ran_the_executor) in table {
        let ran = run(&[&["--inject", "planted-secrets"], words].concat());
        assert_eq!(ran.code, Some(code), "{words:?}: {}", ran.named("stdout"));
        let read: Vec<_> = ran.attachments().into_iter().map(|(kept, _)| kept.source).collect();
        for source in ["router.yaml", "systemctl show", "DescribeInstances", "routerctl version"] {
            let there = read.iter().any(|it| it.contains(source));
            assert!(there, "{source} was never read, so this proves nothing");
        }
        let has_keys = ran.named("stderr").contains("SecretAccessKey");
        assert_eq!(has_keys, ran_the_executor, "{words:?}: the role's keys in the log");
        let secrets = [planted.clone(), keys_of_the_world(&ran)].concat();
        let leaks = ran.leaks(&secrets);
        assert!(leaks.is_empty(), "{words:?}: {} of them:\n{}", leaks.len(), leaks.join("\n"));
        for (at, _) in ran.named("stderr").match_indices("SecretAccessKey") {
            let stderr = ran.named("stderr");
            let behind: String = stderr[at..].chars().take(60).collect();
            assert!(behind.contains(REDACTED), "the instance role's key is in the log: {behind}");
        }
    }
}

/// Everything that the evidence needs stays: where nothing is secret, nothing is hidden.
#[test]
fn a_run_without_secrets_hides_nothing() {
    let ran = run(&["--format", "json"]);
    for (name, bytes) in ran.bytes.iter().filter(|(name, _)| name != "stderr") {
        let text = String::from_utf8_lossy(bytes);
        let at =
            text.find(REDACTED).map(|at| &text[text.floor_char_boundary(at.saturating_sub(90))..]);
        let shown: Option<String> = at.map(|text| text.chars().take(200).collect());
        assert_eq!(shown, None, "{name}");
    }
    let changed = ran.attachments().into_iter().filter(|(kept, _)| kept.original_sha256.is_some());
    let sources: Vec<_> = changed.map(|(kept, _)| kept.source).collect();
    assert!(sources.is_empty(), "{sources:?} are kept otherwise than they came");
}

/// A hidden text can still be compared, and what is root's own is a digest.
#[test]
fn the_digest_of_what_came_stands_beside_what_is_kept() {
    let ran = run(&["--inject", "planted-secrets"]);
    let attachments = ran.attachments();
    let of = |source: &str| {
        let found = attachments.iter().find(|(kept, _)| kept.source.contains(source));
        found.unwrap_or_else(|| panic!("{source} is not kept"))
    };
    let (yaml, text) = of("router.yaml");
    let facts = ran.records().into_iter().find_map(|record| match record.kind {
        Kind::FactsRecorded(facts) => Some(serde_json::to_string(&facts.facts).expect("JSON")),
        _ => None,
    });
    let original = yaml.original_sha256.as_ref().expect("it was changed");
    assert!(facts.expect("facts").contains(original.as_str()), "facts name another router.yaml");
    assert!(text.contains("kind: BGPPeer") && text.contains(REDACTED), "{text}");
    let (sealed, text) = of("/etc/default/routerd");
    assert_eq!(sealed.media_type, "application/json");
    let digest = sealed.original_sha256.as_ref().expect("its digest is kept");
    let about: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(
        (&about["kept"], about["sha256"].as_str()),
        (&"digest".into(), Some(digest.as_str()))
    );
    assert!(!text.contains("DB_PASSWORD"), "not even a name of it: {text}");
    let (_, text) = of("/etc/routerd.env");
    assert!(text.contains("DB_PASSWORD=[redacted]"), "{text}");
}

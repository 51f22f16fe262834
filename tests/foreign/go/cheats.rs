//! The ways to cheat, as tables: each with the rule that refuses it.

use std::fs;
use std::os::unix::fs::symlink;

use lab::node::Node;
use reports::record::{Effect, Kind, Record};
use serde_json::Value;

use super::case::Case;
use super::place::{OWNER, keygen, kinds, refusal, substance};

pub type Edit = fn(&mut Value);

/// Each once unsigned and once signed again by the owner: then its field's rule answers.
pub const EDITS: &[(&str, &str, Edit)] = &[
    ("run-id", "run", |go| go["run_id"] = "smoke-20260101T000000Z-00000000".into()),
    ("run-id-look-alike", "run", |go| {
        let run = go["run_id"].as_str().expect("text").replace('s', "\u{455}");
        go["run_id"] = run.into();
    }),
    ("facts-digest", "facts-digest", |go| go["facts_digest"] = "00".repeat(32).into()),
    ("undo-plan", "undo-plan", |go| go["undo_plan_digest"] = "11".repeat(32).into()),
    ("same-eni-in-another-account", "lab-fingerprint", |go| {
        go["lab_fingerprint"] = "22".repeat(32).into();
    }),
    ("lab-kind", "lab-kind", |go| go["lab_kind"] = "aws".into()),
    ("another-built-in-lab", "lab-kind", |go| go["lab_kind"] = "netns".into()),
    ("address", "change-set", |go| go["change_set"]["address"] = "10.88.60.10/32".into()),
    ("eni", "change-set", |go| {
        go["change_set"]["network_interface_id"] = "eni-00000000000000000".into();
    }),
    ("region", "change-set", |go| go["change_set"]["region"] = "us-east-1".into()),
    ("provider", "change-set", |go| go["change_set"]["provider_ref"] = "aws-prod".into()),
    ("reassignment", "change-set", |go| go["change_set"]["allow_reassignment"] = true.into()),
    ("provider-itself", "change-set", |go| go["change_set"]["provider"] = "azure".into()),
    ("another-runs-change-set", "change-set", |go| {
        go["change_set"]["run_id"] = "smoke-20260101T000000Z-00000000".into();
    }),
    ("lease", "change-set", |go| go["change_set"]["ttl"] = "200h".into()),
    ("principal", "signer", |go| go["principal"] = "stranger@example.com".into()),
    ("principal-look-alike", "signer", |go| go["principal"] = "\u{43e}wner@example.com".into()),
    ("the-lab-itself", "signer", |go| go["principal"] = "lab-itself".into()),
    ("from-the-future", "not-before", |go| go["not_before"] = "2026-06-23T06:00:00Z".into()),
    ("expired", "expired", |go| {
        go["not_before"] = "2026-06-20T00:00:00Z".into();
        go["not_after"] = "2026-06-20T02:00:00Z".into();
    }),
    ("ends-before-it-begins", "validity", |go| {
        go["not_after"] = "2026-06-20T02:00:00Z".into();
    }),
    ("version", "version", |go| go["version"] = 2.into()),
];

pub type How = fn(&mut Case);

/// Found without asking the lab anything.
pub const CHEATS: &[(&str, &str, How)] = &[
    ("signed-by-a-stranger", "signer", |case| {
        case.sign_bytes(&case.bytes(), "stranger", "lab-smoke-go");
    }),
    ("signed-for-another-purpose", "namespace", |case| {
        case.sign_bytes(&case.bytes(), "owner", "file");
    }),
    ("signature-of-the-preflight", "signature", |case| {
        let words = ["-q", "-Y", "sign", "-f", "owner", "-n", "lab-smoke-go", "run/evidence.json"];
        keygen(&case.place.path(""), &words);
        let (from, to) = ("run/evidence.json.sig", "run/go.json.sig");
        fs::rename(case.place.path(from), case.place.path(to)).expect("renamed");
    }),
    ("no-signature", "unsigned", |case| {
        fs::remove_file(case.place.path("run/go.json.sig")).expect("removed");
    }),
    ("empty-signature", "signature", |case| {
        fs::write(case.place.path("run/go.json.sig"), "").expect("written");
    }),
    ("binary-signature", "signature", |case| {
        fs::write(case.place.path("run/go.json.sig"), [0xff, 0xfe]).expect("written");
    }),
    ("re-encoded-with-blanks", "re-encoded", |case| {
        let text = serde_json::to_string_pretty(&case.go).expect("JSON");
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("re-encoded-with-a-newline", "re-encoded", |case| {
        case.sign_bytes(&(case.bytes() + "\n"), "owner", "lab-smoke-go");
    }),
    ("re-encoded-without-a-signature", "signature", |case| {
        fs::write(case.place.path("run/go.json"), case.bytes() + "\n").expect("written");
    }),
    ("duplicate-key", "not-a-go", |case| {
        let text = case.bytes().replacen('{', "{\"run_id\":\"smoke-x\",", 1);
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("duplicate-key-in-the-change-set", "re-encoded", |case| {
        let (first, other) = ("\"address\":", "\"address\":\"10.88.60.10/32\",\"address\":");
        let text = case.bytes().replacen(first, other, 1);
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("one-field-more", "not-a-go", |case| case.edit(|go| go["scope"] = "all".into()).sign()),
    ("the-preflights-evidence-as-a-go", "not-a-go", |case| {
        let text = fs::read_to_string(case.place.path("run/evidence.json")).expect("evidence");
        case.sign_bytes(&text, "owner", "lab-smoke-go");
    }),
    ("another-runs-go", "run", |case| {
        let words = ["lab", "example", "--mock", "--seed", "8", "--allowed-signers", "signers"];
        let manifest = case.place.call(&words).out;
        fs::write(case.place.path("other.toml"), manifest).expect("written");
        let words = "preflight --lab other.toml --seed 8 --out other";
        assert_eq!(case.place.code(words), 3);
        case.place.go("other");
        for name in ["go.json", "go.json.sig"] {
            let from = case.place.path("other").join(name);
            fs::copy(from, case.place.path("run").join(name)).expect("copied");
        }
    }),
    ("symlinked-document", "unreadable", |case| {
        let (real, link) = (case.place.path("real"), case.place.path("run/go.json"));
        fs::rename(&link, &real).expect("renamed");
        symlink(&real, &link).expect("linked");
    }),
    ("symlinked-signature", "unreadable", |case| {
        let (real, link) = (case.place.path("real"), case.place.path("run/go.json.sig"));
        fs::rename(&link, &real).expect("renamed");
        symlink(&real, &link).expect("linked");
    }),
    ("a-folder-as-a-go", "unreadable", |case| {
        let path = case.place.path("run/go.json");
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
    }),
    ("good-for-years", "validity", |case| {
        case.edit(|go| go["not_after"] = "2037-07-23T09:00:00Z".into()).sign();
    }),
    ("validity-stretched", "signature", |case| {
        case.edit(|go| go["not_after"] = "2026-07-23T09:00:00Z".into()).write();
    }),
    ("a-pipe-as-a-go", "unreadable", |case| {
        // Whoever opens it waits for its writer, for ever.
        let path = case.place.path("run/go.json");
        fs::remove_file(&path).expect("removed");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("made");
    }),
    ("signer-removed", "signer", |case| case.signers("")),
    ("signer-replaced", "signer", |case| {
        let text = format!("{OWNER} {}", case.place.public("stranger"));
        case.signers(&text);
    }),
    ("signer-for-other-purposes", "signer-namespace", |case| {
        case.owner_with("namespaces=\"git,file\"");
    }),
    ("signer-no-longer-valid", "signer-time", |case| {
        case.owner_with("valid-before=\"20260601Z\"");
    }),
    ("signer-not-yet-valid", "signer-time", |case| case.owner_with("valid-after=\"20260701Z\"")),
    ("certificates-authority", "allowed-signers", |case| case.owner_with("cert-authority")),
    ("signers-inside-the-folder", "signer", |case| {
        // The journal has the manifest's text; only the one outside counts.
        let text = fs::read_to_string(case.place.path("lab.toml")).expect("a manifest");
        fs::write(case.place.path("run/lab.toml"), text).expect("written");
        case.signers("");
    }),
];

/// Refused offline: the rule stands in the journal, and the world is the same to the byte.
pub fn cheat(rule: &str, how: impl FnOnce(&mut Case)) {
    let mut case = Case::new();
    how(&mut case);
    let world = || fs::read(case.place.path("run/world.json")).expect("a world");
    let (before, begun) = (world(), kinds(&case.place.records("run")));
    let answer = case.resume();
    assert_eq!(answer.code, Some(4), "{answer:?}");
    let records = case.place.records("run");
    let refused = refusal(&records).unwrap_or_else(|| panic!("no refusal: {answer:?}"));
    assert_eq!(refused.0, rule, "{}", refused.1);
    assert!(answer.out.contains(&format!("the go was refused ({rule}): ")), "{}", answer.out);
    assert!(world() == before, "something was changed");
    assert_eq!(kinds(&records), begun, "nothing was started");
    assert_eq!(case.place.status("run")["state"], "parked", "a better go may come");
}

/// The cheats that only the lab itself gives away.
pub const CHEATS_SEEN_AT_THE_GATE: &[(&str, &str, How)] = &[
    ("the-lab-has-changed-since", "facts-digest", |case| {
        case.change_world(|world| {
            let interfaces = world.cloud.network_interfaces.values_mut();
            for interface in interfaces {
                interface.source_dest_check = false;
            }
        });
    }),
    ("router-yaml-has-changed-since", "facts-digest", |case| {
        case.change_world(|world| {
            let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
            let path = "/usr/local/etc/routerd/router.yaml";
            let yaml = [files.contents(path).expect("router.yaml"), b"\n# another\n"].concat();
            files.put(path, yaml, 0o644);
        });
    }),
    ("its-signers-time-ends-while-the-lab-starts", "signer-time", |case| {
        let now = case.place.world("run").now + chrono::TimeDelta::seconds(5);
        case.owner_with(&format!("valid-before=\"{}\"", now.format("%Y%m%d%H%M%SZ")));
    }),
    ("it-expires-while-the-lab-starts", "expired", |case| {
        let words = format!("go run --key owner --by {OWNER} --expires 1s");
        assert_eq!(case.place.code(&words), 0);
    }),
    ("a-copy-of-the-folder-after-the-burn", "used", |case| {
        let go = fs::read(case.place.path("run/go.json")).expect("a go");
        let path = format!("/var/lib/lab-smoke/burnt-{}.json", reports::digest::Digest::of(&go));
        case.change_world(|world| {
            let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
            files.put(&path, "{\"run_id\":\"the original\"}", 0o600);
        });
    }),
];

/// Refused when the lab was started and looked at again: nothing but power was changed.
pub fn at_the_gate(rule: &str, how: fn(&mut Case)) {
    let mut case = Case::new();
    how(&mut case);
    let before = substance(&case.place.world("run"));
    let answer = case.resume();
    assert_eq!(answer.code, Some(4), "{answer:?}");
    let records = case.place.records("run");
    let refused = refusal(&records).unwrap_or_else(|| panic!("no refusal: {answer:?}"));
    assert_eq!(refused.0, rule, "{}", refused.1);
    let after = case.place.world("run");
    assert!(substance(&after) == before, "something was changed");
    let running = lab_mock::running_instances(&after, after.now);
    assert_eq!(running, Vec::<String>::new(), "what was started is stopped again");
    let done: Vec<_> = records.iter().filter_map(executed).collect();
    assert_eq!(done, Vec::<String>::new());
}

/// The effect that would have moved the address.
pub fn executed(record: &Record) -> Option<String> {
    match &record.kind {
        Kind::Intent(intent) => match &intent.effect {
            effect @ Effect::ExecuteAction { .. } => Some(effect.what()),
            _ => None,
        },
        _ => None,
    }
}

//! An owner with a key of his own, who grants whatever he is asked: a lab on AWS takes no other go.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use lab::clock::Clock;
use reports::go::{Expectation, GO_VERSION, GoDocument};
use scenarios::run::{Go, GoSource};

const NAME: &str = "owner@example.org";

/// The key, in a folder that goes with it.
pub struct OwnersKey {
    folder: tempfile::TempDir,
    clock: Clock,
}

impl OwnersKey {
    /// Makes one with ssh-keygen, by whose time the go is valid.
    pub fn make(clock: Clock) -> Self {
        let key = Self { folder: crate::smoke::folder(), clock };
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key.file("owner"));
        assert!(keygen.status().expect("ssh-keygen").success(), "a key");
        key
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn grant(&self, expected: &Expectation) -> Go {
        let now: DateTime<Utc> = self.clock.now();
        let document = GoDocument {
            version: GO_VERSION,
            run_id: expected.run_id.clone(),
            facts_digest: expected.facts_digest.clone(),
            change_set: expected.change_set.clone(),
            undo_plan_digest: expected.undo_plan_digest.clone(),
            lab_fingerprint: expected.lab_fingerprint.clone(),
            lab_kind: expected.lab_kind,
            principal: NAME.to_owned(),
            not_before: now,
            not_after: now + TimeDelta::hours(2),
        };
        let document = document.to_bytes().expect("JSON");
        let path = self.file("go.json");
        std::fs::write(&path, &document).expect("written");
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", "lab-smoke-go", "-f"]).arg(self.file("owner"));
        assert!(sign.arg(&path).status().expect("ssh-keygen").success(), "a signature");
        let public = std::fs::read_to_string(self.file("owner.pub")).expect("a public key");
        Go {
            document,
            signature: std::fs::read(self.file("go.json.sig")).expect("a signature"),
            allowed_signers: format!("{NAME} namespaces=\"lab-smoke-go\" {public}"),
            self_granted: false,
        }
    }
}

impl GoSource for OwnersKey {
    fn go<'a>(
        &'a self,
        expected: &'a Expectation,
    ) -> Pin<Box<dyn Future<Output = Option<Go>> + 'a>> {
        Box::pin(std::future::ready(Some(self.grant(expected))))
    }
}

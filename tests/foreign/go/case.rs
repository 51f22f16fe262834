//! One way to cheat, being made on a copy of a run that has a good go.

use std::fs;
use std::sync::LazyLock;

use lab_mock::world::World;
use reports::digest::canonical_json;
use serde_json::Value;

use super::place::{Answer, OWNER, Place, copy, keygen};

/// A run that awaits its go and has a good one; every case works on its own copy.
pub struct Prepared {
    pub place: Place,
}

pub static PREPARED: LazyLock<Prepared> = LazyLock::new(|| {
    let place = Place::new();
    place.preflight("run");
    place.go("run");
    Prepared { place }
});

/// One way to cheat, being made.
pub struct Case {
    pub place: Place,
    pub go: Value,
}

impl Case {
    pub fn new() -> Self {
        let place = Self::copy_of_the_prepared();
        let go = fs::read(place.path("run/go.json")).expect("a go");
        Self { place, go: serde_json::from_slice(&go).expect("JSON") }
    }

    pub fn copy_of_the_prepared() -> Place {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let from = PREPARED.place.0.path();
        for name in ["owner", "owner.pub", "stranger", "stranger.pub", "signers", "lab.toml"] {
            fs::copy(from.join(name), temp.path().join(name)).expect("copied");
        }
        copy(&from.join("run"), &temp.path().join("run"));
        Place(temp)
    }

    pub fn edit(&mut self, edit: fn(&mut Value)) -> &mut Self {
        edit(&mut self.go);
        self
    }

    pub fn bytes(&self) -> String {
        canonical_json(&self.go)
    }

    pub fn write(&mut self) {
        fs::write(self.place.path("run/go.json"), self.bytes()).expect("written");
    }

    /// Written, and signed again by the owner.
    pub fn sign(&mut self) {
        let bytes = self.bytes();
        self.sign_bytes(&bytes, "owner", "lab-smoke-go");
    }

    pub fn sign_bytes(&self, bytes: &str, key: &str, namespace: &str) {
        fs::write(self.place.path("run/go.json"), bytes).expect("written");
        fs::remove_file(self.place.path("run/go.json.sig")).expect("removed");
        let words = ["-q", "-Y", "sign", "-f", key, "-n", namespace, "run/go.json"];
        keygen(&self.place.path(""), &words);
    }

    pub fn signers(&mut self, text: &str) {
        self.place.signers(text);
    }

    /// Signers of this option before the owner's key.
    pub fn owner_with(&mut self, options: &str) {
        let text = format!("{OWNER} {options} {}", self.place.public("owner"));
        self.signers(&text);
    }

    pub fn change_world(&self, change: impl FnOnce(&mut World)) {
        let mut world = self.place.world("run");
        change(&mut world);
        self.place.put_world("run", &world);
    }

    pub fn resume(&self) -> Answer {
        self.place.call(&["resume", "run", "--lab", "lab.toml"])
    }
}

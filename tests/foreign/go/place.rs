//! A working directory with everything that an owner and an operator have, and what can be read of
//! a run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lab_mock::world::World;
use reports::journal::read_file;
use reports::record::{Kind, Permit, Record};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const OWNER: &str = "owner@example.com";

/// A working directory with keys, allowed signers and the mock's manifest.
pub struct Place(pub TempDir);

#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        for key in ["owner", "stranger"] {
            keygen(&place.path(""), &["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", key]);
        }
        place.signers(&format!("{OWNER} namespaces=\"lab-smoke-go\" {}", place.public("owner")));
        place
    }

    /// The mock's manifest, with this text as its allowed signers.
    pub fn signers(&self, text: &str) {
        fs::write(self.path("signers"), text).expect("written");
        let words = ["lab", "example", "--mock", "--seed", "7", "--allowed-signers", "signers"];
        let manifest = self.call(&words);
        assert_eq!(manifest.code, Some(0), "{manifest:?}");
        fs::write(self.path("lab.toml"), manifest.out).expect("written");
    }

    pub fn public(&self, key: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{key}.pub"))).expect("a public key");
        text.trim().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn call(&self, words: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("SSH_AUTH_SOCK");
        let Output { status, stdout, stderr } = command.output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Answer { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// Calls and answers the code.
    pub fn code(&self, line: &str) -> i32 {
        let answer = self.call(&line.split_whitespace().collect::<Vec<_>>());
        answer.code.unwrap_or_else(|| panic!("{line}: {answer:?}"))
    }

    pub fn preflight(&self, out: &str) {
        assert_eq!(self.code(&format!("preflight --lab lab.toml --seed 7 --out {out}")), 3);
    }

    pub fn go(&self, run: &str) {
        assert_eq!(self.code(&format!("go {run} --key owner --by {OWNER} --expires 2h")), 0);
    }

    pub fn records(&self, run: &str) -> Vec<Record> {
        read_file(&self.path(run)).expect("a journal").records
    }

    pub fn world(&self, run: &str) -> World {
        let bytes = fs::read(self.path(run).join("world.json")).expect("a world");
        serde_json::from_slice(&bytes).expect("a world")
    }

    pub fn put_world(&self, run: &str, world: &World) {
        let bytes = serde_json::to_vec(world).expect("JSON");
        fs::write(self.path(run).join("world.json"), bytes).expect("written");
    }

    pub fn status(&self, run: &str) -> Value {
        let answer = self.call(&["status", run, "--format", "json"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        serde_json::from_str(&answer.out).expect("JSON")
    }
}

pub fn keygen(dir: &Path, words: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    let output = command.args(words).current_dir(dir).stdin(Stdio::null()).output();
    let output = output.expect("ssh-keygen starts");
    assert!(output.status.success(), "{words:?}: {output:?}");
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("readable").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

pub fn kinds(records: &[Record]) -> Vec<&'static str> {
    records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::GoBurnt(_) => Some("burnt"),
            Kind::Intent(intent) if intent.permit == Permit::Cost => Some("cost"),
            Kind::Intent(_) => Some("mutation"),
            _ => None,
        })
        .collect()
}

pub fn refusal(records: &[Record]) -> Option<(String, String)> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoRefused(it) => Some((it.rule.clone(), it.reason.clone())),
        _ => None,
    })
}

/// The cloud and the nodes' files, without power states and the public addresses that come with them.
pub fn substance(world: &World) -> Value {
    let mut cloud = serde_json::to_value(&world.cloud).expect("JSON");
    let instances = cloud["instances"].as_object_mut().expect("instances");
    for instance in instances.values_mut().filter_map(Value::as_object_mut) {
        for power in ["state", "changed_at", "transition", "state_reason", "launched_at"] {
            instance.remove(power);
        }
    }
    let interfaces = cloud["network_interfaces"].as_object_mut().expect("interfaces");
    for interface in interfaces.values_mut().filter_map(Value::as_object_mut) {
        interface.remove("launch_address");
    }
    cloud.as_object_mut().expect("an object").remove("public_addresses_given");
    let files = world.machines.iter().map(|(node, machine)| {
        let mut files = machine.files.clone();
        // The dead man's switch, which is about power as well.
        files.remove_below("/run/lab-smoke");
        (node.to_string(), files)
    });
    json!({ "cloud": cloud, "files": files.collect::<BTreeMap<_, _>>() })
}

//! `lab-smoke mock serve` to the AWS CLI, with nothing but the lines that it prints to export: the
//! runbook's §4 and §2, and the undo of §6. Needs the CLI (`pip install awscli`); without it the
//! trial is ignored with the reason, and fails where `LAB_SMOKE_REQUIRE_FOREIGN=1`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use libtest_mimic::{Completion, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

pub fn trials() -> Vec<Trial> {
    let name = "served::the_aws_cli_runs_the_runbook_against_the_served_mock";
    let trial = Trial::ignorable_test(name, || match no_cli() {
        Some(why) if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") => {
            Err(Failed::from(why))
        }
        Some(why) => Ok(Completion::ignored_with(why)),
        None => runbook().map(|()| Completion::Completed).map_err(Failed::from),
    });
    vec![trial]
}

fn no_cli() -> Option<String> {
    let found = Command::new("aws").arg("--version").stdout(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("`aws --version` ended with {status}")),
        Err(error) => Some(format!("no AWS CLI ({error}): pip install awscli")),
    }
}

/// A serving mock, ended with the trial.
struct Served {
    child: Child,
    exports: Vec<(String, String)>,
}

impl Served {
    fn start() -> Result<Self, String> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lab-smoke"))
            .args(["mock", "serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let out = child.stdout.take().ok_or("no stdout")?;
        let mut exports = Vec::new();
        for line in BufReader::new(out).lines() {
            let line = line.map_err(|error| error.to_string())?;
            let pair = line.strip_prefix("export ").and_then(|pair| pair.split_once('='));
            let (name, value) = pair.ok_or(format!("no export line: {line}"))?;
            exports.push((name.to_owned(), value.to_owned()));
            if name == "ROLE_NAME" {
                break;
            }
        }
        Ok(Self { child, exports })
    }

    fn id(&self, name: &str) -> Result<&str, String> {
        let found = self.exports.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).ok_or(format!("{name} is not exported"))
    }

    /// Runs the CLI with the exported environment alone.
    fn aws(&self, words: &[&str]) -> Result<Value, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let output = Command::new("aws")
            .args(words)
            .args(["--output", "json"])
            .env_clear()
            .env("PATH", path)
            .env("AWS_PAGER", "")
            .envs(self.exports.iter().map(|(name, value)| (name, value)))
            .output()
            .map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            return Err(format!("aws {}: {}", words.join(" "), text(&output.stderr).trim()));
        }
        let text = text(&output.stdout);
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| format!("aws {}: {error}", words.join(" ")))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

fn is(what: &str, seen: &Value, wanted: &Value) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{what}: {seen}, not {wanted}")) }
}

fn runbook() -> Result<(), String> {
    let lab = Served::start()?;
    let eni = lab.id("ENI_ID")?;
    let query = "NetworkInterfaces[0].[SourceDestCheck, PrivateIpAddresses[*].PrivateIpAddress]";
    let interface = || {
        lab.aws(&[
            "ec2",
            "describe-network-interfaces",
            "--network-interface-ids",
            eni,
            "--query",
            query,
        ])
    };
    is("the ENI before", &interface()?, &json!([true, ["10.88.60.4"]]))?;
    let filter = format!("Name=network-interface.network-interface-id,Values={eni}");
    let query = "Reservations[].Instances[].InstanceId";
    let instances =
        lab.aws(&["ec2", "describe-instances", "--filters", &filter, "--query", query])?;
    is("its instance", &instances, &json!([lab.id("ROUTERD_CLOUD_INSTANCE_ID")?]))?;
    let subnet = lab.id("SUBNET_ID")?;
    let subnets = lab.aws(&[
        "ec2",
        "describe-subnets",
        "--subnet-ids",
        subnet,
        "--query",
        "Subnets[].CidrBlock",
    ])?;
    is("its subnet", &subnets, &json!(["10.88.60.0/24"]))?;
    let filter = format!("Name=association.subnet-id,Values={subnet}");
    let tables =
        lab.aws(&["ec2", "describe-route-tables", "--filters", &filter, "--query", "RouteTables"])?;
    is("an implicit association is not listed", &tables, &json!([]))?;

    let address = "10.88.60.9";
    let moved = |verb: &str| {
        lab.aws(&["ec2", verb, "--network-interface-id", eni, "--private-ip-addresses", address])
    };
    let check = |flag: &str| {
        lab.aws(&["ec2", "modify-network-interface-attribute", "--network-interface-id", eni, flag])
    };
    moved("assign-private-ip-addresses")?;
    check("--no-source-dest-check")?;
    is("the ENI after", &interface()?, &json!([false, ["10.88.60.4", address]]))?;
    check("--source-dest-check")?;
    moved("unassign-private-ip-addresses")?;
    is("the ENI undone", &interface()?, &json!([true, ["10.88.60.4"]]))?;
    match moved("unassign-private-ip-addresses") {
        Err(text) if text.contains("Some of the specified addresses are not assigned") => Ok(()),
        other => Err(format!("a second unassignment: {other:?}")),
    }
}

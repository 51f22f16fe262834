//! The user's own programs on the lab, other users, and machines that cannot build one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use reports::record::AssertionStatus;

use super::place::{Place, program, said, words};

/// Does what ours does.
const OWN_EXECUTOR: &str = "#!/bin/sh
mkdir -p /run/own
ln -sf /run/lab-smoke/program /run/own/aws-provider-executor
exec /run/own/aws-provider-executor \"$@\"
";

/// No file of a node's is the host's, so that its words are what proves that it was called.
const REFUSING_EXECUTOR: &str = "#!/bin/sh
echo not today >&2
exit 3
";

pub fn own_executor() -> Result<(), String> {
    let place = Place::new()?;
    executable(&place.path("own"), OWN_EXECUTOR.as_bytes())?;
    place.call("run --lab netns --executor own --out run", 0)?;
    executable(&place.path("refusing"), REFUSING_EXECUTOR.as_bytes())?;
    let refused = place.call("run --lab netns --executor refusing --out refused", 1)?;
    let is_called = refused.contains("exit code 3: not today");
    if is_called { Ok(()) } else { Err(format!("the user's executor was not called: {refused}")) }
}

/// An executor that may not read the AWS CLI that it needs is found while nobody has granted anything.
pub fn an_executor_that_cannot_run_is_found_before_the_go() -> Result<(), String> {
    let place = Place::new()?;
    executable(&place.path("own"), b"#!/bin/sh\nexec /root/nowhere/bin/aws \"$@\"\n")?;
    place.call("run --lab netns --executor own --out run", 1)?;
    let evidence = place.evidence("run")?;
    let journal = fs::read_to_string(place.path("run/journal.jsonl")).map_err(words)?;
    if journal.contains("\"kind\":\"go-") {
        return Err("a go was asked for".to_owned());
    }
    let mut all = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    match all.find(|it| it.status != AssertionStatus::Passed) {
        Some(it) if it.id == "preflight.executor-dry-run" => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Options that make a lab are for a lab that is made.
pub fn only_where_one_is_made() -> Result<(), String> {
    let place = Place::new()?;
    for option in ["--executor f", "--routerd-bin d", "--allowed-signers f"] {
        for lab in ["mock", "netns:a1"] {
            place.call(&format!("run --lab {lab} --out run {option}"), 2)?;
        }
        place.call(&format!("lab up netns {option}"), 2)?;
    }
    place.has_no_lab()
}

pub fn ordinary_user() -> Result<(), String> {
    let place = Place::new()?;
    // Where nobody may go: the build's own folder may lie below root's home.
    fs::set_permissions(place.path(""), Permissions::from_mode(0o777)).map_err(words)?;
    fs::remove_dir(place.labs()).map_err(words)?;
    let copy = place.path("lab-smoke");
    fs::copy(program(), &copy).map_err(words)?;
    let mut command = place.command(Path::new("setpriv"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]).arg(copy);
    command.args(["run", "--lab", "netns", "--out", "run"]).env("HOME", "/nonexistent");
    said(&mut command, 0)?;
    place.has_no_lab()
}

/// In a user namespace that may have none below it.
pub fn unable() -> Result<(), String> {
    let place = Place::new()?;
    let script = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
    for line in ["lab up netns", "run --lab netns --out run"] {
        let mut command = place.command(Path::new("unshare"));
        command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]).arg(program());
        let output = command.args(line.split(' ')).output().map_err(words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let remedy = "run as root, or let users make namespaces";
        if output.status.code() != Some(8) || !said.contains(remedy) {
            return Err(format!("{line} ended with {}: {said}", output.status));
        }
    }
    if place.path("run").exists() { Err("a run was begun".to_owned()) } else { place.has_no_lab() }
}

/// None where the CLI is on this machine.
pub fn no_aws_cli() -> Option<String> {
    let found = Command::new("aws").arg("--version").stdout(Stdio::null()).status();
    (!found.is_ok_and(|status| status.success()))
        .then(|| "no AWS CLI: pip install awscli".to_owned())
}

pub fn aws_cli() -> Result<(), String> {
    let place = Place::new()?;
    place.call("lab up netns", 0)?;
    let environment = "AWS_DEFAULT_REGION=ap-northeast-1 \
        AWS_ENDPOINT_URL_EC2=http://127.0.0.1:8773 AWS_ENDPOINT_URL_STS=http://127.0.0.1:8773";
    let aws = |line: &str, code| {
        place.call(&format!("lab exec routerd-cloud -- env {environment} aws {line}"), code)
    };
    let identity = aws("sts get-caller-identity", 0);
    let refused =
        aws("ec2 describe-instances", 255).or_else(|_| aws("ec2 describe-instances", 254));
    place.call("lab down", 0)?;
    refused?;
    let identity = identity?;
    if identity.contains("assumed-role/lab-smoke-executor/i-") { Ok(()) } else { Err(identity) }
}

fn executable(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(words)?;
    fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(words)
}

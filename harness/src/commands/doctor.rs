//! `lab-smoke doctor`: whether this machine and a lab on AWS have what a run needs. Nothing is changed;
//! each thing is a line, and a remedy where it is not as it should be.

use std::path::Path;
use std::process::{Command, Stdio};

use ::lab::manifest::Manifest;
use lab_aws::open_aws_lab;
use reports::record::LabKind;
use reports::verdict::ExitCode;
use scenarios::checkup::{CheckupFinding, examine_lab};

use super::{lab, refuse};
use crate::cli::DoctorArgs;
use crate::labs::real_time;
use crate::terminal::Terminal;

pub fn examine(args: &DoctorArgs, terminal: &Terminal) -> u8 {
    let manifest = match lab::read_manifest_file(&args.lab) {
        Ok(manifest) if manifest.lab.kind == LabKind::Aws => manifest,
        Ok(_) => {
            let why = "doctor looks at a lab of kind aws; the built-in labs have what they need";
            return refuse(ExitCode::Usage, why, terminal);
        }
        Err(error) => return refuse(ExitCode::Usage, error, terminal),
    };
    let mut found = examine_machine(&manifest);
    match real_time() {
        Ok(runtime) => found.extend(runtime.block_on(examine_opened(manifest, args))),
        Err(error) => return refuse(ExitCode::Unavailable, error, terminal),
    }
    for finding in &found {
        let line = match &finding.wrong {
            None => format!("ok     {}\n", finding.what),
            Some(wrong) => format!("WRONG  {}: {wrong}\n", finding.what),
        };
        terminal.out(&line);
    }
    let wrong = found.iter().filter(|finding| finding.wrong.is_some()).count();
    terminal.out(&format!("{} of {} as they should be\n", found.len() - wrong, found.len()));
    if wrong == 0 { ExitCode::Pass.number() } else { ExitCode::Unavailable.number() }
}

async fn examine_opened(manifest: Manifest, args: &DoctorArgs) -> Vec<CheckupFinding> {
    let environment = |name: &str| std::env::var(name).ok();
    let role = args.identity.assume_role.as_deref();
    match open_aws_lab(manifest, "doctor", role, &environment).await {
        Ok(lab) => examine_lab(&lab).await,
        Err(error) => vec![CheckupFinding::of("the operator's identity", Some(error.to_string()))],
    }
}

/// This machine's part: ssh, keys, clock, folder.
fn examine_machine(manifest: &Manifest) -> Vec<CheckupFinding> {
    let program = |name: &str, word: &str| {
        let there = Command::new(name)
            .arg(word)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let missing = || format!("it cannot be started: install OpenSSH's client ({name})");
        CheckupFinding::of(format!("here: {name}"), there.err().map(|_| missing()))
    };
    let mut found = vec![program("ssh", "-V"), program("ssh-keygen", "-?")];
    found.extend(examine_keys(manifest));
    found.push(examine_clock());
    let folder = tempfile::tempdir_in(".")
        .err()
        .map(|error| format!("{error}: a run's folder is made here, or named with --out"));
    found.push(CheckupFinding::of("here: the folder can be written into", folder));
    found
}

/// Each key that the manifest names, and some key where it names none.
fn examine_keys(manifest: &Manifest) -> Vec<CheckupFinding> {
    let mut files: Vec<&str> =
        manifest.nodes.values().filter_map(|entry| entry.identity_file.as_deref()).collect();
    files.sort_unstable();
    files.dedup();
    let named = files.into_iter().map(|file| {
        let path = expand_home(file);
        let wrong = match std::fs::metadata(&path) {
            Err(error) => Some(format!("{error}: correct identity_file")),
            Ok(meta) => {
                use std::os::unix::fs::PermissionsExt as _;
                let open = meta.permissions().mode() & 0o077 != 0;
                open.then(|| format!("others may read it, and ssh refuses it: chmod 600 {file}"))
            }
        };
        CheckupFinding::of(format!("here: the key {file}"), wrong)
    });
    let mut found: Vec<CheckupFinding> = named.collect();
    if manifest.nodes.values().any(|entry| entry.identity_file.is_none()) {
        let usual = ["id_ed25519", "id_ecdsa", "id_rsa"];
        let some =
            usual.iter().any(|name| Path::new(&expand_home(&format!("~/.ssh/{name}"))).exists());
        let wrong = (!some && !agent_has_keys()).then(|| {
            "neither ssh-agent nor ~/.ssh has one: `ssh-add KEY`, or identity_file".to_owned()
        });
        found.push(CheckupFinding::of("here: a key for nodes without identity_file", wrong));
    }
    found
}

fn expand_home(file: &str) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    file.strip_prefix("~/").map_or_else(|| file.to_owned(), |rest| format!("{home}/{rest}"))
}

fn agent_has_keys() -> bool {
    let listed = Command::new("ssh-add")
        .arg("-l")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    listed.is_ok_and(|status| status.success())
}

/// The go's times and the signatures of requests are this machine's.
fn examine_clock() -> CheckupFinding {
    let words = ["show", "-p", "NTPSynchronized", "--value"];
    let told = Command::new("timedatectl").args(words).stdin(Stdio::null()).output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let wrong = matches!(told.as_deref(), Ok("no"))
        .then(|| "it follows no server: `sudo timedatectl set-ntp true`".to_owned());
    CheckupFinding::of("here: the clock follows a server, as far as systemd says", wrong)
}

//! Foreign referees: botocore's model judges the shapes of all answers, and moto's server is asked
//! the same calls; where it differs, `docs/EC2-DIFFERENCES.md` says who is right.
//! Needs Python with what `referee/requirements.txt` lists, named by `LAB_SMOKE_PYTHON` or found as
//! `python3`; without it the trials are ignored with the reason, and fail where
//! `LAB_SMOKE_REQUIRE_FOREIGN=1`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::clock::Clock;
use lab_mock::cloud::{Cloud, ManagedPolicy, PolicyVersion, Role, Tags};
use lab_mock::ec2::list_operations;
use lab_mock::faults::Faults;
use lab_mock::machines::Machines;
use lab_mock::serve::serve_api;
use lab_mock::world::{Shared, World};
use libtest_mimic::{Completion, Failed, Trial};

const MOTO: &str = "boto3, moto.server";
/// The AWS CLI is a Python package as well.
const CLI: &str = "boto3, moto.server, awscli";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("shapes_are_botocores", "botocore, boto3", "shapes.py", |folder| {
            let path = folder.join("operations.json");
            std::fs::write(&path, serde_json::to_vec(&list_operations()).unwrap()).unwrap();
            path
        }),
        trial("moto_differs_as_documented", MOTO, "against_moto.py", document),
        trial("filters_are_the_documented_ones", "botocore, boto3", "filter_names.py", document),
        trial("the_cli_is_told_what_boto3_is_told", CLI, "with_cli.py", document),
    ]
}

fn document(_: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/EC2-DIFFERENCES.md")
}

/// A script that is handed the endpoint, the operator's keys and one file.
fn trial(
    name: &str,
    modules: &'static str,
    script: &'static str,
    file: fn(&Path) -> PathBuf,
) -> Trial {
    Trial::ignorable_test(format!("referee::{name}"), move || {
        if let Err(reason) = find(modules) {
            return if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") {
                Err(Failed::from(reason))
            } else {
                Ok(Completion::ignored_with(reason))
            };
        }
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(referee(script, &file(folder.path())))?;
        Ok(Completion::Completed)
    })
}

pub fn python() -> String {
    std::env::var("LAB_SMOKE_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

pub fn find(modules: &str) -> Result<(), String> {
    let import = format!("import {modules}");
    let mut command = Command::new(python());
    command.args(["-c", &import]).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!(
            "`{}` has not all of {modules}: pip install -r tests/foreign/referee/requirements.txt",
            python()
        )),
        Err(error) => Err(format!("no Python: `{}`: {error}", python())),
    }
}

async fn referee(script: &str, file: &Path) -> Result<(), Failed> {
    let shared = world();
    let serving = serve_api(shared.clone(), Clock::System, 0).await?;
    let operator = shared.lock().cloud.operator.clone();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/foreign/referee");
    let mut process = tokio::process::Command::new(python());
    process
        .arg("-B")
        .arg(folder.join(script))
        .arg(format!("http://{}", serving.address))
        .args([operator.access_key_id, operator.secret_access_key])
        .arg(file)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_ENDPOINT_URL")
        .kill_on_drop(true);
    let output = tokio::select! {
        output = process.output() => output?,
        () = hurry(&shared) => unreachable!("it never ends"),
    };
    serving.stop(std::future::ready(())).await?;
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(Failed::from(format!("{}{}", text(&output.stdout), text(&output.stderr))))
}

/// The example lab, with a policy and a role that the operator may assume.
fn world() -> Shared {
    let now = Clock::System.now();
    let mut cloud = Cloud::example(7, now, true);
    let arn = |kind: &str| format!("arn:aws:iam::123456789012:{kind}/example");
    let document = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned();
    let policy = ManagedPolicy {
        id: "ANPAIOSFODNN7EXAMPLE0".to_owned(),
        name: "example".to_owned(),
        arn: arn("policy"),
        path: "/".to_owned(),
        created_at: now,
        default_version: "v1".to_owned(),
        versions: [("v1".to_owned(), PolicyVersion { document, created_at: now })].into(),
        tags: Tags::new(),
    };
    let role = Role {
        name: "example".to_owned(),
        arn: arn("role"),
        trust_policy:
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#
                .to_owned(),
        ..cloud.iam.roles.values().next().unwrap().clone()
    };
    cloud.iam.policies.insert(policy.arn.clone(), policy);
    cloud.iam.roles.insert("example".to_owned(), role);
    let (machines, faults) = (Machines::default(), Faults::default());
    Shared::new(World { seed: 7, now, cloud, machines, faults, at_first_end: None })
}

/// Ends every transition soon: the referees do not wait for boots.
async fn hurry(shared: &Shared) {
    loop {
        Clock::System.sleep(Duration::from_millis(50)).await;
        let now = Clock::System.now();
        for instance in shared.lock().cloud.instances.values_mut() {
            if let Some(transition) = &mut instance.transition {
                transition.at = transition.at.min(now);
            }
        }
    }
}

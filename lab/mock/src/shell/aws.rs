//! `aws sts get-caller-identity` and `aws ec2 modify-network-interface-attribute --dry-run`: whose
//! credentials the AWS CLI's own chain finds, and what these may. The environment comes first, then
//! root's file, then the metadata service.

use lab_programs::aws_cli::{CliQuestion, NO_CREDENTIALS, REFUSED, UNKNOWN_WORDS, refusal_words};
use serde_json::json;

use super::exec::NotFound;
use super::{Io, Session};
use crate::ec2::{
    ApiError, Request, Service, answer_dry_run, arn_and_user_id_of, instance_credentials,
};
use crate::machines::{AWS_CLI, ROOTS_HOME};

/// The id of somebody's access key, perhaps with a session's token.
struct Key {
    id: String,
    token: Option<String>,
}

pub fn main(session: &Session, args: &[&str], io: &Io) -> Result<i32, NotFound> {
    if session.machine(|machine| machine.files.get(AWS_CLI).is_none()) {
        return Err(NotFound);
    }
    let (question, region) = match CliQuestion::parse(args) {
        Ok(asked) => asked,
        Err(complaint) => return Ok(io.fail(UNKNOWN_WORDS, &complaint)),
    };
    if session.env.contains_key("AWS_ACCESS_KEY_ID")
        && !session.env.contains_key("AWS_SECRET_ACCESS_KEY")
    {
        let text = "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY";
        return Ok(io.fail(NO_CREDENTIALS, text));
    }
    let Some(key) = key(session) else {
        let text = "Unable to locate credentials. You can configure credentials by running \"aws configure\".";
        return Ok(io.fail(NO_CREDENTIALS, text));
    };
    Ok(match question {
        CliQuestion::Identity => say_identity(session, io, &key),
        CliQuestion::Rehearsal { interface, check } => {
            rehearse(session, io, &key, region, &interface, check)
        }
    })
}

fn say_identity(session: &Session, io: &Io, key: &Key) -> i32 {
    let now = session.now();
    let found =
        arn_and_user_id_of(&session.shared.lock().cloud, &key.id, key.token.as_deref(), now);
    match found {
        Ok((arn, user_id)) => {
            let account = arn.split(':').nth(4).unwrap_or_default();
            let answer = json!({ "UserId": user_id, "Account": account, "Arn": arn });
            io.out(&format!("{answer:#}\n"));
            0
        }
        Err(error) => refuse(io, "GetCallerIdentity", &error),
    }
}

fn refuse(io: &Io, operation: &str, error: &ApiError) -> i32 {
    let ApiError { code, message, .. } = error;
    io.fail(REFUSED, &refusal_words(operation, code, message))
}

/// Sets an ENI's source/dest check as a rehearsal: in earnest the model's CLI cannot.
fn rehearse(
    session: &Session,
    io: &Io,
    key: &Key,
    region: Option<String>,
    interface: &str,
    check: bool,
) -> i32 {
    const OPERATION: &str = "ModifyNetworkInterfaceAttribute";
    let now = session.now();
    let cloud = &mut session.shared.lock().cloud;
    let region = region.unwrap_or_else(|| cloud.region.clone());
    let parameters = [
        ("Action", OPERATION),
        ("Version", Service::Ec2.version()),
        ("DryRun", "true"),
        ("NetworkInterfaceId", interface),
        ("SourceDestCheck.Value", if check { "true" } else { "false" }),
    ];
    let request = Request::of(Service::Ec2, &region, &key.id, &parameters);
    let error = answer_dry_run(cloud, &request, key.token.as_deref(), now);
    refuse(io, OPERATION, &error)
}

fn key(session: &Session) -> Option<Key> {
    let variable = |name: &str| session.env.get(name).cloned();
    if let Some(id) = variable("AWS_ACCESS_KEY_ID") {
        return Some(Key { id, token: variable("AWS_SESSION_TOKEN") });
    }
    // Without HOME the CLI asks the system where its user is at home.
    let home = variable("HOME").unwrap_or_else(|| ROOTS_HOME.to_owned());
    if let Some(id) = in_file(session, &format!("{home}/.aws/credentials")) {
        return Some(Key { id, token: None });
    }
    let instance_id = session.machine(|machine| machine.instance_id.clone())?;
    let now = session.now();
    let given = instance_credentials(&session.shared.lock().cloud, &instance_id, now)?;
    Some(Key { id: given.access_key_id, token: Some(given.session_token) })
}

fn in_file(session: &Session, path: &str) -> Option<String> {
    let text = String::from_utf8(session.read(path).ok()?).ok()?;
    let value = |line: &str| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "aws_access_key_id").then(|| value.trim().to_owned())
    };
    text.lines().find_map(value)
}

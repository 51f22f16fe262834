//! `aws sts get-caller-identity [--output json] [--region REGION]`: whose credentials the AWS CLI's
//! own chain finds. The environment comes first, then root's file, then the metadata service.

use serde_json::json;

use super::exec::NotFound;
use super::{Io, Session};
use crate::ec2::{arn_and_user_id_of, instance_credentials};
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
    let ["sts", "get-caller-identity", options @ ..] = args else {
        return Ok(io.fail(252, "aws: error: argument command: Invalid choice"));
    };
    if options.chunks(2).any(|pair| !matches!(pair, ["--output", "json"] | ["--region", _])) {
        return Ok(io.fail(252, &format!("aws: error: Unknown options: {}", options.join(" "))));
    }
    if session.env.contains_key("AWS_ACCESS_KEY_ID")
        && !session.env.contains_key("AWS_SECRET_ACCESS_KEY")
    {
        let text = "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY";
        return Ok(io.fail(253, text));
    }
    let Some(key) = key(session) else {
        let text = "Unable to locate credentials. You can configure credentials by running \"aws configure\".";
        return Ok(io.fail(253, text));
    };
    let now = session.now();
    let found =
        arn_and_user_id_of(&session.shared.lock().cloud, &key.id, key.token.as_deref(), now);
    Ok(match found {
        Ok((arn, user_id)) => {
            let account = arn.split(':').nth(4).unwrap_or_default();
            let answer = json!({ "UserId": user_id, "Account": account, "Arn": arn });
            io.out(&format!("{answer:#}\n"));
            0
        }
        Err(error) => io.fail(
            254,
            &format!(
                "An error occurred ({}) when calling the GetCallerIdentity operation: {}",
                error.code, error.message
            ),
        ),
    })
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

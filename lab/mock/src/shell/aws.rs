//! `aws sts get-caller-identity` and `aws ec2 modify-network-interface-attribute --dry-run`: whose
//! credentials the AWS CLI's own chain finds, and what these may. The environment comes first, then
//! root's file, then the metadata service.

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
    let command = match args {
        ["sts", "get-caller-identity", options @ ..] => parse_identity(options),
        ["ec2", "modify-network-interface-attribute", options @ ..] => Rehearsal::parse(options),
        _ => return Ok(io.fail(252, "aws: error: argument command: Invalid choice")),
    };
    let command = match command {
        Ok(command) => command,
        Err(unknown) => {
            return Ok(io.fail(252, &format!("aws: error: Unknown options: {unknown}")));
        }
    };
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
    Ok(match command {
        CliCommand::Identity => say_identity(session, io, &key),
        CliCommand::Rehearsal(rehearsal) => rehearsal.say(session, io, &key),
    })
}

/// The commands of the CLI that the model knows.
enum CliCommand {
    Identity,
    Rehearsal(Rehearsal),
}

/// Fails with the words that it does not know.
fn parse_identity(options: &[&str]) -> Result<CliCommand, String> {
    let known = |pair: &[&str]| matches!(pair, ["--output", "json"] | ["--region", _]);
    if options.chunks(2).all(known) { Ok(CliCommand::Identity) } else { Err(options.join(" ")) }
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
    let text =
        format!("\nAn error occurred ({code}) when calling the {operation} operation: {message}");
    io.fail(254, &text)
}

/// Setting an ENI's source/dest check, as a rehearsal: in earnest the model's CLI cannot.
struct Rehearsal {
    region: Option<String>,
    interface: String,
    check: bool,
}

impl Rehearsal {
    /// Fails with the words that it does not know.
    fn parse(options: &[&str]) -> Result<CliCommand, String> {
        let (mut region, mut interface, mut check, mut dry_run) = (None, None, None, false);
        let mut words = options.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "--dry-run" => dry_run = true,
                "--source-dest-check" => check = Some(true),
                "--no-source-dest-check" => check = Some(false),
                "--network-interface-id" => interface = words.next(),
                "--region" => region = words.next(),
                unknown => return Err(unknown.to_owned()),
            }
        }
        match (interface, check, dry_run) {
            (Some(interface), Some(check), true) => {
                let (region, interface) = (region.map(str::to_owned), interface.to_owned());
                Ok(CliCommand::Rehearsal(Self { region, interface, check }))
            }
            _ => Err(options.join(" ")),
        }
    }

    fn say(self, session: &Session, io: &Io, key: &Key) -> i32 {
        const OPERATION: &str = "ModifyNetworkInterfaceAttribute";
        let now = session.now();
        let cloud = &mut session.shared.lock().cloud;
        let region = self.region.unwrap_or_else(|| cloud.region.clone());
        let parameters = [
            ("Action", OPERATION),
            ("Version", Service::Ec2.version()),
            ("DryRun", "true"),
            ("NetworkInterfaceId", &self.interface),
            ("SourceDestCheck.Value", if self.check { "true" } else { "false" }),
        ];
        let request = Request::of(Service::Ec2, &region, &key.id, &parameters);
        let error = answer_dry_run(cloud, &request, key.token.as_deref(), now);
        refuse(io, OPERATION, &error)
    }
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

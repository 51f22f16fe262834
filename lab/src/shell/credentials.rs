//! The commands that say whose credentials the executor would have on its node.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Observe;
use super::observe::words;
use super::readings::{Unread, read_text};
use crate::node::Output;
use crate::routerd::credentials_in_file;

/// The AWS CLI starts slowly, and asks over the network.
pub(super) const IDENTITY: std::time::Duration = std::time::Duration::from_secs(30);

/// Prints what of a file an SDK takes for credentials, or for a way to some: the names alone.
const CREDENTIAL_NAMES: &str = "test ! -e \"$1\" || grep -oiE \"$2\" \"$1\"";
const CREDENTIAL_PATTERN: &str = "^[[:space:]]*(aws_access_key_id|aws_secret_access_key|aws_session_token|\
    credential_process|credential_source|role_arn|source_profile|web_identity_token_file|\
    sso_session|sso_start_url|login_session)[[:space:]]*=";

/// The name of the instance's role. The token stays on the node.
const INSTANCE_ROLE: &str = "token=$(curl -sS -f -m 5 -X PUT \
    -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \"$1/latest/api/token\") || exit 1; \
    curl -sS -f -m 5 -H \"X-aws-ec2-metadata-token: $token\" \
    \"$1/latest/meta-data/iam/security-credentials/\"";
const METADATA: &str = "http://169.254.169.254";

/// Where the accounts of a node stand.
const ACCOUNTS: &str = "/etc/passwd";

impl Observe<Result<Vec<String>, Unread>> {
    /// The names of the credentials in a file of variables for a service's environment.
    pub fn environment_file(path: &str) -> Self {
        Observe::variables(path).read_as(|output| Ok(credentials_in_file(&read_text(&output)?)))
    }

    /// Which settings of a file, as `~/.aws/config`, give an SDK credentials: their names; none where it
    /// has none or is not there.
    pub fn credential_names(path: &str) -> Self {
        let script = ["sudo", "-n", "sh", "-c", CREDENTIAL_NAMES, "sh", path, CREDENTIAL_PATTERN];
        Observe::quick(&script).read_as(|output| {
            // 1 is grep's word for nothing found, and a shell's for much else, which it complains of.
            if output.code == 1 && output.stderr.is_empty() && output.stdout.is_empty() {
                return Ok(Vec::new());
            }
            let text = read_text(&output)?;
            let name = |line: &str| line.trim().trim_end_matches('=').trim_end().to_owned();
            Ok(text.lines().map(name).collect())
        })
    }
}

impl Observe<Result<Option<String>, Unread>> {
    /// Who the executor would be for AWS: asked by the CLI, with the environment that routerd gives
    /// the executor. Answers what stands behind the service in the ARN,
    /// `ACCOUNT:assumed-role/ROLE/SESSION`; none where it has no credentials.
    pub fn executor_identity(env: &BTreeMap<String, String>, region: &str) -> Self {
        let mut argv = super::as_executor(env);
        argv.extend(words(&["aws", "sts", "get-caller-identity", "--output", "json"]));
        argv.extend(words(&["--region", region]));
        Observe::new(argv, IDENTITY).read_as(|output| read_identity(&output))
    }

    /// The role that the metadata service hands to every program of the instance, by name; none where
    /// it hands none.
    pub fn instance_role() -> Self {
        Observe::quick(&["sh", "-c", INSTANCE_ROLE, "sh", METADATA]).read_as(|output| {
            if String::from_utf8_lossy(&output.stderr).contains("error: 404") {
                return Ok(None);
            }
            let text = read_text(&output)?;
            Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
        })
    }
}

/// The answer of `aws sts get-caller-identity`, as it prints it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity {
    arn: String,
}

const NO_CREDENTIALS: &str = "Unable to locate credentials";

fn read_identity(output: &Output) -> Result<Option<String>, Unread> {
    if String::from_utf8_lossy(&output.stderr).contains(NO_CREDENTIALS) {
        return Ok(None);
    }
    let text = read_text(output)?;
    let CallerIdentity { arn } = serde_json::from_str(&text).map_err(|error| Unread::NoJson {
        what: "the CLI's answer".to_owned(),
        why: error.to_string(),
    })?;
    // arn:aws:sts::ACCOUNT:assumed-role/ROLE/INSTANCE
    Ok(Some(arn.splitn(5, ':').nth(4).unwrap_or(&arn).to_owned()))
}

impl Observe<Result<BTreeMap<String, String>, Unread>> {
    /// Where each user of the node is at home.
    pub fn home_folders() -> Self {
        Observe::file_as_printed(ACCOUNTS).read_as(|output| Ok(read_homes(&read_text(&output)?)))
    }
}

/// `name:password:uid:gid:comment:home:shell`, of which the first line of a name counts.
fn read_homes(accounts: &str) -> BTreeMap<String, String> {
    let mut first: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for line in accounts.lines() {
        let fields: Vec<_> = line.split(':').collect();
        first.entry(fields[0]).or_insert_with(|| fields.get(5).copied());
    }
    let known = first.into_iter().filter_map(|(user, home)| Some((user, home?)));
    known.map(|(user, home)| (user.to_owned(), home.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(code: i32, stdout: &str, stderr: &str) -> Output {
        Output { code, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn the_home_of_a_user_is_the_sixth_field_of_its_own_line() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nroute:x:7:7::/home/route:/bin/sh\nbroken:x\n";
        let table = [
            ("root", Some("/root")),
            ("route", Some("/home/route")),
            ("broken", None),
            ("nobody", None),
        ];
        let homes = read_homes(accounts);
        for (user, home) in table {
            assert_eq!(homes.get(user).map(String::as_str), home, "{user}");
        }
    }

    #[test]
    fn the_cli_and_the_metadata_service_say_who_it_is_or_that_it_is_nobody() {
        let arn = r#"{"Arn":"arn:aws:sts::123456789012:assumed-role/r/i-1"}"#;
        let named = "123456789012:assumed-role/r/i-1".to_owned();
        let cli = Observe::executor_identity(&BTreeMap::new(), "r");
        assert_eq!(cli.read(output(0, arn, "")), Ok(Some(named)));
        assert_eq!(cli.read(output(253, "", "Unable to locate credentials. You")), Ok(None));
        assert!(cli.read(output(0, "", "")).is_err());
        let ended = Unread::Ended { code: 127, said: "env: aws".to_owned() };
        assert_eq!(cli.read(output(127, "", "env: aws\n")), Err(ended));
        let role = Observe::instance_role();
        assert_eq!(role.read(output(0, "role\n", "")), Ok(Some("role".to_owned())));
        assert_eq!(role.read(output(22, "", "The requested URL returned error: 404")), Ok(None));
        assert!(role.read(output(7, "", "refused")).is_err());
    }
}

//! Credentials go to the executor by one way alone: from the instance's role, by the metadata
//! service. Neither routerd's service nor a file of root's may hold others (hard stop 1).

use std::collections::BTreeMap;

use lab::Lab;
use lab::node::Node;
use lab::routerd::{EnvironmentFile, Unit};
use lab::shell::{NodeAnswer, Unread};
use serde_json::json;

use super::{EXECUTOR_IDENTITY, ROUTERD_UNIT};
use crate::context::{Context, How, Ruling};
use crate::{observe, stops};

/// The service manager's answer about a unit.
pub type UnitRead = NodeAnswer<Result<Unit, Unread>>;
/// The names of settings that are credentials.
pub type NamesRead = NodeAnswer<Result<Vec<String>, Unread>>;
/// Whom somebody has the executor be, if anybody.
pub type WhoRead = NodeAnswer<Result<Option<String>, Unread>>;

/// routerd's unit, and the files that hold more of its environment.
pub struct UnitReads {
    pub shown: UnitRead,
    pub files: Vec<(EnvironmentFile, NamesRead)>,
}

/// How the executor's identity was asked for.
pub enum IdentityRead {
    /// The AWS CLI's answer.
    Cli(WhoRead),
    /// The node has no CLI: the metadata service's, and what an SDK would take before it.
    Metadata { role: WhoRead, chain: Option<ChainReads> },
}

/// The places on the node's disk at which an SDK's chain looks.
pub struct ChainReads {
    /// Who is at home where.
    pub accounts: NodeAnswer<Result<BTreeMap<String, String>, Unread>>,
    /// Users that no account is known of.
    pub homeless: Vec<String>,
    /// Each path with the names of the settings in it that are credentials.
    pub files: Vec<(String, NamesRead)>,
}

pub fn judge_unit(lab: &Lab, ctx: &mut Context<'_>, reads: UnitReads) {
    let routerd = &lab.manifest.routerd;
    let expected =
        json!({ "credentials": [], "config": routerd.config, "state_file": routerd.state_file });
    let (unit, mut how) = match observe::keep_reading(ctx, reads.shown) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.check(ROUTERD_UNIT).expects(expected).seen(how).unknown(why),
    };
    let mut credentials = unit.credentials;
    for (file, told) in reads.files {
        match of_file(ctx, &file, told) {
            Ok((names, one)) => {
                how = how.and(one);
                credentials.extend(names);
            }
            Err((why, one)) => {
                return ctx.check(ROUTERD_UNIT).expects(expected).seen(how.and(one)).unknown(why);
            }
        }
    }
    // What a unit does not name is routerd's own default, as the manifest's is unless it says so.
    let config = unit.config.unwrap_or_else(|| routerd.config.clone());
    let state_file = unit.state_file.unwrap_or_else(|| routerd.state_file.clone());
    let other = (config != routerd.config || state_file != routerd.state_file).then(|| {
        format!(
            "routerd's service has {config} and {state_file}, and the manifest names {} and {}",
            routerd.config, routerd.state_file
        )
    });
    let secret = (!credentials.is_empty())
        .then(|| format!("routerd's service is handed {}", credentials.join(", ")));
    let observed =
        json!({ "credentials": credentials, "config": config, "state_file": state_file });
    let complaints: Vec<String> = secret.iter().chain(&other).cloned().collect();
    let message = Some(complaints.join("; "));
    let ruling = Ruling::when(complaints.is_empty(), message);
    ctx.check(ROUTERD_UNIT).expects(expected).seen(how).comes_to(observed, ruling);
    ctx.stop(&stops::CREDENTIALS_IN_UNIT, secret, lab::routerd::UNIT);
    ctx.stop(&stops::OTHER_CONFIG, other, lab::routerd::UNIT);
}

fn of_file(
    ctx: &mut Context<'_>,
    file: &EnvironmentFile,
    told: NamesRead,
) -> observe::Fact<Vec<String>> {
    let (read, how) = observe::keep_answer(ctx, told)?;
    match read {
        Err(_) if file.optional => Ok((Vec::new(), how)),
        read => observe::read_reading(read, how),
    }
}

/// Whether the executor may be the instance's role: false where it is certainly somebody else.
pub fn judge_executor(lab: &Lab, ctx: &mut Context<'_>, read: IdentityRead) -> bool {
    let expected = json!(wanted(lab));
    let seen = match read {
        IdentityRead::Cli(told) => by_cli(ctx, told),
        IdentityRead::Metadata { role, chain } => by_chain(ctx, chain).and_then(|(found, how)| {
            if let Some(found) = found {
                return Ok((found, how));
            }
            let seen = by_metadata(lab, ctx, role);
            let with = |one: How| how.clone().and(one);
            seen.map(|(name, one)| (name, with(one))).map_err(|(why, one)| (why, with(one)))
        }),
    };
    let (identity, how) = match seen {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.check(EXECUTOR_IDENTITY).expects(expected).seen(how).unknown(why);
            return true;
        }
    };
    let right = identity == wanted(lab);
    let message = format!(
        "on {} the executor would be {identity}, and only the instance's role may be",
        Node::RouterdCloud
    );
    let found = (!right).then(|| message.clone());
    let ruling = Ruling::when(right, message);
    ctx.check(EXECUTOR_IDENTITY).expects(expected).seen(how).comes_to(json!(identity), ruling);
    ctx.stop(&stops::EXECUTOR_IDENTITY, found, Node::RouterdCloud.as_str());
    right
}

/// The role's session of this very instance, as STS names it.
fn wanted(lab: &Lab) -> String {
    let instance = lab.manifest.nodes[&Node::RouterdCloud].instance_id.as_deref();
    session_of(lab, &lab.manifest.iam.role_name, instance.unwrap_or_default())
}

/// The partition and an account's role path are not the manifest's to say.
fn session_of(lab: &Lab, role: &str, instance_id: &str) -> String {
    format!("{}:assumed-role/{role}/{instance_id}", lab.manifest.aws.account_id)
}

fn by_cli(ctx: &mut Context<'_>, told: WhoRead) -> observe::Fact<String> {
    let (found, how) = observe::keep_reading(ctx, told)?;
    Ok((found.unwrap_or_else(|| NOBODY.to_owned()), how))
}

const NOBODY: &str = "nobody";

/// Whom an SDK would be by the node's files; none where they have nothing for it. What cannot be read
/// is unknown.
fn by_chain(ctx: &mut Context<'_>, chain: Option<ChainReads>) -> observe::Fact<Option<String>> {
    let Some(ChainReads { accounts, homeless, files }) = chain else {
        let why = "the files of an SDK's chain were not looked at".to_owned();
        return Err((why, How::default()));
    };
    let (_, mut how) = observe::keep_reading(ctx, accounts)?;
    if !homeless.is_empty() {
        return Err((format!("where {} is at home is not known", homeless.join(", ")), how));
    }
    let mut found = Vec::new();
    for (path, told) in files {
        let (names, one) = observe::keep_reading(ctx, told)?;
        how = how.and(one);
        if !names.is_empty() {
            found.push(format!("whom {path} names ({})", names.join(", ")));
        }
    }
    Ok(((!found.is_empty()).then(|| found.join(" or ")), how))
}

/// The metadata service names the role; account and instance are what EC2 says of the node.
fn by_metadata(lab: &Lab, ctx: &mut Context<'_>, told: WhoRead) -> observe::Fact<String> {
    let (role, how) = observe::keep_reading(ctx, told)?;
    let instance = lab.manifest.nodes[&Node::RouterdCloud].instance_id.as_deref();
    let session = |role: String| session_of(lab, &role, instance.unwrap_or_default());
    Ok((role.map_or_else(|| NOBODY.to_owned(), session), how))
}

#[cfg(test)]
mod tests {
    use lab::shell::Observe;
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    /// Where there is no CLI: what the files have, and what cannot be read of them.
    #[test]
    fn an_sdks_files_come_before_the_instances_role() {
        let key = || example_answer(0, "aws_access_key_id =\n", "");
        let nothing = || example_answer(1, "", "");
        let denied = || example_answer(2, "", "grep: .aws/config: Permission denied");
        let no_sudo = || example_answer(1, "", "sudo: a password is required");
        let table: [(NodeAnswer, NodeAnswer, &[&str], A); 8] = [
            (nothing(), nothing(), &[], A::Passed),
            (example_answer(0, "", ""), nothing(), &[], A::Passed),
            (key(), nothing(), &[], A::Failed),
            (nothing(), example_answer(0, "  credential_process =\n", ""), &[], A::Failed),
            (nothing(), denied(), &[], A::Unknown),
            (no_sudo(), nothing(), &[], A::Unknown),
            (nothing(), example_silence(), &[], A::Unknown),
            (nothing(), nothing(), &["routerd"], A::Unknown),
        ];
        for (credentials, config, homeless, expected) in table {
            let shown = format!("{credentials:?} {config:?} {homeless:?}");
            let judged = judge_as_scenario("preflight", async |lab, ctx| {
                let role = example_answer(0, &format!("{}\n", lab.manifest.iam.role_name), "");
                let by_grep = |told| read_by(&Observe::credential_names("file"), told);
                let files = vec![
                    ("credentials".into(), by_grep(credentials)),
                    ("config".into(), by_grep(config)),
                ];
                let role = read_by(&Observe::instance_role(), role);
                let homeless = homeless.iter().map(|&user| user.to_owned()).collect();
                let accounts = example_answer(0, "root:x:0:0:root:/root:/bin/sh\n", "");
                let accounts = read_by(&Observe::home_folders(), accounts);
                let chain = Some(ChainReads { accounts, homeless, files });
                judge_executor(lab, ctx, IdentityRead::Metadata { role, chain });
            });
            assert_eq!(judged.status(EXECUTOR_IDENTITY), expected, "{shown}");
        }
    }

    /// The names on routerd's command line, what a file of its environment holds, whether that file
    /// may be absent, and what is made of it.
    #[test]
    fn the_service_has_the_manifests_files_and_nobodys_credentials() {
        let (there, absent) = ((0, "AWS_REGION=eu-central-1\n"), (1, ""));
        let secret = (0, "AWS_SECRET_ACCESS_KEY=x\n");
        let table = [
            ("own.yaml", "own.db", there, false, A::Passed),
            ("other.yaml", "own.db", there, false, A::Failed),
            ("own.yaml", "other.db", there, false, A::Failed),
            ("own.yaml", "own.db", secret, false, A::Failed),
            ("own.yaml", "own.db", secret, true, A::Failed),
            ("own.yaml", "own.db", absent, true, A::Passed),
            ("own.yaml", "own.db", absent, false, A::Unknown),
        ];
        for (config, state_file, (code, text), optional, expected) in table {
            let judged = judge_as_scenario("preflight", async |lab, ctx| {
                let routerd = &lab.manifest.routerd;
                let config = config.replace("own.yaml", &routerd.config);
                let state_file = state_file.replace("own.db", &routerd.state_file);
                let shown = format!(
                    "LoadState=loaded\nExecStart={{ path=/r ; argv[]=/r serve --config {config} \
                     --state-file={state_file} ; ignore_errors=no }}\n"
                );
                let file = EnvironmentFile { path: "/etc/default/routerd".to_owned(), optional };
                let told = example_answer(code, text, "No such file or directory");
                let told = read_by(&Observe::environment_file(&file.path), told);
                let files = vec![(file, told)];
                let shown =
                    read_by(&Observe::unit(lab::routerd::UNIT), example_answer(0, &shown, ""));
                judge_unit(lab, ctx, UnitReads { shown, files });
            });
            let given = judged.status(ROUTERD_UNIT);
            assert_eq!(given, expected, "{config} {state_file} {text} {optional}");
        }
    }
}

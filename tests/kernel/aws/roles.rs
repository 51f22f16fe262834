//! The role that an operator takes: by flag and by manifest, and refused by one that does not trust him.

use std::collections::BTreeMap;

use lab::manifest::{IdentitySection, RoleChoice};
use reports::evidence::Evidence;
use reports::record::{IdentityLink, Renewal};

use super::place::{AwsPlace, CallingAs};
use crate::netns::place::{block_on, words};

const ROLE: &str = "arn:aws:iam::123456789012:role/lab-smoke-operator";

/// By flag and by manifest; one that does not trust him is refused in STS's words, before there is a run.
pub fn take_a_role() -> Result<(), String> {
    let aws = AwsPlace::new(CallingAs::Root, |_| {})?;
    let folder = aws.place.lab()?;
    let mut world = block_on(lab_netns::read_world(&folder))?.map_err(words)?;
    let executor = world.cloud.iam.roles.values().next().ok_or("no role")?.clone();
    let mut role = executor.clone();
    (role.name, role.arn) = ("lab-smoke-operator".to_owned(), ROLE.to_owned());
    let allow = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    role.inline_policies = BTreeMap::from([("all".to_owned(), allow.to_owned())]);
    role.trust_policy = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}]}}"#,
        world.cloud.operator.arn
    );
    world.cloud.iam.roles.insert(role.name.clone(), role);
    block_on(lab_netns::write_world(&folder, &world))?.map_err(words)?;

    let line = format!("preflight --lab lab.toml --out refused --assume-role {}", executor.arn);
    let output = aws.command(&line).output().map_err(words)?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(8)
        || !told.contains("is not authorized to perform: sts:AssumeRole")
        || !told.contains("AssumeRolePolicyDocument")
    {
        return Err(format!("{}: {told}", output.status));
    }
    aws.call(&format!("preflight --lab lab.toml --out flag --assume-role {ROLE}"), 3)?;
    took_the_role(&aws.evidence("flag")?, IdentityLink::Flag)?;
    aws.edit(|manifest| {
        manifest.identity = Some(IdentitySection { assume_role: RoleChoice::One(ROLE.to_owned()) });
        Ok(())
    })?;
    aws.call("recover flag", 0)?;
    took_the_role(&aws.evidence("flag")?, IdentityLink::Manifest)
}

fn took_the_role(evidence: &Evidence, link: IdentityLink) -> Result<(), String> {
    let run = evidence.run.as_ref().map(|run| run.id.clone()).unwrap_or_default();
    let operator = evidence.operator.as_ref().ok_or("nobody asked")?;
    let session = format!("arn:aws:sts::123456789012:assumed-role/lab-smoke-operator/{run}");
    let before = operator.caller_before.as_deref().unwrap_or_default();
    let right = operator.link == link
        && operator.assumed_role.as_deref() == Some(ROLE)
        && operator.caller == session
        && operator.session_name.as_deref() == Some(run.as_str())
        && before.ends_with(":user/lab-operator")
        && operator.renewal == Renewal::Possible
        && operator.expires_at.is_some();
    if right { Ok(()) } else { Err(format!("{link:?}: {operator:?}")) }
}

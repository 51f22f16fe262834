//! The executor's role has exactly the runbook's four actions, the mutations on the lab's ENI
//! alone, and it is the role that the router's instance has.

mod grants;
#[cfg(test)]
mod spec;

use lab::Lab;
use lab::ec2::{Answer, ReadError};
use lab::iam::{Grants, PolicyDocument};
use serde_json::json;

use self::grants::{Judgement, RoleExpectation, judge_grants};
use super::cloud::read_or_unknown;
use super::gather::Read;
use super::{PROFILE, ROLE};
use crate::context::{Context, How, Ruling};
use crate::stops;

/// The role as the owner decides on it: the documents, with what grants what.
#[derive(Default)]
pub struct JudgedRole {
    pub judgement: Judgement,
    pub documents: Vec<(String, reports::digest::Digest)>,
}

pub fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    (profile, instance_profile): (Read<Vec<String>>, Option<String>),
    policies: Result<Vec<Answer<PolicyDocument>>, ReadError>,
) -> JudgedRole {
    profile_has_role(lab, ctx, profile, instance_profile.as_deref());
    let expected = json!({ "problems": [] });
    let answers = match policies {
        Ok(answers) => answers,
        Err(error) => {
            let how = ctx.seen_error(&error);
            ctx.check(ROLE).expects(expected).seen(how).unknown(error.to_string());
            return JudgedRole::default();
        }
    };
    let how = answers.iter().fold(How::default(), |how, answer| how.and(ctx.seen(answer)));
    let documents: Vec<PolicyDocument> = answers.into_iter().map(|answer| answer.value).collect();
    let grants = Grants::read(&documents);
    let judgement = judge_grants(
        &grants,
        &RoleExpectation {
            region: lab.manifest.aws.region.clone(),
            account_id: lab.manifest.aws.account_id.clone(),
            network_interface_id: lab.manifest.capture.network_interface_id.clone(),
        },
    );
    let problems: Vec<_> = judgement.problems.iter().map(ToString::to_string).collect();
    let message = problems.join("; ");
    let observed = json!({
        "problems": problems,
        "notes": judgement.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "granted_by": judgement.granted_by,
    });
    let found = (!problems.is_empty()).then(|| message.clone());
    let ruling = Ruling::when(problems.is_empty(), message);
    ctx.check(ROLE).expects(expected).seen(how).comes_to(observed, ruling);
    ctx.stop(&stops::ROLE, found, &lab.manifest.iam.role_name);
    let digest = |document: &PolicyDocument| reports::digest::Digest::of(&document.text);
    JudgedRole {
        documents: documents.iter().map(|it| (it.name.to_string(), digest(it))).collect(),
        judgement,
    }
}

/// The executor gets its identity from the instance's profile and from nothing else.
fn profile_has_role(
    lab: &Lab,
    ctx: &mut Context<'_>,
    profile: Read<Vec<String>>,
    instance_profile: Option<&str>,
) {
    let name = &lab.manifest.iam.instance_profile_name;
    let expected = json!({ "roles": [lab.manifest.iam.role_name], "of_the_instance": name });
    let Some((roles, how)) = read_or_unknown(ctx, PROFILE, &expected, profile) else { return };
    // The last part of `arn:aws:iam::…:instance-profile/path/name`.
    let given = instance_profile.and_then(|arn| arn.rsplit('/').next());
    // Where the instances cannot be read, that is another assertion's to say.
    let given = given.unwrap_or(name);
    let observed = json!({ "roles": roles, "of_the_instance": given });
    let holds = ctx.check(PROFILE).expects(expected).seen(how).is(observed);
    let found = (!holds).then(|| {
        format!("routerd-cloud's instance has {given}, and {name} has the roles {roles:?}")
    });
    ctx.stop(&stops::OTHER_IDENTITY, found, name);
}

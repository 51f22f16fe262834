//! The executor's role has exactly the runbook's four actions, the mutations on the lab's ENI
//! alone, and it is the role that the router's instance has.

pub mod grants;
mod narrow;
#[cfg(test)]
mod spec;

use lab::Lab;
use lab::ec2::{Answer, RoleLimits, Simulation};
use lab::iam::{Grants, PolicyDocument};
use serde_json::{Value, json};

use self::grants::{
    ACTIONS, DESCRIBE, Judgement, RoleExpectation, eni_arn, judge_boundary, judge_grants,
};
pub use self::narrow::NamedReads;
use self::narrow::{NamedInterfaces, look_up_named};
use super::cloud::read_or_unknown;
use super::gather::{Read, RoleReads};
use super::{PROFILE, ROLE};
use crate::context::{Context, How, Ruling};
use crate::stops;

/// The role as the owner decides on it: the documents, with what grants what.
#[derive(Default)]
pub struct JudgedRole {
    pub judgement: Judgement,
    pub documents: Vec<(String, reports::digest::Digest)>,
}

/// Reads what the role is granted and what narrows it, and then which interfaces its conditions name.
pub async fn read_role(lab: &Lab) -> RoleReads {
    let expected = expectation(lab, NamedInterfaces::new());
    let questions = ACTIONS.map(|action| Simulation {
        action,
        resource: if action == DESCRIBE { "*".to_owned() } else { eni_arn(&expected) },
    });
    let (tag, value) = (&lab.manifest.lab.tag_key, &lab.manifest.lab.tag_value);
    let region = lab.manifest.aws.region.clone();
    let context = [
        ("aws:RequestedRegion".to_owned(), region.clone()),
        ("ec2:Region".to_owned(), region),
        (format!("aws:ResourceTag/{tag}"), value.clone()),
        (format!("ec2:ResourceTag/{tag}"), value.clone()),
    ];
    let role = &lab.manifest.iam.role_name;
    let granted = async {
        let policies = lab.reader.role_policies(role).await;
        let named = look_up_named(lab, &policies).await;
        (policies, named)
    };
    let ((policies, named), limits) =
        futures::join!(granted, lab.reader.role_limits(role, &questions, &context));
    RoleReads { policies, limits, named }
}

fn expectation(lab: &Lab, named: NamedInterfaces) -> RoleExpectation {
    RoleExpectation {
        region: lab.manifest.aws.region.clone(),
        account_id: lab.manifest.aws.account_id.clone(),
        network_interface_id: lab.manifest.capture.network_interface_id.clone(),
        named,
    }
}

/// The role's documents, with its boundary where it has one, and what its conditions name; all of it
/// kept. Fails with why one of them is not known.
type RoleParts = (Vec<PolicyDocument>, Option<PolicyDocument>, NamedInterfaces);

fn keep_parts(
    ctx: &mut Context<'_>,
    reads: RoleReads,
) -> Result<(RoleParts, RoleLimits, How), (String, How)> {
    let RoleReads { policies, mut limits, named } = reads;
    let unknown = |ctx: &mut Context<'_>, error: &lab::ec2::ReadError| {
        (error.to_string(), ctx.seen_error(error))
    };
    let answers = policies.map_err(|error| unknown(ctx, &error))?;
    let mut how = answers.iter().fold(How::default(), |how, answer| how.and(ctx.seen(answer)));
    let boundary = std::mem::replace(&mut limits.boundary, Ok(None));
    let boundary = boundary.map_err(|error| unknown(ctx, &error))?;
    let boundary: Option<Answer<PolicyDocument>> = boundary;
    if let Some(answer) = &boundary {
        how = how.and(ctx.seen(answer));
    }
    let mut interfaces = NamedInterfaces::new();
    for (narrowing, answer) in named.map_err(|error| unknown(ctx, &error))? {
        how = how.and(ctx.seen(&answer));
        let ids = answer.value.into_iter().map(|it| it.network_interface_id).collect();
        interfaces.insert(narrowing, ids);
    }
    let documents = answers.into_iter().map(|answer| answer.value).collect();
    Ok(((documents, boundary.map(|answer| answer.value), interfaces), limits, how))
}

/// What IAM's simulator says would be allowed in the end. It decides nothing: it knows less of a
/// request than EC2 does.
fn lower_bound(ctx: &mut Context<'_>, limits: RoleLimits, how: How) -> (Value, How) {
    match limits.simulated {
        Ok(answer) => {
            let how = how.and(ctx.seen(&answer));
            (json!(answer.value), how)
        }
        Err(error) => {
            let how = how.and(ctx.seen_error(&error));
            (json!(format!("not known: {error}")), how)
        }
    }
}

/// Evaluates what the role may, by its documents and its boundary.
pub fn evaluate_role(
    lab: &Lab,
    grants: &Grants,
    boundary: Option<&PolicyDocument>,
    named: NamedInterfaces,
) -> Judgement {
    let wanted = expectation(lab, named);
    let mut judgement = judge_grants(grants, &wanted);
    if let Some(boundary) = boundary {
        let limits = Grants::read(std::slice::from_ref(boundary));
        judge_boundary(&limits, &wanted, &mut judgement);
    }
    judgement
}

/// What no read of the operator shows.
pub const NOT_SEEN: &str = "the policies of VPC endpoints, and service control policies but for what the \
                        simulator and a DryRun say of them";

/// What a read of the policies cannot say: whether they are in force by now.
const IN_FORCE: &str = "IAM may take five minutes to put a change of the role into force: an action that is \
                        refused within them is not yet allowed, and no denial; the run does not ask it again";

pub fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    (profile, instance_profile): (Read<Vec<String>>, Option<String>),
    reads: RoleReads,
) -> JudgedRole {
    profile_has_role(lab, ctx, profile, instance_profile.as_deref());
    let expected = json!({ "problems": [] });
    let ((mut documents, boundary, named), limits, how) = match keep_parts(ctx, reads) {
        Ok(kept) => kept,
        Err((why, how)) => {
            ctx.check(ROLE).expects(expected).seen(how).unknown(why);
            return JudgedRole::default();
        }
    };
    let (lower_bound, how) = lower_bound(ctx, limits, how);
    let grants = Grants::read(&documents);
    let judgement = evaluate_role(lab, &grants, boundary.as_ref(), named);
    documents.extend(boundary);
    let problems: Vec<_> = judgement.problems.iter().map(ToString::to_string).collect();
    let message = problems.join("; ");
    let observed = json!({
        "problems": problems,
        "notes": judgement.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "granted_by": judgement.granted_by,
        "lower_bound": lower_bound,
        "not_seen": NOT_SEEN,
        "in_force": IN_FORCE,
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

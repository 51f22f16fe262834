//! All that a lab needs of IAM, each as allowed, denied or unknown, outside of a run: for `lab-smoke iam
//! check`. It looks as preflight does, and judges nothing else.

use lab::Lab;
use lab::ec2::Allowance;
use lab::iam::{Grants, PolicyDocument};
use lab::node::Node;
use lab::shell::Observe;

use super::gather::{self, RoleReads};
use super::permissions;
use super::role::{self, grants::ACTIONS};
use crate::watch;

/// One thing that somebody has to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionProof {
    /// `operator` or `executor`.
    pub who: &'static str,
    /// As `ec2:StopInstances`.
    pub action: &'static str,
    /// The id of what it is done to; empty where the policies say it.
    pub resource: String,
    /// `DryRun` or `evaluation`.
    pub by: &'static str,
    pub may: Allowance,
    /// What was said, where it is not allowed.
    pub why: String,
}

/// What the survey of a lab's permissions found.
#[derive(Clone, Debug, Default)]
pub struct PermissionSurvey {
    pub proofs: Vec<PermissionProof>,
    /// What the executor's role has too much or too little.
    pub problems: Vec<String>,
    pub notes: Vec<String>,
}

impl PermissionSurvey {
    /// Whether everything is allowed, and nothing too much.
    pub fn holds(&self) -> bool {
        self.problems.is_empty() && self.proofs.iter().all(|it| it.may == Allowance::Allowed)
    }
}

const OPERATOR: &str = "operator";
const EXECUTOR: &str = "executor";

/// Asks for everything at the same time.
pub async fn survey_permissions(lab: &Lab) -> PermissionSurvey {
    let own = async {
        let (costly, honours) =
            futures::join!(watch::read_costly(lab), lab.reader.honours_rehearsals());
        permissions::rehearse_own_calls(lab, honours, &costly).await
    };
    let (own, role, node) = futures::join!(own, role::read_role(lab), on_the_node(lab));
    let mut survey = PermissionSurvey::default();
    match own {
        Ok(answers) => survey.proofs.extend(answers.into_iter().map(|answer| {
            let rehearsed = answer.value;
            PermissionProof {
                who: OPERATOR,
                action: rehearsed.call.action(),
                resource: rehearsed.call.resource().to_owned(),
                by: "DryRun",
                may: rehearsed.allowance,
                why: rehearsed.said,
            }
        })),
        Err(why) => survey.problems.push(why),
    }
    survey.proofs.extend(node);
    evaluate(lab, &mut survey, role);
    survey
}

/// The executor's four actions by its role's policies.
fn evaluate(lab: &Lab, survey: &mut PermissionSurvey, reads: RoleReads) {
    let RoleReads { policies, limits, named } = reads;
    let read = policies.and_then(|policies| {
        let boundary = limits.boundary?;
        Ok((policies, boundary, named?))
    });
    let (policies, boundary, named) = match read {
        Ok(read) => read,
        Err(error) => {
            let why = error.to_string();
            survey.proofs.extend(ACTIONS.map(|action| by_policies(lab, action, Err(why.clone()))));
            return;
        }
    };
    let documents: Vec<PolicyDocument> = policies.into_iter().map(|it| it.value).collect();
    let boundary = boundary.map(|answer| answer.value);
    let named = named
        .into_iter()
        .map(|(narrowing, answer)| {
            (narrowing, answer.value.into_iter().map(|it| it.network_interface_id).collect())
        })
        .collect();
    let judgement = role::evaluate_role(lab, &Grants::read(&documents), boundary.as_ref(), named);
    for action in ACTIONS {
        let against = judgement.problems.iter().find(|it| it.takes_away(action));
        let may = match against {
            Some(problem) => Ok((Allowance::Denied, problem.to_string())),
            None => Ok((Allowance::Allowed, String::new())),
        };
        survey.proofs.push(by_policies(lab, action, may));
    }
    survey.problems.extend(judgement.problems.iter().map(ToString::to_string));
    survey.notes.extend(judgement.notes.iter().map(ToString::to_string));
    survey.notes.push(format!("not seen: {}", role::NOT_SEEN));
    survey.notes.push(match limits.simulated {
        Ok(answer) => format!("lower bound by SimulatePrincipalPolicy: {:?}", answer.value),
        Err(error) => format!("there is no lower bound: {error}"),
    });
}

fn by_policies(
    lab: &Lab,
    action: &'static str,
    may: Result<(Allowance, String), String>,
) -> PermissionProof {
    let (may, why) = may.unwrap_or_else(|why| (Allowance::Unknown, why));
    let resource = lab.manifest.iam.role_name.clone();
    PermissionProof { who: EXECUTOR, action, resource, by: "evaluation", may, why }
}

/// The executor's one action that has a DryRun, asked on its node.
async fn on_the_node(lab: &Lab) -> Vec<PermissionProof> {
    const ACTION: &str = "ec2:ModifyNetworkInterfaceAttribute";
    let resource = lab.manifest.capture.network_interface_id.clone();
    let proof = |may, why| PermissionProof {
        who: EXECUTOR,
        action: ACTION,
        resource: resource.clone(),
        by: "DryRun",
        may,
        why,
    };
    let config = Observe::router_yaml(&lab.manifest.routerd);
    let yaml = lab.shell.observe(Node::RouterdCloud, &config).await;
    let reads = gather::rehearse_check(lab, &yaml).await;
    if reads.is_empty() {
        let why = "router.yaml on routerd-cloud names no executor whose environment could be used";
        return vec![proof(Allowance::Unknown, why.to_owned())];
    }
    let each = reads.into_iter().map(|(value, told)| match told {
        Ok(answer) => proof(answer.value.allowance, format!("with {value}: {}", answer.value.said)),
        Err(error) => proof(Allowance::Unknown, error.to_string()),
    });
    each.collect()
}

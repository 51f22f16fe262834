//! The limits that narrow a role beyond its own policies: its permissions boundary, and what IAM's simulator
//! says would be allowed in the end.

use std::collections::BTreeMap;

use reports::redact::Form;

use super::identity::missing;
use super::reader::{Answer, ReadError, Reader, call};
use crate::iam::{DocumentName, PolicyDocument};

/// A question to IAM's simulator: one action on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The action's name, as `ec2:AssignPrivateIpAddresses`.
    pub action: &'static str,
    /// An ARN, or `*`.
    pub resource: String,
}

/// The limits of a role, as far as they can be asked for.
#[derive(Clone, Debug)]
pub struct RoleLimits {
    /// None where the role has no permissions boundary.
    pub boundary: Result<Option<Answer<PolicyDocument>>, ReadError>,
    /// IAM's word for each action, as `allowed` or `implicitDeny`.
    pub simulated: Result<Answer<BTreeMap<&'static str, String>>, ReadError>,
}

impl Reader {
    /// The role's permissions boundary, and what the simulator says of it. `context` is what the
    /// simulator is told of the request, by condition key.
    pub async fn role_limits(
        &self,
        role: &str,
        questions: &[Simulation],
        context: &[(String, String)],
    ) -> RoleLimits {
        self.count();
        let page = call!("iam GetRole", self.iam.get_role().role_name(role));
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                return RoleLimits { boundary: Err(error.clone()), simulated: Err(error) };
            }
        };
        let Some(role) = page.value.role() else {
            let error = missing("iam GetRole", "Role", &page.captured.body);
            return RoleLimits { boundary: Err(error.clone()), simulated: Err(error) };
        };
        let bound = role.permissions_boundary().and_then(|it| it.permissions_boundary_arn());
        let boundary = async {
            let Some(arn) = bound else { return Ok(None) };
            let answer = self.attached_policy(arn.to_owned()).await?;
            let name = match answer.value.name {
                DocumentName::Attached { arn, version } => DocumentName::Boundary { arn, version },
                other => other,
            };
            let value = PolicyDocument { name, text: answer.value.text };
            let Answer { call, raw, form, attempts, .. } = answer;
            Ok(Some(Answer { value, call, raw, form, attempts }))
        };
        let (boundary, simulated) =
            futures::join!(boundary, self.simulate(role.arn(), questions, context));
        RoleLimits { boundary, simulated }
    }

    /// Asks for each question alone: IAM answers every action on every resource, and who asks about
    /// an action on what it does not know is told that it is denied.
    async fn simulate(
        &self,
        role_arn: &str,
        questions: &[Simulation],
        context: &[(String, String)],
    ) -> Result<Answer<BTreeMap<&'static str, String>>, ReadError> {
        let asked = questions.iter().map(|it| self.simulate_one(role_arn, it, context));
        let answers = futures::future::try_join_all(asked).await?;
        let mut value = BTreeMap::new();
        let (mut raw, mut attempts) = (Vec::new(), 0);
        for (question, answer) in questions.iter().zip(answers) {
            value.insert(question.action, answer.value);
            raw.extend(answer.raw);
            attempts += answer.attempts;
        }
        let call = "iam SimulatePrincipalPolicy".to_owned();
        Ok(Answer { value, call, raw, form: Form::Xml, attempts })
    }

    async fn simulate_one(
        &self,
        role_arn: &str,
        question: &Simulation,
        context: &[(String, String)],
    ) -> Result<Answer<String>, ReadError> {
        use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum};
        const CALL: &str = "iam SimulatePrincipalPolicy";
        let entries = context.iter().map(|(key, value)| {
            ContextEntry::builder()
                .context_key_name(key)
                .context_key_type(ContextKeyTypeEnum::String)
                .context_key_values(value)
                .build()
        });
        self.count();
        let request = self
            .iam
            .simulate_principal_policy()
            .policy_source_arn(role_arn)
            .action_names(question.action)
            .resource_arns(&question.resource)
            .set_context_entries(Some(entries.collect()));
        let page = call!("iam SimulatePrincipalPolicy", request)?;
        let raw = page.captured.body;
        let found = page.value.evaluation_results().first();
        let found = found.ok_or_else(|| missing(CALL, "EvaluationResults", &raw))?;
        Ok(Answer {
            value: found.eval_decision().as_str().to_owned(),
            call: CALL.to_owned(),
            raw: vec![raw],
            form: Form::Xml,
            attempts: page.captured.attempts,
        })
    }
}

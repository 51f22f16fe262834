//! Who asks, and what the executor's role may: STS and IAM.

use reports::redact::Form;

use super::reader::{Answer, ReadError, Reader, call};
use crate::iam::{DocumentName, PolicyDocument};

/// The caller of AWS, as `GetCallerIdentity` answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account_id: String,
    pub arn: String,
}

pub(super) fn missing(call: &str, what: &str, raw: &[u8]) -> ReadError {
    ReadError::Unreadable {
        call: call.to_owned(),
        why: format!("it has no {what}"),
        raw: raw.to_vec(),
    }
}

impl Reader {
    /// The account and the ARN by which AWS knows the harness. Fails where the answer lacks one of them.
    pub async fn caller_identity(&self) -> Result<Answer<Identity>, ReadError> {
        const CALL: &str = "sts GetCallerIdentity";
        self.count();
        let page = call!("sts GetCallerIdentity", self.sts.get_caller_identity())?;
        let raw = page.captured.body;
        let account_id = page.value.account.ok_or_else(|| missing(CALL, "Account", &raw))?;
        let arn = page.value.arn.ok_or_else(|| missing(CALL, "Arn", &raw))?;
        Ok(Answer {
            value: Identity { account_id, arn },
            call: CALL.to_owned(),
            raw: vec![raw],
            form: Form::Xml,
            attempts: page.captured.attempts,
        })
    }

    /// The role names of an instance profile.
    pub async fn instance_profile_roles(
        &self,
        name: &str,
    ) -> Result<Answer<Vec<String>>, ReadError> {
        const CALL: &str = "iam GetInstanceProfile";
        self.count();
        let request = self.iam.get_instance_profile().instance_profile_name(name);
        let page = call!("iam GetInstanceProfile", request)?;
        let raw = page.captured.body;
        let profile = page.value.instance_profile();
        let profile = profile.ok_or_else(|| missing(CALL, "InstanceProfile", &raw))?;
        let roles = profile.roles().iter().map(|role| role.role_name().to_owned()).collect();
        Ok(Answer {
            value: roles,
            call: CALL.to_owned(),
            raw: vec![raw],
            form: Form::Xml,
            attempts: page.captured.attempts,
        })
    }

    /// Every policy document that the role has, inline and attached. The lists are read at the
    /// same time, then the documents.
    pub async fn role_policies(
        &self,
        role: &str,
    ) -> Result<Vec<Answer<PolicyDocument>>, ReadError> {
        let (inline, attached) =
            futures::try_join!(self.inline_policy_names(role), self.attached_policies(role))?;
        let inline = inline.into_iter().map(|name| self.inline_policy(role, name));
        let attached = attached.into_iter().map(|arn| self.attached_policy(arn));
        let (mut inline, attached) = futures::try_join!(
            futures::future::try_join_all(inline),
            futures::future::try_join_all(attached)
        )?;
        inline.extend(attached);
        Ok(inline)
    }

    async fn inline_policy_names(&self, role: &str) -> Result<Vec<String>, ReadError> {
        let mut names = Vec::new();
        let mut marker = None;
        loop {
            self.count();
            let request = self.iam.list_role_policies().role_name(role).set_marker(marker);
            let page = call!("iam ListRolePolicies", request)?;
            names.extend_from_slice(page.value.policy_names());
            match page.value.marker {
                Some(next) if page.value.is_truncated => marker = Some(next),
                _ => return Ok(names),
            }
        }
    }

    async fn attached_policies(&self, role: &str) -> Result<Vec<String>, ReadError> {
        const CALL: &str = "iam ListAttachedRolePolicies";
        let mut arns = Vec::new();
        let mut marker = None;
        loop {
            self.count();
            let request = self.iam.list_attached_role_policies().role_name(role).set_marker(marker);
            let page = call!("iam ListAttachedRolePolicies", request)?;
            for policy in page.value.attached_policies() {
                let arn = policy.policy_arn().map(str::to_owned);
                arns.push(arn.ok_or_else(|| missing(CALL, "PolicyArn", &page.captured.body))?);
            }
            match page.value.marker {
                Some(next) if page.value.is_truncated => marker = Some(next),
                _ => return Ok(arns),
            }
        }
    }

    async fn inline_policy(
        &self,
        role: &str,
        name: String,
    ) -> Result<Answer<PolicyDocument>, ReadError> {
        self.count();
        let request = self.iam.get_role_policy().role_name(role).policy_name(&name);
        let page = call!("iam GetRolePolicy", request)?;
        Ok(Answer {
            value: PolicyDocument {
                name: DocumentName::Inline(name),
                text: page.value.policy_document,
            },
            call: "iam GetRolePolicy".to_owned(),
            raw: vec![page.captured.body],
            form: Form::Xml,
            attempts: page.captured.attempts,
        })
    }

    pub(super) async fn attached_policy(
        &self,
        arn: String,
    ) -> Result<Answer<PolicyDocument>, ReadError> {
        self.count();
        let page = call!("iam GetPolicy", self.iam.get_policy().policy_arn(&arn))?;
        let version = page.value.policy().and_then(|policy| policy.default_version_id());
        let version = version
            .ok_or_else(|| missing("iam GetPolicy", "DefaultVersionId", &page.captured.body))?
            .to_owned();
        self.count();
        let request = self.iam.get_policy_version().policy_arn(&arn).version_id(&version);
        let page = call!("iam GetPolicyVersion", request)?;
        let document = page.value.policy_version().and_then(|version| version.document());
        let document = document
            .ok_or_else(|| missing("iam GetPolicyVersion", "Document", &page.captured.body))?;
        Ok(Answer {
            value: PolicyDocument {
                text: document.to_owned(),
                name: DocumentName::Attached { arn, version },
            },
            call: "iam GetPolicyVersion".to_owned(),
            raw: vec![page.captured.body],
            form: Form::Xml,
            attempts: page.captured.attempts,
        })
    }
}

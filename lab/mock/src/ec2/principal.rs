//! Whoever calls, as policies see it: its ARN, its documents, what it is called.

use super::identify::Caller;
use super::policy::{Context, Decision, PolicyEvaluation, Question, evaluate_documents};
use crate::cloud::{Cloud, NamedPolicy, Role, User};

#[derive(Debug)]
pub struct Principal<'a> {
    pub arn: String,
    pub user_id: String,
    pub name: Option<&'a str>,
    documents: Vec<NamedPolicy<'a>>,
    /// A session's own policy and a role's boundary: it may what each of them allows as well.
    limits: Vec<NamedPolicy<'a>>,
    is_root: bool,
}

impl<'a> Principal<'a> {
    /// None where the role or the user is no longer there.
    pub fn of(cloud: &'a Cloud, caller: &Caller) -> Option<Self> {
        match caller {
            Caller::Operator => Some(Self {
                arn: cloud.operator.arn.clone(),
                user_id: cloud.operator.user_id.clone(),
                name: cloud.operator.arn.rsplit('/').next(),
                documents: vec![],
                limits: vec![],
                is_root: true,
            }),
            Caller::User { name } => cloud.iam.users.get(name).map(|user| Self::user(cloud, user)),
            Caller::Instance { instance_id } => {
                let role = cloud.role_of(instance_id)?;
                Some(Self::session(cloud, role, instance_id))
            }
            Caller::Session { access_key_id } => {
                let session = cloud.iam.sessions.get(access_key_id)?;
                let role = cloud.iam.roles.get(&session.role)?;
                let mut principal = Self::session(cloud, role, &session.name);
                let limit = session.policy.as_deref();
                principal.limits.extend(limit.map(|text| NamedPolicy { name: "session", text }));
                Some(principal)
            }
        }
    }

    pub fn user(cloud: &'a Cloud, user: &'a User) -> Self {
        Self {
            arn: user.arn.clone(),
            user_id: user.id.clone(),
            name: Some(&user.name),
            documents: cloud.iam.documents_of_user(user).collect(),
            limits: vec![],
            is_root: false,
        }
    }

    /// A role by itself, as simulations ask about it.
    pub fn role(cloud: &'a Cloud, role: &'a Role) -> Self {
        Self {
            arn: role.arn.clone(),
            user_id: role.id.clone(),
            name: None,
            documents: cloud.iam.documents(role).collect(),
            limits: cloud.iam.boundary_of(role).into_iter().collect(),
            is_root: false,
        }
    }

    fn session(cloud: &'a Cloud, role: &'a Role, name: &str) -> Self {
        Self {
            arn: cloud.assumed_role_arn(&role.name, name),
            user_id: format!("{}:{name}", role.id),
            ..Self::role(cloud, role)
        }
    }

    /// With documents that are not stored anywhere.
    #[must_use]
    pub fn with(mut self, documents: impl IntoIterator<Item = NamedPolicy<'a>>) -> Self {
        self.documents.extend(documents);
        self
    }

    pub fn nobody() -> Self {
        Self {
            arn: String::new(),
            user_id: String::new(),
            name: None,
            documents: vec![],
            limits: vec![],
            is_root: false,
        }
    }

    pub fn verdict(&self, question: &Question<'_>) -> PolicyEvaluation {
        if self.is_root {
            return PolicyEvaluation {
                decision: Decision::Allowed,
                matched: vec![],
                missing: std::collections::BTreeSet::new(),
            };
        }
        let verdict = evaluate_documents(self.documents.iter().copied(), question);
        let limited =
            self.limits.iter().map(|it| evaluate_documents(std::iter::once(*it), question));
        let narrower = limited.into_iter().find(|it| it.decision != Decision::Allowed);
        match narrower {
            Some(narrower) if verdict.decision == Decision::Allowed => narrower,
            _ => verdict,
        }
    }

    /// The condition keys that every request of this principal has.
    pub fn context(&self, account_id: &str) -> Context {
        let kind = if self.name.is_some() { "User" } else { "AssumedRole" };
        let mut context: Context = [
            ("aws:principalarn", self.policy_arn(account_id)),
            ("aws:principalaccount", account_id.to_owned()),
            ("aws:principaltype", kind.to_owned()),
            ("aws:userid", self.user_id.clone()),
            // Stands for the real endpoint, which is HTTPS.
            ("aws:securetransport", "true".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), vec![value]))
        .into();
        if let Some(name) = self.name {
            context.insert("aws:username".to_owned(), vec![name.to_owned()]);
        }
        context
    }

    /// Conditions see the role, not its session.
    fn policy_arn(&self, account_id: &str) -> String {
        match self.arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next()) {
            Some(role) => format!("arn:aws:iam::{account_id}:role/{role}"),
            None => self.arn.clone(),
        }
    }
}

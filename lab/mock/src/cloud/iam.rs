//! Roles, policies, instance profiles, and who the operator is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Tags;

/// IAM is global: one for the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Iam {
    /// By name.
    pub roles: BTreeMap<String, Role>,
    /// By ARN.
    pub policies: BTreeMap<String, ManagedPolicy>,
    /// By name.
    pub instance_profiles: BTreeMap<String, InstanceProfile>,
    /// By name.
    #[serde(default)]
    pub users: BTreeMap<String, User>,
    /// Roles that were assumed, by access key id.
    #[serde(default)]
    pub sessions: BTreeMap<String, Session>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub path: String,
    pub created_at: DateTime<Utc>,
    /// Documents by policy name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs.
    pub attached_policies: Vec<String>,
    /// Secrets by access key id.
    pub access_keys: BTreeMap<String, String>,
    pub tags: Tags,
}

/// A session that AssumeRole hands out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The role's name.
    pub role: String,
    pub name: String,
    pub secret_access_key: String,
    pub session_token: String,
    pub expires_at: DateTime<Utc>,
    /// It may what both this and the role allow.
    pub policy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub path: String,
    pub created_at: DateTime<Utc>,
    /// The trust policy, as JSON.
    pub trust_policy: String,
    /// Documents by policy name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs.
    pub attached_policies: Vec<String>,
    /// The ARN of its permissions boundary.
    #[serde(default)]
    pub boundary: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub path: String,
    pub created_at: DateTime<Utc>,
    /// AWS's `DefaultVersionId`, such as `v1`.
    pub default_version: String,
    pub versions: BTreeMap<String, PolicyVersion>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub document: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceProfile {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub path: String,
    pub created_at: DateTime<Utc>,
    /// Role names: none or one.
    pub roles: Vec<String>,
}

/// The harness's own identity. The keys are AWS's documentation's examples: they open nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    pub arn: String,
    pub user_id: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// One document that says what somebody may do.
#[derive(Clone, Copy, Debug)]
pub struct NamedPolicy<'a> {
    /// The policy's name.
    pub name: &'a str,
    pub text: &'a str,
}

impl Iam {
    /// The documents that say what a role may do: inline ones and the default versions of attached
    /// ones.
    pub fn documents<'a>(&'a self, role: &'a Role) -> impl Iterator<Item = NamedPolicy<'a>> {
        self.all(&role.inline_policies, &role.attached_policies)
    }

    /// The same of a user.
    pub fn documents_of_user<'a>(
        &'a self,
        user: &'a User,
    ) -> impl Iterator<Item = NamedPolicy<'a>> {
        self.all(&user.inline_policies, &user.attached_policies)
    }

    /// The document of the role's permissions boundary: it may what both this and its own allow.
    pub fn boundary_of<'a>(&'a self, role: &'a Role) -> Option<NamedPolicy<'a>> {
        // One that is not there any more allows nothing.
        let nothing = NamedPolicy { name: "a boundary that is not there", text: "{}" };
        let arn = role.boundary.as_ref()?;
        Some(self.managed(arn).unwrap_or(nothing))
    }

    fn managed(&self, arn: &String) -> Option<NamedPolicy<'_>> {
        let policy = self.policies.get(arn)?;
        let version = policy.versions.get(&policy.default_version)?;
        Some(NamedPolicy { name: &policy.name, text: &version.document })
    }

    fn all<'a>(
        &'a self,
        inline: &'a BTreeMap<String, String>,
        attached: &'a [String],
    ) -> impl Iterator<Item = NamedPolicy<'a>> {
        let attached = attached.iter().filter_map(|arn| self.managed(arn));
        inline.iter().map(|(name, text)| NamedPolicy { name, text }).chain(attached)
    }
}

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
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub path: String,
    pub created_at: DateTime<Utc>,
    /// As `v1`.
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

impl Iam {
    /// The documents that say what a role may do: inline ones and the default versions of attached
    /// ones.
    pub fn documents<'a>(&'a self, role: &'a Role) -> impl Iterator<Item = &'a str> {
        let attached = role.attached_policies.iter().filter_map(|arn| {
            let policy = self.policies.get(arn)?;
            Some(policy.versions.get(&policy.default_version)?.document.as_str())
        });
        role.inline_policies.values().map(String::as_str).chain(attached)
    }
}

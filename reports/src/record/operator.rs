//! The records of who asks EC2 for the lab, where, and how a node was reached.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operator's identity: how it was chosen, who AWS says that it is, and until when. No credential
/// and no access key id is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorIdentified {
    /// The link of the chain that won.
    pub link: IdentityLink,
    /// The name of the profile that the SDK's own chain was told to take; absent where it was told none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The SDK's name for the way by which it got the credentials before any role was assumed.
    pub source: String,
    /// The ARN of the role that was assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed_role: Option<String>,
    /// The ARN of the caller that assumed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_before: Option<String>,
    /// The ARN of the caller of EC2.
    pub caller: String,
    /// The name of the role's session, as CloudTrail has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// The end of these credentials; absent where they have none, or nobody says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    pub renewal: Renewal,
    /// The partition of the caller's ARN, as `aws` or `aws-cn`.
    pub partition: String,
    /// The services that are asked elsewhere than at the partition's own endpoints. Where there are any,
    /// this was not AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<AskedElsewhere>,
}

/// A service that is asked at an endpoint that is not its partition's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedElsewhere {
    /// `ec2`, `sts` or `iam`.
    pub service: String,
    pub url: String,
}

/// A link of the chain by which the operator's identity is chosen; the first that says something wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityLink {
    /// `--assume-role`.
    Flag,
    /// `LAB_SMOKE_ASSUME_ROLE_ARN`.
    Environment,
    /// The manifest's `[identity]`.
    Manifest,
    /// `LAB_SMOKE_ASSUME_ROLE_ARN_DEFAULT`.
    Default,
    /// The SDK's own chain, and no role.
    Ambient,
}

/// Whether credentials can be had anew before they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Renewal {
    /// They have no end.
    NotNeeded,
    /// The chain gives others.
    Possible,
    /// A session whose source is gone with it: the environment's, or one that was written into a file.
    Impossible,
}

/// The operator's credentials could not be renewed: nothing more was begun from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorLost {
    /// The error as it came.
    pub why: String,
    /// The end of the credentials that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The commands that show what is wrong, and that bring the run to its end afterwards.
    pub owner_commands: Vec<String>,
}

/// A node's address as EC2 told it when a connection was to be made. It proves nothing: the pinned host
/// key does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressRead {
    pub node: String,
    pub instance_id: String,
    /// `public` or `private`.
    pub reach: String,
    /// Absent where the instance has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The instance's state then.
    pub state: String,
}

//! Who a request is from: its access key says so.

use chrono::{DateTime, TimeDelta, Utc};

use crate::mock::cloud::{Cloud, ids};

/// An identity that AWS knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    Operator,
    /// A program on an instance, with the role of its profile.
    Instance {
        instance_id: String,
    },
}

/// What the metadata service hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Whose key it is, if anyone's.
pub fn identify(cloud: &Cloud, access_key_id: &str) -> Option<Caller> {
    if access_key_id == cloud.operator.access_key_id {
        return Some(Caller::Operator);
    }
    let instance = cloud.instances.keys().find(|id| instance_key(cloud, id) == access_key_id)?;
    cloud.role_of(instance)?;
    Some(Caller::Instance { instance_id: instance.clone() })
}

/// None where no role is attached.
pub fn instance_credentials(
    cloud: &Cloud,
    instance_id: &str,
    now: DateTime<Utc>,
) -> Option<Credentials> {
    cloud.role_of(instance_id)?;
    Some(Credentials {
        access_key_id: instance_key(cloud, instance_id),
        secret_access_key: ids::secret(cloud.seed, instance_id),
        session_token: ids::secret(cloud.seed, &format!("session/{instance_id}")),
        issued_at: now,
        expires_at: now + TimeDelta::hours(6),
    })
}

fn instance_key(cloud: &Cloud, instance_id: &str) -> String {
    ids::unique_id("ASIA", cloud.seed, instance_id).chars().take(20).collect()
}

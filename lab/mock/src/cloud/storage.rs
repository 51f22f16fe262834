//! EBS volumes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Tags;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    pub id: String,
    pub size_gib: u32,
    pub volume_type: String,
    pub availability_zone: String,
    pub created_at: DateTime<Utc>,
    pub attachments: Vec<VolumeAttachment>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeAttachment {
    pub instance_id: String,
    pub device: String,
    pub delete_on_termination: bool,
    pub attached_at: DateTime<Utc>,
}

impl Volume {
    pub fn status(&self) -> &'static str {
        if self.attachments.is_empty() { "available" } else { "in-use" }
    }
}

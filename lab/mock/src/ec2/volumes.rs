//! EBS volumes.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, VOLUME};
use super::filters::{self, FilterField};
use super::paging;
use super::render;
use super::xml::Xml;
use crate::cloud::{Volume, VolumeAttachment};

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeVolumes",
        &["VolumeId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change(
        "DeleteVolume",
        Resources::Of { kind: "volume", parameter: "VolumeId" },
        &["VolumeId"],
        delete,
    ),
];

const FIELDS: &[FilterField<Volume>] = &[
    ("attachment.attach-time", |_, volume| {
        attached(volume, |attachment| render::format_time(attachment.attached_at))
    }),
    ("attachment.delete-on-termination", |_, volume| {
        attached(volume, |attachment| attachment.delete_on_termination.to_string())
    }),
    ("attachment.device", |_, volume| attached(volume, |a| a.device.clone())),
    ("attachment.instance-id", |_, volume| attached(volume, |a| a.instance_id.clone())),
    ("attachment.status", |_, volume| attached(volume, |_| "attached".to_owned())),
    ("availability-zone", |_, volume| vec![volume.availability_zone.clone()]),
    ("create-time", |_, volume| vec![render::format_time(volume.created_at)]),
    ("encrypted", |_, _| vec!["false".to_owned()]),
    ("multi-attach-enabled", |_, _| vec!["false".to_owned()]),
    ("snapshot-id", |_, _| vec![String::new()]),
    ("size", |_, volume| vec![volume.size_gib.to_string()]),
    ("status", |_, volume| vec![volume.status().to_owned()]),
    ("volume-id", |_, volume| vec![volume.id.clone()]),
    ("volume-type", |_, volume| vec![volume.volume_type.clone()]),
];

fn attached(volume: &Volume, shown: impl Fn(&VolumeAttachment) -> String) -> Vec<String> {
    volume.attachments.iter().map(shown).collect()
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen = render::find_by_ids(&VOLUME, &cloud.volumes, &params.list("VolumeId"))?;
    let selected = filters::select(cloud, params, FIELDS, Some(|v| &v.tags), chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("VolumeId"), selected)?;
    let mut xml = Xml::new();
    xml.items("volumeSet", page, |xml, volume| write_volume(xml, volume, volume.status()));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

pub fn write_volume(xml: &mut Xml, volume: &Volume, status: &str) {
    xml.leaf("volumeId", &volume.id);
    xml.leaf("size", volume.size_gib);
    xml.leaf("snapshotId", "");
    xml.leaf("availabilityZone", &volume.availability_zone);
    xml.leaf("status", status);
    xml.leaf("createTime", render::format_time(volume.created_at));
    xml.items("attachmentSet", &volume.attachments, |xml, attachment| {
        xml.leaf("volumeId", &volume.id);
        xml.leaf("instanceId", &attachment.instance_id);
        xml.leaf("device", &attachment.device);
        xml.leaf("status", "attached");
        xml.leaf("attachTime", render::format_time(attachment.attached_at));
        xml.leaf("deleteOnTermination", attachment.delete_on_termination);
    });
    render::tag_set(xml, &volume.tags);
    xml.leaf("volumeType", &volume.volume_type);
    xml.leaf("iops", 3000);
    xml.leaf("throughput", 125);
    xml.leaf("encrypted", false);
    xml.leaf("multiAttachEnabled", false);
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("VolumeId")?;
    let volume = render::find_by_id(&VOLUME, &mut call.cloud.volumes, id)?;
    if let Some(attachment) = volume.attachments.first() {
        return Err(ApiError::bad(
            "VolumeInUse",
            format!("Volume {id} is currently attached to {}", attachment.instance_id),
        ));
    }
    call.cloud.volumes.remove(id);
    Ok(render::return_true())
}

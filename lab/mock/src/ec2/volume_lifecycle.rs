//! Volumes of their own: made, attached, detached.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, INSTANCE, VOLUME};
use super::render;
use super::tags;
use super::volumes::write_volume;
use super::xml::Xml;
use crate::cloud::zones::list_zones;
use crate::cloud::{Cloud, InstanceState, Volume, VolumeAttachment};

const WITH_INSTANCE: Resources =
    Resources::Many(&[("volume", "VolumeId"), ("instance", "InstanceId")]);

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::change(
        "CreateVolume",
        Resources::New { kind: "volume", with: &[] },
        &[
            "AvailabilityZone",
            "Size",
            "VolumeType",
            "ClientToken",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        create,
    ),
    ApiOperation::change(
        "AttachVolume",
        WITH_INSTANCE,
        &["Device", "InstanceId", "VolumeId"],
        attach,
    ),
    ApiOperation::change(
        "DetachVolume",
        WITH_INSTANCE,
        &["Device", "InstanceId", "VolumeId", "Force"],
        detach,
    ),
];

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let zone = params.required("AvailabilityZone")?;
    if !list_zones(&call.cloud.region).iter().any(|(name, _)| name == zone) {
        return Err(ApiError::bad(
            "InvalidZone.NotFound",
            format!("The zone '{zone}' does not exist."),
        ));
    }
    let kinds = ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"];
    let volume_type = params.one_of("VolumeType", &kinds)?.unwrap_or("gp2");
    params.required("Size")?;
    let size_gib: u32 = params.number("Size")?.unwrap_or_default();
    if !(1..=16_384).contains(&size_gib) {
        return Err(ApiError::invalid_value(format!(
            "Volume of {size_gib}GiB is invalid; the size must be between 1 and 16384 GiB."
        )));
    }
    let volume = Volume {
        id: call.cloud.new_id("vol"),
        size_gib,
        volume_type: volume_type.to_owned(),
        availability_zone: zone.to_owned(),
        created_at: call.now,
        attachments: vec![],
        tags: tags::read_specified_tags(params, &["volume"], "volume")?,
    };
    let mut xml = Xml::new();
    write_volume(&mut xml, &volume, "creating");
    call.cloud.volumes.insert(volume.id.clone(), volume);
    Ok(xml)
}

fn attach(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let (id, instance_id) = (params.required("VolumeId")?, params.required("InstanceId")?);
    let device = params.required("Device")?;
    check(call.cloud, id, instance_id, device)?;
    let attachment = VolumeAttachment {
        instance_id: instance_id.to_owned(),
        device: device.to_owned(),
        delete_on_termination: false,
        attached_at: call.now,
    };
    let mut xml = Xml::new();
    show(&mut xml, id, &attachment, "attaching");
    render::find_by_id(&VOLUME, &mut call.cloud.volumes, id)?.attachments.push(attachment);
    Ok(xml)
}

fn check(cloud: &mut Cloud, id: &str, instance_id: &str, device: &str) -> Result<(), ApiError> {
    let volume = render::find_by_id(&VOLUME, &mut cloud.volumes, id)?.clone();
    let instance = render::find_by_id(&INSTANCE, &mut cloud.instances, instance_id)?.clone();
    if !volume.attachments.is_empty() {
        return Err(ApiError::bad(
            "VolumeInUse",
            format!("{id} is already attached to an instance"),
        ));
    }
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        return Err(ApiError::bad(
            "IncorrectState",
            format!("Instance '{instance_id}' is not 'running'."),
        ));
    }
    if volume.availability_zone != instance.availability_zone {
        return Err(ApiError::bad(
            "InvalidVolume.ZoneMismatch",
            format!(
                "The volume '{id}' is not in the same availability zone as instance '{instance_id}'"
            ),
        ));
    }
    let is_taken = |a: &VolumeAttachment| a.instance_id == instance_id && a.device == device;
    if cloud.volumes.values().any(|volume| volume.attachments.iter().any(is_taken)) {
        return Err(ApiError::invalid_value(format!(
            "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        )));
    }
    Ok(())
}

/// A root volume only from a stopped instance.
fn detach(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("VolumeId")?;
    params.flag("Force")?;
    let volume = render::find_by_id(&VOLUME, &mut call.cloud.volumes, id)?;
    let Some(attachment) = volume.attachments.first().cloned() else {
        return Err(ApiError::bad(
            "IncorrectState",
            format!("Volume '{id}' is in the 'available' state."),
        ));
    };
    let (instance, device) = (params.text("InstanceId"), params.text("Device"));
    if instance.is_some_and(|own| own != attachment.instance_id)
        || device.is_some_and(|own| own != attachment.device)
    {
        return Err(ApiError::bad(
            "InvalidAttachment.NotFound",
            "The volume is not attached to the specified instance as the specified device.",
        ));
    }
    let instance = call.cloud.instances.get(&attachment.instance_id);
    let is_root = instance.is_some_and(|instance| {
        instance.root_device_name == attachment.device && instance.state != InstanceState::Stopped
    });
    if is_root {
        return Err(ApiError::bad(
            "OperationNotPermitted",
            format!(
                "Unable to detach root volume '{id}' from instance '{}'",
                attachment.instance_id
            ),
        ));
    }
    volume.attachments.clear();
    let mut xml = Xml::new();
    show(&mut xml, id, &attachment, "detaching");
    Ok(xml)
}

fn show(xml: &mut Xml, id: &str, attachment: &VolumeAttachment, status: &str) {
    xml.leaf("volumeId", id);
    xml.leaf("instanceId", &attachment.instance_id);
    xml.leaf("device", &attachment.device);
    xml.leaf("status", status);
    xml.leaf("attachTime", render::format_time(attachment.attached_at));
    xml.leaf("deleteOnTermination", attachment.delete_on_termination);
}

//! RunInstances: instances with their interfaces and volumes.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::ApiError;
use super::images;
use super::instances;
use super::key_pairs;
use super::launch_cards::{Card, plug_card, read_cards};
use super::params::Params;
use super::tags;
use super::xml::Xml;
use crate::cloud::{
    Cloud, Image, Instance, InstanceState, ShutdownBehavior, Tags, Volume, VolumeAttachment,
    instance_types,
};

pub const ACTIONS: &[ApiOperation] = &[ApiOperation::change(
    "RunInstances",
    Resources::New {
        kind: "instance",
        with: &[
            ("image", "ImageId"),
            ("key-pair", "KeyName"),
            ("subnet", "SubnetId"),
            ("security-group", "SecurityGroupId"),
        ],
    },
    &[
        "ImageId",
        "InstanceType",
        "MinCount",
        "MaxCount",
        "KeyName",
        "SubnetId",
        "SecurityGroupId.N",
        "PrivateIpAddress",
        "NetworkInterface.N.DeviceIndex",
        "NetworkInterface.N.NetworkInterfaceId",
        "NetworkInterface.N.SubnetId",
        "NetworkInterface.N.SecurityGroupId.N",
        "NetworkInterface.N.PrivateIpAddress",
        "NetworkInterface.N.PrivateIpAddresses.N.PrivateIpAddress",
        "NetworkInterface.N.PrivateIpAddresses.N.Primary",
        "NetworkInterface.N.SecondaryPrivateIpAddressCount",
        "NetworkInterface.N.Description",
        "NetworkInterface.N.AssociatePublicIpAddress",
        "NetworkInterface.N.DeleteOnTermination",
        "IamInstanceProfile.Name",
        "IamInstanceProfile.Arn",
        "BlockDeviceMapping.N.DeviceName",
        "BlockDeviceMapping.N.Ebs.VolumeSize",
        "BlockDeviceMapping.N.Ebs.VolumeType",
        "BlockDeviceMapping.N.Ebs.DeleteOnTermination",
        "Placement.AvailabilityZone",
        "UserData",
        "DisableApiStop",
        "DisableApiTermination",
        "ClientToken",
        "TagSpecification.N.ResourceType",
        "TagSpecification.N.Tag.N.Key",
        "TagSpecification.N.Tag.N.Value",
    ],
    run,
)];

pub const TAGGABLE: &[&str] = &["instance", "volume", "network-interface"];

/// Everything but the interfaces.
struct Launch {
    image: Image,
    instance_type: &'static instance_types::InstanceType,
    key_name: Option<String>,
    profile: Option<String>,
    devices: Vec<Device>,
    instance_tags: Tags,
    volume_tags: Tags,
    reservation_id: String,
    client_token: String,
    user_data: Option<String>,
    disable_api_termination: bool,
    disable_api_stop: bool,
}

struct Device {
    name: String,
    size_gib: u32,
    volume_type: String,
    delete_on_termination: bool,
}

fn run(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let launch = launch(call)?;
    let (least, most) = counts(call.params)?;
    let cards = read_cards(call, most)?;
    let mut ids = Vec::new();
    for index in 0..most {
        let before = call.cloud.clone();
        match one(call, &launch, &cards, index) {
            Ok(id) => ids.push(id),
            // As many as there is room for, where these are enough.
            Err(error)
                if error.code == "InsufficientFreeAddressesInSubnet" && ids.len() >= least =>
            {
                *call.cloud = before;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let cloud = &*call.cloud;
    let mut xml = Xml::new();
    xml.leaf("reservationId", &launch.reservation_id);
    xml.leaf("ownerId", &cloud.account_id);
    xml.items("groupSet", [(); 0], |_, ()| {});
    let made = ids.iter().filter_map(|id| cloud.instances.get(id));
    xml.items("instancesSet", made, |xml, made| instances::write_instance(xml, cloud, made));
    Ok(xml)
}

fn counts(params: &Params) -> Result<(usize, usize), ApiError> {
    params.required("MinCount")?;
    params.required("MaxCount")?;
    let least: usize = params.number("MinCount")?.unwrap_or_default();
    let most: usize = params.number("MaxCount")?.unwrap_or_default();
    if least == 0 || most < least {
        return Err(ApiError::invalid_value(format!(
            "Value ({least}) for parameter minCount is invalid. Must be at least 1 and at most maxCount ({most})."
        )));
    }
    Ok((least, most))
}

fn launch(call: &mut ApiCall<'_>) -> Result<Launch, ApiError> {
    let params = call.params;
    let image_id = params.required("ImageId")?;
    let image = images::find_images(call.cloud, &[image_id])?[0].clone();
    let name = params.text("InstanceType").unwrap_or("m1.small");
    let instance_type = instance_types::find(name).ok_or_else(|| {
        ApiError::invalid_value(format!("Invalid value '{name}' for InstanceType."))
    })?;
    if instance_type.architecture != image.architecture {
        return Err(ApiError::invalid_value(format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
            instance_type.architecture, image.architecture
        )));
    }
    let key_name = params.text("KeyName").map(str::to_owned);
    if let Some(name) = &key_name {
        key_pairs::by_name(call.cloud, name)?;
    }
    Ok(Launch {
        devices: devices(params, &image)?,
        image,
        instance_type,
        key_name,
        profile: profile(call.cloud, params)?,
        instance_tags: tags::read_specified_tags(params, TAGGABLE, "instance")?,
        volume_tags: tags::read_specified_tags(params, TAGGABLE, "volume")?,
        reservation_id: call.cloud.new_id("r"),
        client_token: params.text("ClientToken").unwrap_or_default().to_owned(),
        user_data: params.text("UserData").map(str::to_owned),
        disable_api_termination: params.flag("DisableApiTermination")? == Some(true),
        disable_api_stop: params.flag("DisableApiStop")? == Some(true),
    })
}

/// By name or by ARN.
fn profile(cloud: &Cloud, params: &Params) -> Result<Option<String>, ApiError> {
    let all = &cloud.iam.instance_profiles;
    let (field, text, found) = match (
        params.text("IamInstanceProfile.Name"),
        params.text("IamInstanceProfile.Arn"),
    ) {
        (None, None) => return Ok(None),
        (Some(name), None) => ("name", name, all.get(name)),
        (None, Some(arn)) => ("arn", arn, all.values().find(|profile| profile.arn == arn)),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid_combination(
                "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
            ));
        }
    };
    found.map(|profile| Some(profile.name.clone())).ok_or_else(|| {
        ApiError::invalid_value(format!(
            "Value ({text}) for parameter iamInstanceProfile.{field} is invalid. Invalid IAM Instance Profile {field}"
        ))
    })
}

/// The image's root device, changed as asked for, and what is added.
fn devices(params: &Params, image: &Image) -> Result<Vec<Device>, ApiError> {
    let mut devices = vec![Device {
        name: image.root_device_name.clone(),
        size_gib: image.size_gib,
        volume_type: "gp3".to_owned(),
        delete_on_termination: true,
    }];
    for number in params.numbers("BlockDeviceMapping") {
        let prefix = format!("BlockDeviceMapping.{number}");
        let name = params.required(&format!("{prefix}.DeviceName"))?;
        let size: Option<u32> = params.number(&format!("{prefix}.Ebs.VolumeSize"))?;
        let kind = params.text(&format!("{prefix}.Ebs.VolumeType"));
        let goes = params.flag(&format!("{prefix}.Ebs.DeleteOnTermination"))?;
        let existing = devices.iter_mut().find(|device| device.name == name);
        let Some(device) = existing else {
            let size_gib = size.ok_or_else(|| {
                ApiError::bad(
                    "MissingParameter",
                    "The request must contain the parameter size or snapshotId",
                )
            })?;
            devices.push(Device {
                name: name.to_owned(),
                size_gib,
                volume_type: kind.unwrap_or("gp2").to_owned(),
                delete_on_termination: goes.unwrap_or(true),
            });
            continue;
        };
        if size.is_some_and(|size| size < image.size_gib) {
            return Err(ApiError::bad(
                "InvalidBlockDeviceMapping",
                format!(
                    "Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB",
                    size.unwrap_or_default(),
                    image.snapshot_id,
                    image.size_gib
                ),
            ));
        }
        device.size_gib = size.unwrap_or(device.size_gib);
        device.volume_type = kind.unwrap_or(&device.volume_type).to_owned();
        device.delete_on_termination = goes.unwrap_or(true);
    }
    Ok(devices)
}

fn one(
    call: &mut ApiCall<'_>,
    launch: &Launch,
    cards: &[Card],
    index: usize,
) -> Result<String, ApiError> {
    let id = call.cloud.new_id("i");
    let mut zone = None;
    for card in cards {
        zone = Some(plug_card(call, &id, card, launch.instance_type)?);
    }
    let zone = zone.unwrap_or_default();
    if call.params.text("Placement.AvailabilityZone").is_some_and(|wanted| wanted != zone) {
        return Err(ApiError::invalid_combination(
            "The availability zone and the subnet's availability zone do not match",
        ));
    }
    for device in &launch.devices {
        add_volume(call, &id, &zone, launch, device);
    }
    let mut instance = Instance {
        id: id.clone(),
        reservation_id: launch.reservation_id.clone(),
        image_id: launch.image.id.clone(),
        instance_type: launch.instance_type.name.to_owned(),
        availability_zone: zone,
        key_name: launch.key_name.clone(),
        launched_at: call.now,
        state: InstanceState::Pending,
        changed_at: call.now,
        transition: None,
        state_reason: None,
        instance_profile: launch.profile.clone(),
        root_device_name: launch.image.root_device_name.clone(),
        client_token: launch.client_token.clone(),
        launch_index: index,
        disable_api_termination: launch.disable_api_termination,
        disable_api_stop: launch.disable_api_stop,
        one_time_spot: false,
        instance_store_root: false,
        slow_ms: 0,
        shutdown_behavior: ShutdownBehavior::default(),
        user_data: launch.user_data.clone(),
        tags: launch.instance_tags.clone(),
    };
    instance.enter(InstanceState::Pending, call.now);
    call.cloud.instances.insert(id.clone(), instance);
    Ok(id)
}

fn add_volume(
    call: &mut ApiCall<'_>,
    instance_id: &str,
    zone: &str,
    launch: &Launch,
    device: &Device,
) {
    let volume = Volume {
        id: call.cloud.new_id("vol"),
        size_gib: device.size_gib,
        volume_type: device.volume_type.clone(),
        availability_zone: zone.to_owned(),
        created_at: call.now,
        attachments: vec![VolumeAttachment {
            instance_id: instance_id.to_owned(),
            device: device.name.clone(),
            delete_on_termination: device.delete_on_termination,
            attached_at: call.now,
        }],
        tags: launch.volume_tags.clone(),
    };
    call.cloud.volumes.insert(volume.id.clone(), volume);
}

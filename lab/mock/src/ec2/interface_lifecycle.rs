//! Network interfaces of their own: made, attached, detached, unmade.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ATTACHMENT, ApiError, INSTANCE, INTERFACE};
use super::interfaces::{write_attachment, write_interface};
use super::new_interfaces::{self, NewInterface};
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::{Attachment, Cloud, InstanceState, NetworkInterface, instance_types};

const TARGET: Resources =
    Resources::Of { kind: "network-interface", parameter: "NetworkInterfaceId" };
const WITH_INSTANCE: Resources =
    Resources::Many(&[("network-interface", "NetworkInterfaceId"), ("instance", "InstanceId")]);

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::change(
        "CreateNetworkInterface",
        Resources::New {
            kind: "network-interface",
            with: &[("subnet", "SubnetId"), ("security-group", "SecurityGroupId")],
        },
        &[
            "SubnetId",
            "Description",
            "PrivateIpAddress",
            "PrivateIpAddresses.N.PrivateIpAddress",
            "PrivateIpAddresses.N.Primary",
            "SecondaryPrivateIpAddressCount",
            "SecurityGroupId.N",
            "ClientToken",
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        create,
    ),
    ApiOperation::change("DeleteNetworkInterface", TARGET, &["NetworkInterfaceId"], delete),
    ApiOperation::change(
        "AttachNetworkInterface",
        WITH_INSTANCE,
        &["NetworkInterfaceId", "InstanceId", "DeviceIndex"],
        attach,
    ),
    ApiOperation::change(
        "DetachNetworkInterface",
        Resources::Any,
        &["AttachmentId", "Force"],
        detach,
    ),
    ApiOperation::describe(
        "DescribeNetworkInterfaceAttribute",
        &["NetworkInterfaceId", "Attribute"],
        describe_attribute,
    ),
];

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    params.required("SubnetId")?;
    let mut wanted = NewInterface::read(params, "")?;
    wanted.tags = tags::read_specified_tags(params, &["network-interface"], "network-interface")?;
    let eni = new_interfaces::make(call.cloud, &wanted)?;
    let id = eni.id.clone();
    call.cloud.network_interfaces.insert(id.clone(), eni);
    let mut xml = Xml::new();
    xml.element("networkInterface", |xml| {
        if let Some(eni) = call.cloud.interface(&id) {
            write_interface(xml, call.cloud, eni, "pending");
        }
    });
    xml.leaf_if("clientToken", params.text("ClientToken"));
    Ok(xml)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("NetworkInterfaceId")?;
    let eni = render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
    if eni.attachment.is_some() {
        return Err(ApiError::invalid_value(format!(
            "Network interface '{id}' is currently in use."
        )));
    }
    call.cloud.network_interfaces.remove(id);
    for address in call.cloud.addresses.values_mut() {
        address.association.take_if(|association| association.network_interface_id == id);
    }
    Ok(render::return_true())
}

fn attach(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("NetworkInterfaceId")?;
    let instance_id = params.required("InstanceId")?;
    params.required("DeviceIndex")?;
    let device_index = params.number("DeviceIndex")?.unwrap_or_default();
    if render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?.attachment.is_some()
    {
        return Err(ApiError::bad(
            "InvalidNetworkInterface.InUse",
            format!("Interface: [{id}] in use."),
        ));
    }
    check_instance(call.cloud, id, instance_id, device_index)?;
    let attachment = Attachment {
        id: call.cloud.new_id("eni-attach"),
        device_index,
        delete_on_termination: false,
        attached_at: call.now,
    };
    let mut xml = Xml::new();
    xml.leaf("attachmentId", &attachment.id);
    xml.leaf("networkCardIndex", 0);
    let eni = render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
    eni.instance_id = Some(instance_id.to_owned());
    eni.attachment = Some(attachment);
    Ok(xml)
}

fn check_instance(
    cloud: &mut Cloud,
    id: &str,
    instance_id: &str,
    device_index: u32,
) -> Result<(), ApiError> {
    let instance = render::find_by_id(&INSTANCE, &mut cloud.instances, instance_id)?.clone();
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        return Err(ApiError::bad(
            "IncorrectState",
            format!("Instance '{instance_id}' is not in the 'running' or 'stopped' state."),
        ));
    }
    let zone = cloud
        .interface(id)
        .and_then(|eni| cloud.subnets.get(&eni.subnet_id))
        .map(|subnet| subnet.availability_zone.as_str());
    if zone != Some(instance.availability_zone.as_str()) {
        return Err(ApiError::invalid_combination(
            "You may not attach a network interface to an instance if they are not in the same availability zone",
        ));
    }
    let attached = cloud.interfaces_of(instance_id);
    let has_index = |eni: &&NetworkInterface| {
        eni.attachment.as_ref().map(|a| a.device_index) == Some(device_index)
    };
    if attached.iter().any(has_index) {
        return Err(ApiError::invalid_value(format!(
            "Instance '{instance_id}' already has an interface attached at device index '{device_index}'."
        )));
    }
    let kind = instance_types::find(&instance.instance_type);
    if kind.is_some_and(|kind| attached.len() >= kind.interfaces as usize) {
        return Err(ApiError::bad(
            "AttachmentLimitExceeded",
            format!(
                "Interface count {} exceeds the limit for {}",
                attached.len() + 1,
                instance.instance_type
            ),
        ));
    }
    Ok(())
}

fn detach(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AttachmentId")?;
    call.params.flag("Force")?;
    ATTACHMENT.check(id)?;
    let all = &mut call.cloud.network_interfaces;
    let eni = all
        .values_mut()
        .find(|eni| eni.attachment.as_ref().is_some_and(|attachment| attachment.id == id))
        .ok_or_else(|| ATTACHMENT.not_found(&[id]))?;
    if eni.attachment.as_ref().is_some_and(|attachment| attachment.device_index == 0) {
        return Err(ApiError::bad(
            "OperationNotPermitted",
            "The network interface at device index 0 cannot be detached.",
        ));
    }
    eni.attachment = None;
    eni.instance_id = None;
    Ok(render::return_true())
}

fn describe_attribute(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("NetworkInterfaceId")?;
    params.required("Attribute")?;
    let attribute = params
        .one_of("Attribute", &["description", "groupSet", "sourceDestCheck", "attachment"])?;
    render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
    let cloud = &*call.cloud;
    let Some(eni) = cloud.interface(id) else { return Err(INTERFACE.not_found(&[id])) };
    let mut xml = Xml::new();
    xml.leaf("networkInterfaceId", id);
    match attribute {
        Some("description") => {
            xml.element("description", |xml| xml.leaf("value", &eni.description));
        }
        Some("groupSet") => render::group_set(&mut xml, cloud, &eni.groups),
        Some("sourceDestCheck") => {
            xml.element("sourceDestCheck", |xml| xml.leaf("value", eni.source_dest_check));
        }
        _ => write_attachment(&mut xml, cloud, eni),
    }
    Ok(xml)
}

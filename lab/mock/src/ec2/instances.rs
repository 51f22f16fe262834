//! Instances: describe, stop, start, terminate.

use chrono::{DateTime, Utc};

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, INSTANCE};
use super::filters;
use super::instance_filters::{FIELDS, of_interfaces};
use super::paging;
use super::render::{self, Association};
use super::xml::Xml;
use crate::cloud::{
    Cloud, Instance, InstanceState, NetworkInterface, VolumeAttachment, instance_types,
};

const TARGET: Resources = Resources::Of { kind: "instance", parameter: "InstanceId" };

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeInstances",
        &["InstanceId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change("StopInstances", TARGET, &["InstanceId.N", "Force"], stop),
    ApiOperation::change("StartInstances", TARGET, &["InstanceId.N"], start),
    ApiOperation::change("TerminateInstances", TARGET, &["InstanceId.N"], terminate),
];

pub fn find_architecture(instance: &Instance) -> &'static str {
    instance_types::find(&instance.instance_type).map_or("x86_64", |found| found.architecture)
}

pub fn public_ip(cloud: &Cloud, instance: &Instance) -> Option<std::net::Ipv4Addr> {
    let interfaces = cloud.interfaces_of(&instance.id);
    let eni = interfaces.first()?;
    cloud.public_address_on(eni, eni.primary()?)
}

/// The profile's ARN and id.
pub fn find_profile(cloud: &Cloud, instance: &Instance) -> Option<(String, String)> {
    let profile = cloud.iam.instance_profiles.get(instance.instance_profile.as_ref()?)?;
    Some((profile.arn.clone(), profile.id.clone()))
}

pub fn find_attachments<'a>(
    cloud: &'a Cloud,
    instance_id: &'a str,
) -> impl Iterator<Item = (&'a str, &'a VolumeAttachment)> {
    cloud.volumes.values().flat_map(move |volume| {
        let own = volume.attachments.iter().filter(move |a| a.instance_id == instance_id);
        own.map(|attachment| (volume.id.as_str(), attachment))
    })
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let ids = params.list("InstanceId");
    let chosen = render::find_by_ids(&INSTANCE, &cloud.instances, &ids)?;
    let selected =
        filters::select_nested(cloud, params, FIELDS, Some(|i| &i.tags), of_interfaces, chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("InstanceId"), selected)?;
    let mut reservations: Vec<&str> = page.iter().map(|i| i.reservation_id.as_str()).collect();
    reservations.sort_unstable();
    reservations.dedup();
    let mut xml = Xml::new();
    xml.items("reservationSet", reservations, |xml, reservation| {
        xml.leaf("reservationId", reservation);
        xml.leaf("ownerId", &cloud.account_id);
        xml.items("groupSet", [(); 0], |_, ()| {});
        let members = page.iter().filter(|instance| instance.reservation_id == reservation);
        xml.items("instancesSet", members, |xml, member| write_instance(xml, cloud, member));
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

pub fn write_instance(xml: &mut Xml, cloud: &Cloud, instance: &Instance) {
    xml.leaf("instanceId", &instance.id);
    xml.leaf("imageId", &instance.image_id);
    render::write_state(xml, "instanceState", instance.state);
    let interfaces = cloud.interfaces_of(&instance.id);
    let first = interfaces.first().copied();
    let private = first.and_then(NetworkInterface::primary);
    let public = public_ip(cloud, instance);
    let dns = private.map(|address| render::private_dns_name(cloud, address));
    xml.leaf("privateDnsName", dns.unwrap_or_default());
    let dns = public.map(|address| render::public_dns_name(cloud, address));
    xml.leaf("dnsName", dns.unwrap_or_default());
    let reason = instance.state_reason.as_ref();
    xml.leaf("reason", reason.map_or("", |reason| reason.transition.as_str()));
    xml.leaf_if("keyName", instance.key_name.as_ref());
    xml.leaf("amiLaunchIndex", instance.launch_index);
    xml.items("productCodes", [(); 0], |_, ()| {});
    xml.leaf("instanceType", &instance.instance_type);
    xml.leaf("launchTime", render::format_time(instance.launched_at));
    xml.element("placement", |xml| {
        xml.leaf("availabilityZone", &instance.availability_zone);
        xml.leaf("groupName", "");
        xml.leaf("tenancy", "default");
    });
    xml.element("monitoring", |xml| xml.leaf("state", "disabled"));
    xml.leaf_if("subnetId", first.map(|eni| &eni.subnet_id));
    xml.leaf_if("vpcId", first.map(|eni| &eni.vpc_id));
    xml.leaf_if("privateIpAddress", private);
    xml.leaf_if("ipAddress", public);
    xml.leaf_if("sourceDestCheck", first.map(|eni| eni.source_dest_check));
    render::group_set(xml, cloud, first.map_or(&[], |eni| eni.groups.as_slice()));
    if let Some(reason) = reason {
        xml.element("stateReason", |xml| {
            xml.leaf("code", &reason.code);
            xml.leaf("message", &reason.message);
        });
    }
    xml.leaf("architecture", find_architecture(instance));
    let store = instance.instance_store_root;
    xml.leaf("rootDeviceType", if store { "instance-store" } else { "ebs" });
    xml.leaf("rootDeviceName", &instance.root_device_name);
    block_devices(xml, cloud, instance);
    xml.leaf("virtualizationType", "hvm");
    xml.leaf_if("instanceLifecycle", instance.one_time_spot.then_some("spot"));
    xml.leaf("clientToken", &instance.client_token);
    render::tag_set(xml, &instance.tags);
    xml.leaf("hypervisor", "xen");
    xml.items("networkInterfaceSet", interfaces, |xml, eni| interface(xml, cloud, eni));
    if let Some((arn, id)) = find_profile(cloud, instance) {
        xml.element("iamInstanceProfile", |xml| {
            xml.leaf("arn", arn);
            xml.leaf("id", id);
        });
    }
    xml.leaf("ebsOptimized", false);
    xml.leaf("enaSupport", true);
    xml.element("metadataOptions", |xml| {
        xml.leaf("state", "applied");
        xml.leaf("httpTokens", "required");
        xml.leaf("httpPutResponseHopLimit", 2);
        xml.leaf("httpEndpoint", "enabled");
    });
}

pub fn block_devices(xml: &mut Xml, cloud: &Cloud, instance: &Instance) {
    let attached = find_attachments(cloud, &instance.id);
    xml.items("blockDeviceMapping", attached, |xml, (volume_id, attachment)| {
        xml.leaf("deviceName", &attachment.device);
        xml.element("ebs", |xml| {
            xml.leaf("volumeId", volume_id);
            xml.leaf("status", "attached");
            xml.leaf("attachTime", render::format_time(attachment.attached_at));
            xml.leaf("deleteOnTermination", attachment.delete_on_termination);
        });
    });
}

/// Writes an interface as DescribeNetworkInterfaces does, without the association's ids.
fn interface(xml: &mut Xml, cloud: &Cloud, eni: &NetworkInterface) {
    if let Some(primary) = eni.primary() {
        render::write_association(xml, cloud, eni, primary, Association::WithoutIds);
    }
    if let Some(attachment) = &eni.attachment {
        xml.element("attachment", |xml| {
            xml.leaf("attachTime", render::format_time(attachment.attached_at));
            xml.leaf("attachmentId", &attachment.id);
            xml.leaf("deleteOnTermination", attachment.delete_on_termination);
            xml.leaf("deviceIndex", attachment.device_index);
            xml.leaf("status", "attached");
            xml.leaf("networkCardIndex", 0);
        });
    }
    render::write_interface_fields(xml, cloud, eni, Association::WithoutIds);
    xml.leaf("status", eni.status());
}

fn stop(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    call.params.flag("Force")?;
    for id in call.params.list("InstanceId") {
        call.cloud.instances.get(id).map_or(Ok(()), can_be_stopped)?;
    }
    change(call, |instance, now| match instance.state {
        InstanceState::Running => {
            instance.enter(InstanceState::Stopping, now);
            Ok(())
        }
        InstanceState::Stopping | InstanceState::Stopped => Ok(()),
        _ => Err("stopped"),
    })
}

fn not_permitted(id: &str, what: &str, attribute: &str) -> ApiError {
    ApiError::bad(
        "OperationNotPermitted",
        format!(
            "The instance '{id}' may not be {what}. Modify its '{attribute}' instance attribute and try again."
        ),
    )
}

/// The protection, and what cannot be stopped by its kind.
fn can_be_stopped(instance: &Instance) -> Result<(), ApiError> {
    let id = &instance.id;
    if instance.disable_api_stop {
        return Err(not_permitted(id, "stopped", "disableApiStop"));
    }
    let why = match (instance.one_time_spot, instance.instance_store_root) {
        (true, _) => format!(
            "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests."
        ),
        (false, true) => format!(
            "The instance '{id}' does not have an 'ebs' root device type and cannot be stopped."
        ),
        (false, false) => return Ok(()),
    };
    Err(ApiError::bad("UnsupportedOperation", why))
}

fn start(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    change(call, |instance, now| match instance.state {
        InstanceState::Stopped => {
            instance.enter(InstanceState::Pending, now);
            Ok(())
        }
        InstanceState::Pending | InstanceState::Running => Ok(()),
        _ => Err("started"),
    })
}

fn terminate(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    for id in call.params.list("InstanceId") {
        let Some(found) = call.cloud.instances.get(id) else { continue };
        if found.disable_api_termination {
            return Err(not_permitted(id, "terminated", "disableApiTermination"));
        }
        if found.disable_api_stop {
            return Err(not_permitted(id, "terminated", "disableApiStop"));
        }
    }
    change(call, |instance, now| {
        if !matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) {
            instance.enter(InstanceState::ShuttingDown, now);
        }
        Ok(())
    })
}

/// A step from an instance's state, or what it cannot be from there.
type StateStep = fn(&mut Instance, DateTime<Utc>) -> Result<(), &'static str>;

fn change(call: &mut ApiCall<'_>, step: StateStep) -> Result<Xml, ApiError> {
    let ids = call.params.required_list("InstanceId")?;
    render::find_by_ids(&INSTANCE, &call.cloud.instances, &ids)?;
    let mut changes = Vec::new();
    for id in ids {
        let instance = render::find_by_id(&INSTANCE, &mut call.cloud.instances, id)?;
        let before = instance.state;
        step(instance, call.now).map_err(|verb| {
            ApiError::bad(
                "IncorrectInstanceState",
                format!("The instance '{id}' is not in a state from which it can be {verb}."),
            )
        })?;
        changes.push((id, before, instance.state));
    }
    let mut xml = Xml::new();
    xml.items("instancesSet", changes, |xml, (id, before, after)| {
        xml.leaf("instanceId", id);
        render::write_state(xml, "currentState", after);
        render::write_state(xml, "previousState", before);
    });
    Ok(xml)
}

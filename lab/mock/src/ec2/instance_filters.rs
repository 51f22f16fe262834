//! The names by which instances are filtered.

use super::filters::{FilterField, Reader};
use super::instances::{find_architecture, find_attachments, find_profile, public_ip};
use super::interfaces;
use super::render;
use crate::cloud::{Cloud, Instance, NetworkInterface, StateReason, VolumeAttachment};

pub const FIELDS: &[FilterField<Instance>] = &[
    ("availability-zone-id", |cloud, instance| {
        first(cloud, instance, |eni| {
            Some(cloud.subnets.get(&eni.subnet_id)?.availability_zone_id.clone())
        })
    }),
    ("block-device-mapping.attach-time", |cloud, instance| {
        attached(cloud, instance, |attachment| render::format_time(attachment.attached_at))
    }),
    ("block-device-mapping.delete-on-termination", |cloud, instance| {
        attached(cloud, instance, |attachment| attachment.delete_on_termination.to_string())
    }),
    ("block-device-mapping.device-name", |cloud, instance| {
        attached(cloud, instance, |attachment| attachment.device.clone())
    }),
    ("block-device-mapping.status", |cloud, instance| {
        attached(cloud, instance, |_| "attached".to_owned())
    }),
    ("dns-name", |cloud, instance| {
        let public = public_ip(cloud, instance);
        public.map(|address| render::public_dns_name(cloud, address)).into_iter().collect()
    }),
    ("ebs-optimized", |_, _| vec!["false".to_owned()]),
    ("ena-support", |_, _| vec!["true".to_owned()]),
    ("hypervisor", |_, _| vec!["xen".to_owned()]),
    ("iam-instance-profile.id", |cloud, instance| {
        find_profile(cloud, instance).map(|(_, id)| id).into_iter().collect()
    }),
    ("instance.group-name", |cloud, instance| {
        let name = |id: &String| cloud.security_groups.get(id).map(|group| group.name.clone());
        enis(cloud, instance, |eni| eni.groups.iter().filter_map(name).collect())
    }),
    ("launch-index", |_, instance| vec![instance.launch_index.to_string()]),
    ("metadata-options.http-endpoint", |_, _| vec!["enabled".to_owned()]),
    ("metadata-options.http-put-response-hop-limit", |_, _| vec!["2".to_owned()]),
    ("metadata-options.http-tokens", |_, _| vec!["required".to_owned()]),
    ("metadata-options.state", |_, _| vec!["applied".to_owned()]),
    ("monitoring-state", |_, _| vec!["disabled".to_owned()]),
    ("private-dns-name", |cloud, instance| {
        first(cloud, instance, |eni| Some(render::private_dns_name(cloud, eni.primary()?)))
    }),
    ("reason", |_, instance| reason(instance, |reason| reason.transition.clone())),
    ("root-device-type", |_, _| vec!["ebs".to_owned()]),
    ("state-reason-code", |_, instance| reason(instance, |reason| reason.code.clone())),
    ("state-reason-message", |_, instance| reason(instance, |reason| reason.message.clone())),
    ("tenancy", |_, _| vec!["default".to_owned()]),
    ("virtualization-type", |_, _| vec!["hvm".to_owned()]),
    ("architecture", |_, instance| vec![find_architecture(instance).to_owned()]),
    ("availability-zone", |_, instance| vec![instance.availability_zone.clone()]),
    ("block-device-mapping.volume-id", |cloud, instance| {
        find_attachments(cloud, &instance.id).map(|(volume, _)| volume.to_owned()).collect()
    }),
    ("iam-instance-profile.arn", |cloud, instance| {
        find_profile(cloud, instance).map(|(arn, _)| arn).into_iter().collect()
    }),
    ("image-id", |_, instance| vec![instance.image_id.clone()]),
    ("instance-id", |_, instance| vec![instance.id.clone()]),
    ("instance-state-code", |_, instance| vec![instance.state.code().to_string()]),
    ("instance-state-name", |_, instance| vec![instance.state.as_str().to_owned()]),
    ("instance-type", |_, instance| vec![instance.instance_type.clone()]),
    ("instance.group-id", |cloud, instance| enis(cloud, instance, |eni| eni.groups.clone())),
    ("ip-address", |cloud, instance| {
        public_ip(cloud, instance).map(|address| address.to_string()).into_iter().collect()
    }),
    ("key-name", |_, instance| instance.key_name.iter().cloned().collect()),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("private-ip-address", |cloud, instance| {
        first(cloud, instance, |eni| eni.primary().map(|address| address.to_string()))
    }),
    ("reservation-id", |_, instance| vec![instance.reservation_id.clone()]),
    ("root-device-name", |_, instance| vec![instance.root_device_name.clone()]),
    ("source-dest-check", |cloud, instance| {
        first(cloud, instance, |eni| Some(eni.source_dest_check.to_string()))
    }),
    ("client-token", |_, instance| vec![instance.client_token.clone()]),
    ("launch-time", |_, instance| vec![render::format_time(instance.launched_at)]),
    ("subnet-id", |cloud, instance| first(cloud, instance, |eni| Some(eni.subnet_id.clone()))),
    ("vpc-id", |cloud, instance| first(cloud, instance, |eni| Some(eni.vpc_id.clone()))),
];

fn enis(
    cloud: &Cloud,
    instance: &Instance,
    shown: impl Fn(&NetworkInterface) -> Vec<String>,
) -> Vec<String> {
    cloud.interfaces_of(&instance.id).into_iter().flat_map(shown).collect()
}

fn first(
    cloud: &Cloud,
    instance: &Instance,
    shown: impl Fn(&NetworkInterface) -> Option<String>,
) -> Vec<String> {
    cloud.interfaces_of(&instance.id).first().and_then(|eni| shown(eni)).into_iter().collect()
}

/// `network-interface.X` is X of any of its interfaces.
pub fn of_interfaces(name: &str) -> Option<Reader<'static, Instance>> {
    let name = name.strip_prefix("network-interface.")?;
    let (_, shown) = interfaces::FIELDS.iter().find(|(own, _)| *own == name)?;
    Some(Box::new(move |cloud, instance| enis(cloud, instance, |eni| shown(cloud, eni))))
}

fn attached(
    cloud: &Cloud,
    instance: &Instance,
    shown: impl Fn(&VolumeAttachment) -> String,
) -> Vec<String> {
    find_attachments(cloud, &instance.id).map(|(_, attachment)| shown(attachment)).collect()
}

fn reason(instance: &Instance, shown: impl Fn(&StateReason) -> String) -> Vec<String> {
    instance.state_reason.iter().map(shown).collect()
}

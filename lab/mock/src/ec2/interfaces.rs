//! Network interfaces: describe them, change an attribute.

use std::net::Ipv4Addr;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, INTERFACE, SECURITY_GROUP};
use super::filters::{self, FilterField};
use super::render::{self, Association};
use super::xml::Xml;
use super::{paging, params};
use crate::cloud::{Cloud, ElasticIp, NetworkInterface};

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeNetworkInterfaces",
        &["NetworkInterfaceId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change(
        "ModifyNetworkInterfaceAttribute",
        Resources::Of { kind: "network-interface", parameter: "NetworkInterfaceId" },
        &[
            "NetworkInterfaceId",
            "SourceDestCheck.Value",
            "Description.Value",
            "SecurityGroupId.N",
            "Attachment.AttachmentId",
            "Attachment.DeleteOnTermination",
        ],
        modify,
    ),
];

pub const FIELDS: &[FilterField<NetworkInterface>] = &[
    ("addresses.association.allocation-id", allocation_ids),
    ("addresses.association.association-id", association_ids),
    ("addresses.association.ip-owner-id", public_owners),
    ("addresses.association.owner-id", public_owners),
    ("addresses.association.public-dns-name", public_names),
    ("addresses.private-dns-name", |cloud, eni| {
        eni.addresses().map(|address| render::private_dns_name(cloud, address)).collect()
    }),
    ("association.ip-owner-id", public_owners),
    ("association.public-dns-name", public_names),
    ("attachment.attach-time", |_, eni| {
        eni.attachment
            .iter()
            .map(|attachment| render::format_time(attachment.attached_at))
            .collect()
    }),
    ("attachment.instance-owner-id", |cloud, eni| {
        eni.attachment.iter().map(|_| cloud.account_id.clone()).collect()
    }),
    ("attachment.network-card-index", |_, eni| {
        eni.attachment.iter().map(|_| "0".to_owned()).collect()
    }),
    ("availability-zone-id", |cloud, eni| {
        let subnet = cloud.subnets.get(&eni.subnet_id);
        subnet.map(|subnet| subnet.availability_zone_id.clone()).into_iter().collect()
    }),
    ("addresses.private-ip-address", |_, eni| eni.addresses().map(|a| a.to_string()).collect()),
    ("addresses.primary", |_, eni| {
        eni.private_addresses.iter().map(|private| private.primary.to_string()).collect()
    }),
    ("addresses.association.public-ip", public_ips),
    ("association.public-ip", public_ips),
    ("association.allocation-id", allocation_ids),
    ("association.association-id", association_ids),
    ("attachment.attachment-id", |_, eni| {
        eni.attachment.iter().map(|attachment| attachment.id.clone()).collect()
    }),
    ("attachment.delete-on-termination", |_, eni| {
        eni.attachment.iter().map(|a| a.delete_on_termination.to_string()).collect()
    }),
    ("attachment.device-index", |_, eni| {
        eni.attachment.iter().map(|attachment| attachment.device_index.to_string()).collect()
    }),
    ("attachment.instance-id", |_, eni| eni.instance_id.iter().cloned().collect()),
    ("attachment.status", |_, eni| eni.attachment.iter().map(|_| "attached".to_owned()).collect()),
    ("availability-zone", |cloud, eni| zone(cloud, eni).into_iter().collect()),
    ("description", |_, eni| vec![eni.description.clone()]),
    ("group-id", |_, eni| eni.groups.clone()),
    ("group-name", |cloud, eni| {
        let name = |id| cloud.security_groups.get(id).map(|group| group.name.clone());
        eni.groups.iter().filter_map(name).collect()
    }),
    ("interface-type", |_, _| vec!["interface".to_owned()]),
    ("mac-address", |_, eni| vec![eni.mac.clone()]),
    ("network-interface-id", |_, eni| vec![eni.id.clone()]),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("private-dns-name", |cloud, eni| {
        eni.primary().map(|address| render::private_dns_name(cloud, address)).into_iter().collect()
    }),
    ("private-ip-address", |_, eni| eni.addresses().map(|a| a.to_string()).collect()),
    ("requester-managed", |_, _| vec!["false".to_owned()]),
    ("source-dest-check", |_, eni| vec![eni.source_dest_check.to_string()]),
    ("status", |_, eni| vec![eni.status().to_owned()]),
    ("subnet-id", |_, eni| vec![eni.subnet_id.clone()]),
    ("vpc-id", |_, eni| vec![eni.vpc_id.clone()]),
];

fn elastic<'a>(
    cloud: &'a Cloud,
    eni: &'a NetworkInterface,
) -> impl Iterator<Item = &'a ElasticIp> + 'a {
    eni.addresses().filter_map(|private| cloud.address_on(&eni.id, private))
}

fn public<'a>(cloud: &'a Cloud, eni: &'a NetworkInterface) -> impl Iterator<Item = Ipv4Addr> + 'a {
    eni.addresses().filter_map(|private| cloud.public_address_on(eni, private))
}

fn public_ips(cloud: &Cloud, eni: &NetworkInterface) -> Vec<String> {
    public(cloud, eni).map(|address| address.to_string()).collect()
}

fn public_names(cloud: &Cloud, eni: &NetworkInterface) -> Vec<String> {
    public(cloud, eni).map(|address| render::public_dns_name(cloud, address)).collect()
}

fn public_owners(cloud: &Cloud, eni: &NetworkInterface) -> Vec<String> {
    let elastic = elastic(cloud, eni).map(|_| cloud.account_id.clone());
    elastic.chain(eni.launch_address.address().map(|_| "amazon".to_owned())).collect()
}

fn allocation_ids(cloud: &Cloud, eni: &NetworkInterface) -> Vec<String> {
    elastic(cloud, eni).map(|address| address.allocation_id.clone()).collect()
}

fn association_ids(cloud: &Cloud, eni: &NetworkInterface) -> Vec<String> {
    elastic(cloud, eni).filter_map(|a| Some(a.association.as_ref()?.id.clone())).collect()
}

fn zone(cloud: &Cloud, eni: &NetworkInterface) -> Option<String> {
    cloud.subnets.get(&eni.subnet_id).map(|subnet| subnet.availability_zone.clone())
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let ids = params.list("NetworkInterfaceId");
    let chosen = render::find_by_ids(&INTERFACE, &cloud.network_interfaces, &ids)?;
    let selected = filters::select(cloud, params, FIELDS, Some(|eni| &eni.tags), chosen)?;
    let (page, next) =
        paging::take_page(params, &paging::USUAL, Some("NetworkInterfaceId"), selected)?;
    let mut xml = Xml::new();
    xml.items("networkInterfaceSet", page, |xml, eni| {
        write_interface(xml, cloud, eni, eni.status());
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

pub fn write_interface(xml: &mut Xml, cloud: &Cloud, eni: &NetworkInterface, status: &str) {
    if let Some(primary) = eni.primary() {
        render::write_association(xml, cloud, eni, primary, Association::WithIds);
    }
    write_attachment(xml, cloud, eni);
    if let Some(subnet) = cloud.subnets.get(&eni.subnet_id) {
        xml.leaf("availabilityZone", &subnet.availability_zone);
        xml.leaf("availabilityZoneId", &subnet.availability_zone_id);
    }
    render::write_interface_fields(xml, cloud, eni, Association::WithIds);
    xml.leaf("requesterManaged", false);
    xml.leaf("status", status);
    render::tag_set(xml, &eni.tags);
}

pub fn write_attachment(xml: &mut Xml, cloud: &Cloud, eni: &NetworkInterface) {
    let Some(attachment) = &eni.attachment else { return };
    xml.element("attachment", |xml| {
        xml.leaf("attachTime", render::format_time(attachment.attached_at));
        xml.leaf("attachmentId", &attachment.id);
        xml.leaf("deleteOnTermination", attachment.delete_on_termination);
        xml.leaf("deviceIndex", attachment.device_index);
        xml.leaf("networkCardIndex", 0);
        xml.leaf_if("instanceId", eni.instance_id.as_ref());
        xml.leaf("instanceOwnerId", &cloud.account_id);
        xml.leaf("status", "attached");
    });
}

/// One attribute at a time, as AWS has it.
fn modify(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("NetworkInterfaceId")?;
    let check = params.flag("SourceDestCheck.Value")?;
    let description = params.text("Description.Value");
    let groups = params.list("SecurityGroupId");
    let attachment_id = params.text("Attachment.AttachmentId");
    let asked =
        [check.is_some(), description.is_some(), !groups.is_empty(), attachment_id.is_some()];
    params::one_attribute(&asked)?;
    render::find_by_ids(&SECURITY_GROUP, &call.cloud.security_groups, &groups)?;
    let eni = render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
    if let Some(check) = check {
        eni.source_dest_check = check;
    }
    if let Some(description) = description {
        description.clone_into(&mut eni.description);
    }
    if !groups.is_empty() {
        eni.groups = groups.into_iter().map(str::to_owned).collect();
    }
    if let Some(attachment_id) = attachment_id {
        let keep = params
            .flag("Attachment.DeleteOnTermination")?
            .ok_or_else(|| ApiError::missing("Attachment.DeleteOnTermination"))?;
        modify_attachment(eni, attachment_id, keep)?;
    }
    Ok(render::return_true())
}

fn modify_attachment(
    eni: &mut NetworkInterface,
    id: &str,
    delete_on_termination: bool,
) -> Result<(), ApiError> {
    match eni.attachment.as_mut().filter(|attachment| attachment.id == id) {
        Some(attachment) => {
            attachment.delete_on_termination = delete_on_termination;
            Ok(())
        }
        None => Err(ApiError::bad(
            "InvalidAttachmentID.NotFound",
            format!("The attachment ID '{id}' does not exist"),
        )),
    }
}

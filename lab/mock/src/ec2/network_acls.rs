//! Network ACLs: describe, make, unmake, their numbered entries, and which subnet has which.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ACL_ASSOCIATION, ApiError, NETWORK_ACL, VPC};
use super::filters::{self, FilterField};
use super::paging;
use super::params::Params;
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::{AclAssociation, AclEntry, Cloud, LAST_RULE, NetworkAcl};

const TARGET: Resources = Resources::Of { kind: "network-acl", parameter: "NetworkAclId" };
const ENTRY: &[&str] = &[
    "NetworkAclId",
    "RuleNumber",
    "Protocol",
    "RuleAction",
    "Egress",
    "CidrBlock",
    "PortRange.From",
    "PortRange.To",
    "Icmp.Code",
    "Icmp.Type",
];

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeNetworkAcls",
        &["NetworkAclId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change(
        "CreateNetworkAcl",
        Resources::New { kind: "network-acl", with: &[("vpc", "VpcId")] },
        tags::IN_VPC,
        create,
    ),
    ApiOperation::change("DeleteNetworkAcl", TARGET, &["NetworkAclId"], delete),
    ApiOperation::change("CreateNetworkAclEntry", TARGET, ENTRY, create_entry),
    ApiOperation::change("ReplaceNetworkAclEntry", TARGET, ENTRY, replace_entry),
    ApiOperation::change(
        "DeleteNetworkAclEntry",
        TARGET,
        &["NetworkAclId", "RuleNumber", "Egress"],
        delete_entry,
    ),
    ApiOperation::change(
        "ReplaceNetworkAclAssociation",
        TARGET,
        &["AssociationId", "NetworkAclId"],
        replace_association,
    ),
];

const FIELDS: &[FilterField<NetworkAcl>] = &[
    ("association.association-id", |_, acl| {
        acl.associations.iter().map(|a| a.id.clone()).collect()
    }),
    ("association.network-acl-id", |_, acl| {
        acl.associations.iter().map(|_| acl.id.clone()).collect()
    }),
    ("association.subnet-id", |_, acl| {
        acl.associations.iter().map(|a| a.subnet_id.clone()).collect()
    }),
    ("default", |_, acl| vec![acl.is_default.to_string()]),
    ("entry.cidr", |_, acl| acl.entries.iter().map(|e| e.cidr.to_string()).collect()),
    ("entry.egress", |_, acl| acl.entries.iter().map(|e| e.egress.to_string()).collect()),
    ("entry.icmp.code", |_, acl| entries(acl, |e| e.icmp.map(|(_, code)| code))),
    ("entry.icmp.type", |_, acl| entries(acl, |e| e.icmp.map(|(kind, _)| kind))),
    ("entry.port-range.from", |_, acl| entries(acl, |e| e.ports.map(|(from, _)| from))),
    ("entry.port-range.to", |_, acl| entries(acl, |e| e.ports.map(|(_, to)| to))),
    ("entry.protocol", |_, acl| acl.entries.iter().map(|e| e.protocol.clone()).collect()),
    ("entry.rule-action", |_, acl| {
        acl.entries.iter().map(|entry| action(entry.allow).to_owned()).collect()
    }),
    ("entry.rule-number", |_, acl| acl.entries.iter().map(|e| e.number.to_string()).collect()),
    ("network-acl-id", |_, acl| vec![acl.id.clone()]),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("vpc-id", |_, acl| vec![acl.vpc_id.clone()]),
];

fn entries(acl: &NetworkAcl, shown: fn(&AclEntry) -> Option<i32>) -> Vec<String> {
    acl.entries.iter().filter_map(shown).map(|number| number.to_string()).collect()
}

fn action(allow: bool) -> &'static str {
    if allow { "allow" } else { "deny" }
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen =
        render::find_by_ids(&NETWORK_ACL, &cloud.network_acls, &params.list("NetworkAclId"))?;
    let selected = filters::select(cloud, params, FIELDS, Some(|acl| &acl.tags), chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("NetworkAclId"), selected)?;
    let mut xml = Xml::new();
    xml.items("networkAclSet", page, |xml, acl| detail(xml, cloud, acl));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn detail(xml: &mut Xml, cloud: &Cloud, acl: &NetworkAcl) {
    xml.leaf("networkAclId", &acl.id);
    xml.leaf("vpcId", &acl.vpc_id);
    xml.leaf("ownerId", &cloud.account_id);
    xml.leaf("default", acl.is_default);
    xml.items("entrySet", &acl.entries, entry);
    xml.items("associationSet", &acl.associations, |xml, association| {
        xml.leaf("networkAclAssociationId", &association.id);
        xml.leaf("networkAclId", &acl.id);
        xml.leaf("subnetId", &association.subnet_id);
    });
    render::tag_set(xml, &acl.tags);
}

fn entry(xml: &mut Xml, entry: &AclEntry) {
    xml.leaf("ruleNumber", entry.number);
    xml.leaf("protocol", &entry.protocol);
    xml.leaf("ruleAction", action(entry.allow));
    xml.leaf("egress", entry.egress);
    xml.leaf("cidrBlock", entry.cidr);
    if let Some((from, to)) = entry.ports {
        xml.element("portRange", |xml| {
            xml.leaf("from", from);
            xml.leaf("to", to);
        });
    }
    if let Some((kind, code)) = entry.icmp {
        xml.element("icmpTypeCode", |xml| {
            xml.leaf("type", kind);
            xml.leaf("code", code);
        });
    }
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let vpc_id = call.params.required("VpcId")?;
    let tags = tags::read_specified_tags(call.params, &["network-acl"], "network-acl")?;
    render::find_by_id(&VPC, &mut call.cloud.vpcs, vpc_id)?;
    let acl = NetworkAcl {
        id: call.cloud.new_id("acl"),
        vpc_id: vpc_id.to_owned(),
        is_default: false,
        entries: AclEntry::last_rules(),
        associations: vec![],
        tags,
    };
    let mut xml = Xml::new();
    xml.element("networkAcl", |xml| detail(xml, call.cloud, &acl));
    xml.leaf_if("clientToken", call.params.text("ClientToken"));
    call.cloud.network_acls.insert(acl.id.clone(), acl);
    Ok(xml)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("NetworkAclId")?;
    let acl = render::find_by_id(&NETWORK_ACL, &mut call.cloud.network_acls, id)?;
    if acl.is_default {
        return Err(ApiError::invalid_value(format!("cannot delete default network ACL {id}")));
    }
    if !acl.associations.is_empty() {
        return Err(ApiError::dependencies("networkAcl", id));
    }
    call.cloud.network_acls.remove(id);
    Ok(render::return_true())
}

fn acl<'a>(call: &'a mut ApiCall<'_>) -> Result<&'a mut NetworkAcl, ApiError> {
    let id = call.params.required("NetworkAclId")?;
    render::find_by_id(&NETWORK_ACL, &mut call.cloud.network_acls, id)
}

/// Which entry: a number may stand once for each direction.
fn place(params: &Params) -> Result<(u32, bool), ApiError> {
    params.required("RuleNumber")?;
    let number = params.number("RuleNumber")?.unwrap_or_default();
    if !(1..LAST_RULE).contains(&number) {
        return Err(ApiError::invalid_value(format!(
            "Invalid value '{number}' for ruleNumber. Must be between 1 and 32766"
        )));
    }
    params.required("Egress")?;
    Ok((number, params.flag("Egress")? == Some(true)))
}

fn parse(params: &Params) -> Result<AclEntry, ApiError> {
    let (number, egress) = place(params)?;
    let protocol = match params.required("Protocol")? {
        "tcp" => "6",
        "udp" => "17",
        "icmp" => "1",
        number => number,
    };
    if protocol != "-1" && protocol.parse::<u8>().is_err() {
        return Err(ApiError::invalid_value(format!("Invalid value '{protocol}' for protocol")));
    }
    params.required("RuleAction")?;
    let allow = params.one_of("RuleAction", &["allow", "deny"])? == Some("allow");
    let pair = |from: &str, to: &str| -> Result<Option<(i32, i32)>, ApiError> {
        Ok(params.number(from)?.zip(params.number(to)?))
    };
    let ports = pair("PortRange.From", "PortRange.To")?;
    let icmp = pair("Icmp.Type", "Icmp.Code")?;
    if matches!(protocol, "6" | "17") {
        let (from, to) = ports.ok_or_else(|| ApiError::missing("PortRange"))?;
        if (from, to) != (-1, -1) && !(0 <= from && from <= to && to <= 65535) {
            return Err(ApiError::invalid_value(format!(
                "Invalid value '{from}-{to}' for portRange."
            )));
        }
    }
    if protocol == "1" && icmp.is_none() {
        return Err(ApiError::missing("Icmp"));
    }
    let cidr = params.cidr("CidrBlock")?;
    Ok(AclEntry { number, egress, protocol: protocol.to_owned(), allow, cidr, ports, icmp })
}

fn create_entry(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let new = parse(call.params)?;
    let acl = acl(call)?;
    if acl.entries.iter().any(|own| own.number == new.number && own.egress == new.egress) {
        return Err(ApiError::bad(
            "NetworkAclEntryAlreadyExists",
            format!("The network acl entry identified by {} already exists.", new.number),
        ));
    }
    acl.entries.push(new);
    acl.entries.sort_by_key(|entry| (!entry.egress, entry.number));
    Ok(render::return_true())
}

fn replace_entry(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let new = parse(call.params)?;
    let entry = existing(acl(call)?, new.number, new.egress)?;
    *entry = new;
    Ok(render::return_true())
}

fn delete_entry(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (number, egress) = place(call.params)?;
    let acl = acl(call)?;
    existing(acl, number, egress)?;
    acl.entries.retain(|entry| entry.number != number || entry.egress != egress);
    Ok(render::return_true())
}

fn existing(acl: &mut NetworkAcl, number: u32, egress: bool) -> Result<&mut AclEntry, ApiError> {
    let found = acl.entries.iter_mut().find(|e| e.number == number && e.egress == egress);
    found.ok_or_else(|| {
        ApiError::bad(
            "InvalidNetworkAclEntry.NotFound",
            format!("The network acl entry identified by {number} does not exist."),
        )
    })
}

/// A subnet always has one: it only changes.
fn replace_association(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AssociationId")?;
    let to = acl(call)?.id.clone();
    ACL_ASSOCIATION.check(id)?;
    let mut subnet_id = None;
    for acl in call.cloud.network_acls.values_mut() {
        let position = acl.associations.iter().position(|association| association.id == id);
        if let Some(position) = position {
            subnet_id = Some(acl.associations.remove(position).subnet_id);
        }
    }
    let subnet_id = subnet_id.ok_or_else(|| ACL_ASSOCIATION.not_found(&[id]))?;
    let vpc_id = call.cloud.subnets.get(&subnet_id).map(|subnet| subnet.vpc_id.clone());
    let new = call.cloud.new_id("aclassoc");
    let acl = acl(call)?;
    if Some(&acl.vpc_id) != vpc_id.as_ref() {
        return Err(ApiError::invalid_value(format!(
            "Network ACL {to} and subnet {subnet_id} belong to different networks"
        )));
    }
    acl.associations.push(AclAssociation { id: new.clone(), subnet_id });
    let mut xml = Xml::new();
    xml.leaf("newAssociationId", new);
    Ok(xml)
}

//! Nothing else hangs on the lab's resources: no other instance in its security group, no other
//! network reached from its VPC, no other subnet on its route table (hard stop 8).

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{NetworkInterface, Peering, RouteTable, TransitAttachment};
use serde_json::json;

use super::SHARED;
use super::cloud::read;
use super::gather::Read;
use crate::context::Context;
use crate::stops;

/// What was asked about the VPC's ways to others.
pub struct Ways {
    pub peerings: Read<Vec<Peering>>,
    pub transit_attachments: Read<Vec<TransitAttachment>>,
}

pub fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    own: &NetworkInterface,
    interfaces: &[NetworkInterface],
    tables: &[RouteTable],
    ways: Ways,
) {
    let expected = json!({ "others": [] });
    let Some((peerings, how)) = read(ctx, SHARED, &expected, ways.peerings) else { return };
    let Some((attachments, more)) = read(ctx, SHARED, &expected, ways.transit_attachments) else {
        return;
    };
    let mut others = in_the_group(lab, own, interfaces);
    others.extend(peered(&lab.manifest.aws.vpc_id, &peerings));
    others.extend(attached(&attachments));
    others.extend(on_the_table(&lab.manifest.aws.subnet_id, interfaces, tables));
    let message = format!("not the lab's alone: {}", others.join("; "));
    let found = (!others.is_empty()).then(|| message.clone());
    let observed = json!({ "others": others });
    ctx.judge(SHARED, found.is_none(), expected, observed, how.and(more), Some(message));
    ctx.stop(&stops::SHARED, found, &lab.manifest.aws.vpc_id);
}

/// Interfaces of nobody in the manifest that have one of the ENI's security groups.
fn in_the_group(lab: &Lab, own: &NetworkInterface, interfaces: &[NetworkInterface]) -> Vec<String> {
    let ours: BTreeSet<&String> =
        lab.manifest.nodes.values().filter_map(|node| node.instance_id.as_ref()).collect();
    let strange = |eni: &&NetworkInterface| {
        eni.network_interface_id != own.network_interface_id
            && !eni.instance_id.as_ref().is_some_and(|id| ours.contains(id))
            && eni.security_groups.iter().any(|group| own.security_groups.contains(group))
    };
    let named = interfaces.iter().filter(strange).map(|eni| {
        let of = eni.instance_id.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
        format!("{}{of} has the lab's security group", eni.network_interface_id)
    });
    named.collect()
}

/// Peerings that may carry packets, now or once somebody accepts.
fn peered(vpc_id: &str, peerings: &[Peering]) -> Vec<String> {
    let over = ["deleted", "deleting", "rejected", "failed", "expired"];
    let ours = peerings.iter().filter(|it| it.vpc_ids.iter().any(|id| id == vpc_id));
    let open = ours.filter(|it| !over.contains(&it.status.as_str()));
    open.map(|it| {
        let id = &it.vpc_peering_connection_id;
        format!("{id} ({}) peers {} and {}", it.status, it.vpc_ids[0], it.vpc_ids[1])
    })
    .collect()
}

fn attached(attachments: &[TransitAttachment]) -> Vec<String> {
    let over = ["deleted", "deleting", "rejected", "rejecting", "failed"];
    let open = attachments.iter().filter(|it| !over.contains(&it.state.as_str()));
    open.map(|it| {
        format!("{} ({}) is a transit gateway's", it.transit_gateway_attachment_id, it.state)
    })
    .collect()
}

/// Other subnets that use the table of the lab's: associated with it, or, where it is the main one,
/// seen by their interfaces and associated with none.
fn on_the_table(
    subnet_id: &str,
    interfaces: &[NetworkInterface],
    tables: &[RouteTable],
) -> Vec<String> {
    let explicit =
        |subnet: &str| tables.iter().find(|it| it.subnet_ids.iter().any(|id| id == subnet));
    let Some(own) = explicit(subnet_id).or_else(|| tables.iter().find(|table| table.main)) else {
        return Vec::new();
    };
    let seen = interfaces.iter().map(|eni| &eni.subnet_id);
    let by_default = seen.filter(|subnet| own.main && explicit(subnet).is_none());
    let mut others: BTreeSet<&String> = own.subnet_ids.iter().chain(by_default).collect();
    others.retain(|subnet| *subnet != subnet_id);
    let id = &own.route_table_id;
    others.into_iter().map(|subnet| format!("{subnet} uses the route table {id} too")).collect()
}

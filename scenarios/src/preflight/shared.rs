//! Nothing else hangs on the lab's resources: no other instance in its security group, no other
//! network reached from its VPC, no other subnet on its route table (hard stop 8).

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{NetworkInterface, Peering, RouteTable, TransitAttachment};
use serde_json::json;

use super::SHARED;
use super::cloud::read_or_unknown;
use super::gather::Read;
use crate::context::{Context, Ruling};
use crate::stops;

/// The answers about the VPC's ways to others.
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
    let Some((peerings, how)) = read_or_unknown(ctx, SHARED, &expected, ways.peerings) else {
        return;
    };
    let Some((attachments, more)) =
        read_or_unknown(ctx, SHARED, &expected, ways.transit_attachments)
    else {
        return;
    };
    let mut others = in_the_group(lab, own, interfaces);
    others.extend(peered(&lab.manifest.aws.vpc_id, &peerings));
    others.extend(attached(&attachments));
    others.extend(on_the_table(&lab.manifest.aws.subnet_id, interfaces, tables));
    let message = format!("not the lab's alone: {}", others.join("; "));
    let found = (!others.is_empty()).then(|| message.clone());
    let observed = json!({ "others": others });
    let ruling = Ruling::when(found.is_none(), message);
    ctx.check(SHARED).expects(expected).seen(how.and(more)).comes_to(observed, ruling);
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use lab::node::Node;

    use super::*;
    use crate::example::judge_as_scenario;

    fn eni(id: &str, subnet: &str, instance: Option<&str>, groups: &[&str]) -> NetworkInterface {
        NetworkInterface {
            network_interface_id: id.to_owned(),
            owner_id: "123456789012".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            subnet_id: subnet.to_owned(),
            mac_address: "02:00:00:00:00:01".to_owned(),
            source_dest_check: true,
            primary_address: "10.88.60.4".parse().expect("an address"),
            secondary_addresses: Vec::new(),
            security_groups: groups.iter().map(|it| (*it).to_owned()).collect(),
            instance_id: instance.map(str::to_owned),
            tags: lab::ec2::Tags::new(),
        }
    }

    #[test]
    fn a_stranger_in_the_security_group_is_seen() {
        let own = eni("eni-1", "subnet-1", Some("i-1"), &["sg-1"]);
        let table = [
            (own.clone(), None),
            (eni("eni-2", "subnet-1", Some("i-1"), &["sg-1"]), None),
            (eni("eni-2", "subnet-1", Some("i-9"), &["sg-2"]), None),
            (
                eni("eni-2", "subnet-1", Some("i-9"), &["sg-2", "sg-1"]),
                Some("eni-2 of i-9 has the lab's security group"),
            ),
            (eni("eni-2", "subnet-1", None, &["sg-1"]), Some("eni-2 has the lab's security group")),
        ];
        judge_as_scenario("preflight", async |lab, _| {
            let manifest = Rc::make_mut(&mut lab.manifest);
            let router = manifest.nodes.get_mut(&Node::RouterdCloud).expect("a node");
            router.instance_id = Some("i-1".to_owned());
            for (other, expected) in table {
                let found = in_the_group(lab, &own, &[own.clone(), other]);
                assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            }
        });
    }

    #[test]
    fn a_way_to_another_network_is_seen_until_it_is_over() {
        let peering = |status: &str, vpc_ids: [&str; 2]| Peering {
            vpc_peering_connection_id: "pcx-1".to_owned(),
            status: status.to_owned(),
            vpc_ids: vpc_ids.map(str::to_owned),
        };
        let ours = ["vpc-9", "vpc-1"];
        let table = [
            ("active", ours, vec!["pcx-1 (active) peers vpc-9 and vpc-1"]),
            ("pending-acceptance", ours, vec!["pcx-1 (pending-acceptance) peers vpc-9 and vpc-1"]),
            ("deleted", ours, vec![]),
            ("active", ["vpc-8", "vpc-9"], vec![]),
        ];
        for (status, vpc_ids, expected) in table {
            assert_eq!(peered("vpc-1", &[peering(status, vpc_ids)]), expected, "{status}");
        }
        let attachment = |state: &str| TransitAttachment {
            transit_gateway_attachment_id: "tgw-1".to_owned(),
            state: state.to_owned(),
        };
        assert_eq!(
            attached(&[attachment("available")]),
            ["tgw-1 (available) is a transit gateway's"]
        );
        assert!(attached(&[attachment("deleted")]).is_empty());
    }

    #[test]
    fn another_subnet_on_the_route_table_is_seen() {
        let table = |id: &str, main: bool, subnets: &[&str]| RouteTable {
            route_table_id: id.to_owned(),
            main,
            subnet_ids: subnets.iter().map(|it| (*it).to_owned()).collect(),
            routes: std::collections::BTreeMap::new(),
        };
        let of = |subnet: &str| eni("eni-2", subnet, None, &[]);
        let own = |subnets: &[&str]| table("rtb-1", false, subnets);
        let main = |subnets: &[&str]| table("rtb-0", true, subnets);
        let rows = [
            ("its own alone", vec![main(&[]), own(&["subnet-1"])], vec![]),
            (
                "shared",
                vec![main(&[]), own(&["subnet-1", "subnet-2"])],
                vec!["subnet-2 uses the route table rtb-1 too"],
            ),
            (
                "the main one, and all others have their own",
                vec![main(&[]), own(&["subnet-2"])],
                vec![],
            ),
            (
                "the main one, by default",
                vec![main(&[])],
                vec!["subnet-2 uses the route table rtb-0 too"],
            ),
            ("of another's main one", vec![main(&["subnet-3"]), own(&["subnet-1"])], vec![]),
            ("no table at all", vec![], vec![]),
        ];
        for (what, tables, expected) in rows {
            let interfaces = [of("subnet-1"), of("subnet-2")];
            assert_eq!(on_the_table("subnet-1", &interfaces, &tables), expected, "{what}");
        }
    }
}

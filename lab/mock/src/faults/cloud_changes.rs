//! The changes that somebody makes to the cloud around the lab, as one list.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::hand::{CLIENT, Done, ROUTER, interface_of};
use crate::cloud::{AclEntry, Permission, RouteOrigin, RouteTarget, VpcRoute};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloudChange {
    /// The ENI's security group admits one more network.
    GroupRule,
    /// The subnet's network ACL has one more entry.
    AclEntry,
    /// The subnet's route table has one more route.
    Route,
    /// cloud-client's interface is tagged otherwise.
    ClientTag,
    /// The executor's role may more.
    WiderRole,
}

const NOWHERE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24);

impl CloudChange {
    pub fn apply(self, world: &mut World) -> Done {
        match self {
            Self::GroupRule => {
                let group = interface_of(world, ROUTER)?.groups.first().cloned();
                let group = group.and_then(|id| world.cloud.security_groups.get_mut(&id));
                let group = group.ok_or("the ENI has no security group")?;
                group.ingress.push(Permission {
                    protocol: "tcp".to_owned(),
                    ports: Some((8080, 8080)),
                    ranges: vec![NOWHERE],
                    ..Permission::everything()
                });
            }
            Self::AclEntry => {
                let subnet = interface_of(world, ROUTER)?.subnet_id.clone();
                let of_subnet = |id: &str| id == subnet;
                let mut acls = world.cloud.network_acls.values_mut();
                let acl =
                    acls.find(|acl| acl.associations.iter().any(|it| of_subnet(&it.subnet_id)));
                acl.ok_or("the subnet has no ACL")?.entries.push(AclEntry {
                    number: 50,
                    egress: false,
                    protocol: "6".to_owned(),
                    allow: true,
                    cidr: NOWHERE,
                    ports: Some((8080, 8080)),
                    icmp: None,
                });
            }
            Self::Route => {
                let eni = interface_of(world, CLIENT)?;
                let (vpc, eni) = (eni.vpc_id.clone(), eni.id.clone());
                let table = world.cloud.route_tables.values_mut().find(|table| table.vpc_id == vpc);
                table.ok_or("the VPC has no route table")?.routes.push(VpcRoute {
                    destination: NOWHERE,
                    target: RouteTarget::NetworkInterface(eni),
                    origin: RouteOrigin::CreateRoute,
                });
            }
            Self::ClientTag => {
                let tags = &mut interface_of(world, CLIENT)?.tags;
                tags.insert("owner".to_owned(), "somebody".to_owned());
            }
            Self::WiderRole => {
                let role = world.cloud.iam.roles.values_mut().next().ok_or("there is no role")?;
                for document in role.inline_policies.values_mut() {
                    *document = document.replace("ec2:AssignPrivateIpAddresses", "ec2:*");
                }
            }
        }
        Ok(())
    }
}

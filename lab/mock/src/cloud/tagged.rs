//! Every resource that has tags, by id, whatever its kind.

use super::{Cloud, Tags};

/// A kind of resource as tags and ARNs name it, its collection, and how its ids begin.
macro_rules! tagged {
    ($($kind:literal, $prefix:literal, $collection:ident;)*) => {
        impl Cloud {
            /// Calls back with the kind, the id and the tags of everything.
            pub fn each_tagged<'a>(&'a self, mut see: impl FnMut(&'static str, &'a str, &'a Tags)) {
                $(for (id, item) in &self.$collection {
                    see($kind, id, &item.tags);
                })*
            }

            /// The kind and the tags of the resource with this id.
            pub fn tags_mut(&mut self, id: &str) -> Option<(&'static str, &mut Tags)> {
                $(if let Some(item) = self.$collection.get_mut(id) {
                    return Some(($kind, &mut item.tags));
                })*
                None
            }

            pub fn tags_of(&self, id: &str) -> Option<&Tags> {
                $(if let Some(item) = self.$collection.get(id) {
                    return Some(&item.tags);
                })*
                None
            }
        }

        /// The kind of resource whose ids begin like this one.
        pub fn kind_of(id: &str) -> Option<&'static str> {
            let (prefix, _) = id.rsplit_once('-')?;
            match prefix {
                $($prefix => Some($kind),)*
                _ => None,
            }
        }
    };
}

tagged! {
    "elastic-ip", "eipalloc", addresses;
    "image", "ami", images;
    "instance", "i", instances;
    "internet-gateway", "igw", internet_gateways;
    "key-pair", "key", key_pairs;
    "natgateway", "nat", nat_gateways;
    "network-acl", "acl", network_acls;
    "network-interface", "eni", network_interfaces;
    "route-table", "rtb", route_tables;
    "security-group", "sg", security_groups;
    "subnet", "subnet", subnets;
    "transit-gateway-attachment", "tgw-attach", transit_gateway_attachments;
    "volume", "vol", volumes;
    "vpc", "vpc", vpcs;
    "vpc-endpoint", "vpce", vpc_endpoints;
    "vpc-peering-connection", "pcx", peering_connections;
}

impl Cloud {
    /// The VPC that a resource is in, and the subnet.
    pub fn place_of(&self, id: &str) -> (Option<&str>, Option<&str>) {
        if let Some(eni) = self.network_interfaces.get(id) {
            return (Some(&eni.vpc_id), Some(&eni.subnet_id));
        }
        if let Some(subnet) = self.subnets.get(id) {
            return (Some(&subnet.vpc_id), Some(&subnet.id));
        }
        let vpc = None
            .or_else(|| self.vpcs.get(id).map(|vpc| &vpc.id))
            .or_else(|| self.route_tables.get(id).map(|table| &table.vpc_id))
            .or_else(|| self.security_groups.get(id).map(|group| &group.vpc_id))
            .or_else(|| self.network_acls.get(id).map(|acl| &acl.vpc_id))
            .or_else(|| self.internet_gateways.get(id).and_then(|gateway| gateway.vpc_id.as_ref()));
        (vpc.map(String::as_str), None)
    }
}

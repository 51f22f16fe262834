//! Everything that may hang on a VPC beside instances: NAT gateways and endpoints, which cost
//! money, and the ways to other networks. They are there to be described; the mock makes none by
//! itself.

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Cloud, Tags};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NatGateway {
    pub id: String,
    pub vpc_id: String,
    pub subnet_id: String,
    /// AWS's `state`, such as `available` or `deleted`.
    pub state: String,
    pub private_address: Ipv4Addr,
    pub created_at: DateTime<Utc>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    pub id: String,
    pub vpc_id: String,
    /// AWS's `vpcEndpointType`, such as `Interface` or `Gateway`.
    pub kind: String,
    /// AWS's `serviceName`, such as `com.amazonaws.ap-northeast-1.ssm`.
    pub service_name: String,
    /// AWS's `state`, such as `available` or `deleted`.
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub tags: Tags,
}

/// Between a VPC of this account and another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeeringConnection {
    pub id: String,
    pub requester: PeeredVpc,
    pub accepter: PeeredVpc,
    /// AWS's `status.code`, such as `active` or `deleted`.
    pub status: String,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeeredVpc {
    pub vpc_id: String,
    pub owner_id: String,
    pub region: String,
    pub cidr: ipnet::Ipv4Net,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransitGatewayAttachment {
    pub id: String,
    pub transit_gateway_id: String,
    pub vpc_id: String,
    pub subnet_ids: Vec<String>,
    /// AWS's `state`, such as `available` or `deleted`.
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub tags: Tags,
}

impl Cloud {
    /// A NAT gateway in the subnet, in use at once.
    pub fn add_nat_gateway(&mut self, subnet_id: &str, at: DateTime<Utc>, tags: Tags) {
        let Some(subnet) = self.subnets.get(subnet_id) else { return };
        let gateway = NatGateway {
            vpc_id: subnet.vpc_id.clone(),
            subnet_id: subnet_id.to_owned(),
            state: "available".to_owned(),
            private_address: Ipv4Addr::from(u32::from(subnet.cidr.network()) + 200),
            created_at: at,
            tags,
            id: self.new_id("nat"),
        };
        self.nat_gateways.insert(gateway.id.clone(), gateway);
    }

    /// An interface endpoint of the VPC, in use at once.
    pub fn add_endpoint(&mut self, vpc_id: &str, at: DateTime<Utc>, tags: Tags) {
        let endpoint = VpcEndpoint {
            vpc_id: vpc_id.to_owned(),
            kind: "Interface".to_owned(),
            service_name: format!("com.amazonaws.{}.ssm", self.region),
            state: "available".to_owned(),
            created_at: at,
            tags,
            id: self.new_id("vpce"),
        };
        self.vpc_endpoints.insert(endpoint.id.clone(), endpoint);
    }

    /// A peering with a VPC of another account.
    pub fn add_peering(&mut self, vpc_id: &str) {
        let Some(vpc) = self.vpcs.get(vpc_id) else { return };
        let here = PeeredVpc {
            vpc_id: vpc_id.to_owned(),
            owner_id: self.account_id.clone(),
            region: self.region.clone(),
            cidr: vpc.cidr,
        };
        let there = PeeredVpc {
            vpc_id: "vpc-0000000000000dead".to_owned(),
            owner_id: "210987654321".to_owned(),
            region: self.region.clone(),
            cidr: ipnet::Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 16),
        };
        let peering = PeeringConnection {
            requester: there,
            accepter: here,
            status: "active".to_owned(),
            tags: Tags::new(),
            id: self.new_id("pcx"),
        };
        self.peering_connections.insert(peering.id.clone(), peering);
    }

    /// An attachment of the subnet's VPC to a transit gateway.
    pub fn add_transit_gateway_attachment(&mut self, subnet_id: &str, at: DateTime<Utc>) {
        let Some(subnet) = self.subnets.get(subnet_id) else { return };
        let attachment = TransitGatewayAttachment {
            vpc_id: subnet.vpc_id.clone(),
            subnet_ids: vec![subnet_id.to_owned()],
            state: "available".to_owned(),
            created_at: at,
            tags: Tags::new(),
            transit_gateway_id: self.new_id("tgw"),
            id: self.new_id("tgw-attach"),
        };
        self.transit_gateway_attachments.insert(attachment.id.clone(), attachment);
    }
}

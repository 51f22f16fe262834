//! The things that hang on the lab's VPC beside instances: what else costs money there, and the ways
//! by which others are connected to it.

use aws_sdk_ec2::types as sdk;
use serde::{Deserialize, Serialize};

use super::Missing;
use super::facts::{Tags, read_tags, require_field};
use super::reader::{
    Answer, ReadError, Reader, call, describe, join_pages, make_filter, make_unreadable,
};

/// A NAT gateway, as `DescribeNatGateways` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGateway {
    pub nat_gateway_id: String,
    /// `State`, as `available`.
    pub state: String,
    pub tags: Tags,
}

/// A VPC endpoint, as `DescribeVpcEndpoints` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub vpc_endpoint_id: String,
    /// `VpcEndpointType`, as `Interface`; one of type `Gateway` costs nothing.
    pub kind: String,
    /// `State`, as `available`.
    pub state: String,
    pub tags: Tags,
}

/// A VPC peering connection, as `DescribeVpcPeeringConnections` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peering {
    pub vpc_peering_connection_id: String,
    /// `Status.Code`, as `active`.
    pub status: String,
    /// Requester and accepter.
    pub vpc_ids: [String; 2],
}

/// An attachment of a VPC to a transit gateway, as `DescribeTransitGatewayVpcAttachments` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitAttachment {
    pub transit_gateway_attachment_id: String,
    /// `State`, as `available`.
    pub state: String,
}

impl Reader {
    /// All NAT gateways of the VPC, in whatever state.
    pub async fn nat_gateways(&self, vpc_id: &str) -> Result<Answer<Vec<NatGateway>>, ReadError> {
        let request = self.ec2.describe_nat_gateways().filter(make_filter("vpc-id", vpc_id));
        describe!(self, "ec2 DescribeNatGateways", request, nat_gateways, NatGateway)
    }

    /// All VPC endpoints of the VPC, in whatever state.
    pub async fn endpoints(&self, vpc_id: &str) -> Result<Answer<Vec<Endpoint>>, ReadError> {
        let request = self.ec2.describe_vpc_endpoints().filters(make_filter("vpc-id", vpc_id));
        describe!(self, "ec2 DescribeVpcEndpoints", request, vpc_endpoints, Endpoint)
    }

    /// All of the account in the region: whichever side the VPC is on.
    pub async fn peerings(&self) -> Result<Answer<Vec<Peering>>, ReadError> {
        let request = self.ec2.describe_vpc_peering_connections();
        describe!(
            self,
            "ec2 DescribeVpcPeeringConnections",
            request,
            vpc_peering_connections,
            Peering
        )
    }

    /// All attachments of the VPC to transit gateways, in whatever state.
    pub async fn transit_attachments(
        &self,
        vpc_id: &str,
    ) -> Result<Answer<Vec<TransitAttachment>>, ReadError> {
        let request = self
            .ec2
            .describe_transit_gateway_vpc_attachments()
            .filters(make_filter("vpc-id", vpc_id));
        describe!(
            self,
            "ec2 DescribeTransitGatewayVpcAttachments",
            request,
            transit_gateway_vpc_attachments,
            TransitAttachment
        )
    }
}

impl TryFrom<&sdk::NatGateway> for NatGateway {
    type Error = Missing;

    fn try_from(gateway: &sdk::NatGateway) -> Result<Self, Missing> {
        let id = require_field(gateway.nat_gateway_id.clone(), "a NAT gateway", "NatGatewayId")?;
        Ok(Self {
            state: require_field(gateway.state.as_ref(), &id, "State")?.as_str().to_owned(),
            tags: read_tags(gateway.tags()),
            nat_gateway_id: id,
        })
    }
}

impl TryFrom<&sdk::VpcEndpoint> for Endpoint {
    type Error = Missing;

    fn try_from(endpoint: &sdk::VpcEndpoint) -> Result<Self, Missing> {
        let id = require_field(endpoint.vpc_endpoint_id.clone(), "an endpoint", "VpcEndpointId")?;
        let kind = require_field(endpoint.vpc_endpoint_type.as_ref(), &id, "VpcEndpointType")?;
        Ok(Self {
            kind: kind.as_str().to_owned(),
            // AWS answers in lower case, against its own model's enum.
            state: require_field(endpoint.state.as_ref(), &id, "State")?
                .as_str()
                .to_ascii_lowercase(),
            tags: read_tags(endpoint.tags()),
            vpc_endpoint_id: id,
        })
    }
}

impl TryFrom<&sdk::VpcPeeringConnection> for Peering {
    type Error = Missing;

    fn try_from(peering: &sdk::VpcPeeringConnection) -> Result<Self, Missing> {
        let id = peering.vpc_peering_connection_id.clone();
        let id = require_field(id, "a peering connection", "VpcPeeringConnectionId")?;
        let vpc = |info: Option<&sdk::VpcPeeringConnectionVpcInfo>, field| {
            require_field(info.and_then(|info| info.vpc_id.clone()), &id, field)
        };
        let code = peering.status().and_then(|status| status.code.as_ref());
        Ok(Self {
            status: require_field(code, &id, "Status.Code")?.as_str().to_owned(),
            vpc_ids: [
                vpc(peering.requester_vpc_info(), "RequesterVpcInfo.VpcId")?,
                vpc(peering.accepter_vpc_info(), "AccepterVpcInfo.VpcId")?,
            ],
            vpc_peering_connection_id: id,
        })
    }
}

impl TryFrom<&sdk::TransitGatewayVpcAttachment> for TransitAttachment {
    type Error = Missing;

    fn try_from(attachment: &sdk::TransitGatewayVpcAttachment) -> Result<Self, Missing> {
        let id = attachment.transit_gateway_attachment_id.clone();
        let id = require_field(id, "an attachment", "TransitGatewayAttachmentId")?;
        Ok(Self {
            state: require_field(attachment.state.as_ref(), &id, "State")?.as_str().to_owned(),
            transit_gateway_attachment_id: id,
        })
    }
}

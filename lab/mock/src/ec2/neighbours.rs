//! Everything that hangs on a VPC beside instances: described only.

use super::action::{ApiCall, ApiOperation};
use super::error::{ApiError, ENDPOINT, NAT_GATEWAY, PEERING, TRANSIT_ATTACHMENT};
use super::filters::{self, FilterField};
use super::paging;
use super::render;
use super::xml::Xml;
use crate::cloud::{
    Cloud, NatGateway, PeeredVpc, PeeringConnection, TransitGatewayAttachment, VpcEndpoint,
};

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeNatGateways",
        &["NatGatewayId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        nat_gateways,
    ),
    ApiOperation::describe(
        "DescribeVpcEndpoints",
        &["VpcEndpointId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        endpoints,
    ),
    ApiOperation::describe(
        "DescribeVpcPeeringConnections",
        &[
            "VpcPeeringConnectionId.N",
            "Filter.N.Name",
            "Filter.N.Value.N",
            "MaxResults",
            "NextToken",
        ],
        peering_connections,
    ),
    ApiOperation::describe(
        "DescribeTransitGatewayVpcAttachments",
        &[
            "TransitGatewayAttachmentIds.N",
            "Filter.N.Name",
            "Filter.N.Value.N",
            "MaxResults",
            "NextToken",
        ],
        transit_gateway_attachments,
    ),
];

const NAT_FIELDS: &[FilterField<NatGateway>] = &[
    ("nat-gateway-id", |_, it| vec![it.id.clone()]),
    ("state", |_, it| vec![it.state.clone()]),
    ("subnet-id", |_, it| vec![it.subnet_id.clone()]),
    ("vpc-id", |_, it| vec![it.vpc_id.clone()]),
];

fn nat_gateways(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let ids = params.list("NatGatewayId");
    let chosen = render::find_by_ids(&NAT_GATEWAY, &cloud.nat_gateways, &ids)?;
    let selected = filters::select(cloud, params, NAT_FIELDS, Some(|it| &it.tags), chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("NatGatewayId"), selected)?;
    let mut xml = Xml::new();
    xml.items("natGatewaySet", page, |xml, it| {
        xml.leaf("connectivityType", "private");
        xml.leaf("createTime", render::format_time(it.created_at));
        xml.items("natGatewayAddressSet", [it.private_address], |xml, address| {
            xml.leaf("privateIp", address);
            xml.leaf("isPrimary", true);
            xml.leaf("status", "succeeded");
        });
        xml.leaf("natGatewayId", &it.id);
        xml.leaf("state", &it.state);
        xml.leaf("subnetId", &it.subnet_id);
        xml.leaf("vpcId", &it.vpc_id);
        render::tag_set(xml, &it.tags);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

const ENDPOINT_FIELDS: &[FilterField<VpcEndpoint>] = &[
    ("service-name", |_, it| vec![it.service_name.clone()]),
    ("vpc-endpoint-id", |_, it| vec![it.id.clone()]),
    ("vpc-endpoint-state", |_, it| vec![it.state.clone()]),
    ("vpc-endpoint-type", |_, it| vec![it.kind.clone()]),
    ("vpc-id", |_, it| vec![it.vpc_id.clone()]),
];

fn endpoints(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let ids = params.list("VpcEndpointId");
    let chosen = render::find_by_ids(&ENDPOINT, &cloud.vpc_endpoints, &ids)?;
    let selected = filters::select(cloud, params, ENDPOINT_FIELDS, Some(|it| &it.tags), chosen)?;
    let (page, next) =
        paging::take_page(params, &paging::GENEROUS, Some("VpcEndpointId"), selected)?;
    let mut xml = Xml::new();
    xml.items("vpcEndpointSet", page, |xml, it| {
        xml.leaf("vpcEndpointId", &it.id);
        xml.leaf("vpcEndpointType", &it.kind);
        xml.leaf("vpcId", &it.vpc_id);
        xml.leaf("serviceName", &it.service_name);
        xml.leaf("state", &it.state);
        xml.leaf("ownerId", &cloud.account_id);
        xml.leaf("creationTimestamp", render::format_time(it.created_at));
        render::tag_set(xml, &it.tags);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

const PEERING_FIELDS: &[FilterField<PeeringConnection>] = &[
    ("accepter-vpc-info.cidr-block", |_, it| vec![it.accepter.cidr.to_string()]),
    ("accepter-vpc-info.owner-id", |_, it| vec![it.accepter.owner_id.clone()]),
    ("accepter-vpc-info.vpc-id", |_, it| vec![it.accepter.vpc_id.clone()]),
    ("requester-vpc-info.cidr-block", |_, it| vec![it.requester.cidr.to_string()]),
    ("requester-vpc-info.owner-id", |_, it| vec![it.requester.owner_id.clone()]),
    ("requester-vpc-info.vpc-id", |_, it| vec![it.requester.vpc_id.clone()]),
    ("status-code", |_, it| vec![it.status.clone()]),
    ("vpc-peering-connection-id", |_, it| vec![it.id.clone()]),
];

fn peering_connections(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let ids = params.list("VpcPeeringConnectionId");
    let chosen = render::find_by_ids(&PEERING, &cloud.peering_connections, &ids)?;
    let selected = filters::select(cloud, params, PEERING_FIELDS, Some(|it| &it.tags), chosen)?;
    let (page, next) =
        paging::take_page(params, &paging::USUAL, Some("VpcPeeringConnectionId"), selected)?;
    let mut xml = Xml::new();
    xml.items("vpcPeeringConnectionSet", page, |xml, it| {
        peered(xml, "accepterVpcInfo", &it.accepter);
        peered(xml, "requesterVpcInfo", &it.requester);
        xml.element("status", |xml| {
            xml.leaf("code", &it.status);
            xml.leaf("message", &it.status);
        });
        render::tag_set(xml, &it.tags);
        xml.leaf("vpcPeeringConnectionId", &it.id);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn peered(xml: &mut Xml, name: &str, vpc: &PeeredVpc) {
    xml.element(name, |xml| {
        xml.leaf("cidrBlock", vpc.cidr);
        xml.leaf("ownerId", &vpc.owner_id);
        xml.leaf("vpcId", &vpc.vpc_id);
        xml.leaf("region", &vpc.region);
    });
}

const TRANSIT_FIELDS: &[FilterField<TransitGatewayAttachment>] = &[
    ("state", |_: &Cloud, it| vec![it.state.clone()]),
    ("transit-gateway-attachment-id", |_, it| vec![it.id.clone()]),
    ("transit-gateway-id", |_, it| vec![it.transit_gateway_id.clone()]),
    ("vpc-id", |_, it| vec![it.vpc_id.clone()]),
];

fn transit_gateway_attachments(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let ids = params.list("TransitGatewayAttachmentIds");
    let chosen =
        render::find_by_ids(&TRANSIT_ATTACHMENT, &cloud.transit_gateway_attachments, &ids)?;
    let selected = filters::select(cloud, params, TRANSIT_FIELDS, None, chosen)?;
    let parameter = Some("TransitGatewayAttachmentIds");
    let (page, next) = paging::take_page(params, &paging::USUAL, parameter, selected)?;
    let mut xml = Xml::new();
    xml.items("transitGatewayVpcAttachments", page, |xml, it| {
        xml.leaf("transitGatewayAttachmentId", &it.id);
        xml.leaf("transitGatewayId", &it.transit_gateway_id);
        xml.leaf("vpcId", &it.vpc_id);
        xml.leaf("vpcOwnerId", &cloud.account_id);
        xml.leaf("state", &it.state);
        xml.items("subnetIds", &it.subnet_ids, |xml, id| xml.text(id));
        xml.leaf("creationTime", render::format_time(it.created_at));
        render::tag_set(xml, &it.tags);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

//! Internet gateways.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, INTERNET_GATEWAY, VPC};
use super::filters::{self, FilterField};
use super::paging;
use super::render;
use super::tags;
use super::xml::Xml;
use crate::cloud::{Cloud, InternetGateway};

const BOTH: Resources =
    Resources::Many(&[("internet-gateway", "InternetGatewayId"), ("vpc", "VpcId")]);

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeInternetGateways",
        &["InternetGatewayId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change(
        "CreateInternetGateway",
        Resources::New { kind: "internet-gateway", with: &[] },
        &[
            "TagSpecification.N.ResourceType",
            "TagSpecification.N.Tag.N.Key",
            "TagSpecification.N.Tag.N.Value",
        ],
        create,
    ),
    ApiOperation::change("AttachInternetGateway", BOTH, &["InternetGatewayId", "VpcId"], attach),
    ApiOperation::change("DetachInternetGateway", BOTH, &["InternetGatewayId", "VpcId"], detach),
    ApiOperation::change(
        "DeleteInternetGateway",
        Resources::Of { kind: "internet-gateway", parameter: "InternetGatewayId" },
        &["InternetGatewayId"],
        delete,
    ),
];

const FIELDS: &[FilterField<InternetGateway>] = &[
    ("attachment.state", |_, gateway| {
        gateway.vpc_id.iter().map(|_| "available".to_owned()).collect()
    }),
    ("attachment.vpc-id", |_, gateway| gateway.vpc_id.iter().cloned().collect()),
    ("internet-gateway-id", |_, gateway| vec![gateway.id.clone()]),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
];

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let ids = params.list("InternetGatewayId");
    let chosen = render::find_by_ids(&INTERNET_GATEWAY, &cloud.internet_gateways, &ids)?;
    let selected = filters::select(cloud, params, FIELDS, Some(|g| &g.tags), chosen)?;
    let (page, next) =
        paging::take_page(params, &paging::USUAL, Some("InternetGatewayId"), selected)?;
    let mut xml = Xml::new();
    xml.items("internetGatewaySet", page, |xml, gateway| detail(xml, cloud, gateway));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn detail(xml: &mut Xml, cloud: &Cloud, gateway: &InternetGateway) {
    xml.leaf("internetGatewayId", &gateway.id);
    xml.leaf("ownerId", &cloud.account_id);
    xml.items("attachmentSet", &gateway.vpc_id, |xml, vpc_id| {
        xml.leaf("vpcId", vpc_id);
        xml.leaf("state", "available");
    });
    render::tag_set(xml, &gateway.tags);
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let tags = tags::read_specified_tags(call.params, &["internet-gateway"], "internet-gateway")?;
    let gateway = InternetGateway { id: call.cloud.new_id("igw"), vpc_id: None, tags };
    let mut xml = Xml::new();
    xml.element("internetGateway", |xml| detail(xml, call.cloud, &gateway));
    call.cloud.internet_gateways.insert(gateway.id.clone(), gateway);
    Ok(xml)
}

/// One VPC, one gateway.
fn attach(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("InternetGatewayId")?;
    let vpc_id = call.params.required("VpcId")?;
    render::find_by_id(&VPC, &mut call.cloud.vpcs, vpc_id)?;
    let all = &mut call.cloud.internet_gateways;
    if let Some(other) = &render::find_by_id(&INTERNET_GATEWAY, all, id)?.vpc_id {
        return Err(ApiError::bad(
            "Resource.AlreadyAssociated",
            format!("resource {id} is already attached to network {other}"),
        ));
    }
    if all.values().any(|gateway| gateway.vpc_id.as_deref() == Some(vpc_id)) {
        return Err(ApiError::invalid_value(format!(
            "Network {vpc_id} already has an internet gateway attached"
        )));
    }
    render::find_by_id(&INTERNET_GATEWAY, all, id)?.vpc_id = Some(vpc_id.to_owned());
    Ok(render::return_true())
}

fn detach(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("InternetGatewayId")?;
    let vpc_id = call.params.required("VpcId")?;
    render::find_by_id(&VPC, &mut call.cloud.vpcs, vpc_id)?;
    let gateway = render::find_by_id(&INTERNET_GATEWAY, &mut call.cloud.internet_gateways, id)?;
    if gateway.vpc_id.as_deref() != Some(vpc_id) {
        return Err(ApiError::bad(
            "Gateway.NotAttached",
            format!("resource {id} is not attached to network {vpc_id}"),
        ));
    }
    let interfaces = &call.cloud.network_interfaces;
    let is_mapped =
        call.cloud.addresses.values().filter_map(|a| a.association.as_ref()).any(|a| {
            interfaces.get(&a.network_interface_id).is_some_and(|eni| eni.vpc_id == vpc_id)
        });
    if is_mapped {
        return Err(ApiError::bad(
            "DependencyViolation",
            format!(
                "Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            ),
        ));
    }
    gateway.vpc_id = None;
    Ok(render::return_true())
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("InternetGatewayId")?;
    let all = &mut call.cloud.internet_gateways;
    if render::find_by_id(&INTERNET_GATEWAY, all, id)?.vpc_id.is_some() {
        return Err(ApiError::dependencies("internetGateway", id));
    }
    all.remove(id);
    Ok(render::return_true())
}

//! Routes: the executor's route verbs.

use ipnet::Ipv4Net;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, GATEWAY, INTERFACE, ROUTE_TABLE};
use super::render;
use super::xml::Xml;
use crate::cloud::{Cloud, RouteOrigin, RouteTable, RouteTarget, VpcRoute};

const TABLE: Resources = Resources::Of { kind: "route-table", parameter: "RouteTableId" };
const ROUTE: &[&str] = &["RouteTableId", "DestinationCidrBlock", "GatewayId", "NetworkInterfaceId"];

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::change("CreateRoute", TABLE, ROUTE, create),
    ApiOperation::change("ReplaceRoute", TABLE, ROUTE, replace),
    ApiOperation::change("DeleteRoute", TABLE, &["RouteTableId", "DestinationCidrBlock"], delete),
];

pub fn name_origin(origin: RouteOrigin) -> &'static str {
    match origin {
        RouteOrigin::CreateRouteTable => "CreateRouteTable",
        RouteOrigin::CreateRoute => "CreateRoute",
    }
}

/// A route to what is gone, or attached to nothing, is a black hole.
pub fn find_route_state(cloud: &Cloud, route: &VpcRoute) -> &'static str {
    match &route.target {
        RouteTarget::NetworkInterface(id)
            if cloud.interface(id).is_none_or(|eni| eni.instance_id.is_none()) =>
        {
            "blackhole"
        }
        RouteTarget::InternetGateway(id)
            if cloud.internet_gateways.get(id).is_none_or(|gateway| gateway.vpc_id.is_none()) =>
        {
            "blackhole"
        }
        _ => "active",
    }
}

pub fn write_route(xml: &mut Xml, cloud: &Cloud, route: &VpcRoute) {
    xml.leaf("destinationCidrBlock", route.destination);
    match &route.target {
        RouteTarget::Local => xml.leaf("gatewayId", "local"),
        RouteTarget::InternetGateway(id) => xml.leaf("gatewayId", id),
        RouteTarget::NetworkInterface(id) => {
            xml.leaf("networkInterfaceId", id);
            let instance = cloud.interface(id).and_then(|eni| eni.instance_id.as_ref());
            xml.leaf_if("instanceId", instance);
            xml.leaf_if("instanceOwnerId", instance.map(|_| &cloud.account_id));
        }
    }
    xml.leaf("state", find_route_state(cloud, route));
    xml.leaf("origin", name_origin(route.origin));
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (destination, target) = (call.params.cidr("DestinationCidrBlock")?, target(call)?);
    let (table_id, vpc_id) = (table(call)?.id.clone(), table(call)?.vpc_id.clone());
    check_gateway(call.cloud, &table_id, &vpc_id, &target)?;
    check_destination(call.cloud, &vpc_id, destination, &target)?;
    let table = table(call)?;
    match table.routes.iter().find(|route| route.destination == destination) {
        Some(existing) if existing.target == target => {}
        Some(_) => {
            return Err(ApiError::bad(
                "RouteAlreadyExists",
                format!("The route identified by {destination} already exists."),
            ));
        }
        None => {
            table.routes.push(VpcRoute { destination, target, origin: RouteOrigin::CreateRoute });
        }
    }
    Ok(render::return_true())
}

/// A gateway serves the VPC that it is attached to.
fn check_gateway(
    cloud: &Cloud,
    table_id: &str,
    vpc_id: &str,
    target: &RouteTarget,
) -> Result<(), ApiError> {
    let RouteTarget::InternetGateway(id) = target else { return Ok(()) };
    let attached = cloud.internet_gateways.get(id).and_then(|gateway| gateway.vpc_id.as_deref());
    if attached == Some(vpc_id) {
        return Ok(());
    }
    Err(ApiError::invalid_value(format!(
        "route table {table_id} and network gateway {id} belong to different networks"
    )))
}

/// Inside the VPC a route may only be as wide as a subnet, and lead to an interface: a /32 of the
/// VPC is refused.
fn check_destination(
    cloud: &Cloud,
    vpc_id: &str,
    destination: Ipv4Net,
    target: &RouteTarget,
) -> Result<(), ApiError> {
    let inside = cloud.vpcs.get(vpc_id).is_some_and(|vpc| vpc.cidr.contains(&destination));
    if !inside {
        return Ok(());
    }
    if !matches!(target, RouteTarget::NetworkInterface(_)) {
        return Err(ApiError::invalid_value(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance."
        )));
    }
    let is_subnet = cloud.subnets.values().any(|s| s.vpc_id == vpc_id && s.cidr == destination);
    if is_subnet {
        return Ok(());
    }
    Err(ApiError::invalid_value(format!(
        "The destination CIDR block {destination} does not match the CIDR block of a subnet in this VPC."
    )))
}

fn replace(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (destination, target) = (call.params.cidr("DestinationCidrBlock")?, target(call)?);
    let (id, vpc_id) = (table(call)?.id.clone(), table(call)?.vpc_id.clone());
    check_gateway(call.cloud, &id, &vpc_id, &target)?;
    let table = table(call)?;
    let route = table
        .routes
        .iter_mut()
        .find(|route| route.destination == destination)
        .ok_or_else(|| no_route(destination, &id))?;
    route.target = target;
    Ok(render::return_true())
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let destination = call.params.cidr("DestinationCidrBlock")?;
    let table = table(call)?;
    let position = table
        .routes
        .iter()
        .position(|route| route.destination == destination)
        .ok_or_else(|| no_route(destination, &table.id))?;
    if table.routes[position].target == RouteTarget::Local {
        return Err(ApiError::invalid_value(format!(
            "cannot remove local route {destination} in route table {}",
            table.id
        )));
    }
    table.routes.remove(position);
    Ok(render::return_true())
}

fn table<'a>(call: &'a mut ApiCall<'_>) -> Result<&'a mut RouteTable, ApiError> {
    let id = call.params.required("RouteTableId")?;
    render::find_by_id(&ROUTE_TABLE, &mut call.cloud.route_tables, id)
}

fn target(call: &mut ApiCall<'_>) -> Result<RouteTarget, ApiError> {
    match (call.params.text("NetworkInterfaceId"), call.params.text("GatewayId")) {
        (Some(id), None) => {
            render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
            Ok(RouteTarget::NetworkInterface(id.to_owned()))
        }
        (None, Some("local")) => Ok(RouteTarget::Local),
        (None, Some(id)) => {
            render::find_by_id(&GATEWAY, &mut call.cloud.internet_gateways, id)?;
            Ok(RouteTarget::InternetGateway(id.to_owned()))
        }
        (None, None) => Err(ApiError::missing("gatewayId or networkInterfaceId")),
        (Some(_), Some(_)) => Err(ApiError::invalid_combination(
            "Only one of gatewayId, networkInterfaceId can be specified",
        )),
    }
}

fn no_route(destination: Ipv4Net, table_id: &str) -> ApiError {
    ApiError::bad(
        "InvalidRoute.NotFound",
        format!("no route with destination-cidr-block {destination} in route table {table_id}"),
    )
}

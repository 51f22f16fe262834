//! Route tables: describe them, and the executor's route verbs.

use ipnet::Ipv4Net;

use super::action::{Action, Call, Resources};
use super::error::{ApiError, GATEWAY, INTERFACE, ROUTE_TABLE};
use super::filters::{self, Field};
use super::paging;
use super::params::Params;
use super::render;
use super::xml::Xml;
use crate::mock::cloud::{Cloud, Route, RouteOrigin, RouteTable, RouteTableAssociation, Target};

const TABLE: Resources = Resources::Of { kind: "route-table", parameter: "RouteTableId" };
const ROUTE: &[&str] = &["RouteTableId", "DestinationCidrBlock", "GatewayId", "NetworkInterfaceId"];

pub const ACTIONS: &[Action] = &[
    Action::describe(
        "DescribeRouteTables",
        &["RouteTableId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    Action::change("CreateRoute", TABLE, ROUTE, create),
    Action::change("ReplaceRoute", TABLE, ROUTE, replace),
    Action::change("DeleteRoute", TABLE, &["RouteTableId", "DestinationCidrBlock"], delete),
];

/// A subnet that is only implicitly with the main table is found by none of the association
/// filters, as on AWS.
const FIELDS: &[Field<RouteTable>] = &[
    ("association.main", |_, table| associations(table, |a| Some(a.main.to_string()))),
    ("association.route-table-association-id", |_, table| {
        associations(table, |association| Some(association.id.clone()))
    }),
    ("association.route-table-id", |_, table| associations(table, |_| Some(table.id.clone()))),
    ("association.subnet-id", |_, table| associations(table, |a| a.subnet_id.clone())),
    ("owner-id", |cloud, _| vec![cloud.account_id.clone()]),
    ("route-table-id", |_, table| vec![table.id.clone()]),
    ("route.destination-cidr-block", |_, table| {
        routes(table, |route| Some(route.destination.to_string()))
    }),
    ("route.gateway-id", |_, table| {
        routes(table, |route| match &route.target {
            Target::Local => Some("local".to_owned()),
            Target::InternetGateway(id) => Some(id.clone()),
            Target::NetworkInterface(_) => None,
        })
    }),
    ("route.origin", |_, table| routes(table, |r| Some(origin(r.origin).to_owned()))),
    ("route.state", |cloud, table| routes(table, |r| Some(state(cloud, r).to_owned()))),
    ("vpc-id", |_, table| vec![table.vpc_id.clone()]),
];

fn associations(
    table: &RouteTable,
    shown: impl Fn(&RouteTableAssociation) -> Option<String>,
) -> Vec<String> {
    table.associations.iter().filter_map(shown).collect()
}

fn routes(table: &RouteTable, shown: impl Fn(&Route) -> Option<String>) -> Vec<String> {
    table.routes.iter().filter_map(shown).collect()
}

fn origin(origin: RouteOrigin) -> &'static str {
    match origin {
        RouteOrigin::CreateRouteTable => "CreateRouteTable",
        RouteOrigin::CreateRoute => "CreateRoute",
    }
}

/// A route to an interface that is gone, or attached to nothing, is a black hole.
fn state(cloud: &Cloud, route: &Route) -> &'static str {
    match &route.target {
        Target::NetworkInterface(id)
            if cloud.interface(id).is_none_or(|eni| eni.instance_id.is_none()) =>
        {
            "blackhole"
        }
        _ => "active",
    }
}

fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen = render::chosen(&ROUTE_TABLE, &cloud.route_tables, &params.list("RouteTableId"))?;
    let selected = filters::select(cloud, params, FIELDS, Some(|table| &table.tags), chosen)?;
    let (page, next) = paging::page(params, &paging::SMALL, Some("RouteTableId"), selected)?;
    let mut xml = Xml::new();
    xml.items("routeTableSet", page, |xml, table| route_table(xml, cloud, table));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn route_table(xml: &mut Xml, cloud: &Cloud, table: &RouteTable) {
    xml.leaf("routeTableId", &table.id);
    xml.leaf("vpcId", &table.vpc_id);
    xml.leaf("ownerId", &cloud.account_id);
    xml.items("routeSet", &table.routes, |xml, entry| route(xml, cloud, entry));
    xml.items("associationSet", &table.associations, |xml, association| {
        xml.leaf("routeTableAssociationId", &association.id);
        xml.leaf("routeTableId", &table.id);
        xml.leaf_if("subnetId", association.subnet_id.as_ref());
        xml.leaf("main", association.main);
        xml.element("associationState", |xml| xml.leaf("state", "associated"));
    });
    xml.items("propagatingVgwSet", [(); 0], |_, ()| {});
    render::tag_set(xml, &table.tags);
}

fn route(xml: &mut Xml, cloud: &Cloud, route: &Route) {
    xml.leaf("destinationCidrBlock", route.destination);
    match &route.target {
        Target::Local => xml.leaf("gatewayId", "local"),
        Target::InternetGateway(id) => xml.leaf("gatewayId", id),
        Target::NetworkInterface(id) => {
            xml.leaf("networkInterfaceId", id);
            let instance = cloud.interface(id).and_then(|eni| eni.instance_id.as_ref());
            xml.leaf_if("instanceId", instance);
            xml.leaf_if("instanceOwnerId", instance.map(|_| &cloud.account_id));
        }
    }
    xml.leaf("state", state(cloud, route));
    xml.leaf("origin", origin(route.origin));
}

fn create(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (destination, target) = (destination(call.params)?, target(call)?);
    let vpc_id = table(call)?.vpc_id.clone();
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
            table.routes.push(Route { destination, target, origin: RouteOrigin::CreateRoute });
        }
    }
    Ok(render::done())
}

/// Inside the VPC a route may only be as wide as a subnet, and lead to an interface: a /32 of the
/// VPC is refused.
fn check_destination(
    cloud: &Cloud,
    vpc_id: &str,
    destination: Ipv4Net,
    target: &Target,
) -> Result<(), ApiError> {
    let inside = cloud.vpcs.get(vpc_id).is_some_and(|vpc| vpc.cidr.contains(&destination));
    if !inside {
        return Ok(());
    }
    if !matches!(target, Target::NetworkInterface(_)) {
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

fn replace(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (destination, target) = (destination(call.params)?, target(call)?);
    let table = table(call)?;
    let id = table.id.clone();
    let route = table
        .routes
        .iter_mut()
        .find(|route| route.destination == destination)
        .ok_or_else(|| no_route(destination, &id))?;
    route.target = target;
    Ok(render::done())
}

fn delete(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let destination = destination(call.params)?;
    let table = table(call)?;
    let position = table
        .routes
        .iter()
        .position(|route| route.destination == destination)
        .ok_or_else(|| no_route(destination, &table.id))?;
    if table.routes[position].target == Target::Local {
        return Err(ApiError::invalid_value(format!(
            "cannot remove local route {destination} in route table {}",
            table.id
        )));
    }
    table.routes.remove(position);
    Ok(render::done())
}

fn table<'a>(call: &'a mut Call<'_>) -> Result<&'a mut RouteTable, ApiError> {
    let id = call.params.required("RouteTableId")?;
    render::one(&ROUTE_TABLE, &mut call.cloud.route_tables, id)
}

fn destination(params: &Params) -> Result<Ipv4Net, ApiError> {
    let text = params.required("DestinationCidrBlock")?;
    text.parse::<Ipv4Net>().map(|net| net.trunc()).map_err(|_| {
        ApiError::invalid_value(format!(
            "Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
        ))
    })
}

fn target(call: &mut Call<'_>) -> Result<Target, ApiError> {
    match (call.params.text("NetworkInterfaceId"), call.params.text("GatewayId")) {
        (Some(id), None) => {
            render::one(&INTERFACE, &mut call.cloud.network_interfaces, id)?;
            Ok(Target::NetworkInterface(id.to_owned()))
        }
        (None, Some("local")) => Ok(Target::Local),
        (None, Some(id)) => {
            GATEWAY.check(id)?;
            Ok(Target::InternetGateway(id.to_owned()))
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

//! Route tables: describe, make, unmake, and which subnet has which. A subnet that no association
//! names has its VPC's main table.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, ROUTE_TABLE, SUBNET, TABLE_ASSOCIATION, VPC};
use super::filters::{self, FilterField};
use super::paging;
use super::render;
use super::routes::{find_route_state, name_origin, write_route};
use super::tags;
use super::vpcs::local_route;
use super::xml::Xml;
use crate::cloud::{Cloud, RouteTable, RouteTableAssociation, RouteTarget, VpcRoute};

const TABLE: Resources = Resources::Of { kind: "route-table", parameter: "RouteTableId" };
const WITH_SUBNET: Resources =
    Resources::Many(&[("route-table", "RouteTableId"), ("subnet", "SubnetId")]);

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeRouteTables",
        &["RouteTableId.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change(
        "CreateRouteTable",
        Resources::New { kind: "route-table", with: &[("vpc", "VpcId")] },
        tags::IN_VPC,
        create,
    ),
    ApiOperation::change("DeleteRouteTable", TABLE, &["RouteTableId"], delete),
    ApiOperation::change(
        "AssociateRouteTable",
        WITH_SUBNET,
        &["RouteTableId", "SubnetId"],
        associate,
    ),
    ApiOperation::change(
        "DisassociateRouteTable",
        Resources::Any,
        &["AssociationId"],
        disassociate,
    ),
    ApiOperation::change(
        "ReplaceRouteTableAssociation",
        TABLE,
        &["AssociationId", "RouteTableId"],
        replace_association,
    ),
];

/// A subnet that is only implicitly with the main table is found by none of the association
/// filters, as on AWS.
const FIELDS: &[FilterField<RouteTable>] = &[
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
            RouteTarget::Local => Some("local".to_owned()),
            RouteTarget::InternetGateway(id) => Some(id.clone()),
            RouteTarget::NetworkInterface(_) => None,
        })
    }),
    ("route.instance-id", |cloud, table| {
        routes(table, |route| match &route.target {
            RouteTarget::NetworkInterface(id) => cloud.interface(id)?.instance_id.clone(),
            _ => None,
        })
    }),
    ("route.origin", |_, table| routes(table, |r| Some(name_origin(r.origin).to_owned()))),
    ("route.state", |cloud, table| routes(table, |r| Some(find_route_state(cloud, r).to_owned()))),
    ("vpc-id", |_, table| vec![table.vpc_id.clone()]),
];

fn associations(
    table: &RouteTable,
    shown: impl Fn(&RouteTableAssociation) -> Option<String>,
) -> Vec<String> {
    table.associations.iter().filter_map(shown).collect()
}

fn routes(table: &RouteTable, shown: impl Fn(&VpcRoute) -> Option<String>) -> Vec<String> {
    table.routes.iter().filter_map(shown).collect()
}

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let chosen =
        render::find_by_ids(&ROUTE_TABLE, &cloud.route_tables, &params.list("RouteTableId"))?;
    let selected = filters::select(cloud, params, FIELDS, Some(|table| &table.tags), chosen)?;
    let (page, next) = paging::take_page(params, &paging::SMALL, Some("RouteTableId"), selected)?;
    let mut xml = Xml::new();
    xml.items("routeTableSet", page, |xml, table| detail(xml, cloud, table));
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn detail(xml: &mut Xml, cloud: &Cloud, table: &RouteTable) {
    xml.leaf("routeTableId", &table.id);
    xml.leaf("vpcId", &table.vpc_id);
    xml.leaf("ownerId", &cloud.account_id);
    xml.items("routeSet", &table.routes, |xml, entry| write_route(xml, cloud, entry));
    xml.items("associationSet", &table.associations, |xml, association| {
        xml.leaf("routeTableAssociationId", &association.id);
        xml.leaf("routeTableId", &table.id);
        xml.leaf_if("subnetId", association.subnet_id.as_ref());
        xml.leaf("main", association.main);
        associated(xml);
    });
    xml.items("propagatingVgwSet", [(); 0], |_, ()| {});
    render::tag_set(xml, &table.tags);
}

fn associated(xml: &mut Xml) {
    xml.element("associationState", |xml| xml.leaf("state", "associated"));
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let vpc_id = call.params.required("VpcId")?;
    let tags = tags::read_specified_tags(call.params, &["route-table"], "route-table")?;
    let cidr = render::find_by_id(&VPC, &mut call.cloud.vpcs, vpc_id)?.cidr;
    let table = RouteTable {
        id: call.cloud.new_id("rtb"),
        vpc_id: vpc_id.to_owned(),
        routes: vec![local_route(cidr)],
        associations: vec![],
        tags,
    };
    let mut xml = Xml::new();
    xml.element("routeTable", |xml| detail(xml, call.cloud, &table));
    xml.leaf_if("clientToken", call.params.text("ClientToken"));
    call.cloud.route_tables.insert(table.id.clone(), table);
    Ok(xml)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("RouteTableId")?;
    let all = &mut call.cloud.route_tables;
    if !render::find_by_id(&ROUTE_TABLE, all, id)?.associations.is_empty() {
        return Err(ApiError::dependencies("routeTable", id));
    }
    all.remove(id);
    Ok(render::return_true())
}

fn associate(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("RouteTableId")?;
    let subnet_id = call.params.required("SubnetId")?;
    let vpc_id = render::find_by_id(&SUBNET, &mut call.cloud.subnets, subnet_id)?.vpc_id.clone();
    check_vpc(call.cloud, id, &vpc_id)?;
    let of_subnet = |a: &RouteTableAssociation| a.subnet_id.as_deref() == Some(subnet_id);
    let existing = call
        .cloud
        .route_tables
        .values()
        .find_map(|table| Some((&table.id, table.associations.iter().find(|a| of_subnet(a))?)));
    let association_id = match existing {
        Some((table_id, association)) if table_id == id => association.id.clone(),
        Some(_) => {
            return Err(ApiError::bad(
                "Resource.AlreadyAssociated",
                format!(
                    "the specified association for route table {id} conflicts with an existing association"
                ),
            ));
        }
        None => add(call, id, false, Some(subnet_id.to_owned()))?,
    };
    let mut xml = Xml::new();
    xml.leaf("associationId", association_id);
    associated(&mut xml);
    Ok(xml)
}

fn check_vpc(cloud: &mut Cloud, table_id: &str, vpc_id: &str) -> Result<(), ApiError> {
    if render::find_by_id(&ROUTE_TABLE, &mut cloud.route_tables, table_id)?.vpc_id == vpc_id {
        return Ok(());
    }
    Err(ApiError::invalid_value(format!(
        "Route table {table_id} and network {vpc_id} belong to different networks"
    )))
}

fn add(
    call: &mut ApiCall<'_>,
    table_id: &str,
    main: bool,
    subnet_id: Option<String>,
) -> Result<String, ApiError> {
    let id = call.cloud.new_id("rtbassoc");
    let table = render::find_by_id(&ROUTE_TABLE, &mut call.cloud.route_tables, table_id)?;
    table.associations.push(RouteTableAssociation { id: id.clone(), main, subnet_id });
    Ok(id)
}

/// Where an association is: its table and its VPC.
fn find(cloud: &Cloud, id: &str) -> Result<(String, String, RouteTableAssociation), ApiError> {
    TABLE_ASSOCIATION.check(id)?;
    let mut all = cloud.route_tables.values();
    all.find_map(|table| {
        let association = table.associations.iter().find(|association| association.id == id)?;
        Some((table.id.clone(), table.vpc_id.clone(), association.clone()))
    })
    .ok_or_else(|| TABLE_ASSOCIATION.not_found(&[id]))
}

fn remove(cloud: &mut Cloud, table_id: &str, association_id: &str) {
    if let Some(table) = cloud.route_tables.get_mut(table_id) {
        table.associations.retain(|association| association.id != association_id);
    }
}

fn disassociate(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AssociationId")?;
    let (table_id, _, association) = find(call.cloud, id)?;
    if association.main {
        return Err(ApiError::invalid_value(format!(
            "cannot disassociate the main route table association {id}"
        )));
    }
    remove(call.cloud, &table_id, id);
    Ok(render::return_true())
}

/// The main association moves as well: that is how another table becomes the main one.
fn replace_association(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let id = call.params.required("AssociationId")?;
    let table_id = call.params.required("RouteTableId")?;
    let (old_table, vpc_id, association) = find(call.cloud, id)?;
    check_vpc(call.cloud, table_id, &vpc_id)?;
    remove(call.cloud, &old_table, id);
    let new = add(call, table_id, association.main, association.subnet_id)?;
    let mut xml = Xml::new();
    xml.leaf("newAssociationId", new);
    associated(&mut xml);
    Ok(xml)
}

//! The answers of EC2: the ENI and everything around it is the lab's, and nobody has the address.

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{
    Instance, InstanceState, NetworkInterface, ReadError, RouteTable, Subnet, Tags, Vpc,
};
use lab::node::Node;
use reports::record::{InstancesFound, Kind};
use serde_json::{Value, json};

use super::gather::{CloudReads, Read};
use super::obstacles::{self, Around};
use super::shared;
use super::{ADDRESS_FREE, IDENTITY, INSTANCES, INTERFACE, ROUTES, STATE, SUBNET, VPC};
use crate::cloud_state::{CloudState, ElsewhereReads, Parts};
use crate::context::{Context, How, Ruling};
use crate::stops;

/// The facts about the cloud.
pub struct Cloud {
    pub interface: NetworkInterface,
    pub instances: Vec<Instance>,
    pub subnet: Subnet,
    pub vpc: Vpc,
    pub route_table: RouteTable,
    /// None where it could not be read.
    pub state: Option<CloudState>,
}

impl Cloud {
    /// The ARN of the profile that routerd-cloud's instance has.
    pub fn router_profile(&self, lab: &Lab) -> Option<String> {
        let id = lab.manifest.nodes[&Node::RouterdCloud].instance_id.as_ref()?;
        let instance = self.instances.iter().find(|it| it.instance_id == *id)?;
        Some(instance.instance_profile.clone().unwrap_or_else(|| "none".to_owned()))
    }
}

/// The VPC's tags, where it could be read.
pub fn vpc_tags(reads: &CloudReads) -> Option<Tags> {
    Some(reads.vpc.as_ref().ok()?.value.as_ref()?.tags.clone())
}

pub fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    reads: CloudReads,
    executor: Executors<'_>,
) -> Option<Cloud> {
    let state = state(lab, ctx, &reads, executor);
    let around = Around {
        instances: &reads.instances,
        interfaces: &reads.interfaces,
        groups: &reads.security_groups,
    };
    obstacles::judge(lab, ctx, reads.obstacles, &around);
    identity(lab, ctx, reads.identity);
    let interface = interface(lab, ctx, reads.interface);
    let interfaces = address_free(lab, ctx, interface.as_ref(), reads.interfaces);
    let instances = instances(lab, ctx, reads.instances);
    let subnet = subnet(lab, ctx, reads.subnet);
    let vpc = vpc(lab, ctx, reads.vpc);
    let tables = routes(lab, ctx, reads.route_tables);
    if let (Some(own), Some(interfaces), Some((_, tables))) = (&interface, &interfaces, &tables) {
        shared::judge(lab, ctx, own, interfaces, tables, reads.ways);
    }
    Some(Cloud {
        interface: interface?,
        instances: instances?,
        subnet: subnet?,
        vpc: vpc?,
        route_table: tables?.0,
        state,
    })
}

/// Who has the executor's role, and what it may.
pub type Executors<'a> =
    (&'a Read<Vec<String>>, &'a Result<Vec<lab::ec2::Answer<lab::iam::PolicyDocument>>, ReadError>);

/// The cloud's side as one fact, from what is read anyway, with groups and ACLs beside it.
fn state(
    lab: &Lab,
    ctx: &mut Context<'_>,
    reads: &CloudReads,
    (profile, policies): Executors<'_>,
) -> Option<CloudState> {
    let expected = json!("the lab's interfaces, instances, groups, routes, ACL and role");
    let (_, how) = read_or_unknown(ctx, STATE, &expected, reads.security_groups.clone())?;
    let (_, more) = read_or_unknown(ctx, STATE, &expected, reads.network_acls.clone())?;
    let how = how.and(more);
    let elsewhere = reads.elsewhere.as_ref().map(ElsewhereReads::values);
    let parts = Parts {
        elsewhere,
        interfaces: value(&reads.interfaces),
        instances: value(&reads.instances),
        groups: value(&reads.security_groups),
        route_tables: value(&reads.route_tables),
        acls: value(&reads.network_acls),
        profile: value(profile),
        policies: policies
            .as_ref()
            .map(|all| all.iter().map(|answer| answer.value.clone()).collect())
            .map_err(ToString::to_string),
    };
    match parts.state(lab) {
        Ok(state) => {
            ctx.check(STATE)
                .expects(expected)
                .seen(how)
                .passes(json!({ "digest": state.digest() }));
            Some(state)
        }
        Err(why) => {
            ctx.check(STATE).expects(expected).seen(how).unknown(why);
            None
        }
    }
}

fn value<T: Clone>(read: &Read<T>) -> Result<T, String> {
    read.as_ref().map(|answer| answer.value.clone()).map_err(ToString::to_string)
}

/// Keeps the answer; an error makes the assertion unknown.
pub fn read_or_unknown<T>(
    ctx: &mut Context<'_>,
    id: &'static str,
    expected: &Value,
    answer: Result<lab::ec2::Answer<T>, ReadError>,
) -> Option<(T, How)> {
    match answer {
        Ok(answer) => {
            let how = ctx.seen(&answer);
            Some((answer.value, how))
        }
        Err(error) => {
            let how = ctx.seen_error(&error);
            ctx.check(id).expects(expected.clone()).seen(how).unknown(error.to_string());
            None
        }
    }
}

fn identity(lab: &Lab, ctx: &mut Context<'_>, answer: Read<lab::ec2::Identity>) {
    let expected = json!({ "account_id": lab.manifest.aws.account_id });
    let Some((identity, how)) = read_or_unknown(ctx, IDENTITY, &expected, answer) else { return };
    let right = identity.account_id == lab.manifest.aws.account_id;
    let message = format!("{} is of another account than the manifest's", identity.arn);
    let observed = json!({ "account_id": identity.account_id, "arn": identity.arn });
    let ruling = Ruling::when(right, message.clone());
    ctx.check(IDENTITY).expects(expected).seen(how).comes_to(observed, ruling);
    ctx.stop(&stops::OTHER_ACCOUNT, (!right).then_some(message), &identity.arn);
}

fn tagged(lab: &Lab, tags: &Tags) -> bool {
    tags.get(&lab.manifest.lab.tag_key) == Some(&lab.manifest.lab.tag_value)
}

fn interface(
    lab: &Lab,
    ctx: &mut Context<'_>,
    answer: Read<Option<NetworkInterface>>,
) -> Option<NetworkInterface> {
    let manifest = &lab.manifest;
    let router = &manifest.nodes[&Node::RouterdCloud];
    let expected = json!({
        "owner_id": manifest.aws.account_id,
        "vpc_id": manifest.aws.vpc_id,
        "subnet_id": manifest.aws.subnet_id,
        "instance_id": router.instance_id,
        "primary_address": router.address,
        "tagged": true,
        "source_dest_check": "any, recorded",
    });
    let id = &manifest.capture.network_interface_id;
    let unread = answer.as_ref().err().map(|error| format!("what undo restores: {error}"));
    ctx.stop(&stops::NO_BASELINE, unread, id);
    let (eni, how) = read_or_unknown(ctx, INTERFACE, &expected, answer)?;
    let Some(eni) = eni else {
        let why = format!("there is no network interface {id}");
        ctx.check(INTERFACE).expects(expected).seen(how).fails(Value::Null, why);
        return None;
    };
    let observed = json!({
        "owner_id": eni.owner_id,
        "vpc_id": eni.vpc_id,
        "subnet_id": eni.subnet_id,
        "instance_id": eni.instance_id,
        "primary_address": eni.primary_address,
        "tagged": tagged(lab, &eni.tags),
        "source_dest_check": eni.source_dest_check,
    });
    let wrong: Vec<&str> = expected
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| *key != "source_dest_check" && observed[key.as_str()] != **value)
        .map(|(key, _)| key.as_str())
        .collect();
    let message = format!("{id} is not the lab's: {}", wrong.join(", "));
    let found = (!wrong.is_empty()).then(|| message.clone());
    let ruling = Ruling::when(wrong.is_empty(), message);
    ctx.check(INTERFACE).expects(expected.clone()).seen(how).comes_to(observed.clone(), ruling);
    ctx.stop(&stops::NOT_THE_LABS, found.clone(), id);
    ctx.stop(&stops::OUTSIDE_MANIFEST, found, id);
    Some(eni)
}

fn address_free(
    lab: &Lab,
    ctx: &mut Context<'_>,
    interface: Option<&NetworkInterface>,
    interfaces: Read<Vec<NetworkInterface>>,
) -> Option<Vec<NetworkInterface>> {
    let address = lab.manifest.capture.address.addr();
    let expected = json!({ "holders": [] });
    let (interfaces, how) = read_or_unknown(ctx, ADDRESS_FREE, &expected, interfaces)?;
    let own = &lab.manifest.capture.network_interface_id;
    let holders = interfaces.iter().filter(|eni| eni.has(address));
    let mut ids: BTreeSet<String> = holders.map(|eni| eni.network_interface_id.clone()).collect();
    if interface.is_some_and(|eni| eni.has(address)) {
        ids.insert(own.clone());
    }
    let message =
        format!("{address} is held by {}", ids.iter().cloned().collect::<Vec<_>>().join(", "));
    let ruling = Ruling::when(ids.is_empty(), message.clone());
    ctx.check(ADDRESS_FREE).expects(expected).seen(how).comes_to(json!({ "holders": ids }), ruling);
    let stranger = ids.iter().any(|id| id != own);
    let text = address.to_string();
    ctx.stop(&stops::FOREIGN_HOLDER, stranger.then(|| message.clone()), &text);
    ctx.stop(&stops::PRE_ASSIGNED, ids.contains(own).then_some(message), own);
    Some(interfaces)
}

fn instances(
    lab: &Lab,
    ctx: &mut Context<'_>,
    answer: Read<Vec<Instance>>,
) -> Option<Vec<Instance>> {
    let wanted: BTreeSet<&String> =
        lab.manifest.nodes.values().filter_map(|node| node.instance_id.as_ref()).collect();
    let expected =
        json!({ "instances": wanted, "all": "running, tagged, in the VPC of their node" });
    let (instances, how) = read_or_unknown(ctx, INSTANCES, &expected, answer)?;
    let costing = instances.iter().filter(|it| it.state.costs());
    let costing = costing.map(|it| it.instance_id.clone()).collect();
    let types = instances.iter().map(|it| (it.instance_id.clone(), it.instance_type.clone()));
    ctx.write(Kind::InstancesFound(InstancesFound { costing, types: types.collect() }));
    let mut wrong = Vec::new();
    let mut foreign = Vec::new();
    for id in &wanted {
        let Some(instance) = instances.iter().find(|it| it.instance_id == **id) else {
            wrong.push(format!("{id} is not there"));
            continue;
        };
        if instance.state != InstanceState::Running {
            wrong.push(format!("{id} is {}", instance.state));
        }
        let vpc = instance.vpc_id.as_deref() == Some(lab.manifest.vpc_of_instance(id));
        if !vpc || !tagged(lab, &instance.tags) {
            foreign.push(format!("{id} is not the lab's (VPC or tag)"));
        }
    }
    let complaints: Vec<_> = wrong.into_iter().chain(foreign.clone()).collect();
    let observed: Vec<_> = instances
        .iter()
        .map(|it| json!({ "instance_id": it.instance_id, "state": it.state, "vpc_id": it.vpc_id, "tagged": tagged(lab, &it.tags) }))
        .collect();
    let message = complaints.join("; ");
    let ruling = Ruling::when(complaints.is_empty(), message);
    ctx.check(INSTANCES).expects(expected).seen(how).comes_to(json!(observed), ruling);
    let found = (!foreign.is_empty()).then(|| foreign.join("; "));
    ctx.stop(&stops::NOT_THE_LABS, found.clone(), "the lab's instances");
    ctx.stop(&stops::OUTSIDE_MANIFEST, found, "the lab's instances");
    Some(instances)
}

fn subnet(lab: &Lab, ctx: &mut Context<'_>, answer: Read<Option<Subnet>>) -> Option<Subnet> {
    let address = lab.manifest.capture.address.addr();
    let expected = json!({
        "vpc_id": lab.manifest.aws.vpc_id,
        "owner_id": lab.manifest.aws.account_id,
        "in_region": true,
        "tagged": true,
        "contains": address,
    });
    let (subnet, how) = read_or_unknown(ctx, SUBNET, &expected, answer)?;
    let subnet = subnet?;
    let contains =
        subnet.cidr_block.parse().is_ok_and(|cidr: ipnet::Ipv4Net| cidr.contains(&address));
    let observed = json!({
        "vpc_id": subnet.vpc_id,
        "owner_id": subnet.owner_id,
        "in_region": subnet.availability_zone.starts_with(&lab.manifest.aws.region),
        "tagged": tagged(lab, &subnet.tags),
        "contains": if contains { json!(address) } else { Value::Null },
    });
    let holds = ctx.check(SUBNET).expects(expected).seen(how).is(observed.clone());
    let found = (!holds).then(|| format!("{} is not the lab's: {observed}", subnet.subnet_id));
    ctx.stop(&stops::OUTSIDE_MANIFEST, found, &subnet.subnet_id);
    Some(subnet)
}

fn vpc(lab: &Lab, ctx: &mut Context<'_>, answer: Read<Option<Vpc>>) -> Option<Vpc> {
    let expected =
        json!({ "is_default": false, "owner_id": lab.manifest.aws.account_id, "tagged": true });
    let (vpc, how) = read_or_unknown(ctx, VPC, &expected, answer)?;
    let vpc = vpc?;
    let lab_tag = tagged(lab, &vpc.tags);
    let observed =
        json!({ "is_default": vpc.is_default, "owner_id": vpc.owner_id, "tagged": lab_tag });
    ctx.check(VPC).expects(expected).seen(how).is(observed);
    let default = vpc.is_default.then(|| format!("{} is the account's default VPC", vpc.vpc_id));
    ctx.stop(&stops::DEFAULT_VPC, default, &vpc.vpc_id);
    let owned = vpc.owner_id == lab.manifest.aws.account_id;
    let foreign = (!lab_tag || !owned)
        .then(|| format!("{} has not the lab's tag, or another owner", vpc.vpc_id));
    ctx.stop(&stops::OUTSIDE_MANIFEST, foreign, &vpc.vpc_id);
    Some(vpc)
}

/// The subnet's own route table, or else the VPC's main one: EC2 does not return an implicit
/// association. A route for the captured address itself would take its packets elsewhere.
fn routes(
    lab: &Lab,
    ctx: &mut Context<'_>,
    answer: Read<Vec<RouteTable>>,
) -> Option<(RouteTable, Vec<RouteTable>)> {
    let captured = lab.manifest.capture.address.to_string();
    let expected = json!({ "table": "the subnet's", "routes_for_the_address": [] });
    let (tables, how) = read_or_unknown(ctx, ROUTES, &expected, answer)?;
    let subnet = &lab.manifest.aws.subnet_id;
    let explicit = tables.iter().find(|table| table.subnet_ids.contains(subnet));
    let table = explicit.or_else(|| tables.iter().find(|table| table.main)).cloned();
    let Some(table) = table else {
        let why = format!("{subnet} has no route table, and its VPC no main one");
        ctx.check(ROUTES).expects(expected).seen(how).fails(json!(tables), why);
        return None;
    };
    let own: Vec<_> = table.routes.keys().filter(|cidr| **cidr == captured).collect();
    let message = format!("{} has a route for {captured} already", table.route_table_id);
    let observed = json!({ "table": table.route_table_id, "routes_for_the_address": own });
    let ruling = Ruling::when(own.is_empty(), message);
    ctx.check(ROUTES).expects(expected).seen(how).comes_to(observed, ruling);
    Some((table, tables))
}

#[cfg(test)]
mod tests;

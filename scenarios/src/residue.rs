//! Nothing is left: nothing that costs money by tag or by id, and the lab's lock is free. What the
//! manifest keeps is listed as kept, everything else with the owner's commands.

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{Address, Answer, Endpoint, Instance, NatGateway, ReadError, Volume};
use lab::manifest::Instances;
use reports::record::{Kind, Outcome, Permit, Record, ResidueItem, ResidueListed};
use reports::redact::Form;
use serde_json::json;

use crate::context::{Context, How};
use crate::left::Changed;
use crate::watch::{self, Costly};
use crate::{cost, stops};

mod rows;
mod unlisted;

const INSTANCES: &str = "residue.instances";
const ADDRESSES: &str = "residue.addresses";
const VOLUMES: &str = "residue.volumes";
const NAT_GATEWAYS: &str = "residue.nat-gateways";
const ENDPOINTS: &str = "residue.endpoints";
const LOCK: &str = "residue.lock";
const CEILING: &str = "residue.instance-seconds";

pub const ASSERTS: &[&str] =
    &[INSTANCES, ADDRESSES, VOLUMES, NAT_GATEWAYS, ENDPOINTS, LOCK, CEILING];
pub const NOT_APPLICABLE: &[&str] = &[];

/// What was found of one kind, and what of it is left or kept.
#[derive(Default)]
struct Found {
    left: Vec<ResidueItem>,
    kept: Vec<ResidueItem>,
}

impl Found {
    fn add(&mut self, lab: &Lab, item: ResidueItem) {
        if lab.manifest.teardown.keep.contains(&item.id) {
            self.kept.push(item);
        } else {
            self.left.push(item);
        }
    }
}

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let ids: Vec<String> =
        lab.manifest.nodes.values().filter_map(|node| node.instance_id.clone()).collect();
    let (costly, by_id) = futures::join!(watch::costly(lab), lab.reader.instances(&ids));
    let Costly { instances: tagged, addresses, volumes, nat_gateways, endpoints } = costly;
    let mut all = ResidueListed { items: Vec::new(), kept: Vec::new() };
    let by_id = gone_is_none(by_id);
    let ended = ended(&ids, &by_id);
    unseen(lab, ctx, "instance", &by_id, to_be_ended(lab, &ids), &mut all);
    instances(lab, ctx, tagged, by_id, &mut all);
    let teardown = &lab.manifest.teardown;
    unseen(lab, ctx, "elastic IP address", &addresses, &teardown.release_addresses, &mut all);
    judge(lab, ctx, ADDRESSES, addresses, address_item, &mut all);
    unseen(lab, ctx, "volume", &volumes, &teardown.delete_volumes, &mut all);
    judge(lab, ctx, VOLUMES, volumes, volume_item, &mut all);
    judge(lab, ctx, NAT_GATEWAYS, nat_gateways, nat_gateway_item, &mut all);
    judge(lab, ctx, ENDPOINTS, endpoints, endpoint_item, &mut all);
    lock(ctx, &mut all);
    all.items.extend(unlisted::items(lab, ctx, &ended));
    all.items.extend(changed(lab, ctx, &ended).await);
    rows::list(lab, ctx, &ended, &mut all);
    instance_seconds(lab, ctx);
    let left = all.items.iter().filter(|item| item.costs_money).map(|item| item.id.clone());
    let left: Vec<_> = left.collect();
    let found = (!left.is_empty()).then(|| format!("still costs money: {}", left.join(", ")));
    ctx.stop(&stops::LEFT_RUNNING, found, &left.join(", "));
    ctx.write(Kind::ResidueListed(all));
}

fn to_be_ended<'a>(lab: &Lab, instances: &'a [String]) -> &'a [String] {
    if lab.manifest.teardown.instances == Instances::Keep { &[] } else { instances }
}

/// What teardown was to end and nobody saw end, where it cannot be looked at: it may go on costing.
fn unseen<T>(
    lab: &Lab,
    ctx: &Context<'_>,
    kind: &str,
    read: &Result<Answer<Vec<T>>, ReadError>,
    ids: &[String],
    all: &mut ResidueListed,
) {
    let Err(error) = read else { return };
    let gone = matches!(error, ReadError::Refused { code, .. } if code.ends_with(".NotFound"));
    let ended = |id: &&String| gone || ctx.journal.with_records(|records| was_ended(records, id));
    all.items.extend(
        ids.iter()
            .filter(|id| !ended(id))
            .map(|id| item(lab, kind, id, format!("whether it is gone cannot be seen: {error}"))),
    );
}

/// Whether a change of this resource under the undo plan is known to be done.
fn was_ended(records: &[Record], id: &str) -> bool {
    let intents = records.iter().filter_map(|record| match &record.kind {
        Kind::Intent(it) if it.resource == id && it.permit == Permit::Undo => Some(&it.id),
        _ => None,
    });
    let intents: Vec<&String> = intents.collect();
    records.iter().any(|record| {
        matches!(&record.kind, Kind::Outcome(it)
            if it.outcome == Outcome::Done && intents.contains(&&it.intent))
    })
}

/// By tag and by id: a tag that was taken off hides nothing.
fn instances(
    lab: &Lab,
    ctx: &mut Context<'_>,
    tagged: Result<Answer<Vec<Instance>>, ReadError>,
    by_id: Result<Answer<Vec<Instance>>, ReadError>,
    all: &mut ResidueListed,
) {
    let expected = json!({ "left": [] });
    let (tagged, by_id) = match (tagged, by_id) {
        (Ok(tagged), Ok(by_id)) => (tagged, by_id),
        (Err(error), _) | (_, Err(error)) => {
            let how = ctx.seen_error(&error);
            return ctx.unknown(INSTANCES, expected, how, error.to_string());
        }
    };
    let how = ctx.seen(&tagged).and(ctx.seen(&by_id));
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    for instance in tagged.value.iter().chain(&by_id.value) {
        if !seen.insert(instance.instance_id.clone()) {
            continue;
        }
        if let Some(item) = instance_item(lab, instance) {
            found.add(lab, item);
        }
    }
    settle(ctx, INSTANCES, found, how, all);
}

/// An instance that is gone for so long that EC2 does not know it is not left.
fn gone_is_none(
    result: Result<Answer<Vec<Instance>>, ReadError>,
) -> Result<Answer<Vec<Instance>>, ReadError> {
    match result {
        Err(ReadError::Refused { call, code, raw, .. }) if code == "InvalidInstanceID.NotFound" => {
            Ok(Answer { value: Vec::new(), call, raw: vec![raw], form: Form::Xml, attempts: 1 })
        }
        other => other,
    }
}

fn instance_item(lab: &Lab, instance: &Instance) -> Option<ResidueItem> {
    let stopped_is_wanted = lab.manifest.teardown.instances == Instances::Stop;
    let wanted = match instance.state.as_str() {
        "terminated" => true,
        "stopped" => stopped_is_wanted,
        _ => lab.manifest.teardown.instances == Instances::Keep,
    };
    let why = format!("it is {}", instance.state);
    (!wanted).then(|| ResidueItem {
        costs_money: instance.state != "stopped",
        ..item(lab, "instance", &instance.instance_id, why)
    })
}

fn item(lab: &Lab, kind: &str, id: &str, why: String) -> ResidueItem {
    watch::left(kind, id, why, &lab.manifest.aws.region)
}

#[expect(clippy::unnecessary_wraps, reason = "one signature with the other kinds")]
fn address_item(lab: &Lab, address: &Address) -> Option<ResidueItem> {
    let why = format!("{} is allocated", address.public_ip);
    Some(item(lab, "elastic IP address", &address.allocation_id, why))
}

/// A volume that is attached belongs to its instance; one that is being deleted is going.
fn volume_item(lab: &Lab, volume: &Volume) -> Option<ResidueItem> {
    let why = format!("it is {} and attached to nothing", volume.state);
    watch::is_unattached(volume).then(|| item(lab, "volume", &volume.volume_id, why))
}

fn nat_gateway_item(lab: &Lab, gateway: &NatGateway) -> Option<ResidueItem> {
    let why = format!("it is {} in the lab's VPC", gateway.state);
    watch::is_there(gateway).then(|| item(lab, "NAT gateway", &gateway.nat_gateway_id, why))
}

fn endpoint_item(lab: &Lab, endpoint: &Endpoint) -> Option<ResidueItem> {
    let why = format!("it is {} in the lab's VPC", endpoint.state);
    watch::is_charged(endpoint).then(|| item(lab, "VPC endpoint", &endpoint.vpc_endpoint_id, why))
}

fn judge<T>(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    answer: Result<Answer<Vec<T>>, ReadError>,
    item: impl Fn(&Lab, &T) -> Option<ResidueItem>,
    all: &mut ResidueListed,
) {
    match answer {
        Ok(answer) => {
            let how = ctx.seen(&answer);
            let mut found = Found::default();
            for item in answer.value.iter().filter_map(|one| item(lab, one)) {
                found.add(lab, item);
            }
            settle(ctx, id, found, how, all);
        }
        Err(error) => {
            let how = ctx.seen_error(&error);
            ctx.unknown(id, json!({ "left": [] }), how, error.to_string());
        }
    }
}

fn settle(
    ctx: &mut Context<'_>,
    id: &'static str,
    found: Found,
    how: How,
    all: &mut ResidueListed,
) {
    let ids = |items: &[ResidueItem]| items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
    let left = ids(&found.left);
    let message = format!("left: {}", left.join(", "));
    let observed = json!({ "left": left, "kept": ids(&found.kept) });
    let expected = json!({ "left": [] });
    ctx.judge(id, left.is_empty(), expected, observed, how, Some(message));
    all.items.extend(found.left);
    all.kept.extend(found.kept);
}

/// Those of the instances that are gone, and with them what was changed on them.
fn ended(ids: &[String], by_id: &Result<Answer<Vec<Instance>>, ReadError>) -> BTreeSet<String> {
    let is_there = |id: &String, all: &[Instance]| {
        let gone = |it: &Instance| matches!(it.state.as_str(), "shutting-down" | "terminated");
        all.iter().any(|it| it.instance_id == *id && !gone(it))
    };
    match by_id {
        Ok(answer) => ids.iter().filter(|id| !is_there(id, &answer.value)).cloned().collect(),
        Err(_) => BTreeSet::new(),
    }
}

/// What `restored` found changed, unless it went with its instance since.
async fn changed(lab: &Lab, ctx: &mut Context<'_>, ended: &BTreeSet<String>) -> Vec<ResidueItem> {
    let all = ctx.run.state.borrow().changed.clone();
    let mut left = Vec::new();
    for Changed { node, item } in all {
        let gone = match node {
            Some(node) => {
                let instance = lab.manifest.nodes[&node].instance_id.as_ref();
                instance.is_some_and(|id| ended.contains(id))
            }
            None => is_gone(lab, ctx, &item.id).await,
        };
        if !gone {
            left.push(item);
        }
    }
    left
}

async fn is_gone(lab: &Lab, ctx: &mut Context<'_>, eni: &str) -> bool {
    match lab.reader.network_interface(eni).await {
        Ok(answer) => {
            ctx.seen(&answer);
            answer.value.is_none()
        }
        Err(error) => {
            ctx.seen_error(&error);
            false
        }
    }
}

/// The lock was released before teardown, which may have ended the node that holds it: what was
/// read back there stands in the journal.
fn lock(ctx: &mut Context<'_>, all: &mut ResidueListed) {
    let held = ctx.journal.with_records(|records| {
        records.iter().rev().find_map(|record| match record.kind {
            Kind::LockReleased(_) => Some(false),
            Kind::LockTaken(_) => Some(true),
            _ => None,
        })
    });
    let held = held.unwrap_or(false);
    let path = lab::act::LOCK_PATH;
    let how = How::words("the journal's records of the lock");
    let message = format!("{path} could not be removed from routerd-cloud");
    let observed = json!({ "held": held });
    ctx.judge(LOCK, !held, json!({ "held": false }), observed, how, Some(message));
    if held {
        all.items.push(ResidueItem {
            resource: "lock on routerd-cloud".to_owned(),
            id: path.to_owned(),
            why: "the run could not release it".to_owned(),
            costs_money: false,
            owner_commands: vec![format!("sudo rm -f {path}")],
        });
    }
}

/// Seconds that the lab's instances ran during this run, by the journal's own times.
fn instance_seconds(lab: &Lab, ctx: &mut Context<'_>) {
    let seconds = cost::instance_seconds(lab, ctx.journal);
    ctx.write(cost::recorded(lab, seconds));
    let over = watch::over_the_ceiling(lab, seconds);
    let how = How::words("from preflight, or their start, to the sight of their end");
    let observed = json!({ "instance_seconds": seconds });
    let expected = json!({ "max_instance_seconds": cost::ceiling(lab) });
    ctx.judge(CEILING, over.is_none(), expected, observed, how, over.clone());
    ctx.stop(&stops::CEILING, over, &lab.manifest.lab.name);
}

#[cfg(test)]
mod tests;

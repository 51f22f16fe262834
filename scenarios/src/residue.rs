//! Nothing is left: nothing that costs money by tag or by id, and the lab's lock is free. What the
//! manifest keeps is listed as kept, everything else with the owner's commands.

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{Answer, Instance, InstanceState, ReadError, Sighted};
use lab::manifest::Instances;
use reports::record::{
    Kind, Life, Outcome, Permit, Record, ResidueItem, ResidueListed, ResourceKind, ResourceSeen,
    ResourcesSeen,
};
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::left::Changed;
use crate::watch;
use crate::{cost, stops};

use self::look::{KindFound, LastLook, ResidueLook};

mod look;
mod rows;
mod unlisted;

pub const INSTANCES: &str = "residue.instances";
pub const INTERFACES: &str = "residue.interfaces";
pub const ADDRESSES: &str = "residue.addresses";
pub const VOLUMES: &str = "residue.volumes";
pub const NAT_GATEWAYS: &str = "residue.nat-gateways";
pub const ENDPOINTS: &str = "residue.endpoints";
pub const LOCK: &str = "residue.lock";
pub const CEILING: &str = "residue.instance-seconds";

pub const ASSERTS: &[&str] =
    &[INSTANCES, INTERFACES, ADDRESSES, VOLUMES, NAT_GATEWAYS, ENDPOINTS, LOCK, CEILING];
pub const NOT_APPLICABLE: &[&str] = &[];

/// The things that were found of one kind, and what of them is left or kept.
#[derive(Default)]
struct ResidueOfKind {
    left: Vec<ResidueItem>,
    kept: Vec<ResidueItem>,
}

impl ResidueOfKind {
    fn left_ids(&self) -> Vec<String> {
        self.left.iter().map(|item| item.id.clone()).collect()
    }

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
    let LastLook { look, kinds, settled } =
        Box::pin(look::look_until_settled(lab, ctx, &ids)).await;
    let mut all = ResidueListed { items: Vec::new(), kept: Vec::new() };
    let sighted = ctx.journal.with_records(Sighted::of);
    let absent = absent(lab, &sighted, &ids, &look.by_id);
    let teardown = &lab.manifest.teardown;
    unseen(lab, ctx, "instance", &look.by_id, to_be_ended(lab, &ids), &mut all);
    unseen(lab, ctx, "elastic IP address", &look.addresses, &teardown.release_addresses, &mut all);
    unseen(lab, ctx, "volume", &look.volumes, &teardown.delete_volumes, &mut all);
    let why = "EC2 does not list it, and this run did not see it end".to_owned();
    let vanished = absent.vanished.iter().map(|id| item(lab, "instance", id, why.clone()));
    all.items.extend(vanished);
    for kind in kinds {
        let vanished = (kind.id == INSTANCES && !absent.vanished.is_empty())
            .then(|| format!("{}: {why}", absent.vanished.join(", ")));
        settle(ctx, kind, settled, vanished, &mut all);
    }
    record_ends(ctx, &sighted, &look);
    lock(ctx, &mut all);
    all.items.extend(unlisted::find_unlisted_items(lab, ctx, &absent.ended));
    all.items.extend(changed(lab, ctx, &absent.ended).await);
    rows::list_rows_left(lab, ctx, &absent.ended, &mut all);
    instance_seconds(lab, ctx);
    let left = all.items.iter().filter(|item| item.costs_money).map(|item| item.id.clone());
    let left: Vec<_> = left.collect();
    let found = (!left.is_empty()).then(|| format!("still costs money: {}", left.join(", ")));
    ctx.stop(&stops::LEFT_RUNNING, found, &left.join(", "));
    ctx.write(Kind::ResidueListed(all));
}

/// Records which addresses and volumes of those that this run saw are there no more: they cost until
/// then.
fn record_ends(ctx: &mut Context<'_>, sighted: &Sighted, look: &ResidueLook) {
    let volumes = look.volumes.as_ref().map(|it| ids_of(&it.value, |it| &it.volume_id));
    let addresses = look.addresses.as_ref().map(|it| ids_of(&it.value, |it| &it.allocation_id));
    let mut resources = Vec::new();
    for (kind, listed) in [(ResourceKind::Volume, volumes), (ResourceKind::Address, addresses)] {
        let Ok(listed) = listed else { continue };
        let gone = sighted.ids(kind).into_iter().filter(|id| !listed.contains(id));
        resources.extend(gone.map(|id| ResourceSeen { kind, id, life: Life::Ended }));
    }
    if !resources.is_empty() {
        ctx.write(Kind::ResourcesSeen(ResourcesSeen { resources }));
    }
}

fn ids_of<T>(all: &[T], id: impl Fn(&T) -> &String) -> BTreeSet<String> {
    all.iter().map(|it| id(it).clone()).collect()
}

fn to_be_ended<'a>(lab: &Lab, instances: &'a [String]) -> &'a [String] {
    if lab.manifest.teardown.instances == Instances::Keep { &[] } else { instances }
}

/// Lists what teardown was to end and nobody saw end, where it cannot be looked at: it may go on
/// costing.
fn unseen<T>(
    lab: &Lab,
    ctx: &Context<'_>,
    kind: &str,
    read: &Result<Answer<Vec<T>>, ReadError>,
    ids: &[String],
    all: &mut ResidueListed,
) {
    let Err(error) = read else { return };
    let ended = |id: &&String| ctx.journal.with_records(|records| was_ended(records, id));
    all.items.extend(
        ids.iter()
            .filter(|id| !ended(id))
            .map(|id| item(lab, kind, id, format!("whether it is gone cannot be seen: {error}"))),
    );
}

/// Whether a change of this resource under the undo plan is known to be done.
fn was_ended(records: &[Record], id: &str) -> bool {
    let intents = records.iter().filter_map(|record| match &record.kind {
        Kind::Intent(it) if it.effect.resource() == id && it.permit == Permit::Undo => Some(&it.id),
        _ => None,
    });
    let intents: Vec<&String> = intents.collect();
    records.iter().any(|record| {
        matches!(&record.kind, Kind::Outcome(it)
            if it.outcome == Outcome::Done && intents.contains(&&it.intent))
    })
}

/// Those of the manifest's instances that are no more, as far as one can tell.
#[derive(Default)]
struct Absent {
    /// Gone, or going for good.
    ended: BTreeSet<String>,
    /// EC2 does not list them, and this run did not see them end: nobody knows.
    vanished: Vec<String>,
}

fn absent(
    lab: &Lab,
    sighted: &Sighted,
    ids: &[String],
    by_id: &Result<Answer<Vec<Instance>>, ReadError>,
) -> Absent {
    let mut absent = Absent::default();
    let Ok(answer) = by_id else { return absent };
    for id in ids {
        let found = answer.value.iter().find(|it| it.instance_id == *id);
        let gone = match found {
            Some(it) => it.state.is_the_end(),
            None => sighted.is_gone(id, lab.clock.now()) == Some(true),
        };
        if gone {
            absent.ended.insert(id.clone());
        } else if found.is_none() {
            absent.vanished.push(id.clone());
        }
    }
    absent
}

/// The manifest's verdict on an instance as it is.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It has ended, or was stopped, as teardown says.
    AsWanted,
    Kept(ResidueItem),
    Left(ResidueItem),
}

/// Only what the manifest names can be as it wants it: any other one that carries the lab's tag is
/// left, whatever teardown is.
fn fate(lab: &Lab, instance: &Instance) -> Fate {
    let (id, state) = (&instance.instance_id, &instance.state);
    let named = lab.manifest.nodes.values().any(|node| node.instance_id.as_ref() == Some(id));
    let keeps = lab.manifest.teardown.instances == Instances::Keep && named;
    if *state == InstanceState::Terminated && !keeps {
        return Fate::AsWanted;
    }
    let left = |ends: &str, why: String| {
        let command = format!("aws ec2 {ends} {id} --region {}", lab.manifest.aws.region);
        let (resource, owner_commands) = ("instance".to_owned(), vec![command]);
        let costs_money = state.costs();
        ResidueItem { resource, id: id.clone(), why, costs_money, owner_commands }
    };
    let terminate = |why| left("terminate-instances --instance-ids", why);
    if !named {
        return Fate::Left(terminate(format!("it is {state}, and the manifest does not name it")));
    }
    let is = format!("it is {state}");
    match lab.manifest.teardown.instances {
        Instances::Terminate => Fate::Left(terminate(is)),
        Instances::Stop if *state == InstanceState::Stopped => Fate::AsWanted,
        Instances::Stop => Fate::Left(left("stop-instances --instance-ids", is)),
        Instances::Keep if *state == InstanceState::Terminated => {
            let why = format!("{is}, and the manifest keeps it: it cannot be put back");
            Fate::Left(left("describe-instances --instance-ids", why))
        }
        Instances::Keep if !is_tagged(lab, instance) => {
            let (key, value) = (&lab.manifest.lab.tag_key, &lab.manifest.lab.tag_value);
            let tag = lab::quote_for_shell(&format!("Key={key},Value={value}"));
            let puts_on = format!("create-tags --tags {tag} --resources");
            Fate::Left(left(&puts_on, format!("{is} and has lost the lab's tag")))
        }
        Instances::Keep if matches!(state, InstanceState::Pending | InstanceState::Running) => {
            Fate::Kept(terminate(format!("{is}, and the manifest keeps it")))
        }
        Instances::Keep => {
            let why = format!("{is}, and the manifest keeps it running");
            Fate::Left(left("start-instances --instance-ids", why))
        }
    }
}

fn is_tagged(lab: &Lab, instance: &Instance) -> bool {
    instance.tags.get(&lab.manifest.lab.tag_key) == Some(&lab.manifest.lab.tag_value)
}

fn item(lab: &Lab, kind: &str, id: &str, why: String) -> ResidueItem {
    watch::describe_costly_item(kind, id, why, &lab.manifest.aws.region)
}

/// Judges what the last look found of one kind, beside what the one before it did.
fn settle(
    ctx: &mut Context<'_>,
    kind: KindFound,
    settled: bool,
    vanished: Option<String>,
    all: &mut ResidueListed,
) {
    let KindFound { id, found, how, before } = kind;
    let expected = json!({ "left": [] });
    let found = match found {
        Ok(found) => found,
        Err(why) => return ctx.check(id).expects(expected).seen(how).unknown(why),
    };
    let left = found.left_ids();
    let differs = before.as_ref() != Some(&left);
    let kept: Vec<_> = found.kept.iter().map(|item| item.id.clone()).collect();
    all.items.extend(found.left);
    all.kept.extend(found.kept);
    // What is left is left, whatever else nobody can tell.
    let unknown = vanished.filter(|_| left.is_empty());
    let unequal = (!settled && differs)
        .then(|| format!("no two looks in a row found the same: {before:?}, then {left:?}"));
    if let Some(why) = unknown.or(unequal) {
        return ctx.check(id).expects(expected).seen(how).unknown(why);
    }
    let message = format!("left: {}", left.join(", "));
    let ruling = Ruling::when(left.is_empty(), message);
    let observed = json!({ "left": left, "kept": kept, "left_at_the_look_before": before });
    ctx.check(id).expects(expected).seen(how).comes_to(observed, ruling);
}

/// The changes that `restored` found, unless they went with their instance since.
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
    // What was seen on the node counts, whatever the journal says.
    let held = held.unwrap_or(false) || ctx.run.state.borrow().lock_taken;
    let path = lab::act::LOCK_PATH;
    let how = How::words("the journal's records of the lock");
    let message = format!("{path} could not be removed from routerd-cloud");
    let observed = json!({ "held": held });
    let ruling = Ruling::when(!held, message);
    ctx.check(LOCK).expects(json!({ "held": false })).seen(how).comes_to(observed, ruling);
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
    ctx.write(cost::make_cost_record(lab, ctx.journal));
    let over = watch::over_the_ceiling(lab, seconds);
    let how = How::words("from preflight, or their start, to the sight of their end");
    let observed = json!({ "instance_seconds": seconds });
    let expected = json!({ "max_instance_seconds": cost::read_ceiling(lab) });
    ctx.check(CEILING).expects(expected).seen(how).comes_to(observed, Ruling::unless(over.clone()));
    ctx.stop(&stops::CEILING, over, &lab.manifest.lab.name);
}

#[cfg(test)]
mod tests;

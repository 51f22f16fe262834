//! The watchdog: what of the lab costs money, and what router.yaml says, looked at again while the
//! run is on. It looks while a scenario runs, so that it costs no round trip of its own, and what it
//! saw is judged before the next effect (hard stops 6 and 8).

use std::collections::BTreeMap;

use lab::Lab;
use lab::ec2::{Address, Endpoint, Instance, NatGateway, ReadError, Volume};
use lab::manifest::Instances;
use lab::node::Node;
use lab::shell::{NodeAnswer, Observe, RouterYaml, Unread};
use reports::journal::Writer;
use reports::record::{Kind, NobodysFound, ResidueItem};
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::sight::{self, LabAddresses};
use crate::stops::Detector;
use crate::{cost, stops};

pub type Read<T> = Result<lab::ec2::Answer<Vec<T>>, ReadError>;

/// One look at everything of the lab that may cost money.
pub struct Costly {
    pub instances: Read<Instance>,
    pub addresses: Read<Address>,
    pub volumes: Read<Volume>,
    pub nat_gateways: Read<NatGateway>,
    pub endpoints: Read<Endpoint>,
}

/// All that the watchdog looks at.
pub struct Look {
    costly: Costly,
    router_yaml: NodeAnswer<Result<RouterYaml, Unread>>,
}

/// By the lab's tag and in the lab's VPC, at the same time; of the addresses all, since one that
/// hangs on a lab's instance may have no tag.
pub async fn read_costly(lab: &Lab) -> Costly {
    let (key, value) = (&lab.manifest.lab.tag_key, &lab.manifest.lab.tag_value);
    let (instances, addresses, volumes, nat_gateways, endpoints) = futures::join!(
        instances(lab),
        lab.reader.addresses(),
        lab.reader.volumes_tagged(key, value),
        in_each_vpc(
            lab,
            |it: &NatGateway| &it.nat_gateway_id,
            async |vpc| lab.reader.nat_gateways(vpc).await
        ),
        in_each_vpc(
            lab,
            |it: &Endpoint| &it.vpc_endpoint_id,
            async |vpc| lab.reader.endpoints(vpc).await
        ),
    );
    Costly { instances, addresses, volumes, nat_gateways, endpoints }
}

/// Asks for each VPC of the lab at the same time; the answers as one.
async fn in_each_vpc<T>(
    lab: &Lab,
    id: impl Fn(&T) -> &String,
    ask: impl AsyncFn(&str) -> Read<T>,
) -> Read<T> {
    let (own, other) = lab.manifest.vpc_ids();
    let Some(other) = other else { return ask(own).await };
    let (own, other) = futures::join!(ask(own), ask(other));
    join_reads(own, other, id)
}

/// Where nothing is in the VPC but the lab, one without its tag is the lab's too.
async fn instances(lab: &Lab) -> Read<Instance> {
    let (key, value) = (&lab.manifest.lab.tag_key, &lab.manifest.lab.tag_value);
    let tagged = lab.reader.instances_tagged(key, value);
    if !lab.manifest.aws.dedicated_vpc {
        return tagged.await;
    }
    let (tagged, inside) =
        futures::join!(tagged, lab.reader.instances_in(&lab.manifest.aws.vpc_id));
    join_reads(tagged, inside, |it| &it.instance_id)
}

/// Those that either read found.
pub fn join_reads<T>(one: Read<T>, other: Read<T>, id: impl Fn(&T) -> &String) -> Read<T> {
    let (mut one, other) = (one?, other?);
    let is_new = |it: &T| one.value.iter().all(|known| id(known) != id(it));
    let more: Vec<T> = other.value.into_iter().filter(is_new).collect();
    one.value.extend(more);
    one.raw.extend(other.raw);
    one.attempts += other.attempts;
    Ok(one)
}

pub async fn take_look(lab: &Lab) -> Look {
    let yaml = Observe::router_yaml(&lab.manifest.routerd);
    let (costly, router_yaml) =
        futures::join!(read_costly(lab), lab.shell.observe(Node::RouterdCloud, &yaml));
    Look { costly, router_yaml }
}

pub fn is_unattached(volume: &Volume) -> bool {
    volume.attached_to.is_empty() && volume.state != "deleting"
}

pub fn is_there(gateway: &NatGateway) -> bool {
    !matches!(gateway.state.as_str(), "deleted" | "deleting" | "failed")
}

/// One of type `Gateway` is free of charge.
pub fn is_charged(endpoint: &Endpoint) -> bool {
    endpoint.kind != "Gateway"
        && !matches!(endpoint.state.as_str(), "deleted" | "deleting" | "failed" | "rejected")
}

impl Costly {
    /// The resources that cost money, by id with their kind; and which reads had no answer.
    pub fn found(&self, own: &LabAddresses) -> (BTreeMap<String, &'static str>, Vec<&ReadError>) {
        let mut found = CostlyIds::default();
        found.add(&self.instances, "instance", |it| it.state.costs().then_some(&it.instance_id));
        found.add(&self.addresses, "elastic IP address", |it| {
            own.has(it).then_some(&it.allocation_id)
        });
        found.add(&self.volumes, "volume", |it| is_unattached(it).then_some(&it.volume_id));
        found.add(&self.nat_gateways, "NAT gateway", |it| {
            is_there(it).then_some(&it.nat_gateway_id)
        });
        found.add(&self.endpoints, "VPC endpoint", |it| {
            is_charged(it).then_some(&it.vpc_endpoint_id)
        });
        (found.by_id, found.errors)
    }

    /// Keeps the answers as evidence.
    pub fn seen(&self, ctx: &mut Context<'_>) -> How {
        let hows = [
            one(ctx, &self.instances),
            one(ctx, &self.addresses),
            one(ctx, &self.volumes),
            one(ctx, &self.nat_gateways),
            one(ctx, &self.endpoints),
        ];
        hows.into_iter().fold(How::default(), How::and)
    }
}

fn one<T>(ctx: &mut Context<'_>, read: &Read<T>) -> How {
    match read {
        Ok(answer) => ctx.seen(answer),
        Err(error) => ctx.seen_error(error),
    }
}

#[derive(Default)]
struct CostlyIds<'a> {
    by_id: BTreeMap<String, &'static str>,
    errors: Vec<&'a ReadError>,
}

impl<'a> CostlyIds<'a> {
    fn add<T>(
        &mut self,
        read: &'a Read<T>,
        kind: &'static str,
        id: impl Fn(&T) -> Option<&String>,
    ) {
        match read {
            Ok(answer) => {
                self.by_id.extend(answer.value.iter().filter_map(id).map(|id| (id.clone(), kind)));
            }
            Err(error) => self.errors.push(error),
        }
    }
}

/// In preflight: what nobody will end and nobody means to keep would be left; `id` is the
/// assertion that says so.
pub fn judge_before(lab: &Lab, ctx: &mut Context<'_>, id: &'static str, costly: &Costly) {
    let how = costly.seen(ctx);
    let expected = json!({ "nobodys": [] });
    let own = LabAddresses::known(lab, ctx.journal);
    let (mut found, errors) = costly.found(&own);
    if let Some(error) = errors.first() {
        return ctx.check(id).expects(expected).seen(how).unknown(error.to_string());
    }
    let outlive = outliving(lab, costly);
    found.extend(outlive.keys().map(|id| (id.clone(), "volume")));
    let nobodys = nobodys(lab, &found);
    let message = format!("{}: {NOBODYS}", listed(&found, &nobodys));
    let observed = json!({ "nobodys": nobodys, "costs": found, "outlive": outlive });
    let region = &lab.manifest.aws.region;
    let item = |id: &&String| nobodys_item(id, found[*id], outlive.get(*id), region);
    let items: Vec<ResidueItem> = nobodys.iter().map(item).collect();
    ctx.write(Kind::NobodysFound(NobodysFound { items: items.clone() }));
    ctx.run.state.borrow_mut().nobodys = items;
    let tripped = (!nobodys.is_empty()).then(|| message.clone());
    let ruling = Ruling::when(nobodys.is_empty(), message);
    ctx.check(id).expects(expected).seen(how).comes_to(observed, ruling);
    ctx.stop(&stops::WOULD_BE_LEFT, tripped, &resource(&nobodys));
    ctx.run.state.borrow_mut().costly = Some(found.into_keys().collect());
}

/// The resources that the manifest neither ends nor keeps.
fn nobodys<'a>(lab: &Lab, found: &'a BTreeMap<String, &'static str>) -> Vec<&'a String> {
    let teardown = &lab.manifest.teardown;
    let nodes = lab.manifest.nodes.values().filter_map(|node| node.instance_id.as_ref());
    let known: Vec<&String> = nodes
        .chain(&teardown.release_addresses)
        .chain(&teardown.delete_volumes)
        .chain(&teardown.keep)
        .collect();
    found.keys().filter(|id| !known.contains(id)).collect()
}

/// Resources of the lab that cost money and nobody will end, for a run that ends before it used its
/// go: its preflight may not have come so far as to look, and what it saw may have changed since.
/// What cannot be looked at may be there.
pub async fn left_by_nobody(lab: &Lab, journal: &Writer) -> Vec<ResidueItem> {
    let (costly, interfaces) = futures::join!(read_costly(lab), sight::interfaces_of_the_vpc(lab));
    let own = LabAddresses::known(lab, journal).and_on(interfaces);
    let (found, errors) = costly.found(&own);
    let region = &lab.manifest.aws.region;
    let item = |id: &String| nobodys_item(id, found[id], None, region);
    let mut items: Vec<ResidueItem> = nobodys(lab, &found).into_iter().map(item).collect();
    if let Some(error) = errors.first() {
        let (key, value) = (&lab.manifest.lab.tag_key, &lab.manifest.lab.tag_value);
        let tag = lab::quote_for_shell(&format!("Key={key},Values={value}"));
        let asks = format!("aws resourcegroupstaggingapi get-resources --tag-filters {tag}");
        items.push(ResidueItem {
            resource: "lab".to_owned(),
            id: lab.manifest.lab.name.clone(),
            why: format!("what of it costs money cannot be seen: {error}"),
            costs_money: true,
            owner_commands: vec![format!("{asks} --region {region}")],
        });
    }
    items
}

/// The volumes that stay when teardown terminates their instances: each with its instance and the
/// name of its device.
fn outliving(lab: &Lab, costly: &Costly) -> BTreeMap<String, [String; 2]> {
    let ends = |id: &String| {
        lab.manifest.teardown.instances == Instances::Terminate
            && lab.manifest.nodes.values().any(|node| node.instance_id.as_ref() == Some(id))
    };
    let instances = costly.instances.iter().flat_map(|answer| &answer.value);
    let ending = instances.filter(|it| ends(&it.instance_id));
    ending
        .flat_map(|it| it.block_devices.iter().map(|device| (&it.instance_id, device)))
        .filter(|(_, device)| !device.delete_on_termination)
        .map(|(id, device)| (device.volume_id.clone(), [id.clone(), device.device_name.clone()]))
        .collect()
}

const NOBODYS: &str = "neither the manifest's teardown ends it nor its teardown.keep names it";

/// One that costs money; `outlives` are the instance and the device with which a volume would end.
fn nobodys_item(id: &str, kind: &str, outlives: Option<&[String; 2]>, region: &str) -> ResidueItem {
    let item = describe_costly_item(kind, id, NOBODYS.to_owned(), region);
    let Some([instance, device]) = outlives else { return item };
    let why = format!("it outlives {instance}, which teardown terminates, and {NOBODYS}");
    ResidueItem { why, owner_commands: vec![goes_with(instance, device, region)], ..item }
}

/// The command by which a volume ends with its instance.
fn goes_with(instance_id: &str, device: &str, region: &str) -> String {
    let mapping = format!("DeviceName={device},Ebs={{DeleteOnTermination=true}}");
    format!(
        "aws ec2 modify-instance-attribute --instance-id {instance_id} \
         --block-device-mappings {} --region {region}",
        lab::quote_for_shell(&mapping)
    )
}

/// Something that costs money and goes on to, with the command that ends it.
pub fn describe_costly_item(kind: &str, id: &str, why: String, region: &str) -> ResidueItem {
    let ends = match kind {
        "instance" => "terminate-instances --instance-ids",
        "elastic IP address" => "release-address --allocation-id",
        "volume" => "delete-volume --volume-id",
        "network interface" => "delete-network-interface --network-interface-id",
        "NAT gateway" => "delete-nat-gateway --nat-gateway-id",
        _ => "delete-vpc-endpoints --vpc-endpoint-ids",
    };
    ResidueItem {
        resource: kind.to_owned(),
        id: id.to_owned(),
        why,
        costs_money: true,
        owner_commands: vec![format!("aws ec2 {ends} {id} --region {region}")],
    }
}

fn listed(found: &BTreeMap<String, &'static str>, ids: &[&String]) -> String {
    let named = ids.iter().map(|id| format!("{} {id}", found.get(*id).unwrap_or(&"resource")));
    named.collect::<Vec<_>>().join(", ")
}

fn resource(ids: &[&String]) -> String {
    ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ")
}

/// Judges a look during the run. One without an answer is told; the next look is the second try, and
/// if that sees nothing either nobody watches any more, which is as good as having found it.
pub fn judge_look(lab: &Lab, ctx: &mut Context<'_>, look: &Look) {
    ctx.looked(5, 1);
    new_cost(lab, ctx, &look.costly);
    judge_ceiling(lab, ctx);
    router_yaml(lab, ctx, look);
}

fn new_cost(lab: &Lab, ctx: &mut Context<'_>, costly: &Costly) {
    let Some(before) = ctx.run.state.borrow().costly.clone() else { return };
    let (found, errors) = costly.found(&LabAddresses::known(lab, ctx.journal));
    let new: Vec<&String> = found.keys().filter(|id| !before.contains(*id)).collect();
    if !new.is_empty() {
        costly.seen(ctx);
        let why = format!("new since preflight, and it costs money: {}", listed(&found, &new));
        ctx.stop(&stops::NEW_COST, Some(why), &resource(&new));
    } else if let Some(error) = errors.first() {
        blind(ctx, &stops::NEW_COST, &error.to_string(), "what costs money");
    } else {
        sees(ctx, &stops::NEW_COST);
        ctx.stop(&stops::NEW_COST, None, "");
    }
}

/// The look saw nothing: said in the evidence, and after the second in a row a stop.
fn blind(ctx: &mut Context<'_>, detector: &'static Detector, why: &str, what: &str) {
    let attempts = {
        let mut state = ctx.run.state.borrow_mut();
        let looks = state.blind_looks.entry(detector.name).or_default();
        *looks += 1;
        *looks
    };
    ctx.blind(detector, attempts, why);
    if attempts > 1 {
        let why = format!("{what} could not be looked at {attempts} times in a row: {why}");
        ctx.stop(detector, Some(why), what);
    }
}

fn sees(ctx: &Context<'_>, detector: &Detector) {
    ctx.run.state.borrow_mut().blind_looks.remove(detector.name);
}

/// The sum so far against the manifest's ceiling.
pub fn judge_ceiling(lab: &Lab, ctx: &mut Context<'_>) {
    let tripped = over_the_ceiling(lab, cost::instance_seconds(lab, ctx.journal));
    ctx.stop(&stops::CEILING, tripped, &lab.manifest.lab.name);
}

pub fn over_the_ceiling(lab: &Lab, seconds: u64) -> Option<String> {
    let ceiling = cost::read_ceiling(lab).filter(|ceiling| seconds > *ceiling)?;
    Some(format!("{seconds} instance-seconds, more than the manifest's ceiling of {ceiling}"))
}

/// A policy that is switched later executes by itself, again and again (contract §0.13).
fn router_yaml(lab: &Lab, ctx: &mut Context<'_>, look: &Look) {
    let Some(before) = ctx.run.state.borrow().router_yaml.clone() else { return };
    let path = &lab.manifest.routerd.config;
    let answer = match &look.router_yaml {
        Ok(answer) => answer,
        Err(error) => return blind(ctx, &stops::POLICY_CHANGED, &error.to_string(), path),
    };
    let now = match &answer.value {
        Ok(read) => &read.sha256,
        Err(unread) => {
            let said = unread.clone().into_words();
            return blind(ctx, &stops::POLICY_CHANGED, &said, path);
        }
    };
    sees(ctx, &stops::POLICY_CHANGED);
    let tripped = (*now != before).then(|| {
        ctx.seen(answer);
        format!("{path} is not what preflight read: sha256 {now}, it was {before}")
    });
    ctx.stop(&stops::POLICY_CHANGED, tripped, path);
}

#[cfg(test)]
mod tests;

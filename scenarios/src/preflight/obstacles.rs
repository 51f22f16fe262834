//! What EC2 alone says against a run, before anything is started or waited for: instances that nobody
//! could stop again (hard stop 7), no room for the captured address on its interface, and packets of
//! the run that the security groups do not let in; and, for whoever starts instances before preflight,
//! an operator who may not stop them, and a lab that ends before the run.

mod inbound;
mod power;

use std::collections::BTreeMap;

use lab::Lab;
use lab::ec2::{
    Answer, Instance, InstanceTypeLimits, NetworkInterface, Protection, ReadError, SecurityGroup,
};
use lab::node::Node;
use serde_json::json;

use super::cloud::read_or_unknown;
use super::gather::Read;
use super::permissions::{self, PowerRights};
use super::switch::{self, Expiring};
use super::{CAPACITY, ICMP_ERRORS, PORTS, STOPPABLE};
use crate::context::{Context, How, Ruling};
use crate::stops;

/// The answers that only these items need.
pub struct ObstacleReads {
    /// One for each instance and protection.
    pub protections: Vec<(String, Protection, Read<bool>)>,
    /// Of the router's instance type; none where nobody knows which that is.
    pub limits: Option<Read<Option<InstanceTypeLimits>>>,
}

/// The answers that other items need as well.
pub struct Around<'a> {
    pub instances: &'a Read<Vec<Instance>>,
    pub interfaces: &'a Read<Vec<NetworkInterface>>,
    pub groups: &'a Read<Vec<SecurityGroup>>,
}

/// Both protections of each instance of the manifest, at the same time.
pub async fn read_protections(lab: &Lab) -> Vec<(String, Protection, Read<bool>)> {
    let ids = lab.manifest.nodes.values().filter_map(|node| node.instance_id.clone());
    let all = ids.flat_map(|id| {
        [Protection::Stop, Protection::Termination].map(|protection| (id.clone(), protection))
    });
    futures::future::join_all(all.map(async |(id, protection)| {
        let read = lab.reader.protection(&id, protection).await;
        (id, protection, read)
    }))
    .await
}

/// The instances, and then how much the router's type holds.
pub async fn read_instances(
    lab: &Lab,
    ids: &[String],
) -> (Read<Vec<Instance>>, Option<Read<Option<InstanceTypeLimits>>>) {
    let instances = lab.reader.instances(ids).await;
    let router = lab.manifest.nodes.get(&Node::RouterdCloud);
    let id = router.and_then(|node| node.instance_id.as_ref());
    let found = instances.as_ref().ok().and_then(|answer| {
        answer.value.iter().find(|it| Some(&it.instance_id) == id).map(|it| &it.instance_type)
    });
    let limits = match found {
        Some(instance_type) => Some(lab.reader.instance_type_limits(instance_type).await),
        None => None,
    };
    (instances, limits)
}

/// Judges each item; what of it could not be read is unknown.
pub fn judge(lab: &Lab, ctx: &mut Context<'_>, reads: ObstacleReads, around: &Around<'_>) {
    stoppable(lab, ctx, &reads.protections, around.instances);
    capacity(lab, ctx, reads.limits, around.interfaces);
    inbound(lab, ctx, around);
}

/// Why nothing should be started: the same items, read anew, for whoever starts instances before
/// preflight. Nothing is written.
///
/// # Errors
/// Where an answer is missing: what cannot be seen may be in the way.
pub async fn find_obstacles(lab: &Lab) -> Result<FoundObstacles, ReadError> {
    let manifest = &lab.manifest;
    let ids: Vec<String> =
        manifest.nodes.values().filter_map(|node| node.instance_id.clone()).collect();
    let ((instances, limits), interfaces, groups, protections, vpc, rights) = futures::join!(
        read_instances(lab, &ids),
        lab.reader.interfaces_in(&manifest.aws.vpc_id),
        lab.reader.security_groups(&manifest.aws.vpc_id),
        read_protections(lab),
        lab.reader.vpc(&manifest.aws.vpc_id),
        permissions::rehearse_power(lab),
    );
    let (instances, interfaces, groups) = (instances?.value, interfaces?.value, groups?.value);
    let vpc = vpc?.value.map(|vpc| vpc.tags);
    let PowerRights { cannot_stop, mut others } = rights;
    let protected = power::read_protected(&protections).map_err(Clone::clone)?;
    others.extend(switch::find_early_ends(
        lab,
        Expiring { instances: &instances, vpc: vpc.as_ref() },
    ));
    if let Some(limits) = limits.transpose()?.and_then(|answer| answer.value) {
        others.extend(room(lab, &limits, &interfaces).and_then(|room| room.complaint()));
    }
    let closed = inbound::find_closed(lab, &interfaces, &groups);
    others.extend(closed.icmp_errors.iter().chain(&closed.ports).map(ToString::to_string));
    let unstoppable = power::find_unstoppable(lab, &instances, &protected);
    Ok(FoundObstacles { unstoppable: power::say_unstoppable(&unstoppable), cannot_stop, others })
}

/// What is in the way of a run, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundObstacles {
    /// Hard stop 7: by the instances themselves.
    pub unstoppable: Option<String>,
    /// Hard stop 7: by the operator's rights.
    pub cannot_stop: Option<String>,
    pub others: Vec<String>,
}

fn stoppable(
    lab: &Lab,
    ctx: &mut Context<'_>,
    protections: &[(String, Protection, Read<bool>)],
    instances: &Read<Vec<Instance>>,
) {
    let expected = json!({ "in_the_way": {} });
    let instances = match instances {
        Ok(answer) => &answer.value,
        Err(error) => return ctx.check(STOPPABLE).expects(expected).unknown(error.to_string()),
    };
    let protected = match power::read_protected(protections) {
        Ok(protected) => protected,
        Err(error) => {
            let (why, how) = (error.to_string(), ctx.seen_error(error));
            return ctx.check(STOPPABLE).expects(expected).seen(how).unknown(why);
        }
    };
    let answers = protections.iter().filter_map(|(.., read)| read.as_ref().ok());
    let how = keep_all(ctx, answers);
    let found = power::find_unstoppable(lab, instances, &protected);
    let said = power::say_unstoppable(&found);
    let observed = json!({ "in_the_way": found });
    ctx.check(STOPPABLE)
        .expects(expected)
        .seen(how)
        .comes_to(observed, Ruling::unless(said.clone()));
    let ids = found.keys().cloned().collect::<Vec<_>>().join(", ");
    ctx.stop(&stops::CANNOT_BE_STOPPED, said, &ids);
}

fn keep_all<'a, T: 'a>(ctx: &mut Context<'_>, answers: impl Iterator<Item = &'a Answer<T>>) -> How {
    answers.fold(How::default(), |how, answer| how.and(ctx.seen(answer)))
}

/// The addresses of the captured address's interface, against what its instance's type holds.
struct Room {
    interface: String,
    instance_type: String,
    addresses: usize,
    most: usize,
}

impl Room {
    fn complaint(&self) -> Option<String> {
        let Self { interface, instance_type, addresses, most } = self;
        (addresses >= most).then(|| {
            format!(
                "{interface} has {addresses} IPv4 addresses, and a {instance_type} has at most \
                 {most} on an interface: take one off, or take a larger type"
            )
        })
    }
}

fn room(lab: &Lab, limits: &InstanceTypeLimits, interfaces: &[NetworkInterface]) -> Option<Room> {
    let id = &lab.manifest.capture.network_interface_id;
    let eni = interfaces.iter().find(|it| it.network_interface_id == *id)?;
    let captured = lab.manifest.capture.address.addr();
    let others = eni.secondary_addresses.iter().filter(|address| **address != captured);
    Some(Room {
        interface: id.clone(),
        instance_type: limits.instance_type.clone(),
        addresses: 1 + others.count(),
        most: limits.ipv4_addresses_per_interface,
    })
}

fn capacity(
    lab: &Lab,
    ctx: &mut Context<'_>,
    limits: Option<Read<Option<InstanceTypeLimits>>>,
    interfaces: &Read<Vec<NetworkInterface>>,
) {
    let expected = json!("room for one address more");
    let Some(limits) = limits else {
        let why = "the router's instance type is not known";
        return ctx.check(CAPACITY).expects(expected).unknown(why);
    };
    let Some((limits, how)) = read_or_unknown(ctx, CAPACITY, &expected, limits) else { return };
    let interfaces = interfaces.as_ref().map_or(&[][..], |answer| &answer.value);
    let Some(room) = limits.and_then(|limits| room(lab, &limits, interfaces)) else {
        let why = "EC2 does not list the instance type, or the interface";
        return ctx.check(CAPACITY).expects(expected).seen(how).unknown(why);
    };
    let observed = json!({
        "instance_type": room.instance_type,
        "addresses": room.addresses,
        "ipv4_addresses_per_interface": room.most,
    });
    let ruling = Ruling::unless(room.complaint());
    ctx.check(CAPACITY).expects(expected).seen(how).comes_to(observed, ruling);
}

/// What of the way in is not judged, and who shows it.
const NOT_JUDGED: [&str; 3] = [
    "network ACLs: the captured address and cloud-client are in one subnet, and what stays in it crosses none; \
     what comes into it is the overlay and the operator's ssh",
    "the overlay's port: the manifest does not name it; the acceptance goes through it",
    "where the operator's ssh comes from: that a node answers shows it",
];

fn inbound(lab: &Lab, ctx: &mut Context<'_>, around: &Around<'_>) {
    let expected = json!({ "closed": [] });
    let (interfaces, groups) = match (around.interfaces, around.groups) {
        (Ok(interfaces), Ok(groups)) => (interfaces, groups),
        (Err(error), _) | (_, Err(error)) => {
            for id in [ICMP_ERRORS, PORTS] {
                ctx.check(id).expects(expected.clone()).unknown(error.to_string());
            }
            return;
        }
    };
    let how = ctx.seen_again(groups).and(ctx.seen_again(interfaces));
    let closed = inbound::find_closed(lab, &interfaces.value, &groups.value);
    for (id, closed) in [(ICMP_ERRORS, closed.icmp_errors), (PORTS, closed.ports)] {
        let said: Vec<String> = closed.iter().map(ToString::to_string).collect();
        let message = said.join("; ");
        let ruling = Ruling::when(said.is_empty(), message);
        let observed = json!({ "closed": closed, "not_judged": NOT_JUDGED });
        ctx.check(id).expects(expected.clone()).seen(how.clone()).comes_to(observed, ruling);
    }
}

/// The problems of each instance.
pub type InTheWay = BTreeMap<String, Vec<String>>;

#[cfg(test)]
mod tests;

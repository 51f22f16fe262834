//! The cloud's side as one fact: the lab's own interfaces and instances, the security groups, the
//! route table and the network ACL that they use, those that bear the lab's tag or are in a VPC that is
//! the lab's alone, and what the executor's role may. Read once a kind, all at the same time, and
//! compared with what preflight saw. What else is in the VPC is none of it. Where on-prem nodes are
//! instances in another VPC, their interfaces and the groups of these are part of it as well.

mod commands;
#[cfg(test)]
mod tests;

pub use commands::describe_difference;

use std::collections::BTreeMap;

use lab::Lab;
use lab::ec2::{
    Answer, Instance, NetworkAcl, NetworkInterface, ReadError, RouteTable, SecurityGroup,
};
use lab::iam::PolicyDocument;
use reports::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::{Context, How, Ruling};
use crate::observe::Fact;

/// By kind and id, what is compared of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudState(BTreeMap<String, BTreeMap<String, Value>>);

/// The calls' answers.
pub struct Reads {
    elsewhere: Option<ElsewhereReads>,
    interfaces: Result<Answer<Vec<NetworkInterface>>, ReadError>,
    instances: Result<Answer<Vec<Instance>>, ReadError>,
    groups: Result<Answer<Vec<SecurityGroup>>, ReadError>,
    route_tables: Result<Answer<Vec<RouteTable>>, ReadError>,
    acls: Result<Answer<Vec<NetworkAcl>>, ReadError>,
    profile: Result<Answer<Vec<String>>, ReadError>,
    policies: Result<Vec<Answer<PolicyDocument>>, ReadError>,
}

/// The answers about the VPC of the on-prem nodes.
#[derive(Clone)]
pub struct ElsewhereReads {
    interfaces: Result<Answer<Vec<NetworkInterface>>, ReadError>,
    groups: Result<Answer<Vec<SecurityGroup>>, ReadError>,
}

impl ElsewhereReads {
    /// What the answers say.
    pub fn values(&self) -> Elsewhere {
        fn value<T: Clone>(read: &Result<Answer<T>, ReadError>) -> Result<T, String> {
            read.as_ref().map(|answer| answer.value.clone()).map_err(ToString::to_string)
        }
        Elsewhere { interfaces: value(&self.interfaces), groups: value(&self.groups) }
    }
}

/// The interfaces and the groups of the on-prem nodes' VPC; none where that is the lab's.
pub async fn ask_elsewhere(lab: &Lab) -> Option<ElsewhereReads> {
    let (_, vpc) = lab.manifest.vpc_ids();
    let vpc = vpc?;
    let (interfaces, groups) =
        futures::join!(lab.reader.interfaces_in(vpc), lab.reader.security_groups(vpc));
    Some(ElsewhereReads { interfaces, groups })
}

/// One read a kind, at the same time.
pub async fn ask(lab: &Lab) -> Reads {
    let manifest = &lab.manifest;
    let vpc = &manifest.aws.vpc_id;
    let ids: Vec<String> =
        manifest.nodes.values().filter_map(|node| node.instance_id.clone()).collect();
    let (elsewhere, interfaces, instances, groups, route_tables, acls, profile, policies) = futures::join!(
        ask_elsewhere(lab),
        lab.reader.interfaces_in(vpc),
        lab.reader.instances(&ids),
        lab.reader.security_groups(vpc),
        lab.reader.route_tables(vpc),
        lab.reader.network_acls(vpc),
        lab.reader.instance_profile_roles(&manifest.iam.instance_profile_name),
        lab.reader.role_policies(&manifest.iam.role_name),
    );
    Reads { elsewhere, interfaces, instances, groups, route_tables, acls, profile, policies }
}

/// The answers of the calls, or why one is not known.
pub struct Parts {
    pub interfaces: Result<Vec<NetworkInterface>, String>,
    pub instances: Result<Vec<Instance>, String>,
    pub groups: Result<Vec<SecurityGroup>, String>,
    pub route_tables: Result<Vec<RouteTable>, String>,
    pub acls: Result<Vec<NetworkAcl>, String>,
    pub profile: Result<Vec<String>, String>,
    pub policies: Result<Vec<PolicyDocument>, String>,
    /// Of the on-prem nodes' VPC, where that is another.
    pub elsewhere: Option<Elsewhere>,
}

/// The interfaces and the groups of the on-prem nodes' VPC, or why they are not known.
pub struct Elsewhere {
    pub interfaces: Result<Vec<NetworkInterface>, String>,
    pub groups: Result<Vec<SecurityGroup>, String>,
}

impl Parts {
    /// The whole; one part that is missing leaves it unknown.
    pub fn state(self, lab: &Lab) -> Result<CloudState, String> {
        let mut around = Around {
            interfaces: self.interfaces?,
            groups: self.groups?,
            tables: self.route_tables?,
            acls: self.acls?,
            groups_elsewhere: Vec::new(),
        };
        if let Some(elsewhere) = self.elsewhere {
            around.interfaces.extend(elsewhere.interfaces?);
            around.groups_elsewhere = elsewhere.groups?;
        }
        let mut state = around.of_the_lab(lab);
        let instances = self.instances?;
        state.put_all("instance", instances.iter().map(|it| (it.instance_id.clone(), shown(it))));
        let role = &lab.manifest.iam.role_name;
        let documents: Map<String, Value> = self
            .policies?
            .iter()
            .map(|it| (it.name.to_string(), json!(Digest::of(&it.text))))
            .collect();
        state.put_all("role", [(role.clone(), json!({ "documents": documents }))]);
        let name = lab.manifest.iam.instance_profile_name.clone();
        state.put_all("instance profile", [(name, json!({ "roles": self.profile? }))]);
        Ok(state)
    }
}

/// Keeps the answers, and reads them.
pub fn read(lab: &Lab, ctx: &mut Context<'_>, reads: Reads) -> Fact<CloudState> {
    let mut how = How::default();
    let policies = match reads.policies {
        Ok(answers) => Ok(answers
            .into_iter()
            .map(|answer| {
                how = std::mem::take(&mut how).and(ctx.seen(&answer));
                answer.value
            })
            .collect()),
        Err(error) => {
            how = std::mem::take(&mut how).and(ctx.seen_error(&error));
            Err(error.to_string())
        }
    };
    let elsewhere = reads.elsewhere.map(|reads| Elsewhere {
        interfaces: keep(ctx, &mut how, reads.interfaces),
        groups: keep(ctx, &mut how, reads.groups),
    });
    let parts = Parts {
        elsewhere,
        interfaces: keep(ctx, &mut how, reads.interfaces),
        instances: keep(ctx, &mut how, reads.instances),
        groups: keep(ctx, &mut how, reads.groups),
        route_tables: keep(ctx, &mut how, reads.route_tables),
        acls: keep(ctx, &mut how, reads.acls),
        profile: keep(ctx, &mut how, reads.profile),
        policies,
    };
    parts.state(lab).map_or_else(|why| Err((why, how.clone())), |state| Ok((state, how.clone())))
}

fn keep<T>(
    ctx: &mut Context<'_>,
    how: &mut How,
    answer: Result<Answer<T>, ReadError>,
) -> Result<T, String> {
    let (value, one) = match answer {
        Ok(answer) => {
            let one = ctx.seen(&answer);
            (Ok(answer.value), one)
        }
        Err(error) => (Err(error.to_string()), ctx.seen_error(&error)),
    };
    *how = std::mem::take(how).and(one);
    value
}

/// Without its power state, which is teardown's and cost's to judge.
fn shown(instance: &Instance) -> Value {
    json!({
        "instance_type": instance.instance_type,
        "network_interface_ids": instance.network_interface_ids,
        "instance_profile": instance.instance_profile,
        "tags": instance.tags,
    })
}

/// The resources around the lab in its VPC.
struct Around {
    interfaces: Vec<NetworkInterface>,
    groups: Vec<SecurityGroup>,
    tables: Vec<RouteTable>,
    acls: Vec<NetworkAcl>,
    /// Of the on-prem nodes' VPC, which is never the lab's alone.
    groups_elsewhere: Vec<SecurityGroup>,
}

impl Around {
    /// The lab's interfaces, and what these use.
    fn of_the_lab(self, lab: &Lab) -> CloudState {
        let manifest = &lab.manifest;
        let eni = &manifest.capture.network_interface_id;
        let instances: Vec<&String> =
            manifest.nodes.values().filter_map(|node| node.instance_id.as_ref()).collect();
        let is_own = |it: &NetworkInterface| {
            it.network_interface_id == *eni
                || it.instance_id.as_ref().is_some_and(|id| instances.contains(&id))
        };
        let own: Vec<_> = self.interfaces.into_iter().filter(is_own).collect();
        // What bears the lab's tag is the lab's, and so is all of a VPC that is its own.
        let is_tagged = |tags: &lab::ec2::Tags| {
            tags.get(&manifest.lab.tag_key) == Some(&manifest.lab.tag_value)
        };
        let is_the_labs = |tags: &lab::ec2::Tags| manifest.aws.dedicated_vpc || is_tagged(tags);
        let uses = |group: &SecurityGroup| {
            own.iter().any(|it| it.security_groups.contains(&group.group_id))
        };
        let subnet = &manifest.aws.subnet_id;
        let explicit = self.tables.iter().position(|table| table.subnet_ids.contains(subnet));
        let table = explicit.or_else(|| self.tables.iter().position(|table| table.main));
        let mut state = CloudState::default();
        state.put_all(
            "network interface",
            own.iter().map(|it| {
                (it.network_interface_id.clone(), interface(it, it.network_interface_id == *eni))
            }),
        );
        let here = self.groups.iter().filter(|it| is_the_labs(&it.tags) || uses(it));
        let there = self.groups_elsewhere.iter().filter(|it| is_tagged(&it.tags) || uses(it));
        let groups = here.chain(there);
        state.put_all(
            "security group",
            groups.map(|it| {
                let value = json!({ "ingress": it.ingress, "egress": it.egress, "tags": it.tags });
                (it.group_id.clone(), value)
            }),
        );
        let tables = self.tables.iter().enumerate();
        let tables = tables.filter(|(at, _)| Some(*at) == table || manifest.aws.dedicated_vpc);
        state.put_all(
            "route table",
            tables.map(|(_, it)| {
                let value = json!({ "subnet_ids": it.subnet_ids, "routes": it.routes });
                (it.route_table_id.clone(), value)
            }),
        );
        let acls = self.acls.iter();
        let acls = acls.filter(|acl| acl.subnet_ids.contains(subnet) || is_the_labs(&acl.tags));
        state.put_all(
            "network ACL",
            acls.map(|it| {
                (it.network_acl_id.clone(), json!({ "entries": it.entries, "tags": it.tags }))
            }),
        );
        state
    }
}

/// The ENI's value. Its address and its check are the change set's, which other assertions judge.
fn interface(eni: &NetworkInterface, is_the_captures: bool) -> Value {
    let mut value = json!({
        "primary_address": eni.primary_address,
        "security_groups": eni.security_groups,
        "instance_id": eni.instance_id,
        "tags": eni.tags,
    });
    if !is_the_captures {
        value["secondary_addresses"] = json!(eni.secondary_addresses);
        value["source_dest_check"] = json!(eni.source_dest_check);
    }
    value
}

/// One thing that is not as it was; none on one side where it was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub kind: String,
    pub id: String,
    pub before: Option<Value>,
    pub now: Option<Value>,
}

impl CloudState {
    fn put_all(&mut self, kind: &str, all: impl IntoIterator<Item = (String, Value)>) {
        self.0.entry(kind.to_owned()).or_default().extend(all);
    }

    pub fn digest(&self) -> Digest {
        Digest::of_json(&json!(self))
    }

    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let all = |state: &Self| -> BTreeMap<(String, String), Value> {
            let kinds = state.0.iter();
            let each = kinds.flat_map(|(kind, all)| {
                all.iter().map(move |(id, value)| ((kind.clone(), id.clone()), value.clone()))
            });
            each.collect()
        };
        let (before, now) = (all(self), all(now));
        let keys: std::collections::BTreeSet<_> = before.keys().chain(now.keys()).collect();
        let differ = keys.into_iter().filter(|key| before.get(*key) != now.get(*key));
        differ
            .map(|key| Difference {
                kind: key.0.clone(),
                id: key.1.clone(),
                before: before.get(key).cloned(),
                now: now.get(key).cloned(),
            })
            .collect()
    }
}

impl Difference {
    /// A sentence such as `security group sg-1: ingress was […], is […]`.
    pub fn words(&self) -> String {
        let name = format!("{} {}", self.kind, self.id);
        match (&self.before, &self.now) {
            (None, _) => format!("{name} is new"),
            (_, None) => format!("{name} is gone"),
            (Some(before), Some(now)) => {
                let fields = before.as_object().into_iter().flatten();
                let changed = fields.filter(|(key, value)| now[key.as_str()] != **value);
                let said: Vec<String> = changed
                    .map(|(key, value)| format!("{key} was {value}, is {}", now[key.as_str()]))
                    .collect();
                format!("{name}: {}", said.join("; "))
            }
        }
    }
}

/// Compares with the baseline, and judges it as this assertion; answers what is not as it was, and
/// nothing where that is not known.
pub fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    reads: Reads,
) -> Option<Vec<Difference>> {
    let before = ctx.run.baseline().and_then(|baseline| baseline.cloud.clone());
    let now = read(lab, ctx, reads);
    let (Some(before), how) = (before, now.as_ref().map_or_else(|it| &it.1, |it| &it.1).clone())
    else {
        let how = now.map_or_else(|it| it.1, |it| it.1);
        ctx.check(id).seen(how).unknown("preflight kept no state of the cloud");
        return None;
    };
    let expected = json!({ "digest": before.digest(), "changed": [] });
    match now {
        Ok((now, _)) => {
            let differences = before.differences(&now);
            let said: Vec<String> = differences.iter().map(Difference::words).collect();
            let message = format!("not as before the run: {}", said.join("; "));
            let message = (!said.is_empty()).then_some(message);
            let observed = json!({ "digest": now.digest(), "changed": said });
            ctx.check(id).expects(expected).seen(how).comes_to(observed, Ruling::unless(message));
            Some(differences)
        }
        Err((why, _)) => {
            ctx.check(id).expects(expected).seen(how).unknown(why);
            None
        }
    }
}

//! Whether the run may do what it will do and take back, asked before anything is spent: a DryRun of
//! each call that the harness makes itself, and of the executor's one that has a DryRun, from the node
//! and as the executor's role. Allowed, denied or unknown; what is unknown has not passed.

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{Address, Allowance, Answer, OwnCall, Rehearsed};
use lab::manifest::Instances;
use lab::node::Node;
use lab::shell::{NodeRehearsal, ShellError};
use reports::operation::Torn;
use reports::record::Operation;
use serde_json::{Value, json};

use super::{EXECUTOR_PERMISSIONS, PERMISSIONS};
use crate::context::{Context, How, Ruling};
use crate::watch::Costly;
use crate::{observe, stops, undo_plan};

/// The answers to the rehearsals of the operator's calls, or why none was asked for.
pub type RehearsalReads = Result<Vec<Answer<Rehearsed>>, String>;

/// The node's answer for one value of the source/dest check.
pub type NodeRehearsalRead = (bool, Result<Answer<NodeRehearsal>, ShellError>);

/// Every call that the run may come to make itself: what teardown ends, what takes an address off
/// first, and what the manifest's consent lets it stop and start.
pub fn list_own_calls(lab: &Lab, addresses: &[Address]) -> BTreeSet<OwnCall> {
    let teardown = undo_plan::teardown_steps(lab);
    let mut calls: BTreeSet<OwnCall> =
        teardown.iter().flat_map(|step| calls_of(&step.operation, addresses)).collect();
    if lab.manifest.consent.stop_instances {
        for id in lab.manifest.nodes.values().filter_map(|node| node.instance_id.clone()) {
            calls.insert(OwnCall::StopInstance { instance_id: id.clone() });
            calls.insert(OwnCall::StartInstance { instance_id: id });
        }
    }
    calls
}

fn calls_of(operation: &Operation, addresses: &[Address]) -> Vec<OwnCall> {
    match operation {
        Operation::TerminateInstance { instance_id, .. } => {
            vec![OwnCall::TerminateInstance { instance_id: instance_id.clone() }]
        }
        Operation::StopInstance { instance_id, .. } => {
            vec![OwnCall::StopInstance { instance_id: instance_id.clone() }]
        }
        Operation::ReleaseAddress { allocation_id, .. } => {
            let address = addresses.iter().find(|it| it.allocation_id == *allocation_id);
            let association = address.and_then(|it| it.association_id.clone());
            let taken_off = association.map(|association_id| OwnCall::DisassociateAddress {
                association_id,
                allocation_id: allocation_id.clone(),
            });
            let release = OwnCall::ReleaseAddress { allocation_id: allocation_id.clone() };
            taken_off.into_iter().chain([release]).collect()
        }
        Operation::DeleteVolume { volume_id, .. } => {
            vec![OwnCall::DeleteVolume { volume_id: volume_id.clone() }]
        }
        // The executor's, and the node's files.
        Operation::RestoreSourceDestCheck { .. }
        | Operation::UnassignAddress { .. }
        | Operation::RemoveChangeSet { .. }
        | Operation::ReleaseLock { .. } => Vec::new(),
    }
}

/// Rehearses all of them at the same time, once the endpoint has shown that it takes a rehearsal for
/// one.
pub async fn rehearse_own_calls(
    lab: &Lab,
    honours: Result<(), String>,
    costly: &Costly,
) -> RehearsalReads {
    honours.map_err(|why| format!("nothing was rehearsed: {why}"))?;
    let releases = undo_plan::teardown_steps(lab)
        .iter()
        .any(|step| step.operation.torn() == Some(Torn::Address));
    let known = match &costly.addresses {
        Ok(answer) => answer.value.as_slice(),
        // Without an address to release nobody needs to know what it is associated with.
        Err(_) if !releases => &[],
        Err(error) => return Err(format!("what is associated with what is not known: {error}")),
    };
    let calls = list_own_calls(lab, known);
    let mut answers =
        futures::future::join_all(calls.iter().map(|call| lab.reader.rehearse(call))).await;
    for it in answers.iter_mut().map(|it| &mut it.value) {
        if it.allowance == Allowance::Absent && !is_listed_nowhere(&it.call, costly) {
            it.allowance = Allowance::Unknown;
        }
    }
    Ok(answers)
}

/// Whether the listing does not have it either: one answer alone may lag behind.
fn is_listed_nowhere(call: &OwnCall, costly: &Costly) -> bool {
    match call {
        OwnCall::ReleaseAddress { allocation_id } => costly
            .addresses
            .as_ref()
            .is_ok_and(|all| all.value.iter().all(|it| it.allocation_id != *allocation_id)),
        OwnCall::DeleteVolume { volume_id } => costly
            .volumes
            .as_ref()
            .is_ok_and(|all| all.value.iter().all(|it| it.volume_id != *volume_id)),
        OwnCall::StartInstance { .. }
        | OwnCall::StopInstance { .. }
        | OwnCall::TerminateInstance { .. }
        | OwnCall::DisassociateAddress { .. } => false,
    }
}

/// The operator's rights to start and to stop, in words where one of them is not proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PowerRights {
    /// Hard stop 7: the operator may not stop an instance.
    pub cannot_stop: Option<String>,
    /// A start that is denied, and what is not known.
    pub others: Vec<String>,
}

/// Rehearses each start that the manifest lets a run make, and the stop that ends it: for whoever starts
/// instances before preflight has asked.
pub async fn rehearse_power(lab: &Lab) -> PowerRights {
    let mut rights = PowerRights::default();
    let calls = list_own_calls(lab, &[]);
    let power =
        |it: &&OwnCall| matches!(it, OwnCall::StartInstance { .. } | OwnCall::StopInstance { .. });
    let calls: Vec<&OwnCall> = calls.iter().filter(power).collect();
    if calls.is_empty() {
        return rights;
    }
    if let Err(why) = lab.reader.honours_rehearsals().await {
        rights.others.push(format!("whether the run may stop what it starts is not known: {why}"));
        return rights;
    }
    for answer in futures::future::join_all(calls.iter().map(|it| lab.reader.rehearse(it))).await {
        let Rehearsed { call, allowance, said, .. } = answer.value;
        let (action, resource) = (call.action(), call.resource());
        let denied = || format!("{action} on {resource} is denied: {}", remedy(action));
        match (allowance, &call) {
            // What is not there is neither started nor stopped.
            (Allowance::Allowed | Allowance::Absent, _) => {}
            (Allowance::Denied, OwnCall::StopInstance { .. }) => {
                rights.cannot_stop.get_or_insert_with(denied);
            }
            (Allowance::Denied, _) => rights.others.push(denied()),
            (Allowance::Unknown, _) => {
                let why = format!("whether {action} on {resource} is allowed is not known: {said}");
                rights.others.push(why);
            }
        }
    }
    rights
}

/// The policy of the run that grants an action, and its statement, as `iam render` writes them.
fn remedy(action: &str) -> String {
    let granting = lab::iam::find_granting(action);
    let granting = granting
        .map_or_else(String::new, |(policy, sid)| format!("the statement {sid} of {policy}, "));
    format!(
        "add {granting}as `lab-smoke iam render LAB.toml` writes it, to the operator's policies"
    )
}

pub fn judge_own(lab: &Lab, ctx: &mut Context<'_>, reads: RehearsalReads) {
    let expected = json!({ "not_allowed": [] });
    let answers = match reads {
        Ok(answers) => answers,
        Err(why) => {
            ctx.check(PERMISSIONS).expects(expected).seen(How::default()).unknown(why);
            return;
        }
    };
    let mut how = How::words("DryRun");
    let mut asked = Vec::new();
    let (mut denied, mut unknown) = (Vec::new(), Vec::new());
    let mut cannot_stop = None;
    for answer in answers {
        how = how.and(ctx.seen(&answer));
        let Rehearsed { call, allowance, said, decoded } = answer.value;
        let (action, resource) = (call.action(), call.resource().to_owned());
        asked.push(json!({
            "action": action, "resource": resource, "may": allowance, "said": said,
            "decoded": decoded,
        }));
        match allowance {
            // What is not there is not ended: the plan's step finds it gone.
            Allowance::Allowed | Allowance::Absent => {}
            Allowance::Denied => {
                let text = format!("{action} on {resource} is denied: {}", remedy(action));
                if matches!(call, OwnCall::StopInstance { .. }) && cannot_stop.is_none() {
                    cannot_stop = Some((resource, text.clone()));
                }
                denied.push(text);
            }
            Allowance::Unknown => {
                unknown.push(format!("whether {action} on {resource} is allowed: {said}"));
            }
        }
    }
    let observed = json!({ "not_allowed": denied, "asked": asked });
    if denied.is_empty() && !unknown.is_empty() {
        ctx.check(PERMISSIONS).expects(expected).seen(how).unknown(unknown.join("; "));
    } else {
        let ruling = Ruling::when(denied.is_empty(), denied.join("; "));
        ctx.check(PERMISSIONS).expects(expected).seen(how).comes_to(observed, ruling);
    }
    let (resource, found) = cannot_stop.map_or(("the instances".to_owned(), None), |(id, why)| {
        let keeps = lab.manifest.teardown.instances == Instances::Keep;
        (id, (lab.manifest.consent.stop_instances || !keeps).then_some(why))
    });
    ctx.stop(&stops::NO_RIGHT_TO_STOP, found, &resource);
}

/// The two actions of the executor that have no DryRun, and who judges them.
const WITHOUT_DRY_RUN: [&str; 2] =
    ["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"];

pub fn judge_executors(ctx: &mut Context<'_>, reads: Vec<NodeRehearsalRead>) {
    const ACTION: &str = "ec2:ModifyNetworkInterfaceAttribute";
    let expected = json!({ "source_dest_check": { "false": "allowed", "true": "allowed" } });
    let mut how = How::default();
    let (mut said_of, mut words) = (serde_json::Map::new(), Vec::new());
    let (mut denied, mut unknown) = (false, false);
    for (value, told) in reads {
        let (rehearsal, one) = match observe::keep_answer(ctx, told) {
            Ok(seen) => seen,
            Err((why, one)) => {
                let how = how.and(one);
                return ctx.check(EXECUTOR_PERMISSIONS).expects(expected).seen(how).unknown(why);
            }
        };
        how = how.and(one);
        denied |= rehearsal.allowance == Allowance::Denied;
        unknown |= rehearsal.allowance == Allowance::Unknown;
        said_of.insert(value.to_string(), json!(rehearsal.allowance));
        if rehearsal.allowance != Allowance::Allowed {
            words.push(format!("with {value}: {}", rehearsal.said));
        }
    }
    let without: Value = WITHOUT_DRY_RUN
        .iter()
        .map(|action| ((*action).to_owned(), json!("has no DryRun: preflight.role evaluates it")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let observed = json!({ "source_dest_check": said_of, "without_dry_run": without });
    let words = words.join("; ");
    let node = Node::RouterdCloud;
    if !denied && unknown {
        let why = format!(
            "whether the executor may {ACTION} was asked on {node} by the AWS CLI, and is not known: \
             {words}; the CLI must be there, as the executor calls it"
        );
        return ctx.check(EXECUTOR_PERMISSIONS).expects(expected).seen(how).unknown(why);
    }
    let message = format!(
        "on {node} the executor may not {ACTION}: {words}; its role's policy allows it, so look for a \
         service control policy, a permissions boundary or an endpoint's policy"
    );
    let ruling = Ruling::when(!denied, message);
    ctx.check(EXECUTOR_PERMISSIONS).expects(expected).seen(how).comes_to(observed, ruling);
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use reports::record::AssertionStatus as A;
    use reports::redact::Form;

    use super::*;
    use crate::example::{judge_as_scenario, read_by};

    fn actions(lab: &Lab, addresses: &[Address]) -> Vec<&'static str> {
        list_own_calls(lab, addresses).iter().map(OwnCall::action).collect()
    }

    #[test]
    fn what_is_asked_is_what_the_plan_and_the_consent_name() {
        judge_as_scenario("preflight", async |lab, _| {
            let address = |association: Option<&str>| Address {
                allocation_id: "eipalloc-1".to_owned(),
                public_ip: "192.0.2.1".parse().expect("an address"),
                network_interface_id: None,
                association_id: association.map(str::to_owned),
                tags: lab::ec2::Tags::new(),
            };
            let manifest = Rc::make_mut(&mut lab.manifest);
            for node in manifest.nodes.values_mut() {
                node.instance_id = None;
            }
            let router = manifest.nodes.get_mut(&Node::RouterdCloud).expect("a node");
            router.instance_id = Some("i-1".to_owned());
            let teardown = &mut manifest.teardown;
            teardown.release_addresses = vec!["eipalloc-1".to_owned()];
            teardown.delete_volumes = vec!["vol-1".to_owned()];
            let all = [
                "ec2:StartInstances",
                "ec2:StopInstances",
                "ec2:TerminateInstances",
                "ec2:ReleaseAddress",
                "ec2:DisassociateAddress",
                "ec2:DeleteVolume",
            ];
            assert_eq!(actions(lab, &[address(Some("eipassoc-1"))]), all);
            let alone: Vec<_> = all.into_iter().filter(|it| *it != all[4]).collect();
            assert_eq!(actions(lab, &[address(None)]), alone);
            let manifest = Rc::make_mut(&mut lab.manifest);
            manifest.consent.stop_instances = false;
            manifest.teardown.instances = Instances::Keep;
            assert_eq!(actions(lab, &[]), ["ec2:ReleaseAddress", "ec2:DeleteVolume"]);
        });
    }

    fn rehearsed(allowance: Allowance) -> Answer<Rehearsed> {
        let call = OwnCall::ReleaseAddress { allocation_id: "eipalloc-1".to_owned() };
        let value = Rehearsed { call, allowance, said: "words".to_owned(), decoded: None };
        let call = "ec2 ReleaseAddress (DryRun)".to_owned();
        Answer { value, call, raw: vec![b"<a></a>".to_vec()], form: Form::Xml, attempts: 1 }
    }

    #[test]
    fn what_is_denied_is_said_before_what_is_unknown_and_neither_passes() {
        use Allowance::{Absent, Allowed, Denied, Unknown};
        let table = [
            (Ok(vec![]), A::Passed, ""),
            (Ok(vec![Allowed]), A::Passed, ""),
            (Ok(vec![Allowed, Absent]), A::Passed, ""),
            (Ok(vec![Allowed, Unknown]), A::Unknown, "words"),
            (Ok(vec![Unknown, Denied]), A::Failed, "the statement AddressesByTag of operator-run"),
            (Err("nobody asked".to_owned()), A::Unknown, "nobody asked"),
        ];
        for (reads, expected, says) in table {
            let shown = format!("{reads:?}");
            let reads = reads.map(|all| all.into_iter().map(rehearsed).collect());
            let judged = judge_as_scenario("preflight", async |lab, ctx| {
                judge_own(lab, ctx, reads);
            });
            assert_eq!(judged.status(PERMISSIONS), expected, "{shown}");
            assert!(judged.message(PERMISSIONS).contains(says), "{shown}");
        }
    }

    #[test]
    fn the_clis_words_on_the_node_are_read_by_their_code_alone() {
        let error = |code: &str| {
            format!(
                "\nAn error occurred ({code}) when calling the ModifyNetworkInterfaceAttribute \
                 operation: words"
            )
        };
        let table = [
            (254, error("DryRunOperation"), A::Passed),
            // The CLI's first version ends so.
            (255, error("DryRunOperation"), A::Passed),
            (254, error("UnauthorizedOperation"), A::Failed),
            (254, error("InvalidNetworkInterfaceID.NotFound"), A::Unknown),
            (253, "Unable to locate credentials.".to_owned(), A::Unknown),
            (127, "env: 'aws': No such file or directory".to_owned(), A::Unknown),
            // It would have been done.
            (0, String::new(), A::Unknown),
            (0, error("DryRunOperation"), A::Unknown),
        ];
        for (code, said, expected) in table {
            let judged = judge_as_scenario("preflight", async |lab, ctx| {
                let reads = [false, true].map(|value| {
                    let env = std::collections::BTreeMap::new();
                    let command = lab::shell::Observe::rehearse_check(&env, &lab.manifest, value);
                    assert!(command.shown().contains(" --dry-run "), "{}", command.shown());
                    let told = crate::example::example_answer(code, "", &said);
                    (value, read_by(&command, told))
                });
                judge_executors(ctx, reads.into());
            });
            assert_eq!(judged.status(EXECUTOR_PERMISSIONS), expected, "{code} {said}");
        }
    }
}

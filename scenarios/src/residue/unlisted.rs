//! Changes that `restored` found and no item says: its complaint itself is what is left, or what went
//! with its instance. So that a lab that was not restored never comes without its list.

use std::collections::BTreeSet;

use lab::Lab;
use lab::node::Node;
use reports::record::{Assertion, AssertionStatus, Kind, Record, ResidueItem};

use crate::context::Context;
use crate::left::Changed;
use crate::restored;

/// Where the thing is that an assertion of `restored` looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AssertedPlace {
    /// The ENI, which goes with the router.
    Interface,
    On(Node),
    /// On one of the nodes.
    Somewhere,
}

pub(super) fn find_unlisted_items(
    lab: &Lab,
    ctx: &Context<'_>,
    ended: &BTreeSet<String>,
) -> Vec<ResidueItem> {
    let failed = ctx.journal.with_records(failed);
    let changed = ctx.run.state.borrow().changed.clone();
    let complaint = |made: &Assertion| {
        let place = place(&made.id);
        let here = changed.iter().filter(|changed| is_at(changed, place));
        let nodes: Vec<Node> = match (here.map(node_of).collect::<Vec<_>>(), place) {
            (nodes, _) if !nodes.is_empty() => nodes,
            (_, AssertedPlace::Interface) => vec![Node::RouterdCloud],
            (_, AssertedPlace::On(node)) => vec![node],
            (_, AssertedPlace::Somewhere) => Vec::new(),
        };
        let instances: Vec<&String> = nodes
            .iter()
            .filter_map(|node| lab.manifest.nodes[node].instance_id.as_ref())
            .filter(|id| ended.contains(*id))
            .collect();
        let is_gone = !nodes.is_empty() && instances.len() == nodes.len();
        let is_listed = changed.iter().any(|changed| is_at(changed, place));
        match (is_gone, is_listed) {
            (true, _) => Some(gone(lab, made, instances[0])),
            (false, true) => None,
            (false, false) => Some(left(lab, made)),
        }
    };
    failed.iter().filter_map(complaint).collect()
}

/// The ENI goes with the router.
fn node_of(changed: &Changed) -> Node {
    changed.node.unwrap_or(Node::RouterdCloud)
}

fn place(id: &str) -> AssertedPlace {
    let last = id.rsplit('.').next();
    let node = Node::ALL.into_iter().find(|node| last == Some(node.as_str()));
    match (id, node) {
        (_, Some(node)) => AssertedPlace::On(node),
        (restored::INTERFACE | restored::STAYS, _) => AssertedPlace::Interface,
        (restored::UNREACHABLE, _) => AssertedPlace::On(Node::CloudClient),
        (restored::ROWS | restored::NO_NEW_ROWS | restored::FILES | restored::ROUTER_YAML, _) => {
            AssertedPlace::On(Node::RouterdCloud)
        }
        _ => AssertedPlace::Somewhere,
    }
}

fn is_at(changed: &Changed, place: AssertedPlace) -> bool {
    match place {
        // What does not stay restored may be a row as well.
        AssertedPlace::Interface => changed.node.is_none_or(|node| node == Node::RouterdCloud),
        AssertedPlace::On(node) => changed.node == Some(node),
        AssertedPlace::Somewhere => changed.node.is_some(),
    }
}

/// The assertions of the last attempt that failed.
fn failed(records: &[Record]) -> Vec<Assertion> {
    let begun = records.iter().rposition(
        |record| matches!(&record.kind, Kind::ScenarioStarted(it) if it.scenario == "restored"),
    );
    let Some(begun) = begun else { return Vec::new() };
    let made = records[begun..].iter().filter_map(|record| match &record.kind {
        Kind::AssertionMade(made) if made.scenario == "restored" => Some(made),
        _ => None,
    });
    made.filter(|made| made.status == AssertionStatus::Failed).cloned().collect()
}

/// The command shows who holds the address: that is where all that could be left here begins.
fn left(lab: &Lab, made: &Assertion) -> ResidueItem {
    let address = lab.manifest.capture.address.addr();
    let region = &lab.manifest.aws.region;
    let command = format!(
        "aws ec2 describe-network-interfaces --filters \
         Name=addresses.private-ip-address,Values={address} --region {region}"
    );
    item(made, "it was not restored", command)
}

/// Nothing is to be done but to see that it is so.
fn gone(lab: &Lab, made: &Assertion, instance: &str) -> ResidueItem {
    let region = &lab.manifest.aws.region;
    let command = format!("aws ec2 describe-instances --instance-ids {instance} --region {region}");
    let why = format!("it was not restored, and went with {instance}, which has ended");
    item(made, &why, command)
}

fn item(made: &Assertion, why: &str, command: String) -> ResidueItem {
    let complaint = made.message.as_deref().unwrap_or("it is not as before the run");
    ResidueItem {
        resource: "lab".to_owned(),
        id: made.id.clone(),
        why: format!("{why}: {complaint}"),
        costs_money: false,
        owner_commands: vec![command],
    }
}

#[cfg(test)]
mod tests {
    use reports::record::ScenarioStarted;
    use serde_json::json;

    use super::*;
    use crate::example::judge_as_scenario;
    use crate::left;
    use crate::sequence::find_scenario;

    fn complain(ctx: &mut Context<'_>, id: &str, status: AssertionStatus) {
        ctx.write(Kind::AssertionMade(Assertion {
            scenario: "restored".to_owned(),
            id: id.to_owned(),
            status,
            expected: json!(1),
            observed: json!(2),
            how: String::new(),
            raw: Vec::new(),
            message: Some("it is another".to_owned()),
        }));
    }

    #[test]
    fn whatever_restored_complains_of_is_listed_and_what_went_with_its_instance_says_so() {
        let (on_router, nobody) = (Some(left::describe_left_file("/a")), None);
        let unreachable = restored::UNREACHABLE;
        let (router, client) = (Node::RouterdCloud, Node::CloudClient);
        let (left, gone, said) = (Some("interfaces"), Some("describe-instances"), None);
        let table = [
            (unreachable, &nobody, &[][..], left),
            (unreachable, &on_router, &[], left),
            (unreachable, &nobody, &[client], gone),
            (restored::FILES, &on_router, &[], said),
            (restored::FILES, &nobody, &[], left),
            (restored::FILES, &on_router, &[router], gone),
            (restored::FILES, &nobody, &[router], gone),
            (restored::INTERFACE, &nobody, &[], left),
            (restored::INTERFACE, &nobody, &[router], gone),
            (restored::ADDRESSES, &on_router, &[], said),
            (restored::ADDRESSES, &on_router, &[router], gone),
            (restored::ADDRESSES, &nobody, &[router, client], left),
            (restored::GATEWAY_CLOUD_CLIENT, &on_router, &[], left),
            (restored::GATEWAY_CLOUD_CLIENT, &nobody, &[client], gone),
        ];
        for (id, changed, ended, expected) in table {
            judge_as_scenario("residue", async |lab, ctx| {
                let scenario = "restored".to_owned();
                complain(ctx, restored::ROUTER_YAML, AssertionStatus::Failed);
                ctx.write(Kind::ScenarioStarted(ScenarioStarted { scenario }));
                complain(ctx, id, AssertionStatus::Failed);
                complain(ctx, restored::ROWS, AssertionStatus::Passed);
                ctx.run.state.borrow_mut().changed = changed.clone().into_iter().collect();
                let id_of = |node: &Node| lab.manifest.nodes[node].instance_id.clone();
                let ended = ended.iter().filter_map(id_of).collect();
                let items = find_unlisted_items(lab, ctx, &ended);
                let ids: Vec<_> = items.iter().map(|it| it.id.as_str()).collect();
                assert_eq!(ids, &[id][..usize::from(expected.is_some())], "{id} {changed:?}");
                let command = |word: &str| items[0].owner_commands[0].contains(word);
                assert!(expected.is_none_or(command), "{items:?}");
            });
        }
    }

    #[test]
    fn every_assertion_of_restored_has_its_place() {
        let asserts = find_scenario("restored").expect("a scenario").asserts;
        let somewhere: Vec<_> =
            asserts.iter().filter(|id| place(id) == AssertedPlace::Somewhere).copied().collect();
        let known = [restored::ADDRESSES, restored::RULES, restored::PROGRAMS, restored::CLOUD];
        assert_eq!(somewhere, known);
    }
}

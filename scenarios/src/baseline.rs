//! The lab as it was before the run: the only thing that is ever restored (I3).

use std::collections::BTreeMap;

use lab::ec2::NetworkInterface;
use lab::node::Node;
use lab::shell::HashedFile;
use reports::digest::Digest;
use reports::record::ResidueItem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cloud_state::CloudState;
use crate::node_state::NodeState;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    pub interface: NetworkInterface,
    pub nodes: BTreeMap<Node, NodeBaseline>,
    /// Ids of the rows that routerd's journal had.
    pub rows: Vec<u64>,
    /// None in the journals of earlier versions.
    #[serde(default)]
    pub cloud: Option<CloudState>,
    /// The programs under test on routerd-cloud, by path.
    #[serde(default)]
    pub programs: BTreeMap<String, HashedFile>,
    /// The items of each node's nft ruleset, to be put back.
    #[serde(default)]
    pub rulesets: BTreeMap<Node, Vec<Value>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeBaseline {
    /// `ssh-ed25519 AAAA…`, without its comment.
    pub host_key: String,
    pub state: NodeState,
}

impl NodeBaseline {
    /// The facts that the owner decides on: the ways out and the addresses in words, the rest as
    /// digests.
    pub fn facts(&self) -> Value {
        json!({
            "host_key": self.host_key,
            "default_routes": self.state.default_routes(),
            "addresses": self.state.addresses(),
            "state": self.state.facts(),
        })
    }
}

impl Baseline {
    /// The ENI as it is restored: its addresses and its check, digest for digest.
    pub fn interface_digest(interface: &NetworkInterface) -> Digest {
        Digest::of_json(&restorable_fields(interface))
    }
}

/// The part of the ENI that undo has to bring back.
pub fn restorable_fields(interface: &NetworkInterface) -> Value {
    json!({
        "network_interface_id": interface.network_interface_id,
        "primary_address": interface.primary_address,
        "secondary_addresses": interface.secondary_addresses,
        "source_dest_check": interface.source_dest_check,
        "security_groups": interface.security_groups,
        "tags": interface.tags,
    })
}

/// The ENI where it is not as it was, with the commands that make it so; `now` is none where it
/// cannot be seen.
pub fn describe_changed_interface(
    region: &str,
    before: &NetworkInterface,
    now: Option<&NetworkInterface>,
) -> Option<ResidueItem> {
    let id = &before.network_interface_id;
    let aws = |verb: &str, rest: String| format!("aws ec2 {verb} {rest} --region {region}");
    let item = |why: String, owner_commands| ResidueItem {
        resource: "network interface".to_owned(),
        id: id.clone(),
        why,
        costs_money: false,
        owner_commands,
    };
    let Some(now) = now else {
        let look = aws("describe-network-interfaces", format!("--network-interface-ids {id}"));
        return Some(item("whether it is as before the run cannot be seen".to_owned(), vec![look]));
    };
    let mut commands = Vec::new();
    let own = format!("--network-interface-id {id}");
    let addresses = |of: &NetworkInterface, not_of: &NetworkInterface| {
        let only = of.secondary_addresses.iter().filter(|it| !not_of.has(**it));
        only.map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let (added, missing) = (addresses(now, before), addresses(before, now));
    if !added.is_empty() {
        let rest = format!("{own} --private-ip-addresses {added}");
        commands.push(aws("unassign-private-ip-addresses", rest));
    }
    if !missing.is_empty() {
        let rest = format!("{own} --private-ip-addresses {missing}");
        commands.push(aws("assign-private-ip-addresses", rest));
    }
    if now.source_dest_check != before.source_dest_check {
        let flag = if before.source_dest_check { "" } else { "no-" };
        let rest = format!("{own} --{flag}source-dest-check");
        commands.push(aws("modify-network-interface-attribute", rest));
    }
    if now.security_groups != before.security_groups {
        let rest = format!("{own} --groups {}", before.security_groups.join(" "));
        commands.push(aws("modify-network-interface-attribute", rest));
    }
    commands.extend(of_tags(id, before, now, aws));
    (!commands.is_empty()).then(|| item("it is not as before the run".to_owned(), commands))
}

fn of_tags(
    id: &str,
    before: &NetworkInterface,
    now: &NetworkInterface,
    aws: impl Fn(&str, String) -> String,
) -> Vec<String> {
    let added = now.tags.keys().filter(|key| !before.tags.contains_key(*key));
    let added: Vec<_> = added.map(|key| format!("'Key={key}'")).collect();
    let lost = before.tags.iter().filter(|(key, value)| now.tags.get(*key) != Some(*value));
    let lost: Vec<_> = lost.map(|(key, value)| format!("'Key={key},Value={value}'")).collect();
    let command = |verb: &str, tags: &[String]| {
        let rest = format!("--resources {id} --tags {}", tags.join(" "));
        (!tags.is_empty()).then(|| aws(verb, rest))
    };
    command("delete-tags", &added).into_iter().chain(command("create-tags", &lost)).collect()
}

/// The ruleset without what changes by itself: handles, counters' values, the tool's version.
pub fn nft_ruleset(nft_json: &str) -> Result<Value, String> {
    let mut ruleset: Value = parse(nft_json)?;
    if let Some(items) = ruleset.get_mut("nftables").and_then(Value::as_array_mut) {
        items.retain(|item| item.get("metainfo").is_none());
    }
    strip(&mut ruleset, VOLATILE);
    Ok(ruleset)
}

/// The items of the ruleset, as `nft -j -f` takes them again: counters begin where they were.
pub fn nft_items(nft_json: &str) -> Result<Vec<Value>, String> {
    let mut ruleset: Value = parse(nft_json)?;
    let items = ruleset.get_mut("nftables").and_then(Value::as_array_mut);
    let mut items = items.map(std::mem::take).unwrap_or_default();
    items.retain(|item| item.get("metainfo").is_none());
    for item in &mut items {
        strip(item, &["handle", "expires"]);
    }
    Ok(items)
}

/// For a comparison.
pub fn without_counts(mut items: Value) -> Value {
    strip(&mut items, VOLATILE);
    items
}

const VOLATILE: &[&str] = &["handle", "packets", "bytes", "expires", "used", "used_unit"];

fn strip(value: &mut Value, keys: &[&str]) {
    match value {
        Value::Object(map) => {
            for key in keys {
                map.remove(*key);
            }
            map.values_mut().for_each(|it| strip(it, keys));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| strip(it, keys)),
        _ => {}
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("not the JSON that was asked for: {error}"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    type Change = fn(&mut NetworkInterface);

    /// A change that somebody made to the ENI since, and the commands that take it back.
    #[test]
    fn a_changed_interface_comes_with_the_commands_that_settle_it() {
        let before = || {
            let mut before = crate::example::example_baseline().interface;
            before.secondary_addresses = vec![Ipv4Addr::new(10, 88, 60, 20)];
            before.security_groups = vec!["sg-1".to_owned(), "sg-2".to_owned()];
            before.tags = [("lab".to_owned(), "smoke".to_owned())].into();
            before
        };
        let table: [(Change, &[&str]); 7] = [
            (|_| {}, &[]),
            (
                |now| now.secondary_addresses.push(Ipv4Addr::new(10, 88, 60, 9)),
                &["unassign-private-ip-addresses --network-interface-id eni-1 \
                   --private-ip-addresses 10.88.60.9"],
            ),
            (
                |now| now.secondary_addresses.clear(),
                &["assign-private-ip-addresses --network-interface-id eni-1 \
                   --private-ip-addresses 10.88.60.20"],
            ),
            (
                |now| now.source_dest_check = false,
                &["modify-network-interface-attribute --network-interface-id eni-1 \
                   --source-dest-check"],
            ),
            (
                |now| now.security_groups.truncate(1),
                &["modify-network-interface-attribute --network-interface-id eni-1 \
                   --groups sg-1 sg-2"],
            ),
            (
                |now| now.tags.extend([("owner".to_owned(), "me".to_owned())]),
                &["delete-tags --resources eni-1 --tags 'Key=owner'"],
            ),
            (
                |now| now.tags.values_mut().for_each(|value| *value = "other".to_owned()),
                &["create-tags --resources eni-1 --tags 'Key=lab,Value=smoke'"],
            ),
        ];
        for (change, commands) in table {
            let mut now = before();
            change(&mut now);
            let item = describe_changed_interface("eu-central-1", &before(), Some(&now));
            let expected: Vec<_> = commands
                .iter()
                .map(|command| format!("aws ec2 {command} --region eu-central-1"))
                .collect();
            assert_eq!(item.is_some(), !commands.is_empty(), "{commands:?}");
            let Some(item) = item else { continue };
            assert_eq!((item.id.as_str(), item.owner_commands), ("eni-1", expected));
        }
        let unseen = describe_changed_interface("eu-central-1", &before(), None).expect("an item");
        let look = "aws ec2 describe-network-interfaces --network-interface-ids eni-1 \
                    --region eu-central-1";
        assert_eq!(unseen.owner_commands, [look]);
        let mut off = before();
        off.source_dest_check = false;
        let item =
            describe_changed_interface("eu-central-1", &off, Some(&before())).expect("an item");
        assert!(item.owner_commands[0].contains(" --no-source-dest-check "), "{item:?}");
    }

    /// Without what `nft` does not take, and with the counts, from which it goes on.
    #[test]
    fn a_ruleset_is_kept_as_nft_takes_it_again() {
        let items = |handles: bool| {
            let mut table = json!({ "table": { "family": "ip", "name": "nat" } });
            let counter = json!({ "counter": { "packets": 3, "bytes": 252 } });
            let mut rule = json!({ "rule": { "table": "nat", "expr": [counter] } });
            if handles {
                table["table"]["handle"] = json!(1);
                rule["rule"]["handle"] = json!(4);
            }
            vec![table, rule]
        };
        let metainfo = json!({ "metainfo": { "version": "1.0.6" } });
        let printed = [vec![metainfo], items(true)].concat();
        let given = nft_items(&json!({ "nftables": printed }).to_string());
        assert_eq!(given, Ok(items(false)));
        assert!(nft_items("").is_err(), "no answer is not an empty ruleset");
    }

    #[test]
    fn a_ruleset_compares_without_handles_and_counters() {
        let rule = |handle: u32, packets: u32, verdict: &str| {
            json!({"nftables": [
                {"metainfo": {"version": "1.0.6"}},
                {"rule": {"handle": handle, "expr": [{"counter": {"packets": packets, "bytes": 0}}, {verdict: null}]}}
            ]})
            .to_string()
        };
        assert_eq!(nft_ruleset(&rule(1, 5, "accept")), nft_ruleset(&rule(7, 9, "accept")));
        assert_ne!(nft_ruleset(&rule(1, 5, "accept")), nft_ruleset(&rule(1, 5, "masquerade")));
    }
}

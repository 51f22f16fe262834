//! Changes that are left on the cloud's side, with the commands that make it as it was.

use std::collections::BTreeSet;

use lab::quote_for_shell;
use reports::record::ResidueItem;
use serde_json::Value;

use super::Difference;

/// One item for each thing that is not as it was.
pub fn describe_difference(region: &str, difference: &Difference) -> ResidueItem {
    let mut commands: Vec<String> = match difference.kind.as_str() {
        "security group" => [rules(difference, "ingress"), rules(difference, "egress")].concat(),
        _ => Vec::new(),
    };
    commands.extend(tags(difference));
    if difference.kind == "network interface" {
        commands.extend(interface(difference));
    }
    if commands.is_empty() {
        commands.push(look(difference));
    }
    let in_region = |command: String| {
        if command.starts_with("aws ec2 ") {
            format!("{command} --region {region}")
        } else {
            command
        }
    };
    ResidueItem {
        resource: difference.kind.clone(),
        id: difference.id.clone(),
        why: format!("it is not as before the run: {}", difference.words()),
        costs_money: false,
        owner_commands: commands.into_iter().map(in_region).collect(),
    }
}

fn texts(of: Option<&Value>, key: &str) -> BTreeSet<String> {
    let list = of.and_then(|it| it[key].as_array());
    list.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// `tcp 22-22 10.0.0.0/8`, taken away or put back.
fn rules(difference: &Difference, way: &str) -> Vec<String> {
    let (before, now) =
        (texts(difference.before.as_ref(), way), texts(difference.now.as_ref(), way));
    let command = |verb: &'static str| {
        let id = difference.id.clone();
        move |rule: &String| {
            let mut words = rule.split(' ');
            let (protocol, ports, from) = (words.next()?, words.next()?, words.next()?);
            let ports = match (protocol, ports) {
                ("-1", _) | (_, "all-all") => "FromPort=-1,ToPort=-1".to_owned(),
                (_, ports) => {
                    let (first, last) = ports.split_once('-')?;
                    format!("FromPort={first},ToPort={last}")
                }
            };
            let from = match from {
                it if it.starts_with("sg-") => format!("UserIdGroupPairs=[{{GroupId={it}}}]"),
                it if it.starts_with("pl-") => format!("PrefixListIds=[{{PrefixListId={it}}}]"),
                it if it.contains(':') => format!("Ipv6Ranges=[{{CidrIpv6={it}}}]"),
                it => format!("IpRanges=[{{CidrIp={it}}}]"),
            };
            let permission = quote_for_shell(&format!("IpProtocol={protocol},{ports},{from}"));
            Some(format!(
                "aws ec2 {verb}-security-group-{way} --group-id {id} --ip-permissions {permission}"
            ))
        }
    };
    let revoke = now.difference(&before).filter_map(command("revoke"));
    let authorize = before.difference(&now).filter_map(command("authorize"));
    revoke.chain(authorize).collect()
}

fn tags(difference: &Difference) -> Vec<String> {
    let of = |side: Option<&Value>| {
        side.and_then(|it| it["tags"].as_object()).cloned().unwrap_or_default()
    };
    let (before, now) = (of(difference.before.as_ref()), of(difference.now.as_ref()));
    if difference.before.is_none() || difference.now.is_none() {
        return Vec::new();
    }
    let added = now.keys().filter(|key| !before.contains_key(*key));
    let added: Vec<String> = added.map(|key| quote_for_shell(&format!("Key={key}"))).collect();
    let lost = before.iter().filter(|(key, value)| now.get(*key) != Some(*value));
    let lost: Vec<String> = lost
        .map(|(key, value)| {
            quote_for_shell(&format!("Key={key},Value={}", value.as_str().unwrap_or_default()))
        })
        .collect();
    let command = |verb: &str, tags: &[String]| {
        let id = &difference.id;
        (!tags.is_empty())
            .then(|| format!("aws ec2 {verb} --resources {id} --tags {}", tags.join(" ")))
    };
    command("delete-tags", &added).into_iter().chain(command("create-tags", &lost)).collect()
}

fn interface(difference: &Difference) -> Vec<String> {
    let (Some(before), Some(now)) = (&difference.before, &difference.now) else {
        return Vec::new();
    };
    let id = &difference.id;
    let mut commands = Vec::new();
    if before["security_groups"] != now["security_groups"] {
        let groups: Vec<String> = texts(Some(before), "security_groups").into_iter().collect();
        commands.push(format!(
            "aws ec2 modify-network-interface-attribute --network-interface-id {id} --groups {}",
            groups.join(" ")
        ));
    }
    if before["source_dest_check"] != now["source_dest_check"] {
        let no = if before["source_dest_check"] == true { "" } else { "no-" };
        commands.push(format!(
            "aws ec2 modify-network-interface-attribute --network-interface-id {id} --{no}source-dest-check"
        ));
    }
    let addresses = |side: &Value| -> BTreeSet<String> { texts(Some(side), "secondary_addresses") };
    let (was, is) = (addresses(before), addresses(now));
    for (verb, all) in [
        ("unassign", is.difference(&was).cloned().collect::<Vec<_>>()),
        ("assign", was.difference(&is).cloned().collect()),
    ] {
        if !all.is_empty() {
            commands.push(format!(
                "aws ec2 {verb}-private-ip-addresses --network-interface-id {id} --private-ip-addresses {}",
                all.join(" ")
            ));
        }
    }
    commands
}

/// Where nothing can be derived.
fn look(difference: &Difference) -> String {
    let id = &difference.id;
    match difference.kind.as_str() {
        "network interface" => {
            format!("aws ec2 describe-network-interfaces --network-interface-ids {id}")
        }
        "instance" => format!("aws ec2 describe-instances --instance-ids {id}"),
        "security group" => format!("aws ec2 describe-security-groups --group-ids {id}"),
        "route table" => format!("aws ec2 describe-route-tables --route-table-ids {id}"),
        "network ACL" => format!("aws ec2 describe-network-acls --network-acl-ids {id}"),
        "role" => format!(
            "aws iam list-role-policies --role-name {id}; aws iam list-attached-role-policies --role-name {id}"
        ),
        _ => format!("aws iam get-instance-profile --instance-profile-name {id}"),
    }
}

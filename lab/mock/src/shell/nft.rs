//! `nft -j list ruleset`, as nftables 1.0.6 prints it.

use serde_json::{Value, json};

use super::exec::NotFound;
use super::{Io, Session};
use crate::machines::{Chain, Match, NftAction, NftTool, Rule, Table};

pub fn main(session: &Session, args: &[&str], io: &Io) -> Result<i32, NotFound> {
    let ruleset = session.machine(|machine| machine.nft.clone());
    if ruleset.tool == NftTool::Missing {
        return Err(NotFound);
    }
    if !session.is_root() {
        let text = "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted";
        return Ok(io.fail(1, text));
    }
    let (["-j" | "-ja" | "-aj", "list", "ruleset"] | ["-j", "-a", "list", "ruleset"]) = args else {
        let words = args.join(" ");
        return Ok(io.fail(1, &format!("Error: syntax error, unexpected string\n{words}\n^")));
    };
    let head = "{\"metainfo\": {\"version\": \"1.0.6\", \"release_name\": \"Lester Gooch #5\", \"json_schema_version\": 1}}";
    let mut objects = vec![head.to_owned()];
    for table in &ruleset.tables {
        objects.push(table_object(table));
        objects.extend(table.chains.iter().map(|chain| chain_object(table, chain)));
        for chain in &table.chains {
            objects.extend(chain.rules.iter().map(|rule| rule_object(table, chain, rule)));
        }
    }
    io.out(&format!("{{\"nftables\": [{}]}}\n", objects.join(", ")));
    Ok(0)
}

/// An object with its fields in nft's order and jansson's blanks.
fn object(kind: &str, fields: &[(&str, Value)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(key, value)| format!("\"{key}\": {}", spaced(value))).collect();
    format!("{{\"{kind}\": {{{}}}}}", fields.join(", "))
}

fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let mut fields: Vec<(&String, &Value)> = map.iter().collect();
            // The only order that differs from the alphabet's.
            let rank = |key: &str| {
                ["op", "protocol", "left", "key", "addr", "field", "right", "value"]
                    .iter()
                    .position(|k| *k == key)
                    .unwrap_or(9)
            };
            fields.sort_by_key(|(key, _)| rank(key));
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("\"{key}\": {}", spaced(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn table_object(table: &Table) -> String {
    object(
        "table",
        &[
            ("family", json!(table.family)),
            ("name", json!(table.name)),
            ("handle", json!(table.handle)),
        ],
    )
}

fn chain_object(table: &Table, chain: &Chain) -> String {
    object(
        "chain",
        &[
            ("family", json!(table.family)),
            ("table", json!(table.name)),
            ("name", json!(chain.name)),
            ("handle", json!(chain.handle)),
            ("type", json!(chain.kind.as_str())),
            ("hook", json!(chain.hook.as_str())),
            ("prio", json!(chain.priority)),
            ("policy", json!(chain.policy.as_str())),
        ],
    )
}

fn rule_object(table: &Table, chain: &Chain, rule: &Rule) -> String {
    let expressions: Vec<Value> =
        rule.matches.iter().map(condition).chain([action(&rule.action)]).collect();
    object(
        "rule",
        &[
            ("family", json!(table.family)),
            ("table", json!(table.name)),
            ("chain", json!(chain.name)),
            ("handle", json!(rule.handle)),
            ("expr", json!(expressions)),
        ],
    )
}

fn condition(condition: &Match) -> Value {
    let equal =
        |left: Value, right: Value| json!({"match": {"op": "==", "left": left, "right": right}});
    let payload = |field: &str| json!({"payload": {"protocol": "ip", "field": field}});
    let net = |net: &ipnet::Ipv4Net| match net.prefix_len() {
        32 => json!(net.addr()),
        len => json!({"prefix": {"addr": net.network(), "len": len}}),
    };
    match condition {
        Match::Source(address) => equal(payload("saddr"), net(address)),
        Match::Destination(address) => equal(payload("daddr"), net(address)),
        Match::Protocol(transport) => equal(payload("protocol"), json!(transport.as_str())),
        Match::DestinationPort(port) => {
            equal(json!({"payload": {"protocol": "tcp", "field": "dport"}}), json!(port))
        }
        Match::DatagramTo(port) => {
            equal(json!({"payload": {"protocol": "udp", "field": "dport"}}), json!(port))
        }
        Match::EchoReply => {
            equal(json!({"payload": {"protocol": "icmp", "field": "type"}}), json!("echo-reply"))
        }
        Match::InInterface(name) => equal(json!({"meta": {"key": "iifname"}}), json!(name)),
        Match::OutInterface(name) => equal(json!({"meta": {"key": "oifname"}}), json!(name)),
        Match::EstablishedOrRelated => json!({"match": {
            "op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}),
    }
}

fn action(action: &NftAction) -> Value {
    let mangle = |field: &str, value: &std::net::Ipv4Addr| json!({"mangle": {"key": {"payload": {"protocol": "ip", "field": field}}, "value": value}});
    match action {
        // What reopens or imposes stands beneath all tables.
        NftAction::Accept | NftAction::Reopen | NftAction::Impose(_) => json!({"accept": null}),
        NftAction::Drop => json!({"drop": null}),
        NftAction::Counter => json!({"counter": {"packets": 0, "bytes": 0}}),
        NftAction::Notrack => json!({"notrack": null}),
        NftAction::Masquerade => json!({"masquerade": null}),
        NftAction::Snat(to) => json!({"snat": {"addr": to}}),
        NftAction::Dnat(to) => json!({"dnat": {"addr": to}}),
        NftAction::SetSource(to) => mangle("saddr", to),
        NftAction::SetDestination(to) => mangle("daddr", to),
    }
}

//! `ip -j`: rules, tables beside main, IPv6, ways and namespaces.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

use super::ip::{IpAnswer, JsonField, format_json, main_route};
use crate::machines::{Machine, Route6};

pub fn describe_address6(address: &Ipv6Net) -> Vec<JsonField> {
    let link_local = address.addr().segments()[0] & 0xffc0 == 0xfe80;
    vec![
        ("family", format_json("inet6")),
        ("local", format_json(&address.addr())),
        ("prefixlen", format_json(&address.prefix_len())),
        ("scope", format_json(if link_local { "link" } else { "global" })),
        ("valid_life_time", format_json(&u32::MAX)),
        ("preferred_life_time", format_json(&u32::MAX)),
    ]
}

/// Those that every kernel has, and the node's own.
pub fn show_rules(machine: &Machine, ipv6: bool) -> Vec<Vec<JsonField>> {
    let plain = |priority: u32, table: &str| {
        vec![
            ("priority", format_json(&priority)),
            ("src", format_json("all")),
            ("table", format_json(table)),
        ]
    };
    let mut all = vec![(0, plain(0, "local"))];
    let own = machine.kernel.rules.iter().filter(|_| !ipv6);
    all.extend(own.map(|rule| {
        let mut fields = plain(rule.priority, &rule.table);
        fields.insert(2, ("dst", format_json(&rule.to.network())));
        fields.insert(3, ("dstlen", format_json(&rule.to.prefix_len())));
        (rule.priority, fields)
    }));
    all.push((32766, plain(32766, "main")));
    if !ipv6 {
        all.push((32767, plain(32767, "default")));
    }
    all.sort_by_key(|(priority, _)| *priority);
    all.into_iter().map(|(_, fields)| fields).collect()
}

/// The routes of the tables beside main and local.
pub fn routes_of_tables(machine: &Machine) -> Vec<Vec<JsonField>> {
    let tables = machine.kernel.tables.iter();
    let routes = tables.flat_map(|(table, routes)| routes.iter().map(move |it| (table, it)));
    routes
        .map(|(table, route)| {
            let mut fields = main_route(route);
            let at = fields.iter().position(|(key, _)| *key == "dev").map_or(0, |at| at + 1);
            fields.insert(at, ("table", format_json(table)));
            fields
        })
        .collect()
}

/// `route get ADDRESS`.
pub fn get_route(machine: &Machine, address: &str) -> IpAnswer {
    if let Ok(address) = address.parse::<Ipv6Addr>() {
        return way6(machine, address);
    }
    let destination: Ipv4Addr = address
        .parse()
        .map_err(|_| (1, format!("Error: inet address is expected rather than \"{address}\".")))?;
    let unreachable = || (2, "RTNETLINK answers: Network is unreachable".to_owned());
    let route = machine.best_route(destination).ok_or_else(unreachable)?;
    let hop = machine.next_hop(destination).ok_or_else(unreachable)?;
    let mut fields = vec![("dst", format_json(&destination))];
    fields.extend(route.via.map(|via| ("gateway", format_json(&via))));
    fields.extend([("dev", format_json(&route.dev)), ("prefsrc", format_json(&hop.source))]);
    fields.extend([
        ("flags", format_json(&[(); 0])),
        ("uid", format_json(&0)),
        ("cache", format_json(&[(); 0])),
    ]);
    fields.extend(route.mtu.map(|mtu| ("metrics", format!("[{{\"mtu\":{mtu}}}]"))));
    Ok(vec![fields])
}

fn way6(machine: &Machine, destination: Ipv6Addr) -> IpAnswer {
    let covers = |route: &&Route6| route.destination.contains(&destination);
    let best = machine.kernel.routes6.iter().filter(covers);
    let best = best.max_by_key(|route| route.destination.prefix_len());
    let best = best.ok_or((2, "RTNETLINK answers: Network is unreachable".to_owned()))?;
    let mut fields = vec![("dst", format_json(&destination)), ("from", format_json("::"))];
    fields.extend(best.via.map(|via| ("gateway", format_json(&via))));
    fields.extend([("dev", format_json(&best.dev)), ("flags", format_json(&[(); 0]))]);
    Ok(vec![fields])
}

/// `-6 route show table all` and `-6 route get ADDRESS`.
pub fn show_routes6(machine: &Machine, words: &[&str]) -> IpAnswer {
    match words {
        ["get", address] => get_route(machine, address),
        [] | ["table", "all"] => Ok(machine.kernel.routes6.iter().map(route6).collect()),
        [word, ..] => {
            Err((255, format!("Error: either \"to\" is duplicate, or \"{word}\" is a garbage.")))
        }
    }
}

fn route6(route: &Route6) -> Vec<JsonField> {
    let dst = match route.destination.prefix_len() {
        0 => "default".to_owned(),
        128 => route.destination.addr().to_string(),
        _ => route.destination.to_string(),
    };
    let mut fields = vec![("dst", format_json(&dst))];
    fields.extend(route.via.map(|via| ("gateway", format_json(&via))));
    fields.extend([("dev", format_json(&route.dev)), ("protocol", format_json(&route.protocol))]);
    fields.extend([
        ("metric", format_json(&1024)),
        ("flags", format_json(&[(); 0])),
        ("pref", format_json("medium")),
    ]);
    fields
}

/// `netns list-id`: no link of a node leads into one of them.
pub fn list_namespaces(_: &Machine, words: &[&str]) -> IpAnswer {
    match words {
        ["list-id"] | [] => Ok(Vec::new()),
        [word, ..] => Err((255, format!("Command \"{word}\" is unknown, try \"ip netns help\"."))),
    }
}

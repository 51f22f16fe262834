//! The commands that make a node as it was, where they can be derived; else where to look.

use lab::node::Node;
use lab::quote_for_shell;
use serde_json::Value;

use super::compare::{Comparison, Difference};
use super::{NodeState, Source};
use crate::left::{self, Changed};

/// The node as something that is not as before; none where it is.
pub fn describe_changed_node(
    node: Node,
    comparison: &Comparison,
    before: &NodeState,
    now: &NodeState,
) -> Option<Changed> {
    let mut commands: Vec<String> = Vec::new();
    for difference in &comparison.differences {
        commands.extend(commands_for(node, difference, before, now));
    }
    if commands.is_empty() {
        let looks = comparison.differences.iter().map(|it| look_at(it.source).to_owned());
        commands.extend(looks);
    }
    commands.dedup();
    let why = format!("it is not as before the run: {}", comparison.words());
    (!comparison.is_equal()).then(|| Changed::on(node, "node", node.as_str(), why, commands))
}

fn commands_for(
    node: Node,
    difference: &Difference,
    before: &NodeState,
    now: &NodeState,
) -> Vec<String> {
    let of_left =
        |changed: Option<Changed>| changed.map(|it| it.item.owner_commands).unwrap_or_default();
    match difference.source {
        Source::Addresses => {
            of_left(left::find_left_addresses(node, &before.addresses(), &now.addresses()))
        }
        Source::Routes => routes(difference),
        Source::Rules => rules(difference),
        Source::Neighbours => neighbours(difference),
        Source::Links => links(difference),
        Source::Sysctls | Source::Conntrack => {
            let set = |item: &Value| {
                let setting = format!("{}={}", text(item, "sysctl"), text(item, "value"));
                format!("sudo sysctl -w {}", quote_for_shell(&setting))
            };
            difference.gone.iter().map(set).collect()
        }
        Source::LegacyTables => legacy(difference),
        Source::TrafficControl => {
            let devices = difference.appeared.iter().filter(|it| !it["dev"].is_null());
            devices
                .map(|it| format!("sudo tc qdisc del dev {} {}", word(it, "dev"), word(it, "kind")))
                .collect()
        }
        Source::Namespaces => {
            let only_names = difference.appeared.iter().filter(|it| {
                it.as_object().is_some_and(|it| it.len() == 1 && it.contains_key("namespace"))
            });
            only_names.map(|it| format!("sudo ip netns del {}", word(it, "namespace"))).collect()
        }
        Source::Hostname => {
            let names = difference.gone.iter().filter_map(Value::as_str);
            names.map(|name| format!("sudo hostname {}", quote_for_shell(name))).collect()
        }
        Source::Bridges
        | Source::Ways
        | Source::Nft
        | Source::Bpf
        | Source::Xfrm
        | Source::Listeners
        | Source::Logins => Vec::new(),
    }
}

/// Where nothing can be derived.
fn look_at(source: Source) -> &'static str {
    match source {
        Source::Hostname => "hostname",
        Source::Links => "ip -d link show",
        Source::Addresses => "ip addr show",
        Source::Bridges => "bridge -d link show; bridge fdb show",
        Source::Neighbours => "ip neigh show nud permanent; ip neigh show proxy",
        Source::Rules => "ip rule show; ip -6 rule show",
        Source::Routes => "ip route show table all; ip -6 route show table all",
        Source::Ways => "ip route get 203.0.113.1; ip -6 route get 2001:db8::1",
        Source::Nft => "sudo nft list ruleset",
        Source::LegacyTables => "sudo iptables-legacy-save; sudo ip6tables-legacy-save",
        Source::TrafficControl => "tc qdisc show",
        Source::Bpf => "sudo bpftool net show",
        Source::Xfrm => "sudo ip xfrm policy list; sudo ip xfrm state list nokeys",
        Source::Namespaces => "ip netns list; sudo lsns -t net",
        Source::Sysctls => "sudo sysctl -a -r '^net'",
        Source::Conntrack => "sudo sysctl -a -r '^net.netfilter'",
        Source::Listeners => "sudo ss -lntup",
        Source::Logins => "sudo sha256sum /etc/ssh/sshd_config /home/*/.ssh/authorized_keys",
    }
}

fn text(item: &Value, key: &str) -> String {
    match &item[key] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn word(item: &Value, key: &str) -> String {
    quote_for_shell(&text(item, key))
}

fn family(item: &Value) -> &'static str {
    let six = item["family"] == "inet6" || text(item, "dst").contains(':');
    if six { " -6" } else { "" }
}

/// `replace` takes the place of the route to the same network with the same metric.
fn routes(difference: &Difference) -> Vec<String> {
    let place = |route: &Value| ["family", "dst", "table", "metric"].map(|key| route[key].clone());
    let replaced = |route: &Value| difference.gone.iter().any(|gone| place(gone) == place(route));
    let replace = difference
        .gone
        .iter()
        .map(|it| format!("sudo ip{} route replace {}", family(it), route_words(it)));
    let added = difference.appeared.iter().filter(|route| !replaced(route));
    let delete = added.map(|it| format!("sudo ip{} route del {}", family(it), route_words(it)));
    replace.chain(delete).collect()
}

/// A route as `ip route` reads it.
fn route_words(route: &Value) -> String {
    let mut words = Vec::new();
    let mut put = |of: &Value, key: &str, name: &str| {
        if !of[key].is_null() {
            words.extend([name.to_owned(), word(of, key)].into_iter().filter(|it| !it.is_empty()));
        }
    };
    put(route, "type", "");
    put(route, "dst", "");
    put(route, "gateway", "via");
    put(&route["via"], "host", "via inet6");
    put(route, "dev", "dev");
    put(route, "protocol", "proto");
    if route["type"].is_null() && route["scope"] != "link" {
        put(route, "scope", "scope");
    }
    put(route, "prefsrc", "src");
    put(route, "metric", "metric");
    put(route, "table", "table");
    for hop in route["nexthops"].as_array().into_iter().flatten() {
        put(&serde_json::json!({ "nexthop": "nexthop" }), "nexthop", "");
        put(hop, "gateway", "via");
        put(hop, "dev", "dev");
        put(hop, "weight", "weight");
    }
    for (key, value) in route["metrics"].as_array().into_iter().flatten().flat_map(fields) {
        let of = Value::Object([(key.clone(), value)].into_iter().collect());
        put(&of, &key, &key);
    }
    words.join(" ")
}

fn fields(object: &Value) -> Vec<(String, Value)> {
    object.as_object().cloned().unwrap_or_default().into_iter().collect()
}

fn rules(difference: &Difference) -> Vec<String> {
    let words = |rule: &Value| {
        let mut words = Vec::new();
        let net = |key: &str, length: &str| {
            let length = text(rule, length);
            let slash = if length.is_empty() { String::new() } else { format!("/{length}") };
            quote_for_shell(&format!("{}{slash}", text(rule, key)))
        };
        words.extend(["from".to_owned(), net("src", "srclen")]);
        if !rule["dst"].is_null() {
            words.extend(["to".to_owned(), net("dst", "dstlen")]);
        }
        for key in ["fwmark", "iif", "oif", "ipproto", "sport", "dport"] {
            if !rule[key].is_null() {
                words.extend([key.to_owned(), word(rule, key)]);
            }
        }
        if !rule["table"].is_null() {
            words.extend(["lookup".to_owned(), word(rule, "table")]);
        }
        words.extend(["pref".to_owned(), word(rule, "priority")]);
        words.join(" ")
    };
    let command = |verb: &'static str| {
        move |rule: &Value| format!("sudo ip{} rule {verb} {}", family(rule), words(rule))
    };
    let delete: Vec<_> = difference.appeared.iter().map(command("del")).collect();
    let add: Vec<_> = difference.gone.iter().map(command("add")).collect();
    [delete, add].concat()
}

fn neighbours(difference: &Difference) -> Vec<String> {
    let entry = |item: &Value| {
        let proxy = !item["proxy"].is_null();
        let key = if proxy { "proxy" } else { "dst" };
        let kind = if proxy { "proxy " } else { "" };
        format!("{kind}{} dev {}", word(item, key), word(item, "dev"))
    };
    let replaced = |item: &&Value| {
        let place = |it: &Value| ["dst", "dev", "proxy"].map(|key| it[key].clone());
        difference.gone.iter().any(|gone| place(gone) == place(item))
    };
    let added = difference.appeared.iter().filter(|item| !replaced(item));
    let delete = added.map(|item| format!("sudo ip neigh del {}", entry(item)));
    let back = difference.gone.iter().map(|item| match item["lladdr"].as_str() {
        Some(mac) => {
            format!(
                "sudo ip neigh replace {} lladdr {} nud permanent",
                entry(item),
                quote_for_shell(mac)
            )
        }
        None => format!("sudo ip neigh replace {}", entry(item)),
    });
    delete.chain(back).collect()
}

/// A link that is not as it was: its size and whether it is up; one that is new goes.
fn links(difference: &Difference) -> Vec<String> {
    let mut commands = Vec::new();
    for now in &difference.appeared {
        let name = word(now, "ifname");
        let Some(was) = difference.gone.iter().find(|it| it["ifname"] == now["ifname"]) else {
            commands.push(format!("sudo ip link del {name}"));
            continue;
        };
        let up = |link: &Value| {
            link["flags"].as_array().is_some_and(|flags| flags.iter().any(|it| it == "UP"))
        };
        if was["mtu"] != now["mtu"] {
            commands.push(format!("sudo ip link set {name} mtu {}", was["mtu"]));
        }
        if was["address"] != now["address"] {
            commands.push(format!("sudo ip link set {name} address {}", word(was, "address")));
        }
        if up(was) != up(now) {
            let state = if up(was) { "up" } else { "down" };
            commands.push(format!("sudo ip link set {name} {state}"));
        }
    }
    commands
}

/// `ip nat: -A POSTROUTING …`
fn legacy(difference: &Difference) -> Vec<String> {
    let added = difference.appeared.iter().filter_map(|item| {
        let (place, rule) = item.as_str()?.split_once(": ")?;
        let (family, table) = place.split_once(' ')?;
        let rule = rule.strip_prefix("-A ")?;
        Some(format!("sudo {family}tables-legacy -t {table} -D {rule}"))
    });
    added.collect()
}

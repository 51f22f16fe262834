//! Entries that a router tracks: each connection to the captured address, or between the clients, has
//! exactly the two in both directions, and this run's own are among them and answered. Where no rule
//! makes the router track anything an empty table is right.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lab::Lab;
use lab::node::Node;
use lab::shell::ssh::Flow;
use lab::shell::{ConntrackEntry, ConntrackTuple, NodeAnswer, Observe, Unread};
use serde_json::{Value, json};

use super::path::CapturedPath;
use crate::context::{Context, How, Ruling};
use crate::observe;

/// Something that this run has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Connection(Flow),
    /// Echo requests, by their ends and their id.
    Echoes {
        source: Ipv4Addr,
        destination: Ipv4Addr,
        id: u16,
    },
}

/// The entries that a router listed.
pub type ConntrackRead = NodeAnswer<Result<Vec<ConntrackEntry>, Unread>>;

/// Whatever was opened to the captured address or from one of the two clients.
pub async fn ask_conntrack(lab: &Lab, router: Node) -> Vec<ConntrackRead> {
    let address = |node| lab.manifest.nodes[&node].address;
    let (cloud, onprem) = (address(Node::CloudClient), address(Node::OnpremClient));
    let commands = [
        Observe::conntrack_to(onprem),
        Observe::conntrack_from(onprem),
        Observe::conntrack_from(cloud),
    ];
    let told = commands.iter().map(|command| lab.shell.observe(router, command));
    futures::future::join_all(told).await
}

/// Whether an entry has to do with the captured path: its ends are the two clients.
fn concerns(entry: &ConntrackEntry, [cloud, captured]: &[String; 2]) -> bool {
    let ConntrackEntry { original, reply, .. } = entry;
    let all = [&original.source, &original.destination, &reply.source, &reply.destination];
    original.destination == *captured || all.contains(&cloud) && all.contains(&captured)
}

/// Whether it has only the two, and its reply is the inverse of what was asked.
fn is_plain(entry: &ConntrackEntry, ends: &[String; 2]) -> bool {
    let pair = BTreeSet::from([&entry.original.source, &entry.original.destination]);
    pair == ends.iter().collect() && is_mirrored(entry)
}

fn is_mirrored(entry: &ConntrackEntry) -> bool {
    let ConntrackEntry { original, reply, .. } = entry;
    let turned = reply.ports.clone().map(|(from, to)| (to, from));
    (&reply.source, &reply.destination) == (&original.destination, &original.source)
        && original.ports == turned
        && original.id == reply.id
}

/// Whether both are of the same protocol, from the same end to the same other.
fn goes_as(entry: &ConntrackEntry, other: &ConntrackEntry) -> bool {
    let way = |entry: &ConntrackEntry| {
        let ConntrackTuple { source, destination, id, .. } = entry.original.clone();
        (source, destination, id.is_some())
    };
    way(entry) == way(other)
}

impl Own {
    /// Whether the entry is of this.
    fn is(&self, entry: &ConntrackEntry) -> bool {
        let ConntrackTuple { source, destination, ports, id } = &entry.original;
        match self {
            Self::Connection(Flow { client, server }) => {
                let text = |ip: &Ipv4Addr, port: u16| (ip.to_string(), port.to_string());
                let (client, server) =
                    (text(client.ip(), client.port()), text(server.ip(), server.port()));
                *source == client.0
                    && *destination == server.0
                    && *ports == Some((client.1, server.1))
            }
            Self::Echoes { source: from, destination: to, id: number } => {
                *source == from.to_string()
                    && *destination == to.to_string()
                    && id.as_ref().is_some_and(|id| *id == number.to_string())
            }
        }
    }
}

/// Whether a rule of the baseline makes the router track connections.
fn is_armed(ctx: &Context<'_>, router: Node) -> bool {
    let baseline = ctx.run.baseline();
    let rules = baseline.as_ref().and_then(|baseline| baseline.rulesets.get(&router));
    rules.is_some_and(|items| items.iter().any(tracks))
}

/// nft's `ct`, a chain that translates, or a condition of iptables-nft, whose name says enough.
fn tracks(item: &Value) -> bool {
    match item {
        Value::Object(map) => map.iter().any(|(key, value)| {
            matches!(key.as_str(), "ct" | "masquerade" | "snat" | "dnat" | "redirect" | "synproxy")
                || key == "type" && value == "nat"
                || key == "name" && (value == "conntrack" || value == "state")
                || tracks(value)
        }),
        Value::Array(items) => items.iter().any(tracks),
        _ => false,
    }
}

pub fn judge(
    ctx: &mut Context<'_>,
    id: &'static str,
    router: Node,
    path: &CapturedPath,
    own: &[Own],
    told: Vec<ConntrackRead>,
) {
    let expected = json!({ "translated": [], "unanswered": [], "own": "tracked where any is" });
    let mut how = How::default();
    let mut entries = BTreeSet::new();
    for told in told {
        match observe::keep_reading(ctx, told) {
            Ok((listed, one)) => {
                how = how.and(one);
                entries.extend(listed);
            }
            Err((why, one)) => {
                return ctx.check(id).expects(expected).seen(how.and(one)).unknown(why);
            }
        }
    }
    let ends = path.ends().map(|address| address.to_string());
    entries.retain(|entry| concerns(entry, &ends));
    let shown = |wanted: &dyn Fn(&&ConntrackEntry) -> bool| -> Vec<&str> {
        entries.iter().filter(wanted).map(|entry| entry.line.as_str()).collect()
    };
    let is_own = |entry: &ConntrackEntry| own.iter().any(|own| own.is(entry));
    let translated = shown(&|entry| !is_plain(entry, &ends));
    // One packet may be lost on its way; where the same way was answered, its answers come through.
    let is_answered = |entry: &ConntrackEntry| {
        entries.iter().any(|other| is_own(other) && other.replied && goes_as(other, entry))
    };
    let unanswered = shown(&|entry| is_own(entry) && !entry.replied && !is_answered(entry));
    let own_count = entries.iter().filter(|entry| is_own(entry)).count();
    let armed = is_armed(ctx, router);
    let message = if !translated.is_empty() {
        // Somebody else's own connection looks like one that a proxy makes for a client.
        let mirrored = entries.iter().any(|it| !is_plain(it, &ends) && is_mirrored(it));
        let what = if mirrored { "translated, or made in a client's place" } else { "translated" };
        Some(format!("{what}: {}", in_short(&translated)))
    } else if !unanswered.is_empty() {
        Some(format!("not answered through this router: {}", in_short(&unanswered)))
    } else if armed && own_count == 0 && !own.is_empty() {
        Some("the router tracks connections, and none of this run's is among them".to_owned())
    } else {
        None
    };
    let observed = json!({
        "armed": armed, "entries": entries.len(), "own": own_count,
        "translated": translated, "unanswered": unanswered,
    });
    ctx.check(id).expects(expected).seen(how).comes_to(observed, Ruling::unless(message));
}

/// One of them tells what is going on; all are in what was observed.
fn in_short(lines: &[&str]) -> String {
    let more = lines.len().saturating_sub(1);
    let first = lines.first().copied().unwrap_or_default();
    if more == 0 { first.to_owned() } else { format!("{first} (and {more} more)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes a router track, and what only looks like it.
    #[test]
    fn a_rule_tracks_by_what_it_does_and_not_by_how_it_is_called() {
        let table = [
            (
                json!({ "rule": { "expr": [{ "match": { "left": { "ct": { "key": "state" } } } }] } }),
                true,
            ),
            (json!({ "rule": { "expr": [{ "masquerade": null }] } }), true),
            (json!({ "rule": { "expr": [{ "dnat": { "addr": "10.88.60.9" } }] } }), true),
            (json!({ "chain": { "type": "nat", "hook": "prerouting" } }), true),
            (json!({ "chain": { "type": "filter", "hook": "input" } }), false),
            (json!({ "chain": { "name": "nat" } }), false),
            (json!({ "xt": { "type": "match", "name": "conntrack" } }), true),
            (json!({ "xt": { "type": "match", "name": "state" } }), true),
            (json!({ "xt": { "type": "match", "name": "comment" } }), false),
            (json!({ "xt": { "type": "state", "comment": "conntrack" } }), false),
            (json!({ "counter": { "packets": 1 } }), false),
        ];
        for (item, is_one) in table {
            assert_eq!(tracks(&item), is_one, "{item}");
        }
    }

    #[test]
    fn what_goes_the_same_way_has_the_same_ends_and_protocol() {
        let echo = "icmp 1 src=10.88.60.7 dst=10.88.60.9 id=1 src=10.88.60.9 dst=10.88.60.7 id=1";
        let back = "icmp 1 src=10.88.60.9 dst=10.88.60.7 id=1 src=10.88.60.7 dst=10.88.60.9 id=1";
        let tcp = "tcp 6 src=10.88.60.7 dst=10.88.60.9 sport=1 dport=22 src=10.88.60.9 dst=10.88.60.7 sport=22 dport=1";
        let entry = |line: &str| ConntrackEntry::read(line).expect("an entry");
        let other_id = echo.replace("id=1", "id=2");
        let other_id = entry(&other_id);
        assert!(goes_as(&entry(echo), &other_id));
        assert!(!goes_as(&entry(echo), &entry(back)));
        assert!(!goes_as(&entry(echo), &entry(tcp)));
    }
}

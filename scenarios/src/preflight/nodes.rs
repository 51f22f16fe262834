//! Every node is who it should be, keeps the time, and is taken down as it is now: the baseline.

use std::collections::BTreeMap;

use chrono::Duration;
use lab::Lab;
use lab::node::Node;
use serde_json::json;

use super::gather::{ClockRead, NodeReads};
use super::{AGENTS, BASELINE, CLOCKS, HOST_KEYS, NODES, OS_ADDRESS};
use crate::baseline::NodeBaseline;
use crate::context::{Context, How, Ruling};
use crate::node_state::{self, Looked, NodeLook};
use crate::{observe, stops};

/// The four nodes' baselines.
pub type Nodes = BTreeMap<Node, NodeBaseline>;

pub fn judge(lab: &Lab, ctx: &mut Context<'_>, reads: Vec<NodeReads>) -> Option<Nodes> {
    let mut found = Nodes::new();
    let mut hosts = Collected::default();
    let mut keys = Collected::default();
    let mut clocks = Collected::default();
    let mut unread = Collected::default();
    let mut skewed = None;
    for reads in reads {
        let node = reads.node;
        let entry = &lab.manifest.nodes[&node];
        hosts.compare(node, &entry.hostname, observe::keep_reading(ctx, reads.hostname));
        let other = reads.host_key.as_ref().err().and_then(|error| error.why.other_host_key());
        let other = other.map(str::to_owned);
        let key =
            observe::keep_reading(ctx, reads.host_key).map(|(key, how)| (bare_key(&key), how));
        match (other, &key) {
            // It is not the machine whose key is pinned, and so it was asked nothing.
            (Some(why), Err((_, how))) => keys.add(node, false, json!(why), how.clone()),
            _ => keys.compare(node, &bare_key(&entry.host_key), key.clone()),
        }
        if let Some(offset) = clock(lab, ctx, node, reads.clock, &mut clocks) {
            skewed = Some(offset);
        }
        let taken = taken(ctx, reads.state);
        match (taken, key) {
            (Ok((taken, how)), Ok((host_key, _))) => {
                unread.how = std::mem::take(&mut unread.how).and(how);
                unread.seen.insert(node.to_string(), json!("taken"));
                found.insert(node, NodeBaseline { host_key, state: taken });
            }
            (Err((why, how)), _) | (_, Err((why, how))) => unread.unknown(node, &why, how),
        }
    }
    let strangers = hosts.wrong.iter().chain(&keys.wrong).cloned().collect::<Vec<_>>().join("; ");
    let strangers = (!strangers.is_empty()).then(|| format!("not the lab's host: {strangers}"));
    ctx.stop(&stops::OTHER_HOST, strangers, "the lab's hosts");
    hosts.settle(ctx, NODES, "every node is the manifest's");
    keys.settle(ctx, HOST_KEYS, "every node shows its pinned key");
    clocks.settle(ctx, CLOCKS, "every node's clock within the tolerance");
    ctx.stop(&stops::CLOCK_SKEW, skewed, "a node's clock");
    unread.settle(ctx, BASELINE, "every node's network state");
    os_address(lab, ctx, &found);
    agents(lab, ctx, &found);
    (found.len() == Node::ALL.len()).then_some(found)
}

/// `ssh-ed25519 AAAA…`, without a comment.
fn bare_key(line: &str) -> String {
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn taken(ctx: &mut Context<'_>, told: NodeLook) -> Looked {
    let (state, how) = node_state::read_look(ctx, told)?;
    match state.lacks() {
        None => Ok((state, how)),
        Some(why) => Err((why, how)),
    }
}

/// The node's clock against the harness's, which stands half way between sending and receiving.
/// What the way itself took is not held against the node. Answers a complaint.
fn clock(
    lab: &Lab,
    ctx: &mut Context<'_>,
    node: Node,
    read: ClockRead,
    clocks: &mut Collected,
) -> Option<String> {
    let way = read.after - read.before;
    let (time, how) = match observe::keep_reading(ctx, read.told) {
        Ok(seen) => seen,
        Err((why, how)) => {
            clocks.unknown(node, &why, how);
            return None;
        }
    };
    let offset = (time - (read.before + way / 2)).abs();
    let tolerance = i64::try_from(lab.manifest.limits.clock_skew_ms).unwrap_or(i64::MAX);
    let holds = offset <= Duration::milliseconds(tolerance) + way / 2;
    let shown =
        json!({ "offset_ms": offset.num_milliseconds(), "round_trip_ms": way.num_milliseconds() });
    clocks.add(node, holds, shown, how);
    (!holds).then(|| format!("{node}'s clock is {} ms off", offset.num_milliseconds()))
}

/// The captured address must not be on the router's own interfaces before the run either.
fn os_address(lab: &Lab, ctx: &mut Context<'_>, nodes: &Nodes) {
    let address = lab.manifest.capture.address.addr();
    let Some(router) = nodes.get(&Node::RouterdCloud) else { return };
    let places = node_state::places_of(&router.state, address);
    let message = format!("{} has {address} of its own: {}", Node::RouterdCloud, places.join("; "));
    let how = How::words("routerd-cloud$ sudo -n sh -s node-state");
    let expected = json!({ "absent": address });
    let ruling = Ruling::when(places.is_empty(), message);
    ctx.check(OS_ADDRESS).expects(expected).seen(how).comes_to(json!(places), ruling);
}

/// Nothing on the router may give it the captured address once nobody looks any more: not before the last
/// look, which is as late as the manifest lets guests settle.
fn agents(lab: &Lab, ctx: &mut Context<'_>, nodes: &Nodes) {
    let Some(router) = nodes.get(&Node::RouterdCloud) else { return };
    let settle_ms = lab.manifest.limits.guest_settle_ms;
    let expected = json!({ "active": [], "guest_settle_ms": settle_ms });
    let how = How::words("routerd-cloud$ sudo -n sh -s node-state");
    let active = match node_state::list_agents(router.state.agents.as_ref()) {
        Ok(active) => active,
        Err(why) => return ctx.check(AGENTS).expects(expected).seen(how).unknown(why),
    };
    let dangerous = active.iter().filter(|agent| !agent.is_outwaited(settle_ms));
    let named: Vec<String> = dangerous
        .map(|agent| {
            let (name, at, command) = (agent.name, &agent.at, agent.disable_command());
            let waits = agent.acts_within_ms.map_or_else(String::new, |within_ms| {
                format!(" (or let limits.guest_settle_ms be {within_ms})")
            });
            format!("{name} ({at}): {command}{waits}")
        })
        .collect();
    let message = (!named.is_empty()).then(|| {
        let node = Node::RouterdCloud;
        format!(
            "on {node} an agent would add the captured address to its interface: {}",
            named.join("; ")
        )
    });
    let seen: Vec<_> = active.iter().map(|agent| &agent.at).collect();
    let observed = json!({ "active": seen, "guest_settle_ms": settle_ms });
    let ruling = Ruling::unless(message.clone());
    ctx.check(AGENTS).expects(expected).seen(how).comes_to(observed, ruling);
    ctx.stop(&stops::ADDRESS_AGENT, message, Node::RouterdCloud.as_str());
}

/// The answers to one question that were seen on all nodes.
#[derive(Default)]
struct Collected {
    seen: serde_json::Map<String, serde_json::Value>,
    wrong: Vec<String>,
    unknown: Vec<String>,
    how: How,
}

impl Collected {
    fn add(&mut self, node: Node, holds: bool, seen: serde_json::Value, how: How) {
        if !holds {
            self.wrong.push(format!("{node}: {seen}"));
        }
        self.seen.insert(node.to_string(), seen);
        self.how = std::mem::take(&mut self.how).and(how);
    }

    fn compare(&mut self, node: Node, expected: &str, fact: observe::Fact<String>) {
        match fact {
            Ok((seen, how)) => self.add(node, seen == expected, json!(seen), how),
            Err((why, how)) => self.unknown(node, &why, how),
        }
    }

    fn unknown(&mut self, node: Node, why: &str, how: How) {
        self.unknown.push(format!("{node}: {why}"));
        self.how = std::mem::take(&mut self.how).and(how);
    }

    fn settle(self, ctx: &mut Context<'_>, id: &'static str, expected: &str) {
        let observed = serde_json::Value::Object(self.seen);
        if !self.wrong.is_empty() {
            let message = self.wrong.join("; ");
            ctx.check(id).expects(json!(expected)).seen(self.how).fails(observed, message);
        } else if self.unknown.is_empty() {
            ctx.check(id).expects(json!(expected)).seen(self.how).passes(observed);
        } else {
            ctx.check(id).expects(json!(expected)).seen(self.how).unknown(self.unknown.join("; "));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use chrono::{DateTime, Utc};
    use lab::shell::Observe;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    /// Half of what the way took is added to the tolerance, and its middle is what is compared.
    #[test]
    fn a_clock_is_compared_with_the_middle_of_the_way() {
        let before: DateTime<Utc> = "2026-10-01T12:00:00Z".parse().expect("a time");
        // The way and the node's time after it began, in milliseconds, with a tolerance of 100.
        let table = [
            (0, 0, None),
            (0, 100, None),
            (0, -100, None),
            (0, 101, Some("101 ms off")),
            (0, -101, Some("101 ms off")),
            (1000, 500, None),
            (1000, 1100, None),
            (1000, 1101, Some("601 ms off")),
            (1000, -100, None),
            (1000, -101, Some("601 ms off")),
        ];
        judge_as_scenario("preflight", async |lab, ctx| {
            Rc::make_mut(&mut lab.manifest).limits.clock_skew_ms = 100;
            for (way, offset, expected) in table {
                let time = before + Duration::milliseconds(offset);
                let nanoseconds = time.timestamp_nanos_opt().expect("in range").to_string();
                let after = before + Duration::milliseconds(way);
                let told = read_by(&Observe::clock(), example_answer(0, &nanoseconds, ""));
                let read = ClockRead { before, told, after };
                let mut clocks = Collected::default();
                let given = clock(lab, ctx, Node::CloudClient, read, &mut clocks);
                let said = given.is_some_and(|it| it.contains(expected.unwrap_or("off")));
                assert_eq!(said, expected.is_some(), "{way} {offset}");
                assert_eq!(clocks.wrong.is_empty(), expected.is_none(), "{way} {offset}");
            }
            for answer in [example_answer(0, "noon", ""), example_silence()] {
                let told = read_by(&Observe::clock(), answer);
                let read = ClockRead { before, told, after: before };
                let mut clocks = Collected::default();
                assert_eq!(clock(lab, ctx, Node::CloudClient, read, &mut clocks), None);
                assert_eq!(clocks.unknown.len(), 1);
            }
        });
    }
}

//! Nothing translates addresses on the captured path. No single observation sees every kind of
//! translation (a self-restoring double SNAT is clean at both ends, an ICMP-only masquerade is
//! clean for TCP), so there are independent proofs, and each says which failed: all four fields of
//! a fresh TCP connection at both ends, the ICMP source at the far end, and the routers' own tables.

use std::cell::Cell;

use lab::Lab;
use lab::node::{Node, Output};
use lab::shell::{Observe, ssh};
use serde_json::{Value, json};

use crate::context::{Context, How};
use crate::observe::{self, Fact};
use crate::ssh::target;

pub const ASSERTS: &[&str] = &[
    "no-nat.tcp.cloud-to-onprem",
    "no-nat.tcp.onprem-to-cloud",
    "no-nat.icmp.cloud-to-onprem",
    "no-nat.icmp.onprem-to-cloud",
    "no-nat.tables.routerd-cloud",
    "no-nat.tables.onprem-router",
    "no-nat.conntrack.routerd-cloud",
    "no-nat.conntrack.onprem-router",
];
pub const NOT_APPLICABLE: &[&str] = &[];

/// Both directions: who sends, who receives.
const WAYS: [(Node, Node); 2] =
    [(Node::CloudClient, Node::OnpremClient), (Node::OnpremClient, Node::CloudClient)];
const ROUTERS: [Node; 2] = [Node::RouterdCloud, Node::OnpremRouter];

type Told = Result<lab::ec2::Answer<Output>, lab::shell::ShellError>;

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let (tcp, icmp, tables) = futures::join!(
        futures::future::join_all(WAYS.map(|(near, far)| tcp(lab, near, far))),
        futures::future::join_all(WAYS.map(|(near, far)| icmp(lab, near, far))),
        futures::future::join_all(ROUTERS.map(|router| tables(lab, router))),
    );
    // Once these flows are there to be tracked: before, an empty table would say nothing.
    let tracked = futures::future::join_all(ROUTERS.map(|router| tracked(lab, router))).await;
    for (index, told) in tcp.into_iter().enumerate() {
        judge_tcp(lab, ctx, ASSERTS[index], WAYS[index], told);
    }
    for (index, (sniffed, pings)) in icmp.into_iter().enumerate() {
        judge_icmp(lab, ctx, ASSERTS[2 + index], WAYS[index], sniffed, pings);
    }
    for (index, (nft, legacy)) in tables.into_iter().enumerate() {
        judge_tables(ctx, ASSERTS[4 + index], nft, legacy);
    }
    for (index, tracked) in tracked.into_iter().enumerate() {
        judge_conntrack(ctx, ASSERTS[6 + index], tracked);
    }
}

async fn tcp(lab: &Lab, near: Node, far: Node) -> Told {
    lab.shell.observe(near, &Observe::ssh_tuple(&target(lab, far))).await
}

/// The far end's capture, and fresh pings until it has seen enough or given up: nothing says when
/// a capture begins.
async fn icmp(lab: &Lab, near: Node, far: Node) -> (Told, Vec<Told>) {
    let address = |node| lab.manifest.nodes[&node].address;
    let (capture, ping) =
        (Observe::echo_requests(address(far)), Observe::ping(address(near), address(far)));
    let captured = Cell::new(false);
    let capture = async {
        let told = lab.shell.observe(far, &capture).await;
        captured.set(true);
        told
    };
    let pings = async {
        let mut pings = Vec::new();
        loop {
            pings.push(lab.shell.observe(near, &ping).await);
            let sent = pings.last().is_some_and(|told| told.as_ref().is_ok_and(was_sent));
            if captured.get() || !sent {
                return pings;
            }
        }
    };
    futures::join!(capture, pings)
}

/// ping's exit code 2 says that it could not send.
fn was_sent(answer: &lab::ec2::Answer<Output>) -> bool {
    answer.value.code <= 1
}

async fn tables(lab: &Lab, router: Node) -> (Told, Told) {
    let (nft, legacy) = (Observe::nft_ruleset(), Observe::iptables_legacy_nat());
    futures::join!(lab.shell.observe(router, &nft), lab.shell.observe(router, &legacy))
}

/// Tracked connections in both directions.
async fn tracked(lab: &Lab, router: Node) -> Vec<Told> {
    let address = |node| lab.manifest.nodes[&node].address;
    let commands = WAYS.map(|(near, far)| Observe::conntrack(address(near), address(far)));
    futures::future::join_all(commands.iter().map(|command| lab.shell.observe(router, command)))
        .await
}

fn judge_tcp(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    (near, far): (Node, Node),
    told: Told,
) {
    let address = |node| lab.manifest.nodes[&node].address;
    let expected =
        json!({ "client": address(near), "server": address(far), "same_at_both_ends": true });
    let (output, how) = match observe::told(ctx, told) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.unknown(id, expected, how, why),
    };
    let greeting = ssh::greeting(&String::from_utf8_lossy(&output.stdout));
    let Some(flow) = greeting.connection else {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let why = format!("no connection to look at: {why}");
        return ctx.unknown(id, expected, how, why);
    };
    let same = greeting.local_flows.contains(&flow);
    let right = *flow.client.ip() == address(near) && *flow.server.ip() == address(far);
    let near_view: Vec<String> = greeting.local_flows.iter().map(ToString::to_string).collect();
    ctx.judge(
        id,
        same && right,
        expected,
        json!({ "far_end": flow.to_string(), "near_end": near_view }),
        how,
        Some(format!("the far end sees {flow}, the near end {}", near_view.join(", "))),
    );
}

fn judge_icmp(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    (near, far): (Node, Node),
    sniffed: Told,
    pings: Vec<Told>,
) {
    let address = |node| lab.manifest.nodes[&node].address;
    let expected = json!({ "sources": [address(near)] });
    let ping_how =
        pings.into_iter().fold(How::default(), |how, pinged| match observe::told(ctx, pinged) {
            Ok((_, one)) | Err((_, one)) => how.and(one),
        });
    let (output, how) = match observe::told(ctx, sniffed) {
        Ok((output, how)) => (output, how.and(ping_how)),
        Err((why, how)) => return ctx.unknown(id, expected, how.and(ping_how), why),
    };
    let sources = echo_sources(&String::from_utf8_lossy(&output.stdout), &address(far).to_string());
    if sources.is_empty() {
        let why = "no echo request arrived at the far end, so its source is not known";
        return ctx.unknown(id, expected, how, why);
    }
    let message = format!("{far} sees echo requests from {}", sources.join(", "));
    ctx.judge(
        id,
        sources == [address(near).to_string()],
        expected,
        json!({ "sources": sources }),
        how,
        Some(message),
    );
}

/// The sources of the echo requests to `destination` in tcpdump's lines, each once.
fn echo_sources(text: &str, destination: &str) -> Vec<String> {
    let needle = format!(" > {destination}: ICMP echo request");
    let mut sources: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once(&needle)?.0.rsplit(' ').next().map(str::to_owned))
        .collect();
    sources.sort();
    sources.dedup();
    sources
}

fn judge_tables(ctx: &mut Context<'_>, id: &'static str, nft: Told, legacy: Told) {
    let expected = json!([]);
    let nft = observe::told(ctx, nft).and_then(|(output, how)| observe::succeeded(&output, &how));
    let legacy = observe::told(ctx, legacy);
    match (nft.and_then(translations_in_nft), legacy.and_then(translations_in_iptables)) {
        (Ok((mut found, how)), Ok((more, other))) => {
            found.extend(more);
            let message = format!("the router translates: {}", found.join("; "));
            let holds = found.is_empty();
            ctx.judge(
                id,
                holds,
                expected,
                json!(found),
                how.and(other),
                (!holds).then_some(message),
            );
        }
        (Err((why, how)), _) | (_, Err((why, how))) => ctx.unknown(id, expected, how, why),
    }
}

/// Statements that change an address or port, as `inet t postrouting: masquerade`.
fn translations_in_nft((text, how): (String, How)) -> Fact<Vec<String>> {
    let ruleset: Value = match serde_json::from_str(&text) {
        Ok(ruleset) => ruleset,
        Err(error) => return Err((format!("nft's JSON cannot be read: {error}"), how)),
    };
    let Some(items) = ruleset.get("nftables").and_then(Value::as_array) else {
        return Err(("nft's answer has no ruleset".to_owned(), how));
    };
    let mut found = Vec::new();
    for rule in items.iter().filter_map(|item| item.get("rule")) {
        let place = ["family", "table", "chain"]
            .map(|key| rule.get(key).and_then(Value::as_str).unwrap_or("?"))
            .join(" ");
        for statement in rule.get("expr").and_then(Value::as_array).into_iter().flatten() {
            match translation(statement) {
                Translation::None => {}
                Translation::Is(what) => found.push(format!("{place}: {what}")),
                Translation::Unnamed => {
                    let why = format!(
                        "{place} has an xtables rule that this nft does not name: iptables-save shows it"
                    );
                    return Err((why, how));
                }
            }
        }
    }
    Ok((found, how))
}

#[derive(Debug, PartialEq)]
enum Translation {
    None,
    Is(String),
    /// A rule of iptables-nft of which nft's JSON says neither kind nor name.
    Unnamed,
}

fn translation(statement: &Value) -> Translation {
    let Some((name, body)) = statement.as_object().and_then(|object| object.iter().next()) else {
        return Translation::None;
    };
    match name.as_str() {
        "masquerade" | "snat" | "dnat" | "redirect" | "tproxy" => Translation::Is(name.clone()),
        "mangle" => rewritten(body).map_or(Translation::None, Translation::Is),
        "xt" => extension(body),
        _ => Translation::None,
    }
}

/// What a stateless rewrite changes. A raw payload (`@nh,96,32`) has no field's name: which bytes
/// of a packet are an address depends on what carries it, so each is taken for a rewrite.
fn rewritten(mangle: &Value) -> Option<String> {
    let payload = mangle.get("key")?.get("payload")?;
    match payload.get("field").and_then(Value::as_str) {
        Some(field @ ("saddr" | "daddr" | "sport" | "dport")) => Some(format!("{field} set")),
        Some(_) => None,
        None => Some(format!("raw payload set: {payload}")),
    }
}

/// Targets of iptables-nft that change an address or port.
const XT_TARGETS: [&str; 6] = ["MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP", "TPROXY"];

fn extension(xt: &Value) -> Translation {
    match (xt.get("type").and_then(Value::as_str), xt.get("name").and_then(Value::as_str)) {
        (Some("target"), Some(name)) if XT_TARGETS.contains(&name) => {
            Translation::Is(format!("xt {name}"))
        }
        (Some(_), Some(_)) => Translation::None,
        _ => Translation::Unnamed,
    }
}

/// Rules of `iptables-legacy -t nat -S`; a node without that program has none.
fn translations_in_iptables((output, how): (Output, How)) -> Fact<Vec<String>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.code != 0 {
        let stderr = text(&output.stderr);
        return if stderr.contains("not found") {
            Ok((Vec::new(), how))
        } else {
            Err((format!("iptables-legacy: {}", stderr.trim()), how))
        };
    }
    let stdout = text(&output.stdout);
    let rules = stdout.lines().filter(|line| line.starts_with("-A "));
    Ok((rules.map(|rule| format!("iptables-legacy: {rule}")).collect(), how))
}

fn judge_conntrack(ctx: &mut Context<'_>, id: &'static str, told: Vec<Told>) {
    let expected = json!({ "translated": [] });
    let mut how = How::default();
    let (mut entries, mut translated) = (0, Vec::new());
    for told in told {
        match observe::told(ctx, told) {
            Ok((output, one)) if output.code == 0 => {
                how = how.and(one);
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                for line in text.lines().filter(|line| line.contains("src=")) {
                    entries += 1;
                    if is_translated(line) {
                        translated.push(line.trim().to_owned());
                    }
                }
            }
            Ok((output, one)) => {
                let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                if why.contains("not found") {
                    how = how.and(one);
                    continue;
                }
                return ctx.unknown(id, expected, how.and(one), why);
            }
            Err((why, one)) => return ctx.unknown(id, expected, how.and(one), why),
        }
    }
    if entries == 0 {
        let why = "nothing is tracked on this router, so its table proves nothing; the run arms no rule to change that";
        return ctx.skipped(id, json!({ "entries": 0 }), how, why);
    }
    let message = in_short(&translated);
    let observed = json!({ "entries": entries, "translated": translated });
    ctx.judge(id, message.is_none(), expected, observed, how, message);
}

/// One of them tells what is going on; all are in what was observed.
fn in_short(translated: &[String]) -> Option<String> {
    let (first, others) = translated.split_first()?;
    let more =
        if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
    Some(format!("translated: {first}{more}"))
}

/// Whether the reply's tuple is not the inverse of the original's.
fn is_translated(line: &str) -> bool {
    let values = |key: &str| -> Vec<&str> {
        line.split_whitespace().filter_map(|word| word.strip_prefix(key)).collect()
    };
    let swapped = |near: &str, far: &str| match (&values(near)[..], &values(far)[..]) {
        ([near, near_of_reply, ..], [far, far_of_reply, ..]) => {
            near == far_of_reply && far == near_of_reply
        }
        // ICMP has no ports.
        _ => true,
    };
    !(swapped("src=", "dst=") && swapped("sport=", "dport="))
}

#[cfg(test)]
mod tests;

//! The routers' own tables: rules that translate what can be a packet of the captured path. One that
//! cannot is a note: every router to the internet has one.

use lab::Lab;
use lab::node::{Node, Output};
use lab::shell::Observe;
use serde_json::{Value, json};

use super::Told;
use super::path::{CapturedPath, iptables_can_hold, iptables_conditions, nft_can_hold};
use crate::context::{Context, How, Ruling};
use crate::observe::{self, Fact};

pub async fn look(lab: &Lab, router: Node) -> (Told, Told) {
    let (nft, legacy) = (Observe::nft_ruleset(), Observe::iptables_legacy());
    futures::join!(lab.shell.observe(router, &nft), lab.shell.observe(router, &legacy))
}

/// Rules that translate something.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What can be a packet of the path.
    pub meets: Vec<String>,
    /// Only others.
    pub beside: Vec<String>,
}

impl Found {
    fn add(&mut self, what: String, meets: bool) {
        if meets { self.meets.push(what) } else { self.beside.push(what) }
    }
}

pub fn judge(
    ctx: &mut Context<'_>,
    id: &'static str,
    path: &CapturedPath,
    nft: Told,
    legacy: Told,
) {
    let expected = json!({ "on_the_path": [] });
    let nft = observe::told(ctx, nft).and_then(|(output, how)| observe::succeeded(&output, &how));
    let legacy = observe::told(ctx, legacy);
    let nft = nft.and_then(|seen| translations_in_nft(path, seen));
    match (nft, legacy.and_then(|seen| translations_in_iptables(path, seen))) {
        (Ok((mut found, how)), Ok((more, other))) => {
            found.meets.extend(more.meets);
            found.beside.extend(more.beside);
            let message = format!("the router translates: {}", found.meets.join("; "));
            let observed = json!({ "on_the_path": found.meets, "beside_it": found.beside });
            let message = (!found.meets.is_empty()).then_some(message);
            let ruling = Ruling::unless(message);
            ctx.check(id).expects(expected).seen(how.and(other)).comes_to(observed, ruling);
        }
        (Err((why, how)), _) | (_, Err((why, how))) => {
            ctx.check(id).expects(expected).seen(how).unknown(why);
        }
    }
}

/// Statements that change an address or port, as `inet t postrouting: masquerade`.
pub(super) fn translations_in_nft(path: &CapturedPath, (text, how): (String, How)) -> Fact<Found> {
    let ruleset: Value = match serde_json::from_str(&text) {
        Ok(ruleset) => ruleset,
        Err(error) => return Err((format!("nft's JSON cannot be read: {error}"), how)),
    };
    let Some(items) = ruleset.get("nftables").and_then(Value::as_array) else {
        return Err(("nft's answer has no ruleset".to_owned(), how));
    };
    let mut found = Found::default();
    for rule in items.iter().filter_map(|item| item.get("rule")) {
        let place = ["family", "table", "chain"]
            .map(|key| rule.get(key).and_then(Value::as_str).unwrap_or("?"))
            .join(" ");
        let none = Vec::new();
        let expressions = rule.get("expr").and_then(Value::as_array).unwrap_or(&none);
        let of_ipv4 = rule.get("family").and_then(Value::as_str) != Some("ip6");
        let meets = of_ipv4 && path.can_meet(expressions, nft_can_hold);
        for statement in expressions {
            match translation(statement) {
                Translation::None => {}
                Translation::Is(what) => found.add(format!("{place}: {what}"), meets),
                Translation::Unnamed if !meets => {}
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
pub(super) enum Translation {
    None,
    Is(String),
    /// A rule of iptables-nft of which nft's JSON says neither kind nor name.
    Unnamed,
}

pub(super) fn translation(statement: &Value) -> Translation {
    let Some((name, body)) = statement.as_object().and_then(|object| object.iter().next()) else {
        return Translation::None;
    };
    match name.as_str() {
        "masquerade" | "snat" | "dnat" | "redirect" | "tproxy" | "synproxy" => {
            Translation::Is(name.clone())
        }
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

/// Targets of iptables that change an address or port, or answer in another's place.
const XT_TARGETS: [&str; 7] =
    ["MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP", "TPROXY", "SYNPROXY"];

fn extension(xt: &Value) -> Translation {
    match (xt.get("type").and_then(Value::as_str), xt.get("name").and_then(Value::as_str)) {
        (Some("target"), Some(name)) if XT_TARGETS.contains(&name) => {
            Translation::Is(format!("xt {name}"))
        }
        (Some(_), Some(_)) => Translation::None,
        _ => Translation::Unnamed,
    }
}

/// Rules of `iptables-legacy -S`, table by table: in `nat` all but those that end a chain.
fn translations_in_iptables(path: &CapturedPath, (output, how): (Output, How)) -> Fact<Found> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.code != 0 {
        return Err((format!("iptables-legacy: {}", text(&output.stderr).trim()), how));
    }
    let mut found = Found::default();
    let mut table = String::new();
    for line in text(&output.stdout).lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
        }
        let target = line.split_once(" -j ").and_then(|(_, rest)| rest.split(' ').next());
        let translates = match target {
            Some("ACCEPT" | "RETURN") | None => false,
            Some(target) => table == "nat" || XT_TARGETS.contains(&target),
        };
        if line.starts_with("-A ") && translates {
            let conditions = iptables_conditions(line);
            let meets = path.can_meet(&conditions, iptables_can_hold);
            found.add(format!("iptables-legacy {table}: {line}"), meets);
        }
    }
    Ok((found, how))
}

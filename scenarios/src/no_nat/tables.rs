//! The routers' own tables: rules that translate what can be a packet of the captured path. One that
//! cannot is a note: every router to the internet has one.

use std::collections::BTreeSet;

use lab::Lab;
use lab::node::Node;
use lab::shell::{LegacyRule, NodeAnswer, Observe, Unread};
use serde_json::{Value, json};

use super::chains::{self, Leads, Targets};
use super::path::{CapturedPath, iptables_can_hold, nft_can_hold};
use crate::context::{Context, How, Ruling};
use crate::observe::{self, Fact};

/// The objects of nft's ruleset.
type NftRead = NodeAnswer<Result<Vec<Value>, Unread>>;
type LegacyRead = NodeAnswer<Result<Vec<LegacyRule>, Unread>>;

pub async fn ask_tables(lab: &Lab, router: Node) -> (NftRead, LegacyRead) {
    let (nft, legacy) = (Observe::nft_ruleset(), Observe::iptables_legacy());
    futures::join!(lab.shell.observe(router, &nft), lab.shell.observe(router, &legacy))
}

/// Rules that translate something.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TranslatingRules {
    /// Rules that a packet of the path can meet.
    pub meets: Vec<String>,
    /// Only others.
    pub beside: Vec<String>,
}

impl TranslatingRules {
    fn add(&mut self, what: String, meets: bool) {
        if meets { self.meets.push(what) } else { self.beside.push(what) }
    }
}

pub fn judge(
    ctx: &mut Context<'_>,
    id: &'static str,
    path: &CapturedPath,
    nft: NftRead,
    legacy: LegacyRead,
) {
    let expected = json!({ "on_the_path": [] });
    let nft = observe::keep_reading(ctx, nft);
    let legacy = observe::keep_answer(ctx, legacy).and_then(|(read, how)| match read {
        Ok(rules) => Ok((translations_in_iptables(path, &rules), how)),
        Err(why) => Err((format!("iptables-legacy: {}", why.into_words()), how)),
    });
    match (nft.and_then(|seen| translations_in_nft(path, seen)), legacy) {
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
pub(super) fn translations_in_nft(
    path: &CapturedPath,
    (items, how): (Vec<Value>, How),
) -> Fact<TranslatingRules> {
    let rules: Vec<NftRule<'_>> =
        items.iter().filter_map(|item| Some(NftRule::read(path, item.get("rule")?))).collect();
    let leads: Vec<Leads> = rules.iter().map(|rule| rule.leads(&items)).collect();
    let entered = chains::find_entered(&nft_bases(&items, &rules), &leads);
    let mut found = TranslatingRules::default();
    for rule in &rules {
        let meets = is_met(&entered, &rule.chain, rule.holds);
        for statement in rule.expressions {
            match find_translation(statement) {
                Translation::None => {}
                Translation::Is(what) => found.add(format!("{}: {what}", rule.chain), meets),
                Translation::Unnamed if !meets => {}
                Translation::Unnamed => {
                    let why = format!(
                        "{} has an xtables rule that this nft does not name: iptables-save shows it",
                        rule.chain
                    );
                    return Err((why, how));
                }
            }
        }
    }
    Ok((found, how))
}

/// Whether one packet of the path comes to the chain and fulfils the rule's conditions there.
fn is_met(entered: &[BTreeSet<String>; 2], chain: &str, holds: [bool; 2]) -> bool {
    (0..2).any(|view| holds[view] && entered[view].contains(chain))
}

/// A rule of nft's JSON.
struct NftRule<'a> {
    /// The chain's name, such as `ip nat DOCKER`.
    chain: String,
    expressions: &'a [Value],
    holds: [bool; 2],
}

fn nft_name(item: &Value, name: &str) -> String {
    ["family", "table", name].map(|key| item[key].as_str().unwrap_or("?")).join(" ")
}

impl<'a> NftRule<'a> {
    fn read(path: &CapturedPath, rule: &'a Value) -> Self {
        let expressions = rule["expr"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_ipv4 = rule["family"] != "ip6";
        let holds = path.holding(expressions, nft_can_hold).map(|holds| holds && of_ipv4);
        Self { chain: nft_name(rule, "chain"), expressions, holds }
    }

    fn leads(&self, items: &[Value]) -> Leads {
        let (table, _) = self.chain.rsplit_once(' ').unwrap_or_default();
        let chains = items.iter().filter_map(|item| item.get("chain"));
        let all = chains.map(|chain| nft_name(chain, "name"));
        let to = match chains::nft_targets(&json!(self.expressions)) {
            Targets::These(names) => names.iter().map(|name| format!("{table} {name}")).collect(),
            Targets::Any => all.filter(|name| name.starts_with(&format!("{table} "))).collect(),
        };
        Leads { chain: self.chain.clone(), to, holds: self.holds }
    }
}

/// Chains that a hook calls, and those of which nothing says that none does.
fn nft_bases(items: &[Value], rules: &[NftRule<'_>]) -> BTreeSet<String> {
    let chains = items.iter().filter_map(|item| item.get("chain"));
    let called: BTreeSet<String> =
        chains.filter(|it| it["hook"].is_null()).map(|it| nft_name(it, "name")).collect();
    let all = rules.iter().map(|rule| rule.chain.clone());
    all.filter(|chain| !called.contains(chain)).collect()
}

#[derive(Debug, PartialEq)]
pub(super) enum Translation {
    None,
    Is(String),
    /// A rule of iptables-nft of which nft's JSON says neither kind nor name.
    Unnamed,
}

pub(super) fn find_translation(statement: &Value) -> Translation {
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

/// The thing that a stateless rewrite changes. A raw payload (`@nh,96,32`) has no field's name: which
/// bytes of a packet are an address depends on what carries it, so each is taken for a rewrite.
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
pub(super) fn translations_in_iptables(
    path: &CapturedPath,
    rules: &[LegacyRule],
) -> TranslatingRules {
    let holding = |rule: &LegacyRule| path.holding(&rule.conditions, iptables_can_hold);
    let begins =
        |rule: &&LegacyRule| HOOKS.contains(&rule.chain.rsplit(' ').next().unwrap_or_default());
    let begin = rules.iter().filter(begins).map(|rule| rule.chain.clone()).collect();
    let own: BTreeSet<&str> = rules.iter().map(|rule| rule.chain.as_str()).collect();
    let leads = rules.iter().map(|rule| Leads {
        chain: rule.chain.clone(),
        to: rule.target.iter().map(|target| format!("{} {target}", rule.table)).collect(),
        holds: holding(rule),
    });
    let entered = chains::find_entered(&begin, &leads.collect::<Vec<_>>());
    let mut found = TranslatingRules::default();
    for rule in rules {
        let translates = match rule.target.as_deref() {
            Some("ACCEPT" | "RETURN") | None => false,
            Some(target) if own.contains(format!("{} {target}", rule.table).as_str()) => false,
            Some(target) => rule.table == "nat" || XT_TARGETS.contains(&target),
        };
        if translates {
            let meets = is_met(&entered, &rule.chain, holding(rule));
            found.add(format!("iptables-legacy {}: {}", rule.table, rule.line), meets);
        }
    }
    found
}

/// Chains that the kernel calls.
const HOOKS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

//! The routers' own tables, as the programs that list them print them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::Value;

use super::Observe;
use super::readings::{Unread, read_text};
use crate::node::Output;

/// A table that nobody asked for yet is not there, and asking would make it.
const LEGACY_TABLES: &str = "set -e; for table in $(cat /proc/net/ip_tables_names 2>/dev/null); do \
    echo \"*$table\"; iptables-legacy -t \"$table\" -S; done";

impl Observe<Result<Vec<Value>, Unread>> {
    /// The whole ruleset of nftables: the objects of nft's JSON.
    pub fn nft_ruleset() -> Self {
        Observe::quick(&["sudo", "-n", "nft", "-j", "list", "ruleset"])
            .read_as(|output| read_ruleset(&read_text(&output)?))
    }
}

fn read_ruleset(text: &str) -> Result<Vec<Value>, Unread> {
    let mut ruleset: Value = serde_json::from_str(text).map_err(|error| Unread::NoJson {
        what: "nft's JSON".to_owned(),
        why: error.to_string(),
    })?;
    let items = ruleset.get_mut("nftables").and_then(Value::as_array_mut);
    items.map(std::mem::take).ok_or(Unread::NoRuleset)
}

/// A line `-A CHAIN … -j TARGET` of `iptables -S`, below its `*table`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyRule {
    pub table: String,
    /// The chain's name, such as `nat DOCKER`.
    pub chain: String,
    pub target: Option<String>,
    /// The conditions that can be compared with a packet.
    pub conditions: Vec<RuleCondition>,
    pub line: String,
}

/// A condition of a rule as `iptables -S` prints it: `! -o wan0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCondition {
    pub negated: bool,
    pub option: String,
    pub value: String,
}

impl LegacyRule {
    /// Reads a line; none where it is no rule.
    pub fn read(table: &str, line: &str) -> Option<Self> {
        let chain = line.strip_prefix("-A ")?.split(' ').next()?;
        let after = |option: &str| line.split_once(option)?.1.split(' ').next().map(str::to_owned);
        Some(Self {
            table: table.to_owned(),
            chain: format!("{table} {chain}"),
            target: after(" -j ").or_else(|| after(" -g ")),
            conditions: read_conditions(line),
            line: line.to_owned(),
        })
    }
}

fn read_conditions(line: &str) -> Vec<RuleCondition> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = |index: usize| words.get(index).copied().unwrap_or_default();
    let known = |index: &usize| {
        matches!(at(*index), "-i" | "-o" | "-s" | "-d" | "--dst-type" | "--src-type")
    };
    let condition = |index: usize| RuleCondition {
        negated: index > 0 && at(index - 1) == "!",
        option: at(index).to_owned(),
        value: at(index + 1).to_owned(),
    };
    (0..words.len()).filter(known).map(condition).collect()
}

impl Observe<Result<Vec<LegacyRule>, Unread>> {
    /// The rules of all legacy tables that the kernel has.
    pub fn iptables_legacy() -> Self {
        Observe::quick(&["sudo", "-n", "sh", "-c", LEGACY_TABLES]).read_as(|output| {
            let text = read_text(&output)?;
            let mut table = "";
            let mut rules = Vec::new();
            for line in text.lines() {
                table = line.strip_prefix('*').unwrap_or(table);
                rules.extend(LegacyRule::read(table, line));
            }
            Ok(rules)
        })
    }
}

/// An entry of `conntrack -L`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConntrackEntry {
    pub line: String,
    pub original: ConntrackTuple,
    pub reply: ConntrackTuple,
    /// Whether anything came back.
    pub replied: bool,
}

/// One direction of an entry; values as they are printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConntrackTuple {
    pub source: String,
    pub destination: String,
    /// None for what has no ports.
    pub ports: Option<(String, String)>,
    pub id: Option<String>,
}

impl ConntrackEntry {
    /// Reads a line; none where it names no two directions.
    pub fn read(line: &str) -> Option<Self> {
        let values = |key: &str| -> Vec<String> {
            let words = line.split_whitespace().filter_map(|word| word.strip_prefix(key));
            words.map(str::to_owned).collect()
        };
        let (sources, destinations) = (values("src="), values("dst="));
        let (from_ports, to_ports, ids) = (values("sport="), values("dport="), values("id="));
        let tuple = |at: usize| {
            Some(ConntrackTuple {
                source: sources.get(at)?.clone(),
                destination: destinations.get(at)?.clone(),
                ports: from_ports.get(at).cloned().zip(to_ports.get(at).cloned()),
                id: ids.get(at).cloned(),
            })
        };
        let replied = !line.contains("[UNREPLIED]");
        let line = line.trim().to_owned();
        Some(Self { line, original: tuple(0)?, reply: tuple(1)?, replied })
    }
}

impl Observe<Result<Vec<ConntrackEntry>, Unread>> {
    /// Tracked connections that were opened from an address, with the reply direction.
    pub fn conntrack_from(source: Ipv4Addr) -> Self {
        Self::conntrack("-s", source)
    }

    /// Tracked connections that were opened to an address, with the reply direction.
    pub fn conntrack_to(destination: Ipv4Addr) -> Self {
        Self::conntrack("-d", destination)
    }

    fn conntrack(end: &str, address: Ipv4Addr) -> Self {
        let address = address.to_string();
        Observe::quick(&["sudo", "-n", "conntrack", "-L", "-o", "extended", end, &address]).read_as(
            |output| Ok(read_text(&output)?.lines().filter_map(ConntrackEntry::read).collect()),
        )
    }
}

impl Observe<Result<BTreeMap<String, String>, Unread>> {
    /// The devices that are a part of another, as a bridge's ports are, with it.
    pub fn links() -> Self {
        Observe::quick(&["ip", "-j", "link", "show"]).read_as(|output| read_members(&output))
    }
}

fn read_members(output: &Output) -> Result<BTreeMap<String, String>, Unread> {
    #[derive(Deserialize)]
    struct BridgeMember {
        ifname: String,
        master: Option<String>,
    }
    let links: Vec<BridgeMember> = serde_json::from_slice(&output.stdout).map_err(|error| {
        Unread::NoJson { what: "`ip -j link`".to_owned(), why: error.to_string() }
    })?;
    Ok(links.into_iter().filter_map(|link| Some((link.ifname, link.master?))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(stdout: &str) -> Output {
        Output { code: 0, stdout: stdout.into(), stderr: Vec::new() }
    }

    #[test]
    fn the_parts_of_a_bridge_are_its_ports() {
        let links = r#"[{"ifname":"lan1","master":"br-lan"},{"ifname":"ens5"}]"#;
        let expected: BTreeMap<_, _> = [("lan1".to_owned(), "br-lan".to_owned())].into();
        assert_eq!(Observe::links().read(said(links)), Ok(expected));
        let why = Observe::links().read(said("")).expect_err("nothing is said").to_string();
        assert!(why.starts_with("`ip -j link` cannot be read: "), "{why}");
    }

    #[test]
    fn an_answer_of_nft_without_a_ruleset_is_not_an_empty_one() {
        let read = |text: &str| Observe::nft_ruleset().read(said(text));
        assert_eq!(read(r#"{"nftables":[{"rule":{}}]}"#), Ok(vec![json!({ "rule": {} })]));
        assert_eq!(read("{}"), Err(Unread::NoRuleset));
        let why = read("").expect_err("nothing is said").to_string();
        assert!(why.starts_with("nft's JSON cannot be read: "), "{why}");
    }

    #[test]
    fn the_rules_of_a_legacy_table_are_the_lines_that_add_one() {
        let text = "*nat\n-P POSTROUTING ACCEPT\n-A POSTROUTING ! -o wan0 -j MASQUERADE\n*mangle\n-A X -g Y\n";
        let rules = Observe::iptables_legacy().read(said(text)).expect("rules");
        let read: Vec<_> =
            rules.iter().map(|it| (it.chain.as_str(), it.target.as_deref())).collect();
        assert_eq!(read, [("nat POSTROUTING", Some("MASQUERADE")), ("mangle X", Some("Y"))]);
        let (option, value) = ("-o".to_owned(), "wan0".to_owned());
        assert_eq!(rules[0].conditions, [RuleCondition { negated: true, option, value }]);
    }

    #[test]
    fn a_tracked_connection_has_two_directions() {
        let line = "ipv4 2 tcp 6 99 src=10.88.60.7 dst=10.88.60.9 sport=4000 dport=22 [UNREPLIED] \
                    src=10.88.60.9 dst=10.88.60.7 sport=22 dport=4000";
        let text = format!("conntrack v1.4.7\n{line}\nsrc=10.88.60.7 dst=10.88.60.9\n");
        let own = Ipv4Addr::new(10, 88, 60, 7);
        let read = Observe::conntrack_from(own).read(said(&text)).expect("entries");
        let [entry] = &read[..] else { panic!("{read:?}") };
        assert_eq!((entry.line.as_str(), entry.replied), (line, false));
        assert_eq!(entry.reply.source, "10.88.60.9");
        assert_eq!(entry.original.ports, Some(("4000".to_owned(), "22".to_owned())));
    }
}

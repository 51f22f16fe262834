//! Each proof that nothing translates, and what makes it fail.

use reports::record::AssertionStatus as A;

use super::*;
use crate::example::{judged, silent, told};

#[test]
fn a_reply_that_is_not_the_inverse_is_a_translation() {
    let table = [
        (
            "ipv4 2 tcp 6 src=10.88.60.7 dst=10.88.60.9 sport=42196 dport=22 src=10.88.60.9 dst=10.88.60.7 sport=22 dport=42196 [ASSURED]",
            false,
        ),
        (
            "ipv4 2 tcp 6 src=10.88.60.7 dst=10.88.60.9 sport=42196 dport=22 src=10.88.60.9 dst=169.254.120.1 sport=22 dport=42196",
            true,
        ),
        (
            "ipv4 2 tcp 6 src=10.88.60.7 dst=10.88.60.9 sport=42196 dport=22 src=10.88.60.9 dst=10.88.60.7 sport=22 dport=1024",
            true,
        ),
        ("tcp src=10.88.60.7 dst=10.88.60.9 [UNREPLIED] src=10.88.60.9", false),
        (
            "ipv4 2 tcp 6 src=10.88.60.7 dst=10.88.60.9 sport=4 dport=22 src=10.88.60.8 dst=10.88.60.7 sport=22 dport=4",
            true,
        ),
        (
            "ipv4 2 icmp 1 src=10.88.60.7 dst=10.88.60.9 type=8 code=0 id=7 src=10.88.60.9 dst=10.88.60.7 type=0 code=0 id=7",
            false,
        ),
    ];
    for (line, translated) in table {
        assert_eq!(is_translated(line), translated, "{line}");
    }
}

#[test]
fn every_kind_of_translation_is_seen_in_a_ruleset() {
    let is = |what: &str| Translation::Is(what.to_owned());
    let payload = |key: Value| json!({ "mangle": { "key": { "payload": key }, "value": 1 } });
    let table = [
        (json!({"masquerade": null}), is("masquerade")),
        (json!({"snat": {"addr": "10.0.0.1"}}), is("snat")),
        (json!({"tproxy": {"port": 1}}), is("tproxy")),
        (payload(json!({"protocol": "ip", "field": "saddr"})), is("saddr set")),
        (payload(json!({"protocol": "tcp", "field": "dport"})), is("dport set")),
        (payload(json!({"protocol": "ip", "field": "ttl"})), Translation::None),
        (
            payload(json!({"base": "nh", "offset": 96, "len": 32})),
            is(r#"raw payload set: {"base":"nh","len":32,"offset":96}"#),
        ),
        (json!({"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}}), Translation::None),
        (json!({"xt": {"type": "target", "name": "MASQUERADE"}}), is("xt MASQUERADE")),
        (json!({"xt": {"type": "target", "name": "TCPMSS"}}), Translation::None),
        (json!({"xt": {"type": "match", "name": "comment"}}), Translation::None),
        (json!({"xt": null}), Translation::Unnamed),
        (json!({"accept": null}), Translation::None),
    ];
    for (statement, expected) in table {
        assert_eq!(translation(&statement), expected, "{statement}");
    }
}

#[test]
fn a_rule_that_nft_cannot_name_is_no_proof_that_nothing_translates() {
    let rule = json!({ "rule": { "family": "ip", "table": "nat", "chain": "POSTROUTING", "expr": [{ "xt": null }] } });
    let ruleset = json!({ "nftables": [rule] }).to_string();
    let (why, _) = translations_in_nft((ruleset, How::default())).expect_err("not known");
    assert!(why.contains("ip nat POSTROUTING"), "{why}");
}

#[test]
fn tcpdump_names_the_sources() {
    let text = "12:00:00.1 eth0  In  IP 10.88.60.7 > 10.88.60.9: ICMP echo request, id 1, seq 1, length 64\n\
                12:00:01.1 eth0  In  IP 10.88.60.7 > 10.88.60.9: ICMP echo request, id 1, seq 2, length 64\n";
    assert_eq!(echo_sources(text, "10.88.60.9"), ["10.88.60.7"]);
    assert!(echo_sources(text, "10.88.60.7").is_empty());
}

const TCP: &str = ASSERTS[0];
const TABLES: &str = ASSERTS[4];
const CONNTRACK: &str = ASSERTS[6];

#[test]
fn a_connection_has_the_same_addresses_at_both_ends() {
    let far = |flow: &str| format!("connection {flow}\n");
    let near = |client: &str| format!("0 0 {client} 10.88.60.9:22\n");
    let right = far("10.88.60.7 40000 10.88.60.9 22");
    let table = [
        ("clean", format!("{}{right}", near("10.88.60.7:40000")), A::Passed),
        ("other at the near end", format!("{}{right}", near("10.88.60.7:1024")), A::Failed),
        (
            "the same, and another's",
            format!("{}{}", near("10.88.60.1:40000"), far("10.88.60.1 40000 10.88.60.9 22")),
            A::Failed,
        ),
        (
            "to another server",
            "0 0 10.88.60.7:40000 10.88.60.8:22\nconnection 10.88.60.7 40000 10.88.60.8 22\n"
                .to_owned(),
            A::Failed,
        ),
        ("no connection", near("10.88.60.7:40000"), A::Unknown),
    ];
    for (what, text, expected) in table {
        let judged = judged("no-nat", async |lab, ctx| {
            judge_tcp(lab, ctx, TCP, WAYS[0], told(0, &text, ""));
        });
        assert_eq!(judged.status(TCP), expected, "{what}");
    }
}

#[test]
fn both_kinds_of_tables_are_searched_for_a_translation() {
    let nft = |rules: Value| told(0, &json!({ "nftables": rules }).to_string(), "");
    let rule = json!([{ "rule": { "family": "ip", "table": "nat", "chain": "post", "expr": [{ "masquerade": null }] } }]);
    let legacy = "-P POSTROUTING ACCEPT\n-A POSTROUTING -j MASQUERADE\n";
    let absent = || told(127, "", "iptables-legacy: command not found");
    let both = "the router translates: ip nat post: masquerade; iptables-legacy: -A POSTROUTING -j MASQUERADE";
    let table = [
        ("nothing", nft(json!([])), absent(), A::Passed, None),
        ("no rule", nft(json!([])), told(0, "-P INPUT ACCEPT\n", ""), A::Passed, None),
        ("both", nft(rule), told(0, legacy, ""), A::Failed, Some(both)),
        (
            "no nft",
            told(1, "", "denied"),
            absent(),
            A::Unknown,
            Some("`routerd-cloud$ command` ended with exit code 1: denied"),
        ),
        (
            "no iptables",
            nft(json!([])),
            told(1, "", "denied"),
            A::Unknown,
            Some("iptables-legacy: denied"),
        ),
    ];
    for (what, nft, legacy, status, message) in table {
        let judged = judged("no-nat", async |_, ctx| judge_tables(ctx, TABLES, nft, legacy));
        let made = judged.assertion(TABLES);
        assert_eq!((made.status, made.message.as_deref()), (status, message), "{what}");
    }
}

#[test]
fn what_is_tracked_shows_a_translation_and_no_entry_shows_nothing() {
    let clean = "tcp src=10.88.60.7 dst=10.88.60.9 src=10.88.60.9 dst=10.88.60.7\n";
    let other = "tcp src=10.88.60.7 dst=10.88.60.9 src=10.88.60.9 dst=10.88.60.1\n";
    let translated = format!("translated: {}", other.trim());
    let in_short = format!("{translated} (and 2 more)");
    let is = |text: &str| told(0, text, "");
    let absent = || told(127, clean, "conntrack: command not found");
    let nothing = "nothing is tracked on this router, so its table proves nothing; the run arms no rule to change that";
    let table = [
        (
            "clean both ways",
            vec![is(clean), is(&format!("{clean}{clean}"))],
            A::Passed,
            json!(3),
            None,
        ),
        (
            "one of them is not",
            vec![is(clean), is(other)],
            A::Failed,
            json!(2),
            Some(translated.as_str()),
        ),
        (
            "three of them are not",
            vec![is(&format!("{other}{clean}{other}")), is(other)],
            A::Failed,
            json!(4),
            Some(in_short.as_str()),
        ),
        (
            "nothing tracked",
            vec![is(""), is("conntrack v1.4.6\n")],
            A::Skipped,
            json!(0),
            Some(nothing),
        ),
        ("no such program", vec![absent(), absent()], A::Skipped, json!(0), Some(nothing)),
        (
            "not allowed",
            vec![is(clean), told(1, clean, "denied")],
            A::Unknown,
            Value::Null,
            Some("denied"),
        ),
        (
            "no answer",
            vec![is(clean), silent()],
            A::Unknown,
            Value::Null,
            Some("no answer after 30s"),
        ),
    ];
    for (what, answers, status, entries, message) in table {
        let judged = judged("no-nat", async |_, ctx| judge_conntrack(ctx, CONNTRACK, answers));
        let made = judged.assertion(CONNTRACK);
        assert_eq!((made.status, &made.observed["entries"]), (status, &entries), "{what}");
        match message {
            Some(message) => assert!(judged.message(CONNTRACK).ends_with(message), "{what}"),
            None => assert_eq!(made.message, None, "{what}"),
        }
    }
}

/// Nobody has the address yet: what is sent is captured by nobody, and is sent until the capture
/// gives up.
#[test]
fn pings_are_sent_for_as_long_as_the_capture_looks() {
    judged("no-nat", async |lab, _| {
        let (sniffed, pings) = icmp(lab, WAYS[0].0, WAYS[0].1).await;
        assert!(sniffed.is_ok() && pings.len() > 1, "{} pings", pings.len());
    });
    for (code, sent) in [(0, true), (1, true), (2, false)] {
        let answer = told(code, "", "").expect("an answer");
        assert_eq!(was_sent(&answer), sent, "{code}");
    }
}

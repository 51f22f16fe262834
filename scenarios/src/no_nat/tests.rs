//! Each proof that nothing translates, and what makes it fail.

use reports::record::AssertionStatus as A;

use serde_json::Value;

use super::tables::{Translation, find_translation, translations_in_iptables, translations_in_nft};
use super::*;
use crate::example::{example_answer, judge_as_scenario, read_by};
use lab::node::Output;

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
        assert_eq!(find_translation(&statement), expected, "{statement}");
    }
}

#[test]
fn a_rule_that_nft_cannot_name_is_no_proof_that_nothing_translates() {
    let rule = json!({ "rule": { "family": "ip", "table": "nat", "chain": "POSTROUTING", "expr": [{ "xt": null }] } });
    let ruleset = json!({ "nftables": [rule] }).to_string();
    let path = path::tests::onprem();
    let (why, _) = translations_in_nft(&path, (ruleset, How::default())).expect_err("not known");
    assert!(why.contains("ip nat POSTROUTING"), "{why}");
}

/// A published port of a container: translated for the router's own addresses alone.
#[test]
fn a_chain_that_no_packet_of_the_path_comes_to_is_beside_it() {
    let local = json!({ "match": { "op": "==", "left": { "fib": { "flags": "daddr", "result": "type" } }, "right": "local" } });
    let jump = json!({ "jump": { "target": "DOCKER" } });
    let rule = |chain: &str, expr: Value| json!({ "rule": { "family": "ip", "table": "nat", "chain": chain, "expr": expr } });
    let ruleset = |conditions: Value| {
        let chains = ["PREROUTING", "DOCKER"].map(|name| {
            let mut chain = json!({ "family": "ip", "table": "nat", "name": name });
            if name == "PREROUTING" {
                chain["hook"] = json!("prerouting");
            }
            json!({ "chain": chain })
        });
        let published = rule("DOCKER", json!([{ "dnat": { "addr": "172.17.0.2", "port": 80 } }]));
        let items = [&chains[..], &[rule("PREROUTING", conditions), published]].concat();
        (json!({ "nftables": items }).to_string(), How::default())
    };
    let path = path::tests::onprem();
    let found = |conditions: Value| {
        let (found, _) = translations_in_nft(&path, ruleset(conditions)).expect("known");
        (found.meets.len(), found.beside.len())
    };
    assert_eq!(found(json!([local, jump])), (0, 1));
    assert_eq!(found(json!([jump])), (1, 0));
    assert_eq!(found(json!([])), (0, 1));

    let legacy = |lead: &str| {
        let text = format!(
            "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n{lead}\n\
             -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n"
        );
        let output = Output { code: 0, stdout: text.into_bytes(), stderr: Vec::new() };
        let (found, _) = translations_in_iptables(&path, (output, How::default())).expect("known");
        (found.meets.len(), found.beside.len())
    };
    assert_eq!(legacy("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"), (0, 1));
    assert_eq!(legacy("-A PREROUTING -j DOCKER"), (1, 0));
    assert_eq!(legacy("-A PREROUTING -j SOMEWHERE"), (1, 1));
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
        let judged = judge_as_scenario("no-nat", async |lab, ctx| {
            let command = Observe::ssh_tuple(&crate::ssh::make_target(lab, WAYS[0].1));
            judge_tcp(lab, ctx, TCP, WAYS[0], read_by(&command, example_answer(0, &text, "")));
        });
        assert_eq!(judged.status(TCP), expected, "{what}");
    }
}

#[test]
fn both_kinds_of_tables_are_searched_for_a_translation() {
    let nft = |rules: Value| example_answer(0, &json!({ "nftables": rules }).to_string(), "");
    let rule = |conditions: Value, family: &str| {
        let mut all = conditions.as_array().cloned().unwrap_or_default();
        all.push(json!({ "masquerade": null }));
        json!([{ "rule": { "family": family, "table": "nat", "chain": "post", "expr": all } }])
    };
    let wan = || json!([{ "match": { "op": "==", "left": { "meta": { "key": "oifname" } }, "right": "wan0" } }]);
    let all = || rule(json!([]), "ip");
    let none = || example_answer(0, "", "");
    let legacy =
        |rule: &str| example_answer(0, &format!("*nat\n-P POSTROUTING ACCEPT\n{rule}\n"), "");
    let both = "the router translates: ip nat post: masquerade; iptables-legacy nat: -A POSTROUTING -j MASQUERADE";
    let here = "`routerd-cloud$ command` ended with exit code 1: denied";
    let mangle = "*mangle\n-A PREROUTING -p tcp -j TPROXY --on-port 1\n-A FORWARD -j TCPMSS --clamp-mss-to-pmtu\n";
    let tproxy =
        "the router translates: iptables-legacy mangle: -A PREROUTING -p tcp -j TPROXY --on-port 1";
    let table = [
        ("nothing", nft(json!([])), none(), A::Passed, None),
        ("no rule", nft(json!([])), legacy("-A POSTROUTING -j ACCEPT"), A::Passed, None),
        ("both", nft(all()), legacy("-A POSTROUTING -j MASQUERADE"), A::Failed, Some(both)),
        ("another table", nft(json!([])), example_answer(0, mangle, ""), A::Failed, Some(tproxy)),
        (
            "for the internet alone",
            nft(rule(wan(), "ip")),
            legacy("-A POSTROUTING -o wan0 -j MASQUERADE"),
            A::Passed,
            None,
        ),
        ("for IPv6", nft(rule(json!([]), "ip6")), none(), A::Passed, None),
        ("no nft", example_answer(1, "", "denied"), none(), A::Unknown, Some(here)),
        (
            "no iptables",
            nft(json!([])),
            example_answer(1, "", "denied"),
            A::Unknown,
            Some("iptables-legacy: denied"),
        ),
    ];
    for (what, nft, legacy, status, message) in table {
        let judged = judge_as_scenario("no-nat", async |_, ctx| {
            tables::judge(ctx, TABLES, &path::tests::onprem(), nft, legacy);
        });
        let made = judged.assertion(TABLES);
        assert_eq!((made.status, made.message.as_deref()), (status, message), "{what}");
        let beside = made.observed["beside_it"].as_array().map_or(0, Vec::len);
        assert_eq!(
            beside,
            match what {
                "for the internet alone" => 2,
                "for IPv6" => 1,
                _ => 0,
            },
            "{what}"
        );
    }
}

/// The ruleset of a router that tracks connections.
fn armed() -> Vec<Value> {
    vec![json!({ "rule": { "expr": [{ "match": { "left": { "ct": { "key": "state" } } } }] } })]
}

#[test]
fn what_is_tracked_has_the_two_ends_alone_and_this_runs_are_among_it() {
    let tcp = |from: &str, to: &str, back_from: &str, back_to: &str| {
        format!(
            "ipv4 2 tcp 6 99 src={from} dst={to} sport=4000 dport=22 src={back_from} dst={back_to} sport=22 dport=4000 [ASSURED]\n"
        )
    };
    let (near, far) = ("10.88.60.7", "10.88.60.9");
    let clean = tcp(near, far, far, near);
    let port = clean.replace("sport=22 dport=4000", "sport=22 dport=1024");
    let other_id = "icmp 1 29 src=10.88.60.7 dst=10.88.60.9 type=8 code=0 id=7 src=10.88.60.9 dst=10.88.60.7 type=0 code=0 id=8\n";
    let echo = other_id.replace("id=8", "id=7");
    let masked = tcp(near, far, far, "169.254.120.1");
    let internet = "tcp 6 99 src=10.88.60.9 dst=192.0.2.1 sport=1 dport=443 src=192.0.2.1 dst=198.51.100.2 sport=443 dport=1\n";
    let unanswered =
        clean.replace("src=10.88.60.9 dst=10.88.60.7", "[UNREPLIED] src=10.88.60.9 dst=10.88.60.7");
    let others = clean.replace("4000", "4001");
    let is = |text: &str| Ok(text.to_owned());
    let table = [
        ("clean", is(&clean), true, A::Passed, ""),
        ("an echo", is(&echo), true, A::Passed, ""),
        (
            "and traffic to the internet, translated",
            is(&format!("{clean}{internet}")),
            true,
            A::Passed,
            "",
        ),
        ("masqueraded", is(&masked), true, A::Failed, "translated: ipv4"),
        ("and another", is(&format!("{masked}{port}")), true, A::Failed, "(and 1 more)"),
        ("another port", is(&port), true, A::Failed, "translated"),
        ("another id", is(other_id), true, A::Failed, "translated"),
        (
            "asked by a stranger",
            is(&tcp("169.254.120.1", far, far, "169.254.120.1")),
            true,
            A::Failed,
            "translated",
        ),
        ("led elsewhere", is(&tcp(near, far, "10.88.60.8", near)), true, A::Failed, "translated"),
        ("led here", is(&tcp(near, "192.0.2.1", far, near)), true, A::Failed, "translated"),
        ("unanswered", is(&unanswered), true, A::Failed, "not answered through this router"),
        (
            "another's unanswered",
            is(&format!("{clean}{}", unanswered.replace("4000", "4001"))),
            true,
            A::Passed,
            "",
        ),
        ("another's alone", is(&others), true, A::Failed, "none of this run's"),
        ("another's alone, where nothing need be", is(&others), false, A::Passed, ""),
        ("nothing", is(""), true, A::Failed, "none of this run's"),
        ("nothing, and nothing need be", is(""), false, A::Passed, ""),
        ("not allowed", Err("denied"), false, A::Unknown, "denied"),
    ];
    let client = "10.88.60.7:4000".parse().expect("a socket's address");
    let server = "10.88.60.9:22".parse().expect("a socket's address");
    let echoes = Own::Echoes {
        source: "10.88.60.7".parse().expect("an address"),
        destination: "10.88.60.9".parse().expect("an address"),
        id: 7,
    };
    let own = [Own::Connection(ssh::Flow { client, server }), echoes];
    for (what, text, arms, status, message) in table {
        let judged = judge_as_scenario("no-nat", async |_, ctx| {
            let mut baseline = crate::example::example_baseline();
            if arms {
                baseline.rulesets.insert(Node::OnpremRouter, armed());
            }
            ctx.run.state.borrow_mut().baseline = Some(std::rc::Rc::new(baseline));
            let answer = match text {
                Ok(text) => example_answer(0, &text, "conntrack v1.4.7"),
                Err(why) => example_answer(1, "", why),
            };
            let path = path::tests::onprem();
            conntrack::judge(ctx, CONNTRACK, Node::OnpremRouter, &path, &own, vec![answer]);
        });
        let made = judged.assertion(CONNTRACK);
        assert_eq!(made.status, status, "{what}: {made:?}");
        assert!(judged.message(CONNTRACK).contains(message), "{what}: {made:?}");
    }
}

/// A connection that never came about can be tracked nowhere.
#[test]
fn where_this_run_sent_nothing_it_need_not_be_tracked() {
    let judged = judge_as_scenario("no-nat", async |_, ctx| {
        let mut baseline = crate::example::example_baseline();
        baseline.rulesets.insert(Node::OnpremRouter, armed());
        ctx.run.state.borrow_mut().baseline = Some(std::rc::Rc::new(baseline));
        let (path, empty) = (path::tests::onprem(), vec![example_answer(0, "", "")]);
        conntrack::judge(ctx, CONNTRACK, Node::OnpremRouter, &path, &[], empty);
    });
    assert_eq!(judged.status(CONNTRACK), A::Passed);
}

/// Nobody has the address yet: what is sent is captured by nobody, and is sent until the capture
/// gives up.
#[test]
fn pings_are_sent_for_as_long_as_the_capture_looks() {
    judge_as_scenario("no-nat", async |lab, _| {
        let (sniffed, pings) = icmp(lab, WAYS[0].0, WAYS[0].1).await;
        assert!(sniffed.is_ok() && pings.len() > 1, "{} pings", pings.len());
    });
}

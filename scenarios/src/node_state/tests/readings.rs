//! Tests of what each source says, item by item: what the kernel has by itself is none of it.

use super::*;

fn items(state: &NodeState, source: Source) -> Value {
    json!(state.items(source))
}

/// The plain node's routes with these, too; those that are kept beside its default routes.
fn kept(routes: &Value) -> Vec<Value> {
    let all = ROUTES.replacen('[', &format!("[{routes},"), 1);
    let state = state("routes", &all);
    let others = state.items(Source::Routes).iter().filter(|it| it["dst"] != "default");
    others.cloned().collect()
}

#[test]
fn a_route_that_an_address_explains_is_none_of_its_own() {
    let plain = Answers::plain().state();
    let dst: Vec<_> = plain.items(Source::Routes).iter().map(|it| it["dst"].clone()).collect();
    assert_eq!(dst, ["default", "default"]);
    assert_eq!(plain.default_routes().len(), 2);
    let derived = [
        json!({ "dst": "fe80::/64", "dev": "wg", "protocol": "kernel" }),
        json!({ "dst": "ff00::/8", "dev": "wg", "table": "local", "protocol": "kernel" }),
        json!({ "type": "multicast", "dst": "multicast", "dev": "wg", "table": "local", "protocol": "kernel" }),
        json!({ "type": "multicast", "dst": "224.0.0.0/4", "dev": "wg", "table": "local", "protocol": "kernel" }),
        json!({ "type": "broadcast", "dst": "10.88.60.0", "dev": "ens5", "table": "local", "protocol": "kernel" }),
    ];
    for route in derived {
        assert_eq!(kept(&route), [Value::Null; 0], "{route}");
    }
    let local = |dst: &str, dev: &str| json!({ "type": "local", "dst": dst, "dev": dev, "table": "local", "protocol": "kernel" });
    let somebodys = [
        json!({ "dst": "10.88.60.0/24", "dev": "ens5", "protocol": "static" }),
        json!({ "dst": "10.88.60.0/24", "dev": "ens5", "protocol": "kernel", "gateway": "10.88.60.9" }),
        json!({ "dst": "10.88.61.0/24", "dev": "ens5", "protocol": "kernel" }),
        json!({ "dst": "10.88.60.0/24", "dev": "ens5", "protocol": "kernel", "table": "100" }),
        local("10.88.60.4", "lo"),
        local("10.88.60.77", "ens5"),
        local("10.88.60.0/24", "ens5"),
        local("127.0.0.9", "lo"),
        json!({ "type": "broadcast", "dst": "10.88.60.7", "dev": "ens5", "table": "local", "protocol": "kernel" }),
        json!({ "type": "broadcast", "dst": "10.88.60.0/24", "dev": "ens5", "table": "local", "protocol": "kernel" }),
        json!({ "type": "multicast", "dst": "10.88.60.0/24", "dev": "ens5", "table": "local", "protocol": "kernel" }),
    ];
    for route in somebodys {
        assert_eq!(kept(&route), std::slice::from_ref(&route));
    }
    let hops = json!({ "dst": "203.0.113.0/24", "nexthops": [{ "gateway": "10.88.60.9", "used": 3 }], "flags": ["onlink", "linkdown"] });
    let expected = json!({ "dst": "203.0.113.0/24", "nexthops": [{ "gateway": "10.88.60.9" }], "flags": ["onlink"] });
    assert_eq!(kept(&hops), [expected]);
}

#[test]
fn a_kernel_without_ipv6_has_no_rules_of_it_and_all_else_that_fails_is_not_known() {
    let refused = |words: &str| Answers::plain().with("rules6", 2, words).state();
    let without = refused("RTNETLINK answers: Address family not supported by protocol");
    assert_eq!(without.not_readable(Source::Rules), None);
    assert!(refused("Operation not permitted").not_readable(Source::Rules).is_some());
}

#[test]
fn an_entry_that_somebody_made_is_kept_and_one_that_the_kernel_makes_is_not() {
    let entry = |dst: &str, dev: &str, lladdr: &str| json!({ "dst": dst, "dev": dev, "lladdr": lladdr, "state": ["NOARP"] });
    let mac = "02:00:00:00:00:66";
    let all = json!([
        entry("10.88.60.77", "ens5", mac),
        entry("224.0.0.22", "ens5", mac),
        entry("0.0.0.0", "ens5", mac),
        entry("10.88.60.4", "ens5", mac),
        entry("10.88.60.255", "ens5", "ff:ff:ff:ff:ff:ff"),
        entry("10.88.60.78", "lo", mac),
        { "dev": "ens5", "lladdr": mac, "state": ["NOARP"] },
        { "dst": "10.88.60.1", "dev": "ens5", "lladdr": mac, "state": ["REACHABLE"] },
        { "dst": "224.0.0.22", "dev": "ens5", "lladdr": mac, "state": ["PERMANENT"] },
    ]);
    let state = state("neighbours", &all.to_string());
    let kept: Vec<_> = state.items(Source::Neighbours).iter().map(|it| it["dst"].clone()).collect();
    assert_eq!(kept, ["10.88.60.77", "224.0.0.22"]);
}

#[test]
fn an_address_comes_with_its_length_and_that_it_ends() {
    let for_ever = LINKS.replace("\"valid_life_time\":3000", "\"valid_life_time\":4294967295");
    let addresses = |links: &str| items(&state("links", links), Source::Addresses);
    let v6 = json!({ "dev": "ens5", "address": "2001:db8::4/64", "expires": true });
    let lo = json!({ "dev": "lo", "address": "127.0.0.1/8", "expires": true });
    let of = |address: Value| json!([address, lo.clone(), v6.clone()]);
    let for_a_while = json!({ "dev": "ens5", "address": "10.88.60.4/24", "expires": true });
    assert_eq!(addresses(LINKS), of(for_a_while));
    assert_eq!(addresses(&for_ever), of(json!({ "dev": "ens5", "address": "10.88.60.4/24" })));
    let by_link = Answers::plain().state().addresses();
    assert_eq!(
        json!(by_link),
        json!({ "lo": ["127.0.0.1/8"], "ens5": ["10.88.60.4/24", "2001:db8::4/64"] })
    );
}

/// Numbers, states of a cable and addresses that are drawn anew are none of a link.
#[test]
fn a_link_is_what_somebody_configured_of_it() {
    let link = |more: Value| {
        let mut link = json!({ "ifname": "x", "address": "02:00:00:00:00:09" });
        for (key, value) in more.as_object().expect("fields") {
            link[key] = value.clone();
        }
        link
    };
    let own = json!([{ "family": "inet", "local": "192.0.2.1", "prefixlen": 24 }]);
    let v6 = json!([{ "family": "inet6", "local": "2001:db8::9", "prefixlen": 64 }]);
    let deprecated = json!([
        { "family": "inet", "local": "192.0.2.1", "deprecated": true, "valid_life_time": u32::MAX },
        { "family": "inet", "local": "192.0.2.2", "deprecated": true, "valid_life_time": 3000 },
        { "family": "inet", "local": "192.0.2.3", "valid_life_time": u32::MAX },
    ]);
    let mac = "02:00:00:00:00:09";
    let table = [
        (json!({ "addr_info": own }), json!({ "ifname": "x", "address": mac })),
        (json!({ "addr_info": v6 }), json!({ "ifname": "x" })),
        (json!({ "addr_info": [] }), json!({ "ifname": "x" })),
        (
            json!({ "addr_info": own, "linkinfo": { "info_kind": "dummy" } }),
            json!({ "ifname": "x", "linkinfo": { "info_kind": "dummy" } }),
        ),
        (
            json!({ "addr_info": own, "linkinfo": { "info_kind": "veth" } }),
            json!({ "ifname": "x", "address": mac, "linkinfo": { "info_kind": "veth" } }),
        ),
        (
            json!({ "operstate": "UP", "gc_timer": 3, "num_tx_queues": 2, "mtu": 1500 }),
            json!({ "ifname": "x", "mtu": 1500 }),
        ),
        (
            json!({ "flags": ["UP", "LOWER_UP", "BROADCAST"] }),
            json!({ "ifname": "x", "flags": ["BROADCAST", "UP"] }),
        ),
        (
            json!({ "addr_info": deprecated }),
            json!({ "ifname": "x", "address": mac, "deprecated": ["192.0.2.1"] }),
        ),
        (
            json!({ "link_netnsid": 7 }),
            json!({ "ifname": "x", "link_netnsid": "blue", "link": "in another namespace" }),
        ),
        (
            json!({ "link_netnsid": 8, "link": "y" }),
            json!({ "ifname": "x", "link_netnsid": "without a name", "link": "y" }),
        ),
    ];
    for (more, expected) in table {
        let names = r#"[{"nsid":7,"name":"blue"},{"nsid":8,"name":""}]"#;
        let answers = Answers::plain().with("namespace-names", 0, names);
        let state = answers.with("links", 0, &json!([link(more.clone())]).to_string()).state();
        assert_eq!(items(&state, Source::Links), json!([expected]), "{more}");
    }
}

#[test]
fn a_bridge_is_what_somebody_told_it() {
    let port = |flags: &[&str], state: &str| {
        let port = json!([{ "ifname": "lan1", "flags": flags, "state": state, "link": 3, "operstate": "UP" }]);
        items(&super::state("ports", &port.to_string()), Source::Bridges)
    };
    let disabled = json!([{ "ifname": "lan1", "state": "disabled" }]);
    assert_eq!(port(&["UP", "LOWER_UP"], "disabled"), disabled);
    assert_eq!(port(&["UP"], "disabled"), json!([{ "ifname": "lan1" }]));
    assert_eq!(port(&["UP", "LOWER_UP"], "forwarding"), json!([{ "ifname": "lan1" }]));
    let entry = |state: &str, dst: Value| {
        let entry = json!([{ "mac": "02:00:00:00:00:01", "state": state, "dst": dst, "used": 3 }]);
        items(&super::state("forwarding", &entry.to_string()), Source::Bridges)
    };
    let given = json!([{ "mac": "02:00:00:00:00:01", "state": "static", "dst": "192.0.2.7" }]);
    assert_eq!(entry("static", json!("192.0.2.7")), given);
    assert_eq!(entry("reachable", json!("192.0.2.7")), json!([]));
    let own = r#"[{"mac":"02:00:00:00:00:01","state":"permanent"}]"#;
    assert_eq!(items(&super::state("forwarding", own), Source::Bridges), json!([]));
}

#[test]
fn elements_that_packets_put_into_a_set_go_by_themselves() {
    for kind in ["set", "map"] {
        for (flag, is_kept) in [("timeout", false), ("dynamic", false), ("interval", true)] {
            let set = json!({ "name": "seen", "flags": [flag], "elem": ["192.0.2.1"] });
            let said = json!({ "nftables": [{ kind: set }] }).to_string();
            let state = super::state("nft", &said);
            let shown = items(&state, Source::Nft);
            assert_eq!(!shown[0][kind]["elem"].is_null(), is_kept, "{kind} {flag}: {shown}");
            assert_eq!(shown[0][kind]["name"], "seen");
        }
    }
}

#[test]
fn a_legacy_table_is_its_rules_its_chains_and_what_it_refuses() {
    let rules =
        "*filter\n:INPUT DROP [1:2]\n:OUTPUT ACCEPT [1:2]\n:MINE - [0:0]\n-A INPUT -j MINE\nCOMMIT";
    let answers = Answers::plain().with("legacy ip filter", 0, rules);
    let state = answers.with("arp-tables", 0, "filter\n\n").state();
    let expected = [
        "ip filter: :INPUT DROP",
        "ip filter: :MINE -",
        "ip filter: -A INPUT -j MINE",
        "arp filter",
    ];
    assert_eq!(items(&state, Source::LegacyTables), json!(expected));
}

#[test]
fn a_policy_is_all_of_its_lines_and_a_state_is_between_whom_it_is() {
    let said = "src 10.0.0.0/8 dst 0.0.0.0/0\n\tdir out priority 0\n\n  tmpl src 192.0.2.1\nsrc 10.1.0.0/16 dst 0.0.0.0/0\n\tdir in";
    let shown = |name| items(&state(name, said), Source::Xfrm);
    let expected = json!([
        { "xfrm-policies": "src 10.0.0.0/8 dst 0.0.0.0/0; dir out priority 0; tmpl src 192.0.2.1" },
        { "xfrm-policies": "src 10.1.0.0/16 dst 0.0.0.0/0; dir in" },
    ]);
    assert_eq!(shown("xfrm-policies"), expected);
    let expected = json!([
        { "xfrm-states": "src 10.0.0.0/8 dst 0.0.0.0/0" },
        { "xfrm-states": "src 10.1.0.0/16 dst 0.0.0.0/0" },
    ]);
    assert_eq!(shown("xfrm-states"), expected);
}

#[test]
fn another_namespace_is_its_addresses_and_what_somebody_delivers_there() {
    let addresses = json!([{ "ifname": "v0", "addr_info": [
        { "family": "inet", "local": "192.0.2.1", "scope": "global" },
        { "family": "inet6", "local": "fe80::1", "scope": "link" },
        { "family": "inet", "local": "127.0.0.1", "scope": "host" },
    ] }]);
    let local = |protocol: &str| json!({ "type": "local", "dst": protocol, "table": "local", "protocol": protocol });
    let routes =
        json!([local("static"), local("kernel"), { "dst": "default", "protocol": "static" }]);
    let answers = Answers::plain().with("namespace x addresses", 0, &addresses.to_string());
    let state = answers.with("namespace x routes", 0, &routes.to_string()).state();
    let expected = json!([
        { "namespace": "x" },
        { "namespace": "x", "dev": "v0", "address": "192.0.2.1" },
        { "namespace": "x", "local": "static", "table": "local" },
    ]);
    let shown: std::collections::BTreeSet<_> =
        state.items(Source::Namespaces).iter().map(Value::to_string).collect();
    let expected: std::collections::BTreeSet<_> =
        expected.as_array().expect("a list").iter().map(Value::to_string).collect();
    assert_eq!(shown, expected);
}

/// The kernel says which ports it gives to whoever asks for any.
#[test]
fn a_port_that_the_kernel_gives_to_anybody_is_nobodys() {
    let listens = |port: u16| {
        let sysctls = "/proc/sys/net/ipv4/ip_local_port_range:40000\t40100";
        let answers = Answers::plain().with("sysctls", 0, sysctls);
        let line = format!("tcp LISTEN 0 128 0.0.0.0:{port} 0.0.0.0:*");
        !answers.with("listeners", 0, &line).state().items(Source::Listeners).is_empty()
    };
    let table = [(35000, true), (39999, true), (40000, false), (40100, false), (40101, true)];
    for (port, shown) in table {
        assert_eq!(listens(port), shown, "{port}");
    }
}

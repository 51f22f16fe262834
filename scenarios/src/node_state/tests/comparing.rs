//! Tests of what is compared, in which words, and with which commands it is settled.

use super::super::compare::{Difference, compare_gateways};
use super::*;

fn compare(before: &NodeState, now: &NodeState) -> Comparison {
    compare_states(before, now, &Source::ALL, Explained::Nothing)
}

fn commands(before: &NodeState, now: &NodeState) -> Vec<String> {
    let comparison = compare(before, now);
    let changed = describe_changed_node(Node::RouterdCloud, &comparison, before, now);
    changed.expect("changed").item.owner_commands
}

/// With the kernel's settings and these, too.
fn with_settings(answers: Answers, more: &str) -> Answers {
    let own =
        "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/ip_local_port_range:32768\t60999";
    answers.with("sysctls", 0, &format!("{own}\n{more}"))
}

#[test]
fn settings_that_come_with_a_link_or_with_a_module_are_none_of_their_own() {
    let plain = Answers::plain().state();
    let dummy = LINKS.replacen('[', r#"[{"ifname":"dummy0","mtu":1500,"flags":[]},"#, 1);
    let of_link =
        "/proc/sys/net/ipv4/conf/dummy0/forwarding:1\n/proc/sys/net/ipv4/neigh/dummy0/delay:5";
    let now = with_settings(Answers::plain().with("links", 0, &dummy), of_link).state();
    let differing = |before: &NodeState, now: &NodeState| -> Vec<Source> {
        compare(before, now).differences.iter().map(|it| it.source).collect()
    };
    assert_eq!(differing(&plain, &now), [Source::Links]);
    // One of a link that is there both times is somebody's.
    let of_other = with_settings(Answers::plain(), "/proc/sys/net/ipv4/conf/ens5/forwarding:1");
    assert_eq!(differing(&plain, &of_other.state()), [Source::Sysctls]);
    let tracked = |more: &str| {
        with_settings(Answers::plain(), &format!("/proc/sys/net/netfilter/{more}")).state()
    };
    let before = tracked("nf_conntrack_max:65536");
    let more = "nf_conntrack_max:65536\n/proc/sys/net/netfilter/nf_conntrack_acct:1";
    assert_eq!(differing(&before, &tracked(more)), []);
    assert_eq!(differing(&before, &tracked("nf_conntrack_max:1")), [Source::Conntrack]);
}

#[test]
fn a_gateways_own_entry_is_compared_and_nobody_elses() {
    let entry = |dst: &str, mac: &str| {
        let entry = json!([{ "dst": dst, "dev": "ens5", "lladdr": mac, "state": ["PERMANENT"] }]);
        state("neighbours", &entry.to_string())
    };
    let (one, other) = ("02:00:00:00:00:01", "02:00:00:00:00:66");
    let gateways = |dst| compare_gateways(&entry(dst, one), &entry(dst, other));
    assert_eq!(gateways("10.88.60.1").map(|it| it.source), Some(Source::Neighbours));
    assert_eq!(gateways("10.88.60.77"), None);
}

#[test]
fn a_difference_is_said_in_a_few_words_and_shown_whole() {
    let words = |appeared: &[&str], gone: &[&str]| {
        let values = |all: &[&str]| all.iter().map(|it| json!(it)).collect();
        let (appeared, gone) = (values(appeared), values(gone));
        let one = Difference { source: Source::Hostname, appeared, gone };
        let all = Comparison { differences: vec![one], ..Comparison::default() };
        (all.words(), all.shown())
    };
    let (said, shown) = words(&["a", "b", "c", "d", "e"], &["f"]);
    assert_eq!(said, "hostname: appeared a, b, c and 2 more, gone f");
    let all =
        json!([{ "source": "hostname", "appeared": ["a", "b", "c", "d", "e"], "gone": ["f"] }]);
    assert_eq!(shown, all);
    assert_eq!(words(&["a", "b", "c"], &[]).0, "hostname: appeared a, b, c");
    let object =
        Difference { source: Source::Links, appeared: vec![json!({ "a": 1 })], gone: vec![] };
    assert_eq!(object.words(), r#"links: appeared {"a":1}"#);
}

#[test]
fn a_route_takes_the_address_where_its_network_holds_it_and_is_not_the_default() {
    let captured = Ipv4Addr::new(10, 88, 60, 9);
    let table = [
        ("10.88.60.8/29", 1),
        ("10.88.61.0/24", 0),
        ("0.0.0.0/0", 0),
        ("::ffff:0:0/96", 1),
        ("2001:db8::/96", 0),
        ("::/64", 0),
        ("::/0", 0),
    ];
    for (dst, found) in table {
        let route = json!({ "type": "local", "dst": dst, "dev": "lo", "table": "100" });
        let routes = ROUTES.replacen('[', &format!("[{route},"), 1);
        assert_eq!(places_of(&state("routes", &routes), captured).len(), found, "{dst}");
    }
}

/// What belongs to a namespace that was there before is no reason to delete it.
#[test]
fn a_namespace_goes_only_where_it_is_new() {
    let inside =
        r#"[{"ifname":"v0","addr_info":[{"family":"inet","local":"192.0.2.1","prefixlen":32}]}]"#;
    let (without, with) =
        (state("namespace x addresses", "[]"), state("namespace x addresses", inside));
    assert_eq!(commands(&without, &with), ["ip netns list; sudo lsns -t net"]);
    assert_eq!(commands(&Answers::plain().state(), &with), ["sudo ip netns del x"]);
}

#[test]
fn a_command_is_for_the_family_and_the_scope_of_what_it_settles() {
    let plain = Answers::plain().state();
    let appeared = |name, route: &Value| {
        let all = if name == "routes6" { ROUTES6 } else { ROUTES };
        commands(&plain, &state(name, &all.replacen('[', &format!("[{route},"), 1)))
    };
    let table = [
        (
            "routes6",
            json!({ "dst": "2001:db8:7::/48", "dev": "ens5" }),
            "sudo ip -6 route del 2001:db8:7::/48 dev ens5",
        ),
        (
            "routes",
            json!({ "dst": "203.0.113.0/24", "dev": "ens5", "scope": "link" }),
            "sudo ip route del 203.0.113.0/24 dev ens5",
        ),
        (
            "routes",
            json!({ "dst": "203.0.113.0/24", "dev": "ens5", "scope": "site" }),
            "sudo ip route del 203.0.113.0/24 dev ens5 scope site",
        ),
        (
            "routes",
            json!({ "type": "local", "dst": "203.0.113.0/24", "dev": "ens5", "scope": "host" }),
            "sudo ip route del local 203.0.113.0/24 dev ens5",
        ),
    ];
    for (name, route, command) in table {
        assert_eq!(appeared(name, &route), [command]);
    }
    let rule6 = state("rules6", r#"[{"priority":9,"src":"all","table":"100"}]"#);
    assert_eq!(commands(&plain, &rule6), ["sudo ip -6 rule del from all lookup 100 pref 9"]);
}

#[test]
fn what_was_there_otherwise_is_put_back_and_not_deleted() {
    let entry = |mac: &str| {
        let entry =
            json!([{ "dst": "10.88.60.77", "dev": "ens5", "lladdr": mac, "state": ["PERMANENT"] }]);
        state("neighbours", &entry.to_string())
    };
    let back = "sudo ip neigh replace 10.88.60.77 dev ens5 lladdr 02:00:00:00:00:01 nud permanent";
    assert_eq!(commands(&entry("02:00:00:00:00:01"), &entry("02:00:00:00:00:66")), [back]);
    let down = LINKS.replace(r#""BROADCAST","UP","#, r#""BROADCAST","#);
    assert_ne!(down, LINKS);
    let (up, down) = (Answers::plain().state(), state("links", &down));
    assert_eq!(commands(&up, &down), ["sudo ip link set ens5 up"]);
    assert_eq!(commands(&down, &up), ["sudo ip link set ens5 down"]);
}

//! Tests of what is the same while nobody changes anything, what is not, and what is not known.

mod comparing;
mod readings;

use std::fmt::Write as _;

use std::net::Ipv4Addr;

use lab::node::{Node, Output};
use lab::shell::Observe;
use serde_json::{Value, json};

use super::*;

/// A node's answer: what is asked, and what it says there; all else says nothing.
struct Answers(Vec<(&'static str, i32, String)>);

const LINKS: &str = r#"[
    {"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"addr_info":[
        {"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host"}]},
    {"ifindex":2,"ifname":"ens5","flags":["BROADCAST","UP","LOWER_UP"],"mtu":9001,"operstate":"UP",
     "address":"02:00:00:00:00:04","addr_info":[
        {"family":"inet","local":"10.88.60.4","prefixlen":24,"scope":"global","valid_life_time":3000},
        {"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"},
        {"family":"inet6","local":"2001:db8::4","prefixlen":64,"scope":"global","valid_life_time":86000}]}]"#;
const ROUTES: &str = r#"[
    {"dst":"default","gateway":"10.88.60.1","dev":"ens5","protocol":"dhcp","metric":100,"flags":[]},
    {"dst":"10.88.60.0/24","dev":"ens5","protocol":"kernel","scope":"link","prefsrc":"10.88.60.4","flags":[]},
    {"type":"local","dst":"10.88.60.4","dev":"ens5","table":"local","protocol":"kernel","flags":[]},
    {"type":"broadcast","dst":"10.88.60.255","dev":"ens5","table":"local","protocol":"kernel","flags":[]},
    {"type":"local","dst":"127.0.0.0/8","dev":"lo","table":"local","protocol":"kernel","flags":[]},
    {"type":"local","dst":"127.0.0.1","dev":"lo","table":"local","protocol":"kernel","flags":[]}]"#;
const ROUTES6: &str = r#"[
    {"dst":"2001:db8::/64","dev":"ens5","protocol":"kernel","metric":100,"flags":[],"expires":2500},
    {"dst":"fe80::/64","dev":"ens5","protocol":"kernel","metric":256,"flags":[]},
    {"type":"anycast","dst":"2001:db8::","dev":"ens5","table":"local","protocol":"kernel","flags":[]},
    {"type":"multicast","dst":"ff00::/8","dev":"ens5","table":"local","protocol":"kernel","flags":[]},
    {"dst":"default","gateway":"fe80::9","dev":"ens5","protocol":"ra","metric":100,"flags":[],"expires":1795}]"#;

const ASKED: &[&str] = &[
    "hostname",
    "passing",
    "links",
    "ports",
    "forwarding",
    "neighbours",
    "proxies",
    "rules",
    "rules6",
    "routes",
    "routes6",
    "nexthops",
    "ways",
    "ways6",
    "nft",
    "qdiscs",
    "bpf",
    "xfrm-states",
    "xfrm-policies",
    "xfrm-default",
    "namespace-names",
    "namespaces",
    "sysctls",
    "listeners",
    "logins",
];

impl Answers {
    fn plain() -> Self {
        let said = [
            ("hostname", "routerd-cloud"),
            ("links", LINKS),
            ("routes", ROUTES),
            ("routes6", ROUTES6),
            ("rules", r#"[{"priority":0,"src":"all","table":"local"}]"#),
            (
                "nft",
                r#"{"nftables":[{"metainfo":{}},{"rule":{"handle":3,"expr":[{"counter":{"packets":1,"bytes":2}}]}}]}"#,
            ),
            (
                "sysctls",
                "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/ip_local_port_range:32768\t60999",
            ),
            ("listeners", "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=7,fd=3))"),
            ("logins", "00aa  /home/lab/.ssh/authorized_keys"),
            ("namespaces", "4026531840 1"),
        ];
        Self(said.map(|(name, text)| (name, 0, text.to_owned())).to_vec())
    }

    fn with(mut self, name: &'static str, code: i32, text: &str) -> Self {
        self.0.retain(|(other, _, _)| *other != name);
        self.0.push((name, code, text.to_owned()));
        self
    }

    fn output(&self) -> Output {
        let mut stdout = String::new();
        let more = self.0.iter().map(|it| it.0).filter(|name| !ASKED.contains(name));
        for name in ASKED.iter().copied().chain(more) {
            let said = self.0.iter().find(|(other, _, _)| *other == name);
            let (code, text) = said.map_or((0, ""), |(_, code, text)| (*code, text.as_str()));
            let _ = writeln!(stdout, "\n##source {name}\n{text}\n##status {code}");
        }
        Output { code: 0, stdout: (stdout + "\n##end\n").into_bytes(), stderr: Vec::new() }
    }

    fn state(&self) -> NodeState {
        let frames = Observe::node_state(&[]).read(self.output()).expect("frames");
        NodeState::read(&frames).expect("a state")
    }
}

fn state(name: &'static str, text: &str) -> NodeState {
    Answers::plain().with(name, 0, text).state()
}

fn differs(now: &NodeState) -> Vec<Source> {
    let all = compare_states(&Answers::plain().state(), now, &Source::ALL, Explained::Nothing);
    all.differences.iter().map(|it| it.source).collect()
}

/// Lifetimes, counters, handles, numbers, what is learned, who passes by.
#[test]
fn what_changes_by_itself_is_no_difference() {
    let same = [
        ("links", LINKS.replace("3000", "2999").replace("86000", "85999").replace("\"LOWER_UP\"", "\"NO-CARRIER\"")),
        ("links", LINKS.replace("\"ifindex\":2", "\"ifindex\":17").replace("\"fe80::1\"", "\"fe80::2\"")),
        ("routes6", ROUTES6.replace("1795", "1700").replace("2500", "2400")),
        ("routes", ROUTES.replace("\"flags\":[]", "\"flags\":[\"linkdown\"]")),
        ("nft", r#"{"nftables":[{"rule":{"handle":9,"expr":[{"counter":{"packets":5,"bytes":9}}]}}]}"#.to_owned()),
        ("neighbours", r#"[{"dst":"10.88.60.1","dev":"ens5","lladdr":"02:00:00:00:00:01","state":["REACHABLE"]},{"dst":"224.0.0.22","dev":"ens5","lladdr":"01:00:5e:00:00:16","state":["NOARP"]}]"#.to_owned()),
        ("listeners", "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=99,fd=4))\nudp UNCONN 0 0 10.88.60.4:40000 0.0.0.0:*\ntcp LISTEN 0 5 127.0.0.1:631 0.0.0.0:*".to_owned()),
        ("qdiscs", r#"[{"kind":"mq","handle":"0:","dev":"ens5","options":{}}]"#.to_owned()),
        ("sysctls", "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/ip_local_port_range:32768\t60999\n/proc/sys/net/netfilter/nf_conntrack_max:65536\n/proc/sys/net/ipv4/tcp_mem:1 2 3".to_owned()),
        ("xfrm-default", "Default policies:\n in:  accept\n fwd: accept\n out: accept".to_owned()),
        ("classes ens5", "class fq_codel 8001:1f parent 8001:".to_owned()),
        ("listeners", "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=7,fd=3))\nudp UNCONN 0 0 0.0.0.0:5301 0.0.0.0:* users:((\"unbound\",pid=8,fd=5))".to_owned()),
    ];
    for (name, text) in same {
        assert_eq!(differs(&state(name, &text)), [], "{name}: {text}");
    }
    // Asked for by somebody, and empty.
    let asked = Answers::plain().with(
        "legacy ip nat",
        0,
        "# Generated\n*nat\n:INPUT ACCEPT [9:540]\nCOMMIT",
    );
    assert_eq!(differs(&asked.state()), []);
}

#[test]
fn what_somebody_does_is_a_difference_of_its_own_source() {
    let halves = ROUTES.replacen(
        '[',
        r#"[{"dst":"0.0.0.0/1","gateway":"10.88.60.9","dev":"ens5","flags":[]},"#,
        1,
    );
    let table = [
        ("hostname", "other".to_owned(), Source::Hostname),
        ("links", LINKS.replace("9001", "1500"), Source::Links),
        ("neighbours", r#"[{"dst":"10.88.60.1","dev":"ens5","lladdr":"02:00:00:00:00:66","state":["PERMANENT"]}]"#.to_owned(), Source::Neighbours),
        ("proxies", r#"[{"dst":"10.88.60.9","dev":"ens5"}]"#.to_owned(), Source::Neighbours),
        ("rules", r#"[{"priority":0,"src":"all","table":"local"},{"priority":9,"src":"all","table":"100"}]"#.to_owned(), Source::Rules),
        ("rules6", r#"[{"priority":9,"src":"all","table":"100"}]"#.to_owned(), Source::Rules),
        ("routes", halves, Source::Routes),
        ("routes", ROUTES.replacen("\"flags\":[]", "\"flags\":[],\"metrics\":[{\"mtu\":1300}]", 1), Source::Routes),
        ("ways", r#"[{"dst":"1.0.0.1","gateway":"10.88.60.9","dev":"ens5"}]"#.to_owned(), Source::Ways),
        ("nft", r#"{"nftables":[{"table":{"family":"inet","name":"somebody"}}]}"#.to_owned(), Source::Nft),
        ("legacy ip mangle", "*mangle\n-A PREROUTING -j MARK --set-mark 1\nCOMMIT".to_owned(), Source::LegacyTables),
        ("qdiscs", r#"[{"kind":"clsact","handle":"ffff:","dev":"ens5","options":{}}]"#.to_owned(), Source::TrafficControl),
        ("filters ens5 ingress", r#"[{"protocol":"all","pref":1,"kind":"bpf"}]"#.to_owned(), Source::TrafficControl),
        ("bpf", r#"[{"xdp":[{"devname":"ens5","id":7,"kind":"driver"}],"tc":[]}]"#.to_owned(), Source::Bpf),
        ("ports", r#"[{"ifname":"lan1","master":"br-lan","hairpin":true}]"#.to_owned(), Source::Bridges),
        ("forwarding", r#"[{"mac":"00:00:00:00:00:00","ifname":"wg-hybrid","dst":"192.0.2.7","flags":["self"],"state":"permanent"}]"#.to_owned(), Source::Bridges),
        ("xfrm-policies", "src 10.0.0.0/8 dst 0.0.0.0/0\n\tdir out priority 0".to_owned(), Source::Xfrm),
        ("namespace x addresses", "[]".to_owned(), Source::Namespaces),
        ("sysctls", "/proc/sys/net/ipv4/ip_forward:0\n/proc/sys/net/ipv4/ip_local_port_range:32768 60999".to_owned(), Source::Sysctls),
        ("listeners", "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=7,fd=3))\ntcp LISTEN 0 128 *:443 *:* users:((\"x\",pid=9,fd=3))".to_owned(), Source::Listeners),
        ("logins", "00ab  /home/lab/.ssh/authorized_keys".to_owned(), Source::Logins),
        ("nexthops", r#"[{"id":7,"gateway":"10.88.60.9","dev":"ens5","flags":[]}]"#.to_owned(), Source::Routes),
        ("xfrm-default", "Default policies:\n in:  accept\n fwd: block\n out: accept".to_owned(), Source::Xfrm),
        ("ports", r#"[{"ifname":"lan1","flags":["UP","LOWER_UP"],"master":"br-lan","state":"disabled"}]"#.to_owned(), Source::Bridges),
        ("classes ens5", "class htb 1:10 root prio 0 rate 1Mbit ceil 1Mbit".to_owned(), Source::TrafficControl),
    ];
    for (name, text, source) in table {
        assert_eq!(differs(&state(name, &text)), [source], "{name}: {text}");
    }
    let more = LINKS.replace("\"local\":\"10.88.60.4\"", "\"local\":\"10.88.60.5\"");
    // The kernel's own routes for the old address are explained by no address any more.
    assert!(differs(&state("links", &more)).contains(&Source::Addresses));
}

#[test]
fn what_cannot_be_read_is_never_taken_for_empty() {
    let denied = |name| Answers::plain().with(name, 1, "Operation not permitted").state();
    let plain = Answers::plain().state();
    let all = |before: &NodeState, now: &NodeState| {
        compare_states(before, now, &Source::ALL, Explained::Nothing)
    };
    let lost = all(&plain, &denied("bpf"));
    assert!(lost.is_equal() && lost.unknown.len() == 1, "{lost:?}");
    let never = all(&denied("bpf"), &denied("bpf"));
    assert_eq!((never.unknown.len(), &never.not_compared[..]), (0, &["bpf", "conntrack"][..]));
    assert_eq!(plain.lacks(), None);
    assert_eq!(denied("bpf").lacks(), None);
    for name in ["links", "routes", "rules6", "nft", "listeners", "sysctls", "neighbours"] {
        let why = denied(name).lacks();
        // Settings that say nothing but an error are no settings.
        let nothing = name == "sysctls" || why.is_some_and(|why| why.contains("not permitted"));
        assert!(nothing, "{name}");
    }
    let facts = denied("bpf").facts();
    assert_eq!(facts["bpf"], "not readable here: exit code 1: Operation not permitted");
    assert_ne!(facts["routes"], Value::Null);
}

#[test]
fn a_daemon_is_known_to_capture_the_address_and_nothing_else() {
    let captured = Ipv4Addr::new(10, 88, 60, 9);
    let is_explained = |name, text: &str| {
        let now = state(name, text);
        let plain = Answers::plain().state();
        let one = compare_states(&plain, &now, &Source::ALL, Explained::CapturedBy(captured));
        assert!(!compare_states(&plain, &now, &Source::ALL, Explained::Nothing).is_equal());
        one.is_equal()
    };
    let route = |dst: &str| {
        let route =
            json!({ "dst": dst, "gateway": "169.254.120.2", "dev": "wg", "protocol": "bgp" });
        ROUTES.replacen('[', &format!("[{route},"), 1)
    };
    assert!(is_explained("proxies", r#"[{"dst":"10.88.60.9","dev":"ens5"}]"#));
    assert!(is_explained("routes", &route("10.88.60.9")));
    assert!(!is_explained("proxies", r#"[{"dst":"10.88.60.8","dev":"ens5"}]"#));
    assert!(!is_explained("routes", &route("default")));
}

#[test]
fn the_address_is_found_in_every_form() {
    let captured = Ipv4Addr::new(10, 88, 60, 9);
    let places = |name, text: &str| places_of(&state(name, text), captured);
    assert_eq!(places("links", LINKS), [""; 0]);
    let on_link = LINKS.replace("10.88.60.4", "10.88.60.9");
    assert_eq!(places("links", &on_link), ["ens5 10.88.60.9/24"]);
    let mapped = LINKS.replace("2001:db8::4", "::ffff:10.88.60.9");
    assert_eq!(places("links", &mapped), ["ens5 ::ffff:10.88.60.9/64"]);
    for (dst, found) in [("10.88.60.9", 1), ("10.88.60.8/29", 1), ("default", 0), ("10.88.60.7", 0)]
    {
        let route = json!({ "type": "local", "dst": dst, "dev": "lo", "table": "100" });
        let routes = ROUTES.replacen('[', &format!("[{route},"), 1);
        assert_eq!(places("routes", &routes).len(), found, "{dst}");
    }
    // A default route takes what its table is asked for: marked packets alone, or more.
    let default = json!({ "type": "local", "dst": "default", "dev": "lo", "table": "100" });
    let asked = |rule: Value| {
        let routes = ROUTES.replacen('[', &format!("[{default},"), 1);
        let rules = json!([rule]).to_string();
        let state = Answers::plain().with("routes", 0, &routes).with("rules", 0, &rules).state();
        places_of(&state, captured).len()
    };
    assert_eq!(asked(json!({ "fwmark": "0x1", "table": "100" })), 0);
    assert_eq!(asked(json!({ "ipproto": "tcp", "dport": 8080, "table": "100" })), 1);
    assert_eq!(asked(json!({ "ipproto": "tcp", "table": "101" })), 0);
    let inside =
        r#"[{"ifname":"v0","addr_info":[{"family":"inet","local":"10.88.60.9","prefixlen":32}]}]"#;
    let expected = "v0 10.88.60.9 in the network namespace x";
    assert_eq!(places("namespace x addresses", inside), [expected]);
    assert_eq!(places("unnamed 77 addresses", inside).len(), 1);
    let closed = Answers::plain().with("namespace x addresses", 1, "not permitted").state();
    assert_eq!(namespaces_out_of_reach(&closed).into_iter().collect::<Vec<_>>(), ["x"]);
    assert!(namespaces_out_of_reach(&state("namespace x addresses", inside)).is_empty());
}

/// Each with the command that takes it back; what has none is said in words, with where to look.
#[test]
fn what_is_left_comes_with_the_commands_that_settle_it() {
    let rule = r#"[{"priority":0,"src":"all","table":"local"},{"priority":9,"src":"all","dst":"203.0.113.0","dstlen":24,"table":"100"}]"#;
    let other = ROUTES.replacen("10.88.60.1\"", "10.88.60.2\"", 1);
    let beside = ROUTES.replacen('[', r#"[{"dst":"0.0.0.0/1","gateway":"10.88.60.9","dev":"ens5","table":"253","flags":[],"metrics":[{"mtu":1300}]},"#, 1);
    let table = [
        ("routes", other, "sudo ip route replace default via 10.88.60.1 dev ens5 proto dhcp metric 100"),
        ("routes", beside, "sudo ip route del 0.0.0.0/1 via 10.88.60.9 dev ens5 table 253 mtu 1300"),
        ("rules", rule.to_owned(), "sudo ip rule del from all to 203.0.113.0/24 lookup 100 pref 9"),
        ("sysctls", "/proc/sys/net/ipv4/ip_forward:0\n/proc/sys/net/ipv4/ip_local_port_range:32768 60999".to_owned(), "sudo sysctl -w 'net/ipv4/ip_forward=1'"),
        ("links", LINKS.replace("9001", "1300"), "sudo ip link set ens5 mtu 9001"),
        ("links", LINKS.replacen('[', r#"[{"ifname":"dummy0","mtu":1500,"flags":[]},"#, 1), "sudo ip link del dummy0"),
        ("neighbours", r#"[{"dst":"10.88.60.1","dev":"ens5","lladdr":"02:00:00:00:00:66","state":["PERMANENT"]}]"#.to_owned(), "sudo ip neigh del 10.88.60.1 dev ens5"),
        ("proxies", r#"[{"dst":"10.88.60.9","dev":"ens5"}]"#.to_owned(), "sudo ip neigh del proxy 10.88.60.9 dev ens5"),
        ("legacy ip mangle", "*mangle\n-A PREROUTING -j ACCEPT".to_owned(), "sudo iptables-legacy -t mangle -D PREROUTING -j ACCEPT"),
        ("qdiscs", r#"[{"kind":"clsact","dev":"ens5"}]"#.to_owned(), "sudo tc qdisc del dev ens5 clsact"),
        ("namespace x addresses", "[]".to_owned(), "sudo ip netns del x"),
        ("hostname", "other".to_owned(), "sudo hostname routerd-cloud"),
        ("listeners", "tcp LISTEN 0 1 *:443 *:*".to_owned(), "sudo ss -lntup"),
    ];
    let before = Answers::plain().state();
    for (name, text, command) in table {
        let now = state(name, &text);
        let comparison = compare_states(&before, &now, &Source::ALL, Explained::Nothing);
        let item = describe_changed_node(Node::RouterdCloud, &comparison, &before, &now)
            .expect("left")
            .item;
        assert_eq!(item.owner_commands, [command], "{name}");
        assert!(item.why.contains(comparison.differences[0].source.as_str()), "{}", item.why);
    }
    let comparison = compare_states(&before, &before, &Source::ALL, Explained::Nothing);
    assert!(describe_changed_node(Node::RouterdCloud, &comparison, &before, &before).is_none());
}

/// The run's own probe, whether or not its process was still there to be named; nobody else, and on no
/// other port.
#[test]
fn what_the_runs_own_probe_listens_on_is_no_difference() {
    let ssh = "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=7,fd=3))";
    let table = [
        ("0.0.0.0:7311 0.0.0.0:* users:((\"outage-probe\",pid=1,fd=3))", true),
        ("10.88.60.7:443 0.0.0.0:*", true),
        ("0.0.0.0:443 0.0.0.0:* users:((\"nginx\",pid=1,fd=3))", false),
        ("0.0.0.0:2323 0.0.0.0:* users:((\"outage-probe\",pid=1,fd=3))", false),
        ("0.0.0.0:2324 0.0.0.0:* users:((\"tcpdump\",pid=1,fd=3))", false),
    ];
    for (listener, is_own) in table {
        let udp = format!("udp UNCONN 0 0 {listener}");
        let now = Answers::plain().with("passing", 0, &udp);
        let now = now.with("listeners", 0, &format!("{ssh}\n{udp}")).state();
        let all = compare_states(&Answers::plain().state(), &now, &Source::ALL, Explained::Nothing);
        assert!(!all.is_equal(), "{listener}");
        assert_eq!(all.without_listeners_on(&[443, 7311]).is_equal(), is_own, "{listener}");
    }
}

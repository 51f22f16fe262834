//! The output of the programs, word for word, their failures included.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::packets::testing::{
    AddressSetting, CheckSetting, make_test_world, set_router_eni, test_start_time,
};
use crate::world::{Shared, World};
use lab::clock::Clock;
use lab::node::{Node, Output};

/// A lab in virtual time, with the captured address where it belongs.
struct Bench {
    shared: Shared,
    clock: Clock,
}

impl Bench {
    fn captured() -> Self {
        let mut world = make_test_world();
        set_router_eni(&mut world, AddressSetting::Assigned, CheckSetting::Off);
        Self::of(world)
    }

    fn of(world: World) -> Self {
        Self { shared: Shared::new(world), clock: Clock::starting_at(test_start_time()) }
    }

    async fn run(&self, node: Node, argv: &[&str]) -> Output {
        self.feed(node, argv, b"").await
    }

    async fn feed(&self, node: Node, argv: &[&str], stdin: &[u8]) -> Output {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        run_command(&self.shared, self.clock, node, &argv, stdin).await.expect("the node answers")
    }

    async fn sh(&self, script: &str) -> (i32, String, String) {
        show(self.run(Node::RouterdCloud, &["sh", "-c", script, "sh"]).await)
    }

    fn elapsed(&self) -> Duration {
        (self.clock.now() - test_start_time()).to_std().unwrap()
    }
}

fn show(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.code, text(output.stdout), text(output.stderr))
}

#[tokio::test(start_paused = true)]
async fn scripts_do_what_dash_does() {
    let cases: [(&str, i32, &str, &str); 28] = [
        ("f() { echo \"$1-$#\"; shift; echo $1; }; f a b; echo $#", 0, "a-2\nb\n0\n", ""),
        ("f() { false; }\nf || echo failed", 0, "failed\n", ""),
        (
            "x=/proc/1/ns/net; echo \"${x%net}mnt\" ${x%other}",
            0,
            "/proc/1/ns/mnt /proc/1/ns/net\n",
            "",
        ),
        ("f() echo", 2, "", "sh: 1: Syntax error: \"(\" unexpected\n"),
        ("echo a; echo b", 0, "a\nb\n", ""),
        ("false && echo a || echo b", 0, "b\n", ""),
        ("echo one two | cat", 0, "one two\n", ""),
        ("x='a  b'; echo $x; echo \"$x\"", 0, "a b\na  b\n", ""),
        ("foo", 127, "", "sh: 1: foo: not found\n"),
        ("set -e; false; echo no", 1, "", ""),
        ("set -e; false || true; echo yes", 0, "yes\n", ""),
        ("if test -e /etc/hostname; then echo is; else echo not; fi", 0, "is\n", ""),
        ("for i in 1 2 3; do echo $i; done", 0, "1\n2\n3\n", ""),
        ("echo $(hostname)-x", 0, "routerd-cloud-x\n", ""),
        ("echo ${NOPE:-default}", 0, "default\n", ""),
        ("echo to-stderr >&2", 0, "", "to-stderr\n"),
        ("foo 2>/dev/null", 127, "", ""),
        ("foo >/dev/null 2>&1; echo $?", 0, "127\n", ""),
        ("(exit 3); echo $?", 0, "3\n", ""),
        ("exit 7", 7, "", ""),
        ("! true; echo $?", 0, "1\n", ""),
        ("echo 'it''s'", 0, "its\n", ""),
        ("echo \"a\\\"b\" \\$x", 0, "a\"b $x\n", ""),
        ("echo 'open", 2, "", "sh: 1: Syntax error: Unterminated quoted string\n"),
        ("echo x > /no/where", 2, "", "sh: 1: cannot create /no/where: Directory nonexistent\n"),
        ("cat < /nothing", 2, "", "sh: 1: cannot open /nothing: No such file\n"),
        ("echo x > /etc/passwd", 2, "", "sh: 1: cannot create /etc/passwd: Permission denied\n"),
        ("printf '%s-%s\\n' a b c", 0, "a-b\nc-\n", ""),
    ];
    let bench = Bench::captured();
    for (script, code, stdout, stderr) in cases {
        let expected = (code, stdout.to_owned(), stderr.to_owned());
        assert_eq!(bench.sh(script).await, expected, "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_created_exclusively_from_standard_input() {
    let bench = Bench::captured();
    let script = "set -C; umask 077; cat > \"$1\"";
    let path = "/var/lib/lab-smoke/lock";
    let root = |script| ["sudo", "-n", "sh", "-c", script, "sh", path];
    bench.run(Node::RouterdCloud, &["sudo", "-n", "mkdir", "-p", "/var/lib/lab-smoke"]).await;
    let first = show(bench.feed(Node::RouterdCloud, &root(script), b"mine\n").await);
    assert_eq!(first, (0, String::new(), String::new()));
    let second = show(bench.feed(Node::RouterdCloud, &root(script), b"yours\n").await);
    let refusal = format!("sh: 1: cannot create {path}: File exists\n");
    assert_eq!(second, (2, String::new(), refusal));
    let kept = show(bench.run(Node::RouterdCloud, &["sudo", "-n", "cat", path]).await);
    assert_eq!(kept, (0, "mine\n".into(), String::new()));
    let mode = show(bench.run(Node::RouterdCloud, &["stat", "-c", "%a %s %U", path]).await);
    assert_eq!(mode.1, "600 5 root\n");
    let denied = show(bench.run(Node::RouterdCloud, &["cat", path]).await);
    assert_eq!(denied, (1, String::new(), format!("cat: {path}: Permission denied\n")));
}

#[tokio::test(start_paused = true)]
async fn ping_prints_what_iputils_prints() {
    let bench = Bench::captured();
    let (code, stdout, _) =
        show(bench.run(Node::CloudClient, &["ping", "-n", "-c", "3", "10.88.60.9"]).await);
    assert_eq!(code, 0);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "PING 10.88.60.9 (10.88.60.9) 56(84) bytes of data.");
    assert!(
        lines[1].starts_with("64 bytes from 10.88.60.9: icmp_seq=1 ttl=62 time="),
        "{}",
        lines[1]
    );
    assert!(lines[1].ends_with(" ms"));
    assert_eq!(
        &lines[4..7],
        [
            "",
            "--- 10.88.60.9 ping statistics ---",
            "3 packets transmitted, 3 received, 0% packet loss, time 2000ms",
        ]
    );
    assert!(lines[7].starts_with("rtt min/avg/max/mdev = "));
    assert!(bench.elapsed() < Duration::from_millis(2_100), "{:?}", bench.elapsed());
}

#[tokio::test(start_paused = true)]
async fn ping_says_how_it_fails() {
    let free = Bench::of(make_test_world());
    let (code, stdout, _) =
        show(free.run(Node::CloudClient, &["ping", "-n", "-c", "3", "10.88.60.9"]).await);
    assert_eq!(
        (code, stdout.as_str()),
        (
            1,
            "PING 10.88.60.9 (10.88.60.9) 56(84) bytes of data.
From 10.88.60.7 icmp_seq=1 Destination Host Unreachable
From 10.88.60.7 icmp_seq=2 Destination Host Unreachable
From 10.88.60.7 icmp_seq=3 Destination Host Unreachable

--- 10.88.60.9 ping statistics ---
3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2000ms
pipe 3
"
        )
    );
    let argv = ["ping", "-n", "-c1", "-W1", "10.88.60.9"];
    let before = free.clock.now();
    let (code, stdout, _) = show(free.run(Node::CloudClient, &argv).await);
    assert_eq!(
        (code, stdout.as_str()),
        (
            1,
            "PING 10.88.60.9 (10.88.60.9) 56(84) bytes of data.

--- 10.88.60.9 ping statistics ---
1 packets transmitted, 0 received, 100% packet loss, time 0ms

"
        )
    );
    assert_eq!((free.clock.now() - before).num_milliseconds(), 1_000);
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &["-n", "-c1", "-I", "10.88.60.8", "10.88.60.9"],
            2,
            "ping: bind: Cannot assign requested address\n",
        ),
        (&["-n", "-c", "x", "10.88.60.9"], 1, "ping: invalid argument: 'x'\n"),
        (&["-n"], 1, "ping: usage error: Destination address required\n"),
        (
            &["-n", "-c1", "-I", "nope", "10.88.60.9"],
            2,
            "ping: SO_BINDTODEVICE nope: No such device\n",
        ),
    ];
    for (args, code, stderr) in cases {
        let argv = [&["ping"], args].concat();
        let output = show(free.run(Node::CloudClient, &argv).await);
        assert_eq!((output.0, output.2.as_str()), (code, stderr));
    }
    let (code, _, stderr) = show(free.run(Node::CloudClient, &["ping", "-x"]).await);
    assert_eq!(code, 2);
    assert!(
        stderr
            .starts_with("ping: invalid option -- 'x'\n\nUsage\n  ping [options] <destination>\n")
    );
}

#[tokio::test(start_paused = true)]
async fn the_canary_as_ping_prints_it() {
    let bench = Bench::captured();
    let argv = ["ping", "-n", "-c1", "-W1", "-t", "2", "10.88.60.9"];
    let (code, stdout, _) = show(bench.run(Node::CloudClient, &argv).await);
    assert_eq!(
        (code, stdout.as_str()),
        (
            1,
            "PING 10.88.60.9 (10.88.60.9) 56(84) bytes of data.
From 10.99.0.2 icmp_seq=1 Time to live exceeded

--- 10.88.60.9 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

"
        )
    );
    set_router_eni(&mut bench.shared.lock(), AddressSetting::Assigned, CheckSetting::On);
    let (code, stdout, _) = show(bench.run(Node::CloudClient, &argv).await);
    assert_eq!(code, 1);
    assert!(!stdout.contains("From"), "{stdout}");
}

/// Puts what the client knows about a node's host key where ssh reads it.
fn know(bench: &Bench, line: &str) {
    let mut world = bench.shared.lock();
    world.machines.cloud_client.files.put("/tmp/known", format!("{line}\n"), 0o644);
}

const SSH: [&str; 8] = [
    "ssh",
    "-oKexAlgorithms=curve25519-sha256",
    "-F/dev/null",
    "-oBatchMode=yes",
    "-oStrictHostKeyChecking=yes",
    "-oUserKnownHostsFile=/tmp/known",
    "-oConnectTimeout=2",
    "lab@10.88.60.9",
];

#[tokio::test(start_paused = true)]
async fn ssh_runs_a_command_where_the_packets_lead() {
    let bench = Bench::captured();
    let key = bench.shared.lock().machines.onprem_client.sshd.host_key.clone();
    know(&bench, &format!("10.88.60.9 {key}"));
    let argv = [&SSH[..], &["hostname;", "echo", "$SSH_CONNECTION;", "sha256sum"]].concat();
    let (code, stdout, stderr) = show(bench.feed(Node::CloudClient, &argv, b"payload").await);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(b"payload"));
    assert_eq!(stdout, format!("onprem-client\n10.88.60.7 32769 10.88.60.9 22\n{digest}  -\n"));
    let local = "-oLocalCommand=ss -Htn state established dst 10.88.60.9 dport = :22";
    let mut argv = SSH.to_vec();
    argv.splice(1..1, ["-oPermitLocalCommand=yes", local]);
    argv.push("echo $SSH_CONNECTION");
    let (_, stdout, _) = show(bench.run(Node::CloudClient, &argv).await);
    assert_eq!(
        stdout,
        "0      0      10.88.60.7:32770 10.88.60.9:22\n10.88.60.7 32770 10.88.60.9 22\n"
    );
    assert!(bench.shared.lock().machines.cloud_client.sockets.is_empty(), "closed again");
}

#[tokio::test(start_paused = true)]
async fn ssh_says_how_it_fails() {
    let bench = Bench::captured();
    let run = async || show(bench.run(Node::CloudClient, &[&SSH[..], &["true"]].concat()).await);
    know(&bench, "");
    assert_eq!(run().await, (255, String::new(), "No ED25519 host key is known for 10.88.60.9 and you have requested strict checking.\r\nHost key verification failed.\r\n".into()));
    let other = bench.shared.lock().machines.onprem_router.sshd.host_key.clone();
    know(&bench, &format!("10.88.60.9 {other}"));
    let (code, _, stderr) = run().await;
    assert_eq!(code, 255);
    assert!(stderr.contains("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"));
    assert!(stderr.contains("Offending ED25519 key in /tmp/known:1\r\n"), "{stderr}");
    let key = bench.shared.lock().machines.onprem_client.sshd.host_key.clone();
    know(&bench, &format!("10.88.60.9 {key}"));
    bench.shared.lock().machines.onprem_client.sshd.users.clear();
    assert_eq!(run().await.2, "lab@10.88.60.9: Permission denied (publickey).\r\n");
    bench.shared.lock().machines.onprem_client.sshd.running = false;
    assert_eq!(run().await.2, "ssh: connect to host 10.88.60.9 port 22: Connection refused\r\n");
    set_router_eni(&mut bench.shared.lock(), AddressSetting::Free, CheckSetting::On);
    assert_eq!(run().await.2, "ssh: connect to host 10.88.60.9 port 22: Connection timed out\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_lets_ssh_connect_and_swallows_the_payload() {
    let bench = Bench::captured();
    let key = bench.shared.lock().machines.onprem_client.sshd.host_key.clone();
    know(&bench, &format!("10.88.60.9 {key}"));
    bench.shared.lock().machines.overlay.black_hole_above_bytes = Some(1_350);
    for (timeout, late) in [(&["timeout", "20"][..], 124), (&["timeout", "-s", "KILL", "20"], 137)]
    {
        let argv = [timeout, &SSH[..], &["sha256sum"]].concat();
        let small = bench.feed(Node::CloudClient, &argv, b"small").await;
        assert_eq!(small.code, 0);
        let large = bench.feed(Node::CloudClient, &argv, &[7; 4_096]).await;
        assert_eq!((large.code, large.stdout.len()), (late, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn tcpdump_sees_what_arrives_while_it_runs() {
    let bench = Bench::captured();
    let watch = [
        "sudo",
        "-n",
        "timeout",
        "5",
        "tcpdump",
        "-n",
        "-l",
        "-t",
        "-c",
        "1",
        "-i",
        "any",
        "icmp[icmptype] == icmp-echo and dst host 10.88.60.9",
    ];
    let ping = ["ping", "-n", "-c1", "10.88.60.9"];
    let (seen, _) =
        futures::join!(bench.run(Node::OnpremClient, &watch), bench.run(Node::CloudClient, &ping));
    assert_eq!(
        show(seen),
        (
            0,
            "eth0  In  IP 10.88.60.7 > 10.88.60.9: ICMP echo request, id 1, seq 1, length 64\n"
                .into(),
            "tcpdump: data link type LINUX_SLL2
tcpdump: verbose output suppressed, use -v[v]... for full protocol decode
listening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 262144 bytes
1 packet captured
1 packet received by filter
0 packets dropped by kernel
"
            .into()
        )
    );
    let (code, stdout, stderr) = show(bench.run(Node::OnpremClient, &watch).await);
    assert_eq!((code, stdout.as_str()), (124, ""));
    assert!(stderr.ends_with(
        "bytes\n\n0 packets captured\n0 packets received by filter\n0 packets dropped by kernel\n"
    ));
}

#[tokio::test(start_paused = true)]
async fn tables_are_printed_as_the_tools_print_them() {
    let bench = Bench::captured();
    let cases: [(&[&str], &str); 7] = [
        (
            &["ip", "-j", "-4", "route", "show", "default"],
            r#"[{"dst":"default","gateway":"10.88.60.1","dev":"ens5","protocol":"dhcp","prefsrc":"10.88.60.4","metric":100,"flags":[]}]"#,
        ),
        (
            &["ip", "-j", "route", "show", "10.88.60.9"],
            r#"[{"dst":"10.88.60.9","dev":"wg-hybrid","scope":"link","metric":120,"flags":[]}]"#,
        ),
        (
            &["ip", "-j", "-4", "addr", "show", "dev", "wg-hybrid"],
            r#"[{"ifindex":3,"ifname":"wg-hybrid","flags":["POINTOPOINT","NOARP","UP","LOWER_UP"],"mtu":1420,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"addr_info":[{"family":"inet","local":"10.99.0.1","prefixlen":32,"scope":"global","label":"wg-hybrid","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]"#,
        ),
        (&["ip", "-j", "neigh", "show"], "[]"),
        (
            &["sudo", "-n", "nft", "-j", "list", "ruleset"],
            r#"{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}, {"table": {"family": "inet", "name": "lab_filter", "handle": 1}}, {"chain": {"family": "inet", "table": "lab_filter", "name": "forward", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}}, {"rule": {"family": "inet", "table": "lab_filter", "chain": "forward", "handle": 2, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}}]}"#,
        ),
        (
            &["sudo", "-n", "iptables-legacy", "-t", "nat", "-S"],
            "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT",
        ),
        (&["sysctl", "-n", "net.ipv4.ip_forward"], "1"),
    ];
    for (argv, stdout) in cases {
        let expected = (0, format!("{stdout}\n"), String::new());
        assert_eq!(show(bench.run(Node::RouterdCloud, argv).await), expected);
    }
    bench.run(Node::CloudClient, &["ping", "-n", "-q", "-c1", "10.88.60.9"]).await;
    let argv = ["sudo", "-n", "conntrack", "-L", "-o", "extended", "-s", "10.88.60.7"];
    let (code, stdout, stderr) = show(bench.run(Node::RouterdCloud, &argv).await);
    assert_eq!(code, 0);
    assert_eq!(
        stdout,
        "ipv4     2 icmp     1 29 src=10.88.60.7 dst=10.88.60.9 type=8 code=0 id=1 src=10.88.60.9 dst=10.88.60.7 type=0 code=0 id=1 mark=0 use=1\n"
    );
    assert_eq!(stderr, "conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.\n");
}

#[tokio::test(start_paused = true)]
async fn small_programs_answer_from_the_world() {
    let bench = Bench::captured();
    bench.shared.lock().machines.routerd_cloud.clock_offset_ms = 1_500;
    let cases: [(&[&str], i32, &str, &str); 12] = [
        (&["hostname"], 0, "routerd-cloud\n", ""),
        (&["date", "+%s%N"], 0, "1767323046500000000\n", ""),
        (&["id", "-u"], 0, "1000\n", ""),
        (&["sudo", "-n", "id", "-u"], 0, "0\n", ""),
        (&["seq", "2", "3"], 0, "2\n3\n", ""),
        (&["cat", "/proc/sys/net/ipv4/ip_forward"], 0, "1\n", ""),
        (&["cat", "/nope"], 1, "", "cat: /nope: No such file or directory\n"),
        (&["ls", "-1A", "/nope"], 2, "", "ls: cannot access '/nope': No such file or directory\n"),
        (&["foo"], 127, "", "sh: 1: foo: not found\n"),
        (&["sudo", "-n", "foo"], 1, "", "sudo: foo: command not found\n"),
        (
            &["nft", "-j", "list", "ruleset"],
            1,
            "",
            "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n",
        ),
        (&["ip", "-j", "addr", "show", "dev", "nope"], 1, "", "Device \"nope\" does not exist.\n"),
    ];
    for (argv, code, stdout, stderr) in cases {
        let expected = (code, stdout.to_owned(), stderr.to_owned());
        assert_eq!(show(bench.run(Node::RouterdCloud, argv).await), expected, "{argv:?}");
    }
}

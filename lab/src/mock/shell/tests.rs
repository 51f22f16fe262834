//! What the programs print, word for word, their failures included.

use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::mock::packets::testing::{Address, Check, lab, set, start};
use crate::mock::world::{Shared, World};
use crate::node::{Node, Output};

/// A lab in virtual time, with the captured address where it belongs.
struct Bench {
    shared: Shared,
    clock: Clock,
}

impl Bench {
    fn captured() -> Self {
        let mut world = lab();
        set(&mut world, Address::Assigned, Check::Off);
        Self::of(world)
    }

    fn of(world: World) -> Self {
        Self { shared: Shared::new(world), clock: Clock::starting_at(start()) }
    }

    async fn run(&self, node: Node, argv: &[&str]) -> Output {
        self.feed(node, argv, b"").await
    }

    async fn feed(&self, node: Node, argv: &[&str], stdin: &[u8]) -> Output {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        run(&self.shared, self.clock, node, &argv, stdin).await.expect("the node answers")
    }

    async fn sh(&self, script: &str) -> (i32, String, String) {
        show(self.run(Node::RouterdCloud, &["sh", "-c", script, "sh"]).await)
    }

    fn elapsed(&self) -> Duration {
        (self.clock.now() - start()).to_std().unwrap()
    }
}

fn show(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.code, text(output.stdout), text(output.stderr))
}

#[tokio::test(start_paused = true)]
async fn scripts_do_what_dash_does() {
    let cases: [(&str, i32, &str, &str); 24] = [
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

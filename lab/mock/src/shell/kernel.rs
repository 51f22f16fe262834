//! `tc`, `bpftool` and `nsenter`: what is attached to links, and other namespaces.

use super::{Io, Session, ip};
use crate::machines::{Link, Machine};

/// The inodes of the node's namespaces; every process is in them.
pub fn inode_of(path: &str) -> Option<&'static str> {
    let (_, name) = path.strip_prefix("/proc/")?.split_once("/ns/")?;
    match name {
        "net" => Some("4026531840"),
        "mnt" => Some("4026531841"),
        _ => None,
    }
}

/// `nsenter --net=/run/netns/NAME ip …`.
pub fn run_nsenter(session: &Session, args: &[&str], io: &Io) -> i32 {
    let [namespace, "ip", words @ ..] = args else {
        return io.fail(1, "nsenter: only --net=FILE ip … is there");
    };
    let name = namespace.strip_prefix("--net=/run/netns/").unwrap_or_default();
    let inside = session.machine(|machine| machine.kernel.namespaces.get(name).cloned());
    let Some(inside) = inside else {
        let file = namespace.trim_start_matches("--net=");
        return io.fail(1, &format!("nsenter: cannot open {file}: No such file or directory"));
    };
    let (interfaces, routes) = (inside.interfaces, inside.routes);
    ip::run_ip(&Machine { interfaces, routes, ..Machine::default() }, words, io)
}

/// The qdiscs of one link, as `(kind, handle, rest)`: its own, then clsact where filters hang there.
fn qdiscs(machine: &Machine) -> Vec<(&'static str, &'static str, &str)> {
    let mut all = Vec::new();
    for interface in &machine.interfaces {
        let plain = matches!(interface.link, Link::Loopback | Link::Overlay);
        let own = if plain || interface.name.starts_with("br") { "noqueue" } else { "mq" };
        all.push((own, "0:", interface.name.as_str()));
        if machine.kernel.filters.iter().any(|filter| filter.dev == interface.name) {
            all.push(("clsact", "ffff:", interface.name.as_str()));
        }
    }
    all
}

/// `tc [-j] qdisc show`, `tc -j filter show dev DEV [HOOK]` and `tc class show dev DEV`.
pub fn run_tc(session: &Session, args: &[&str], io: &Io) -> i32 {
    match args {
        ["-j", "qdisc", "show"] => {
            let all = session.machine(|machine| {
                let objects = qdiscs(machine).into_iter().map(|(kind, handle, dev)| {
                    serde_json::json!({ "kind": kind, "handle": handle, "dev": dev, "options": {} })
                });
                objects.collect::<Vec<_>>()
            });
            io.out(&format!("{}\n", serde_json::json!(all)));
            0
        }
        ["qdisc", "show"] => {
            session.machine(|machine| {
                for (kind, handle, dev) in qdiscs(machine) {
                    io.out(&format!("qdisc {kind} {handle} dev {dev}\n"));
                }
            });
            0
        }
        ["-j", "filter", "show", "dev", dev, hook @ ..] => {
            let hook = hook.first().copied();
            let filters = session.machine(|machine| machine.kernel.filters.clone());
            let own = filters.iter().filter(|it| it.dev == *dev && Some(&*it.hook) == hook);
            let objects: Vec<_> = own
                .map(|it| {
                    serde_json::json!({ "protocol": "all", "pref": 49152, "kind": it.kind, "chain": 0 })
                })
                .collect();
            io.out(&format!("{}\n", serde_json::json!(objects)));
            0
        }
        ["class", "show", "dev", _] => 0,
        [word, ..] => io.fail(1, &format!("Object \"{word}\" is unknown, try \"tc help\".")),
        [] => io.fail(1, "Usage: tc [ OPTIONS ] OBJECT { COMMAND | help }"),
    }
}

/// `bridge -j fdb show` and `bridge -j -d link show`: no bridge of the model has ports of its own.
pub fn run_bridge(session: &Session, args: &[&str], io: &Io) -> i32 {
    let shown = match args {
        ["-j", "-d", "link", "show"] => serde_json::json!([]),
        ["-j", "fdb", "show"] => {
            let entries = session.machine(|machine| machine.kernel.forwarding.clone());
            let shown = entries.into_iter().map(|it| {
                serde_json::json!({
                    "mac": it.mac, "ifname": it.dev, "dst": it.destination, "flags": ["self"],
                    "state": "permanent",
                })
            });
            shown.collect::<serde_json::Value>()
        }
        _ => return io.fail(255, "Object is unknown, try \"bridge help\"."),
    };
    io.out(&format!("{shown}\n"));
    0
}

/// `bpftool -j net show`.
pub fn run_bpftool(session: &Session, args: &[&str], io: &Io) -> i32 {
    let ["-j", "net", "show"] = args else {
        return io.fail(255, "Error: expected 'net', got another object");
    };
    if !session.is_root() {
        io.out("{\"error\":\"can't query prog: Operation not permitted\"}\n");
        return 255;
    }
    let programs = session.machine(|machine| machine.kernel.programs.clone());
    let of = |xdp: bool| -> Vec<serde_json::Value> {
        let some = (1..).zip(&programs).filter(|(_, it)| (it.hook == "driver") == xdp);
        some.map(|(id, it)| {
            serde_json::json!({ "devname": it.dev, "ifindex": 2, "kind": it.hook, "name": it.name, "id": id })
        })
        .collect()
    };
    let all = serde_json::json!([{ "xdp": of(true), "tc": of(false), "flow_dissector": [] }]);
    io.out(&format!("{all}\n"));
    0
}

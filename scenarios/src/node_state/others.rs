//! Other namespaces, what decides forwarding, who listens, and who may log in.

use lab::shell::NodeFrames;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::read::{get_text, objects_in};
use super::{Reading, sorted};

/// By name, what has an address there and what is delivered there. One without a name is of a
/// process; one that has only a loopback leads nowhere.
pub fn read_namespaces(frames: &NodeFrames) -> Result<Reading, String> {
    if frames.named("namespaces")?.stdout.trim().is_empty() {
        return Ok(Reading::NotReadableHere("no process's namespace can be seen".to_owned()));
    }
    let mut items = Vec::new();
    for (rest, frame) in frames.beginning("namespace ") {
        let Some((name, what)) = rest.rsplit_once(' ') else { continue };
        items.push(json!({ "namespace": name }));
        match frame.text() {
            Ok(text) => items.extend(inside(name, what, text)?),
            Err(why) => items.push(json!({ "namespace": name, "not_readable": why })),
        }
    }
    for (rest, frame) in frames.beginning("unnamed ") {
        // A process that has ended took its namespace with it.
        if let (Some((_, what)), Ok(text)) = (rest.rsplit_once(' '), frame.text()) {
            items.extend(inside("of a process", what, text)?);
        }
    }
    Ok(Reading::Read(sorted(items)))
}

fn inside(name: &str, what: &str, said: &str) -> Result<Vec<Value>, String> {
    let mut items = Vec::new();
    for object in objects_in(said)? {
        if what == "addresses" {
            let infos = object.get("addr_info").and_then(Value::as_array).into_iter().flatten();
            for info in infos.filter_map(Value::as_object) {
                let Ok(address) = get_text(info, "local").parse::<IpAddr>() else { continue };
                let of_link = get_text(info, "scope") == "link";
                if !address.is_loopback() && !of_link {
                    let dev = object.get("ifname");
                    items.push(json!({ "namespace": name, "dev": dev, "address": address }));
                }
            }
        } else if get_text(&object, "type") == "local" && get_text(&object, "protocol") != "kernel"
        {
            let (dst, table) = (object.get("dst"), object.get("table"));
            items.push(json!({ "namespace": name, "local": dst, "table": table }));
        }
    }
    Ok(items)
}

/// Settings that the kernel reckons anew at each boot by the memory it finds, and the one that says
/// which modules are loaded.
const RECKONED: &[&str] = &["tcp_mem", "udp_mem", "tcp_available_congestion_control"];

/// The network's settings, but for conntrack's: its module comes with the first who asks for it.
pub fn read_sysctls(frames: &NodeFrames) -> Result<Reading, String> {
    settings(frames, |name| !is_conntracks(name) && !RECKONED.contains(&name))
}

pub fn read_conntrack(frames: &NodeFrames) -> Result<Reading, String> {
    let reading = settings(frames, is_conntracks)?;
    let none = reading == Reading::Read(Vec::new());
    let why = || Reading::NotReadableHere("no connections are tracked".to_owned());
    Ok(if none { why() } else { reading })
}

fn is_conntracks(name: &str) -> bool {
    name.starts_with("nf_conntrack") || name.starts_with("nf_flowtable")
}

/// Lines as `/proc/sys/net/ipv4/ip_forward:1`, those whose last name is asked for. No name of a file
/// there has a colon; a value may.
fn settings(frames: &NodeFrames, is_asked: impl Fn(&str) -> bool) -> Result<Reading, String> {
    let frame = frames.named("sysctls")?;
    if frame.stdout.trim().is_empty() {
        return Ok(Reading::NotReadableHere(frame.refusal()));
    }
    let mut items = Vec::new();
    for line in frame.stdout.lines().filter(|line| !line.trim().is_empty()) {
        let Some((path, value)) = line.split_once(':') else {
            return Ok(Reading::NotReadableHere(format!("`{line}` is no setting")));
        };
        let key = path.strip_prefix("/proc/sys/").unwrap_or(path);
        if is_asked(key.rsplit('/').next().unwrap_or(key)) {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            items.push(json!({ "sysctl": key, "value": value }));
        }
    }
    Ok(Reading::Read(sorted(items)))
}

/// Where the kernel does not say where they begin.
const EPHEMERAL: (u16, u16) = (32768, 60999);

/// Who listens where others can reach it. UDP's sockets say nothing of that: one that was not there
/// when the look began waits for an answer.
pub fn read_listeners(frames: &NodeFrames) -> Result<Reading, String> {
    let text = match frames.named("listeners")?.text() {
        Ok(text) => text,
        Err(why) => return Ok(Reading::NotReadableHere(why)),
    };
    let (first, last) = ephemeral(frames).unwrap_or(EPHEMERAL);
    let before = match frames.named("passing")?.text() {
        Ok(before) => before,
        Err(why) => return Ok(Reading::NotReadableHere(why)),
    };
    let before: Vec<&str> =
        before.lines().filter_map(|line| line.split_whitespace().nth(4)).collect();
    let mut items = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(transport), Some(local)) = (words.first(), words.get(4)) else {
            return Err(format!("`{line}` is no line of ss"));
        };
        let (address, port) = local.rsplit_once(':').ok_or(format!("`{local}` has no port"))?;
        let bare = address.trim_matches(['[', ']']).split('%').next().unwrap_or_default();
        let loopback = bare.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
        let one_answer = *transport == "udp" && !before.contains(local);
        let passing =
            one_answer || port.parse::<u16>().is_ok_and(|it| (first..=last).contains(&it));
        let processes = names(words.get(6..).unwrap_or_default().join(" ").as_str());
        if !loopback && !passing {
            items.push(json!({
                "transport": transport, "address": address, "port": port, "process": processes,
            }));
        }
    }
    Ok(Reading::Read(sorted(items)))
}

fn ephemeral(frames: &NodeFrames) -> Option<(u16, u16)> {
    let frame = frames.named("sysctls").ok()?;
    let line = frame.stdout.lines().find(|line| line.contains("ip_local_port_range:"))?;
    let mut words = line.rsplit(':').next()?.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The names in `users:(("sshd",pid=1,fd=3))`, without who only hands the socket on.
fn names(users: &str) -> Vec<String> {
    let quoted = users.split('"').skip(1).step_by(2).filter(|name| *name != "systemd");
    let names: std::collections::BTreeSet<&str> = quoted.collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Digests by file; one that is not there lets nobody in.
pub fn read_logins(frames: &NodeFrames) -> Result<Reading, String> {
    let frame = frames.named("logins")?;
    if frame.stdout.trim().is_empty() {
        return Ok(Reading::NotReadableHere(frame.refusal()));
    }
    let read = frame.stdout.lines().filter_map(|line| line.split_once("  "));
    let read = read.map(|(sha256, file)| json!({ "file": file, "sha256": sha256 }));
    // `sha256sum: /etc/sudoers: Permission denied`
    let denied = frame.stderr.lines().filter_map(|line| line.strip_suffix(": Permission denied"));
    let denied = denied.filter_map(|line| line.split_once(": "));
    let denied =
        denied.map(|(_, file)| json!({ "file": file, "not_readable": "permission denied" }));
    Ok(Reading::Read(sorted(read.chain(denied))))
}

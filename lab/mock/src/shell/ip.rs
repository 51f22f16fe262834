//! `ip -j`: addresses, routes and neighbours with the fields, and in the order, of iproute2 6.1.

use std::net::Ipv4Addr;

use super::{Io, Session, ip_more};
use crate::machines::{Interface, Link, Machine, Route};

const FOREVER: u32 = u32::MAX;

/// The options before the object.
#[derive(Clone, Copy, Default)]
struct IpOptions {
    as_json: bool,
    only_ipv4: bool,
    only_ipv6: bool,
}

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    session.machine(|machine| run_ip(machine, args, io))
}

/// Runs the program in the namespace of this machine, and returns its exit code.
pub fn run_ip(machine: &Machine, args: &[&str], io: &Io) -> i32 {
    let mut rest = args;
    let mut options = IpOptions::default();
    let mut batch = false;
    while let [option, tail @ ..] = rest {
        match *option {
            "-j" | "-json" => options.as_json = true,
            "-4" => options.only_ipv4 = true,
            "-6" => options.only_ipv6 = true,
            "-j4" | "-4j" => (options.as_json, options.only_ipv4) = (true, true),
            "-d" | "-force" => {}
            "-batch" if tail.first() == Some(&"-") => {
                batch = true;
                rest = &tail[1..];
                continue;
            }
            option if option.starts_with('-') => {
                return io.fail(255, &format!("Option \"{option}\" is unknown, try \"ip -help\"."));
            }
            _ => break,
        }
        rest = tail;
    }
    if !batch {
        return one(machine, options, rest, io);
    }
    let text = String::from_utf8_lossy(&io.stdin).into_owned();
    let mut code = 0;
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let failed = one(machine, options, &words, io);
        if failed != 0 {
            code = io.fail(1, &format!("Command failed -:{}", number + 1));
        }
    }
    code
}

fn one(machine: &Machine, options: IpOptions, words: &[&str], io: &Io) -> i32 {
    let (object, words) = match words {
        [object, words @ ..] => (*object, words),
        [] => return io.fail(255, "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }"),
    };
    if object == "xfrm" {
        return xfrm(machine, words, io);
    }
    let (["show" | "list" | "ls" | "s", words @ ..] | words) = words;
    let answer = match object {
        "addr" | "address" | "a" => addresses(machine, words, options.only_ipv4),
        "link" | "l" => links(machine, words),
        "route" | "r" if options.only_ipv6 => ip_more::show_routes6(machine, words),
        "route" | "r" => match words {
            ["get", address] => ip_more::get_route(machine, address),
            words => routes(machine, words),
        },
        "rule" | "ru" => Ok(ip_more::show_rules(machine, options.only_ipv6)),
        "nexthop" => Ok(Vec::new()),
        "netns" => ip_more::list_namespaces(machine, words),
        "neigh" | "neighbour" | "n" => neighbours(machine, words),
        object => Err((255, format!("Object \"{object}\" is unknown, try \"ip help\"."))),
    };
    match answer {
        Ok(_) if !options.as_json => io.fail(255, "ip: only -j is there on this node"),
        Ok(list) => {
            io.out(&format!("{}\n", text(&list)));
            0
        }
        Err((code, text)) => io.fail(code, &text),
    }
}

/// `xfrm state|policy list [nokeys]`, as text.
fn xfrm(machine: &Machine, words: &[&str], io: &Io) -> i32 {
    match words {
        ["state", "list", "nokeys"] => 0,
        ["policy", "getdefault"] => {
            io.out("Default policies:\n in:  accept\n fwd: accept\n out: accept\n");
            0
        }
        ["policy", "list"] => {
            machine.kernel.policies.iter().for_each(|it| io.out(&format!("{it}\n")));
            0
        }
        _ => io.fail(255, "Command is unknown, try \"ip xfrm help\"."),
    }
}

/// A name and its value as JSON text: objects keep the order of their fields this way.
pub(super) type JsonField = (&'static str, String);

pub(super) fn format_json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) type IpAnswer = Result<Vec<Vec<JsonField>>, (i32, String)>;

fn text(list: &[Vec<JsonField>]) -> String {
    let object = |fields: &Vec<JsonField>| {
        let fields: Vec<String> = fields.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let objects: Vec<String> = list.iter().map(object).collect();
    format!("[{}]", objects.join(","))
}

fn no_device(name: &str) -> (i32, String) {
    (1, format!("Device \"{name}\" does not exist."))
}

fn chosen<'a>(machine: &'a Machine, words: &[&str]) -> Result<Vec<&'a Interface>, (i32, String)> {
    match words {
        [] => Ok(machine.interfaces.iter().collect()),
        ["dev", name] | [name] => Ok(vec![machine.interface(name).ok_or_else(|| no_device(name))?]),
        [word, ..] => {
            Err((255, format!("Error: either \"dev\" is duplicate, or \"{word}\" is a garbage.")))
        }
    }
}

fn addresses(machine: &Machine, words: &[&str], only_ipv4: bool) -> IpAnswer {
    Ok(chosen(machine, words)?
        .into_iter()
        .map(|interface| {
            let mut fields = link(interface);
            if !only_ipv4 {
                fields.extend(hardware(interface));
            }
            let more = machine.kernel.addresses6.get(&interface.name).filter(|_| !only_ipv4);
            fields.push(("addr_info", address_info(interface, more)));
            fields
        })
        .collect())
}

fn links(machine: &Machine, words: &[&str]) -> IpAnswer {
    let with_hardware = |interface: &Interface| {
        let mut fields = link(interface);
        fields.insert(6, ("linkmode", format_json("DEFAULT")));
        fields.extend(hardware(interface));
        fields
    };
    Ok(chosen(machine, words)?.into_iter().map(with_hardware).collect())
}

fn link(interface: &Interface) -> Vec<JsonField> {
    let mut flags = match interface.link {
        Link::Loopback => vec!["LOOPBACK"],
        Link::Overlay => vec!["POINTOPOINT", "NOARP"],
        Link::Vpc | Link::Lan | Link::Outside | Link::Cable(_) => vec!["BROADCAST", "MULTICAST"],
    };
    let unknown = matches!(interface.link, Link::Loopback | Link::Overlay);
    let state = match (interface.up, unknown) {
        (false, _) => "DOWN",
        (true, true) => "UNKNOWN",
        (true, false) => "UP",
    };
    if interface.up {
        flags.extend(["UP", "LOWER_UP"]);
    }
    let qdisc = if unknown || interface.name.starts_with("br") { "noqueue" } else { "mq" };
    vec![
        ("ifindex", format_json(&interface.index)),
        ("ifname", format_json(&interface.name)),
        ("flags", format_json(&flags)),
        ("mtu", format_json(&interface.mtu)),
        ("qdisc", format_json(&qdisc)),
        ("operstate", format_json(&state)),
        ("group", format_json("default")),
        ("txqlen", format_json(&1000)),
    ]
}

fn hardware(interface: &Interface) -> Vec<JsonField> {
    let (kind, broadcast) = match interface.link {
        Link::Loopback => ("loopback", "00:00:00:00:00:00"),
        Link::Overlay => return vec![("link_type", format_json("none"))],
        Link::Vpc | Link::Lan | Link::Outside | Link::Cable(_) => ("ether", "ff:ff:ff:ff:ff:ff"),
    };
    vec![
        ("link_type", format_json(&kind)),
        ("address", format_json(&interface.mac)),
        ("broadcast", format_json(&broadcast)),
    ]
}

fn address_info(interface: &Interface, more: Option<&Vec<ipnet::Ipv6Net>>) -> String {
    let scope = |address: Ipv4Addr| if address.is_loopback() { "host" } else { "global" };
    let objects: Vec<Vec<JsonField>> = interface
        .addresses
        .iter()
        .map(|address| {
            let mut fields = vec![
                ("family", format_json("inet")),
                ("local", format_json(&address.addr())),
                ("prefixlen", format_json(&address.prefix_len())),
            ];
            if matches!(interface.link, Link::Vpc | Link::Lan | Link::Outside | Link::Cable(_))
                && address.prefix_len() < 31
            {
                fields.push(("broadcast", format_json(&address.broadcast())));
            }
            fields.extend([
                ("scope", format_json(&scope(address.addr()))),
                ("label", format_json(&interface.name)),
                ("valid_life_time", format_json(&FOREVER)),
                ("preferred_life_time", format_json(&FOREVER)),
            ]);
            fields
        })
        .chain(more.into_iter().flatten().map(ip_more::describe_address6))
        .collect();
    text(&objects)
}

fn routes(machine: &Machine, words: &[&str]) -> IpAnswer {
    let mut wanted: Box<dyn Fn(&Route) -> bool> = Box::new(|_| true);
    let mut local_too = false;
    match words {
        [] | ["table", "main"] => {}
        ["table", "all"] => local_too = true,
        ["table", "local"] => return Ok(local_routes(machine)),
        ["default"] => wanted = Box::new(|route| route.destination.prefix_len() == 0),
        ["dev", name] => {
            let name = (*name).to_owned();
            if machine.interface(&name).is_none() {
                return Err((1, format!("Cannot find device \"{name}\"")));
            }
            wanted = Box::new(move |route| route.dev == name);
        }
        [address] => {
            let net = destination(address).ok_or_else(|| {
                (1, format!("Error: inet prefix is expected rather than \"{address}\"."))
            })?;
            wanted = Box::new(move |route| route.destination == net);
        }
        [.., word] => {
            let text = format!("Error: either \"to\" is duplicate, or \"{word}\" is a garbage.");
            return Err((255, text));
        }
    }
    let table = machine.main_table();
    let mut list: Vec<_> = table.iter().filter(|route| wanted(route)).map(main_route).collect();
    if local_too {
        list.extend(ip_more::routes_of_tables(machine));
        list.extend(local_routes(machine));
    }
    Ok(list)
}

pub(super) fn destination(text: &str) -> Option<ipnet::Ipv4Net> {
    text.parse().ok().or_else(|| text.parse::<Ipv4Addr>().ok().map(ipnet::Ipv4Net::from))
}

pub(super) fn format_prefix(net: ipnet::Ipv4Net) -> String {
    match net.prefix_len() {
        0 => "default".into(),
        32 => net.addr().to_string(),
        _ => net.to_string(),
    }
}

pub(super) fn main_route(route: &Route) -> Vec<JsonField> {
    let mut fields = Vec::new();
    if route.local {
        fields.push(("type", format_json("local")));
    }
    fields.push(("dst", format_json(&format_prefix(route.destination))));
    fields.extend(route.via.map(|via| ("gateway", format_json(&via))));
    fields.push(("dev", format_json(&route.dev)));
    if route.protocol != "boot" {
        fields.push(("protocol", format_json(&route.protocol)));
    }
    if route.local {
        fields.push(("scope", format_json("host")));
    } else if route.via.is_none() {
        fields.push(("scope", format_json("link")));
    }
    fields.extend(route.source.map(|source| ("prefsrc", format_json(&source))));
    fields.extend(route.metric.map(|metric| ("metric", format_json(&metric))));
    fields.push(("flags", format_json(&[(); 0])));
    fields.extend(route.mtu.map(|mtu| ("metrics", format!("[{{\"mtu\":{mtu}}}]"))));
    fields
}

fn local_routes(machine: &Machine) -> Vec<Vec<JsonField>> {
    let mut list = Vec::new();
    for interface in machine.interfaces.iter().filter(|interface| interface.up) {
        for address in &interface.addresses {
            let local = |kind: &str, dst: String, scope: &str| {
                vec![
                    ("type", format_json(&kind)),
                    ("dst", format_json(&dst)),
                    ("dev", format_json(&interface.name)),
                    ("table", format_json("local")),
                    ("protocol", format_json("kernel")),
                    ("scope", format_json(&scope)),
                    ("prefsrc", format_json(&address.addr())),
                    ("flags", format_json(&[(); 0])),
                ]
            };
            let key = |a: Ipv4Addr| u32::from(a);
            if interface.link == Link::Loopback && address.addr().is_loopback() {
                let net = address.trunc();
                list.push((key(net.addr()), local("local", net.to_string(), "host")));
            }
            list.push((key(address.addr()), local("local", address.addr().to_string(), "host")));
            if address.prefix_len() < 31 {
                let last = address.broadcast();
                list.push((key(last), local("broadcast", last.to_string(), "link")));
            }
        }
    }
    list.sort_by_key(|(address, _)| *address);
    list.into_iter().map(|(_, fields)| fields).collect()
}

fn neighbours(machine: &Machine, words: &[&str]) -> IpAnswer {
    match words {
        ["proxy"] => Ok(machine
            .proxy_neighbours
            .iter()
            .map(|proxy| {
                vec![
                    ("dst", format_json(&proxy.address)),
                    ("dev", format_json(&proxy.dev)),
                    ("proxy", format_json(&())),
                ]
            })
            .collect()),
        [] | ["nud", "all"] => Ok(machine
            .neighbours
            .iter()
            .map(|neighbour| {
                let mut fields = vec![
                    ("dst", format_json(&neighbour.address)),
                    ("dev", format_json(&neighbour.dev)),
                ];
                fields.extend(neighbour.mac.as_ref().map(|mac| ("lladdr", format_json(&mac))));
                fields.push(("state", format_json(&[&neighbour.state])));
                fields
            })
            .collect()),
        [word, ..] => {
            Err((255, format!("Error: either \"to\" is duplicate, or \"{word}\" is a garbage.")))
        }
    }
}

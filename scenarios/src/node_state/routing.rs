//! Rules, routes of all tables, neighbours, and how the kernel decides.

use lab::shell::NodeFrames;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::links::Links;
use super::read::{Object, get_text, join_readings, normalise_objects, objects_in, read_objects};
use super::{Reading, without};

pub fn read_rules(frames: &NodeFrames) -> Result<Reading, String> {
    let four =
        normalise_objects(read_objects(frames, "rules")?, |rule| Some(of_family(rule, false)));
    let six = read_objects(frames, "rules6")?;
    // A kernel without IPv6 has none.
    let six = six.or_else(|why| if no_ipv6(&why) { Ok(Vec::new()) } else { Err(why) });
    Ok(join_readings(four, normalise_objects(six, |rule| Some(of_family(rule, true)))))
}

fn no_ipv6(why: &str) -> bool {
    why.contains("not supported by protocol")
}

/// The two families' objects look alike.
fn of_family(object: Object, ipv6: bool) -> Value {
    let mut value = Value::Object(object);
    if ipv6 {
        value["family"] = json!("inet6");
    }
    value
}

pub fn read_routes(frames: &NodeFrames, links: &Links) -> Result<Reading, String> {
    let all = links.all();
    let normal = |ipv6: bool| {
        let all = &all;
        move |route: Object| (!is_derived(&route, all)).then(|| route_of(route, ipv6))
    };
    let four = normalise_objects(read_objects(frames, "routes")?, normal(false));
    let six = read_objects(frames, "routes6")?;
    let six = six.or_else(|why| if no_ipv6(&why) { Ok(Vec::new()) } else { Err(why) });
    Ok(join_readings(join_readings(four, normalise_objects(six, normal(true))), nexthops(frames)?))
}

/// Where routes lead that only name an object. A kernel or a program without them has none.
fn nexthops(frames: &NodeFrames) -> Result<Reading, String> {
    let Ok(objects) = read_objects(frames, "nexthops")? else {
        return Ok(Reading::Read(Vec::new()));
    };
    let of = |object| json!({ "nexthop": route_of(object, false) });
    Ok(normalise_objects(Ok(objects), |object| Some(of(object))))
}

fn route_of(route: Object, ipv6: bool) -> Value {
    let mut route = of_family(route, ipv6);
    without(&mut route, &|key| ["expires", "cache", "age", "users", "used"].contains(&key));
    if let Some(flags) = route.get_mut("flags").and_then(Value::as_array_mut) {
        flags.retain(|flag| flag == "onlink");
    }
    route
}

/// Whether the kernel has it because of an address: then the address tells.
fn is_derived(route: &Object, addresses: &[(&str, IpAddr, u8)]) -> bool {
    if get_text(route, "protocol") != "kernel" || route.contains_key("gateway") {
        return false;
    }
    let dst = get_text(route, "dst");
    if dst == "fe80::/64" || dst == "ff00::/8" || dst == "multicast" {
        return true;
    }
    let Ok(net) = dst.parse::<IpNet>().or_else(|_| dst.parse::<IpAddr>().map(IpNet::from)) else {
        return false;
    };
    let dev = get_text(route, "dev");
    let of_dev = || addresses.iter().filter(|(name, _, _)| *name == dev);
    let network = |(_, address, length): &(&str, IpAddr, u8)| IpNet::new(*address, *length).ok();
    match (get_text(route, "type"), get_text(route, "table")) {
        ("local", "local") => of_dev().any(|it| IpNet::from(it.1) == net || loops(it, &net)),
        ("broadcast" | "anycast", "local") => of_dev().filter_map(network).any(|it| {
            let edges = [it.network(), it.broadcast()];
            edges.contains(&net.addr()) && net.prefix_len() == net.max_prefix_len()
        }),
        ("multicast", "local") => net.addr().is_multicast(),
        ("", "") => of_dev().filter_map(network).any(|it| it.trunc() == net),
        _ => false,
    }
}

/// All of a loopback's network is local.
fn loops((_, address, length): &(&str, IpAddr, u8), net: &IpNet) -> bool {
    address.is_loopback() && IpNet::new(*address, *length).is_ok_and(|it| it.trunc() == *net)
}

/// How packets to addresses outside would go; where there is no way, there is none.
pub fn read_ways(frames: &NodeFrames) -> Result<Reading, String> {
    let mut all = Vec::new();
    for name in ["ways", "ways6"] {
        let frame = frames.named(name)?;
        if frame.code == 127 {
            return Ok(Reading::NotReadableHere(frame.refusal()));
        }
        // `ip` says of each address that it is unreachable, and ends with an error then.
        all.extend(objects_in(&frame.stdout)?);
    }
    Ok(normalise_objects(Ok(all), |mut way| {
        if get_text(&way, "dst").contains(':') {
            way.remove("prefsrc");
        }
        for key in ["uid", "cache", "flags", "expires", "from", "age", "users"] {
            way.remove(key);
        }
        // Since the first rule ever was made the kernel asks these two apart, and says so.
        if matches!(get_text(&way, "table"), "local" | "main") {
            way.remove("table");
        }
        Some(Value::Object(way))
    }))
}

/// Entries that nobody's answer changes; what is learned is none of it, nor what the kernel makes for
/// groups and for links that need none.
pub fn neighbours(frames: &NodeFrames, links: &Links) -> Result<Reading, String> {
    let own: Vec<IpAddr> = links.all().into_iter().map(|it| it.1).collect();
    let entries = normalise_objects(read_objects(frames, "neighbours")?, |entry| {
        let has = |state: &str| {
            let states = entry.get("state").and_then(Value::as_array);
            states.into_iter().flatten().any(|it| it == state)
        };
        let address: Option<IpAddr> = get_text(&entry, "dst").parse().ok();
        let made = address.is_none_or(|it| it.is_multicast() || it.is_unspecified())
            || address.is_some_and(|it| own.contains(&it))
            || get_text(&entry, "lladdr") == "ff:ff:ff:ff:ff:ff"
            || links.is_without_neighbours(get_text(&entry, "dev"));
        let kept = has("PERMANENT") || has("NOARP") && !made;
        kept.then(|| {
            json!({
                "dst": entry.get("dst"), "dev": entry.get("dev"),
                "lladdr": entry.get("lladdr"), "state": entry.get("state"),
            })
        })
    });
    let proxies = normalise_objects(read_objects(frames, "proxies")?, |entry| {
        Some(json!({ "proxy": entry.get("dst"), "dev": entry.get("dev") }))
    });
    Ok(join_readings(entries, proxies))
}

//! Links and their addresses, without what changes by itself.

use lab::shell::NodeFrames;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::read::{Object, get_text, join_readings, normalise_objects, objects_in, read_objects};
use super::{Reading, sorted, without};

pub struct Links {
    objects: Vec<Object>,
}

/// Numbers that a reboot gives anew, states of a cable, and what a queue or a bridge counts. The
/// qdisc is traffic control's.
const VOLATILE: &[&str] = &[
    "ifindex",
    "link_index",
    "operstate",
    "qdisc",
    "promiscuity",
    "allmulti",
    "addr_info",
    "txqlen",
    "min_mtu",
    "max_mtu",
    "parentbus",
    "parentdev",
    "info_slave_data",
    "root_id",
    "bridge_id",
    "root_port",
    "root_path_cost",
    "topology_change",
    "topology_change_detected",
    "prog_id",
    "linkmode",
    "carrier_changes",
    "proto_down_reason",
    "designated_root",
    "designated_bridge",
];
const PREFIXES: &[&str] = &["num_", "gso_", "gro_", "tso_", "stats", "carrier_"];
/// Flags that a cable sets, not who configured the link.
const CABLE: &[&str] = &["LOWER_UP", "NO-CARRIER", "M-DOWN", "RUNNING", "DORMANT", "ECHO"];

fn is_volatile(key: &str) -> bool {
    VOLATILE.contains(&key)
        || key.ends_with("_timer")
        || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

impl Links {
    pub fn read(frames: &NodeFrames) -> Result<Self, String> {
        let frame = frames.named("links")?;
        Ok(Self { objects: frame.text().map_or(Ok(Vec::new()), objects_in)? })
    }

    /// Whether a packet needs no neighbour there.
    pub fn is_without_neighbours(&self, dev: &str) -> bool {
        self.objects.iter().filter(|link| get_text(link, "ifname") == dev).any(|link| {
            let flags = link.get("flags").and_then(Value::as_array);
            let plain = ["LOOPBACK", "NOARP", "POINTOPOINT"];
            flags.into_iter().flatten().any(|it| plain.iter().any(|flag| it == flag))
        })
    }

    pub fn shown(&self, frames: &NodeFrames) -> Result<Reading, String> {
        let frame = frames.named("links")?;
        if let Err(why) = frame.text() {
            return Ok(Reading::NotReadableHere(why));
        }
        let names = read_objects(frames, "namespace-names")?.unwrap_or_default();
        let names: BTreeMap<String, String> = names
            .iter()
            .filter_map(|it| Some((it.get("nsid")?.to_string(), get_text(it, "name").to_owned())))
            .collect();
        let links = self.objects.iter().map(|link| normal(link.clone(), &names));
        Ok(Reading::Read(sorted(links)))
    }

    /// The addresses of every link, as `{dev, address}`; lifetimes are none of it, nor are the
    /// addresses that the kernel makes for privacy or for the link alone.
    pub fn addresses(&self) -> Reading {
        let mut items = Vec::new();
        for (dev, info) in self.infos() {
            let of_link = get_text(info, "family") == "inet6" && get_text(info, "scope") == "link";
            if of_link || info.get("temporary").is_some() {
                continue;
            }
            let length = info.get("prefixlen").map(Value::to_string).unwrap_or_default();
            let mut item =
                json!({ "dev": dev, "address": format!("{}/{length}", get_text(info, "local")) });
            // One that was for ever and is not any more goes by itself.
            if info.get("valid_life_time").and_then(Value::as_u64) != Some(u64::from(u32::MAX)) {
                item["expires"] = json!(true);
            }
            // The other end of a point-to-point link.
            if let Some(peer) = info.get("address") {
                item["peer"] = peer.clone();
            }
            items.push(item);
        }
        if self.objects.is_empty() {
            return Reading::NotReadableHere("its links cannot be read".to_owned());
        }
        Reading::Read(sorted(items))
    }

    fn infos(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.objects.iter().flat_map(|link| {
            let infos = link.get("addr_info").and_then(Value::as_array).into_iter().flatten();
            let infos = infos.filter_map(Value::as_object);
            // One that is only the other family's place holder is empty.
            infos.filter(|info| info.contains_key("local")).map(|it| (get_text(link, "ifname"), it))
        })
    }

    /// Every address with its link and length, those included that are not compared.
    pub fn all(&self) -> Vec<(&str, IpAddr, u8)> {
        self.infos()
            .filter_map(|(dev, info)| {
                let length = u8::try_from(info.get("prefixlen")?.as_u64()?).ok()?;
                Some((dev, get_text(info, "local").parse().ok()?, length))
            })
            .collect()
    }
}

/// Whether nobody talks to it by IP: then it is a part of something else.
fn is_without_addresses(link: &Value) -> bool {
    let infos = link["addr_info"].as_array().into_iter().flatten();
    !infos.into_iter().any(|info| info["family"] == "inet")
}

/// How bridges treat their ports, and which far ends tunnels and bridges were given; what they learn
/// and what the kernel makes for its own is none of it.
pub fn read_bridges(frames: &NodeFrames) -> Result<Reading, String> {
    let ports = read_objects(frames, "ports")?;
    let ports = normalise_objects(ports, |port| {
        // One without a cable is disabled by that.
        let flags = port.get("flags").and_then(Value::as_array);
        let has_cable = flags.into_iter().flatten().any(|flag| flag == "LOWER_UP");
        let is_disabled = has_cable && get_text(&port, "state") == "disabled";
        let mut port = Value::Object(port);
        without(&mut port, &|key| is_volatile(key) || matches!(key, "flags" | "state" | "link"));
        if is_disabled {
            port["state"] = json!("disabled");
        }
        Some(port)
    });
    let entries = normalise_objects(read_objects(frames, "forwarding")?, |entry| {
        let given = match get_text(&entry, "state") {
            "static" => true,
            "permanent" => entry.contains_key("dst"),
            _ => false,
        };
        let mut entry = Value::Object(entry);
        without(&mut entry, &|key| matches!(key, "flags" | "updated" | "used"));
        given.then_some(entry)
    });
    Ok(join_readings(ports, entries))
}

fn normal(link: Object, names: &BTreeMap<String, String>) -> Value {
    let mut link = Value::Object(link);
    if let Some(number) = link.get("link_netnsid").cloned() {
        let name = names.get(&number.to_string()).filter(|name| !name.is_empty());
        link["link_netnsid"] = json!(name.map_or("without a name", String::as_str));
        // Its number there.
        if link["link"].is_null() {
            link["link"] = json!("in another namespace");
        }
    }
    // A made link's address is drawn anew each time it is made. One end of a cable is a machine's.
    let is_made = !link["linkinfo"].is_null() && link["linkinfo"]["info_kind"] != "veth";
    if is_made || is_without_addresses(&link) {
        without(&mut link, &|key| key == "address");
    }
    let deprecated = deprecated(&link);
    without(&mut link, &is_volatile);
    if let Some(flags) = link.get_mut("flags").and_then(Value::as_array_mut) {
        flags.retain(|flag| !CABLE.iter().any(|it| flag == it));
        flags.sort_by_key(ToString::to_string);
    }
    if !deprecated.is_empty() {
        link["deprecated"] = json!(deprecated);
    }
    link
}

/// The link's addresses that nothing new is sent from, of those that stay for ever.
fn deprecated(link: &Value) -> Vec<Value> {
    let infos = link["addr_info"].as_array().into_iter().flatten();
    let is_one =
        |info: &&Value| info["deprecated"] == true && info["valid_life_time"] == json!(u32::MAX);
    infos.filter(is_one).map(|info| info["local"].clone()).collect()
}

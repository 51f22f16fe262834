//! Everything that is done to packets on their way: rules of both kinds, filters, programs, XFRM.

use lab::shell::NodeFrames;
use serde_json::{Map, Value, json};

use super::read::{Object, normalise_objects, objects_in, read_objects};
use super::{Reading, sorted, without};
use crate::baseline;

pub fn read_hostname(frames: &NodeFrames) -> Result<Reading, String> {
    Ok(match frames.named("hostname")?.text() {
        Ok(text) => Reading::Read(vec![json!(text.trim())]),
        Err(why) => Reading::NotReadableHere(why),
    })
}

pub fn read_nft(frames: &NodeFrames) -> Result<Reading, String> {
    let text = match frames.named("nft")?.text() {
        Ok(text) => text,
        Err(why) => return Ok(Reading::NotReadableHere(why)),
    };
    let mut ruleset = baseline::nft_ruleset(text)?;
    let items = ruleset.get_mut("nftables").and_then(Value::as_array_mut);
    let mut items = items.map(std::mem::take).ok_or("nft's answer has no ruleset")?;
    items.iter_mut().for_each(forget_elements);
    // The order of rules is what they mean.
    Ok(Reading::Read(items))
}

/// Removes the elements that packets put into a set: such an element goes by itself.
fn forget_elements(item: &mut Value) {
    let Some(set) = ["set", "map"].into_iter().find(|kind| item.get(kind).is_some()) else {
        return;
    };
    let flags = item[set]["flags"].as_array().cloned().unwrap_or_default();
    if flags.iter().any(|flag| flag == "timeout" || flag == "dynamic")
        && let Some(set) = item[set].as_object_mut()
    {
        set.remove("elem");
    }
}

/// Lines such as `ip nat: -A POSTROUTING …`. A table without rules is none: who only asks makes it.
pub fn legacy_tables(frames: &NodeFrames) -> Reading {
    let mut items = Vec::new();
    for (table, frame) in frames.beginning("legacy ") {
        let text = match frame.text() {
            Ok(text) => text,
            Err(why) => return Reading::NotReadableHere(why),
        };
        items
            .extend(text.lines().filter_map(legacy_line).map(|it| json!(format!("{table}: {it}"))));
    }
    // Without the module there is no such file.
    if let Ok(frame) = frames.named("arp-tables") {
        items.extend(
            frame
                .stdout
                .lines()
                .filter(|line| !line.is_empty())
                .map(|name| json!(format!("arp {name}"))),
        );
    }
    // The order of rules is what they mean.
    Reading::Read(items)
}

fn legacy_line(line: &str) -> Option<String> {
    if line.starts_with('-') {
        return Some(line.to_owned());
    }
    // `:INPUT ACCEPT [12:3456]`
    let mut words = line.strip_prefix(':')?.split_whitespace();
    let (chain, policy) = (words.next()?, words.next()?);
    let built_in = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].contains(&chain);
    (!(built_in && policy == "ACCEPT")).then(|| format!(":{chain} {policy}"))
}

/// The qdiscs that a link has by itself.
const PLAIN: &[&str] = &["noqueue", "noop", "mq", "fq_codel", "fq", "pfifo_fast"];
/// Numbers and what is counted.
const COUNTED: &[&str] = &[
    "id",
    "handle",
    "refcnt",
    "ref",
    "bind",
    "index",
    "stats",
    "installed",
    "last_used",
    "first_used",
    "used",
    "parent",
    "ifindex",
    "prog_id",
    "link_id",
    "map_ids",
    "expires",
    "direct_packets_stat",
];

fn uncounted(object: Object) -> Value {
    let mut value = Value::Object(object);
    without(&mut value, &|key| COUNTED.contains(&key));
    value
}

pub fn traffic_control(frames: &NodeFrames) -> Result<Reading, String> {
    let qdiscs = normalise_objects(read_objects(frames, "qdiscs")?, |qdisc| {
        let kind = qdisc.get("kind").and_then(Value::as_str).unwrap_or_default();
        (!PLAIN.contains(&kind)).then(|| uncounted(qdisc))
    });
    let Reading::Read(mut items) = qdiscs else { return Ok(qdiscs) };
    for (device, frame) in frames.beginning("classes ") {
        for class in frame.text().unwrap_or_default().lines() {
            // `class htb 1:10 root …`: those of a plain kind are flows.
            let kind = class.split_whitespace().nth(1).unwrap_or_default();
            if !PLAIN.contains(&kind) && !class.trim().is_empty() {
                items.push(json!({ "class_of": device, "class": class.trim() }));
            }
        }
    }
    for (place, frame) in frames.beginning("filters ") {
        // Where nothing can hang, `tc` says that the parent is not there.
        for filter in frame.text().map_or(Ok(Vec::new()), objects_in)? {
            let mut filter = uncounted(filter);
            filter["at"] = json!(place);
            items.push(filter);
        }
    }
    Ok(Reading::Read(sorted(items)))
}

pub fn read_bpf(frames: &NodeFrames) -> Result<Reading, String> {
    let objects = match read_objects(frames, "bpf")? {
        Ok(objects) => objects,
        Err(why) => return Ok(Reading::NotReadableHere(why)),
    };
    let mut items = Vec::new();
    for (kind, attached) in objects.into_iter().flatten() {
        for program in attached.as_array().cloned().unwrap_or_default() {
            let Value::Object(program) = program else { continue };
            let mut program = uncounted(program);
            program["at"] = json!(kind);
            items.push(program);
        }
    }
    Ok(Reading::Read(sorted(items)))
}

/// Policies, and between whom there are states: their numbers and their keys change by themselves.
pub fn read_xfrm(frames: &NodeFrames) -> Result<Reading, String> {
    let mut items = Vec::new();
    for (name, kept) in [("xfrm-states", 1), ("xfrm-policies", usize::MAX)] {
        let text = match frames.named(name)?.text() {
            Ok(text) => text,
            Err(why) => return Ok(Reading::NotReadableHere(why)),
        };
        let mut blocks: Vec<Vec<String>> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            match blocks.last_mut() {
                Some(block) if line.starts_with(char::is_whitespace) => block.push(words),
                _ => blocks.push(vec![words]),
            }
        }
        items.extend(blocks.into_iter().map(|block| {
            let words: Vec<String> = block.into_iter().take(kept).collect();
            Value::Object(Map::from_iter([(name.to_owned(), json!(words.join("; ")))]))
        }));
    }
    // What no policy names is let through, unless somebody said so; old kernels know no other way.
    let default = frames.named("xfrm-default")?.text().unwrap_or_default();
    let blocked = default.lines().map(str::trim).filter(|line| line.ends_with("block"));
    items.extend(blocked.map(|line| json!({ "xfrm-default": line })));
    Ok(Reading::Read(sorted(items)))
}

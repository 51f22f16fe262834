//! From the frames of a look to a node's state.

use lab::shell::NodeFrames;
use serde_json::{Map, Value};

use super::{NodeState, Reading, Source, agents, kernel, links, others, routing};

pub type Object = Map<String, Value>;

impl NodeState {
    /// Reads the answer of one look.
    ///
    /// # Errors
    /// Where a program's words are not what it says: nothing is known then.
    pub fn read(frames: &NodeFrames) -> Result<Self, String> {
        let mut state = Self::default();
        let links = links::Links::read(frames)?;
        for source in Source::ALL {
            let reading = read_one(frames, &links, source)
                .map_err(|why| format!("its {}: {why}", source.as_str()))?;
            state.sources.insert(source, reading);
        }
        if let Ok(text) = frames.named("nft").and_then(|frame| frame.text().map(str::to_owned)) {
            state.ruleset = crate::baseline::nft_items(&text)?;
        }
        state.agents = Some(agents::read_agents(frames));
        Ok(state)
    }
}

fn read_one(frames: &NodeFrames, links: &links::Links, source: Source) -> Result<Reading, String> {
    match source {
        Source::Hostname => kernel::read_hostname(frames),
        Source::Links => links.shown(frames),
        Source::Addresses => Ok(links.addresses()),
        Source::Bridges => links::read_bridges(frames),
        Source::Neighbours => routing::neighbours(frames, links),
        Source::Rules => routing::read_rules(frames),
        Source::Routes => routing::read_routes(frames, links),
        Source::Ways => routing::read_ways(frames),
        Source::Nft => kernel::read_nft(frames),
        Source::LegacyTables => Ok(kernel::legacy_tables(frames)),
        Source::TrafficControl => kernel::traffic_control(frames),
        Source::Bpf => kernel::read_bpf(frames),
        Source::Xfrm => kernel::read_xfrm(frames),
        Source::Namespaces => others::read_namespaces(frames),
        Source::Sysctls => others::read_sysctls(frames),
        Source::Conntrack => others::read_conntrack(frames),
        Source::Listeners => others::read_listeners(frames),
        Source::Logins => others::read_logins(frames),
    }
}

/// The objects that a program lists, or that it is not readable here.
pub fn read_objects(
    frames: &NodeFrames,
    name: &str,
) -> Result<Result<Vec<Object>, String>, String> {
    match frames.named(name)?.text() {
        Ok(text) => objects_in(text).map(Ok),
        Err(why) => Ok(Err(why)),
    }
}

/// The objects of one or several lists in a row; nothing at all is an empty one.
pub fn objects_in(text: &str) -> Result<Vec<Object>, String> {
    let mut all = Vec::new();
    for list in serde_json::Deserializer::from_str(text).into_iter::<Vec<Object>>() {
        all.extend(list.map_err(|error| format!("not the JSON that was asked for: {error}"))?);
    }
    // What a program has no value for it may show as an empty object.
    all.retain(|object| !object.is_empty());
    Ok(all)
}

/// A list, normalised; or that it is not readable.
pub fn normalise_objects(
    objects: Result<Vec<Object>, String>,
    normalise: impl FnMut(Object) -> Option<Value>,
) -> Reading {
    match objects {
        Ok(objects) => Reading::Read(super::sorted(objects.into_iter().filter_map(normalise))),
        Err(why) => Reading::NotReadableHere(why),
    }
}

/// Two readings that are one source: it is readable where both are.
pub fn join_readings(one: Reading, other: Reading) -> Reading {
    match (one, other) {
        (Reading::Read(one), Reading::Read(other)) => {
            Reading::Read(super::sorted(one.into_iter().chain(other)))
        }
        (Reading::NotReadableHere(why), _) | (_, Reading::NotReadableHere(why)) => {
            Reading::NotReadableHere(why)
        }
    }
}

pub fn get_text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

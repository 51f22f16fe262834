//! How long the lab's instances ran, by the journal's own times.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lab::Lab;
use lab::manifest::Ceiling;
use reports::journal::Writer;
use reports::record::{CostRecorded, Intent, Kind, Outcome, Record};

/// The manifest's, where it has one.
pub fn ceiling(lab: &Lab) -> Option<u64> {
    match lab.manifest.limits.max_instance_seconds {
        Ceiling::Seconds(ceiling) => Some(ceiling),
        Ceiling::Word(_) => None,
    }
}

/// Seconds that the instances ran during this run until now; `ran` are those that preflight saw
/// running.
pub fn instance_seconds(lab: &Lab, journal: &Writer, ran: &BTreeSet<String>) -> u64 {
    let now = lab.clock.now();
    let ids = lab.manifest.nodes.values().filter_map(|node| node.instance_id.as_ref());
    journal
        .with_records(|records| ids.map(|id| seconds_of(records, id, ran.contains(id), now)).sum())
}

/// What a reader of the evidence sees.
pub fn recorded(lab: &Lab, instance_seconds: u64) -> Kind {
    Kind::CostRecorded(CostRecorded { instance_seconds, max_instance_seconds: ceiling(lab) })
}

/// From the run's first record, or each start, to each sight of the instance's end.
fn seconds_of(records: &[Record], id: &str, ran: bool, now: DateTime<Utc>) -> u64 {
    let turns = turns(records, id);
    let ran_at_first = turns.first().map_or(ran, |(_, turn)| *turn == Turn::Off);
    let mut since = records.first().map(|first| first.at).filter(|_| ran_at_first);
    let mut seconds = 0;
    for (at, turn) in turns {
        match turn {
            Turn::On => since = since.or(Some(at)),
            Turn::Off => seconds += since.take().map_or(0, |since| between(since, at)),
        }
    }
    seconds + since.map_or(0, |since| between(since, now))
}

fn between(from: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
    u64::try_from((until - from).num_seconds()).unwrap_or(0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    On,
    Off,
}

/// When this run turned the instance on and off.
fn turns(records: &[Record], id: &str) -> Vec<(DateTime<Utc>, Turn)> {
    let turn = |intent: &Intent| match intent.what.as_str() {
        "ec2 StartInstances" => Some(Turn::On),
        "ec2 StopInstances" | "ec2 TerminateInstances" => Some(Turn::Off),
        _ => None,
    };
    let of_this = |intent: &str| {
        records.iter().find_map(|record| match &record.kind {
            Kind::Intent(it) if it.id == intent && it.resource == id => turn(it),
            _ => None,
        })
    };
    let turned = |record: &Record| match &record.kind {
        Kind::Outcome(it) if it.outcome == Outcome::Done => Some((record.at, of_this(&it.intent)?)),
        _ => None,
    };
    records.iter().filter_map(turned).collect()
}

//! How long the lab's instances ran, by the journal's own times.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lab::Lab;
use lab::manifest::Ceiling;
use reports::journal::Writer;
use reports::record::{
    CostRecorded, Effect, InstancesFound, Kind, Life, Outcome, Power, Record, ResourceKind,
};

/// The manifest's, where it has one.
pub fn read_ceiling(lab: &Lab) -> Option<u64> {
    match lab.manifest.limits.max_instance_seconds {
        Ceiling::Seconds(ceiling) => Some(ceiling),
        Ceiling::Word(_) => None,
    }
}

/// Seconds that the instances ran during this run until now. What was never seen to rest is taken to
/// run: evidence says too much rather than too little.
pub fn instance_seconds(lab: &Lab, journal: &Writer) -> u64 {
    journal.with_records(|records| by_type(lab, records).values().sum())
}

/// The same, by instance type.
fn by_type(lab: &Lab, records: &[Record]) -> BTreeMap<String, u64> {
    let now = lab.clock.now();
    let mut sums = BTreeMap::new();
    for id in lab.manifest.nodes.values().filter_map(|node| node.instance_id.as_ref()) {
        let instance_type = type_of(records, id).unwrap_or("unknown").to_owned();
        *sums.entry(instance_type).or_default() += seconds_of(records, id, now);
    }
    sums
}

fn type_of<'a>(records: &'a [Record], id: &str) -> Option<&'a str> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::InstancesFound(found) => found.types.get(id).map(String::as_str),
        _ => None,
    })
}

/// The record that a reader of the evidence sees: what of the lab cost, and for how long.
pub fn make_cost_record(lab: &Lab, journal: &Writer) -> Kind {
    let now = lab.clock.now();
    journal.with_records(|records| {
        let instance_seconds_by_type = by_type(lab, records);
        Kind::CostRecorded(CostRecorded {
            instance_seconds: instance_seconds_by_type.values().sum(),
            max_instance_seconds: read_ceiling(lab),
            instance_seconds_by_type,
            address_seconds: seconds_there(records, ResourceKind::Address, now),
            volume_seconds: seconds_there(records, ResourceKind::Volume, now),
        })
    })
}

/// Of all resources of a kind, from their first sight to their end, as far as this run saw one. They
/// cost whether or not an instance runs.
fn seconds_there(records: &[Record], kind: ResourceKind, now: DateTime<Utc>) -> u64 {
    let mut there: BTreeMap<&str, (DateTime<Utc>, Option<DateTime<Utc>>)> = BTreeMap::new();
    for record in records {
        match &record.kind {
            Kind::ResourcesSeen(seen) => {
                for it in seen.resources.iter().filter(|it| it.kind == kind) {
                    let (_, end) = there.entry(&it.id).or_insert((record.at, None));
                    if it.life == Life::Ended {
                        end.get_or_insert(record.at);
                    }
                }
            }
            Kind::Outcome(it) if it.outcome == Outcome::Done => {
                let ended = ended_by(records, &it.intent);
                if let Some((_, end)) = ended.and_then(|id| there.get_mut(id)) {
                    end.get_or_insert(record.at);
                }
            }
            _ => {}
        }
    }
    there.values().map(|(from, until)| between(*from, until.unwrap_or(now))).sum()
}

/// The resource that this intent released or deleted.
fn ended_by<'a>(records: &'a [Record], intent: &str) -> Option<&'a str> {
    records.iter().find_map(|record| match &record.kind {
        Kind::Intent(it) if it.id == intent => match &it.effect {
            Effect::Ec2ReleaseAddress { allocation_id, .. } => Some(allocation_id.as_str()),
            Effect::Ec2DeleteVolume { volume_id, .. } => Some(volume_id.as_str()),
            _ => None,
        },
        _ => None,
    })
}

/// From the run's first record, or each start, to each sight of the instance's end.
fn seconds_of(records: &[Record], id: &str, now: DateTime<Utc>) -> u64 {
    let turns = turns(records, id);
    let ran_at_first = turns.first().is_none_or(|(_, turn)| *turn != Turn::Started);
    let mut since = records.first().map(|first| first.at).filter(|_| ran_at_first);
    let mut seconds = 0;
    for (nth, (at, turn)) in turns.into_iter().enumerate() {
        match turn {
            Turn::Started | Turn::Runs => since = since.or(Some(at)),
            // It did not run since the beginning, where it is found so first of all.
            Turn::Rests if nth == 0 => since = None,
            Turn::Rests | Turn::Ended => {
                seconds += since.take().map_or(0, |since| between(since, at));
            }
        }
    }
    seconds + since.map_or(0, |since| between(since, now))
}

fn between(from: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
    u64::try_from((until - from).num_seconds()).unwrap_or(0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// By this run.
    Started,
    Ended,
    /// A preflight found it running.
    Runs,
    Rests,
}

/// When this run turned the instance on and off, and how each preflight found it.
fn turns(records: &[Record], id: &str) -> Vec<(DateTime<Utc>, Turn)> {
    let turn = |effect: &Effect| match effect.power() {
        Some((instance, Power::On)) if instance == id => Some(Turn::Started),
        Some((instance, Power::Off)) if instance == id => Some(Turn::Ended),
        Some(_) | None => None,
    };
    let of_this = |intent: &str| {
        records.iter().find_map(|record| match &record.kind {
            Kind::Intent(it) if it.id == intent => turn(&it.effect),
            _ => None,
        })
    };
    let turned = |record: &Record| match &record.kind {
        Kind::Outcome(it) if it.outcome == Outcome::Done => Some((record.at, of_this(&it.intent)?)),
        Kind::InstancesFound(found) => Some((record.at, as_found(found, id))),
        _ => None,
    };
    records.iter().filter_map(turned).collect()
}

/// The word of a preflight that looked for this instance.
fn as_found(found: &InstancesFound, id: &str) -> Turn {
    if found.costing.iter().any(|costing| costing == id) { Turn::Runs } else { Turn::Rests }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use reports::digest::Digest;
    use reports::record::{
        Intent, OutcomeRecorded, Permit, ResourceSeen, ResourcesSeen, ScenarioStarted,
    };

    use super::*;

    fn time(second: i64) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-10-01T12:00:00Z".parse().expect("a time");
        start + TimeDelta::seconds(second)
    }

    /// Records at these seconds.
    fn records(kinds: Vec<(i64, Kind)>) -> Vec<Record> {
        let record =
            |(second, kind)| Record { seq: 0, prev: Digest::of(b""), at: time(second), kind };
        kinds.into_iter().map(record).collect()
    }

    fn other() -> Kind {
        Kind::ScenarioStarted(ScenarioStarted { scenario: "preflight".to_owned() })
    }

    fn intent(id: &str, effect: Effect) -> Kind {
        Kind::Intent(Intent {
            id: id.to_owned(),
            scenario: "teardown".to_owned(),
            permit: Permit::Cost,
            effect,
            undo: None,
        })
    }

    fn outcome(intent: &str, outcome: Outcome) -> Kind {
        Kind::Outcome(OutcomeRecorded::of(intent, outcome))
    }

    #[test]
    fn an_instance_costs_from_its_start_to_the_sight_of_its_end() {
        use Outcome::{Done, NotDone, Unknown};
        let begun = || vec![(0, other())];
        let turned = |at: i64, id: &str, effect: Effect, came: Outcome| {
            vec![(at, intent(id, effect)), (at + 1, outcome(id, came))]
        };
        let (one, was) = (|| "i-1".to_owned(), || "running".to_owned());
        let stopping = |instance_id| Effect::Ec2StopInstance { instance_id, before: was() };
        let stop = |at, came| turned(at, "stop", stopping(one()), came);
        let start = |at, came| {
            let effect = Effect::Ec2StartInstance { instance_id: one(), before: was() };
            turned(at, "start", effect, came)
        };
        let end = |at, came| {
            let effect = Effect::Ec2TerminateInstance { instance_id: one(), before: was() };
            turned(at, "end", effect, came)
        };
        let of_another = turned(10, "stop", stopping("i-2".to_owned()), Done);
        let something_else =
            turned(10, "release", Effect::ReleaseLock { path: "i-1".to_owned() }, Done);
        let found = |at: i64, costing: &[&str]| {
            let costing = costing.iter().map(|id| (*id).to_owned()).collect();
            vec![(at, Kind::InstancesFound(InstancesFound { costing, types: BTreeMap::new() }))]
        };
        let runs = |at| found(at, &["i-2", "i-1"]);
        let rests = |at| found(at, &["i-2"]);
        // What the journal has, and the seconds by second 100.
        let table = [
            ("no record", vec![], 0),
            ("it ran all the time", [begun(), runs(2)].concat(), 100),
            ("it never ran", [begun(), rests(2)].concat(), 0),
            ("nobody looked", begun(), 100),
            ("stopped", [begun(), runs(2), stop(10, Done)].concat(), 11),
            ("terminated", [begun(), runs(2), end(20, Done)].concat(), 21),
            ("not stopped", [begun(), runs(2), stop(10, NotDone)].concat(), 100),
            ("nobody knows", [begun(), runs(2), stop(10, Unknown)].concat(), 100),
            ("another was stopped", [begun(), runs(2), of_another].concat(), 100),
            ("something else was done", [begun(), runs(2), something_else].concat(), 100),
            ("started", [begun(), rests(2), start(30, Done)].concat(), 69),
            ("started, and found so", [begun(), start(30, Done), runs(40)].concat(), 69),
            (
                "parked and started again",
                [begun(), runs(2), stop(10, Done), start(30, Done), runs(40), end(50, Done)]
                    .concat(),
                11 + 20,
            ),
            ("somebody stopped it", [begun(), runs(2), rests(30)].concat(), 30),
            ("somebody started it", [begun(), rests(2), runs(30)].concat(), 70),
            ("stopped twice", [begun(), runs(2), stop(10, Done), end(50, Done)].concat(), 11),
        ];
        for (what, kinds, expected) in table {
            assert_eq!(seconds_of(&records(kinds), "i-1", time(100)), expected, "{what}");
        }
    }

    /// They cost while nothing runs, and until somebody saw them end.
    #[test]
    fn an_address_and_a_volume_cost_from_their_first_sight_to_their_end() {
        let seen = |at: i64, kind, id: &str, life| {
            let resources = vec![ResourceSeen { kind, id: id.to_owned(), life }];
            (at, Kind::ResourcesSeen(ResourcesSeen { resources }))
        };
        let (address, volume) = (ResourceKind::Address, ResourceKind::Volume);
        let release = Effect::Ec2ReleaseAddress {
            allocation_id: "eipalloc-1".to_owned(),
            before: serde_json::Value::Null,
        };
        let records = records(vec![
            seen(0, address, "eipalloc-1", Life::Alive),
            seen(0, volume, "vol-1", Life::Alive),
            seen(10, volume, "vol-2", Life::Alive),
            (20, intent("release", release)),
            (30, outcome("release", Outcome::Done)),
            seen(40, address, "eipalloc-1", Life::Alive),
            seen(50, volume, "vol-1", Life::Ended),
            seen(60, volume, "vol-1", Life::Ended),
        ]);
        assert_eq!(seconds_there(&records, address, time(100)), 30);
        assert_eq!(seconds_there(&records, volume, time(100)), 50 + 90);
    }

    #[test]
    fn a_clock_that_went_back_costs_nothing() {
        assert_eq!(between(time(10), time(25)), 15);
        assert_eq!(between(time(25), time(10)), 0);
    }
}

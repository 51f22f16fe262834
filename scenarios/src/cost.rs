//! How long the lab's instances ran, by the journal's own times.

use chrono::{DateTime, Utc};
use lab::Lab;
use lab::manifest::Ceiling;
use reports::journal::Writer;
use reports::record::{Assertion, CostRecorded, Intent, Kind, Outcome, Record};

use crate::preflight;

/// The manifest's, where it has one.
pub fn ceiling(lab: &Lab) -> Option<u64> {
    match lab.manifest.limits.max_instance_seconds {
        Ceiling::Seconds(ceiling) => Some(ceiling),
        Ceiling::Word(_) => None,
    }
}

/// Seconds that the instances ran during this run until now. What was never seen to rest is taken to
/// run: evidence says too much rather than too little.
pub fn instance_seconds(lab: &Lab, journal: &Writer) -> u64 {
    let now = lab.clock.now();
    let ids = lab.manifest.nodes.values().filter_map(|node| node.instance_id.as_ref());
    journal.with_records(|records| ids.map(|id| seconds_of(records, id, now)).sum())
}

/// What a reader of the evidence sees.
pub fn recorded(lab: &Lab, instance_seconds: u64) -> Kind {
    Kind::CostRecorded(CostRecorded { instance_seconds, max_instance_seconds: ceiling(lab) })
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
    /// As a preflight found it.
    Runs,
    Rests,
}

/// When this run turned the instance on and off, and how each preflight found it.
fn turns(records: &[Record], id: &str) -> Vec<(DateTime<Utc>, Turn)> {
    let turn = |intent: &Intent| match intent.what.as_str() {
        "ec2 StartInstances" => Some(Turn::Started),
        "ec2 StopInstances" | "ec2 TerminateInstances" => Some(Turn::Ended),
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
        Kind::AssertionMade(made) => Some((record.at, found(made, id)?)),
        _ => None,
    };
    records.iter().filter_map(turned).collect()
}

/// What a preflight that saw this instance says of it.
fn found(made: &Assertion, id: &str) -> Option<Turn> {
    let rests = preflight::rests(made, id)?;
    Some(if rests { Turn::Rests } else { Turn::Runs })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use reports::digest::Digest;
    use reports::record::{AssertionStatus, OutcomeRecorded, Permit, ScenarioStarted};
    use serde_json::{Value, json};

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

    fn intent(id: &str, what: &str, resource: &str) -> Kind {
        Kind::Intent(Intent {
            id: id.to_owned(),
            scenario: "teardown".to_owned(),
            permit: Permit::Cost,
            what: what.to_owned(),
            resource: resource.to_owned(),
            request: serde_json::Value::Null,
            undo: None,
        })
    }

    fn outcome(intent: &str, outcome: Outcome) -> Kind {
        let (intent, detail) = (intent.to_owned(), String::new());
        Kind::Outcome(OutcomeRecorded { intent, outcome, detail, samples: Vec::new() })
    }

    fn made(id: &str, observed: Value) -> Kind {
        Kind::AssertionMade(Assertion {
            scenario: "preflight".to_owned(),
            id: id.to_owned(),
            status: AssertionStatus::Passed,
            expected: Value::Null,
            observed,
            how: String::new(),
            raw: Vec::new(),
            message: None,
        })
    }

    #[test]
    fn an_instance_costs_from_its_start_to_the_sight_of_its_end() {
        use Outcome::{Done, NotDone, Unknown};
        let begun = || vec![(0, other())];
        let turned = |at: i64, id: &str, what: &str, came: Outcome| {
            vec![(at, intent(id, what, "i-1")), (at + 1, outcome(id, came))]
        };
        let stop = |at, came| turned(at, "stop", "ec2 StopInstances", came);
        let start = |at, came| turned(at, "start", "ec2 StartInstances", came);
        let end = |at, came| turned(at, "end", "ec2 TerminateInstances", came);
        let of_another =
            vec![(10, intent("stop", "ec2 StopInstances", "i-2")), (11, outcome("stop", Done))];
        let something_else =
            vec![(10, intent("tag", "ec2 CreateTags", "i-1")), (11, outcome("tag", Done))];
        let found = |at: i64, state: &str| {
            let seen = json!([{ "instance_id": "i-1", "state": state }]);
            vec![(at, made("preflight.instances", seen))]
        };
        let runs = |at| found(at, "running");
        let rests = |at| found(at, "stopped");
        // What the journal has, and the seconds by second 100.
        let table = [
            ("no record", vec![], 0),
            ("it ran all the time", [begun(), runs(2)].concat(), 100),
            ("it was about to run", [begun(), found(2, "pending")].concat(), 100),
            ("it never ran", [begun(), rests(2)].concat(), 0),
            (
                "it is not there",
                [begun(), vec![(2, made("preflight.instances", json!([])))]].concat(),
                0,
            ),
            ("nobody looked", begun(), 100),
            (
                "nobody saw",
                [begun(), vec![(2, made("preflight.instances", Value::Null))]].concat(),
                100,
            ),
            (
                "something else was seen",
                [begun(), vec![(2, made("preflight.vpc", json!([])))]].concat(),
                100,
            ),
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

    #[test]
    fn a_clock_that_went_back_costs_nothing() {
        assert_eq!(between(time(10), time(25)), 15);
        assert_eq!(between(time(25), time(10)), 0);
    }
}

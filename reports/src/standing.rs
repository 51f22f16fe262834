//! Where a run stands by its journal alone: the one function that everybody asks.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::record::{Duty, Intent, Kind, Outcome, Permit, Power, Record, ScenarioStatus};

/// The standing of a run that no process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It died before its first record.
    Empty,
    /// Its go is awaited, and no instance was stopped.
    AwaitingGo,
    /// Its go is awaited, and its instances are stopped.
    Parked,
    /// It began something, or can no longer go on: `recover` ends it.
    Dead,
    Ended,
}

impl Standing {
    /// Whether `resume` may go on with it.
    pub fn pending(self) -> bool {
        matches!(self, Self::AwaitingGo | Self::Parked)
    }

    /// Whether `resume` or `recover` will ask for the lab that was made for the run.
    pub fn needs_its_lab(self) -> bool {
        match self {
            Self::AwaitingGo | Self::Parked | Self::Dead => true,
            Self::Empty | Self::Ended => false,
        }
    }
}

/// A refused go closes nothing: the owner may give another as long as none is burnt.
pub fn read_standing(records: &[Record]) -> Standing {
    if records.is_empty() {
        return Standing::Empty;
    }
    let any = |is: fn(&Kind) -> bool| records.iter().any(|record| is(&record.kind));
    if any(|kind| matches!(kind, Kind::RunFinished(_))) {
        return Standing::Ended;
    }
    let asked = any(|kind| matches!(kind, Kind::UndoPlanned(_))) && decided(records);
    if !asked || any(closes) {
        Standing::Dead
    } else if stopped_last(records) || found_at_rest(records) {
        Standing::Parked
    } else {
        Standing::AwaitingGo
    }
}

/// Whether this leaves nothing to wait for. Stop 7 parks, a permit for cost alone begins nothing,
/// and a lab that could not be used was not touched.
fn closes(kind: &Kind) -> bool {
    match kind {
        Kind::RecoveryStarted(_)
        | Kind::HarnessBroke(_)
        | Kind::JournalLost(_)
        | Kind::GoBurnt(_)
        | Kind::LockTaken(_) => true,
        Kind::StopTripped(stop) => stop.stop != 7,
        Kind::Intent(intent) => intent.permit != Permit::Cost,
        _ => false,
    }
}

/// Whether everything that the owner decides on has passed once.
fn decided(records: &[Record]) -> bool {
    let Some(Kind::RunStarted(started)) = records.first().map(|it| &it.kind) else { return false };
    let deciding = started.scenarios.iter().filter(|it| it.duty == Some(Duty::Decides));
    let mut deciding = deciding.map(|it| it.name.as_str()).peekable();
    deciding.peek().is_some() && deciding.all(|name| passed_once(records, name))
}

fn passed_once(records: &[Record], name: &str) -> bool {
    records.iter().any(|record| {
        matches!(&record.kind, Kind::ScenarioFinished(it)
            if it.scenario == name && it.status == ScenarioStatus::Passed)
    })
}

/// Whether the last effect was to stop an instance. Of a run that awaits its go, all were for cost.
fn stopped_last(records: &[Record]) -> bool {
    let last = records.iter().rev().find_map(|record| match &record.kind {
        Kind::Intent(intent) if intent.effect.switched_instance().is_none() => Some(intent),
        _ => None,
    });
    let off = |it: &&Intent| matches!(it.effect.power(), Some((_, Power::Off)));
    let Some(last) = last.filter(off) else { return false };
    records.iter().any(|record| {
        matches!(&record.kind, Kind::Outcome(it)
            if it.intent == last.id && it.outcome == Outcome::Done)
    })
}

/// Whether nothing ran any more when somebody looked, after a dead man's switch was armed: it has stopped
/// the instances, and nobody has started one since.
fn found_at_rest(records: &[Record]) -> bool {
    let (mut armed, mut rests) = (false, false);
    for record in records {
        match &record.kind {
            Kind::Intent(it) if it.effect.switched_instance().is_some() => armed = true,
            Kind::Intent(it) if matches!(it.effect.power(), Some((_, Power::On))) => rests = false,
            Kind::InstancesFound(found) => rests = armed && found.costing.is_empty(),
            _ => {}
        }
    }
    rests
}

/// Where a run that nobody holds stands at a time: a dead man's switch whose deadline is over by then has
/// stopped the instances, though nobody has looked.
pub fn read_standing_at(records: &[Record], now: DateTime<Utc>) -> Standing {
    match read_standing(records) {
        Standing::AwaitingGo if last_switch_is_over(records, now) => Standing::Parked,
        standing => standing,
    }
}

/// How long after its deadline a switch has looked, and its instance has come to rest.
const COMES_TO_REST: TimeDelta = TimeDelta::seconds(60);

fn last_switch_is_over(records: &[Record], now: DateTime<Utc>) -> bool {
    let last = records.iter().rev().find_map(|record| match &record.kind {
        Kind::Intent(it) if it.effect.switched_instance().is_some() => {
            Some((it, it.effect.powers_off_after()))
        }
        _ => None,
    });
    let Some((intent, Some(after))) = last else { return false };
    let armed = records.iter().find_map(|record| match &record.kind {
        Kind::Outcome(it) if it.intent == intent.id && it.outcome == Outcome::Done => {
            Some(record.at)
        }
        _ => None,
    });
    let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
    armed.is_some_and(|armed| now >= armed + after + COMES_TO_REST)
}

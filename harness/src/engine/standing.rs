//! Where a run stands by its journal alone: what may be done with it next, and by which command.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use lab::manifest::Manifest;
use reports::record::{
    FactsRecorded, Intent, Kind, Outcome, Permit, Power, Record, ResidueListed, RunStarted,
    ScenarioStatus, UndoPlanned,
};
use serde::Serialize;

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
    let asked = any(|kind| matches!(kind, Kind::UndoPlanned(_)))
        && passed_once(records, "preflight")
        && passed_once(records, "undo-plan");
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

/// The run's first record.
pub fn find_run_started(records: &[Record]) -> Option<&RunStarted> {
    match records.first().map(|record| &record.kind) {
        Some(Kind::RunStarted(started)) => Some(started),
        _ => None,
    }
}

/// The facts that the owner decides on.
pub fn find_last_facts(records: &[Record]) -> Option<&FactsRecorded> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::FactsRecorded(facts) => Some(&**facts),
        _ => None,
    })
}

pub fn undo_plan(records: &[Record]) -> Option<&UndoPlanned> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::UndoPlanned(plan) => Some(plan),
        _ => None,
    })
}

/// The commands that a reader of a pending or dead run types next; nothing where it has ended.
pub fn next_steps(records: &[Record], folder: &Path) -> String {
    let run = in_a_command(folder);
    match read_standing(records) {
        Standing::AwaitingGo | Standing::Parked => {
            let digest = find_last_facts(records).map(|facts| facts.facts_digest.to_string());
            format!(
                "facts: {}\n{}\
                 the owner grants it: lab-smoke go {run} --key KEY --by {} --expires 2h\n\
                 then it goes on:     lab-smoke resume {run}\n\
                 or it is refused:    lab-smoke recover {run}\n",
                digest.unwrap_or_default(),
                what_stops_the_cost(records),
                principal(records).unwrap_or_else(|| "NAME".to_owned()),
            )
        }
        Standing::Dead => format!("to bring the lab back: lab-smoke recover {run}\n"),
        Standing::Empty | Standing::Ended => String::new(),
    }
}

/// A folder as a shell takes it and as a command of ours does, whatever its name: it is no option, and
/// every byte of it arrives.
pub fn in_a_command(folder: &Path) -> String {
    let bytes = folder.as_os_str().as_bytes();
    let plain = std::str::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control));
    let dashed = if bytes.starts_with(b"-") { "./" } else { "" };
    if let Some(text) = plain {
        lab::quote_for_shell(&format!("{dashed}{text}"))
    } else {
        let escaped = bytes.iter().map(|byte| match byte {
            b'\'' | b'\\' | ..b' ' | 0x7f.. => format!("\\x{byte:02x}"),
            plain => char::from(*plain).to_string(),
        });
        format!("$'{dashed}{}'", escaped.collect::<String>())
    }
}

/// The owner's commands for what must not be stopped for him.
fn what_stops_the_cost(records: &[Record]) -> String {
    let items = find_last_residue(records).into_iter().flat_map(|listed| &listed.items);
    let commands = items.flat_map(|item| &item.owner_commands);
    let line = |command: &String| ["to stop the cost:    ", command, "\n"].concat();
    commands.map(line).collect()
}

/// The residue that is left: the last list.
pub(super) fn find_last_residue(records: &[Record]) -> Option<&ResidueListed> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::ResidueListed(listed) => Some(listed),
        _ => None,
    })
}

/// The only name that the manifest's allowed signers have, where it is a plain one.
fn principal(records: &[Record]) -> Option<String> {
    let text = &find_run_started(records)?.lab.manifest;
    let signers = Manifest::parse("the run's manifest", text).ok()?.owner.allowed_signers;
    let mut lines = signers.lines().map(str::trim).filter(|it| !it.is_empty());
    let name = lines.find(|line| !line.starts_with('#'))?.split_whitespace().next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
    name.chars().all(plain).then(|| name.to_owned())
}

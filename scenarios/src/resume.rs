//! Everything that a later process knows of a run: all of it from the journal.

use std::rc::Rc;

use lab::Lab;
use lab::act::ExecutorProgram;
use lab::node::Node;
use lab::router_yaml::Executor as Resolved;
use lab::routerd::Row;
use lab::shell::Observe;
use reports::record::{
    Effect, Intent, Kind, Outcome, Phase, Record, ScenarioStatus, StateRecorded, UndoPlanned,
};
use serde::Deserialize;

use crate::baseline::Baseline;
use crate::capture::CaptureStep;
use crate::context::How;
use crate::observe;
use crate::run::{Executor, RowIds, RunState};

/// The state of a run as its journal has it.
pub fn rebuild_state(records: &[Record], steps: &[CaptureStep]) -> RunState {
    let mut state = RunState::default();
    for record in records {
        match &record.kind {
            Kind::StateRecorded(StateRecorded { phase: Phase::Baseline, state: found }) => {
                let baseline = serde_json::from_value::<Baseline>(found.clone()).ok();
                state.baseline = baseline.map(Rc::new);
            }
            Kind::FactsRecorded(facts) => {
                state.facts_digest = Some(facts.facts_digest.clone());
                state.lab_fingerprint = Some(facts.lab_fingerprint.clone());
                state.router_yaml = Some(facts.facts.router_yaml.sha256.clone());
            }
            Kind::UndoPlanned(plan) => state.undo_plan = Some(UndoPlanned::clone(plan)),
            Kind::GoBurnt(_) => state.burnt = true,
            Kind::NobodysFound(found) => state.nobodys.clone_from(&found.items),
            Kind::LockTaken(_) => state.lock_taken = true,
            Kind::LockReleased(_) => state.lock_taken = false,
            Kind::RowsRecorded(found) => {
                let rows: Vec<Recorded> =
                    serde_json::from_value(found.rows.clone()).unwrap_or_default();
                let keys = rows.iter().map(|row| (row.id, row.idempotency_key.as_str()));
                state.rows = all_of(&keys.collect::<Vec<_>>(), steps).or(state.rows);
            }
            _ => {}
        }
    }
    let burns = |effect: &Effect| matches!(effect, Effect::BurnGo { .. });
    if settled(records, burns) == Some(Outcome::NotDone) {
        state.burnt = false;
    }
    let takes = |effect: &Effect| matches!(effect, Effect::TakeLock { .. });
    if settled(records, takes) == Some(Outcome::Done) && !state.lock_taken {
        let released = records.iter().any(|it| matches!(it.kind, Kind::LockReleased(_)));
        state.lock_taken = !released;
    }
    state
}

/// The run's rows, by their keys.
pub fn own_rows(rows: &[Row], steps: &[CaptureStep]) -> Option<RowIds> {
    let keys = rows.iter().map(|row| (row.id, row.idempotency_key.as_str()));
    all_of(&keys.collect::<Vec<_>>(), steps)
}

/// The part of a row that tells whose it is, as the journal has it: in other words than routerctl's.
#[derive(Deserialize)]
struct Recorded {
    id: u64,
    idempotency_key: String,
}

fn all_of(keys: &[(u64, &str)], steps: &[CaptureStep]) -> Option<RowIds> {
    RowIds::find(steps, |key| keys.iter().find(|(_, other)| *other == key).map(|(id, _)| *id))
}

/// The last outcome of the last intent of such an effect.
fn settled(records: &[Record], is_such: impl Fn(&Effect) -> bool) -> Option<Outcome> {
    let intent = records.iter().rev().find_map(|record| match &record.kind {
        Kind::Intent(Intent { id, effect, .. }) if is_such(effect) => Some(id),
        _ => None,
    })?;
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::Outcome(it) if it.intent == *intent => Some(it.outcome),
        _ => None,
    })
}

/// Whether a scenario ended well in an earlier process.
pub fn has_passed(records: &[Record], scenario: &str) -> bool {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::ScenarioFinished(it) if it.scenario == scenario => {
            Some(it.status == ScenarioStatus::Passed)
        }
        _ => None,
    }) == Some(true)
}

/// The executor of the node's router.yaml; none where it cannot be read. It is read again and not
/// taken from the journal, where its environment must not stand.
pub async fn read_executor(lab: &Lab) -> Option<Executor> {
    let command = Observe::router_yaml(&lab.manifest.routerd);
    let answer = lab.shell.observe(Node::RouterdCloud, &command).await.ok()?;
    let config = answer.value.ok()?.config.ok()?;
    let Resolved::Resolved(plugin) = config.executor("aws") else { return None };
    Some(Executor {
        program: ExecutorProgram {
            executable: plugin.executable.clone(),
            env: plugin.env.0.clone(),
        },
        timeout: std::time::Duration::from_millis(plugin.timeout_ms.unwrap_or(30_000)),
    })
}

/// The run's rows as routerd has them now, where the journal does not know them yet.
pub async fn find_own_rows(lab: &Lab, steps: &[CaptureStep]) -> Option<RowIds> {
    let command = Observe::rows(&lab.manifest.routerd);
    let answer = lab.shell.observe(Node::RouterdCloud, &command).await.ok()?;
    let (rows, _) = observe::read_list(answer.value, How::default()).ok()?;
    own_rows(&rows, steps)
}

#[cfg(test)]
mod tests;

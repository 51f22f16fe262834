//! What was granted and what became of it: the changes, what ends for good, and whether the lab is as it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RecordRef;
use crate::effect::Effect;
use crate::fold::{FoldedMutation, Gathered};
use crate::operation::Operation;
use crate::record::{
    AssertionStatus, Duty, Goal, Kind, Outcome, Permit, Phase, Record, ScenarioStatus, UndoStep,
};

/// Whether the lab is as it was before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restored {
    /// It was changed, and was seen to be as before. What the teardown ends is no part of it.
    Yes,
    /// Something is not as before: `not_restored` says what.
    No,
    /// Nobody could see it, or nobody has looked yet.
    Unknown,
    /// Nothing was changed that has to be brought back.
    Untouched,
}

/// Something that is not as it was before the run, or of which nobody knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotRestored {
    /// The assertion, or the step of the undo plan, that shows it.
    pub id: String,
    /// `no` where it was seen not to be as before, else `unknown`.
    pub restored: Restored,
    /// One sentence for people.
    pub why: String,
    /// The record that shows it; null where no record does.
    pub record: Option<RecordRef>,
}

/// One attribute of the ENI that the run changes: its value before, during and after, as it is asked for, and
/// as it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The step of the undo plan that takes it back.
    pub step: String,
    /// The ENI.
    pub resource: String,
    /// The attribute that is changed.
    pub attribute: Attribute,
    /// The address, where the attribute is that the ENI has it; null for every other.
    pub address: Option<String>,
    /// The value that preflight saw: whether the check is on, or whether the ENI has the address.
    pub before: Option<bool>,
    /// The value that the go grants while the smoke is judged.
    pub during: bool,
    /// The value that it is brought back to: the one before.
    pub after: Option<bool>,
    /// The values that were seen.
    pub observed: ObservedChange,
    /// How far it has come.
    pub state: ChangeState,
}

/// An attribute of the ENI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    /// Whether EC2 drops packets that are not for the ENI's own addresses.
    SourceDestCheck,
    /// Whether the ENI has the captured address.
    Address,
}

/// The values of a change that were read back, each with its record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservedChange {
    /// After the change; null where it was not seen to be done.
    pub during: Option<SeenValue>,
    /// After it was taken back; null where nobody saw that.
    pub after: Option<SeenValue>,
}

/// A value that was read back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenValue {
    /// Whether the check is on, or whether the ENI has the address.
    pub value: bool,
    /// The record that has it.
    pub record: RecordRef,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeState {
    /// Nothing was changed.
    NotBegun,
    /// It was changed, and not yet taken back.
    Made,
    /// It was seen to be as before.
    TakenBack,
    /// It was seen not to be as before.
    NotTakenBack,
    /// Whether it was changed, or taken back, could not be established.
    Unknown,
}

/// A part of the lab that the teardown ends, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TornDown {
    /// The step of the undo plan.
    pub step: String,
    /// The words for people, as `terminate the instance`.
    pub what: String,
    /// The id of EC2.
    pub resource: String,
    /// The part of the lab that ends.
    pub part: TornPart,
    /// Whether nothing brings it back.
    pub for_good: bool,
    /// How far it has come.
    pub state: TeardownState,
    /// The record of its last outcome; null where it was not tried, or has none.
    pub record: Option<RecordRef>,
}

/// A part of the lab that a teardown ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TornPart {
    Instance,
    /// An elastic IP address.
    Address,
    Volume,
}

/// How far a step of the teardown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TeardownState {
    /// It was not tried.
    Planned,
    Done,
    /// It was tried, and is not done.
    NotDone,
    /// It was tried, and nobody knows.
    Unknown,
}

pub(super) fn changes(records: &[Record], run: &Gathered<'_>) -> Vec<Change> {
    let steps = run.undo_plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
    steps.iter().filter_map(|step| change(step, records, run)).collect()
}

fn change(step: &UndoStep, records: &[Record], run: &Gathered<'_>) -> Option<Change> {
    let (attribute, address, before) = match &step.operation {
        Operation::RestoreSourceDestCheck { source_dest_check, .. } => {
            (Attribute::SourceDestCheck, None, Some(*source_dest_check))
        }
        Operation::UnassignAddress { address, .. } => {
            let address = address.to_string();
            let had = step.restores["secondary_addresses"].as_array();
            let had = had.map(|all| all.iter().any(|it| it.as_str() == Some(&address)));
            (Attribute::Address, Some(address), had)
        }
        _ => return None,
    };
    let of_step = |it: &&FoldedMutation<'_>, permit| {
        it.intent.permit == permit && it.intent.undo.as_deref() == Some(&step.id)
    };
    let forward = run.mutations.iter().rev().find(|it| of_step(it, Permit::Forward));
    let back = run.mutations.iter().filter(|it| of_step(it, Permit::Undo));
    let back: Vec<_> = back.collect();
    let at_the_end = final_value(records, attribute, address.as_deref());
    let after = [back.iter().rev().find_map(|it| value_of(it, attribute)), at_the_end];
    let after = after.into_iter().flatten().max_by_key(|it| it.record.record);
    let during = forward.and_then(|it| value_of(it, attribute));
    let state = state_of(forward, &back, before, after);
    Some(Change {
        step: step.id.clone(),
        resource: step.operation.resource().to_owned(),
        attribute,
        address,
        before,
        during: attribute == Attribute::Address,
        after: before,
        observed: ObservedChange { during, after: after.filter(|_| forward.is_some()) },
        state,
    })
}

/// The value that an effect is known to have made.
fn value_of(it: &FoldedMutation<'_>, attribute: Attribute) -> Option<SeenValue> {
    let (outcome, record) = it.outcome?;
    let value = match (goal_of(&it.intent.effect)?, attribute) {
        (Goal::Assigned(_), Attribute::Address) => true,
        (Goal::Unassigned(_), Attribute::Address) => false,
        (Goal::SourceDestCheck(on), Attribute::SourceDestCheck) => on,
        _ => return None,
    };
    (outcome.outcome == Outcome::Done).then_some(SeenValue { value, record })
}

fn goal_of(effect: &Effect) -> Option<Goal> {
    match effect {
        Effect::ExecuteAction { goal, .. }
        | Effect::RollBackAction { goal, .. }
        | Effect::UndoByExecutor { goal, .. } => Some(*goal),
        _ => None,
    }
}

/// The value in the state that was recorded once everything was taken back.
fn final_value(
    records: &[Record],
    attribute: Attribute,
    address: Option<&str>,
) -> Option<SeenValue> {
    let last = records.iter().rev().find_map(|record| match &record.kind {
        Kind::StateRecorded(it) if it.phase == Phase::Final => Some((record, &it.state)),
        _ => None,
    });
    let (record, state) = last?;
    let interface: &Value = &state["interface"];
    let value = match attribute {
        Attribute::SourceDestCheck => interface["source_dest_check"].as_bool()?,
        Attribute::Address => {
            let all = interface["secondary_addresses"].as_array()?;
            all.iter().any(|it| it.as_str() == address)
        }
    };
    Some(SeenValue { value, record: RecordRef::of(record) })
}

fn state_of(
    forward: Option<&FoldedMutation<'_>>,
    back: &[&FoldedMutation<'_>],
    before: Option<bool>,
    after: Option<SeenValue>,
) -> ChangeState {
    let outcome = |it: &FoldedMutation<'_>| it.outcome.map_or(Outcome::Unknown, |it| it.0.outcome);
    let Some(forward) = forward else { return ChangeState::NotBegun };
    let last = back.last();
    let later = |it: &FoldedMutation<'_>| {
        after.is_none_or(|seen| {
            it.outcome.map_or(it.intended, |it| it.1).record > seen.record.record
        })
    };
    if last.is_some_and(|it| outcome(it) == Outcome::Unknown && later(it)) {
        return ChangeState::Unknown;
    }
    match (after, before, outcome(forward)) {
        (_, _, Outcome::NotDone) if back.is_empty() => ChangeState::NotBegun,
        (Some(seen), Some(before), _) if seen.value == before => ChangeState::TakenBack,
        (Some(_), Some(_), _) => ChangeState::NotTakenBack,
        (_, _, Outcome::Done) => ChangeState::Made,
        (_, _, Outcome::NotDone) => ChangeState::NotBegun,
        (_, _, Outcome::Unknown) => ChangeState::Unknown,
    }
}

pub(super) fn teardown(run: &Gathered<'_>) -> Vec<TornDown> {
    let steps = run.undo_plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
    steps.iter().filter_map(|step| torn_down(step, run)).collect()
}

fn torn_down(step: &UndoStep, run: &Gathered<'_>) -> Option<TornDown> {
    use crate::operation::Torn;
    let part = match step.operation.torn()? {
        Torn::Instance => TornPart::Instance,
        Torn::Address => TornPart::Address,
        Torn::Volume => TornPart::Volume,
    };
    let of_step = |it: &&FoldedMutation<'_>| it.intent.undo.as_deref() == Some(&step.id);
    let tries: Vec<_> = run.mutations.iter().filter(of_step).collect();
    let done = tries
        .iter()
        .rev()
        .find(|it| it.outcome.is_some_and(|(outcome, _)| outcome.outcome == Outcome::Done));
    let last = done.or(tries.last());
    let state = match last.map(|it| it.outcome.map(|(outcome, _)| outcome.outcome)) {
        None => TeardownState::Planned,
        Some(Some(Outcome::Done)) => TeardownState::Done,
        Some(Some(Outcome::NotDone)) => TeardownState::NotDone,
        Some(Some(Outcome::Unknown) | None) => TeardownState::Unknown,
    };
    Some(TornDown {
        step: step.id.clone(),
        what: step.operation.what(),
        resource: step.operation.resource().to_owned(),
        part,
        for_good: step.operation.destroys(),
        state,
        record: last.and_then(|it| it.outcome).map(|(_, here)| here),
    })
}

/// Whether the lab is as it was, and all that is not.
pub(super) fn restored(run: &Gathered<'_>, changes: &[Change]) -> (Restored, Vec<NotRestored>) {
    let listed = not_restored(run, changes);
    let any = |answer| listed.iter().any(|it| it.restored == answer);
    let seen = |status| {
        let mut looks = run.scenarios_that(Duty::Restores).peekable();
        looks.peek().is_some()
            && looks.all(|it| it.finished.is_some_and(|(finished, _)| finished.status == status))
    };
    let answer = if any(Restored::No) {
        Restored::No
    } else if any(Restored::Unknown) {
        Restored::Unknown
    } else if !run.touched() {
        Restored::Untouched
    } else if seen(ScenarioStatus::Passed) {
        Restored::Yes
    } else {
        Restored::Unknown
    };
    (answer, listed)
}

fn not_restored(run: &Gathered<'_>, changes: &[Change]) -> Vec<NotRestored> {
    if let Some((gone, here)) = run.lab_gone.filter(|_| run.touched()) {
        let (id, why) = ("lab".to_owned(), format!("the lab is gone: {}", gone.proof));
        return vec![NotRestored { id, restored: Restored::Unknown, why, record: Some(here) }];
    }
    let looked = run.scenarios_that(Duty::Restores).flat_map(|it| &it.assertions);
    let bad = looked.filter_map(|(made, here)| {
        let restored = match made.status {
            AssertionStatus::Failed => Restored::No,
            AssertionStatus::Unknown => Restored::Unknown,
            AssertionStatus::Passed | AssertionStatus::Skipped => return None,
        };
        let why = made.message.clone().unwrap_or_else(|| made.id.clone());
        Some(NotRestored { id: made.id.clone(), restored, why, record: Some(*here) })
    });
    let unchanged = changes.iter().filter_map(|it| {
        let (restored, word) = match it.state {
            ChangeState::NotTakenBack => (Restored::No, "was not taken back"),
            ChangeState::Made => (Restored::Unknown, "was not seen to be taken back"),
            ChangeState::Unknown => (Restored::Unknown, "could not be established"),
            ChangeState::NotBegun | ChangeState::TakenBack => return None,
        };
        let what = match (it.attribute, &it.address) {
            (Attribute::Address, Some(address)) => format!("{address} on {}", it.resource),
            _ => format!("the source/dest check of {}", it.resource),
        };
        let seen = it.observed.after.or(it.observed.during).map(|it| it.record);
        let (id, why) = (it.step.clone(), format!("{what} {word}"));
        Some(NotRestored { id, restored, why, record: seen })
    });
    bad.chain(unchanged).collect()
}

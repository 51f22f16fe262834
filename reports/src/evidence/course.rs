//! How a run went: what was tried again, what was waited for, who acted, and what runs and costs.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RecordRef;
use crate::digest::Digest;
use crate::effect::{Effect, Power};
use crate::fold::Gathered;
use crate::operation::Operation;
use crate::record::{
    AssertionStatus, Kind, Life, Outcome, Program, Record, ResourceKind, ScenarioStatus, WakeStage,
};

/// An attempt at a scenario that a later one took the place of: what is shown of the scenario is of the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The scenario's name.
    pub scenario: String,
    /// 1 for the first.
    pub number: u32,
    /// Its begin.
    pub started: RecordRef,
    /// Its end; null where it did not end.
    pub ended: Option<RecordRef>,
    /// The status at its end; null where it did not end.
    pub status: Option<ScenarioStatus>,
    /// The assertions of it that failed or were unknown.
    pub bad: Vec<BadAssertion>,
}

/// An assertion of an attempt that is not the last, which did not pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BadAssertion {
    /// The assertion's id.
    pub id: String,
    /// Failed or unknown.
    pub status: AssertionStatus,
    /// The complaint of then; null where there was none.
    pub message: Option<String>,
    /// The record's number.
    pub record: u64,
}

/// One wait: for the owner's go, or for a stage of a lab that is woken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The thing that was waited for.
    pub waited_for: WaitedFor,
    /// The stage of a wake; null for the go.
    pub stage: Option<WakeStage>,
    /// The node that was to come to the stage; null for the go, and where it is the whole lab's stage.
    pub node: Option<String>,
    /// The begin; null for a wake, of which the end alone is recorded.
    pub since: Option<RecordRef>,
    /// The end; null where it is still waited for.
    pub until: Option<RecordRef>,
    /// The length in milliseconds; null where it is still waited for.
    pub waited_ms: Option<u64>,
    /// Why it did not come; null where it came, or is still waited for.
    pub why_not: Option<String>,
}

/// The thing that a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitedFor {
    /// The owner's go: the time of a person.
    Go,
    /// A node, or the whole lab, on its way from rest.
    Wake,
}

/// Somebody or something that acts in the lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Who or what it is.
    pub kind: ActorKind,
    /// Its name: an ARN, the name of a role, or that of a program.
    pub name: String,
    /// The version, as a program itself says it; null where none is known.
    pub version: Option<String>,
    /// Where a program lies on routerd-cloud; null for what does not lie there.
    pub path: Option<String>,
    /// SHA-256 of a program's file; null where none is known.
    pub digest: Option<Digest>,
    /// The EC2 actions: those that the role grants, or that the plan has the operator ask for.
    pub actions: Vec<String>,
}

/// The kind of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// Whoever runs `lab-smoke`: he asks EC2 under an identity of his own.
    Operator,
    /// The role of routerd-cloud's instance, with which the executor asks EC2.
    ExecutorRole,
    /// A program under test.
    Program,
    /// `lab-smoke` itself.
    Harness,
}

/// An instance of the lab, and whether it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunningInstance {
    /// The instance's id.
    pub instance_id: String,
    /// The node that it is; null where it is none of the manifest's.
    pub node: Option<String>,
    /// The state as of `as_of`.
    pub state: RunState,
    /// The last record that says so; null where nobody has looked.
    pub as_of: Option<RecordRef>,
    /// The time at which its dead man's switch powers it off, where nobody renews it; null where none is armed.
    pub powers_off_at: Option<DateTime<Utc>>,
}

/// Whether an instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It costs money: EC2's `pending`, `running`, `stopping` and `shutting-down`.
    Running,
    /// It is at rest, and can be started again.
    Stopped,
    /// It is terminated, or gone with its lab.
    Ended,
    /// Nobody has looked, or what was asked for is not known to have come.
    Unknown,
}

impl RunState {
    /// Whether it may cost money.
    pub fn may_cost(self) -> bool {
        matches!(self, Self::Running | Self::Unknown)
    }
}

/// The time that the lab's instances ran during the run, and its ceiling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostSoFar {
    /// The record that has the figures; null where nobody has counted yet.
    pub as_of: Option<RecordRef>,
    /// The seconds that the instances were seen running, summed; null where nobody has counted yet.
    pub instance_seconds: Option<u64>,
    /// The manifest's ceiling, in seconds; null where it says `none`.
    pub max_instance_seconds: Option<u64>,
    /// The same sum by instance type; `unknown` where no preflight saw it.
    pub instance_seconds_by_type: BTreeMap<String, u64>,
    /// The seconds of the lab's elastic IP addresses, until their release; null where nobody has counted yet.
    pub address_seconds: Option<u64>,
    /// The seconds of its volumes, attached or not; null where nobody has counted yet.
    pub volume_seconds: Option<u64>,
}

pub(super) fn cost(run: &Gathered<'_>) -> CostSoFar {
    let declared = run.target().and_then(|it| it.max_instance_seconds);
    let Some((cost, here)) = run.cost else {
        return CostSoFar {
            as_of: None,
            instance_seconds: None,
            max_instance_seconds: declared,
            instance_seconds_by_type: BTreeMap::new(),
            address_seconds: None,
            volume_seconds: None,
        };
    };
    CostSoFar {
        as_of: Some(here),
        instance_seconds: Some(cost.instance_seconds),
        max_instance_seconds: cost.max_instance_seconds,
        instance_seconds_by_type: cost.instance_seconds_by_type.clone(),
        address_seconds: Some(cost.address_seconds),
        volume_seconds: Some(cost.volume_seconds),
    }
}

/// All attempts but each scenario's last.
pub(super) fn attempts(records: &[Record]) -> Vec<Attempt> {
    let mut all: Vec<Attempt> = Vec::new();
    for record in records {
        let here = RecordRef::of(record);
        match &record.kind {
            Kind::ScenarioStarted(it) => {
                let number = all.iter().filter(|other| other.scenario == it.scenario).count();
                all.push(Attempt {
                    scenario: it.scenario.clone(),
                    number: u32::try_from(number + 1).unwrap_or(u32::MAX),
                    started: here,
                    ended: None,
                    status: None,
                    bad: Vec::new(),
                });
            }
            Kind::AssertionMade(it)
                if matches!(it.status, AssertionStatus::Failed | AssertionStatus::Unknown) =>
            {
                if let Some(attempt) = last_of(&mut all, &it.scenario) {
                    attempt.bad.push(BadAssertion {
                        id: it.id.clone(),
                        status: it.status,
                        message: it.message.clone(),
                        record: record.seq,
                    });
                }
            }
            Kind::ScenarioFinished(it) => {
                if let Some(attempt) = last_of(&mut all, &it.scenario) {
                    (attempt.ended, attempt.status) = (Some(here), Some(it.status));
                }
            }
            _ => {}
        }
    }
    let last =
        |it: &Attempt| !all.iter().any(|o| o.scenario == it.scenario && o.number > it.number);
    all.iter().filter(|it| !last(it)).cloned().collect()
}

fn last_of<'a>(all: &'a mut [Attempt], scenario: &str) -> Option<&'a mut Attempt> {
    all.iter_mut().rev().find(|it| it.scenario == scenario)
}

/// The wait for the owner, then the stages of every wake.
pub(super) fn waits(records: &[Record], run: &Gathered<'_>) -> Vec<Wait> {
    let go = wait_for_go(records, run);
    let wakes = records.iter().filter_map(|record| match &record.kind {
        Kind::NodeWoke(it) => Some(Wait {
            waited_for: WaitedFor::Wake,
            stage: Some(it.stage),
            node: it.node.clone(),
            since: None,
            until: Some(RecordRef::of(record)),
            waited_ms: Some(it.waited_ms),
            why_not: it.why_not.clone(),
        }),
        _ => None,
    });
    go.into_iter().chain(wakes).collect()
}

/// From the end of what the owner decides on to his go, or to the end without one. Nobody waits where the
/// lab grants the go to itself.
fn wait_for_go(records: &[Record], run: &Gathered<'_>) -> Option<Wait> {
    run.undo_plan?;
    let mut asked = None;
    for record in records {
        let here = RecordRef::of(record);
        let (since, came) = match (&record.kind, asked) {
            (Kind::ScenarioFinished(it), None)
                if it.status == ScenarioStatus::Passed && is_last_to_decide(run, &it.scenario) =>
            {
                asked = Some(here);
                continue;
            }
            (Kind::GoVerified(go), Some(since)) if !go.self_granted => (since, None),
            (Kind::GoVerified(_), _) => return None,
            (Kind::RecoveryStarted(it), Some(since)) => (since, Some(it.why.clone())),
            (Kind::RunFinished(it), Some(since)) => {
                (since, Some(it.reasons.first().cloned().unwrap_or_default()))
            }
            _ => continue,
        };
        let waited_ms = u64::try_from((here.at - since.at).num_milliseconds()).ok();
        return Some(go_wait(since, Some(here), waited_ms, came));
    }
    asked.map(|since| go_wait(since, None, None, None))
}

fn is_last_to_decide(run: &Gathered<'_>, scenario: &str) -> bool {
    let last = run.scenarios_that(crate::record::Duty::Decides).last();
    last.is_some_and(|it| it.declared.name == scenario)
}

fn go_wait(
    since: RecordRef,
    until: Option<RecordRef>,
    waited_ms: Option<u64>,
    why_not: Option<String>,
) -> Wait {
    let (waited_for, since) = (WaitedFor::Go, Some(since));
    Wait { waited_for, stage: None, node: None, since, until, waited_ms, why_not }
}

/// Who acts: the operator, the executor's role, the harness and the programs under test.
pub(super) fn actors(run: &Gathered<'_>) -> Vec<Actor> {
    let actor = |kind, name: &str, actions| Actor {
        kind,
        name: name.to_owned(),
        version: None,
        path: None,
        digest: None,
        actions,
    };
    let program = |kind, it: &Program| Actor {
        kind,
        name: it.name.clone(),
        version: it.version.clone(),
        path: it.path.clone(),
        digest: it.digest.clone(),
        actions: Vec::new(),
    };
    let steps = run.undo_plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
    let mut asked: Vec<String> =
        steps.iter().filter_map(|it| asked_by_the_operator(&it.operation)).collect();
    asked.sort();
    asked.dedup();
    let who = run.operator.map_or("the operator", |it| it.caller.as_str());
    let mut actors = vec![actor(ActorKind::Operator, who, asked)];
    if let Some(facts) = run.facts {
        let granted = facts.facts.role.granted_by.as_object();
        let actions = granted.map(|it| it.keys().cloned().collect()).unwrap_or_default();
        actors.push(actor(ActorKind::ExecutorRole, &facts.facts.role.name, actions));
    }
    actors.extend(run.started.map(|(it, _)| program(ActorKind::Harness, &it.tool)));
    let programs = run.facts.map(|it| it.programs.as_slice()).unwrap_or_default();
    actors.extend(programs.iter().map(|it| program(ActorKind::Program, it)));
    actors
}

/// The EC2 action of a teardown's step. What is taken back goes through routerd.
fn asked_by_the_operator(operation: &Operation) -> Option<String> {
    let action = match operation {
        Operation::RestoreSourceDestCheck { .. }
        | Operation::UnassignAddress { .. }
        | Operation::RemoveChangeSet { .. }
        | Operation::ReleaseLock { .. } => return None,
        Operation::TerminateInstance { .. } => "ec2:TerminateInstances",
        Operation::StopInstance { .. } => "ec2:StopInstances",
        Operation::ReleaseAddress { .. } => "ec2:ReleaseAddress",
        Operation::DeleteVolume { .. } => "ec2:DeleteVolume",
    };
    Some(action.to_owned())
}

/// What is known of an instance at one point of the journal.
#[derive(Clone, Copy)]
struct Known {
    state: RunState,
    as_of: Option<RecordRef>,
    powers_off_at: Option<DateTime<Utc>>,
}

const NOBODY_LOOKED: Known = Known { state: RunState::Unknown, as_of: None, powers_off_at: None };

/// Each instance of the lab, with the last that is known of it.
pub(super) fn running(records: &[Record], run: &Gathered<'_>) -> Vec<RunningInstance> {
    let nodes = run.target().map(|it| it.nodes.as_slice()).unwrap_or_default();
    let mut seen = Sightings::default();
    for id in nodes.iter().filter_map(|it| it.instance_id.as_deref()) {
        seen.known.insert(id, NOBODY_LOOKED);
    }
    for record in records {
        seen.take(record);
    }
    let node = |id: &str| {
        let found = nodes.iter().find(|it| it.instance_id.as_deref() == Some(id));
        found.map(|it| it.name.clone())
    };
    let of = |(id, known): (&str, Known)| RunningInstance {
        instance_id: id.to_owned(),
        node: node(id),
        state: known.state,
        as_of: known.as_of,
        powers_off_at: known.powers_off_at.filter(|_| known.state == RunState::Running),
    };
    seen.known.into_iter().map(of).collect()
}

#[derive(Default)]
struct Sightings<'a> {
    known: BTreeMap<&'a str, Known>,
    /// What was known before each effect whose outcome is not there yet, and the effect.
    under_way: BTreeMap<&'a str, (&'a Effect, Known)>,
}

impl<'a> Sightings<'a> {
    fn take(&mut self, record: &'a Record) {
        let here = RecordRef::of(record);
        match &record.kind {
            Kind::InstancesFound(found) => {
                for id in &found.costing {
                    self.known.entry(id).or_insert(NOBODY_LOOKED);
                }
                let costs = |id: &str| found.costing.iter().any(|it| it == id);
                for (id, known) in &mut self.known {
                    let state = match known.state {
                        RunState::Ended => RunState::Ended,
                        _ if costs(id) => RunState::Running,
                        _ => RunState::Stopped,
                    };
                    *known = Known { state, as_of: Some(here), ..*known };
                }
            }
            Kind::ResourcesSeen(seen) => {
                let ended = seen
                    .resources
                    .iter()
                    .filter(|it| it.kind == ResourceKind::Instance && it.life == Life::Ended);
                for it in ended {
                    self.set(&it.id, RunState::Ended, here);
                }
            }
            Kind::ResidueListed(listed) => {
                for it in listed.items.iter().chain(&listed.kept) {
                    if it.resource == "instance" && self.known.contains_key(it.id.as_str()) {
                        let runs =
                            if it.costs_money { RunState::Running } else { RunState::Stopped };
                        self.set(&it.id, runs, here);
                    }
                }
            }
            Kind::LabGone(_) => {
                let ended =
                    Known { state: RunState::Ended, as_of: Some(here), powers_off_at: None };
                self.known.values_mut().for_each(|known| *known = ended);
            }
            Kind::Intent(intent) => self.begin(&intent.id, &intent.effect, here),
            Kind::Outcome(it) => self.end(&it.intent, it.outcome, here),
            _ => {}
        }
    }

    fn set(&mut self, id: &'a str, state: RunState, here: RecordRef) {
        let known = self.known.entry(id).or_insert(NOBODY_LOOKED);
        if known.state != RunState::Ended {
            *known = Known { state, as_of: Some(here), ..*known };
        }
    }

    fn begin(&mut self, intent: &'a str, effect: &'a Effect, here: RecordRef) {
        let power = effect.power().map(|(id, _)| id);
        let Some(id) = power.or_else(|| effect.switched_instance()) else { return };
        let before = self.known.get(id).copied().unwrap_or(NOBODY_LOOKED);
        self.under_way.insert(intent, (effect, before));
        if power.is_some() {
            self.set(id, RunState::Unknown, here);
        }
    }

    fn end(&mut self, intent: &str, outcome: Outcome, here: RecordRef) {
        let Some((effect, before)) = self.under_way.get(intent).copied() else { return };
        if let Some((id, power)) = effect.power() {
            let ends = matches!(effect, Effect::Ec2TerminateInstance { .. });
            match (outcome, power) {
                (Outcome::Done, Power::On) => self.set(id, RunState::Running, here),
                (Outcome::Done, Power::Off) if ends => self.set(id, RunState::Ended, here),
                (Outcome::Done, Power::Off) => self.set(id, RunState::Stopped, here),
                (Outcome::NotDone, _) => {
                    self.known.insert(id, before);
                }
                (Outcome::Unknown, _) => self.set(id, RunState::Unknown, here),
            }
        } else if let (Some(id), Outcome::Done) = (effect.switched_instance(), outcome) {
            let off = effect.powers_off_after().and_then(|after| TimeDelta::from_std(after).ok());
            if let Some(known) = self.known.get_mut(id) {
                known.powers_off_at = off.map(|after| here.at + after);
            }
        }
    }
}

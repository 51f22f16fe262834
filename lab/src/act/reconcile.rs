//! Finds the outcome of mutations for which no record holds one: the run died, or could not tell.
//! Each is read back until it is known, and its outcome written, so that nothing stays unknown that
//! can be known.

use std::collections::BTreeMap;
use std::time::Duration;

use reports::journal::Writer;
use reports::record::{Effect, Goal, Intent, Kind, Outcome, Record};
use serde_json::{Value, json};

use super::mutator::{DEADLINE, state_of};
use super::settle::{Conclusion, Patience, Sample, show_samples, until_settled};
use super::{Acted, Finding, Progress, record_outcome, until_seen};
use crate::Lab;
use crate::ec2::{Answer, InstanceState, ReadError};
use crate::node::Node;
use crate::routerd::{AnswerError, Refusal, Row, RowStatus};
use crate::shell::Observe;

/// The intents that have no outcome, or an unknown one, oldest first.
fn open_intents(records: &[Record]) -> Vec<Intent> {
    let mut outcomes: BTreeMap<&str, Outcome> = BTreeMap::new();
    for record in records {
        if let Kind::Outcome(it) = &record.kind {
            outcomes.insert(&it.intent, it.outcome);
        }
    }
    let open = |intent: &Intent| {
        !matches!(outcomes.get(intent.id.as_str()), Some(Outcome::Done | Outcome::NotDone))
    };
    records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Intent(intent) if open(intent) => Some(intent.clone()),
            _ => None,
        })
        .collect()
}

impl Lab {
    /// Settles every open intent of the journal. Answers how many are still unknown.
    pub async fn reconcile(&self, journal: &Writer, plugin_timeout: Duration) -> usize {
        let open = journal.with_records(open_intents);
        let patience = Patience::of_recovery(plugin_timeout);
        let mut unknown = 0;
        for intent in open {
            let (outcome, detail, samples) =
                self.read_back(journal, &intent.effect, patience).await;
            unknown += usize::from(outcome == Outcome::Unknown);
            let detail = format!("read back by recovery: {detail}");
            record_outcome(
                self,
                journal,
                &intent.id,
                Acted { outcome, detail, samples, value: () },
            );
        }
        unknown
    }

    /// Reads an effect back from what it would have changed.
    pub(super) async fn read_back(
        &self,
        journal: &Writer,
        effect: &Effect,
        patience: Patience,
    ) -> Finding {
        match effect {
            Effect::ExecuteAction { row, goal, .. }
            | Effect::RollBackAction { row, goal, .. }
            | Effect::UndoByExecutor { row, goal, .. } => {
                self.find_interface(*row, *goal, patience).await
            }
            Effect::Ec2TerminateInstance { instance_id, .. } => {
                self.find_settled(journal, instance_id, InstanceState::Terminated).await
            }
            Effect::Ec2StopInstance { instance_id, .. } => {
                self.find_settled(journal, instance_id, InstanceState::Stopped).await
            }
            Effect::Ec2StartInstance { instance_id, .. } => {
                self.find_settled(journal, instance_id, InstanceState::Running).await
            }
            Effect::Ec2DisassociateAddress { allocation_id, .. } => {
                self.find_disassociated(allocation_id).await
            }
            Effect::Ec2ReleaseAddress { allocation_id: id, .. } => {
                let look = async || Ok(gone(self.reader.address(id).await?.value.is_none()));
                until_seen::<ReadError>(self, Duration::ZERO, look).await
            }
            Effect::Ec2DeleteVolume { volume_id: id, .. } => {
                let look = async || Ok(gone(self.reader.volume(id).await?.value.is_none()));
                until_seen::<ReadError>(self, Duration::ZERO, look).await
            }
            Effect::ArmSwitch { .. } | Effect::RenewSwitch { .. } | Effect::DisarmSwitch { .. } => {
                self.find_switch(effect).await
            }
            Effect::RunPlanner { source, keys } => self.find_plans(source, keys, patience).await,
            Effect::ImportActions { keys, .. } => {
                self.find_rows(patience, |rows| has_all(rows, keys)).await
            }
            Effect::ApproveAction { row: id, by } => {
                let approved = |row: &Row| {
                    row.id == *id
                        && row.status != RowStatus::Pending
                        && row.approved_by.as_ref() == Some(by)
                };
                self.find_rows(patience, |rows| rows.iter().any(approved)).await
            }
            Effect::RemoveChangeSet { path } | Effect::ReleaseLock { path } => {
                self.find_removed(path).await
            }
            Effect::TakeLock { path, contents }
            | Effect::RenewLock { path, contents }
            | Effect::BurnGo { path, contents }
            | Effect::PutChangeSet { path, contents } => self.find_created(path, contents).await,
        }
    }

    async fn find_disassociated(&self, allocation_id: &str) -> Finding {
        let look = async || {
            let found = self.reader.address(allocation_id).await?.value;
            Ok(found.map_or(Progress::Absent, |it| {
                it.association_id.as_deref().map_or_else(disassociated, associated)
            }))
        };
        until_seen::<ReadError>(self, Duration::ZERO, look).await
    }

    /// The ENI is the witness; what the row says is kept. A mutation may land late, so that "not
    /// yet" is believed only when nothing can be at work any more.
    async fn find_interface(&self, row: u64, goal: Goal, patience: Patience) -> Finding {
        let conclude = |sample: &Sample| match sample.met(goal) {
            None => Conclusion::AfterPatience(
                patience.unanswered,
                Outcome::Unknown,
                "the ENI could not be read".to_owned(),
            ),
            Some(true) => Conclusion::Settled(Outcome::Done, format!("{goal}: true")),
            Some(false) => Conclusion::AfterPatience(
                patience.unanswered,
                Outcome::NotDone,
                format!("{goal}: false"),
            ),
        };
        let (outcome, detail, samples) = until_settled(self, row, conclude).await;
        (outcome, detail, show_samples(&samples))
    }

    /// Waits for what is under way: an instance that stops still runs.
    async fn find_settled(&self, journal: &Writer, id: &str, wanted: InstanceState) -> Finding {
        let ids = [id.to_owned()];
        until_seen(self, DEADLINE, async || {
            let found = self.reader.instances(&ids).await?.value;
            Ok::<_, ReadError>(state_of(self, journal, id, found.first(), &wanted))
        })
        .await
    }

    /// Plans that a planner stored are this run's only where they have this run's keys.
    async fn find_plans(&self, source: &str, keys: &[String], patience: Patience) -> Finding {
        until_seen(self, patience.command, async || {
            let command = Observe::dynamic_part(&self.manifest.routerd, source);
            self.seen_in_routerd(&command, |parts| {
                let plans = parts.iter().flat_map(|part| &part.plans);
                let stored: Vec<&str> = plans.map(|plan| plan.idempotency_key.as_str()).collect();
                let done =
                    !keys.is_empty() && keys.iter().all(|key| stored.contains(&key.as_str()));
                (done, json!({ "plans": stored }))
            })
            .await
        })
        .await
    }

    async fn find_rows(&self, patience: Patience, done: impl Fn(&[Row]) -> bool) -> Finding {
        until_seen(self, patience.command, async || {
            let command = Observe::rows(&self.manifest.routerd);
            self.seen_in_routerd(&command, |rows| {
                let shown: Vec<_> = rows
                    .iter()
                    .map(|row| json!({ "id": row.id, "status": row.status, "by": row.approved_by }))
                    .collect();
                (done(&rows), json!({ "rows": shown }))
            })
            .await
        })
        .await
    }

    /// One look into routerd's database; where routerd itself says that it has no such thing,
    /// nothing is there yet.
    async fn seen_in_routerd<T>(
        &self,
        command: &Observe<Result<T, AnswerError>>,
        is_done: impl Fn(T) -> (bool, Value),
    ) -> Result<Progress, String> {
        let answer = self.shell.observe(Node::RouterdCloud, command).await;
        let read = answer.map_err(|error| error.to_string())?.value;
        match read.map(is_done) {
            Ok((true, shown)) => Ok(Progress::Done(shown)),
            Ok((false, shown)) => Ok(Progress::NotYet(shown)),
            Err(error) if error.refusal().is_some_and(Refusal::is_absence) => {
                Ok(Progress::NotYet(json!(error.to_string())))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn find_removed(&self, path: &str) -> Finding {
        match self.names_on_node().await {
            Ok(names) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                let there = names.iter().any(|other| other == name);
                found(!there, format!("{path} is there: {there}"))
            }
            Err(why) => (Outcome::Unknown, why, Vec::new()),
        }
    }

    /// A file is this run's only where it holds what this run was to write.
    async fn find_created(&self, path: &str, contents: &str) -> Finding {
        let answer = self.shell.observe(Node::RouterdCloud, &Observe::read_file(path)).await;
        match answer {
            Ok(Answer { value: Ok(found_there), .. }) => {
                let ours = found_there == contents.as_bytes();
                found(ours, format!("{path} is there, and this run's: {ours}"))
            }
            Ok(Answer { value: Err(unread), .. }) => found(false, unread.into_words()),
            Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
        }
    }
}

/// Whether there is a row with each of these idempotency keys.
fn has_all(rows: &[Row], keys: &[String]) -> bool {
    !keys.is_empty() && keys.iter().all(|key| rows.iter().any(|row| row.idempotency_key == *key))
}

fn gone(gone: bool) -> Progress {
    if gone { Progress::Absent } else { Progress::Not(json!("it is there")) }
}

fn associated(association_id: &str) -> Progress {
    Progress::Not(json!(association_id))
}

fn disassociated() -> Progress {
    Progress::Done(json!("disassociated"))
}

fn found(done: bool, detail: String) -> Finding {
    (if done { Outcome::Done } else { Outcome::NotDone }, detail, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::settle::example_sample;

    /// A list without a key is no row of this run's.
    #[test]
    fn rows_are_this_runs_only_where_each_of_its_keys_has_one() {
        let mut row = example_sample(RowStatus::Pending, false).row.expect("a row");
        row.idempotency_key = "one".to_owned();
        let rows = [row];
        let table: &[(&[&str], bool)] =
            &[(&["one"], true), (&["one", "two"], false), (&["two"], false), (&[], false)];
        for (keys, all) in table {
            let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
            assert_eq!(has_all(&rows, &keys), *all, "{keys:?}");
        }
    }
}

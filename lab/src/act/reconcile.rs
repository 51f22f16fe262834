//! What became of mutations whose outcome no record holds: the run died, or could not tell. Each is
//! read back until it is known, and its outcome written, so that nothing stays unknown that can be
//! known.

use std::collections::BTreeMap;
use std::time::Duration;

use reports::journal::Writer;
use reports::record::{Intent, Kind, Outcome, Record};
use serde_json::Value;

use super::settle::{Conclusion, Goal, Patience, Sample, shown, until_settled};
use super::{Acted, finish};
use crate::Lab;
use crate::node::Node;
use crate::routerd::{Routerctl, Row, Status};
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

type Finding = (Outcome, String, Vec<Value>);

impl Lab {
    /// Settles every open intent of the journal. Answers how many are still unknown.
    pub async fn reconcile(&self, journal: &Writer, plugin_timeout: Duration) -> usize {
        let open = journal.with_records(open_intents);
        let mut unknown = 0;
        for intent in open {
            let (outcome, detail, samples) = self.find_out(&intent, plugin_timeout).await;
            unknown += usize::from(outcome == Outcome::Unknown);
            let detail = format!("read back by recovery: {detail}");
            finish(self, journal, &intent.id, Acted { outcome, detail, samples, value: () });
        }
        unknown
    }

    async fn find_out(&self, intent: &Intent, plugin_timeout: Duration) -> Finding {
        if let Ok(goal) = serde_json::from_value::<Goal>(intent.request["goal"].clone()) {
            let row = intent.request["row"].as_u64().unwrap_or(0);
            return self.find_interface(row, goal, Patience::for_plugin(plugin_timeout)).await;
        }
        let id = &intent.resource;
        match intent.what.as_str() {
            "ec2 TerminateInstances" => {
                self.find_instance(id, &["shutting-down", "terminated"]).await
            }
            "ec2 StopInstances" => self.find_instance(id, &["stopping", "stopped"]).await,
            "ec2 StartInstances" => self.find_instance(id, &["pending", "running"]).await,
            "ec2 ReleaseAddress" => {
                gone(self.reader.address(id).await.map(|it| it.value.is_none()))
            }
            "ec2 DeleteVolume" => gone(self.reader.volume(id).await.map(|it| it.value.is_none())),
            "routerctl plugin run" => self.find_part(id).await,
            "routerctl action import" => self.find_rows(|rows| !rows.is_empty()).await,
            "routerctl action approve" => {
                let row_id = intent.request["row"].as_u64();
                let approved = |row: &&Row| Some(row.id) == row_id && row.status != Status::Pending;
                self.find_rows(|rows| rows.iter().any(|row| approved(&row))).await
            }
            what if what.starts_with("re") => self.find_removed(id).await,
            _ => self.find_created(id, intent.request["contents"].as_str().unwrap_or("")).await,
        }
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
        (outcome, detail, shown(&samples))
    }

    async fn find_instance(&self, id: &str, wanted: &[&str]) -> Finding {
        match self.reader.instances(&[id.to_owned()]).await {
            Ok(answer) => {
                let state = answer.value.first().map_or("gone", |it| it.state.as_str());
                found(state == "gone" || wanted.contains(&state), format!("it is {state}"))
            }
            Err(error) if error.code() == Some("InvalidInstanceID.NotFound") => {
                found(true, "it is gone".to_owned())
            }
            Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
        }
    }

    async fn find_part(&self, source: &str) -> Finding {
        let routerd = &self.manifest.routerd;
        let answer = self.shell.observe(Node::RouterdCloud, &Observe::dynamic_parts(routerd)).await;
        match answer {
            Ok(answer) => match Routerctl::new(routerd).dynamic_list().read(&answer.value) {
                Ok(parts) => {
                    let there = parts.iter().any(|part| part.source == source);
                    found(there, format!("{source} stored: {there}"))
                }
                Err(error) if error.refusal().is_some() => found(false, error.to_string()),
                Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
            },
            Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
        }
    }

    async fn find_rows(&self, done: impl Fn(&[Row]) -> bool) -> Finding {
        let routerd = &self.manifest.routerd;
        let answer = self.shell.observe(Node::RouterdCloud, &Observe::rows(routerd)).await;
        match answer {
            Ok(answer) => match Routerctl::new(routerd).list().read(&answer.value) {
                Ok(rows) => {
                    found(done(&rows), format!("routerd's journal has {} rows", rows.len()))
                }
                Err(error) if error.refusal().is_some() => found(false, error.to_string()),
                Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
            },
            Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
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
            Ok(answer) if answer.value.code == 0 => {
                let ours = answer.value.stdout == contents.as_bytes();
                found(ours, format!("{path} is there, and this run's: {ours}"))
            }
            Ok(answer) => {
                let why = String::from_utf8_lossy(&answer.value.stderr).trim().to_owned();
                found(false, why)
            }
            Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
        }
    }
}

fn gone(gone: Result<bool, crate::ec2::ReadError>) -> Finding {
    match gone {
        Ok(gone) => found(gone, format!("gone: {gone}")),
        Err(error) => (Outcome::Unknown, error.to_string(), Vec::new()),
    }
}

fn found(done: bool, detail: String) -> Finding {
    (if done { Outcome::Done } else { Outcome::NotDone }, detail, Vec::new())
}

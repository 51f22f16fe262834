//! The commands that routerd is given: plan, import, approve, execute, roll back. Its exit codes and
//! printed lines are kept and never believed (I4): the row and the ENI say what happened.

use std::time::Duration;

use reports::journal::Writer;
use reports::record::{Effect, Goal, Outcome};
use reports::redact::Form;
use serde_json::json;

use super::settle::{Conclusion, Patience, Reply, Sample, show_samples, until_settled};
use super::{Acted, Mutation, NotTried, prove_interface, record_outcome, taking_back};
use crate::Lab;
use crate::ec2::Answer;
use crate::node::{Node, Output};
use crate::permit::{Forward, Permit, Undo};
use crate::routerd::RefusalEffect;
use crate::routerd::{AnswerError, Imported, PluginRun, Refusal, Routerctl, RowStatus};
use crate::shell::{Action, ShellError};

/// A row that is executed or rolled back, and what the ENI then looks like.
#[derive(Clone, Copy, Debug)]
pub struct Execution {
    pub row_id: u64,
    pub goal: Goal,
    /// The timeout of the executor's plugin.
    pub plugin_timeout: Duration,
}

/// A row whose action is taken back; what the ENI then looks like is in the permit.
#[derive(Clone, Copy, Debug)]
pub struct RowCall {
    pub row_id: u64,
    /// The timeout of the executor's plugin.
    pub plugin_timeout: Duration,
}

/// The output of routerctl, and all that was read back.
#[derive(Clone, Debug)]
pub struct RowAnswer {
    pub printed: Option<Answer<Output>>,
    pub samples: Vec<Sample>,
}

impl RowAnswer {
    /// The sample that was taken last; none where there is none.
    pub fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }
}

/// How a command that should change routerd's database went, before anything is read back.
fn answered(
    action: &Action,
    result: Result<Output, ShellError>,
) -> Result<Answer<Output>, ShellError> {
    result.map(|output| Answer {
        raw: vec![[output.stdout.clone(), output.stderr.clone()].concat()],
        value: output,
        call: format!("{}$ {}", Node::RouterdCloud, action.shown()),
        form: Form::Text,
        attempts: 1,
    })
}

impl Lab {
    /// `routerctl plugin run PLANNER`, which is to store plans with these keys.
    pub async fn run_planner(
        &self,
        permit: &Forward,
        journal: &Writer,
        keys: &[String],
    ) -> Result<Acted<Option<PluginRun>>, NotTried> {
        let routerd = &self.manifest.routerd;
        let call = Routerctl::new(routerd).plugin_run(&routerd.planner);
        let source = format!("Plugin/{}", routerd.planner);
        let mutation = Mutation {
            scenario: "plan",
            effect: Effect::RunPlanner { source, keys: keys.to_vec() },
            undo: None,
        };
        let action = Action::plugin_run(routerd);
        let read = |output: &Output| call.read(output);
        self.ask_routerctl(permit, journal, &mutation, &action, read).await
    }

    /// `routerctl action import`, which is to make rows with these keys.
    pub async fn import(
        &self,
        permit: &Forward,
        journal: &Writer,
        keys: &[String],
    ) -> Result<Acted<Option<Imported>>, NotTried> {
        let routerd = &self.manifest.routerd;
        let call = Routerctl::new(routerd).import();
        let state_file = routerd.state_file.clone();
        let mutation = Mutation {
            scenario: "import",
            effect: Effect::ImportActions { state_file, keys: keys.to_vec() },
            undo: None,
        };
        let action = Action::import(routerd);
        self.ask_routerctl(permit, journal, &mutation, &action, |output| call.read(output)).await
    }

    /// `routerctl action approve ROW`.
    pub async fn approve(
        &self,
        permit: &Forward,
        journal: &Writer,
        row_id: u64,
        by: &str,
    ) -> Result<Acted<Option<crate::routerd::Approved>>, NotTried> {
        let routerd = &self.manifest.routerd;
        let call = Routerctl::new(routerd).approve(row_id, by);
        let mutation = Mutation {
            scenario: "approve",
            effect: Effect::ApproveAction { row: row_id, by: by.to_owned() },
            undo: None,
        };
        let action = Action::approve(routerd, row_id, by);
        self.ask_routerctl(permit, journal, &mutation, &action, |output| call.read(output)).await
    }

    /// A command whose effect is in routerd's database alone. An answer that proves nothing is read
    /// back from there (I5).
    async fn ask_routerctl<T>(
        &self,
        permit: &Forward,
        journal: &Writer,
        mutation: &Mutation,
        action: &Action,
        read: impl Fn(&Output) -> Result<T, AnswerError>,
    ) -> Result<Acted<Option<T>>, NotTried> {
        let intent = mutation.begin(self, permit, journal)?;
        let result = self.shell.act(Node::RouterdCloud, action).await;
        let acted = match said(result, read) {
            Said::Done(detail, value) => {
                Acted { outcome: Outcome::Done, detail, samples: Vec::new(), value: Some(value) }
            }
            Said::NotDone(detail) => {
                Acted { outcome: Outcome::NotDone, detail, samples: Vec::new(), value: None }
            }
            Said::Nothing(why) => {
                let patience = Patience::for_plugin(Duration::ZERO);
                let (outcome, detail, samples) =
                    self.read_back(journal, &mutation.effect, patience).await;
                let detail = format!("{why}; read back: {detail}");
                Acted { outcome, detail, samples, value: None }
            }
        };
        Ok(record_outcome(self, journal, &intent, acted))
    }

    /// `routerctl action execute ROW --approved`, read back from the row and the ENI.
    pub async fn execute(
        &self,
        permit: &Forward,
        journal: &Writer,
        execution: Execution,
        undo_step: &str,
    ) -> Result<Acted<RowAnswer>, NotTried> {
        let eni = prove_interface(self).await?;
        let mutation = Mutation {
            scenario: "execute",
            effect: Effect::ExecuteAction {
                row: execution.row_id,
                network_interface_id: eni.network_interface_id.clone(),
                goal: execution.goal,
                before: json!(eni),
            },
            undo: Some(undo_step.to_owned()),
        };
        let action = Action::execute(&self.manifest.routerd, execution.row_id);
        let call = Routerctl::new(&self.manifest.routerd).execute(execution.row_id);
        let read = |output: &Output| call.read(output).map(|_| ());
        self.change_row(permit, journal, &mutation, &action, execution, &RowStatus::Succeeded, read)
            .await
    }

    /// `routerctl action rollback ROW --approved`, read back from the row and the ENI, which is to
    /// become what the permit says.
    pub async fn rollback(
        &self,
        permit: &Undo,
        journal: &Writer,
        row: RowCall,
    ) -> Result<Acted<RowAnswer>, NotTried> {
        let (eni, goal) = taking_back(self, permit).await?;
        let RowCall { row_id, plugin_timeout } = row;
        let execution = Execution { row_id, goal, plugin_timeout };
        let mutation = Mutation {
            scenario: "undo",
            effect: Effect::RollBackAction {
                row: execution.row_id,
                network_interface_id: eni.network_interface_id.clone(),
                goal: execution.goal,
                before: json!(eni),
            },
            undo: Some(permit.step().to_owned()),
        };
        let action = Action::rollback(&self.manifest.routerd, execution.row_id);
        let call = Routerctl::new(&self.manifest.routerd).rollback(execution.row_id);
        let read = |output: &Output| call.read(output).map(|_| ());
        self.change_row(
            permit,
            journal,
            &mutation,
            &action,
            execution,
            &RowStatus::RolledBack,
            read,
        )
        .await
    }

    #[expect(clippy::too_many_arguments, reason = "one place for both directions")]
    async fn change_row(
        &self,
        permit: &dyn Permit,
        journal: &Writer,
        mutation: &Mutation,
        action: &Action,
        execution: Execution,
        done: &RowStatus,
        read: impl Fn(&Output) -> Result<(), AnswerError>,
    ) -> Result<Acted<RowAnswer>, NotTried> {
        let intent = mutation.begin(self, permit, journal)?;
        let printed = answered(action, self.shell.act(Node::RouterdCloud, action).await);
        let told = match &printed {
            Err(error) if error.why.never_sent() => ClaimedEffect::Nothing,
            Err(_) => ClaimedEffect::Missing,
            Ok(answer) => told(read(&answer.value)),
        };
        let reply = if told == ClaimedEffect::Missing { Reply::Missing } else { Reply::Read };
        let said = match &printed {
            Ok(answer) => first_line(&answer.value),
            Err(error) => error.to_string(),
        };
        let patience = Patience::for_plugin(execution.plugin_timeout).after(reply);
        let certain = told == ClaimedEffect::Nothing;
        let (outcome, detail, samples) = until_settled(self, execution.row_id, |sample| {
            conclude(sample, execution.goal, done, patience, certain)
        })
        .await;
        let acted = Acted {
            outcome,
            detail: format!("{detail}; routerctl: {said}"),
            samples: show_samples(&samples),
            value: RowAnswer { printed: printed.ok(), samples },
        };
        Ok(record_outcome(self, journal, &intent, acted))
    }
}

/// The effect that routerctl's answer tells of, before anything is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimedEffect {
    /// Certainly nothing was done.
    Nothing,
    Something,
    /// There is no answer, or none that can be understood.
    Missing,
}

fn told(read: Result<(), AnswerError>) -> ClaimedEffect {
    let Err(error) = read else { return ClaimedEffect::Something };
    match error.refusal().map(Refusal::effect) {
        Some(RefusalEffect::Nothing) => ClaimedEffect::Nothing,
        Some(_) => ClaimedEffect::Something,
        None => ClaimedEffect::Missing,
    }
}

/// The outcome that an answer tells by itself.
enum Said<T> {
    Done(String, T),
    NotDone(String),
    /// Lost, or not understood: why.
    Nothing(String),
}

fn said<T>(
    result: Result<Output, ShellError>,
    read: impl Fn(&Output) -> Result<T, AnswerError>,
) -> Said<T> {
    let output = match result {
        Ok(output) => output,
        Err(error) if error.why.never_sent() => return Said::NotDone(error.to_string()),
        Err(error) => return Said::Nothing(error.to_string()),
    };
    match read(&output) {
        Ok(value) => Said::Done(first_line(&output), value),
        Err(error) => {
            let effect = error.refusal().map(Refusal::effect);
            if effect == Some(RefusalEffect::Nothing) {
                Said::NotDone(error.to_string())
            } else {
                Said::Nothing(error.to_string())
            }
        }
    }
}

fn first_line(output: &Output) -> String {
    let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    String::from_utf8_lossy(text).lines().next().unwrap_or("(nothing)").to_owned()
}

/// The row and the ENI together. Where they disagree the ENI says what is so, once it has been
/// asked long enough.
fn conclude(
    sample: &Sample,
    goal: Goal,
    done: &RowStatus,
    patience: Patience,
    certainly_refused: bool,
) -> Conclusion {
    let (Some(met), Some(status)) = (sample.met(goal), sample.status()) else {
        let why = "the row or the ENI could not be read".to_owned();
        return Conclusion::AfterPatience(patience.unanswered, Outcome::Unknown, why);
    };
    let seen = format!("row {status}, {goal}: {met}");
    match (status, met) {
        (status, true) if status == done => Conclusion::Settled(Outcome::Done, seen),
        _ if certainly_refused => Conclusion::Settled(Outcome::NotDone, seen),
        (RowStatus::Running, met) => Conclusion::AfterPatience(
            patience.unanswered,
            if met { Outcome::Done } else { Outcome::NotDone },
            seen,
        ),
        (_, true) => Conclusion::AfterPatience(patience.answered, Outcome::Done, seen),
        (RowStatus::Failed, false) => {
            Conclusion::AfterPatience(patience.unanswered, Outcome::NotDone, seen)
        }
        (_, false) => Conclusion::AfterPatience(patience.answered, Outcome::NotDone, seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::settle::example_sample as sample;

    #[test]
    fn what_the_two_witnesses_let_one_conclude() {
        let patience = Patience::for_plugin(Duration::from_mins(2));
        let goal = Goal::Assigned("10.88.60.9".parse().expect("an address"));
        let (settled, short, long) = (0, 30, 180);
        let table = [
            (RowStatus::Succeeded, true, false, settled, Outcome::Done),
            (RowStatus::Succeeded, false, false, short, Outcome::NotDone),
            (RowStatus::Failed, false, false, long, Outcome::NotDone),
            (RowStatus::Failed, true, false, short, Outcome::Done),
            (RowStatus::Running, false, false, long, Outcome::NotDone),
            (RowStatus::Running, true, false, long, Outcome::Done),
            (RowStatus::Approved, false, true, settled, Outcome::NotDone),
            (RowStatus::Skipped, false, false, short, Outcome::NotDone),
        ];
        for (status, met, refused, after_s, outcome) in table {
            let row = sample(status.clone(), met);
            let (waits, concluded) =
                match conclude(&row, goal, &RowStatus::Succeeded, patience, refused) {
                    Conclusion::Settled(outcome, _) => (0, outcome),
                    Conclusion::AfterPatience(wait, outcome, _) => (wait.as_secs(), outcome),
                };
            assert_eq!(
                (waits, concluded),
                (after_s, outcome),
                "{status:?} met={met} refused={refused}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let patience = Patience::for_plugin(Duration::from_mins(2));
        let goal = Goal::SourceDestCheck(false);
        let mut unread = sample(RowStatus::Succeeded, true);
        unread.eni = Err("no answer".to_owned());
        let Conclusion::AfterPatience(_, outcome, _) =
            conclude(&unread, goal, &RowStatus::Succeeded, patience, false)
        else {
            panic!("settled without having read the ENI")
        };
        assert_eq!(outcome, Outcome::Unknown);
    }
}

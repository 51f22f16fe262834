//! The second way to undo: the executor itself, asked with the *baseline's* prior value, for a row
//! that routerd can no longer roll back (running, failed, or with its prior lost: contract §4.6).

use std::collections::BTreeMap;

use reports::journal::Writer;
use reports::record::{Effect, Goal, Outcome};
use reports::redact::Form;
use serde::Deserialize;
use serde_json::json;

use super::settle::{Conclusion, Patience, Reply, Sample, show_samples, until_settled};
use super::{
    Acted, Execution, Mutation, NotTried, RowAnswer, RowCall, record_outcome, taking_back,
};
use crate::Lab;
use crate::change_set::ActionPlan;
use crate::ec2::Answer;
use crate::manifest::Manifest;
use crate::node::{Node, Output};
use crate::permit::Undo;
use crate::shell::Action;

/// The executor as the node's router.yaml names it.
#[derive(Clone, Debug)]
pub struct ExecutorProgram {
    pub executable: String,
    /// `spec.env` of its plugin.
    pub env: BTreeMap<String, String>,
}

impl Lab {
    /// Sends the undo request of the permit's step to the executor, and reads the ENI back.
    pub async fn undo_by_executor(
        &self,
        permit: &Undo,
        journal: &Writer,
        program: &ExecutorProgram,
        row: RowCall,
    ) -> Result<Acted<RowAnswer>, NotTried> {
        let (eni, goal) = taking_back(self, permit).await?;
        let RowCall { row_id, plugin_timeout } = row;
        let execution = Execution { row_id, goal, plugin_timeout };
        let request = self.undo_request(&eni.network_interface_id, goal, permit.step());
        let mutation = Mutation {
            scenario: "undo",
            effect: Effect::UndoByExecutor {
                row: execution.row_id,
                network_interface_id: eni.network_interface_id.clone(),
                goal: execution.goal,
                before: json!(eni),
                executable: program.executable.clone(),
                stdin: request.clone(),
            },
            undo: Some(permit.step().to_owned()),
        };
        let intent = mutation.begin(self, permit, journal)?;
        let stdin = request.to_string().into_bytes();
        let action = Action::executor(&program.executable, &program.env, stdin);
        let result = self.shell.act(Node::RouterdCloud, &action).await;
        let said = match &result {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let reply = match &result {
            Ok(output) if answers(output) => Reply::Read,
            Ok(_) | Err(_) => Reply::Missing,
        };
        let patience = Patience::for_plugin(execution.plugin_timeout).after(reply);
        let (outcome, detail, samples) = until_settled(self, execution.row_id, |sample| {
            conclude(sample, execution.goal, patience)
        })
        .await;
        let printed = result.ok().map(|output| Answer {
            raw: vec![[output.stdout.clone(), output.stderr.clone()].concat()],
            value: output,
            call: format!("{}$ {}", Node::RouterdCloud, action.shown()),
            form: Form::Text,
            attempts: 1,
        });
        let acted = Acted {
            outcome,
            detail: format!("{detail}; executor: {said}"),
            samples: show_samples(&samples),
            value: RowAnswer { printed, samples },
        };
        Ok(record_outcome(self, journal, &intent, acted))
    }

    fn undo_request(&self, eni: &str, goal: Goal, step: &str) -> serde_json::Value {
        let (action, parameters, address) = match goal {
            Goal::SourceDestCheck(prior) => {
                let prior = json!({ "priorSourceDestCheck": prior.to_string() });
                ("ensure-forwarding-disabled", prior, self.manifest.capture.address.to_string())
            }
            Goal::Unassigned(address) | Goal::Assigned(address) => {
                ("unassign-secondary-ip", json!({}), format!("{address}/32"))
            }
        };
        let order = ExecutorRequest { action, parameters, eni, address, mode: "execute" };
        request(&self.manifest, &order, &format!("lab-smoke:{step}"))
    }
}

/// The order that an executor is asked to carry out.
struct ExecutorRequest<'a> {
    action: &'a str,
    parameters: serde_json::Value,
    eni: &'a str,
    address: String,
    mode: &'static str,
}

/// The request as routerd's engine writes it.
fn request(manifest: &Manifest, order: &ExecutorRequest<'_>, key: &str) -> serde_json::Value {
    json!({
        "apiVersion": "provideraction.routerd.net/v1alpha1",
        "kind": "ExecuteActionRequest",
        "spec": {
            "action": order.action,
            "provider": "aws",
            "providerRef": manifest.capture.provider_ref,
            "target": {
                "nicRef": order.eni,
                "address": order.address,
                "region": manifest.aws.region,
            },
            "parameters": order.parameters,
            "mode": order.mode,
            "idempotencyKey": key,
            "context": {},
        },
    })
}

/// The request by which the executor is asked what it would do of a plan.
pub(crate) fn dry_run_request(manifest: &Manifest, plan: &ActionPlan) -> serde_json::Value {
    let order = ExecutorRequest {
        action: &plan.action,
        parameters: json!(plan.parameters),
        eni: &manifest.capture.network_interface_id,
        address: plan.target.get("address").cloned().unwrap_or_default(),
        mode: "dry-run",
    };
    request(manifest, &order, &format!("lab-smoke:preflight:{}", plan.action))
}

/// The answer of an executor to routerd.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ExecutorAnswer {
    status: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    error: String,
}

/// Why there is no answer of an executor, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorSilence {
    #[error("it ended with exit code {code}: {said}")]
    Ended { code: i32, said: String },
    #[error("it gave no answer ({why}) {said}")]
    NoAnswer { why: String, said: String },
}

impl ExecutorAnswer {
    /// # Errors
    /// Where the executor did not come to its end with one.
    pub fn read(output: &Output) -> Result<Self, ExecutorSilence> {
        #[derive(Deserialize)]
        struct ResultDocument {
            status: ExecutorAnswer,
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.code != 0 {
            return Err(ExecutorSilence::Ended { code: output.code, said });
        }
        let document: Result<ResultDocument, _> = serde_json::from_slice(&output.stdout);
        document
            .map(|it| it.status)
            .map_err(|error| ExecutorSilence::NoAnswer { why: error.to_string(), said })
    }

    /// Whether it would do this, in these words.
    pub fn would(&self, message: &str) -> bool {
        self.status == "succeeded" && self.message == message
    }
}

impl std::fmt::Display for ExecutorAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.status)?;
        if self.error.is_empty() { Ok(()) } else { write!(f, ": {}", self.error) }
    }
}

/// Whether the executor came to its end and said so: one JSON object.
fn answers(output: &Output) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&output.stdout).is_ok()
}

/// The row is no witness here: routerd does not know of this call.
fn conclude(sample: &Sample, goal: Goal, patience: Patience) -> Conclusion {
    match sample.met(goal) {
        None => Conclusion::AfterPatience(
            patience.unanswered,
            Outcome::Unknown,
            "the ENI could not be read".to_owned(),
        ),
        Some(true) => Conclusion::Settled(Outcome::Done, format!("{goal}: true")),
        Some(false) => {
            Conclusion::AfterPatience(patience.answered, Outcome::NotDone, format!("{goal}: false"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(code: i32, stdout: &str) -> Output {
        Output { code, stdout: stdout.into(), stderr: b"said\n".to_vec() }
    }

    #[test]
    fn an_executors_word_is_what_it_answers_at_its_end() {
        let answer = r#"{"status":{"status":"succeeded","message":"would assign"}}"#;
        let read = ExecutorAnswer::read(&output(0, answer)).expect("an answer");
        assert!(read.would("would assign") && !read.would("would unassign"));
        assert_eq!(read.to_string(), "would assign (succeeded)");
        let failed =
            answer.replace("succeeded", "failed").replace("assign\"", "assign\",\"error\":\"no\"");
        let read = ExecutorAnswer::read(&output(0, &failed)).expect("an answer");
        assert!(!read.would("would assign"));
        assert_eq!(read.to_string(), "would assign (failed): no");
        let ended = ExecutorSilence::Ended { code: 3, said: "said".to_owned() };
        assert_eq!(ExecutorAnswer::read(&output(3, answer)), Err(ended));
        for nothing in ["", "[]", "{}"] {
            let silence = ExecutorAnswer::read(&output(0, nothing));
            assert!(matches!(silence, Err(ExecutorSilence::NoAnswer { .. })), "{silence:?}");
        }
    }

    /// A request as routerd's engine writes it, for the lab's own ENI and region.
    #[tokio::test(start_paused = true)]
    async fn an_undo_is_asked_for_in_routerds_words() {
        let lab = crate::deaf::open_deaf_lab();
        let address = "10.88.60.9".parse().expect("an address");
        let table = [
            (Goal::Unassigned(address), "unassign-secondary-ip", json!({})),
            (
                Goal::SourceDestCheck(true),
                "ensure-forwarding-disabled",
                json!({ "priorSourceDestCheck": "true" }),
            ),
        ];
        for (goal, action, parameters) in table {
            let request = lab.undo_request("eni-1", goal, "undo.address");
            let expected = json!({
                "action": action, "provider": "aws", "providerRef": "aws-lab",
                "target": {
                    "nicRef": "eni-1", "address": "10.88.60.9/32", "region": "ap-northeast-1",
                },
                "parameters": parameters, "mode": "execute",
                "idempotencyKey": "lab-smoke:undo.address", "context": {},
            });
            assert_eq!(
                (&request["kind"], &request["spec"]),
                (&json!("ExecuteActionRequest"), &expected)
            );
        }
    }

    #[test]
    fn one_object_is_an_answer_and_nothing_else_is() {
        for (stdout, is_one) in
            [("{}", true), ("{\"a\":1}\n", true), ("", false), ("[]", false), ("{", false)]
        {
            assert_eq!(answers(&output(0, stdout)), is_one, "{stdout}");
        }
    }
}

//! The second way to undo: the executor itself, asked with the *baseline's* prior value, for a row
//! that routerd can no longer roll back (running, failed, or with its prior lost: contract §4.6).

use std::collections::BTreeMap;

use reports::journal::Writer;
use reports::record::Outcome;
use reports::redact::Form;
use serde_json::json;

use super::settle::{Conclusion, Patience, Reply, Sample, shown, until_settled};
use super::{Acted, Effect, Execution, Goal, NotTried, RowAnswer, RowCall, finish, taking_back};
use crate::Lab;
use crate::ec2::Answer;
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
        let effect = Effect {
            scenario: "undo",
            what: format!("{} with the baseline's prior value", program.executable),
            resource: eni.network_interface_id.clone(),
            request: json!({ "row": execution.row_id, "goal": execution.goal, "stdin": request, "before": eni }),
            undo: Some(permit.step().to_owned()),
        };
        let intent = effect.begin(self, permit, journal)?;
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
            samples: shown(&samples),
            value: RowAnswer { printed, samples },
        };
        Ok(finish(self, journal, &intent, acted))
    }

    fn undo_request(&self, eni: &str, goal: Goal, step: &str) -> serde_json::Value {
        let capture = &self.manifest.capture;
        let (action, parameters, address) = match goal {
            Goal::SourceDestCheck(prior) => {
                let prior = json!({ "priorSourceDestCheck": prior.to_string() });
                ("ensure-forwarding-disabled", prior, capture.address.to_string())
            }
            Goal::Unassigned(address) | Goal::Assigned(address) => {
                ("unassign-secondary-ip", json!({}), format!("{address}/32"))
            }
        };
        json!({
            "apiVersion": "provideraction.routerd.net/v1alpha1",
            "kind": "ExecuteActionRequest",
            "spec": {
                "action": action,
                "provider": "aws",
                "providerRef": capture.provider_ref,
                "target": {
                    "nicRef": eni,
                    "address": address,
                    "region": self.manifest.aws.region,
                },
                "parameters": parameters,
                "mode": "execute",
                "idempotencyKey": format!("lab-smoke:{step}"),
                "context": {},
            },
        })
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

//! Mutations of EC2 that the harness makes itself: teardown, and stopping and starting for cost.
//! The captured address is not among them: the executor moves it. Every request is sent once;
//! whatever it answered, the outcome is what is read back.

use std::time::Duration;

use aws_sdk_ec2::error::DisplayErrorContext;
use reports::journal::Writer;
use reports::record::Outcome;
use serde_json::{Value, json};

use super::{Address, Connection, Instance, ReadError, Volume};
use crate::Lab;
use crate::act::{Acted, Effect, NotLab, NotTried, finish};
use crate::permit::{Cost, Permit, Undo};

/// How long EC2 may take to show what it was asked to do: `instance_terminated`'s own waiter gives
/// up after ten minutes.
const DEADLINE: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_secs(1);

/// Only for [`Lab`]'s functions below.
#[derive(Clone)]
pub struct Mutator {
    ec2: aws_sdk_ec2::Client,
}

/// What an instance is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Terminated,
    Stopped,
    Running,
}

impl Wanted {
    fn state(self) -> &'static str {
        match self {
            Self::Terminated => "terminated",
            Self::Stopped => "stopped",
            Self::Running => "running",
        }
    }

    fn call(self) -> &'static str {
        match self {
            Self::Terminated => "ec2 TerminateInstances",
            Self::Stopped => "ec2 StopInstances",
            Self::Running => "ec2 StartInstances",
        }
    }
}

impl Mutator {
    pub fn new(connection: &Connection) -> Self {
        Self { ec2: connection.ec2_without_retry() }
    }

    async fn change_state(&self, wanted: Wanted, id: &str) -> Result<(), String> {
        match wanted {
            Wanted::Terminated => {
                said(self.ec2.terminate_instances().instance_ids(id).send().await)
            }
            Wanted::Stopped => said(self.ec2.stop_instances().instance_ids(id).send().await),
            Wanted::Running => said(self.ec2.start_instances().instance_ids(id).send().await),
        }
    }
}

/// What a request answered, for people: it is never the proof.
fn said<T, E>(result: Result<T, aws_sdk_ec2::error::SdkError<E>>) -> Result<(), String>
where
    E: std::error::Error + 'static,
{
    result.map(|_| ()).map_err(|error| DisplayErrorContext(&error).to_string())
}

/// What reading back says about a wish.
enum Seen {
    Done(Value),
    NotYet(Value),
}

impl Lab {
    pub async fn terminate_instance(
        &self,
        permit: &Undo,
        journal: &Writer,
        id: &str,
    ) -> Result<Acted<()>, NotTried> {
        self.change_instance(
            permit,
            journal,
            "teardown",
            Wanted::Terminated,
            id,
            Some(permit.step()),
        )
        .await
    }

    pub async fn stop_instance_for_good(
        &self,
        permit: &Undo,
        journal: &Writer,
        id: &str,
    ) -> Result<Acted<()>, NotTried> {
        self.change_instance(permit, journal, "teardown", Wanted::Stopped, id, Some(permit.step()))
            .await
    }

    /// To cut cost while a human decides.
    pub async fn stop_instance(
        &self,
        permit: &Cost,
        journal: &Writer,
        scenario: &'static str,
    ) -> Result<Acted<()>, NotTried> {
        let id = permit.instance_id().to_owned();
        self.change_instance(permit, journal, scenario, Wanted::Stopped, &id, None).await
    }

    pub async fn start_instance(
        &self,
        permit: &Cost,
        journal: &Writer,
        scenario: &'static str,
    ) -> Result<Acted<()>, NotTried> {
        let id = permit.instance_id().to_owned();
        self.change_instance(permit, journal, scenario, Wanted::Running, &id, None).await
    }

    async fn change_instance(
        &self,
        permit: &dyn Permit,
        journal: &Writer,
        scenario: &'static str,
        wanted: Wanted,
        id: &str,
        step: Option<&str>,
    ) -> Result<Acted<()>, NotTried> {
        let instance = match self.prove_instance(id).await {
            Err(NotLab::Gone { .. }) if wanted == Wanted::Terminated => return Ok(gone_already()),
            proved => proved?,
        };
        if instance.state == wanted.state() {
            let detail = format!("it is {} already", instance.state);
            return Ok(Acted { outcome: Outcome::Done, detail, samples: Vec::new(), value: () });
        }
        let effect = Effect {
            scenario,
            what: wanted.call().to_owned(),
            resource: id.to_owned(),
            request: json!({ "instance_id": id, "before": instance.state }),
            undo: step.map(str::to_owned),
        };
        let intent = effect.begin(self, permit, journal)?;
        let said = self.mutator.change_state(wanted, id).await;
        let ids = [id.to_owned()];
        let acted = self
            .read_back(said, async || match self.reader.instances(&ids).await {
                Ok(answer) => Ok(state_of(&answer.value, wanted)),
                Err(error)
                    if wanted == Wanted::Terminated
                        && error.code() == Some("InvalidInstanceID.NotFound") =>
                {
                    Ok(Seen::Done(json!("gone")))
                }
                Err(error) => Err(error),
            })
            .await;
        Ok(finish(self, journal, &intent, acted))
    }

    async fn prove_instance(&self, id: &str) -> Result<Instance, NotLab> {
        let resource = format!("instance {id}");
        let answer =
            self.reader.instances(&[id.to_owned()]).await.map_err(|source| {
                match source.code() {
                    Some("InvalidInstanceID.NotFound") => {
                        NotLab::Gone { resource: resource.clone() }
                    }
                    _ => NotLab::Unread { resource: resource.clone(), source },
                }
            })?;
        let instance = answer.value.into_iter().find(|instance| instance.instance_id == id);
        let instance = instance.ok_or_else(|| NotLab::Gone { resource: resource.clone() })?;
        // A terminated instance has no VPC any more, and nothing is done to it.
        if instance.state != "terminated" {
            let vpc = instance.vpc_id.as_deref().unwrap_or("none");
            let wanted = &self.manifest.aws.vpc_id;
            self.manifest.prove(&resource, &[("VPC", vpc, wanted)], &instance.tags)?;
        }
        Ok(instance)
    }

    /// Releases an EIP of the lab; an association is taken off first.
    pub async fn release_address(
        &self,
        permit: &Undo,
        journal: &Writer,
        allocation_id: &str,
    ) -> Result<Acted<()>, NotTried> {
        let address = match self.prove_address(allocation_id).await {
            Err(NotLab::Gone { .. }) => return Ok(gone_already()),
            proved => proved?,
        };
        let effect = Effect {
            scenario: "teardown",
            what: "ec2 ReleaseAddress".to_owned(),
            resource: allocation_id.to_owned(),
            request: json!({ "allocation_id": allocation_id, "before": address }),
            undo: Some(permit.step().to_owned()),
        };
        let intent = effect.begin(self, permit, journal)?;
        if let Some(association) = &address.association_id {
            let request = self.mutator.ec2.disassociate_address().association_id(association);
            if let Err(why) = said(request.send().await) {
                tracing::warn!(allocation_id, why, "the association could not be taken off");
            }
        }
        let release = self.mutator.ec2.release_address().allocation_id(allocation_id);
        let said = said(release.send().await);
        let acted = self
            .read_back(said, async || {
                let found = self.reader.address(allocation_id).await?.value;
                Ok(match found {
                    None => Seen::Done(json!("gone")),
                    Some(address) => Seen::NotYet(json!(address)),
                })
            })
            .await;
        Ok(finish(self, journal, &intent, acted))
    }

    async fn prove_address(&self, id: &str) -> Result<Address, NotLab> {
        let resource = format!("elastic IP address {id}");
        let answer = self
            .reader
            .address(id)
            .await
            .map_err(|source| NotLab::Unread { resource: resource.clone(), source })?;
        let address = answer.value.ok_or_else(|| NotLab::Gone { resource: resource.clone() })?;
        self.manifest.prove(&resource, &[], &address.tags)?;
        Ok(address)
    }

    pub async fn delete_volume(
        &self,
        permit: &Undo,
        journal: &Writer,
        volume_id: &str,
    ) -> Result<Acted<()>, NotTried> {
        let volume = match self.prove_volume(volume_id).await {
            Err(NotLab::Gone { .. }) => return Ok(gone_already()),
            proved => proved?,
        };
        let effect = Effect {
            scenario: "teardown",
            what: "ec2 DeleteVolume".to_owned(),
            resource: volume_id.to_owned(),
            request: json!({ "volume_id": volume_id, "before": volume }),
            undo: Some(permit.step().to_owned()),
        };
        let intent = effect.begin(self, permit, journal)?;
        let said = said(self.mutator.ec2.delete_volume().volume_id(volume_id).send().await);
        let acted = self
            .read_back(said, async || {
                let found = self.reader.volume(volume_id).await?.value;
                Ok(match found {
                    None => Seen::Done(json!("gone")),
                    Some(volume) => Seen::NotYet(json!(volume.state)),
                })
            })
            .await;
        Ok(finish(self, journal, &intent, acted))
    }

    async fn prove_volume(&self, id: &str) -> Result<Volume, NotLab> {
        let resource = format!("volume {id}");
        let answer = self
            .reader
            .volume(id)
            .await
            .map_err(|source| NotLab::Unread { resource: resource.clone(), source })?;
        let volume = answer.value.ok_or_else(|| NotLab::Gone { resource: resource.clone() })?;
        self.manifest.prove(&resource, &[], &volume.tags)?;
        Ok(volume)
    }

    /// Polls until it is so. A request that was refused is given only a short while: somebody else
    /// may have done it, or its reply was lost after it was done.
    async fn read_back(
        &self,
        said: Result<(), String>,
        look: impl AsyncFn() -> Result<Seen, ReadError>,
    ) -> Acted<()> {
        let since = self.clock.stopwatch();
        let deadline = if said.is_ok() { DEADLINE } else { Duration::from_mins(1) };
        let answer = said.err().map(|why| format!("; EC2 answered: {why}")).unwrap_or_default();
        let mut samples: Vec<Value> = Vec::new();
        loop {
            let seen = look().await;
            let now = self.clock.now();
            let late = since.elapsed() >= deadline;
            let (sample, settled) = match seen {
                Ok(Seen::Done(sample)) => (sample, Some(Outcome::Done)),
                Ok(Seen::NotYet(sample)) => (sample, late.then_some(Outcome::NotDone)),
                Err(error) => (json!(error.to_string()), late.then_some(Outcome::Unknown)),
            };
            if samples.last().is_none_or(|last| last["seen"] != sample) {
                samples.push(json!({ "at": now, "seen": sample }));
            }
            if let Some(outcome) = settled {
                return Acted { outcome, detail: format!("{sample}{answer}"), samples, value: () };
            }
            self.clock.sleep(POLL).await;
        }
    }
}

/// Repeating a teardown touches nothing that an earlier one has destroyed.
fn gone_already() -> Acted<()> {
    let detail = "it is gone already".to_owned();
    Acted { outcome: Outcome::Done, detail, samples: Vec::new(), value: () }
}

fn state_of(instances: &[Instance], wanted: Wanted) -> Seen {
    let state = instances.first().map_or("unlisted", |instance| instance.state.as_str());
    if state == wanted.state() { Seen::Done(json!(state)) } else { Seen::NotYet(json!(state)) }
}

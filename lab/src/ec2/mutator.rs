//! Mutations of EC2 that the harness makes itself: teardown, and stopping and starting for cost.
//! The captured address is not among them: the executor moves it. Every request is sent once;
//! whatever it answered, the outcome is what is read back.

use std::time::Duration;

use aws_sdk_ec2::error::DisplayErrorContext;
use reports::journal::Writer;
use reports::record::{Operation, Outcome};
use serde_json::{Value, json};

use super::{Address, Answer, Connection, Instance, ReadError, Tags, Volume};
use crate::Lab;
use crate::act::{Acted, Effect, NotLab, NotTried, Seen, finish, until_seen};
use crate::permit::{Cost, Permit, Power, Undo};

/// How long EC2 may take to show what it was asked to do: `instance_terminated`'s own waiter gives
/// up after ten minutes.
const DEADLINE: Duration = Duration::from_mins(10);

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

impl Lab {
    /// Carries out one step of the teardown, as its permit has it.
    pub async fn tear_down(&self, permit: &Undo, journal: &Writer) -> Result<Acted<()>, NotTried> {
        match permit.operation() {
            Operation::TerminateInstance { .. } => self.terminate_instance(permit, journal).await,
            Operation::StopInstance { .. } => self.stop_instance_for_good(permit, journal).await,
            Operation::ReleaseAddress { .. } => self.release_address(permit, journal).await,
            Operation::DeleteVolume { .. } => self.delete_volume(permit, journal).await,
            Operation::RestoreSourceDestCheck { .. }
            | Operation::UnassignAddress { .. }
            | Operation::RemoveChangeSet { .. }
            | Operation::ReleaseLock { .. } => Err(permit.other_than("tear something down").into()),
        }
    }

    /// Terminates the instance that the permit names.
    pub async fn terminate_instance(
        &self,
        permit: &Undo,
        journal: &Writer,
    ) -> Result<Acted<()>, NotTried> {
        let Operation::TerminateInstance { instance_id, region } = permit.operation() else {
            return Err(permit.other_than("terminate an instance").into());
        };
        self.prove_region(region)?;
        let step = Some(permit.step());
        let wanted = Wanted::Terminated;
        self.change_instance(permit, journal, "teardown", wanted, instance_id, step).await
    }

    /// Stops the instance that the permit names, at the end of the run.
    pub async fn stop_instance_for_good(
        &self,
        permit: &Undo,
        journal: &Writer,
    ) -> Result<Acted<()>, NotTried> {
        let Operation::StopInstance { instance_id, region } = permit.operation() else {
            return Err(permit.other_than("stop an instance").into());
        };
        self.prove_region(region)?;
        let (step, wanted) = (Some(permit.step()), Wanted::Stopped);
        self.change_instance(permit, journal, "teardown", wanted, instance_id, step).await
    }

    /// Stops the instance that the permit names, to cut cost.
    pub async fn stop_instance(
        &self,
        permit: &Cost,
        journal: &Writer,
        scenario: &'static str,
    ) -> Result<Acted<()>, NotTried> {
        permit.is_to(Power::Stop)?;
        let id = permit.instance_id();
        self.change_instance(permit, journal, scenario, Wanted::Stopped, id, None).await
    }

    /// Starts the instance that the permit names.
    pub async fn start_instance(
        &self,
        permit: &Cost,
        journal: &Writer,
        scenario: &'static str,
    ) -> Result<Acted<()>, NotTried> {
        permit.is_to(Power::Start)?;
        let id = permit.instance_id();
        self.change_instance(permit, journal, scenario, Wanted::Running, id, None).await
    }

    /// A plan for another region is another lab's.
    pub(crate) fn prove_region(&self, region: &str) -> Result<(), NotLab> {
        let wanted = &self.manifest.aws.region;
        if region == wanted {
            return Ok(());
        }
        Err(NotLab::Foreign {
            resource: "the step of the undo plan".to_owned(),
            field: "region",
            found: region.to_owned(),
            wanted: wanted.clone(),
        })
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
        let ids = [id.to_owned()];
        let look = async || match self.reader.instances(&ids).await {
            Ok(answer) => Ok(state_of(&answer.value, wanted)),
            Err(error)
                if wanted == Wanted::Terminated
                    && error.code() == Some("InvalidInstanceID.NotFound") =>
            {
                Ok(Seen::Done(json!("gone")))
            }
            Err(error) => Err(error),
        };
        self.request(permit, journal, &effect, self.mutator.change_state(wanted, id), look).await
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

    /// Releases the lab's EIP that the permit names; an association is taken off first.
    pub async fn release_address(
        &self,
        permit: &Undo,
        journal: &Writer,
    ) -> Result<Acted<()>, NotTried> {
        let Operation::ReleaseAddress { allocation_id, region } = permit.operation() else {
            return Err(permit.other_than("release an elastic IP address").into());
        };
        self.prove_region(region)?;
        let mut address = match self.prove_address(allocation_id).await {
            Err(NotLab::Gone { .. }) => return Ok(gone_already()),
            proved => proved?,
        };
        if let Some(association) = address.association_id.clone() {
            let acted =
                Box::pin(self.disassociate(permit, journal, &association, &address)).await?;
            if acted.outcome != Outcome::Done {
                return Ok(acted);
            }
            address = match self.prove_address(allocation_id).await {
                Err(NotLab::Gone { .. }) => return Ok(gone_already()),
                proved => proved?,
            };
        }
        let request = json!({ "allocation_id": allocation_id, "before": address });
        let effect = teardown("ec2 ReleaseAddress", allocation_id, request, permit);
        let send = self.mutator.ec2.release_address().allocation_id(allocation_id).send();
        let look = async || {
            let found = self.reader.address(allocation_id).await?.value;
            Ok(found.map_or_else(gone, |address| Seen::NotYet(json!(address))))
        };
        let send = Box::pin(async { said(send.await) });
        self.request(permit, journal, &effect, send, look).await
    }

    async fn disassociate(
        &self,
        permit: &Undo,
        journal: &Writer,
        association_id: &str,
        address: &Address,
    ) -> Result<Acted<()>, NotTried> {
        let id = &address.allocation_id;
        let request = json!({ "association_id": association_id, "before": address });
        let effect = teardown("ec2 DisassociateAddress", id, request, permit);
        let send = self.mutator.ec2.disassociate_address().association_id(association_id).send();
        let look = async || {
            let found = self.reader.address(id).await?.value;
            Ok(match found.and_then(|address| address.association_id) {
                None => Seen::Done(json!("disassociated")),
                Some(association) => Seen::NotYet(json!(association)),
            })
        };
        let send = Box::pin(async { said(send.await) });
        self.request(permit, journal, &effect, send, look).await
    }

    async fn prove_address(&self, id: &str) -> Result<Address, NotLab> {
        let found = self.reader.address(id).await;
        self.prove_tagged(format!("elastic IP address {id}"), found, |address| &address.tags)
    }

    /// Deletes the volume that the permit names.
    pub async fn delete_volume(
        &self,
        permit: &Undo,
        journal: &Writer,
    ) -> Result<Acted<()>, NotTried> {
        let Operation::DeleteVolume { volume_id, region } = permit.operation() else {
            return Err(permit.other_than("delete a volume").into());
        };
        self.prove_region(region)?;
        let found = self.reader.volume(volume_id).await;
        let resource = format!("volume {volume_id}");
        let volume: Volume = match self.prove_tagged(resource, found, |volume| &volume.tags) {
            Err(NotLab::Gone { .. }) => return Ok(gone_already()),
            proved => proved?,
        };
        let request = json!({ "volume_id": volume_id, "before": volume });
        let effect = teardown("ec2 DeleteVolume", volume_id, request, permit);
        let send = self.mutator.ec2.delete_volume().volume_id(volume_id).send();
        let look = async || {
            let found = self.reader.volume(volume_id).await?.value;
            Ok(found.map_or_else(gone, |volume| Seen::NotYet(json!(volume.state))))
        };
        let send = Box::pin(async { said(send.await) });
        self.request(permit, journal, &effect, send, look).await
    }

    /// What was read is the lab's by its tag.
    fn prove_tagged<T>(
        &self,
        resource: String,
        found: Result<Answer<Option<T>>, ReadError>,
        tags: impl Fn(&T) -> &Tags,
    ) -> Result<T, NotLab> {
        match found {
            Ok(answer) => {
                let found = answer.value;
                let found = found.ok_or_else(|| NotLab::Gone { resource: resource.clone() })?;
                self.manifest.prove(&resource, &[], tags(&found))?;
                Ok(found)
            }
            Err(source) => Err(NotLab::Unread { resource, source }),
        }
    }

    /// Records the intent, sends the request once, and looks until it is so.
    async fn request(
        &self,
        permit: &dyn Permit,
        journal: &Writer,
        effect: &Effect,
        send: impl Future<Output = Result<(), String>>,
        look: impl AsyncFn() -> Result<Seen, ReadError>,
    ) -> Result<Acted<()>, NotTried> {
        let intent = effect.begin(self, permit, journal)?;
        let said = send.await;
        // A request that was refused is given only a short while: somebody else may have done it,
        // or its reply was lost after it was done.
        let patience = if said.is_ok() { DEADLINE } else { Duration::from_mins(1) };
        let (outcome, seen, samples) = until_seen(self, patience, look).await;
        let answer = said.err().map(|why| format!("; EC2 answered: {why}")).unwrap_or_default();
        let acted = Acted { outcome, detail: format!("{seen}{answer}"), samples, value: () };
        Ok(finish(self, journal, &intent, acted))
    }
}

fn teardown(what: &str, resource: &str, request: Value, permit: &Undo) -> Effect {
    Effect {
        scenario: "teardown",
        what: what.to_owned(),
        resource: resource.to_owned(),
        request,
        undo: Some(permit.step().to_owned()),
    }
}

fn gone() -> Seen {
    Seen::Done(json!("gone"))
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

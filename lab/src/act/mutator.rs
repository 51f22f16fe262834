//! Mutations of EC2 that the harness makes itself: teardown, and stopping and starting for cost.
//! The captured address is not among them: the executor moves it. Whatever a request answered, the
//! outcome is what is read back.

use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use reports::journal::Writer;
use reports::record::{Effect, Operation, Outcome};
use serde_json::json;

use super::again::{NotTaken, RequestId, Tried, read_request_id};
use super::{Acted, Mutation, NotLab, NotTried, POLL, Progress, requests};
use crate::Lab;
use crate::ec2::{
    Address, Answer, AwsConnection, Instance, InstanceState, ReadError, Sighted, Tags, Volume,
};
use crate::permit::{Cost, Permit, PowerChange, Undo};

/// How long EC2 may take to show what it was asked to do: `instance_terminated`'s own waiter gives
/// up after ten minutes.
pub(super) const DEADLINE: Duration = Duration::from_mins(10);

/// Only for [`Lab`]'s functions below.
#[derive(Clone)]
pub(crate) struct Mutator {
    ec2: aws_sdk_ec2::Client,
}

/// The state that an instance is to get into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WantedState {
    Terminated,
    Stopped,
    Running,
}

impl WantedState {
    fn state(self) -> InstanceState {
        match self {
            Self::Terminated => InstanceState::Terminated,
            Self::Stopped => InstanceState::Stopped,
            Self::Running => InstanceState::Running,
        }
    }

    /// Whether EC2 takes the request in that state. Only the end can be asked for at any time.
    fn can_be_asked_of(self, state: &InstanceState) -> bool {
        match self {
            Self::Terminated => *state != InstanceState::ShuttingDown,
            Self::Stopped | Self::Running => !state.passes(),
        }
    }

    fn effect(self, id: &str, before: &InstanceState) -> Effect {
        let (instance_id, before) = (id.to_owned(), before.to_string());
        match self {
            Self::Terminated => Effect::Ec2TerminateInstance { instance_id, before },
            Self::Stopped => Effect::Ec2StopInstance { instance_id, before },
            Self::Running => Effect::Ec2StartInstance { instance_id, before },
        }
    }
}

impl Mutator {
    /// Sends each request once, for the SDK would silently repeat one whose reply was lost.
    pub(crate) fn new(connection: &AwsConnection) -> Self {
        let mut config = aws_sdk_ec2::config::Builder::from(&connection.sdk_config())
            .retry_config(RetryConfig::disabled());
        config.set_endpoint_url(connection.urls.ec2.clone());
        Self { ec2: aws_sdk_ec2::Client::from_conf(config.build()) }
    }

    async fn change_state(&self, wanted: WantedState, id: &str) -> Result<RequestId, NotTaken> {
        match wanted {
            WantedState::Terminated => {
                read_request_id(requests::make_termination(&self.ec2, id).send().await)
            }
            WantedState::Stopped => {
                read_request_id(requests::make_stop(&self.ec2, id).send().await)
            }
            WantedState::Running => {
                read_request_id(requests::make_start(&self.ec2, id).send().await)
            }
        }
    }
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
        let wanted = WantedState::Terminated;
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
        let (step, wanted) = (Some(permit.step()), WantedState::Stopped);
        self.change_instance(permit, journal, "teardown", wanted, instance_id, step).await
    }

    /// Stops the instance that the permit names, to cut cost.
    pub async fn stop_instance(
        &self,
        permit: &Cost,
        journal: &Writer,
        scenario: &'static str,
    ) -> Result<Acted<()>, NotTried> {
        permit.is_to(PowerChange::Stop)?;
        let id = permit.instance_id();
        self.change_instance(permit, journal, scenario, WantedState::Stopped, id, None).await
    }

    /// Starts the instance that the permit names.
    pub async fn start_instance(
        &self,
        permit: &Cost,
        journal: &Writer,
        scenario: &'static str,
    ) -> Result<Acted<()>, NotTried> {
        permit.is_to(PowerChange::Start)?;
        let id = permit.instance_id();
        let acted =
            self.change_instance(permit, journal, scenario, WantedState::Running, id, None).await;
        for (node, entry) in &self.manifest.nodes {
            if entry.instance_id.as_deref() == Some(id) {
                self.shell.forget(*node).await;
            }
        }
        acted
    }

    /// A plan for another region is another lab's.
    pub(super) fn prove_region(&self, region: &str) -> Result<(), NotLab> {
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
        wanted: WantedState,
        id: &str,
        step: Option<&str>,
    ) -> Result<Acted<()>, NotTried> {
        let once = async || self.ask_instance(permit, journal, scenario, wanted, id, step).await;
        self.until_taken(once).await
    }

    async fn ask_instance(
        &self,
        permit: &dyn Permit,
        journal: &Writer,
        scenario: &'static str,
        wanted: WantedState,
        id: &str,
        step: Option<&str>,
    ) -> Result<Tried, NotTried> {
        let instance = match self.prove_settled(journal, wanted, id).await {
            Err(NotLab::Gone { .. }) if wanted == WantedState::Terminated => {
                return Ok(gone_already());
            }
            Err(unlisted @ NotLab::Unlisted { .. }) => {
                return Ok(settled(Outcome::Unknown, unlisted.to_string()));
            }
            proved => proved?,
        };
        if instance.state == wanted.state() {
            return Ok(settled(Outcome::Done, format!("it is {} already", instance.state)));
        }
        if instance.state.is_the_end() && wanted != WantedState::Terminated {
            return Ok(settled(Outcome::NotDone, format!("it is {}", instance.state)));
        }
        let mutation = Mutation {
            scenario,
            effect: wanted.effect(id, &instance.state),
            undo: step.map(str::to_owned),
        };
        let ids = [id.to_owned()];
        let look = async || {
            let found = self.reader.instances(&ids).await?.value;
            Ok(match found.first() {
                Some(it) if it.state == wanted.state() => Progress::Done(json!(it.state)),
                Some(it) => Progress::NotYet(json!(it.state)),
                None => Progress::Unlisted,
            })
        };
        self.request(permit, journal, &mutation, self.mutator.change_state(wanted, id), look).await
    }

    /// The instance, once EC2 takes the request: one that stops can be started only when it has.
    async fn prove_settled(
        &self,
        journal: &Writer,
        wanted: WantedState,
        id: &str,
    ) -> Result<Instance, NotLab> {
        let since = self.clock.stopwatch();
        loop {
            let instance = self.prove_instance(journal, id).await?;
            if wanted.can_be_asked_of(&instance.state) || since.elapsed() >= DEADLINE {
                return Ok(instance);
            }
            self.clock.sleep(POLL).await;
        }
    }

    async fn prove_instance(&self, journal: &Writer, id: &str) -> Result<Instance, NotLab> {
        let resource = format!("instance {id}");
        let found = self.find_instances(&[id.to_owned()]).await;
        let answer =
            found.map_err(|source| NotLab::Unread { resource: resource.clone(), source })?;
        let Some(instance) = answer.value.into_iter().find(|it| it.instance_id == id) else {
            let sighted = journal.with_records(Sighted::of);
            return Err(match sighted.is_gone(id, self.clock.now()) {
                Some(true) => NotLab::Gone { resource },
                Some(false) | None => NotLab::Unlisted { resource },
            });
        };
        // A terminated instance has no VPC any more, and nothing is done to it.
        if instance.state != InstanceState::Terminated {
            let vpc = instance.vpc_id.as_deref().unwrap_or("none");
            let wanted = self.manifest.vpc_of_instance(id);
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
        self.until_taken(async || self.ask_release(permit, journal, allocation_id).await).await
    }

    async fn ask_release(
        &self,
        permit: &Undo,
        journal: &Writer,
        allocation_id: &str,
    ) -> Result<Tried, NotTried> {
        let mut address = match self.prove_address(allocation_id).await {
            Err(NotLab::Gone { .. }) => return Ok(gone_already()),
            proved => proved?,
        };
        if let Some(association) = address.association_id.clone() {
            match Box::pin(self.disassociate(permit, journal, &association, &address)).await? {
                Tried::Came(acted) if acted.outcome == Outcome::Done => {}
                other => return Ok(other),
            }
            address = match self.prove_address(allocation_id).await {
                Err(NotLab::Gone { .. }) => return Ok(gone_already()),
                proved => proved?,
            };
        }
        let (id, before) = (allocation_id.to_owned(), json!(address));
        let mutation = teardown(Effect::Ec2ReleaseAddress { allocation_id: id, before }, permit);
        let send = requests::make_release(&self.mutator.ec2, allocation_id).send();
        let look = async || {
            let found = self.reader.address(allocation_id).await?.value;
            Ok(found.map_or(Progress::Absent, |address| Progress::NotYet(json!(address))))
        };
        let send = Box::pin(async { read_request_id(send.await) });
        self.request(permit, journal, &mutation, send, look).await
    }

    async fn disassociate(
        &self,
        permit: &Undo,
        journal: &Writer,
        association_id: &str,
        address: &Address,
    ) -> Result<Tried, NotTried> {
        let id = &address.allocation_id;
        let effect = Effect::Ec2DisassociateAddress {
            allocation_id: id.clone(),
            association_id: association_id.to_owned(),
            before: json!(address),
        };
        let mutation = teardown(effect, permit);
        let send = requests::make_disassociation(&self.mutator.ec2, association_id).send();
        let look = async || {
            let found = self.reader.address(id).await?.value;
            Ok(match found.map(|address| address.association_id) {
                None => Progress::Absent,
                Some(None) => Progress::Done(json!("disassociated")),
                Some(Some(association)) => Progress::NotYet(json!(association)),
            })
        };
        let send = Box::pin(async { read_request_id(send.await) });
        self.request(permit, journal, &mutation, send, look).await
    }

    async fn prove_address(&self, id: &str) -> Result<Address, NotLab> {
        let found = self.find_address(id).await;
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
        self.until_taken(async || self.ask_deletion(permit, journal, volume_id).await).await
    }

    async fn ask_deletion(
        &self,
        permit: &Undo,
        journal: &Writer,
        volume_id: &str,
    ) -> Result<Tried, NotTried> {
        let volume: Volume = match self.prove_detached(volume_id).await {
            Err(NotLab::Gone { .. }) => return Ok(gone_already()),
            proved => proved?,
        };
        let (id, before) = (volume_id.to_owned(), json!(volume));
        let mutation = teardown(Effect::Ec2DeleteVolume { volume_id: id, before }, permit);
        let send = requests::make_deletion(&self.mutator.ec2, volume_id).send();
        let look = async || {
            let found = self.reader.volume(volume_id).await?.value;
            Ok(found.map_or(Progress::Absent, |volume| Progress::NotYet(json!(volume.state))))
        };
        let send = Box::pin(async { read_request_id(send.await) });
        self.request(permit, journal, &mutation, send, look).await
    }

    /// The volume, once it is attached to nothing: EC2 lets it go a while after its instance.
    async fn prove_detached(&self, volume_id: &str) -> Result<Volume, NotLab> {
        let since = self.clock.stopwatch();
        loop {
            let found = self.find_volume(volume_id).await;
            let resource = format!("volume {volume_id}");
            let volume: Volume = self.prove_tagged(resource, found, |volume| &volume.tags)?;
            if volume.attached_to.is_empty() || since.elapsed() >= DEADLINE {
                return Ok(volume);
            }
            self.clock.sleep(POLL).await;
        }
    }

    /// Proves by its tag that the resource that was read is the lab's.
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
}

fn teardown(effect: Effect, permit: &Undo) -> Mutation {
    Mutation { scenario: "teardown", effect, undo: Some(permit.step().to_owned()) }
}

/// Nothing has to be asked for.
fn settled(outcome: Outcome, detail: String) -> Tried {
    Tried::Came(Acted { outcome, detail, samples: Vec::new(), value: () })
}

/// Repeating a teardown touches nothing that an earlier one has destroyed.
fn gone_already() -> Tried {
    settled(Outcome::Done, "it is gone already".to_owned())
}

/// The result of a later look at an instance that was to get into a state: what is under way is not
/// yet, and what is not listed is gone only by what the run has seen of it.
pub(super) fn state_of(
    lab: &Lab,
    journal: &Writer,
    id: &str,
    found: Option<&Instance>,
    wanted: &InstanceState,
) -> Progress {
    match found {
        Some(it) if it.state == *wanted => Progress::Done(json!(it.state)),
        Some(it) if it.state.passes() => Progress::NotYet(json!(it.state)),
        Some(it) => Progress::Not(json!(it.state)),
        None => match journal.with_records(Sighted::of).is_gone(id, lab.clock.now()) {
            Some(true) if *wanted == InstanceState::Terminated => Progress::Absent,
            Some(true) => Progress::Not(json!("gone")),
            Some(false) | None => Progress::Unlisted,
        },
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use reports::record::{Kind, Life, ResourceKind, ResourceSeen, ResourcesSeen};

    use super::*;

    #[test]
    fn the_end_can_be_asked_for_at_any_time_and_all_else_where_nothing_is_under_way() {
        // Of each state: whether its end can be asked for, its stop, its start.
        let table = [
            (InstanceState::Pending, true, false, false),
            (InstanceState::Running, true, true, true),
            (InstanceState::Stopping, true, false, false),
            (InstanceState::Stopped, true, true, true),
            (InstanceState::ShuttingDown, false, false, false),
        ];
        for (state, end, stop, start) in table {
            let wanted = [WantedState::Terminated, WantedState::Stopped, WantedState::Running];
            let given = wanted.map(|it| it.can_be_asked_of(&state));
            assert_eq!(given, [end, stop, start], "{state}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_plan_for_another_region_is_another_labs() {
        let lab = crate::deaf::open_deaf_lab();
        let own = lab.manifest.aws.region.clone();
        lab.prove_region(&own).expect("the lab's own");
        lab.prove_region("eu-north-1").expect_err("another");
    }

    fn instance(state: InstanceState) -> Instance {
        Instance {
            instance_id: "i-1".to_owned(),
            state,
            instance_type: "t3.micro".to_owned(),
            vpc_id: None,
            subnet_id: None,
            network_interface_ids: Vec::new(),
            block_devices: Vec::new(),
            instance_profile: None,
            lifecycle: None,
            root_device_type: None,
            launched_at: None,
            tags: std::collections::BTreeMap::new(),
        }
    }

    fn word(progress: &Progress) -> &'static str {
        match progress {
            Progress::Done(_) => "done",
            Progress::NotYet(_) => "not yet",
            Progress::Not(_) => "not",
            Progress::Absent => "absent",
            Progress::Unlisted => "unlisted",
        }
    }

    /// That EC2 does not list it says something only where the run has seen its end.
    #[tokio::test(start_paused = true)]
    async fn a_later_look_tells_what_is_under_way_from_what_is_not() {
        use InstanceState::{Running, ShuttingDown, Stopped, Terminated};
        let lab = crate::deaf::open_deaf_lab();
        let ended = Some(Life::Ended);
        let table = [
            (Some(Terminated), None, Terminated, "done"),
            (Some(ShuttingDown), None, Terminated, "not yet"),
            (Some(Running), None, Terminated, "not"),
            (Some(Stopped), None, Stopped, "done"),
            (Some(Terminated), None, Stopped, "not"),
            (None, ended, Terminated, "absent"),
            (None, ended, Stopped, "not"),
            (None, Some(Life::Alive), Terminated, "unlisted"),
            (None, None, Terminated, "unlisted"),
        ];
        for (found, seen, wanted, expected) in table {
            let folder = tempfile::tempdir().expect("a folder");
            let journal = Writer::create(folder.path()).expect("a journal");
            if let Some(life) = seen {
                let (kind, id) = (ResourceKind::Instance, "i-1".to_owned());
                let resources = vec![ResourceSeen { kind, id, life }];
                let at = lab.clock.now() - TimeDelta::minutes(1);
                let seen = Kind::ResourcesSeen(ResourcesSeen { resources });
                journal.append(at, seen).expect("appended");
            }
            let found = found.map(instance);
            let given = state_of(&lab, &journal, "i-1", found.as_ref(), &wanted);
            assert_eq!(word(&given), expected, "{found:?} {seen:?} {wanted}");
        }
    }
}

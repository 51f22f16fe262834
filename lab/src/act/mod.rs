//! Everything that changes something: with a permit (I1), recorded before and after (I2), on
//! nothing but the lab (I6), with an outcome of three values (I5).

mod again;
mod executor;
mod files;
mod lock;
mod mutator;
mod prove;
mod reconcile;
pub(crate) mod requests;
mod routerd;
#[cfg(feature = "sabotage")]
mod sabotage;
mod settle;
mod switch;

pub(crate) use executor::dry_run_request;
pub use executor::{ExecutorAnswer, ExecutorProgram, ExecutorSilence};
pub use files::{Burn, Holder, LOCK_PATH, LockPermit, RENEWAL};
pub use lock::LockState;
pub(crate) use mutator::Mutator;
pub use prove::Proving;
pub use routerd::{Execution, RowAnswer, RowCall};
pub(crate) use settle::{Finding, POLL, Progress, until_seen};
pub use settle::{Sample, goal_of};
pub use switch::{Switch, SwitchTimes};

use reports::journal::{JournalError, Writer};
use reports::record::{Effect, Goal, Intent, Kind, Operation, Outcome, OutcomeRecorded};
use serde_json::Value;

use crate::Lab;
use crate::ec2::{NetworkInterface, ReadError};
use crate::permit::{Permit, PermitRefused, Undo};
#[cfg(feature = "sabotage")]
use crate::sabotage::Sabotage;

/// The result of a mutation.
#[derive(Clone, Debug)]
pub struct Acted<T> {
    pub outcome: Outcome,
    /// For people: what was seen.
    pub detail: String,
    pub samples: Vec<Value>,
    pub value: T,
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub enum NotTried {
    #[error(transparent)]
    Refused(#[from] PermitRefused),
    #[error(transparent)]
    NotLab(#[from] NotLab),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why a target is not proved to be the lab's.
#[derive(Debug, thiserror::Error)]
pub enum NotLab {
    #[error("{resource} could not be read back before the mutation: {source}")]
    Unread { resource: String, source: ReadError },
    #[error("{resource} is gone")]
    Gone { resource: String },
    #[error(
        "EC2 does not list {resource}, and this run did not see it end: whether it is gone is unknown"
    )]
    Unlisted { resource: String },
    #[error("{resource} has {field} {found}, and the lab's is {wanted}: it is left alone")]
    Foreign { resource: String, field: &'static str, found: String, wanted: String },
}

/// The effect that is about to be made, and the scenario that makes it.
pub(crate) struct Mutation {
    pub scenario: &'static str,
    pub effect: Effect,
    /// The step of the undo plan that takes it back, or that it carries out.
    pub undo: Option<String>,
}

impl Mutation {
    /// Writes the intent to the disk and answers its id.
    pub fn begin(
        &self,
        lab: &Lab,
        permit: &dyn Permit,
        journal: &Writer,
    ) -> Result<String, NotTried> {
        permit.check(lab.clock.now())?;
        #[cfg(feature = "sabotage")]
        if lab.is_sabotaged(Sabotage::RecordsNoIntent) {
            return Ok("none".to_owned());
        }
        let intents = journal.with_records(|records| {
            records.iter().filter(|record| matches!(record.kind, Kind::Intent(_))).count()
        });
        let id = format!("{}-{}", intents + 1, self.scenario);
        let intent = Intent {
            id: id.clone(),
            scenario: self.scenario.to_owned(),
            permit: permit.kind(),
            effect: self.effect.clone(),
            undo: self.undo.clone(),
        };
        match journal.append_synced(lab.clock.now(), Kind::Intent(intent)) {
            Ok(_) => Ok(id),
            Err(error) if permit.needs_record() => Err(error.into()),
            Err(error) => {
                // Its intent is on the disk already, as a step of the undo plan.
                let (step, resource) = (self.effect.what(), self.effect.resource());
                tracing::error!(step, resource, %error, "undo goes on without its record");
                Ok(id)
            }
        }
    }
}

/// Records the outcome. One that cannot be recorded is said on stderr: it has happened.
pub(crate) fn record_outcome<T>(
    lab: &Lab,
    journal: &Writer,
    intent: &str,
    acted: Acted<T>,
) -> Acted<T> {
    finish_request(lab, journal, intent, acted, None)
}

/// Does as [`finish`] does, with the service's id of the request.
pub(crate) fn finish_request<T>(
    lab: &Lab,
    journal: &Writer,
    intent: &str,
    acted: Acted<T>,
    request_id: Option<String>,
) -> Acted<T> {
    let record = OutcomeRecorded {
        intent: intent.to_owned(),
        outcome: acted.outcome,
        detail: acted.detail.clone(),
        request_id,
        samples: acted.samples.clone(),
    };
    // A simulated lab keeps what happened before the journal says so: a process that is killed in
    // between leaves an open intent, which is read back, and no outcome that the lab knows nothing of.
    let kept = lab.changed();
    if let Err(error) = journal.append_synced(lab.clock.now(), Kind::Outcome(record)) {
        tracing::error!(intent, outcome = ?acted.outcome, detail = acted.detail, %error, "an outcome could not be recorded");
    }
    if let Err(why) = kept {
        journal.lose(lab.clock.now(), why);
    }
    acted
}

/// I6: reads the ENI back and proves that it is the lab's: account, region, VPC, subnet, tag, id.
pub(crate) async fn prove_interface(lab: &Lab) -> Result<NetworkInterface, NotLab> {
    prove_this_interface(lab, &lab.manifest.capture.network_interface_id).await
}

/// Does as [`prove_interface`] does, for the ENI that a permit names.
async fn prove_this_interface(lab: &Lab, id: &str) -> Result<NetworkInterface, NotLab> {
    let resource = || format!("network interface {id}");
    let wanted = &lab.manifest.capture.network_interface_id;
    if id != wanted {
        let (found, wanted) = (id.to_owned(), wanted.clone());
        return Err(NotLab::Foreign { resource: resource(), field: "id", found, wanted });
    }
    let answer = lab
        .reader
        .network_interface(id)
        .await
        .map_err(|source| NotLab::Unread { resource: resource(), source })?;
    let eni = answer.value.ok_or_else(|| NotLab::Gone { resource: resource() })?;
    let aws = &lab.manifest.aws;
    lab.manifest.prove(
        &resource(),
        &[
            ("owner", &eni.owner_id, &aws.account_id),
            ("VPC", &eni.vpc_id, &aws.vpc_id),
            ("subnet", &eni.subnet_id, &aws.subnet_id),
        ],
        &eni.tags,
    )?;
    Ok(eni)
}

/// The ENI that the permit names, proved to be the lab's, and what it is to become.
async fn taking_back(lab: &Lab, permit: &Undo) -> Result<(NetworkInterface, Goal), NotTried> {
    let (Operation::RestoreSourceDestCheck { network_interface_id, region, .. }
    | Operation::UnassignAddress { network_interface_id, region, .. }) = permit.operation()
    else {
        return Err(permit.other_than("take an action back").into());
    };
    lab.prove_region(region)?;
    let eni = prove_this_interface(lab, network_interface_id).await?;
    let goal = goal_of(permit.operation());
    Ok((eni, goal.ok_or_else(|| permit.other_than("take an action back"))?))
}

impl crate::manifest::Manifest {
    /// Compares each `(field, found, wanted)` and the tag.
    pub(crate) fn prove(
        &self,
        resource: &str,
        fields: &[(&'static str, &str, &str)],
        tags: &crate::ec2::Tags,
    ) -> Result<(), NotLab> {
        let foreign = |field, found: &str, wanted: &str| NotLab::Foreign {
            resource: resource.to_owned(),
            field,
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        };
        for (field, found, wanted) in fields {
            if found != wanted {
                return Err(foreign(field, found, wanted));
            }
        }
        let (key, wanted) = (&self.lab.tag_key, &self.lab.tag_value);
        match tags.get(key) {
            Some(value) if value == wanted => Ok(()),
            Some(value) => {
                Err(foreign("tag", &format!("{key}={value}"), &format!("{key}={wanted}")))
            }
            None => Err(foreign("tag", "none", &format!("{key}={wanted}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::Tags;
    use crate::manifest::Manifest;

    /// A permit that needs its record, or does not.
    struct Granted {
        needs_record: bool,
    }

    impl Permit for Granted {
        fn kind(&self) -> reports::record::Permit {
            reports::record::Permit::Forward
        }

        fn check(&self, _now: chrono::DateTime<chrono::Utc>) -> Result<(), PermitRefused> {
            Ok(())
        }

        fn needs_record(&self) -> bool {
            self.needs_record
        }
    }

    /// I2: only what ends something goes on where its intent cannot be written.
    #[tokio::test(start_paused = true)]
    async fn nothing_that_needs_its_record_is_begun_without_a_journal() {
        let lab = crate::deaf::open_deaf_lab();
        let effect = Effect::ReleaseLock { path: "/lock".to_owned() };
        let mutation = Mutation { scenario: "undo", effect, undo: None };
        for (needs_record, lost, begins) in
            [(true, false, true), (false, false, true), (true, true, false), (false, true, true)]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let journal = Writer::create(folder.path()).expect("a journal");
            if lost {
                journal.lose(lab.clock.now(), "it was moved".to_owned());
            }
            let begun = mutation.begin(&lab, &Granted { needs_record }, &journal);
            assert_eq!(begun.is_ok(), begins, "needs its record {needs_record}, lost {lost}");
        }
    }

    /// The proof that stands between a mutation and somebody else's resource.
    #[test]
    fn a_resource_is_the_labs_only_in_every_field_and_by_its_tag() {
        let manifest = Manifest::parse("example.toml", crate::manifest::example_manifest())
            .expect("the example");
        let (key, value) = (manifest.lab.tag_key.clone(), manifest.lab.tag_value.clone());
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let ours = tags(&[(&key, &value), ("Name", "router")]);
        let prove = |owner: &str, vpc: &str, tags: &Tags| {
            let aws = &manifest.aws;
            let fields = [("owner", owner, aws.account_id.as_str()), ("VPC", vpc, &aws.vpc_id)];
            manifest.prove("eni-1", &fields, tags).map_err(|error| match error {
                NotLab::Foreign { field, .. } => field,
                _ => "nothing was read here",
            })
        };
        let (account, vpc) = (manifest.aws.account_id.as_str(), manifest.aws.vpc_id.as_str());
        let table = [
            (account, vpc, &ours, Ok(())),
            ("210987654321", vpc, &ours, Err("owner")),
            (account, "vpc-0000000000000dead", &ours, Err("VPC")),
            (account, vpc, &tags(&[]), Err("tag")),
            (account, vpc, &tags(&[(&key, "another-lab")]), Err("tag")),
            (account, vpc, &tags(&[("Name", &value)]), Err("tag")),
        ];
        for (owner, vpc, tags, expected) in table {
            assert_eq!(prove(owner, vpc, tags), expected, "{owner} {vpc} {tags:?}");
        }
    }
}

//! Reading back until it is known what happened: the ENI and routerd's row together, once a
//! second at first and then more rarely, to a deadline. EC2 is eventually consistent, and a mutation may land after routerd gave
//! up, so every sample is kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reports::record::{Goal, Operation, Outcome};
use serde_json::{Value, json};

use crate::Lab;
use crate::ec2::NetworkInterface;
use crate::node::Node;
use crate::routerd::{Row, RowStatus};
use crate::shell::Observe;

/// The state of the ENI once this step of the undo plan is done; none where the step is not about
/// an ENI.
pub fn goal_of(operation: &Operation) -> Option<Goal> {
    match operation {
        Operation::RestoreSourceDestCheck { source_dest_check, .. } => {
            Some(Goal::SourceDestCheck(*source_dest_check))
        }
        Operation::UnassignAddress { address, .. } => Some(Goal::Unassigned(*address)),
        Operation::RemoveChangeSet { .. }
        | Operation::ReleaseLock { .. }
        | Operation::TerminateInstance { .. }
        | Operation::StopInstance { .. }
        | Operation::ReleaseAddress { .. }
        | Operation::DeleteVolume { .. } => None,
    }
}

/// One look at both witnesses.
#[derive(Clone, Debug)]
pub struct Sample {
    pub at: DateTime<Utc>,
    pub row: Result<Row, String>,
    pub eni: Result<NetworkInterface, String>,
}

impl Sample {
    /// Whether the ENI meets the goal; none where the ENI could not be read.
    pub fn met(&self, goal: Goal) -> Option<bool> {
        self.eni.as_ref().ok().map(|eni| eni.meets(goal))
    }

    /// The row's status; none where the row could not be read.
    pub fn status(&self) -> Option<&RowStatus> {
        self.row.as_ref().ok().map(|row| &row.status)
    }

    /// The sample as an outcome's record has it: of the ENI its secondary addresses and source/dest check.
    pub fn to_json(&self) -> Value {
        json!({
            "at": self.at,
            "row_status": self.status().map(RowStatus::as_str),
            "row_error": self.row.as_ref().err(),
            "addresses": self.eni.as_ref().ok().map(|eni| &eni.secondary_addresses),
            "source_dest_check": self.eni.as_ref().ok().map(|eni| eni.source_dest_check),
            "eni_error": self.eni.as_ref().err(),
        })
    }
}

/// How long a sample that does not show the goal is not believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Where a command answered, whatever it said.
    pub answered: Duration,
    /// Where the executor may still be at work: the plugin's timeout, two AWS calls of 25 s that
    /// may outlive it, and a margin.
    pub unanswered: Duration,
    /// Where a command that changes routerd's database alone may still be at work.
    pub command: Duration,
}

impl Patience {
    /// The patience with an executor whose plugin has this `timeout`.
    pub fn for_plugin(timeout: Duration) -> Self {
        Self {
            answered: Duration::from_secs(30),
            unanswered: timeout + 2 * Duration::from_secs(25) + Duration::from_secs(10),
            command: Duration::from_secs(30),
        }
    }

    /// Whoever said nothing that can be read may be at work still, whatever the row says: nothing
    /// is believed early then.
    pub fn after(self, reply: Reply) -> Self {
        match reply {
            Reply::Read => self,
            Reply::Missing => Self { answered: self.unanswered, ..self },
        }
    }

    /// For recovery, which has waited until no command of the run is alive.
    pub fn of_recovery(timeout: Duration) -> Self {
        Self { command: Duration::ZERO, ..Self::for_plugin(timeout) }
    }
}

/// The reply to a command that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Read,
    /// Lost, late, or not to be understood.
    Missing,
}

pub(crate) const POLL: Duration = Duration::from_secs(1);
/// The first pause between two looks at EC2; each is twice as long as the one before, up to [`POLL`].
const FIRST_POLL: Duration = Duration::from_millis(125);

/// The longest pause between two looks.
const RAREST_POLL: Duration = Duration::from_secs(5);

/// Every second at first: who has waited long does not have to know to the second.
fn pause_after(waited: Duration) -> Duration {
    (waited / 10).clamp(POLL, RAREST_POLL)
}

pub(super) async fn take_sample(lab: &Lab, row_id: u64) -> Sample {
    let (row, eni) = futures::join!(read_row(lab, row_id), read_interface(lab));
    Sample { at: lab.clock.now(), row, eni }
}

/// The row by its id, from the list: one command answers for both rows of a run.
async fn read_row(lab: &Lab, row_id: u64) -> Result<Row, String> {
    let routerd = &lab.manifest.routerd;
    let answer = lab.shell.observe(Node::RouterdCloud, &Observe::rows(routerd)).await;
    let read = answer.map_err(|error| error.to_string())?.value;
    let rows = read.map_err(|error| error.to_string())?;
    rows.into_iter()
        .find(|row| row.id == row_id)
        .ok_or_else(|| format!("routerd's journal has no row {row_id}"))
}

async fn read_interface(lab: &Lab) -> Result<NetworkInterface, String> {
    let id = &lab.manifest.capture.network_interface_id;
    let answer = lab.reader.network_interface(id).await.map_err(|error| error.to_string())?;
    answer.value.ok_or_else(|| format!("{id} is gone"))
}

/// The result of one look at something that was asked for.
pub(crate) enum Progress {
    Done(Value),
    /// It may become so.
    NotYet(Value),
    /// It is not so, and nothing is under way: two such looks in a row say that it is not done.
    Not(Value),
    /// The thing that was to go is not listed: two such looks in a row say that it is gone.
    Absent,
    /// It is not listed, which says nothing: in the end nobody knows.
    Unlisted,
}

/// The outcome of a mutation; what was seen, for people; and the samples.
pub(crate) type Finding = (Outcome, String, Vec<Value>);

/// Looks until it is so. What is not so when the patience has run out is not done; what could not
/// be looked at by then, or before the lab ended, is unknown. Every look that differs from the one before is kept.
pub(crate) async fn until_seen<E: std::fmt::Display>(
    lab: &Lab,
    patience: Duration,
    look: impl AsyncFn() -> Result<Progress, E>,
) -> Finding {
    let since = lab.clock.stopwatch();
    let mut samples: Vec<Value> = Vec::new();
    let mut pause = FIRST_POLL;
    let mut before = None;
    loop {
        let seen = look().await;
        let now = lab.clock.now();
        let late = since.elapsed() >= patience;
        let says = seen.as_ref().ok().map(std::mem::discriminant);
        let again = says.is_some() && says == before;
        before = says;
        let (sample, settled) = match seen {
            Ok(Progress::Done(sample)) => (sample, Some(Outcome::Done)),
            Ok(Progress::NotYet(sample)) => (sample, late.then_some(Outcome::NotDone)),
            Ok(Progress::Not(sample)) => (sample, again.then_some(Outcome::NotDone)),
            Ok(Progress::Absent) => (json!("gone"), again.then_some(Outcome::Done)),
            Ok(Progress::Unlisted) => (json!("unlisted"), late.then_some(Outcome::Unknown)),
            Err(error) => {
                let nobody_will_tell = late || lab.has_ended();
                (json!(error.to_string()), nobody_will_tell.then_some(Outcome::Unknown))
            }
        };
        if samples.last().is_none_or(|last| last["seen"] != sample) {
            samples.push(json!({ "at": now, "seen": sample }));
        }
        if let Some(outcome) = settled {
            return (outcome, sample.to_string(), samples);
        }
        lab.clock.sleep(pause).await;
        pause = (pause * 2).min(POLL);
    }
}

/// The conclusion that a sample allows.
pub(super) enum Conclusion {
    /// It is so.
    Settled(Outcome, String),
    /// It is believed only when the patience for it has run out.
    AfterPatience(Duration, Outcome, String),
}

/// Samples until `conclude` settles it. The outcome is unknown where the witnesses could not be
/// read to the end, or the lab ended before.
pub(super) async fn until_settled(
    lab: &Lab,
    row_id: u64,
    conclude: impl Fn(&Sample) -> Conclusion,
) -> (Outcome, String, Vec<Sample>) {
    let since = lab.clock.stopwatch();
    let mut samples: Vec<Sample> = Vec::new();
    loop {
        let sample = take_sample(lab, row_id).await;
        let conclusion = conclude(&sample);
        let waited = since.elapsed();
        samples.push(sample);
        match conclusion {
            Conclusion::Settled(outcome, detail) => return (outcome, detail, samples),
            Conclusion::AfterPatience(patience, outcome, detail) if waited >= patience => {
                return (outcome, detail, samples);
            }
            Conclusion::AfterPatience(_, _, detail) if lab.has_ended() => {
                let detail = format!("{detail}; the lab has ended: nobody is left to ask");
                return (Outcome::Unknown, detail, samples);
            }
            Conclusion::AfterPatience(..) => lab.clock.sleep(pause_after(waited)).await,
        }
    }
}

/// Every sample, with a run of equal ones shown as its first and last.
pub(super) fn show_samples(samples: &[Sample]) -> Vec<Value> {
    let same = |a: &Value, b: &Value| {
        let without_time = |value: &Value| {
            let mut value = value.clone();
            if let Some(map) = value.as_object_mut() {
                map.remove("at");
            }
            value
        };
        without_time(a) == without_time(b)
    };
    let all: Vec<Value> = samples.iter().map(Sample::to_json).collect();
    let keep = |index: usize| {
        let before = index.checked_sub(1).and_then(|before| all.get(before));
        let after = all.get(index + 1);
        !(before.is_some_and(|other| same(other, &all[index]))
            && after.is_some_and(|other| same(other, &all[index])))
    };
    (0..all.len()).filter(|&index| keep(index)).map(|index| all[index].clone()).collect()
}

#[cfg(test)]
pub(super) fn example_sample(status: RowStatus, assigned: bool) -> Sample {
    use std::net::Ipv4Addr;

    let now = DateTime::<Utc>::UNIX_EPOCH;
    let captured: Ipv4Addr = "10.88.60.9".parse().expect("an address");
    Sample {
        at: now,
        row: Ok(Row {
            id: 1,
            idempotency_key: "run:aws:eni:assign".to_owned(),
            source: "Plugin/lab-planner".to_owned(),
            provider: "aws".to_owned(),
            provider_ref: "aws-lab".to_owned(),
            action: "assign-secondary-ip".to_owned(),
            target: std::collections::BTreeMap::default(),
            parameters: std::collections::BTreeMap::default(),
            undo: None,
            risk_level: String::new(),
            status,
            approved_by: None,
            approved_at: None,
            executed_at: None,
            result_message: None,
            error: None,
            observed: std::collections::BTreeMap::default(),
            created_at: now,
            updated_at: now,
        }),
        eni: Ok(NetworkInterface {
            network_interface_id: "eni-0a1b2c3d4e5f60718".to_owned(),
            owner_id: "123456789012".to_owned(),
            vpc_id: "vpc-0a1b2c3d4e5f60718".to_owned(),
            subnet_id: "subnet-0a1b2c3d4e5f60718".to_owned(),
            mac_address: "0a:58:0a:58:3c:04".to_owned(),
            source_dest_check: true,
            primary_address: "10.88.60.4".parse().expect("an address"),
            secondary_addresses: if assigned { vec![captured] } else { Vec::new() },
            security_groups: Vec::new(),
            instance_id: None,
            tags: crate::ec2::Tags::default(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_equal_samples_is_shown_by_its_ends() {
        let mut samples = vec![example_sample(RowStatus::Running, false); 5];
        samples.push(example_sample(RowStatus::Succeeded, true));
        let statuses: Vec<_> =
            show_samples(&samples).iter().map(|sample| sample["row_status"].clone()).collect();
        assert_eq!(statuses, ["running", "running", "succeeded"]);
    }

    #[test]
    fn the_goal_of_a_step_is_the_state_that_it_restores() {
        let (network_interface_id, region) = ("eni-1".to_owned(), "eu-central-1".to_owned());
        let address = "10.88.60.9".parse().expect("an address");
        let unassign = Operation::UnassignAddress {
            network_interface_id: network_interface_id.clone(),
            address,
            region: region.clone(),
        };
        assert_eq!(goal_of(&unassign), Some(Goal::Unassigned(address)));
        let source_dest_check = true;
        let restore =
            Operation::RestoreSourceDestCheck { network_interface_id, source_dest_check, region };
        assert_eq!(goal_of(&restore), Some(Goal::SourceDestCheck(true)));
        assert_eq!(goal_of(&Operation::ReleaseLock { path: "/lock".to_owned() }), None);
    }

    /// Each look of the list, the last again and again; the outcome, and how many looks it took.
    #[tokio::test(start_paused = true)]
    async fn what_may_still_become_so_is_waited_for_and_what_is_said_twice_in_a_row_is_so() {
        type Look = Result<Progress, &'static str>;
        type Looks = Vec<fn() -> Look>;
        let not_yet = || -> Look { Ok(Progress::NotYet(json!("pending"))) };
        let not = || -> Look { Ok(Progress::Not(json!("running"))) };
        let absent = || -> Look { Ok(Progress::Absent) };
        let silent = || -> Look { Err("nobody answers") };
        let done = || -> Look { Ok(Progress::Done(json!("stopped"))) };
        // Pauses of 125, 250, 500 ms, then seconds: a patience of five seconds ends with the ninth look.
        let table: Vec<(Looks, Outcome, usize)> = vec![
            (vec![done], Outcome::Done, 1),
            (vec![not_yet, done], Outcome::Done, 2),
            (vec![not_yet], Outcome::NotDone, 9),
            (vec![not], Outcome::NotDone, 2),
            (vec![not, not_yet, not], Outcome::NotDone, 4),
            (vec![absent], Outcome::Done, 2),
            (vec![absent, silent, absent], Outcome::Done, 4),
            (vec![silent, silent, done], Outcome::Done, 3),
            (vec![|| Ok(Progress::Unlisted)], Outcome::Unknown, 9),
            (vec![silent], Outcome::Unknown, 9),
        ];
        for (number, (looks, outcome, took)) in table.into_iter().enumerate() {
            let lab = crate::deaf::open_deaf_lab();
            let count = std::cell::Cell::new(0);
            let look = async || {
                let now = count.get();
                count.set(now + 1);
                assert!(now < 50, "it never ends");
                looks.get(now).or(looks.last()).expect("a look")()
            };
            let (given, _, samples) = until_seen(&lab, Duration::from_secs(5), look).await;
            assert_eq!((given, count.get()), (outcome, took), "row {number}");
            // What is seen again is kept once.
            let again = samples.windows(2).any(|two| two[0]["seen"] == two[1]["seen"]);
            assert!(!again && !samples.is_empty(), "row {number}: {samples:?}");
        }
    }

    /// Nobody ever makes the row, and the patience for it is an hour.
    #[tokio::test(start_paused = true)]
    async fn a_lab_that_has_ended_is_asked_once_and_one_that_lives_for_as_long_as_it_may_take() {
        const HOUR: Duration = Duration::from_hours(1);
        for (ended, outcome, took) in
            [(true, Outcome::Unknown, Duration::ZERO), (false, Outcome::NotDone, HOUR)]
        {
            let lab = crate::deaf::open_deaf_lab();
            let lab = lab.that_may_end(std::rc::Rc::new(move || ended));
            let since = lab.clock.stopwatch();
            let (given, detail, samples) = until_settled(&lab, 1, |sample| {
                assert!(sample.row.is_err(), "{sample:?}");
                Conclusion::AfterPatience(HOUR, Outcome::NotDone, "no row".to_owned())
            })
            .await;
            assert_eq!(given, outcome, "{detail}");
            assert_eq!(detail.contains("the lab has ended: nobody is left to ask"), ended);
            let waited = since.elapsed();
            assert!(waited >= took && waited < took + RAREST_POLL * 2, "{waited:?}");
            assert_eq!(samples.len() == 1, ended);
        }
    }
}

//! The resources that a run has seen of its lab, from its journal: the ids by which a later look asks
//! again, and when each instance was last alive. That EC2 does not list an id says little: it forgets
//! what is terminated after about an hour, and what is new it may not know yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reports::record::{Effect, Kind, Life, Outcome, Record, ResourceKind, ResourceSeen};

use super::{Address, Answer, Instance, InstanceState, ReadError, Volume};
use crate::Lab;

/// How long after its last sight alive an instance that is not listed is taken to be gone. EC2 shows
/// a terminated one for about an hour.
const LONG_AFTER: TimeDelta = TimeDelta::hours(2);

/// How long after a first look that missed something a second one is made.
const AGAIN: Duration = Duration::from_secs(1);

/// All that was seen, by kind and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighted(BTreeMap<(ResourceKind, String), Sight>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// At that time for the last time.
    Alive(DateTime<Utc>),
    Ended,
}

impl Sighted {
    /// Gathers all that the records saw: what was listed, the instances that were acted on, and their ends.
    pub fn of(records: &[Record]) -> Self {
        let mut sighted = Self::default();
        for record in records {
            match &record.kind {
                Kind::ResourcesSeen(it) => {
                    for seen in &it.resources {
                        sighted.see(seen.kind, &seen.id, seen.life, record.at);
                    }
                }
                // It was proved to be the lab's just before.
                Kind::Intent(it) => {
                    if let Some((id, _)) = it.effect.power() {
                        sighted.see(ResourceKind::Instance, id, Life::Alive, record.at);
                    }
                }
                Kind::Outcome(it) if it.outcome == Outcome::Done => {
                    if let Some(id) = terminated(records, &it.intent) {
                        sighted.see(ResourceKind::Instance, id, Life::Ended, record.at);
                    }
                }
                _ => {}
            }
        }
        sighted
    }

    fn see(&mut self, kind: ResourceKind, id: &str, life: Life, at: DateTime<Utc>) {
        let sight = match life {
            Life::Alive => Sight::Alive(at),
            Life::Ended => Sight::Ended,
        };
        let kept = self.0.entry((kind, id.to_owned())).or_insert(sight);
        // Nothing comes back from its end.
        if *kept != Sight::Ended {
            *kept = sight;
        }
    }

    /// Every id of that kind that was ever seen.
    pub fn ids(&self, kind: ResourceKind) -> BTreeSet<String> {
        self.0.keys().filter(|(of, _)| *of == kind).map(|(_, id)| id.clone()).collect()
    }

    /// Whether an instance that EC2 does not list any more is gone: its end was seen, or it was last
    /// seen alive long ago. None where this run never saw it.
    pub fn is_gone(&self, instance_id: &str, now: DateTime<Utc>) -> Option<bool> {
        match self.0.get(&(ResourceKind::Instance, instance_id.to_owned()))? {
            Sight::Ended => Some(true),
            Sight::Alive(last) => Some(now - last > LONG_AFTER),
        }
    }
}

/// The instance that this intent terminated; its outcome is done once EC2 has shown it so.
fn terminated<'a>(records: &'a [Record], intent: &str) -> Option<&'a str> {
    let effect = records.iter().find_map(|record| match &record.kind {
        Kind::Intent(it) if it.id == intent => Some(&it.effect),
        _ => None,
    });
    match effect {
        Some(Effect::Ec2TerminateInstance { instance_id, .. }) => Some(instance_id),
        _ => None,
    }
}

/// An instance with all that hangs on it, as it is recorded.
pub fn seen_with(instance: &Instance) -> Vec<ResourceSeen> {
    let life = match instance.state {
        InstanceState::Terminated => Life::Ended,
        _ => Life::Alive,
    };
    let seen = |kind, id: &String, life| ResourceSeen { kind, id: id.clone(), life };
    let enis = instance.network_interface_ids.iter();
    let volumes = instance.block_devices.iter();
    [seen(ResourceKind::Instance, &instance.instance_id, life)]
        .into_iter()
        .chain(enis.map(|id| seen(ResourceKind::NetworkInterface, id, Life::Alive)))
        .chain(volumes.map(|it| seen(ResourceKind::Volume, &it.volume_id, Life::Alive)))
        .collect()
}

impl Lab {
    /// These instances; where one is not listed, EC2 is asked a second time.
    pub async fn find_instances(&self, ids: &[String]) -> Result<Answer<Vec<Instance>>, ReadError> {
        let all = |found: &Vec<Instance>| {
            ids.iter().all(|id| found.iter().any(|it| it.instance_id == *id))
        };
        self.twice(async || self.reader.instances(ids).await, all).await
    }

    /// Absent only where EC2 did not list it twice in a row: then it is gone.
    pub async fn find_address(&self, id: &str) -> Result<Answer<Option<Address>>, ReadError> {
        self.twice(async || self.reader.address(id).await, Option::is_some).await
    }

    /// Does as [`Lab::find_address`] does, for a volume.
    pub async fn find_volume(&self, id: &str) -> Result<Answer<Option<Volume>>, ReadError> {
        self.twice(async || self.reader.volume(id).await, Option::is_some).await
    }

    async fn twice<T>(
        &self,
        look: impl AsyncFn() -> Result<Answer<T>, ReadError>,
        whole: impl Fn(&T) -> bool,
    ) -> Result<Answer<T>, ReadError> {
        let first = look().await?;
        if whole(&first.value) {
            return Ok(first);
        }
        self.clock.sleep(AGAIN).await;
        let second = look().await?;
        let attempts = first.attempts + second.attempts;
        Ok(Answer { raw: [first.raw, second.raw].concat(), attempts, ..second })
    }
}

#[cfg(test)]
mod tests {
    use reports::digest::Digest;
    use reports::record::{Intent, OutcomeRecorded, Permit, ResourcesSeen};

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-10-01T12:00:00Z".parse().expect("a time");
        start + TimeDelta::minutes(minute)
    }

    fn seen(life: Life) -> Kind {
        let resource = ResourceSeen { kind: ResourceKind::Instance, id: "i-1".to_owned(), life };
        Kind::ResourcesSeen(ResourcesSeen { resources: vec![resource] })
    }

    /// Its id is what it is called.
    fn intent(what: &str) -> Kind {
        let (instance_id, before) = ("i-1".to_owned(), "running".to_owned());
        let effects = [
            Effect::Ec2TerminateInstance {
                instance_id: instance_id.clone(),
                before: before.clone(),
            },
            Effect::Ec2StopInstance { instance_id, before },
        ];
        let effect = effects.into_iter().find(|it| it.what() == what).expect("an effect");
        Kind::Intent(Intent {
            id: what.to_owned(),
            scenario: "teardown".to_owned(),
            permit: Permit::Undo,
            effect,
            undo: None,
        })
    }

    fn outcome(intent: &str, outcome: Outcome) -> Kind {
        Kind::Outcome(OutcomeRecorded::of(intent, outcome))
    }

    /// The second look's value, with what both said.
    #[tokio::test(start_paused = true)]
    async fn what_is_not_whole_is_looked_at_a_second_time() {
        let lab = crate::deaf::open_deaf_lab();
        for (whole_from, looks) in [(1, 1), (2, 2), (3, 2)] {
            let count = std::cell::Cell::new(0_u32);
            let look = async || {
                count.set(count.get() + 1);
                let (call, raw) = (String::new(), vec![vec![0]]);
                let form = reports::redact::Form::Text;
                Ok(Answer { value: count.get(), call, raw, form, attempts: 3 })
            };
            let since = lab.clock.stopwatch();
            let answer = lab.twice(look, |value| *value >= whole_from).await.expect("an answer");
            assert_eq!((answer.value, count.get()), (looks, looks));
            assert_eq!((answer.raw.len(), answer.attempts), (looks as usize, 3 * looks));
            assert_eq!(since.elapsed() >= AGAIN, looks == 2);
        }
    }

    #[test]
    fn what_was_seen_is_asked_for_by_its_kind() {
        let device = super::super::BlockDevice {
            volume_id: "vol-1".to_owned(),
            device_name: "/dev/xvda".to_owned(),
            delete_on_termination: true,
        };
        let instance = Instance {
            instance_id: "i-1".to_owned(),
            state: InstanceState::Running,
            instance_type: "t3.micro".to_owned(),
            vpc_id: None,
            subnet_id: None,
            network_interface_ids: vec!["eni-1".to_owned()],
            block_devices: vec![device],
            instance_profile: None,
            lifecycle: None,
            root_device_type: None,
            launched_at: None,
            tags: BTreeMap::new(),
        };
        let ended = Instance { state: InstanceState::Terminated, ..instance.clone() };
        for (instance, gone) in [(&instance, false), (&ended, true)] {
            let kind = Kind::ResourcesSeen(ResourcesSeen { resources: seen_with(instance) });
            let records = [Record { seq: 0, prev: Digest::of(b""), at: at(0), kind }];
            let sighted = Sighted::of(&records);
            assert_eq!(sighted.is_gone("i-1", at(1)), Some(gone));
            for (kind, id) in [
                (ResourceKind::Instance, "i-1"),
                (ResourceKind::NetworkInterface, "eni-1"),
                (ResourceKind::Volume, "vol-1"),
            ] {
                assert_eq!(sighted.ids(kind), BTreeSet::from([id.to_owned()]));
            }
        }
    }

    #[test]
    fn what_is_not_listed_is_gone_where_its_end_was_seen_or_long_after_its_last_sight() {
        use Life::{Alive, Ended};
        let (end, stop) = ("ec2 TerminateInstances", "ec2 StopInstances");
        // By minute 180: what the journal has, and whether the instance is gone.
        let table = [
            ("never seen", vec![], None),
            ("alive a minute ago", vec![(179, seen(Alive))], Some(false)),
            ("alive two hours ago", vec![(60, seen(Alive))], Some(false)),
            ("alive longer ago", vec![(59, seen(Alive))], Some(true)),
            ("seen again since", vec![(1, seen(Alive)), (100, seen(Alive))], Some(false)),
            ("its end was seen", vec![(170, seen(Alive)), (171, seen(Ended))], Some(true)),
            ("nothing comes back", vec![(1, seen(Ended)), (179, seen(Alive))], Some(true)),
            (
                "it was terminated",
                vec![(170, intent(end)), (171, outcome(end, Outcome::Done))],
                Some(true),
            ),
            (
                "nobody knows whether",
                vec![(170, intent(end)), (171, outcome(end, Outcome::Unknown))],
                Some(false),
            ),
            (
                "it was stopped after somebody's end was asked for",
                vec![(1, intent(end)), (170, intent(stop)), (171, outcome(stop, Outcome::Done))],
                Some(false),
            ),
            (
                "it was stopped",
                vec![(1, seen(Alive)), (170, intent(stop)), (171, outcome(stop, Outcome::Done))],
                Some(false),
            ),
        ];
        for (what, kinds, gone) in table {
            let record =
                |(minute, kind)| Record { seq: 0, prev: Digest::of(b""), at: at(minute), kind };
            let records: Vec<Record> = kinds.into_iter().map(record).collect();
            assert_eq!(Sighted::of(&records).is_gone("i-1", at(180)), gone, "{what}");
        }
    }
}

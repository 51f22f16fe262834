//! Several faults at once: what no mix of them may do, whatever else it does.

use harness::faults::{KnownFault, list_faults};
use lab::manifest::Instances;
use lab_mock::faults;
use lab_mock::world::World;
use reports::record::Kind;
use scenarios::answers::{FaultClass, Left};

use crate::sensitivity::{injection_of, left};
use crate::smoke::{Prior, Ran};

/// Two faults or three on one lab, and what its manifest has become of the instances.
#[derive(Clone, Debug)]
pub struct Mix {
    pub faults: Vec<&'static KnownFault>,
    pub prior: Prior,
    pub teardown: Instances,
}

/// Pairs that once got a run to pass, or to hide what it left: they are drawn first.
const FOUND: &[[&str; 2]] = &[
    ["earlier-run", "row-beside"],
    ["earlier-run", "prior-lost"],
    ["earlier-run", "check-on-later"],
    ["earlier-run", "check-back-on"],
    ["earlier-run", "approved-by-another"],
    ["lock-held", "changed-under-lock"],
    ["lost-read", "truncated-read"],
    ["throttled-read", "truncated-read"],
    ["roots-credentials", "no-aws-cli"],
];

const TEARDOWNS: [Instances; 3] = [Instances::Terminate, Instances::Stop, Instances::Keep];

/// Faults that need something else than a run which grants itself, or are no fault but a setting.
const APART: &[&str] = &["go-after", "teardown"];

/// Every pair of faults that do not undo one another, at most so many of them, drawn with a seed.
pub fn sample_pairs(seed: u64, count: usize) -> Vec<Mix> {
    let all = drawn_from();
    let pairs = all.iter().enumerate().flat_map(|(index, one)| {
        all[index + 1..].iter().filter(|other| apart(one, other)).map(move |other| [*one, *other])
    });
    let mut pairs: Vec<Mix> = pairs
        .flat_map(|faults| {
            Prior::BOTH.map(|prior| Mix {
                faults: faults.to_vec(),
                prior,
                teardown: Instances::Terminate,
            })
        })
        .filter(Mix::means_something)
        .collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut pairs);
    pairs.sort_by_key(|pair| !pair.was_found());
    let world = a_world();
    pairs.into_iter().filter(|pair| pair.fits_into(&world)).take(count).collect()
}

/// Three faults at random on a lab whose instances are terminated, stopped or kept, so many times.
pub fn sample_triples(seed: u64, count: usize) -> Vec<Mix> {
    let (all, world) = (drawn_from(), a_world());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut draw = || loop {
        let faults = random.choose_multiple(all.iter().copied(), 3);
        let prior = Prior::BOTH[random.usize(..2)];
        let mix = Mix { faults, prior, teardown: TEARDOWNS[random.usize(..TEARDOWNS.len())] };
        if mix.all_apart() && mix.means_something() && mix.fits_into(&world) {
            return mix;
        }
    };
    (0..count).map(|_| draw()).collect()
}

fn drawn_from() -> Vec<&'static KnownFault> {
    list_faults().filter(|fault| !APART.contains(&fault.name)).collect()
}

fn a_world() -> World {
    lab_mock::world_of(1, lab_mock::start_time(1))
}

/// Faults with the same first answer touch the same thing.
fn apart(one: &KnownFault, other: &KnownFault) -> bool {
    one.class == FaultClass::Tolerated || one.primary != other.primary
}

impl Mix {
    /// The faults, as `--inject` has them.
    pub fn injected(&self) -> Vec<&'static str> {
        injection_of(self.teardown)
            .into_iter()
            .chain(self.faults.iter().map(|fault| fault.name))
            .collect()
    }

    fn all_apart(&self) -> bool {
        self.faults.iter().enumerate().all(|(index, one)| {
            self.faults[index + 1..].iter().all(|other| apart(one, other) || apart(other, one))
        })
    }

    fn means_something(&self) -> bool {
        let on = self.prior == Prior::CheckOn;
        self.faults.iter().all(|fault| fault.answer_with(on).is_some())
    }

    fn was_found(&self) -> bool {
        FOUND.iter().any(|found| found.iter().all(|it| self.faults.iter().any(|f| f.name == *it)))
    }

    /// Faults of the same row or line cannot be put into one world.
    fn fits_into(&self, world: &World) -> bool {
        let mut world = world.clone();
        self.injected().into_iter().all(|fault| faults::inject_fault(&mut world, fault).is_ok())
    }

    /// Whether one of them is caught. A fault that is caught where instances are terminated may be none where
    /// they are kept, and the other way round.
    pub fn has_a_caught_one(&self) -> bool {
        let is_caught = |fault: &&'static KnownFault| match self.teardown {
            Instances::Terminate => fault.class == FaultClass::Caught,
            Instances::Stop | Instances::Keep => {
                fault.answer_at(self.teardown).is_some_and(|answer| answer.exit_code != 0)
            }
        };
        self.faults.iter().any(is_caught)
    }
}
/// The things that the run did that no run may do.
pub fn complaints(mix: &Mix, ran: &Ran) -> Vec<String> {
    let mut complaints = Vec::new();
    let passed = ran.judgement.exit_code == 0;
    // One fault may keep the other from its moment: then there was but one.
    let fell = faults::fired(&ran.world).iter().all(|(_, times)| *times > 0);
    if passed && mix.has_a_caught_one() && fell {
        complaints.push("it passed".to_owned());
    }
    if !passed && !mix.has_a_caught_one() {
        complaints.push(format!("nothing but tolerated faults: {:?}", ran.judgement.reasons));
    }
    for left in left(ran).into_iter().filter(|left| !says(ran, *left)) {
        complaints.push(format!("{left:?} is not as the run owes it, and the evidence is silent"));
    }
    complaints
}

/// Whether the evidence says that this is not as it should be.
fn says(ran: &Ran, left: Left) -> bool {
    let turned = ran.turned();
    let any = |ids: &[&str]| ids.iter().any(|id| turned.contains(id));
    let residue =
        |word: &str| ran.evidence.residue.iter().flatten().any(|item| item.resource.contains(word));
    match left {
        // Or this run never came to the gate, or found the lab held there, and somebody else changed
        // the interface after it had looked.
        Left::Interface => {
            any(&["restored.interface", "gate.unchanged-under-lock", "preflight.network-interface"])
                || residue("network interface")
                || ran.judgement.exit_code == 8
                || !took_the_lock(ran)
        }
        // The lab was held, or whether it is held is said to be unknown; or the run never came to
        // the gate, and the lock is another's.
        Left::Lock => {
            let never_came = ran.evidence.gate.lock.is_none() && !took_the_lock(ran);
            let held = ran.judgement.exit_code == 8 || residue("lock");
            // Or it was lost to another run later on: it is not this run's to give back.
            let lost = ran.tripped().contains("lock-lost");
            let anothers = |reason: &String| reason.contains("lock is held by run");
            let named = ran.judgement.reasons.iter().any(anothers);
            any(&["gate.lock", "residue.lock"]) || held || never_came || lost || named
        }
        Left::ChangeSet => any(&["restored.node-files", "undo.change-set-removed"]),
        Left::Instances => {
            let runs_on = |reason: &String| reason.contains("what runs goes on costing");
            any(&["residue.instances", "preflight.cost-bearing"])
                || residue("instance")
                || ran.judgement.reasons.iter().any(runs_on)
        }
        Left::Addresses => any(&["residue.addresses"]),
        Left::Volumes => any(&["residue.volumes"]) || only_nobodys_volumes(ran),
    }
}

/// Whether nothing ties the volumes that are left to this lab: no tag, and no earlier sight of them.
fn only_nobodys_volumes(ran: &Ran) -> bool {
    let seen = |id: &str| {
        ran.records.iter().any(|record| match &record.kind {
            Kind::ResourcesSeen(seen) => seen.resources.iter().any(|it| it.id == id),
            _ => false,
        })
    };
    let loose = ran.world.cloud.volumes.values().filter(|it| it.attachments.is_empty());
    loose.into_iter().all(|it| !it.tags.contains_key("lab-smoke") && !seen(&it.id))
}

/// Whether the run tried to take the lab's lock.
fn took_the_lock(ran: &Ran) -> bool {
    ran.evidence.mutations.iter().any(|it| it.resource == lab::act::LOCK_PATH)
}

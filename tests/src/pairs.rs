//! Two faults at once: what no pair may do, whatever else it does.

use lab::mock::faults::{self, Class, Fault, Left};
use lab::mock::world::World;

use crate::sensitivity::left;
use crate::smoke::{Prior, Ran};

/// Two faults on one lab.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub one: &'static Fault,
    pub other: &'static Fault,
    pub prior: Prior,
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

/// Every pair of faults that do not undo one another, at most so many of them, drawn with a seed.
pub fn sample(seed: u64, count: usize) -> Vec<Pair> {
    // In these runs the lab grants itself: nobody looks for a go that comes late.
    let all: Vec<&Fault> = faults::all().filter(|fault| fault.name != "go-after").collect();
    let pairs = all.iter().enumerate().flat_map(|(index, one)| {
        all[index + 1..].iter().filter(|other| apart(one, other)).map(move |other| (*one, *other))
    });
    let mut pairs: Vec<Pair> = pairs
        .flat_map(|(one, other)| Prior::BOTH.map(|prior| Pair { one, other, prior }))
        .filter(|pair| [pair.one, pair.other].iter().all(|it| means_something(it, pair.prior)))
        .collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut pairs);
    pairs.sort_by_key(|pair| !pair.was_found());
    let epoch = lab::mock::start_time(1);
    let world = lab::mock::world_of(1, epoch);
    pairs.into_iter().filter(|pair| pair.fits_into(&world)).take(count).collect()
}

/// Faults with the same first answer touch the same thing.
fn apart(one: &Fault, other: &Fault) -> bool {
    one.class == Class::Tolerated || one.primary != other.primary
}

fn means_something(fault: &Fault, prior: Prior) -> bool {
    fault.answer_with(prior == Prior::CheckOn).is_some()
}

impl Pair {
    pub fn faults(&self) -> [&'static str; 2] {
        [self.one.name, self.other.name]
    }

    fn was_found(&self) -> bool {
        let [one, other] = self.faults();
        FOUND.iter().any(|found| *found == [one, other] || *found == [other, one])
    }

    /// Two faults of the same row or line cannot be put into one world.
    fn fits_into(&self, world: &World) -> bool {
        let mut world = world.clone();
        self.faults().into_iter().all(|fault| faults::inject(&mut world, fault).is_ok())
    }

    pub fn has_a_caught_one(&self) -> bool {
        [self.one, self.other].iter().any(|fault| fault.class == Class::Caught)
    }
}

/// What the run did that no run may do.
pub fn complaints(pair: &Pair, ran: &Ran) -> Vec<String> {
    let mut complaints = Vec::new();
    let passed = ran.judgement.exit_code == 0;
    // One fault may keep the other from its moment: then there was but one.
    let fell = faults::fired(&ran.world).iter().all(|(_, times)| *times > 0);
    if passed && pair.has_a_caught_one() && fell {
        complaints.push("it passed".to_owned());
    }
    if !passed && !pair.has_a_caught_one() {
        complaints.push(format!("two tolerated faults: {:?}", ran.judgement.reasons));
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
            any(&["gate.lock", "residue.lock"]) || held || never_came || lost
        }
        Left::ChangeSet => any(&["restored.node-files", "undo.change-set-removed"]),
        Left::Instances => {
            let runs_on = |reason: &String| reason.contains("what runs goes on costing");
            any(&["residue.instances", "preflight.cost-bearing"])
                || residue("instance")
                || ran.judgement.reasons.iter().any(runs_on)
        }
        Left::Addresses => any(&["residue.addresses"]),
        Left::Volumes => any(&["residue.volumes"]),
    }
}

/// Whether the run tried to take the lab's lock.
fn took_the_lock(ran: &Ran) -> bool {
    ran.evidence.mutations.iter().any(|it| it.resource == lab::act::LOCK_PATH)
}

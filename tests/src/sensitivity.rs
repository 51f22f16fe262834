//! The comparison of what a run owes to a fault with what it gave: the two are compared as a whole.

use std::collections::BTreeSet;

use harness::faults::{KnownFault, list_faults};
use lab::manifest::Instances;
use lab::node::Node;
use lab_mock::cloud::{Instance, InstanceState, LAB_TAG, NetworkInterface};
use lab_mock::faults;
use lab_mock::world::World;
use reports::evidence::Evidence;
use reports::record::{AssertionStatus, Verdict};
use scenarios::answers::{FaultAnswer, Left};

use crate::smoke::{self, Prior, Ran, run};

/// A fault on one of the labs.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub fault: &'static KnownFault,
    pub prior: Prior,
    pub teardown: Instances,
    pub answer: FaultAnswer,
}

/// Every fault on every lab on which it is one.
pub fn cases() -> Vec<Case> {
    let on = |fault: &'static KnownFault, prior: Prior| {
        let answer = fault.answer_with(prior == Prior::CheckOn)?;
        Some(Case { fault, prior, teardown: Instances::Terminate, answer })
    };
    list_faults()
        .flat_map(|fault| Prior::BOTH.into_iter().filter_map(move |p| on(fault, p)))
        .collect()
}

/// Every fault once where teardown stops the instances, and once where it keeps them.
pub fn cases_of_other_teardowns() -> Vec<Case> {
    let on = |fault: &'static KnownFault, teardown: Instances| {
        let answer = fault.answer_at(teardown)?;
        Some(Case { fault, prior: Prior::CheckOn, teardown, answer })
    };
    list_faults()
        .flat_map(|fault| {
            [Instances::Stop, Instances::Keep].into_iter().filter_map(move |it| on(fault, it))
        })
        .collect()
}

/// The set of what turned: expected of a fault, or given by a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub turned: BTreeSet<String>,
    pub tripped: BTreeSet<String>,
    pub exit_code: u8,
    pub left: BTreeSet<Left>,
    pub silent: Vec<String>,
}

/// The word for it as `--inject` has it; nothing is the lab's own, which terminates.
pub fn injection_of(teardown: Instances) -> Option<&'static str> {
    match teardown {
        Instances::Terminate => None,
        Instances::Stop => Some("teardown=stop"),
        Instances::Keep => Some("teardown=keep"),
    }
}

impl Case {
    pub fn run(&self) -> (Outcome, Ran) {
        let teardown = injection_of(self.teardown).into_iter();
        let faults: Vec<&str> = teardown.chain([self.fault.name]).collect();
        let ran = run(1, &faults, self.prior);
        (given(&ran), ran)
    }

    /// The same behind a manifest of kind `aws`.
    pub fn run_behind_aws(&self) -> (Outcome, Ran) {
        let teardown = injection_of(self.teardown).into_iter();
        let faults: Vec<&str> = teardown.chain([self.fault.name]).collect();
        let ran = smoke::run_behind_aws(1, &faults, self.prior);
        (given(&ran), ran)
    }

    pub fn expected(&self) -> Outcome {
        let primary = self.fault.primary;
        let all = |one: Option<&str>, more: &[&str]| {
            one.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
        };
        Outcome {
            turned: all(primary.assertion(), self.answer.also),
            tripped: all(primary.stop(), self.answer.stops),
            exit_code: self.answer.exit_code,
            left: self.answer.left.iter().copied().collect(),
            silent: Vec::new(),
        }
    }

    pub fn name(&self) -> String {
        let prior = if self.prior == Prior::CheckOn { "on" } else { "off" };
        format!("{} (check {prior}, {:?})", self.fault.name, self.teardown)
    }
}

/// The traces in the evidence of something that was tolerated: repeated reads, a mutation whose reply was not
/// the proof of it, an assertion that took more than one round, what translates beside the path, a router
/// that tracks nothing, or echo requests that took long or were lost.
pub fn traces(ran: &Ran) -> Vec<String> {
    let evidence = &ran.evidence;
    let reads =
        evidence.retries.iter().map(|it| format!("{} took {} attempts", it.call, it.attempts));
    let silent = evidence.mutations.iter().filter(|it| {
        let told = ["lost", "broke", "refused it"].iter().any(|word| it.detail.contains(word));
        it.samples.len() > 1 || told
    });
    let silent = silent.map(|it| format!("{}: {}", it.what, it.detail));
    let assertions = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    let uneven = assertions.filter(|it| {
        let rounds = it.observed["rounds"].as_array().map_or(0, Vec::len);
        let beside = it.observed["beside_it"].as_array().is_some_and(|rules| !rules.is_empty());
        // A silence after the undo is looked at twice.
        let looks = it.observed["looks"].as_array().map_or(0, Vec::len);
        rounds > 1 || looks > 2 || beside || it.observed["armed"] == false
    });
    let uneven = uneven.map(|it| format!("{}: {}", it.id, it.observed));
    reads.chain(silent).chain(uneven).chain(pings(ran)).collect()
}

/// Longer than the model's own round trips.
const SLOW_MS: f64 = 20.0;

fn pings(ran: &Ran) -> impl Iterator<Item = String> {
    let assertions = ran.evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    assertions.filter_map(|it| {
        let lost = it.observed.get("lost")?.as_u64()?;
        let average = it.observed["round_trip_ms"]["avg"].as_f64()?;
        let tells = lost > 0 || average > SLOW_MS;
        tells.then(|| format!("{}: {lost} lost, {average} ms on average", it.id))
    })
}

/// The assertions that failed or are unknown, and the detectors that tripped: of any lab's run.
pub fn turned_and_tripped(evidence: &Evidence) -> (BTreeSet<String>, BTreeSet<String>) {
    let texts = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect();
    (texts(smoke::turned(evidence)), texts(smoke::tripped(evidence)))
}

/// The outcome that a run gave.
pub fn given(ran: &Ran) -> Outcome {
    let (turned, tripped) = turned_and_tripped(&ran.evidence);
    let silent = faults::fired(&ran.world).into_iter().filter(|(_, times)| *times == 0);
    Outcome {
        turned,
        tripped,
        exit_code: ran.judgement.exit_code,
        left: left(ran),
        silent: silent.map(|(rule, _)| rule).collect(),
    }
}

/// Where the evidence contradicts itself: what holds with the sentence of its failure, and a verdict
/// of what is left without anything that is.
pub fn contradictions(ran: &Ran) -> Vec<String> {
    let assertions = ran.evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    let passed = assertions.filter(|it| it.status == AssertionStatus::Passed);
    let sentences = passed.filter_map(|it| {
        let sentence = it.message.as_ref()?;
        Some(format!("{} passed: {sentence}", it.id))
    });
    let listed = ran.evidence.residue.iter().flatten().count();
    let empty = ran.judgement.verdict == Verdict::Residue && listed == 0;
    let empty = empty.then(|| "the verdict is residue, and none is listed".to_owned());
    sentences.chain(empty).collect()
}

/// The parts of the lab that are not as the run owes them.
pub fn left(ran: &Ran) -> BTreeSet<Left> {
    let mut left = BTreeSet::new();
    let (before, after) = (&ran.before, &ran.world);
    let same = match (lab_interface(before), lab_interface(after)) {
        (Some(before), Some(after)) => restorable(before) == restorable(after),
        // It went with its instance: what it was then is what `restored` saw.
        (Some(_), None) => restored(ran),
        (None, _) => false,
    };
    let file = |path| after.machines.get(Node::RouterdCloud).files.contents(path).is_some();
    let was = |path| before.machines.get(Node::RouterdCloud).files.contents(path).is_some();
    let mut note = |kind, is: bool| {
        if is {
            left.insert(kind);
        }
    };
    note(Left::Interface, !same);
    note(Left::Lock, file(lab::act::LOCK_PATH));
    let change_set = lab::change_set::PATH;
    note(Left::ChangeSet, file(change_set) && !was(change_set));
    if ran.burnt() {
        note(Left::Instances, after.cloud.instances.values().any(|it| !is_as_wanted(after, it)));
        note(Left::Addresses, !after.cloud.addresses.is_empty());
        note(Left::Volumes, !after.cloud.volumes.values().all(|it| !it.attachments.is_empty()));
    } else {
        // One that ends before it began anything leaves none of its instances running.
        let running = lab_mock::running_instances(after, after.now);
        note(Left::Instances, ran.judgement.exit_code != 8 && !running.is_empty());
        note(Left::Addresses, before.cloud.addresses != after.cloud.addresses);
        note(Left::Volumes, before.cloud.volumes != after.cloud.volumes);
    }
    left
}

/// Whether it is as the manifest wants it; what it does not name is wanted by nobody.
fn is_as_wanted(world: &World, instance: &Instance) -> bool {
    let state = instance.state_at(world.now);
    let name = instance.tags.get("Name");
    let named = Node::ALL.iter().any(|node| name.is_some_and(|name| name == node.as_str()));
    match world.faults.teardown.unwrap_or(Instances::Terminate) {
        _ if state == InstanceState::Terminated => true,
        Instances::Stop => named && state == InstanceState::Stopped,
        Instances::Keep => {
            named && state == InstanceState::Running && instance.tags.contains_key(LAB_TAG.0)
        }
        Instances::Terminate => false,
    }
}

fn lab_interface(world: &World) -> Option<&NetworkInterface> {
    let router = std::net::Ipv4Addr::new(10, 88, 60, 4);
    world.cloud.network_interfaces.values().find(|eni| eni.primary() == Some(router))
}

fn restorable(eni: &NetworkInterface) -> impl PartialEq {
    (eni.id.clone(), eni.private_addresses.clone(), eni.source_dest_check, eni.tags.clone())
}

fn restored(ran: &Ran) -> bool {
    let sides = &ran.evidence.state;
    let last = sides.last.as_ref().map(|state| &state["interface"]);
    let baseline = sides.baseline.as_ref().map(|state| &state["interface"]);
    match (baseline, last) {
        (Some(baseline), Some(last)) => ["secondary_addresses", "source_dest_check", "tags"]
            .iter()
            .all(|key| baseline[*key] == last[*key]),
        _ => false,
    }
}

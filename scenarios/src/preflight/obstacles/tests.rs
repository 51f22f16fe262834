//! Tests of what is in the way of a run, and in whose way it is not.

use std::rc::Rc;

use lab::manifest::Instances;
use reports::record::AssertionStatus as A;

use super::power::{Protected, find_unstoppable};
use super::*;
use crate::example::{example_instance, judge_as_scenario};

/// What keeps an instance from being stopped is in nobody's way where nothing is stopped.
#[test]
fn an_instance_is_in_the_way_only_of_what_the_manifest_does_with_it() {
    type Change = fn(&mut Instance, &mut Protected);
    let protect: Change = |it, protected| {
        protected.stop.insert(it.instance_id.clone());
    };
    let keep: Change = |it, protected| {
        protected.termination.insert(it.instance_id.clone());
    };
    let spot: Change = |it, _| it.lifecycle = Some("spot".to_owned());
    let store: Change = |it, _| it.root_device_type = Some("instance-store".to_owned());
    let group: Change = |it, _| {
        it.tags.insert("aws:autoscaling:groupName".to_owned(), "asg".to_owned());
    };
    let nothing: Change = |_, _| {};
    let (end, stop, stay) = (Instances::Terminate, Instances::Stop, Instances::Keep);
    // The change, what teardown does, whether the manifest consents to stop, and what is said.
    let table = [
        (nothing, end, true, ""),
        (protect, end, true, "protected from being stopped"),
        (protect, end, false, "protected from being stopped"),
        (protect, stop, false, "protected from being stopped"),
        (protect, stay, false, ""),
        (keep, end, false, "protected from being terminated"),
        (keep, stop, true, ""),
        (spot, end, true, "a spot instance"),
        (spot, end, false, ""),
        (store, stay, true, "instance-store"),
        (store, stay, false, ""),
        (group, end, false, "Auto Scaling group asg"),
        (group, stay, true, "Auto Scaling group asg"),
        (group, stay, false, ""),
    ];
    for (change, teardown, consents, expected) in table {
        judge_as_scenario("preflight", async |lab, _| {
            let manifest = Rc::make_mut(&mut lab.manifest);
            manifest.teardown.instances = teardown;
            manifest.consent.stop_instances = consents;
            let router = manifest.nodes.get_mut(&Node::RouterdCloud).expect("a node");
            router.instance_id = Some("i-1".to_owned());
            let mut protected = Protected::default();
            let mut own = example_instance("i-1", "running");
            let mut other = example_instance("i-9", "running");
            change(&mut own, &mut protected);
            change(&mut other, &mut protected);
            let found = find_unstoppable(lab, &[own, other], &protected);
            let said = found.get("i-1").map(|why| why.join("; ")).unwrap_or_default();
            let same = if expected.is_empty() { said.is_empty() } else { said.contains(expected) };
            assert!(same && !found.contains_key("i-9"), "{teardown:?} {consents}: {said:?}");
        });
    }
}

/// The example lab has room and lets everything in: what is found there is nothing, with or without
/// the scenario.
#[test]
fn nothing_is_in_the_way_of_the_example_lab() {
    judge_as_scenario("preflight", async |lab, _| {
        let found = find_obstacles(lab).await.expect("answers");
        assert_eq!(found, FoundObstacles::default());
    });
}

/// What could not be read is not taken for free of obstacles.
#[test]
fn what_could_not_be_read_is_unknown() {
    let refused = || ReadError::Refused {
        call: "ec2 Describe".to_owned(),
        code: "RequestLimitExceeded".to_owned(),
        message: "no".to_owned(),
        raw: Vec::new(),
    };
    let judged = judge_as_scenario("preflight", async |lab, ctx| {
        let protections = vec![("i-1".to_owned(), Protection::Stop, Err(refused()))];
        let reads = ObstacleReads { protections, limits: Some(Err(refused())) };
        let around = Around {
            instances: &lab.reader.instances(&[]).await,
            interfaces: &Err(refused()),
            groups: &Err(refused()),
        };
        judge(lab, ctx, reads, &around);
    });
    for id in [STOPPABLE, CAPACITY, ICMP_ERRORS, PORTS] {
        assert_eq!(judged.status(id), A::Unknown, "{id}");
    }
}

//! Tests of what of the cloud is the lab's.

use std::collections::BTreeMap;
use std::rc::Rc;

use reports::record::{AssertionStatus as A, Kind};
use reports::redact::Form;

use super::*;
use crate::example::{Judged, judge_as_scenario};

fn instance(lab: &Lab, id: &str, state: &str, profile: Option<&str>) -> Instance {
    let tag = (lab.manifest.lab.tag_key.clone(), lab.manifest.lab.tag_value.clone());
    Instance {
        instance_id: id.to_owned(),
        state: InstanceState::parse(state),
        instance_type: "t3.micro".to_owned(),
        vpc_id: Some(lab.manifest.aws.vpc_id.clone()),
        subnet_id: None,
        network_interface_ids: Vec::new(),
        block_devices: Vec::new(),
        instance_profile: profile.map(str::to_owned),
        lifecycle: None,
        root_device_type: Some("ebs".to_owned()),
        launched_at: None,
        tags: [tag].into(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a read is handed on")]
fn answer<T>(value: T) -> Read<T> {
    let call = "ec2 Describe".to_owned();
    Ok(lab::ec2::Answer { value, call, raw: Vec::new(), form: Form::Xml, attempts: 1 })
}

/// One instance alone is the manifest's.
fn alone(lab: &mut Lab, id: &str) {
    let nodes = &mut Rc::make_mut(&mut lab.manifest).nodes;
    for node in nodes.values_mut() {
        node.instance_id = None;
    }
    nodes.get_mut(&Node::RouterdCloud).expect("a node").instance_id = Some(id.to_owned());
}

fn tripped(judged: &Judged) -> Vec<&str> {
    let trips = judged.records.iter().filter_map(|record| match &record.kind {
        Kind::StopTripped(it) => Some(it.detector.as_str()),
        _ => None,
    });
    trips.collect()
}

#[test]
fn the_routers_profile_is_that_of_its_own_instance() {
    judge_as_scenario("preflight", async |lab, _| {
        alone(lab, "i-1");
        let cloud = |instances: Vec<Instance>| Cloud {
            state: None,
            interface: crate::example::example_baseline().interface,
            instances,
            subnet: Subnet {
                subnet_id: "subnet-1".to_owned(),
                vpc_id: "vpc-1".to_owned(),
                owner_id: "123456789012".to_owned(),
                availability_zone: "eu-central-1a".to_owned(),
                cidr_block: "10.88.60.0/24".to_owned(),
                tags: Tags::new(),
            },
            vpc: Vpc {
                vpc_id: "vpc-1".to_owned(),
                owner_id: "123456789012".to_owned(),
                cidr_block: "10.88.0.0/16".to_owned(),
                is_default: false,
                tags: Tags::new(),
            },
            route_table: RouteTable {
                route_table_id: "rtb-1".to_owned(),
                main: true,
                subnet_ids: Vec::new(),
                routes: BTreeMap::new(),
            },
        };
        let other = instance(lab, "i-2", "running", Some("arn:other"));
        let with = instance(lab, "i-1", "running", Some("arn:router"));
        let without = instance(lab, "i-1", "running", None);
        let table = [
            (vec![other.clone(), with], Some("arn:router")),
            (vec![other.clone(), without], Some("none")),
            (vec![other], None),
        ];
        for (instances, expected) in table {
            assert_eq!(cloud(instances).router_profile(lab).as_deref(), expected);
        }
    });
}

#[test]
fn each_instance_of_the_manifest_runs_and_is_the_labs() {
    type Change = fn(&mut Instance);
    let table: [(&str, Change, A, &[&str], &str); 6] = [
        ("in order", |_| {}, A::Passed, &[], ""),
        ("stopped", |it| it.state = InstanceState::Stopped, A::Failed, &[], "i-1 is stopped"),
        ("gone", |it| it.instance_id = "i-2".to_owned(), A::Failed, &[], "i-1 is not there"),
        (
            "without the tag",
            |it| it.tags.clear(),
            A::Failed,
            &["not-the-labs", "outside-manifest"],
            "i-1 is not the lab's (VPC or tag)",
        ),
        (
            "in another VPC",
            |it| it.vpc_id = Some("vpc-other".to_owned()),
            A::Failed,
            &["not-the-labs", "outside-manifest"],
            "i-1 is not the lab's (VPC or tag)",
        ),
        (
            "stopped, and in no VPC",
            |it| {
                it.state = InstanceState::Stopped;
                it.vpc_id = None;
            },
            A::Failed,
            &["not-the-labs", "outside-manifest"],
            "i-1 is stopped; i-1 is not the lab's (VPC or tag)",
        ),
    ];
    for (what, change, status, stops, message) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            alone(lab, "i-1");
            let mut one = instance(lab, "i-1", "running", None);
            change(&mut one);
            instances(lab, ctx, answer(vec![one]));
        });
        assert_eq!((judged.status(INSTANCES), &tripped(&judged)[..]), (status, stops), "{what}");
        assert_eq!(judged.message(INSTANCES), message, "{what}");
    }
}

#[test]
fn the_vpc_is_the_labs_own_and_not_the_default_one() {
    type Change = fn(&mut Vpc);
    let table: [(&str, Change, A, &[&str]); 4] = [
        ("in order", |_| {}, A::Passed, &[]),
        ("the default one", |it| it.is_default = true, A::Failed, &["default-vpc"]),
        ("without the tag", |it| it.tags.clear(), A::Failed, &["outside-manifest"]),
        ("another's", |it| it.owner_id = "210987654321".into(), A::Failed, &["outside-manifest"]),
    ];
    for (what, change, status, stops) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            let mut one = Vpc {
                vpc_id: lab.manifest.aws.vpc_id.clone(),
                owner_id: lab.manifest.aws.account_id.clone(),
                cidr_block: "10.88.0.0/16".to_owned(),
                is_default: false,
                tags: instance(lab, "i-1", "running", None).tags,
            };
            change(&mut one);
            vpc(lab, ctx, answer(Some(one)));
        });
        assert_eq!((judged.status(VPC), &tripped(&judged)[..]), (status, stops), "{what}");
    }
}

/// The lab's own ENI having it is another stop than a stranger's.
#[test]
fn nobody_has_the_address() {
    let table: [(&[&str], A, &[&str]); 4] = [
        (&[], A::Passed, &[]),
        (&["eni-1"], A::Failed, &["pre-assigned"]),
        (&["eni-2"], A::Failed, &["foreign-holder"]),
        (&["eni-1", "eni-2"], A::Failed, &["foreign-holder", "pre-assigned"]),
    ];
    for (holders, status, stops) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            Rc::make_mut(&mut lab.manifest).capture.network_interface_id = "eni-1".to_owned();
            let address = lab.manifest.capture.address.addr();
            let holder = |id: &&str| NetworkInterface {
                network_interface_id: (*id).to_owned(),
                secondary_addresses: vec![address],
                ..crate::example::example_baseline().interface
            };
            address_free(lab, ctx, None, answer(holders.iter().map(holder).collect()));
        });
        assert_eq!((judged.status(ADDRESS_FREE), &tripped(&judged)[..]), (status, stops));
    }
}

/// On-prem nodes on EC2 may be in a VPC of their own; what routerd's role can touch may not.
#[test]
fn an_instance_is_in_the_vpc_of_its_node() {
    let (own, other) = ("vpc-1", "vpc-2");
    let table = [
        (Node::RouterdCloud, own, true),
        (Node::RouterdCloud, other, false),
        (Node::CloudClient, other, false),
        (Node::OnpremRouter, other, true),
        (Node::OnpremRouter, own, false),
    ];
    for (node, vpc, holds) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            alone(lab, "i-other");
            let manifest = Rc::make_mut(&mut lab.manifest);
            manifest.aws.vpc_id = own.to_owned();
            manifest.onprem.vpc_id = Some(other.to_owned());
            for entry in manifest.nodes.values_mut() {
                entry.instance_id = None;
            }
            manifest.nodes.get_mut(&node).expect("a node").instance_id = Some("i-1".to_owned());
            let mut found = instance(lab, "i-1", "running", None);
            found.vpc_id = Some(vpc.to_owned());
            instances(lab, ctx, answer(vec![found]));
        });
        let expected = if holds { A::Passed } else { A::Failed };
        assert_eq!(judged.status(INSTANCES), expected, "{node} {vpc}");
        assert_eq!(tripped(&judged).is_empty(), holds, "{node} {vpc}");
    }
}

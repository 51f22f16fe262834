//! Tests of what costs money, and what the watchdog makes of it.

use std::rc::Rc;

use lab::ec2::{Answer, BlockDevice, Tags};
use lab::manifest::Ceiling;
use lab_mock::cloud::LAB_TAG;
use reports::digest::Digest;
use reports::record::{AssertionStatus as A, Kind};
use reports::redact::Form;

use super::*;
use crate::example::{
    Judged, example_answer, example_instance, example_silence, judge_as_scenario, read_by,
};

fn address(id: &str) -> Address {
    Address {
        allocation_id: id.to_owned(),
        public_ip: "192.0.2.1".parse().expect("an address"),
        network_interface_id: None,
        association_id: None,
        tags: Tags::from([LAB_TAG].map(|(key, value)| (key.to_owned(), value.to_owned()))),
    }
}

/// An address of no lab, unless it hangs on one's interface.
fn untagged_address(id: &str, network_interface_id: Option<&str>) -> Address {
    let network_interface_id = network_interface_id.map(str::to_owned);
    Address { network_interface_id, tags: Tags::new(), ..address(id) }
}

fn volume(id: &str, state: &str, attached_to: &[&str]) -> Volume {
    let attached_to = attached_to.iter().map(|it| (*it).to_owned()).collect();
    let (volume_id, state) = (id.to_owned(), state.to_owned());
    Volume { volume_id, state, attached_to, created_at: None, tags: Tags::new() }
}

fn gateway(state: &str) -> NatGateway {
    let (nat_gateway_id, state) = ("nat-1".to_owned(), state.to_owned());
    NatGateway { nat_gateway_id, state, tags: Tags::new() }
}

fn endpoint(kind: &str, state: &str) -> Endpoint {
    let (kind, state) = (kind.to_owned(), state.to_owned());
    Endpoint { vpc_endpoint_id: "vpce-1".to_owned(), kind, state, tags: Tags::new() }
}

#[expect(clippy::unnecessary_wraps, reason = "as a read is handed on")]
fn answered<T>(value: Vec<T>) -> Read<T> {
    Ok(Answer {
        value,
        call: "ec2 Describe".to_owned(),
        raw: Vec::new(),
        form: Form::Xml,
        attempts: 1,
    })
}

fn unread<T>() -> Read<T> {
    let call = "ec2 DescribeVolumes".to_owned();
    Err(ReadError::Unreachable { call, why: "no route".to_owned() })
}

fn nothing() -> Costly {
    Costly {
        instances: answered(vec![]),
        addresses: answered(vec![]),
        volumes: answered(vec![]),
        nat_gateways: answered(vec![]),
        endpoints: answered(vec![]),
    }
}

/// The detectors that tripped, each with its reason.
fn tripped(judged: &Judged) -> Vec<(&str, &str)> {
    let trips = judged.records.iter().filter_map(|record| match &record.kind {
        Kind::StopTripped(it) => Some((it.detector.as_str(), it.reason.as_str())),
        _ => None,
    });
    trips.collect()
}

#[test]
fn what_of_each_kind_costs_money_by_its_state() {
    let volumes = [("available", &[][..]), ("deleting", &[]), ("in-use", &["i-1"])];
    let unattached = volumes.map(|(state, to)| is_unattached(&volume("vol-1", state, to)));
    assert_eq!(unattached, [true, false, false]);
    let states = ["pending", "available", "deleting", "deleted", "failed"];
    let there: Vec<_> = states.into_iter().filter(|it| is_there(&gateway(it))).collect();
    assert_eq!(there, ["pending", "available"]);
    let states = ["pending", "available", "deleting", "deleted", "failed", "rejected"];
    let charged = |kind: &str| -> Vec<_> {
        states.into_iter().filter(|it| is_charged(&endpoint(kind, it))).collect()
    };
    assert_eq!(charged("Interface"), ["pending", "available"]);
    assert!(charged("Gateway").is_empty());
}

#[test]
fn what_costs_money_is_found_by_id_and_what_was_not_answered_is_named() {
    let costly = Costly {
        instances: answered(vec![
            example_instance("i-1", "running"),
            example_instance("i-2", "stopped"),
            example_instance("i-3", "stopping"),
        ]),
        addresses: answered(vec![address("eipalloc-1"), untagged_address("eipalloc-2", None)]),
        volumes: unread(),
        nat_gateways: answered(vec![gateway("available")]),
        endpoints: answered(vec![endpoint("Interface", "available")]),
    };
    let judged = judge_as_scenario("preflight", async |lab, ctx| {
        let (found, errors) = costly.found(&LabAddresses::known(lab, ctx.journal));
        let found: Vec<_> = found.iter().map(|(id, kind)| (id.as_str(), *kind)).collect();
        let expected = [
            ("eipalloc-1", "elastic IP address"),
            ("i-1", "instance"),
            ("i-3", "instance"),
            ("nat-1", "NAT gateway"),
            ("vpce-1", "VPC endpoint"),
        ];
        assert_eq!(found, expected);
        assert_eq!(errors.len(), 1);
        let how = costly.seen(ctx).how;
        assert!(how.contains("DescribeVolumes got no answer"), "{how}");
    });
    assert!(!judged.records.is_empty());
}

#[test]
fn before_the_run_all_that_costs_money_is_somebodys() {
    const COSTLY: &str = "preflight.cost-bearing";
    let with = |id: &str| Costly { addresses: answered(vec![address(id)]), ..nothing() };
    let nobodys = "elastic IP address eipalloc-9: neither the manifest's teardown ends it nor its teardown.keep names it";
    let table = [
        ("nothing", nothing(), A::Passed, ""),
        (
            "the lab's instance",
            Costly { instances: answered(vec![example_instance("i-1", "running")]), ..nothing() },
            A::Passed,
            "",
        ),
        ("released by teardown", with("eipalloc-1"), A::Passed, ""),
        ("kept", with("eipalloc-2"), A::Passed, ""),
        ("nobody's", with("eipalloc-9"), A::Failed, nobodys),
        ("no answer", Costly { volumes: unread(), ..nothing() }, A::Unknown, "no route"),
    ];
    for (what, costly, status, why) in table {
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            let manifest = Rc::make_mut(&mut lab.manifest);
            manifest.teardown.release_addresses = vec!["eipalloc-1".to_owned()];
            manifest.teardown.keep = vec!["eipalloc-2".to_owned()];
            let router = manifest.nodes.get_mut(&Node::RouterdCloud).expect("a node");
            router.instance_id = Some("i-1".to_owned());
            judge_before(lab, ctx, COSTLY, &costly);
            let (found, _) = costly.found(&LabAddresses::known(lab, ctx.journal));
            let kept = (status != A::Unknown).then(|| found.into_keys().collect());
            assert_eq!(ctx.run.state.borrow().costly, kept, "{what}");
        });
        assert_eq!(judged.status(COSTLY), status, "{what}");
        assert!(status == A::Passed || judged.message(COSTLY).contains(why), "{what}");
        let stops: Vec<_> = tripped(&judged).into_iter().map(|(name, _)| name).collect();
        let expected = (status == A::Failed).then_some("would-be-left");
        assert_eq!(stops, expected.into_iter().collect::<Vec<_>>(), "{what}");
    }
}

/// A resource that hangs on an instance without a tag is the lab's all the same, and a volume that
/// stays when its instance is terminated is left by then.
#[test]
fn what_hangs_on_an_instance_and_would_outlive_it_is_nobodys() {
    const COSTLY: &str = "preflight.cost-bearing";
    let with_volume = |goes: bool| {
        let mut one = example_instance("i-1", "running");
        let (volume_id, device_name) = ("vol-1".to_owned(), "/dev/xvda".to_owned());
        one.block_devices =
            vec![BlockDevice { volume_id, device_name, delete_on_termination: goes }];
        Costly { instances: answered(vec![one]), ..nothing() }
    };
    let hangs = |eni: &str| {
        let address = untagged_address("eipalloc-1", Some(eni));
        Costly { addresses: answered(vec![address]), ..nothing() }
    };
    let goes = "modify-instance-attribute --instance-id i-1 --block-device-mappings \
                'DeviceName=/dev/xvda,Ebs={DeleteOnTermination=true}'";
    let release = "release-address --allocation-id eipalloc-1";
    let table = [
        ("it goes with it", Instances::Terminate, with_volume(true), None),
        ("it outlives it", Instances::Terminate, with_volume(false), Some(goes)),
        ("nothing is terminated", Instances::Stop, with_volume(false), None),
        ("it hangs on the lab's", Instances::Keep, hangs("eni-seen"), Some(release)),
        ("it hangs on another's", Instances::Keep, hangs("eni-other"), None),
    ];
    for (what, teardown, costly, command) in table {
        judge_as_scenario("preflight", async |lab, ctx| {
            let manifest = Rc::make_mut(&mut lab.manifest);
            manifest.teardown.instances = teardown;
            let router = manifest.nodes.get_mut(&Node::RouterdCloud).expect("a node");
            router.instance_id = Some("i-1".to_owned());
            let mut seen = example_instance("i-1", "running");
            seen.network_interface_ids = vec!["eni-seen".to_owned()];
            crate::sight::record(lab, ctx, &[seen], &[], &[]);
            judge_before(lab, ctx, COSTLY, &costly);
            let nobodys = ctx.run.state.borrow().nobodys.clone();
            let commands: Vec<_> = nobodys.iter().flat_map(|item| &item.owner_commands).collect();
            assert_eq!(commands.len(), usize::from(command.is_some()), "{what}: {commands:?}");
            let shows = |it: &&String| command.is_some_and(|command| it.contains(command));
            assert!(commands.iter().all(shows), "{what}: {commands:?}");
        });
    }
}

#[test]
fn during_the_run_only_what_is_new_trips() {
    let ran = |ids: &[&str]| {
        let running = ids.iter().map(|id| example_instance(id, "running")).collect();
        Costly { instances: answered(running), ..nothing() }
    };
    assert_eq!(resource(&[&"i-2".to_owned(), &"i-3".to_owned()]), "i-2, i-3");
    let new = "new since preflight, and it costs money: instance i-2, instance i-3";
    let table = [
        ("the same", ran(&["i-1"]), vec![]),
        ("less", nothing(), vec![]),
        ("no answer", Costly { instances: unread(), ..nothing() }, vec![]),
        ("more", ran(&["i-1", "i-2", "i-3"]), vec![("new-cost", new)]),
    ];
    for (what, costly, expected) in table {
        let judged = judge_as_scenario("execute", async |lab, ctx| {
            ctx.run.state.borrow_mut().costly = Some(["i-1".to_owned()].into());
            new_cost(lab, ctx, &costly);
        });
        assert_eq!(tripped(&judged), expected, "{what}");
    }
}

#[test]
fn the_ceiling_itself_is_not_above_it() {
    judge_as_scenario("residue", async |lab, _| {
        let table = [(Ceiling::Seconds(10), 10, false), (Ceiling::Seconds(10), 11, true)];
        for (ceiling, seconds, over) in table {
            Rc::make_mut(&mut lab.manifest).limits.max_instance_seconds = ceiling;
            assert_eq!(over_the_ceiling(lab, seconds).is_some(), over, "{seconds}");
        }
    });
    let judged = judge_as_scenario("execute", async |lab, ctx| {
        Rc::make_mut(&mut lab.manifest).limits.max_instance_seconds = Ceiling::Seconds(0);
        lab.clock.sleep(std::time::Duration::from_secs(5)).await;
        judge_ceiling(lab, ctx);
    });
    let [(_, reason)] = tripped(&judged)[..] else { panic!("it trips once") };
    assert!(reason.starts_with("10 instance-seconds"), "of two instances, five each: {reason}");
}

#[test]
fn a_router_yaml_that_was_not_read_proves_nothing_and_another_one_trips() {
    let table = [
        ("the same", example_answer(0, "policy", ""), 0),
        ("another", example_answer(0, "wider", ""), 1),
        ("it could not be read", example_answer(1, "", "denied"), 0),
        ("no answer", example_silence(), 0),
    ];
    for (what, told, expected) in table {
        let judged = judge_as_scenario("execute", async |lab, ctx| {
            ctx.run.state.borrow_mut().router_yaml = Some(Digest::of("policy"));
            let router_yaml = read_by(&Observe::router_yaml(&lab.manifest.routerd), told);
            let look = Look { costly: nothing(), router_yaml };
            judge_look(lab, ctx, &look);
        });
        let trips = tripped(&judged);
        assert_eq!(trips.len(), expected, "{what}");
        assert!(trips.iter().all(|(name, _)| *name == "policy-changed"), "{what}: {trips:?}");
        let Some(Kind::ScenarioFinished(end)) = judged.records.last().map(|it| &it.kind) else {
            panic!("{what}: its end is the last record");
        };
        assert_eq!((end.calls.ec2, end.calls.node), (5, 1 + u32::try_from(expected).expect("few")));
    }
}

/// Two looks in a row that see nothing are a stop; one that sees begins the count again.
#[test]
fn only_blind_looks_in_a_row_trip() {
    for (sees_between, expected) in [(true, 0), (false, 1)] {
        let judged = judge_as_scenario("plan", async |_, ctx| {
            blind(ctx, &stops::NEW_COST, "no answer", "what costs money");
            if sees_between {
                sees(ctx, &stops::NEW_COST);
            }
            blind(ctx, &stops::NEW_COST, "no answer", "what costs money");
        });
        assert_eq!(tripped(&judged).len(), expected, "{sees_between}");
    }
}

#[test]
fn what_either_read_found_is_there_once_and_both_were_asked() {
    let read = |ids: &[&str], attempts: u32| {
        let value: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
        let (call, raw) = (String::new(), vec![attempts.to_string().into_bytes()]);
        Ok(Answer { value, call, raw, form: Form::Text, attempts })
    };
    let joined = join_reads(read(&["a", "b"], 2), read(&["b", "c"], 3), |id| id).expect("both");
    assert_eq!(joined.value, ["a", "b", "c"]);
    assert_eq!((joined.attempts, joined.raw.len()), (5, 2));
}

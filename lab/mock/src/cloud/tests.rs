//! The model by itself: what the example lab has, and what time does to it.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn the_example_lab_follows_from_its_seed_and_is_saved_whole() {
    let cloud = Cloud::example(7, start(), true);
    assert_eq!(cloud, Cloud::example(7, start(), true));
    assert_ne!(cloud.network_interfaces, Cloud::example(8, start(), true).network_interfaces);
    let text = serde_json::to_string(&cloud).unwrap();
    assert_eq!(serde_json::from_str::<Cloud>(&text).unwrap(), cloud);
}

#[test]
fn ids_look_like_aws_ids() {
    let cloud = Cloud::example(7, start(), true);
    let eni = cloud.owner_of(Ipv4Addr::new(10, 88, 60, 4)).unwrap();
    let digits = eni.id.strip_prefix("eni-").unwrap();
    assert_eq!(digits.len(), 17);
    assert!(digits.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()));
    assert_eq!(eni.instance_id, cloud.instance_of(Node::RouterdCloud).map(|i| i.id.clone()));
}

#[test]
fn source_dest_check_is_as_asked_on_the_router_and_on_elsewhere() {
    for on in [true, false] {
        let cloud = Cloud::example(7, start(), on);
        let check =
            |host| cloud.owner_of(Ipv4Addr::new(10, 88, 60, host)).unwrap().source_dest_check;
        assert_eq!((check(4), check(7)), (on, true));
    }
}

#[test]
fn every_lab_resource_carries_the_tag_and_the_default_vpc_does_not() {
    let cloud = Cloud::example(7, start(), true);
    let tagged = |tags: &Tags| tags.get(LAB_TAG.0).map(String::as_str) == Some(LAB_TAG.1);
    assert!(cloud.network_interfaces.values().all(|eni| tagged(&eni.tags)));
    assert!(cloud.instances.values().all(|instance| tagged(&instance.tags)));
    assert!(cloud.volumes.values().all(|volume| tagged(&volume.tags)));
    assert!(cloud.addresses.values().all(|address| tagged(&address.tags)));
    assert!(cloud.subnets.values().all(|subnet| tagged(&subnet.tags)));
    assert!(cloud.vpcs.values().all(|vpc| tagged(&vpc.tags) != vpc.is_default));
    assert_eq!(cloud.volumes.values().filter(|v| v.status() == "available").count(), 1);
}

#[test]
fn states_end_in_their_time_whether_or_not_anyone_looks() {
    let mut cloud = Cloud::example(7, start(), true);
    let id = cloud.instance_of(Node::CloudClient).unwrap().id.clone();
    cloud.instances.get_mut(&id).unwrap().enter(InstanceState::Stopping, start());
    let at = |seconds| start() + TimeDelta::seconds(seconds);
    assert!(!cloud.instance_running(&id, at(0)), "a stopping instance is not running");
    assert_eq!(cloud.instances[&id].state_at(at(19)), InstanceState::Stopping);
    assert_eq!(cloud.instances[&id].state_at(at(20)), InstanceState::Stopped);
    cloud.instances.get_mut(&id).unwrap().enter(InstanceState::Pending, at(30));
    assert!(!cloud.instance_running(&id, at(37)));
    assert!(cloud.instance_running(&id, at(38)));
}

#[test]
fn what_is_to_go_with_the_instance_goes_and_the_rest_stays() {
    let mut cloud = Cloud::example(7, start(), true);
    let id = cloud.instance_of(Node::RouterdCloud).unwrap().id.clone();
    cloud.instances.get_mut(&id).unwrap().enter(InstanceState::ShuttingDown, start());
    cloud.advance(start() + TimeDelta::seconds(14));
    assert_eq!(cloud.network_interfaces.len(), 2, "nothing goes before the instance does");
    cloud.advance(start() + TimeDelta::seconds(15));
    assert_eq!(cloud.instances[&id].state, InstanceState::Terminated);
    assert_eq!(cloud.owner_of(Ipv4Addr::new(10, 88, 60, 4)), None);
    assert_eq!(cloud.volumes.len(), 2, "the root volume is gone, the data volume is not");
    assert!(cloud.addresses.values().all(|address| address.association.is_none()));
    cloud.advance(start() + TimeDelta::hours(2));
    assert!(!cloud.instances.contains_key(&id), "it is forgotten after an hour");
}

#[test]
fn a_permission_has_icmps_type_and_code_where_others_have_ports() {
    let packet = |protocol, destination_port, icmp| Crossing {
        protocol,
        peer: [10, 88, 60, 7].into(),
        destination_port,
        icmp,
    };
    let (echo, reply) = (packet(1, None, Some((8, 0))), packet(1, None, Some((0, 0))));
    let (ssh, dns) = (packet(6, Some(22), None), packet(17, Some(53), None));
    let table = [
        ("-1", None, [true, true, true, true]),
        ("icmp", None, [true, true, false, false]),
        ("icmp", Some((-1, -1)), [true, true, false, false]),
        ("1", Some((8, -1)), [true, false, false, false]),
        ("icmp", Some((8, 0)), [true, false, false, false]),
        ("icmp", Some((8, 1)), [false, false, false, false]),
        ("icmpv6", Some((-1, -1)), [false, false, false, false]),
        ("tcp", Some((22, 22)), [false, false, true, false]),
        ("6", Some((-1, -1)), [false, false, true, false]),
        ("tcp", Some((23, 65_535)), [false, false, false, false]),
        ("udp", Some((0, 65_535)), [false, false, false, true]),
    ];
    for (protocol, ports, expected) in table {
        let permission = Permission {
            protocol: protocol.to_owned(),
            ports,
            ranges: vec!["10.88.60.0/24".parse().unwrap()],
            ..Permission::everything()
        };
        let permits = [echo, reply, ssh, dns].map(|packet| permission.permits(&packet, &[]));
        assert_eq!(permits, expected, "{protocol} {ports:?}");
    }
}

/// To or from whom.
#[test]
fn a_permission_is_for_its_ranges_and_for_the_members_of_its_groups() {
    let packet = Crossing {
        protocol: 6,
        peer: [10, 88, 60, 7].into(),
        destination_port: Some(22),
        icmp: None,
    };
    let permission = |range: &str| Permission {
        ranges: vec![range.parse().unwrap()],
        groups: vec!["sg-members".to_owned()],
        ..Permission::everything()
    };
    let groups = |name: &str| [name.to_owned()];
    assert!(permission("10.88.60.0/24").permits(&packet, &[]));
    assert!(!permission("192.0.2.0/24").permits(&packet, &groups("sg-others")));
    assert!(permission("192.0.2.0/24").permits(&packet, &groups("sg-members")));
}

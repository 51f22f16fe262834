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

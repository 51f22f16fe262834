//! Changes besides the addresses: attributes, states that take time, what costs, routes, rehearsals.

use aws_sdk_ec2::client::Waiters as _;
use aws_sdk_ec2::types::{AttributeBooleanValue, InstanceStateName};

use super::{ExampleLab, ServiceRefusal, refusal};
use crate::cloud::{Instance, InstanceState};

async fn set_check(lab: &ExampleLab, on: bool) -> bool {
    let value = AttributeBooleanValue::builder().value(on).build();
    lab.ec2
        .modify_network_interface_attribute()
        .network_interface_id(&lab.eni)
        .source_dest_check(value)
        .send()
        .await
        .unwrap();
    lab.cloud().interface(&lab.eni).unwrap().source_dest_check
}

fn state(lab: &ExampleLab) -> InstanceState {
    let now = lab.clock.now();
    lab.cloud().instances.get(&lab.instance).map(|i: &Instance| i.state_at(now)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_check_goes_off_and_on_and_again() {
    let lab = ExampleLab::new();
    for on in [false, false, true, true] {
        assert_eq!(set_check(&lab, on).await, on);
    }
    let none = lab.ec2.modify_network_interface_attribute().network_interface_id(&lab.eni);
    assert_eq!(refusal(none.clone().send().await).code, "InvalidParameterCombination");
    let two = none
        .source_dest_check(AttributeBooleanValue::builder().value(true).build())
        .groups("sg-0123456789abcdef0");
    assert_eq!(refusal(two.send().await).code, "InvalidParameterCombination");
}

#[tokio::test(start_paused = true)]
async fn an_instance_stops_and_starts_in_its_time() {
    let lab = ExampleLab::new();
    let stop = || lab.ec2.stop_instances().instance_ids(&lab.instance);
    let start = || lab.ec2.start_instances().instance_ids(&lab.instance);
    let answer = stop().send().await.unwrap();
    let change = &answer.stopping_instances()[0];
    let name = |state: Option<&aws_sdk_ec2::types::InstanceState>| state.unwrap().name().cloned();
    assert_eq!(name(change.previous_state()), Some(InstanceStateName::Running));
    assert_eq!(name(change.current_state()), Some(InstanceStateName::Stopping));
    assert_eq!(
        refusal(start().send().await),
        ServiceRefusal::new(
            400,
            "IncorrectInstanceState",
            &format!(
                "The instance '{}' is not in a state from which it can be started.",
                lab.instance
            )
        )
    );
    let wait = std::time::Duration::from_mins(10);
    lab.ec2.wait_until_instance_stopped().instance_ids(&lab.instance).wait(wait).await.unwrap();
    assert!(lab.elapsed_ms() >= 20_000, "stopping takes time: {} ms", lab.elapsed_ms());
    let again = stop().send().await.unwrap();
    let again = again.stopping_instances()[0].previous_state();
    assert_eq!(name(again), Some(InstanceStateName::Stopped), "stopping twice is no error");
    let eni = lab.cloud().interface(&lab.eni).cloned();
    assert!(eni.is_some_and(|eni| eni.instance_id.is_some()), "its interface stays");
    start().send().await.unwrap();
    assert_eq!(state(&lab), InstanceState::Pending);
    let pending = refusal(stop().send().await);
    assert_eq!(pending.code, "IncorrectInstanceState");
    lab.ec2.wait_until_instance_running().instance_ids(&lab.instance).wait(wait).await.unwrap();
    assert_eq!(state(&lab), InstanceState::Running);
}

#[tokio::test(start_paused = true)]
async fn teardown_needs_its_order() {
    let lab = ExampleLab::new();
    let cloud = lab.cloud();
    let address = cloud.addresses.values().next().unwrap();
    let root = cloud.volumes.values().find(|volume| volume.status() == "in-use").unwrap();
    let orphan = cloud.volumes.values().find(|volume| volume.status() == "available").unwrap();
    let release = || lab.ec2.release_address().allocation_id(&address.allocation_id);
    let refused = refusal(release().send().await);
    assert_eq!(refused.code, "InvalidIPAddress.InUse");
    let refused = refusal(lab.ec2.delete_volume().volume_id(&root.id).send().await);
    assert_eq!(refused.code, "VolumeInUse");
    lab.ec2.delete_volume().volume_id(&orphan.id).send().await.unwrap();

    let ids: Vec<String> = cloud.instances.keys().cloned().collect();
    lab.ec2.terminate_instances().set_instance_ids(Some(ids.clone())).send().await.unwrap();
    lab.clock.sleep(std::time::Duration::from_secs(16)).await;
    let shown = lab.ec2.describe_instances().set_instance_ids(Some(ids)).send().await.unwrap();
    let states: Vec<_> = shown
        .reservations()
        .iter()
        .flat_map(aws_sdk_ec2::types::Reservation::instances)
        .map(|i| i.state().unwrap().name().cloned().unwrap())
        .collect();
    assert_eq!(states, vec![InstanceStateName::Terminated; 2]);
    release().send().await.unwrap();
    let cloud = lab.cloud();
    assert!(cloud.network_interfaces.is_empty());
    assert!(cloud.volumes.is_empty());
    assert!(cloud.addresses.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_address_is_disassociated_once() {
    let lab = ExampleLab::new();
    let cloud = lab.cloud();
    let address = cloud.addresses.values().next().unwrap();
    let association = address.association.as_ref().unwrap().id.clone();
    let disassociate = || lab.ec2.disassociate_address().association_id(&association);
    disassociate().send().await.unwrap();
    let refused = refusal(disassociate().send().await);
    assert_eq!(refused.code, "InvalidAssociationID.NotFound");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_changes_nothing_and_asks_for_the_permission() {
    let lab = ExampleLab::new();
    let before = lab.cloud();
    let would = ServiceRefusal::new(
        412,
        "DryRunOperation",
        "Request would have succeeded, but DryRun flag is set.",
    );
    let orphan = before.volumes.values().find(|volume| volume.status() == "available").unwrap();
    let eni = lab.ec2.modify_network_interface_attribute().network_interface_id(&lab.eni);
    let off = AttributeBooleanValue::builder().value(false).build();
    let rehearsed = [
        refusal(
            lab.ec2.terminate_instances().instance_ids(&lab.instance).dry_run(true).send().await,
        ),
        refusal(lab.ec2.stop_instances().instance_ids(&lab.instance).dry_run(true).send().await),
        refusal(lab.ec2.delete_volume().volume_id(&orphan.id).dry_run(true).send().await),
        refusal(lab.ec2.describe_vpcs().dry_run(true).send().await),
        refusal(eni.source_dest_check(off).dry_run(true).send().await),
    ];
    assert!(rehearsed.iter().all(|refused| *refused == would), "{rehearsed:?}");
    let allocation = before.addresses.keys().next().unwrap();
    let release = |id: &str| lab.ec2.release_address().allocation_id(id).dry_run(true).send();
    // That it is associated passes; that there is none does not.
    assert_eq!(refusal(release(allocation).await), would);
    let gone = refusal(release("eipalloc-0123456789abcdef0").await);
    assert_eq!(gone.code, "InvalidAllocationID.NotFound");
    assert_eq!(lab.cloud(), before);
}

#[tokio::test(start_paused = true)]
async fn routes_lead_to_interfaces_and_never_inside_the_vpc() {
    let lab = ExampleLab::new();
    let cloud = lab.cloud();
    let vpc = &cloud.interface(&lab.eni).unwrap().vpc_id;
    let table = &cloud.route_tables.values().find(|table| table.vpc_id == *vpc).unwrap().id;
    let create = |destination: &str, eni: &str| {
        lab.ec2
            .create_route()
            .route_table_id(table)
            .destination_cidr_block(destination)
            .network_interface_id(eni)
            .send()
    };
    let inside = refusal(create("10.88.60.9/32", &lab.eni).await);
    assert_eq!(inside.code, "InvalidParameterValue");
    let outside = "192.0.2.9/32";
    create(outside, &lab.eni).await.unwrap();
    create(outside, &lab.eni).await.unwrap();
    assert_eq!(refusal(create(outside, &lab.other_eni).await).code, "RouteAlreadyExists");
    let replace = |destination: &str| {
        lab.ec2
            .replace_route()
            .route_table_id(table)
            .destination_cidr_block(destination)
            .network_interface_id(&lab.other_eni)
            .send()
    };
    replace(outside).await.unwrap();
    assert_eq!(refusal(replace("192.0.2.10/32").await).code, "InvalidRoute.NotFound");
    let found = lab.ec2.describe_route_tables().route_table_ids(table).send().await.unwrap();
    let route = found.route_tables()[0]
        .routes()
        .iter()
        .find(|route| route.destination_cidr_block() == Some(outside))
        .unwrap();
    assert_eq!(route.network_interface_id(), Some(lab.other_eni.as_str()));
    let delete =
        || lab.ec2.delete_route().route_table_id(table).destination_cidr_block(outside).send();
    delete().await.unwrap();
    assert_eq!(refusal(delete().await).code, "InvalidRoute.NotFound");
}

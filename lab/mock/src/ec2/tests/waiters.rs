//! The SDK's waiters over what a throwaway lab is made of: each ends where AWS's does, when the state
//! that it waits for has come, and gives up where it never will.

use std::time::Duration;

use aws_sdk_ec2::client::Waiters;
use aws_sdk_ec2::types::{InstanceType, VolumeType};

use super::ExampleLab;

/// The longest that AWS's own waiters wait: 40 times 15 s.
const LONGEST: Duration = Duration::from_mins(10);

/// Waits with the named waiter for the ids.
macro_rules! wait {
    ($lab:ident, $waiter:ident, $ids:ident, $id:expr) => {
        $lab.ec2.$waiter().$ids($id).wait(LONGEST).await
    };
}

async fn launch(lab: &ExampleLab) -> String {
    let cloud = lab.cloud();
    let template = &cloud.instances[&lab.instance];
    let subnet = &cloud.interface(&lab.eni).unwrap().subnet_id;
    let answer = lab
        .ec2
        .run_instances()
        .image_id(&template.image_id)
        .instance_type(InstanceType::T3Small)
        .subnet_id(subnet)
        .min_count(1)
        .max_count(1)
        .send()
        .await
        .unwrap();
    answer.instances()[0].instance_id().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_waited_for_through_its_whole_life() {
    let lab = ExampleLab::new();
    let id = launch(&lab).await;
    wait!(lab, wait_until_instance_exists, instance_ids, &id).unwrap();
    assert!(lab.elapsed_ms() < 8_000, "it exists before it runs");
    wait!(lab, wait_until_instance_running, instance_ids, &id).unwrap();
    let running_at = lab.elapsed_ms();
    assert!(running_at >= 8_000, "it takes its time to run: {running_at} ms");
    wait!(lab, wait_until_instance_status_ok, instance_ids, &id).unwrap();
    wait!(lab, wait_until_system_status_ok, instance_ids, &id).unwrap();
    lab.ec2.stop_instances().instance_ids(&id).send().await.unwrap();
    wait!(lab, wait_until_instance_stopped, instance_ids, &id).unwrap();
    lab.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    wait!(lab, wait_until_instance_terminated, instance_ids, &id).unwrap();
    let never = wait!(lab, wait_until_instance_running, instance_ids, &id);
    assert!(never.is_err(), "what has terminated never runs again");
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_waited_for_from_its_making_to_its_end() {
    let lab = ExampleLab::new();
    let zone = "ap-northeast-1a";
    let made = lab
        .ec2
        .create_volume()
        .availability_zone(zone)
        .size(1)
        .volume_type(VolumeType::Gp3)
        .send()
        .await
        .unwrap();
    let id = made.volume_id().unwrap();
    wait!(lab, wait_until_volume_available, volume_ids, id).unwrap();
    let attach = lab.ec2.attach_volume().volume_id(id).instance_id(&lab.instance);
    attach.device("/dev/sdg").send().await.unwrap();
    wait!(lab, wait_until_volume_in_use, volume_ids, id).unwrap();
    lab.ec2.detach_volume().volume_id(id).send().await.unwrap();
    wait!(lab, wait_until_volume_available, volume_ids, id).unwrap();
    lab.ec2.delete_volume().volume_id(id).send().await.unwrap();
    wait!(lab, wait_until_volume_deleted, volume_ids, id).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_has_no_instance_is_there_as_soon_as_it_is_made() {
    let lab = ExampleLab::new();
    let cloud = lab.cloud();
    let lab_eni = cloud.interface(&lab.eni).unwrap();
    wait!(lab, wait_until_vpc_available, vpc_ids, &lab_eni.vpc_id).unwrap();
    wait!(lab, wait_until_subnet_available, subnet_ids, &lab_eni.subnet_id).unwrap();
    let image = &cloud.instances[&lab.instance].image_id;
    wait!(lab, wait_until_image_available, image_ids, image).unwrap();
    let group = lab_eni.groups.first().unwrap();
    wait!(lab, wait_until_security_group_exists, group_ids, group).unwrap();
    let made = lab.ec2.create_network_interface().subnet_id(&lab_eni.subnet_id).send().await;
    let made = made.unwrap();
    let id = made.network_interface().unwrap().network_interface_id().unwrap();
    wait!(lab, wait_until_network_interface_available, network_interface_ids, id).unwrap();
    let gone = "eni-00000000000000001";
    let never = wait!(lab, wait_until_network_interface_available, network_interface_ids, gone);
    assert!(never.is_err(), "an interface that is not there never comes");
}

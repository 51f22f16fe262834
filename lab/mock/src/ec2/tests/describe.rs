//! Tests of what the describes show, and of how filters and pages choose.

use aws_sdk_ec2::types::{Filter, InstanceStateName, NetworkInterfaceStatus, VolumeState};

use super::{ExampleLab, refusal};
use crate::cloud::LAB_TAG;

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn lab_tag() -> Filter {
    filter(&format!("tag:{}", LAB_TAG.0), &[LAB_TAG.1])
}

#[tokio::test(start_paused = true)]
async fn the_interface_shows_what_the_runbook_asks_for() {
    let lab = ExampleLab::new();
    let answer = lab.ec2.describe_network_interfaces().network_interface_ids(&lab.eni).send();
    let answer = answer.await.unwrap();
    let [eni] = answer.network_interfaces() else { panic!("one interface: {answer:?}") };
    assert_eq!(eni.network_interface_id(), Some(lab.eni.as_str()));
    assert_eq!(eni.source_dest_check(), Some(true));
    assert_eq!(eni.status(), Some(&NetworkInterfaceStatus::InUse));
    assert_eq!(eni.owner_id(), Some("123456789012"));
    let [address] = eni.private_ip_addresses() else { panic!("one address: {eni:?}") };
    assert_eq!(address.private_ip_address(), Some("10.88.60.4"));
    assert_eq!(address.primary(), Some(true));
    assert_eq!(address.association().unwrap().public_ip(), Some("203.0.113.10"));
    let attachment = eni.attachment().unwrap();
    assert_eq!(attachment.instance_id(), Some(lab.instance.as_str()));
    assert_eq!(attachment.delete_on_termination(), Some(true));
    assert!(eni.tag_set().iter().any(|t| t.key() == Some(LAB_TAG.0)));
    assert_eq!(eni.groups()[0].group_name(), Some("smoke-lab"));
}

#[tokio::test(start_paused = true)]
async fn the_instance_is_found_by_its_interface() {
    let lab = ExampleLab::new();
    let by_eni = filter("network-interface.network-interface-id", &[&lab.eni]);
    let answer = lab.ec2.describe_instances().filters(by_eni).send().await.unwrap();
    let [reservation] = answer.reservations() else { panic!("one reservation: {answer:?}") };
    let [instance] = reservation.instances() else { panic!("one instance: {reservation:?}") };
    assert_eq!(instance.instance_id(), Some(lab.instance.as_str()));
    assert_eq!(instance.state().unwrap().name(), Some(&InstanceStateName::Running));
    assert_eq!(instance.private_ip_address(), Some("10.88.60.4"));
    assert_eq!(instance.public_ip_address(), Some("203.0.113.10"));
    assert_eq!(instance.source_dest_check(), Some(true));
    assert!(
        instance.iam_instance_profile().unwrap().arn().unwrap().ends_with("lab-smoke-executor")
    );
    let eni = &instance.network_interfaces()[0];
    assert_eq!(eni.network_interface_id(), Some(lab.eni.as_str()));
    let root = instance.block_device_mappings()[0].ebs().unwrap();
    assert_eq!(root.delete_on_termination(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn an_implicit_subnet_has_the_main_table_and_no_association_says_so() {
    let lab = ExampleLab::new();
    let eni = lab.cloud().interface(&lab.eni).unwrap().clone();
    let tables = async |filters: Vec<Filter>| {
        let call = lab.ec2.describe_route_tables().set_filters(Some(filters));
        call.send().await.unwrap().route_tables().to_vec()
    };
    assert!(tables(vec![filter("association.subnet-id", &[&eni.subnet_id])]).await.is_empty());
    let main =
        tables(vec![filter("vpc-id", &[&eni.vpc_id]), filter("association.main", &["true"])]).await;
    let [table] = main.as_slice() else { panic!("one main table: {main:?}") };
    let default = table.routes().iter().find(|r| r.destination_cidr_block() == Some("0.0.0.0/0"));
    assert!(default.unwrap().gateway_id().unwrap().starts_with("igw-"));
    let local = table.routes().iter().find(|r| r.destination_cidr_block() == Some("10.88.0.0/16"));
    assert_eq!(local.unwrap().gateway_id(), Some("local"));
}

#[tokio::test(start_paused = true)]
async fn everything_of_the_lab_is_found_by_its_tag() {
    let lab = ExampleLab::new();
    let ec2 = &lab.ec2;
    let subnets = ec2.describe_subnets().filters(lab_tag()).send().await.unwrap();
    assert_eq!(subnets.subnets()[0].cidr_block(), Some("10.88.60.0/24"));
    assert_eq!(subnets.subnets()[0].available_ip_address_count(), Some(249));
    let vpcs = ec2.describe_vpcs().filters(lab_tag()).send().await.unwrap();
    assert_eq!(vpcs.vpcs().len(), 1);
    assert_eq!(vpcs.vpcs()[0].is_default(), Some(false));
    let all = ec2.describe_vpcs().send().await.unwrap();
    assert_eq!(all.vpcs().len(), 2, "the default VPC is there and not the lab's");
    let addresses = ec2.describe_addresses().filters(lab_tag()).send().await.unwrap();
    assert_eq!(addresses.addresses()[0].network_interface_id(), Some(lab.eni.as_str()));
    assert_eq!(addresses.addresses()[0].instance_id(), Some(lab.instance.as_str()));
    let volumes = ec2.describe_volumes().filters(lab_tag()).send().await.unwrap();
    assert_eq!(volumes.volumes().len(), 3);
    let free = volumes.volumes().iter().filter(|v| v.state() == Some(&VolumeState::Available));
    assert_eq!(free.count(), 1);
    let groups = ec2.describe_security_groups().filters(lab_tag()).send().await.unwrap();
    let [group] = groups.security_groups() else { panic!("one group: {groups:?}") };
    assert_eq!(group.ip_permissions()[0].from_port(), Some(22));
    assert_eq!(group.ip_permissions_egress()[0].ip_protocol(), Some("-1"));
    assert_eq!(group.ip_permissions_egress()[0].from_port(), None);
    let tags = ec2.describe_tags().filters(lab_tag()).send().await.unwrap();
    assert_eq!(tags.tags().len(), 14, "{tags:?}");
    let types = ec2.describe_instance_types().filters(filter("instance-type", &["t3.small"]));
    let types = types.send().await.unwrap();
    let network = types.instance_types()[0].network_info().unwrap();
    assert_eq!(network.ipv4_addresses_per_interface(), Some(4));
}

#[tokio::test(start_paused = true)]
async fn values_are_alternatives_filters_are_conditions_and_wildcards_are_wild() {
    let lab = ExampleLab::new();
    let table = [
        (vec![filter("addresses.private-ip-address", &["10.88.60.4"])], 1),
        (vec![filter("addresses.private-ip-address", &["10.88.60.4", "10.88.60.7"])], 2),
        (vec![filter("private-ip-address", &["10.88.60.?"])], 2),
        (vec![filter("private-ip-address", &["10.88.*"]), filter("status", &["in-use"])], 2),
        (vec![filter("private-ip-address", &["10.88.*"]), filter("status", &["available"])], 0),
        (vec![filter("description", &["routerd-*"])], 1),
        (vec![filter("description", &["Routerd-*"])], 0),
        (vec![filter("tag:Name", &["cloud-client"])], 1),
        (vec![filter("tag-key", &["lab-smoke"])], 2),
        (vec![filter("tag-key", &["lab-smok"])], 0),
        (vec![filter("attachment.instance-id", &[&lab.instance])], 1),
    ];
    for (filters, expected) in table {
        let call = lab.ec2.describe_network_interfaces().set_filters(Some(filters.clone()));
        let found = call.send().await.unwrap().network_interfaces().len();
        assert_eq!(found, expected, "{filters:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_not_known_is_refused_by_every_describe() {
    let lab = ExampleLab::new();
    let ec2 = &lab.ec2;
    let wrong = || filter("no-such-filter", &["x"]);
    let refused = [
        refusal(ec2.describe_addresses().filters(wrong()).send().await),
        refusal(ec2.describe_instance_types().filters(wrong()).send().await),
        refusal(ec2.describe_instances().filters(wrong()).send().await),
        refusal(ec2.describe_network_interfaces().filters(wrong()).send().await),
        refusal(ec2.describe_route_tables().filters(wrong()).send().await),
        refusal(ec2.describe_security_groups().filters(wrong()).send().await),
        refusal(ec2.describe_subnets().filters(wrong()).send().await),
        refusal(ec2.describe_tags().filters(wrong()).send().await),
        refusal(ec2.describe_volumes().filters(wrong()).send().await),
        refusal(ec2.describe_vpcs().filters(wrong()).send().await),
    ];
    for refused in refused {
        assert_eq!(refused.code, "InvalidParameterValue");
        assert_eq!(refused.message, "The filter 'no-such-filter' is invalid");
    }
    let empty = Filter::builder().name("vpc-id").build();
    let refused = refusal(ec2.describe_vpcs().filters(empty).send().await);
    assert_eq!(refused.code, "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn pages_are_bounded_and_together_are_everything() {
    let lab = ExampleLab::new();
    let tags = || lab.ec2.describe_tags();
    let all = tags().send().await.unwrap().tags().to_vec();
    let mut paged = Vec::new();
    let mut pages = tags().into_paginator().page_size(5).send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.tags().len() <= 5);
        paged.extend(page.tags().to_vec());
    }
    assert_eq!(paged, all);
    assert!(all.len() > 15, "more than three pages");
    for (size, expecting) in [(4, "greater than 5"), (1001, "less than 1000")] {
        let refused = refusal(tags().max_results(size).send().await);
        assert_eq!(refused.code, "InvalidParameterValue");
        assert!(refused.message.ends_with(&format!("Expecting a value {expecting}.")));
    }
    let with_ids = lab.ec2.describe_network_interfaces().network_interface_ids(&lab.eni);
    let refused = refusal(with_ids.max_results(5).send().await);
    assert_eq!(refused.code, "InvalidParameterCombination");
    assert_eq!(refusal(tags().next_token("x").send().await).code, "InvalidNextToken");
}

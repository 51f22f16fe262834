//! Secondary private addresses: the table of what AWS does.

use std::net::Ipv4Addr;

use super::{ExampleLab, ServiceRefusal, refusal};
use crate::cloud::{AddressAssociation, Cloud, ElasticIp, Tags};

async fn assign(
    lab: &ExampleLab,
    eni: &str,
    address: &str,
    may_move: bool,
) -> Result<(), ServiceRefusal> {
    let call = lab
        .ec2
        .assign_private_ip_addresses()
        .network_interface_id(eni)
        .private_ip_addresses(address)
        .allow_reassignment(may_move);
    match call.send().await {
        Ok(answer) => {
            let assigned = answer.assigned_private_ip_addresses();
            assert_eq!(assigned[0].private_ip_address(), Some(address));
            Ok(())
        }
        error => Err(refusal(error)),
    }
}

async fn unassign(lab: &ExampleLab, address: &str) -> Result<(), ServiceRefusal> {
    let call = lab
        .ec2
        .unassign_private_ip_addresses()
        .network_interface_id(&lab.eni)
        .private_ip_addresses(address);
    call.send().await.map(drop).map_err(|error| refusal::<(), _>(Err(error)))
}

fn addresses(cloud: &Cloud, eni: &str) -> Vec<String> {
    cloud.interface(eni).unwrap().addresses().map(|address| address.to_string()).collect()
}

fn invalid(message: &str) -> ServiceRefusal {
    ServiceRefusal::new(400, "InvalidParameterValue", message)
}

#[tokio::test(start_paused = true)]
async fn an_address_comes_and_goes() {
    let lab = ExampleLab::new();
    let before = lab.cloud().network_interfaces;
    assign(&lab, &lab.eni, "10.88.60.9", false).await.unwrap();
    assert_eq!(addresses(&lab.cloud(), &lab.eni), ["10.88.60.4", "10.88.60.9"]);
    assign(&lab, &lab.eni, "10.88.60.9", false).await.unwrap();
    assert_eq!(addresses(&lab.cloud(), &lab.eni).len(), 2, "a repeat adds nothing");
    unassign(&lab, "10.88.60.9").await.unwrap();
    assert_eq!(lab.cloud().network_interfaces, before);
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_is_refused_in_its_words_and_changes_nothing() {
    let lab = ExampleLab::new();
    assign(&lab, &lab.other_eni, "10.88.60.20", false).await.unwrap();
    let before = lab.cloud().network_interfaces;
    let range = invalid("Address does not fall within the subnet's address range");
    let reserved = invalid("Address is in subnet's reserved address range");
    let held = |address: &str| invalid(&format!("[{address}] assigned, but move is not allowed."));
    let table = [
        ("10.88.61.9", false, range),
        ("10.88.60.0", false, invalid("Address is in subnet's reserved address range")),
        ("10.88.60.3", true, invalid("Address is in subnet's reserved address range")),
        ("10.88.60.255", false, reserved),
        ("10.88.60.20", false, held("10.88.60.20")),
        ("10.88.60.7", false, held("10.88.60.7")),
        ("10.88.60.7", true, invalid("secondary-addresses")),
    ];
    for (address, may_move, expected) in table {
        let refused = assign(&lab, &lab.eni, address, may_move).await;
        assert_eq!(refused, Err(expected), "{address}, may move: {may_move}");
    }
    assert_eq!(lab.cloud().network_interfaces, before);
}

#[tokio::test(start_paused = true)]
async fn the_instance_type_limits_the_addresses() {
    let lab = ExampleLab::new();
    for host in 10..13 {
        assign(&lab, &lab.eni, &format!("10.88.60.{host}"), false).await.unwrap();
    }
    assert_eq!(
        assign(&lab, &lab.eni, "10.88.60.13", false).await,
        Err(ServiceRefusal::new(
            400,
            "PrivateIpAddressLimitExceeded",
            "Number of private addresses will exceed limit."
        )),
        "a t3.small has four"
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_moves_with_its_elastic_ip_where_that_is_allowed() {
    let lab = ExampleLab::new();
    assign(&lab, &lab.other_eni, "10.88.60.9", false).await.unwrap();
    lab.shared.lock().cloud.addresses.insert(
        "eipalloc-0aaaaaaaaaaaaaaaa".to_owned(),
        ElasticIp {
            allocation_id: "eipalloc-0aaaaaaaaaaaaaaaa".to_owned(),
            public_ip: Ipv4Addr::new(203, 0, 113, 99),
            association: Some(AddressAssociation {
                id: "eipassoc-0aaaaaaaaaaaaaaaa".to_owned(),
                network_interface_id: lab.other_eni.clone(),
                private_address: Ipv4Addr::new(10, 88, 60, 9),
            }),
            tags: Tags::new(),
        },
    );
    assign(&lab, &lab.eni, "10.88.60.9", true).await.unwrap();
    let cloud = lab.cloud();
    assert_eq!(addresses(&cloud, &lab.other_eni), ["10.88.60.7"]);
    let address = cloud.address_on(&lab.eni, Ipv4Addr::new(10, 88, 60, 9)).unwrap();
    assert_eq!(address.public_ip, Ipv4Addr::new(203, 0, 113, 99));
    unassign(&lab, "10.88.60.9").await.unwrap();
    let allocated = &lab.cloud().addresses["eipalloc-0aaaaaaaaaaaaaaaa"];
    assert_eq!(allocated.association, None, "it stays allocated, and costs");
}

#[tokio::test(start_paused = true)]
async fn unassign_knows_the_primary_and_the_absent() {
    let lab = ExampleLab::new();
    let eni = &lab.eni;
    let table = [
        (
            "10.88.60.9",
            format!("Some of the specified addresses are not assigned to interface {eni}"),
        ),
        (
            "10.88.60.4",
            format!("The primary private IP address of interface {eni} cannot be unassigned"),
        ),
    ];
    for (address, message) in table {
        assert_eq!(unassign(&lab, address).await, Err(invalid(&message)), "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_takes_the_lowest_free_addresses() {
    let lab = ExampleLab::new();
    let assign = || lab.ec2.assign_private_ip_addresses().network_interface_id(&lab.eni);
    let answer = assign().secondary_private_ip_address_count(2).send().await.unwrap();
    let assigned: Vec<_> = answer
        .assigned_private_ip_addresses()
        .iter()
        .filter_map(|assigned| assigned.private_ip_address())
        .collect();
    assert_eq!(assigned, ["10.88.60.5", "10.88.60.6"]);
    let both = assign()
        .secondary_private_ip_address_count(1)
        .private_ip_addresses("10.88.60.9")
        .send()
        .await;
    assert_eq!(refusal(both).code, "InvalidParameterCombination");
    assert_eq!(refusal(assign().send().await).code, "MissingParameter");
}

//! Tests of what in a VPC is the lab's.

use super::*;

fn eni(lab: &Lab, id: &str, instance: Option<&str>) -> NetworkInterface {
    NetworkInterface {
        network_interface_id: id.to_owned(),
        owner_id: lab.manifest.aws.account_id.clone(),
        vpc_id: lab.manifest.aws.vpc_id.clone(),
        subnet_id: lab.manifest.aws.subnet_id.clone(),
        mac_address: "02:00:00:00:00:04".to_owned(),
        source_dest_check: true,
        primary_address: std::net::Ipv4Addr::new(10, 88, 60, 4),
        secondary_addresses: Vec::new(),
        security_groups: vec![format!("sg-of-{id}")],
        instance_id: instance.map(str::to_owned),
        tags: lab::ec2::Tags::new(),
    }
}

fn tags(lab: &Lab, are_the_labs: bool) -> lab::ec2::Tags {
    let own = (lab.manifest.lab.tag_key.clone(), lab.manifest.lab.tag_value.clone());
    if are_the_labs { [own].into() } else { [(own.0, "another-lab".to_owned())].into() }
}

fn group(lab: &Lab, id: &str, is_the_labs: bool) -> SecurityGroup {
    let (ingress, egress) = Default::default();
    SecurityGroup {
        group_id: id.to_owned(),
        ingress,
        egress,
        inbound: Vec::new(),
        tags: tags(lab, is_the_labs),
    }
}

fn acl(lab: &Lab, id: &str, subnet: &str, is_the_labs: bool) -> NetworkAcl {
    NetworkAcl {
        network_acl_id: id.to_owned(),
        subnet_ids: [subnet.to_owned()].into(),
        entries: std::collections::BTreeSet::new(),
        tags: tags(lab, is_the_labs),
    }
}

fn table(id: &str, main: bool, subnet: &str) -> RouteTable {
    let subnet_ids = vec![subnet.to_owned()];
    RouteTable { route_table_id: id.to_owned(), main, subnet_ids, routes: BTreeMap::new() }
}

fn ids(state: &CloudState, kind: &str) -> Vec<String> {
    state.0.get(kind).into_iter().flat_map(|all| all.keys().cloned()).collect()
}

/// Of a VPC that is the lab's own all is the lab's but interfaces that hang on others.
#[test]
fn the_labs_are_its_interfaces_and_all_that_guards_its_own_vpc() {
    judge_as_scenario("restored", async |lab, _| {
        assert!(lab.manifest.aws.dedicated_vpc);
        let manifest = std::rc::Rc::make_mut(&mut lab.manifest);
        let onprem = Some("i-0000000000000009a".to_owned());
        let router = manifest.nodes.get_mut(&lab::node::Node::OnpremRouter).expect("a node");
        router.instance_id.clone_from(&onprem);
        let captured = lab.manifest.capture.network_interface_id.as_str();
        let mut nodes = lab.manifest.nodes.values().filter(|it| it.instance_id != onprem);
        let node = nodes.find_map(|it| it.instance_id.clone());
        let subnet = lab.manifest.aws.subnet_id.as_str();
        let around = Around {
            interfaces: vec![
                eni(lab, captured, None),
                eni(lab, "eni-node", node.as_deref()),
                eni(lab, "eni-other", Some("i-0000000000000dead")),
                eni(lab, "eni-free", None),
                eni(lab, "eni-of-onprem", onprem.as_deref()),
            ],
            groups_elsewhere: vec![
                group(lab, "sg-of-eni-of-onprem", false),
                group(lab, "sg-elsewhere", false),
            ],
            groups: vec![group(lab, "sg-other", false), group(lab, "sg-tagged", true)],
            tables: vec![
                table("rtb-main", true, "subnet-other"),
                table("rtb-subnet", false, subnet),
            ],
            acls: vec![
                acl(lab, "acl-other", "subnet-other", false),
                acl(lab, "acl-subnet", subnet, false),
            ],
        };
        let state = around.of_the_lab(lab);
        let mut enis = [captured.to_owned(), "eni-node".to_owned(), "eni-of-onprem".to_owned()];
        enis.sort();
        assert_eq!(ids(&state, "network interface"), enis);
        assert_eq!(ids(&state, "security group"), ["sg-of-eni-of-onprem", "sg-other", "sg-tagged"]);
        assert_eq!(ids(&state, "network ACL"), ["acl-other", "acl-subnet"]);
        assert_eq!(ids(&state, "route table"), ["rtb-main", "rtb-subnet"]);
        // The captured ENI's address and check are the change set's.
        let shown = |id: &str| &state.0["network interface"][id];
        assert!(shown(captured)["source_dest_check"].is_null());
        assert_eq!(shown("eni-node")["source_dest_check"], true);
        assert_eq!(shown("eni-node")["secondary_addresses"], json!([]));
    });
}

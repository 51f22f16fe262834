//! Network ACLs, made by the AWS CLI, in the kernel: at a subnet's border, for each packet by
//! itself, in the order of their numbers, and never inside a subnet.

use std::net::Ipv4Addr;

use lab::node::Node;
use lab_mock::cloud::{NetworkInterface, Permission, PrivateAddress};
use lab_netns::Netns;
use libtest_mimic::Trial;
use serde_json::Value;

use super::aws_cli::{aws, cli_trial};
use super::support::{on_a_lab, run};

pub fn trials() -> Vec<Trial> {
    vec![cli_trial("network_acls_made_by_the_cli_are_the_kernels", network_acls)]
}

const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 88, 61, 7);

fn network_acls() {
    on_a_lab(async |opened| {
        let aws = Operator::of(opened).await;
        let vpc = &opened.lab.manifest.aws.vpc_id;
        let subnet = aws
            .id(
                &format!("create-subnet --vpc-id {vpc} --cidr-block 10.88.61.0/24"),
                "/Subnet/SubnetId",
            )
            .await;
        let acl =
            aws.id(&format!("create-network-acl --vpc-id {vpc}"), "/NetworkAcl/NetworkAclId").await;
        move_client(opened, &subnet, ELSEWHERE).await;
        // Long where there should be an answer, for the machine may be busy.
        let wait = |passes| if passes { 10 } else { 1 };
        let sees = async |ping: bool, ssh: bool, why: &str| {
            let seen = (pings(opened, wait(ping)).await, logs_in(opened, wait(ssh)).await);
            assert_eq!(seen, (ping, ssh), "{why}");
        };
        sees(true, true, "the default ACL lets everything pass").await;

        aws.guard(&subnet, &acl).await;
        let before = dropped(opened).await;
        sees(false, false, "a new one lets nothing pass").await;
        assert!(dropped(opened).await > before);

        let entry = async |words: &str| {
            let line = format!(
                "create-network-acl-entry --network-acl-id {acl} --cidr-block 0.0.0.0/0 {words}"
            );
            aws.ec2(&line).await;
        };
        entry("--egress --rule-number 100 --protocol -1 --rule-action allow").await;
        sees(false, false, "answers need an entry of their own").await;
        entry("--ingress --rule-number 200 --protocol icmp --icmp-type-code Type=0,Code=-1 --rule-action allow").await;
        sees(true, false, "ICMP arrives alone").await;
        entry("--ingress --rule-number 300 --protocol tcp --port-range From=1024,To=65535 --rule-action allow").await;
        sees(true, true, "answers to high ports arrive too").await;
        entry("--ingress --rule-number 100 --protocol 1 --icmp-type-code Type=-1,Code=-1 --rule-action deny").await;
        sees(false, true, "the lowest number decides").await;
        aws.ec2(&format!(
            "delete-network-acl-entry --network-acl-id {acl} --ingress --rule-number 100"
        ))
        .await;
        sees(true, true, "the entry that denied is gone").await;

        // The ACL goes round the router's subnet, and the client goes inside.
        let old = &opened.lab.manifest.aws.subnet_id;
        aws.ec2(&format!(
            "delete-network-acl-entry --network-acl-id {acl} --egress --rule-number 100"
        ))
        .await;
        aws.guard(old, &acl).await;
        sees(false, false, "across the border").await;
        move_client(opened, old, INSIDE).await;
        sees(true, true, "inside nobody asks").await;
    });
}

/// The CLI with the operator's keys.
struct Operator<'a> {
    opened: &'a Netns,
    key: String,
    secret: String,
}

impl<'a> Operator<'a> {
    async fn of(opened: &'a Netns) -> Self {
        let operator = lab_netns::read_world(&opened.folder).await.unwrap().cloud.operator;
        Self { opened, key: operator.access_key_id, secret: operator.secret_access_key }
    }

    async fn ec2(&self, line: &str) -> Value {
        let keys = [("AWS_ACCESS_KEY_ID", &*self.key), ("AWS_SECRET_ACCESS_KEY", &*self.secret)];
        let (ok, text) = aws(self.opened, &keys, &format!("ec2 {line} --output json")).await;
        assert!(ok, "{line}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn id(&self, line: &str, pointer: &str) -> String {
        let answer = self.ec2(line).await;
        answer
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// Gives a subnet another ACL.
    async fn guard(&self, subnet: &str, acl: &str) {
        let filter = format!("Name=association.subnet-id,Values={subnet}");
        let found = self.ec2(&format!("describe-network-acls --filters {filter}")).await;
        let associations = found["NetworkAcls"][0]["Associations"].as_array().unwrap();
        let own = associations.iter().find(|one| one["SubnetId"] == subnet).unwrap();
        let id = own["NetworkAclAssociationId"].as_str().unwrap();
        let words = format!("--association-id {id} --network-acl-id {acl}");
        self.ec2(&format!("replace-network-acl-association {words}")).await;
    }
}

/// The client's interface comes to lie in another subnet, as if its instance had been launched
/// there; and every security group is open.
async fn move_client(opened: &Netns, subnet: &str, address: Ipv4Addr) {
    let mut world = lab_netns::read_world(&opened.folder).await.unwrap();
    let is_the_clients = |eni: &&mut NetworkInterface| eni.owns(INSIDE) || eni.owns(ELSEWHERE);
    let eni = world.cloud.network_interfaces.values_mut().find(is_the_clients).unwrap();
    subnet.clone_into(&mut eni.subnet_id);
    eni.private_addresses = vec![PrivateAddress { address, primary: true }];
    for group in world.cloud.security_groups.values_mut() {
        group.ingress = vec![Permission {
            protocol: "-1".into(),
            ports: None,
            ranges: vec!["0.0.0.0/0".parse().unwrap()],
            groups: vec![],
            descriptions: std::collections::BTreeMap::new(),
        }];
    }
    lab_netns::write_world(&opened.folder, &world).await.unwrap();
    let [a, b, c, _] = address.octets();
    let line = format!(
        "ip addr flush dev ens5 && ip addr add {address}/24 dev ens5 && ip route replace default via {a}.{b}.{c}.1"
    );
    let output = run(opened, Node::CloudClient, &line).await;
    assert_eq!(output.code, 0, "{output:?}");
}

async fn pings(opened: &Netns, wait: u8) -> bool {
    run(opened, Node::CloudClient, &format!("ping -n -c 1 -W {wait} 10.88.60.4")).await.code == 0
}

async fn logs_in(opened: &Netns, wait: u8) -> bool {
    let line = format!(
        "ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout={wait} -o StrictHostKeyChecking=yes \
         -o UserKnownHostsFile=/etc/lab-smoke/known_hosts lab@10.88.60.4 true"
    );
    run(opened, Node::CloudClient, &line).await.code == 0
}

async fn dropped(opened: &Netns) -> u64 {
    lab_netns::ask_counters(&opened.folder).await.unwrap()["drop_acl"]
}

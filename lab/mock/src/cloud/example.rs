//! The example lab: what a throw-away lab for the smoke looks like before the smoke.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::Ipv4Net;
use serde_json::json;

use super::ids::{make_bytes, make_id, make_mac, unique_id};
use super::{
    AddressAssociation, Attachment, Cloud, ElasticIp, Image, Instance, InstanceProfile,
    InstanceState, InternetGateway, KeyPair, LaunchAddress, NetworkInterface, Operator, Permission,
    PrivateAddress, Role, RouteOrigin, RouteTable, RouteTableAssociation, RouteTarget,
    SecurityGroup, Subnet, Tags, User, Volume, VolumeAttachment, Vpc, VpcRoute,
};

/// Every resource of the example lab has it.
pub const LAB_TAG: (&str, &str) = ("lab-smoke", "smoke-lab");

const ROLE: &str = "lab-smoke-executor";
const ZONE: &str = "ap-northeast-1a";
const ZONE_ID: &str = "apne1-az4";
const LAB_CIDR: Ipv4Net = cidr(10, 88, 0, 16);
const SUBNET_CIDR: Ipv4Net = cidr(10, 88, 60, 24);
/// The addresses of the two routers between them.
const OVERLAY_CIDR: Ipv4Net = cidr(10, 99, 0, 30);
const DEFAULT_CIDR: Ipv4Net = cidr(172, 31, 0, 16);
const ANYWHERE: Ipv4Net = cidr(0, 0, 0, 0);

impl Cloud {
    /// Everything the smoke needs, two days old, and nothing it has done yet.
    pub fn example(seed: u64, now: DateTime<Utc>, sdc_on: bool) -> Self {
        let account_id = "123456789012";
        let mut cloud = Self {
            seed,
            account_id: account_id.to_owned(),
            region: "ap-northeast-1".to_owned(),
            operator: operator(seed, account_id),
            ..Self::default()
        };
        let made_at = now - TimeDelta::days(2);
        let vpc_id = cloud.add_vpc("lab", LAB_CIDR, false);
        cloud.add_vpc("default", DEFAULT_CIDR, true);
        let subnet_id = cloud.add_lab_subnet(&vpc_id);
        let group_id = cloud.add_lab_group(&vpc_id);
        let public = LaunchAddress::Has(Ipv4Addr::new(192, 0, 2, 100));
        for (name, host, source_dest_check, launch_address) in
            [("routerd-cloud", 4, sdc_on, LaunchAddress::Never), ("cloud-client", 7, true, public)]
        {
            let address = Ipv4Addr::new(10, 88, 60, host);
            cloud.add_instance(name, made_at);
            let eni = cloud.add_interface(name, &vpc_id, &subnet_id, &group_id, address, made_at);
            eni.source_dest_check = source_dest_check;
            eni.launch_address = launch_address;
        }
        cloud.add_images(made_at);
        cloud.add_key_pair(made_at);
        cloud.add_orphan_volume(made_at);
        cloud.add_address();
        cloud.add_executor_role(made_at);
        cloud.add_operator_user(made_at);
        cloud
    }

    fn id(&self, prefix: &str, label: &str) -> String {
        make_id(prefix, self.seed, label)
    }

    /// With what AWS makes along with it: a main route table and a default security group.
    fn add_vpc(&mut self, label: &str, cidr: Ipv4Net, is_default: bool) -> String {
        let vpc_id = self.id("vpc", label);
        let tags = |name: &str| if is_default { Tags::new() } else { lab_tags(name) };
        let mut routes = vec![VpcRoute {
            destination: cidr,
            target: RouteTarget::Local,
            origin: RouteOrigin::CreateRouteTable,
        }];
        routes.push(VpcRoute {
            destination: ANYWHERE,
            target: RouteTarget::InternetGateway(self.id("igw", label)),
            origin: RouteOrigin::CreateRoute,
        });
        let main =
            RouteTableAssociation { id: self.id("rtbassoc", label), main: true, subnet_id: None };
        let table = RouteTable {
            id: self.id("rtb", label),
            vpc_id: vpc_id.clone(),
            routes,
            associations: vec![main],
            tags: tags("smoke-lab-main"),
        };
        let group = SecurityGroup {
            id: self.id("sg", &format!("{label}-default")),
            name: "default".to_owned(),
            description: "default VPC security group".to_owned(),
            vpc_id: vpc_id.clone(),
            ingress: vec![],
            egress: vec![everything_to(ANYWHERE)],
            tags: Tags::new(),
        };
        self.route_tables.insert(table.id.clone(), table);
        self.security_groups.insert(group.id.clone(), group);
        let vpc = Vpc {
            id: vpc_id.clone(),
            cidr,
            is_default,
            dns_support: true,
            dns_hostnames: is_default,
            tags: tags("smoke-lab"),
        };
        self.vpcs.insert(vpc_id.clone(), vpc);
        let gateway = InternetGateway {
            id: self.id("igw", label),
            vpc_id: Some(vpc_id.clone()),
            tags: tags("smoke-lab"),
        };
        self.internet_gateways.insert(gateway.id.clone(), gateway);
        self.add_default_acl(&vpc_id);
        vpc_id
    }

    fn add_lab_subnet(&mut self, vpc_id: &str) -> String {
        let id = self.id("subnet", "lab");
        let subnet = Subnet {
            id: id.clone(),
            vpc_id: vpc_id.to_owned(),
            cidr: SUBNET_CIDR,
            availability_zone: ZONE.to_owned(),
            availability_zone_id: ZONE_ID.to_owned(),
            map_public_ip_on_launch: false,
            tags: lab_tags("smoke-lab"),
        };
        self.subnets.insert(id.clone(), subnet);
        self.associate_default_acl(vpc_id, &id);
        id
    }

    fn add_lab_group(&mut self, vpc_id: &str) -> String {
        let id = self.id("sg", "lab");
        let ssh = Permission {
            protocol: "tcp".to_owned(),
            ports: Some((22, 22)),
            ranges: vec![ANYWHERE],
            groups: vec![],
            descriptions: BTreeMap::new(),
        };
        // Whoever is too small a way says so from its own address; the far router from the overlay's.
        let unreachable = icmp_from(ANYWHERE, (3, -1));
        let from_overlay = icmp_from(OVERLAY_CIDR, (-1, -1));
        let group = SecurityGroup {
            id: id.clone(),
            name: "smoke-lab".to_owned(),
            description: "The lab's nodes".to_owned(),
            vpc_id: vpc_id.to_owned(),
            ingress: vec![ssh, everything_to(SUBNET_CIDR), unreachable, from_overlay],
            egress: vec![everything_to(ANYWHERE)],
            tags: lab_tags("smoke-lab"),
        };
        self.security_groups.insert(id.clone(), group);
        id
    }

    fn add_instance(&mut self, name: &str, at: DateTime<Utc>) {
        let instance = Instance {
            id: self.id("i", name),
            reservation_id: self.id("r", name),
            image_id: self.id("ami", "debian"),
            instance_type: "t3.small".to_owned(),
            availability_zone: ZONE.to_owned(),
            key_name: Some("smoke-lab".to_owned()),
            launched_at: at,
            state: InstanceState::Running,
            changed_at: at,
            transition: None,
            state_reason: None,
            instance_profile: (name == "routerd-cloud").then(|| ROLE.to_owned()),
            root_device_name: "/dev/xvda".to_owned(),
            client_token: String::new(),
            launch_index: 0,
            disable_api_termination: false,
            disable_api_stop: false,
            one_time_spot: false,
            instance_store_root: false,
            slow_ms: 0,
            shutdown_behavior: super::ShutdownBehavior::default(),
            user_data: None,
            tags: lab_tags(name),
        };
        let root = VolumeAttachment {
            instance_id: instance.id.clone(),
            device: instance.root_device_name.clone(),
            delete_on_termination: true,
            attached_at: at,
        };
        self.add_volume(name, vec![root], at);
        self.instances.insert(instance.id.clone(), instance);
    }

    fn add_interface(
        &mut self,
        name: &str,
        vpc_id: &str,
        subnet_id: &str,
        group_id: &str,
        address: Ipv4Addr,
        at: DateTime<Utc>,
    ) -> &mut NetworkInterface {
        let eni = NetworkInterface {
            id: self.id("eni", name),
            mac: make_mac(self.seed, name),
            description: name.to_owned(),
            vpc_id: vpc_id.to_owned(),
            subnet_id: subnet_id.to_owned(),
            source_dest_check: true,
            private_addresses: vec![PrivateAddress { address, primary: true }],
            groups: vec![group_id.to_owned()],
            instance_id: Some(self.id("i", name)),
            attachment: Some(Attachment {
                id: self.id("eni-attach", name),
                device_index: 0,
                delete_on_termination: true,
                attached_at: at,
            }),
            launch_address: LaunchAddress::Never,
            tags: lab_tags(name),
        };
        self.network_interfaces.entry(eni.id.clone()).or_insert(eni)
    }

    /// One image for each architecture.
    fn add_images(&mut self, at: DateTime<Utc>) {
        for (label, architecture) in [("debian", "x86_64"), ("debian-arm64", "arm64")] {
            let image = Image {
                id: self.id("ami", label),
                name: format!("debian-12-{architecture}"),
                description: "Debian 12".to_owned(),
                architecture: architecture.to_owned(),
                root_device_name: "/dev/xvda".to_owned(),
                size_gib: 8,
                snapshot_id: self.id("snap", label),
                owner_id: self.account_id.clone(),
                created_at: at,
                tags: Tags::new(),
            };
            self.images.insert(image.id.clone(), image);
        }
    }

    /// Its private half follows from the seed and opens nothing.
    fn add_key_pair(&mut self, at: DateTime<Utc>) {
        let id = self.id("key", "smoke-lab");
        let pair = KeyPair::from_seed(
            id,
            "smoke-lab",
            &make_bytes(self.seed, "smoke-lab"),
            at,
            lab_tags("smoke-lab"),
        );
        self.key_pairs.insert(pair.id.clone(), pair);
    }

    fn add_orphan_volume(&mut self, at: DateTime<Utc>) {
        self.add_volume("smoke-lab-data", vec![], at);
    }

    fn add_volume(&mut self, name: &str, attachments: Vec<VolumeAttachment>, at: DateTime<Utc>) {
        let volume = Volume {
            id: self.id("vol", name),
            size_gib: 8,
            volume_type: "gp3".to_owned(),
            availability_zone: ZONE.to_owned(),
            created_at: at,
            attachments,
            tags: lab_tags(name),
        };
        self.volumes.insert(volume.id.clone(), volume);
    }

    fn add_address(&mut self) {
        let address = ElasticIp {
            allocation_id: self.id("eipalloc", "routerd-cloud"),
            public_ip: Ipv4Addr::new(203, 0, 113, 10),
            association: Some(AddressAssociation {
                id: self.id("eipassoc", "routerd-cloud"),
                network_interface_id: self.id("eni", "routerd-cloud"),
                private_address: Ipv4Addr::new(10, 88, 60, 4),
            }),
            tags: lab_tags("routerd-cloud"),
        };
        self.addresses.insert(address.allocation_id.clone(), address);
    }

    fn add_executor_role(&mut self, at: DateTime<Utc>) {
        let arn = |kind: &str| format!("arn:aws:iam::{}:{kind}/{ROLE}", self.account_id);
        let eni_arn = self.arn("network-interface", &self.id("eni", "routerd-cloud"));
        let role = Role {
            id: unique_id("AROA", self.seed, ROLE),
            name: ROLE.to_owned(),
            arn: arn("role"),
            path: "/".to_owned(),
            created_at: at,
            trust_policy: trust_policy(),
            inline_policies: BTreeMap::from([(
                ROLE.to_owned(),
                executor_policy(&self.region, &eni_arn),
            )]),
            attached_policies: vec![],
            boundary: None,
            tags: lab_tags(ROLE),
        };
        let profile = InstanceProfile {
            id: unique_id("AIPA", self.seed, ROLE),
            name: ROLE.to_owned(),
            arn: arn("instance-profile"),
            path: "/".to_owned(),
            created_at: at,
            roles: vec![ROLE.to_owned()],
        };
        self.iam.roles.insert(ROLE.to_owned(), role);
        self.iam.instance_profiles.insert(ROLE.to_owned(), profile);
    }

    /// The operator as IAM shows it: a user that may everything.
    fn add_operator_user(&mut self, at: DateTime<Utc>) {
        let document = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }]
        });
        let name = "lab-operator".to_owned();
        let user = User {
            id: self.operator.user_id.clone(),
            name: name.clone(),
            arn: self.operator.arn.clone(),
            path: "/".to_owned(),
            created_at: at,
            inline_policies: BTreeMap::from([(name.clone(), document.to_string())]),
            attached_policies: vec![],
            // The operator's own key is with the operator.
            access_keys: BTreeMap::new(),
            tags: Tags::new(),
        };
        self.iam.users.insert(name, user);
    }
}

fn operator(seed: u64, account_id: &str) -> Operator {
    Operator {
        arn: format!("arn:aws:iam::{account_id}:user/lab-operator"),
        user_id: unique_id("AIDA", seed, "lab-operator"),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
    }
}

/// The runbook's document (§3), word for word.
fn executor_policy(region: &str, eni_arn: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DescribeEnis",
                "Effect": "Allow",
                "Action": "ec2:DescribeNetworkInterfaces",
                "Resource": "*",
                "Condition": { "StringEquals": { "ec2:Region": region } }
            },
            {
                "Sid": "MutateLabEni",
                "Effect": "Allow",
                "Action": [
                    "ec2:AssignPrivateIpAddresses",
                    "ec2:UnassignPrivateIpAddresses",
                    "ec2:ModifyNetworkInterfaceAttribute"
                ],
                "Resource": eni_arn
            }
        ]
    })
    .to_string()
}

fn trust_policy() -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "ec2.amazonaws.com" },
            "Action": "sts:AssumeRole"
        }]
    })
    .to_string()
}

fn lab_tags(name: &str) -> Tags {
    let (key, value) = LAB_TAG;
    Tags::from([(key.to_owned(), value.to_owned()), ("Name".to_owned(), name.to_owned())])
}

fn everything_to(range: Ipv4Net) -> Permission {
    Permission { ranges: vec![range], ..Permission::everything() }
}

/// The type and the code stand where other protocols have ports.
fn icmp_from(range: Ipv4Net, type_and_code: (i32, i32)) -> Permission {
    Permission { protocol: "icmp".to_owned(), ports: Some(type_and_code), ..everything_to(range) }
}

const fn cidr(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

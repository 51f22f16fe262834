//! The kernel and the mock's model agree on whom security groups and network ACLs let through:
//! ICMP by type and code, TCP by port, in the order of their numbers, at a subnet's border and never
//! inside.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::cloud::{
    AclAssociation, AclEntry, Cloud, NetworkAcl, NetworkInterface, Permission, PrivateAddress,
    Subnet,
};
use lab_mock::machines::FabricCounters;
use lab_mock::packets::{self, Delivery, Fragment, Packet, Payload};
use lab_mock::world::World;
use lab_netns::Netns;
use libtest_mimic::Trial;

use super::support::{on_a_lab, run, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("the_kernel_and_the_model_agree_on_who_may_pass", agree)]
}

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 88, 61, 7);
const ANYWHERE: &str = "0.0.0.0/0";

type Span = Option<(i32, i32)>;

/// Protocol, and ports or type and code, from and to anywhere.
type Permitted = (&'static str, Span);

const EVERYTHING: &[Permitted] = &[("-1", None)];

/// The guard of the client's subnet.
#[derive(Clone, Copy)]
enum Border {
    /// The client is in the router's subnet, whose ACL lets nothing pass.
    Within,
    /// The client is in a subnet of its own: what its ACL lets out and in.
    Across { out: &'static [Entry], into: &'static [Entry] },
}

/// An ACL's entry: number, rule, protocol, ports or type and code, and the other end.
type Entry = (u32, Rule, &'static str, Span, &'static str);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Allow,
    Deny,
}
use Rule::{Allow, Deny};

struct Row {
    name: &'static str,
    ingress: &'static [Permitted],
    egress: &'static [Permitted],
    border: Border,
    /// The traffic that passes, in the order of [`Seen::passes`].
    passes: &'static str,
}

const fn group(name: &'static str, ingress: &'static [Permitted], passes: &'static str) -> Row {
    Row { name, ingress, egress: EVERYTHING, border: Border::Within, passes }
}

const fn leaving(name: &'static str, egress: &'static [Permitted], passes: &'static str) -> Row {
    Row { name, ingress: EVERYTHING, egress, border: Border::Within, passes }
}

const fn acl(
    name: &'static str,
    out: &'static [Entry],
    into: &'static [Entry],
    passes: &'static str,
) -> Row {
    let border = Border::Across { out, into };
    Row { name, ingress: EVERYTHING, egress: EVERYTHING, border, passes }
}

const ALL: Entry = (100, Allow, "-1", None, ANYWHERE);
const BOTH_WAYS: &str = "ping> ping< tcp> tcp<";
const PINGS: &str = "ping> ping<";
const TCP: &str = "tcp> tcp<";

/// `>` is from the client to the router, `<` the other way.
#[rustfmt::skip]
const ROWS: [Row; 33] = [
    group("everything", EVERYTHING, BOTH_WAYS),
    group("nothing", &[], ""),
    group("ICMP", &[("icmp", Some((-1, -1)))], PINGS),
    group("ICMP by its number", &[("1", Some((-1, -1)))], PINGS),
    group("echo requests", &[("icmp", Some((8, -1)))], PINGS),
    group("echo requests of code 0", &[("icmp", Some((8, 0)))], PINGS),
    group("echo requests of code 1", &[("icmp", Some((8, 1)))], ""),
    group("echo replies, which need no permission", &[("icmp", Some((0, -1)))], ""),
    group("fragmentation needed", &[("icmp", Some((3, 4)))], ""),
    group("ICMP for IPv6", &[("icmpv6", Some((-1, -1)))], ""),
    group("ssh", &[("tcp", Some((22, 22)))], TCP),
    group("TCP by its number", &[("6", Some((22, 22)))], TCP),
    group("every port of TCP", &[("tcp", Some((-1, -1)))], TCP),
    group("a range of ports", &[("tcp", Some((0, 21)))], ""),
    group("the port of ssh of UDP", &[("udp", Some((22, 22)))], ""),
    group("ICMP and ssh", &[("icmp", Some((8, 0))), ("tcp", Some((20, 22)))], BOTH_WAYS),
    leaving("nothing leaves", &[], ""),
    leaving("echo requests leave", &[("icmp", Some((8, -1)))], PINGS),
    leaving("echo replies leave", &[("icmp", Some((0, 0)))], ""),
    leaving("ssh leaves", &[("tcp", Some((22, 22)))], TCP),
    acl("the default ACL", &[ALL], &[ALL], BOTH_WAYS),
    acl("a new ACL", &[], &[], ""),
    acl("what leaves", &[ALL], &[], ""),
    acl("what arrives", &[], &[ALL], ""),
    acl("replies arrive", &[ALL], &[(100, Allow, "1", Some((0, -1)), ANYWHERE)], "ping>"),
    acl("replies of code 1 arrive", &[ALL], &[(100, Allow, "1", Some((0, 1)), ANYWHERE)], ""),
    acl("requests arrive", &[ALL], &[(100, Allow, "1", Some((8, 0)), ANYWHERE)], "ping<"),
    acl("ssh arrives", &[ALL], &[(100, Allow, "6", Some((22, 22)), ANYWHERE)], "tcp<"),
    acl("answers to high ports arrive", &[ALL], &[(100, Allow, "6", Some((1024, 65535)), ANYWHERE)], "tcp>"),
    acl("the lower number denies", &[ALL], &[(200, Allow, "-1", None, ANYWHERE), (100, Deny, "1", Some((-1, -1)), ANYWHERE)], TCP),
    acl("the lower number allows", &[ALL], &[(200, Deny, "-1", None, ANYWHERE), (100, Allow, "1", Some((-1, -1)), ANYWHERE)], PINGS),
    acl("from the router alone", &[ALL], &[(100, Allow, "-1", None, "10.88.60.4/32")], BOTH_WAYS),
    acl("from somebody else alone", &[(100, Allow, "-1", None, "10.88.60.4/32")], &[(100, Allow, "-1", None, "10.88.60.5/32")], ""),
];

/// The observations from outside, in words that both sides have.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    passes: String,
    /// Counters of the fabric that moved.
    counted: BTreeSet<&'static str>,
}

impl Seen {
    fn of(
        passed: [(&str, bool); 4],
        counted: impl IntoIterator<Item = (&'static str, bool)>,
    ) -> Self {
        let passes: Vec<_> =
            passed.into_iter().filter(|(_, passed)| *passed).map(|(name, _)| name).collect();
        let counted = counted.into_iter().filter(|(_, moved)| *moved).map(|(name, _)| name);
        Self { passes: passes.join(" "), counted: counted.collect() }
    }
}

fn agree() {
    on_a_lab(async |opened| {
        let start = lab_netns::read_world(&opened.folder).await.unwrap();
        let mut wrong = Vec::new();
        for row in &ROWS {
            let world = prepared(&start, row);
            let kernel = by_kernel(opened, &world, row).await;
            let model = by_model(world);
            if kernel.passes != row.passes || kernel != model {
                let Row { name, passes, .. } = row;
                wrong.push(format!("{name}: {passes:?}\nkernel {kernel:?}\nmodel  {model:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

fn prepared(start: &World, row: &Row) -> World {
    let mut world = start.clone();
    for group in world.cloud.security_groups.values_mut() {
        group.ingress = row.ingress.iter().map(permission).collect();
        group.egress = row.egress.iter().map(permission).collect();
    }
    let subnet = eni(&mut world.cloud, ROUTER).subnet_id.clone();
    match row.border {
        Border::Within => guard(&mut world.cloud, &subnet, Vec::new()),
        Border::Across { out, into } => {
            let elsewhere = another(&mut world.cloud, &subnet);
            let out = out.iter().map(|one| entry(one, Way::Out));
            let into = into.iter().map(|one| entry(one, Way::Into));
            guard(&mut world.cloud, &elsewhere, out.chain(into).collect());
            let client = eni(&mut world.cloud, INSIDE);
            client.subnet_id = elsewhere;
            client.private_addresses = vec![PrivateAddress { address: ELSEWHERE, primary: true }];
            move_model(&mut world);
        }
    }
    world
}

fn permission((protocol, ports): &Permitted) -> Permission {
    Permission {
        protocol: (*protocol).into(),
        ports: *ports,
        ranges: vec![ANYWHERE.parse().unwrap()],
        ..Permission::everything()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    Into,
}

fn entry((number, rule, protocol, span, cidr): &Entry, way: Way) -> AclEntry {
    let is_icmp = *protocol == "1";
    AclEntry {
        number: *number,
        egress: way == Way::Out,
        protocol: (*protocol).into(),
        allow: *rule == Allow,
        cidr: cidr.parse().unwrap(),
        ports: span.filter(|_| !is_icmp),
        icmp: span.filter(|_| is_icmp),
    }
}

pub fn eni(cloud: &mut Cloud, address: Ipv4Addr) -> &mut NetworkInterface {
    cloud.network_interfaces.values_mut().find(|eni| eni.owns(address)).unwrap()
}

/// A further subnet of the VPC.
pub fn another(cloud: &mut Cloud, like: &str) -> String {
    let id = "subnet-00000000000000061".to_owned();
    let cidr = "10.88.61.0/24".parse().unwrap();
    let subnet = Subnet { id: id.clone(), cidr, ..cloud.subnets[like].clone() };
    cloud.subnets.insert(id.clone(), subnet);
    id
}

/// Takes the subnet from the ACL that has it, for one of its own.
pub fn guard(cloud: &mut Cloud, subnet: &str, mut entries: Vec<AclEntry>) {
    for acl in cloud.network_acls.values_mut() {
        acl.associations.retain(|association| association.subnet_id != subnet);
    }
    entries.extend(AclEntry::last_rules());
    let association =
        AclAssociation { id: "aclassoc-00000000000000061".into(), subnet_id: subnet.into() };
    let acl = NetworkAcl {
        id: "acl-00000000000000061".into(),
        vpc_id: cloud.subnets[subnet].vpc_id.clone(),
        is_default: false,
        entries,
        associations: vec![association],
        tags: lab_mock::cloud::Tags::new(),
    };
    cloud.network_acls.insert(acl.id.clone(), acl);
}

/// The model's client as its kernel is moved.
fn move_model(world: &mut World) {
    let machine = &mut world.machines.cloud_client;
    let interface = machine.interfaces.iter_mut().find(|one| one.name == "ens5").unwrap();
    interface.addresses = vec![Ipv4Net::new(ELSEWHERE, 24).unwrap()];
    for route in machine.routes.iter_mut().filter(|route| route.via.is_some()) {
        (route.via, route.source) = (Some(Ipv4Addr::new(10, 88, 61, 1)), Some(ELSEWHERE));
    }
}

fn client(row: &Row) -> Ipv4Addr {
    match row.border {
        Border::Within => INSIDE,
        Border::Across { .. } => ELSEWHERE,
    }
}

async fn by_kernel(opened: &Netns, world: &World, row: &Row) -> Seen {
    lab_netns::write_world(&opened.folder, world).await.unwrap();
    let client = client(row);
    let [a, b, c, _] = client.octets();
    let line = format!(
        "ip addr flush dev ens5 && ip addr add {client}/24 dev ens5 && ip route replace default via {a}.{b}.{c}.1"
    );
    assert_eq!(run(opened, Node::CloudClient, &line).await.code, 0);
    let before = lab_netns::ask_counters(&opened.folder).await.unwrap();
    // Long where there should be an answer, for the machine may be busy.
    let wait = |what: &str| if row.passes.split(' ').any(|one| one == what) { 10 } else { 1 };
    let (ping_there, ping_back, tcp_there, tcp_back) = futures::join!(
        pings(opened, Node::CloudClient, ROUTER, wait("ping>")),
        pings(opened, Node::RouterdCloud, client, wait("ping<")),
        connects(opened, Node::CloudClient, ROUTER, wait("tcp>")),
        connects(opened, Node::RouterdCloud, client, wait("tcp<")),
    );
    let after = lab_netns::ask_counters(&opened.folder).await.unwrap();
    let moved = |name: &str| after[name] > before[name];
    let passed =
        [("ping>", ping_there), ("ping<", ping_back), ("tcp>", tcp_there), ("tcp<", tcp_back)];
    let groups = moved("drop_sg_in") || moved("drop_sg_out");
    Seen::of(passed, [("drop_acl", moved("drop_acl")), ("drop_sg", groups)])
}

async fn pings(opened: &Netns, from: Node, to: Ipv4Addr, wait: u8) -> bool {
    run(opened, from, &format!("ping -n -c 1 -W {wait} {to}")).await.code == 0
}

/// Shows a key where the connection stands.
async fn connects(opened: &Netns, from: Node, to: Ipv4Addr, wait: u8) -> bool {
    !run(opened, from, &format!("ssh-keyscan -T {wait} -t ed25519 {to}")).await.stdout.is_empty()
}

fn by_model(mut world: World) -> Seen {
    let client = world.machines.cloud_client.interfaces[1].addresses[0].addr();
    world.machines.fabric = FabricCounters::default();
    let ping = Payload::Echo { id: 7, sequence: 1 };
    let tcp = Payload::Syn { source_port: 40_000, destination_port: 22 };
    let (out, back) = ((Node::CloudClient, ROUTER), (Node::RouterdCloud, client));
    let mut passes = |(from, to), payload| model_passes(&mut world, from, to, payload);
    let passed = [
        ("ping>", passes(out, ping)),
        ("ping<", passes(back, ping)),
        ("tcp>", passes(out, tcp)),
        ("tcp<", passes(back, tcp)),
    ];
    let counted = world.machines.fabric;
    Seen::of(passed, [("drop_acl", counted.drop_acl > 0), ("drop_sg", counted.drop_sg > 0)])
}

fn model_passes(world: &mut World, from: Node, destination: Ipv4Addr, payload: Payload) -> bool {
    let fragment = Fragment::Allowed;
    let packet = Packet { from, source: None, destination, ttl: 64, bytes: 84, fragment, payload };
    matches!(packets::send(world, Clock::System.now(), packet), Delivery::Answered(_))
}

//! The kernel and the mock's model of packets agree, over the whole table of who passes when.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lab::clock::Clock;
use lab::node::Node;
use lab_mock::cloud::{RouteOrigin, RouteTarget, VpcRoute};
use lab_mock::faults;
use lab_mock::machines::FabricCounters;
use lab_mock::packets::{self, Delivery, Fragment, IcmpError, Packet, Payload};
use lab_mock::world::World;
use lab_netns::Netns;
use libtest_mimic::Trial;

use super::support::{on_a_lab, run, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("the_kernel_and_the_model_agree", the_kernel_and_the_model_agree)]
}

const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
const BEHIND: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

/// A row of the table: what is done to the world, and to the router's own rules.
struct Row {
    name: &'static str,
    assigned: bool,
    checked: bool,
    groups: Groups,
    /// One of the registry, by the model's means and by the kernel's.
    fault: Option<&'static str>,
}

impl Row {
    /// Whether the clients hear of each other.
    fn passes(&self) -> bool {
        self.assigned && self.groups == Groups::Open && self.fault != Some("stateless-rewrite")
    }
}

/// Seconds until an answer is no more expected: long where there should be one, for the machine may
/// be busy.
const WHERE_IT_PASSES: u8 = 10;
const WHERE_IT_DOES_NOT: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Groups {
    Open,
    NoIngress,
    NoEgress,
}

const fn row(name: &'static str, assigned: bool, checked: bool) -> Row {
    Row { name, assigned, checked, groups: Groups::Open, fault: None }
}

const fn translated(fault: &'static str) -> Row {
    Row { fault: Some(fault), ..row(fault, true, false) }
}

/// §3 of the lab's description row by row, the kinds of translation of its §4, and what security
/// groups do.
const ROWS: [Row; 15] = [
    row("baseline", false, true),
    row("check off only", false, false),
    row("assigned only", true, true),
    row("assigned, check off", true, false),
    translated("masquerade"),
    row("masquerade removed", true, false),
    translated("masquerade-legacy"),
    translated("masquerade-icmp"),
    translated("stateless-rewrite"),
    translated("double-snat"),
    translated("double-snat-inwards"),
    row("all of it removed", true, false),
    Row { groups: Groups::NoIngress, ..row("no ingress", true, false) },
    Row { groups: Groups::NoEgress, ..row("no egress", true, false) },
    row("undone", false, true),
];

/// The observations from outside, in words that both sides have.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    ping_there: String,
    ping_back: String,
    ping_behind: String,
    canary: String,
    ssh_there: String,
    ssh_back: String,
    /// Counters of the fabric that moved.
    counted: BTreeSet<&'static str>,
}

fn the_kernel_and_the_model_agree() {
    on_a_lab(async |opened| {
        let start = lab_netns::read_world(&opened.folder).await.unwrap();
        let gateways = gateways(opened).await;
        let mut disagreements = Vec::new();
        for row in &ROWS {
            let world = prepared(&start, row);
            let kernel = by_kernel(opened, &world, row).await;
            let model = by_model(world, row);
            if kernel != model {
                disagreements.push(format!("{}:\nkernel {kernel:#?}\nmodel {model:#?}", row.name));
            }
            let answered = kernel.ping_there.starts_with("ttl=");
            assert_eq!(answered, row.passes(), "{}: {kernel:?}", row.name);
            assert_eq!(self::gateways(opened).await, gateways, "{}", row.name);
        }
        assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    });
}

fn prepared(start: &World, row: &Row) -> World {
    let mut world = start.clone();
    let cloud = &mut world.cloud;
    let eni =
        cloud.network_interfaces.values_mut().find(|eni| eni.owns([10, 88, 60, 4].into())).unwrap();
    eni.source_dest_check = row.checked;
    if row.assigned {
        eni.add_secondary(CAPTURED);
    }
    let (id, vpc_id) = (eni.id.clone(), eni.vpc_id.clone());
    for table in cloud.route_tables.values_mut().filter(|table| table.vpc_id == vpc_id) {
        table.routes.push(VpcRoute {
            destination: "192.168.77.0/24".parse().unwrap(),
            target: RouteTarget::NetworkInterface(id.clone()),
            origin: RouteOrigin::CreateRoute,
        });
    }
    for group in cloud.security_groups.values_mut() {
        match row.groups {
            Groups::Open => {}
            Groups::NoIngress => group.ingress.clear(),
            Groups::NoEgress => group.egress.clear(),
        }
    }
    world
}

async fn by_kernel(opened: &Netns, world: &World, row: &Row) -> Seen {
    lab_netns::write_world(&opened.folder, world).await.unwrap();
    for node in Node::ALL {
        assert_eq!(run(opened, node, CLEAN).await.code, 0);
    }
    if let Some(fault) = row.fault {
        lab_netns::inject_into_lab(&opened.folder, fault).await.unwrap();
    }
    let before = lab_netns::ask_counters(&opened.folder).await.unwrap();
    let wait = if row.passes() { WHERE_IT_PASSES } else { WHERE_IT_DOES_NOT };
    let (ping_there, ping_back, ping_behind, canary, ssh_there, ssh_back) = futures::join!(
        ping(opened, Node::CloudClient, CAPTURED, 64, wait),
        ping(opened, Node::OnpremClient, CLIENT, 64, wait),
        ping(opened, Node::CloudClient, BEHIND, 64, wait),
        ping(opened, Node::CloudClient, CAPTURED, 2, wait),
        login(opened, Node::CloudClient, CAPTURED, wait),
        login(opened, Node::OnpremClient, CLIENT, wait),
    );
    let after = lab_netns::ask_counters(&opened.folder).await.unwrap();
    let moved = |name: &str| after[name] > before[name];
    let plain = ["c_arp_hit", "c_arp_miss", "drop_src_check", "drop_dst_check", "drop_no_owner"];
    let counted = plain
        .into_iter()
        .filter(|name| moved(name))
        .chain((moved("drop_sg_in") || moved("drop_sg_out")).then_some("drop_sg"))
        .collect();
    Seen { ping_there, ping_back, ping_behind, canary, ssh_there, ssh_back, counted }
}

/// No translation of the row before, no connection that was tracked under it, no neighbour.
const CLEAN: &str = "nft delete table ip fault_nat 2>/dev/null; \
    nft delete table ip fault_rewrite 2>/dev/null; iptables-legacy -t nat -F; \
    conntrack -F 2>/dev/null; ip neigh flush all";

/// Both clients' default routes, as they are printed.
async fn gateways(opened: &Netns) -> [Vec<u8>; 2] {
    let show = async |node| run(opened, node, "ip -j -4 route show default").await.stdout;
    [show(Node::CloudClient).await, show(Node::OnpremClient).await]
}

async fn ping(opened: &Netns, from: Node, to: Ipv4Addr, ttl: u8, wait: u8) -> String {
    let output = run(opened, from, &format!("ping -n -c 1 -W {wait} -t {ttl} {to}")).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let word = |start: &str| said.split_whitespace().find(|word| word.starts_with(start));
    if let Some(ttl) = word("ttl=") {
        return ttl.to_owned();
    }
    match said.lines().find(|line| line.contains("Time to live exceeded")) {
        Some(line) => format!("exceeded at {}", line.split_whitespace().nth(1).unwrap_or_default()),
        None => "silent".to_owned(),
    }
}

/// `SSH_CONNECTION`'s addresses.
async fn login(opened: &Netns, from: Node, to: Ipv4Addr, wait: u8) -> String {
    let line = format!(
        "ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout={wait} -o StrictHostKeyChecking=yes \
         -o UserKnownHostsFile=/etc/lab-smoke/known_hosts lab@{to} 'echo $SSH_CONNECTION'"
    );
    let output = run(opened, from, &line).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let fields: Vec<_> = said.split_whitespace().collect();
    match fields[..] {
        [client, _, server, _] => format!("{client} -> {server}"),
        _ => "silent".to_owned(),
    }
}

fn by_model(mut world: World, row: &Row) -> Seen {
    if let Some(fault) = row.fault {
        faults::inject_fault(&mut world, fault).unwrap();
    }
    world.machines.fabric = FabricCounters::default();
    let mut identifier = 0;
    let mut echo = |world: &mut World, from, to, ttl| {
        identifier += 1;
        model_ping(world, identifier, from, to, ttl)
    };
    let ping_there = echo(&mut world, Node::CloudClient, CAPTURED, 64);
    let ping_back = echo(&mut world, Node::OnpremClient, CLIENT, 64);
    let ping_behind = echo(&mut world, Node::CloudClient, BEHIND, 64);
    let canary = echo(&mut world, Node::CloudClient, CAPTURED, 2);
    let ssh_there = model_login(&mut world, Node::CloudClient, CAPTURED);
    let ssh_back = model_login(&mut world, Node::OnpremClient, CLIENT);
    let counted = world.machines.fabric;
    let counted = [
        ("c_arp_hit", counted.c_arp_hit),
        ("c_arp_miss", counted.c_arp_miss),
        ("drop_src_check", counted.drop_src_check),
        ("drop_dst_check", counted.drop_dst_check),
        ("drop_no_owner", counted.drop_no_owner),
        ("drop_sg", counted.drop_sg),
    ];
    let moved = counted.into_iter().filter(|(_, count)| *count > 0);
    let counted = moved.map(|(name, _)| name).collect();
    Seen { ping_there, ping_back, ping_behind, canary, ssh_there, ssh_back, counted }
}

fn packet(from: Node, destination: Ipv4Addr, ttl: u8, payload: Payload) -> Packet {
    Packet { from, source: None, destination, ttl, bytes: 84, fragment: Fragment::Allowed, payload }
}

fn model_ping(world: &mut World, id: u16, from: Node, to: Ipv4Addr, ttl: u8) -> String {
    let packet = packet(from, to, ttl, Payload::Echo { id, sequence: 1 });
    match packets::send(world, Clock::System.now(), packet) {
        Delivery::Answered(answer) => format!("ttl={}", answer.ttl),
        Delivery::Error { from, error: IcmpError::TimeExceeded, .. } => {
            format!("exceeded at {from}")
        }
        _ => "silent".to_owned(),
    }
}

fn model_login(world: &mut World, from: Node, to: Ipv4Addr) -> String {
    let payload = Payload::Syn { source_port: 40_000, destination_port: 22 };
    match packets::send(world, Clock::System.now(), packet(from, to, 64, payload)) {
        Delivery::Answered(answer) => {
            format!("{} -> {}", answer.far.source, answer.far.destination)
        }
        _ => "silent".to_owned(),
    }
}

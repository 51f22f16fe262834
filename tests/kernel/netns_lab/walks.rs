//! A walk through the fabric says what became of a packet, for every way in which it may end: the
//! kernel's own counter, and the rule in the kernel's own trace.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lab::node::Node;
use lab_mock::cloud::{InstanceState, PrivateAddress, RouteOrigin, RouteTarget, VpcRoute};
use lab_mock::world::World;
use lab_netns::{Conclusion, Leg, Place, Walk};
use libtest_mimic::Trial;

use super::borders::{another, eni, guard};
use super::support::{captured, on_a_lab, run, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_walk_says_what_decided", a_walk_says_what_decided),
        trial("a_walk_goes_through_the_routers_and_back", a_walk_goes_through_the_routers),
        trial("nobody_walks_from_where_nobody_is", nobody_walks_from_where_nobody_is),
    ]
}

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
/// Behind the router, by the VPC's route table.
const BEHIND: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
/// In another subnet.
const ACROSS: Ipv4Addr = Ipv4Addr::new(10, 88, 61, 7);
const NOWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

struct Row {
    from: Ipv4Addr,
    to: Ipv4Addr,
    prepared: fn(&mut World),
    end: End,
}

/// Where the packet's way ends.
enum End {
    Answered,
    /// Nobody answers the sender's ARP request, so that there is no packet.
    Arp,
    /// In a rule that drops it, with the counter of that reason.
    Dropped(&'static str),
}
use End::{Answered, Arp, Dropped};

const fn row(from: Ipv4Addr, to: Ipv4Addr, prepared: fn(&mut World), end: End) -> Row {
    Row { from, to, prepared, end }
}

const ROWS: [Row; 9] = [
    row(CLIENT, ROUTER, as_it_is, Answered),
    row(CLIENT, CAPTURED, as_it_is, Arp),
    row(CAPTURED, CLIENT, as_it_is, Dropped("drop_src_check")),
    row(CLIENT, NOWHERE, as_it_is, Dropped("drop_no_owner")),
    row(CLIENT, BEHIND, behind, Dropped("drop_dst_check")),
    row(CLIENT, ROUTER, no_egress, Dropped("drop_sg_out")),
    row(CLIENT, ROUTER, no_ingress, Dropped("drop_sg_in")),
    row(ROUTER, ACROSS, across, Dropped("drop_acl")),
    row(CLIENT, ROUTER, stopped, Dropped("drop_silent")),
];

fn as_it_is(_: &mut World) {}

/// The route table leads to the router's interface, which is checked.
fn behind(world: &mut World) {
    let id = eni(&mut world.cloud, ROUTER).id.clone();
    for table in world.cloud.route_tables.values_mut() {
        table.routes.push(VpcRoute {
            destination: "192.168.77.0/24".parse().unwrap(),
            target: RouteTarget::NetworkInterface(id.clone()),
            origin: RouteOrigin::CreateRoute,
        });
    }
}

fn stopped(world: &mut World) {
    let id = world.cloud.instance_of(Node::RouterdCloud).unwrap().id.clone();
    world.cloud.instances.get_mut(&id).unwrap().state = InstanceState::Stopped;
}

fn no_egress(world: &mut World) {
    world.cloud.security_groups.values_mut().for_each(|group| group.egress.clear());
}

fn no_ingress(world: &mut World) {
    world.cloud.security_groups.values_mut().for_each(|group| group.ingress.clear());
}

/// The client's interface lies in another subnet, whose ACL lets nothing pass.
fn across(world: &mut World) {
    let subnet = eni(&mut world.cloud, ROUTER).subnet_id.clone();
    let elsewhere = another(&mut world.cloud, &subnet);
    guard(&mut world.cloud, &elsewhere, Vec::new());
    let client = eni(&mut world.cloud, CLIENT);
    client.subnet_id = elsewhere;
    client.private_addresses = vec![PrivateAddress { address: ACROSS, primary: true }];
}

fn a_walk_says_what_decided() {
    on_a_lab(async |opened| {
        let start = lab_netns::read_world(&opened.folder).await.unwrap();
        for row in &ROWS {
            let mut world = start.clone();
            (row.prepared)(&mut world);
            lab_netns::write_world(&opened.folder, &world).await.unwrap();
            let walk = lab_netns::explain_packet(&opened.folder, row.from, row.to).await.unwrap();
            judge(row, &walk);
        }
        let reasons = |row: &Row| if let Dropped(counter) = row.end { Some(counter) } else { None };
        let walked: BTreeSet<_> = ROWS.iter().filter_map(reasons).collect();
        let counters = lab_netns::ask_counters(&opened.folder).await.unwrap();
        let all = counters.keys().map(String::as_str).filter(|name| name.starts_with("drop_"));
        assert_eq!(all.collect::<BTreeSet<_>>(), walked, "every reason was walked into");
    });
}

fn judge(row: &Row, walk: &Walk) {
    let told = format!("{} -> {}\n{walk}", row.from, row.to);
    let answered = if matches!(row.end, Answered) { "1 received" } else { "0 received" };
    assert!(walk.ping.contains(answered), "{told}");
    let reasons = walk.counted.iter().filter(|(name, _)| name.starts_with("drop_"));
    let reasons: Vec<_> = reasons.map(|(name, count)| (name.as_str(), *count)).collect();
    let rule = walk.trace.last().map_or("", String::as_str);
    let dropped = match &walk.conclusion {
        Conclusion::Arrived => None,
        Conclusion::Dropped { leg, place, by } => Some((*leg, *place, by.as_str())),
    };
    match row.end {
        Answered => {
            assert_eq!(dropped, None, "{told}");
            assert_eq!(reasons, [], "{told}");
            // There by the receiver's group, back as a part of the same flow.
            let crossed = |line: &&String| line.contains("inet vpc deliver packet");
            assert_eq!(walk.trace.iter().filter(crossed).count(), 2, "{told}");
            assert!(rule.contains("established accept"), "{told}");
            assert!(walk.ways[1].contains("its owner has the mark 0x"), "{told}");
            assert!(walk.ways[1].contains(" dev eni-"), "{told}");
        }
        Arp => {
            assert!(walk.counted.contains_key("c_arp_miss") && walk.trace.is_empty(), "{told}");
            assert!(walk.ways[1].ends_with("nobody in the VPC owns it"), "{told}");
            let by = dropped.filter(|it| it.0 == Leg::Request).map_or("", |(_, _, by)| by);
            assert!(by.contains("(c_arp_miss)"), "{told}");
        }
        Dropped(counter) => {
            assert_eq!(reasons, [(counter, 1)], "{told}");
            let decided = format!("counter name \"{counter}\" drop (verdict drop)");
            assert!(rule.contains(&decided), "{told}");
            let (leg, place, by) = dropped.unwrap();
            assert_eq!((leg, place), (Leg::Request, Place::Fabric), "{told}");
            assert!(by.contains(&decided), "{told}");
        }
    }
}

/// A deed to a node, the one that undoes it, and where a packet from the one client to the other then ends.
const BROKEN: [(Node, &str, &str, Leg, Node, &str); 5] = [
    (
        Node::RouterdCloud,
        "nft 'table inet own { chain f { type filter hook forward priority 5; \
            ip daddr 10.88.60.9 drop; }; }'",
        "nft delete table inet own",
        Leg::Request,
        Node::RouterdCloud,
        "inet own f rule ip daddr 10.88.60.9 drop (verdict drop)",
    ),
    (
        Node::OnpremRouter,
        "nft 'table inet own { chain f { type filter hook forward priority 5; \
            ip saddr 10.88.60.9 drop; }; }'",
        "nft delete table inet own",
        Leg::Answer,
        Node::OnpremRouter,
        "inet own f rule ip saddr 10.88.60.9 drop",
    ),
    (
        Node::RouterdCloud,
        "ip route add blackhole 10.88.60.9/32 metric 1",
        "ip route del blackhole 10.88.60.9/32 metric 1",
        Leg::Request,
        Node::RouterdCloud,
        "its kernel has no route to 10.88.60.9",
    ),
    (
        Node::OnpremRouter,
        "ip neigh replace 10.88.60.9 lladdr 02:00:00:00:00:99 dev br-lan nud permanent",
        "ip neigh del 10.88.60.9 dev br-lan",
        Leg::Request,
        Node::OnpremRouter,
        "it left, and came to no other place of the lab",
    ),
    (
        Node::OnpremClient,
        "sysctl -q -w net.ipv4.icmp_echo_ignore_all=1",
        "sysctl -q -w net.ipv4.icmp_echo_ignore_all=0",
        Leg::Answer,
        Node::OnpremClient,
        "nothing answers it",
    ),
];

fn a_walk_goes_through_the_routers() {
    on_a_lab(async |opened| {
        captured(opened).await;
        let walk = lab_netns::explain_packet(&opened.folder, CLIENT, CAPTURED).await.unwrap();
        assert_eq!(walk.conclusion, Conclusion::Arrived, "{walk}");
        let way = Place::ON_THE_WAY.to_vec();
        let back = way.iter().rev().copied().collect();
        assert_eq!(walk.passed, [(Leg::Request, way), (Leg::Answer, back)], "{walk}");
        for (node, breaks, mends, leg, where_, by) in BROKEN {
            let done = run(opened, node, breaks).await;
            assert_eq!(done.code, 0, "{breaks}: {done:?}");
            let walk = lab_netns::explain_packet(&opened.folder, CLIENT, CAPTURED).await.unwrap();
            let Conclusion::Dropped { leg: of, place, by: why } = &walk.conclusion else {
                panic!("{breaks}: {walk}");
            };
            assert_eq!((*of, *place), (leg, Place::Node(where_)), "{breaks}: {walk}");
            assert!(why.contains(by), "{breaks}: {walk}");
            assert_eq!(run(opened, node, mends).await.code, 0, "{mends}");
        }
        let walk = lab_netns::explain_packet(&opened.folder, CLIENT, CAPTURED).await.unwrap();
        assert_eq!(walk.conclusion, Conclusion::Arrived, "all is mended: {walk}");
    });
}

fn nobody_walks_from_where_nobody_is() {
    on_a_lab(async |opened| {
        let refused = lab_netns::explain_packet(&opened.folder, NOWHERE, CLIENT).await.unwrap_err();
        assert!(refused.to_string().contains("no node of the lab has 203.0.113.7"), "{refused}");
    });
}

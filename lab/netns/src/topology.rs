//! Which cable leads where, and what every node is made of: pure texts for `ip -batch`.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::fabric::{Fabric, Wiring};
use lab::node::Node;
use lab_mock::cloud::Cloud;

/// Kernel settings by their path below `/proc/sys/net`.
pub type Sysctl = (&'static str, &'static str);

/// Before any device exists, for new devices take the defaults.
const EVERYWHERE: [Sysctl; 8] = [
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/ping_group_range", "1000 1000"),
    ("ipv4/ip_unprivileged_port_start", "0"),
];

pub fn fabric_sysctls() -> Vec<Sysctl> {
    let own = [("ipv4/ip_forward", "1"), ("ipv4/conf/default/proxy_arp", "1")];
    EVERYWHERE.into_iter().chain(own).collect()
}

pub fn node_sysctls(node: Node) -> Vec<Sysctl> {
    let forward = is_router(node).then_some(("ipv4/ip_forward", "1"));
    EVERYWHERE.into_iter().chain(forward).collect()
}

pub fn is_router(node: Node) -> bool {
    matches!(node, Node::RouterdCloud | Node::OnpremRouter)
}

/// A process in each node's network namespace.
pub type Pids<'a> = &'a dyn Fn(Node) -> u32;

/// Run in the fabric's namespace: the cables into the nodes, and the way to each interface. There
/// is no route in the main table, so that nothing passes that no mark was given.
pub fn fabric_batch(cloud: &Cloud, wiring: &Wiring, fabric: &Fabric, pid: Pids<'_>) -> String {
    let mut text = String::from("link set lo up\n") + &new_gateways(&Fabric::default(), fabric);
    for node in [Node::RouterdCloud, Node::CloudClient] {
        let Some(instance) = cloud.instance_of(node) else { continue };
        for (index, eni) in cloud.interfaces_of(&instance.id).into_iter().enumerate() {
            let Some(wire) = wiring.wires.get(&eni.id) else { continue };
            let (device, mark, mac, inside) = (&wire.device, wire.mark, &wire.mac, 5 + index);
            // No address of the VPC: only the way to the cable's other end.
            let hop = format!("169.254.255.{}", mark & 0xff);
            let _ = write!(
                text,
                "link add {device} mtu 9001 type veth peer name ens{inside} netns {} address {mac} mtu 9001\n\
                 link set {device} up\n\
                 ntable change name arp_cache dev {device} proxy_delay 0\n\
                 neigh add {hop} lladdr {mac} dev {device} nud permanent\n\
                 route add default via {hop} dev {device} onlink table {mark}\n\
                 rule add fwmark {mark:#x} lookup {mark}\n",
                pid(node),
            );
        }
    }
    let (cloud_router, router, client) =
        (pid(Node::RouterdCloud), pid(Node::OnpremRouter), pid(Node::OnpremClient));
    let _ = write!(
        text,
        "link add und0 netns {cloud_router} type veth peer name wan0 netns {router}\n\
         link add lan1 netns {router} type veth peer name eth0 netns {client}\n",
    );
    text
}

/// Run in the fabric's namespace: the VPC's router in subnets that were not there before. A stopped
/// instance's subnet goes from the fabric and comes again, so one may be there already.
pub fn new_gateways(before: &Fabric, after: &Fabric) -> String {
    let is_new = |id: &&String| !before.subnets.contains_key(*id);
    let new = after.subnets.keys().filter(is_new).map(|id| after.subnets[id].gateway);
    let mut text = String::new();
    for gateway in new {
        let _ = writeln!(text, "addr replace {gateway}/32 dev lo");
    }
    text
}

/// Run in a node's namespace once its cables are there.
pub fn node_batch(node: Node) -> String {
    match node {
        Node::RouterdCloud => {
            ROUTERD_CLOUD.to_owned() + &make_vxlan_lines(node) + make_overlay_lines(node)
        }
        Node::CloudClient => CLOUD_CLIENT.to_owned(),
        Node::OnpremRouter => {
            ONPREM_ROUTER.to_owned() + &make_vxlan_lines(node) + make_overlay_lines(node)
        }
        Node::OnpremClient => ONPREM_CLIENT.to_owned(),
    }
}

/// The overlay's device on a router.
pub const OVERLAY: &str = "wg-hybrid";
pub const OVERLAY_MTU: i32 = 1420;

/// A router's address on the underlay, and the other's.
pub fn underlay_addresses(router: Node) -> (Ipv4Addr, Ipv4Addr) {
    let (cloud, onprem) = (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2));
    if router == Node::RouterdCloud { (cloud, onprem) } else { (onprem, cloud) }
}

/// The overlay as it is by default.
pub fn make_vxlan_lines(router: Node) -> String {
    let (local, remote) = underlay_addresses(router);
    let device = if router == Node::RouterdCloud { "und0" } else { "wan0" };
    format!(
        "link add {OVERLAY} mtu {OVERLAY_MTU} type vxlan id 120 local {local} remote {remote} \
         dstport 4789 nolearning dev {device}\n"
    )
}

/// The overlay is routed by host routes, whatever carries it.
pub fn make_overlay_lines(router: Node) -> &'static str {
    if router == Node::RouterdCloud {
        "\
addr add 10.99.0.1/32 dev wg-hybrid
link set wg-hybrid up
route add 10.99.0.2/32 dev wg-hybrid
route add 10.88.60.9/32 via 10.99.0.2 dev wg-hybrid metric 120
route add 192.168.77.0/24 via 10.99.0.2 dev wg-hybrid
"
    } else {
        "\
addr add 10.99.0.2/32 dev wg-hybrid
link set wg-hybrid up
route add 10.99.0.1/32 dev wg-hybrid
route add 10.88.60.7/32 via 10.99.0.1 dev wg-hybrid metric 120
"
    }
}

/// The devices that a stopped instance loses: every one but `lo`.
pub fn power_off(node: Node) -> String {
    let batch = node_batch(node);
    let raised =
        batch.lines().filter_map(|line| line.strip_prefix("link set ")?.strip_suffix(" up"));
    let down = |device: &str| format!("link set {device} down\n");
    raised.filter(|device| *device != "lo").map(down).collect()
}

/// The things that it gets when it starts: its devices, and the routes that went with them.
/// Addresses stay on a device that is down.
pub fn power_on(node: Node) -> String {
    let batch = node_batch(node);
    let raised =
        batch.lines().filter(|line| line.starts_with("link set ") && line.ends_with(" up"));
    let routes = batch.lines().filter_map(|line| line.strip_prefix("route add "));
    let routes = routes.map(|route| format!("route replace {route}\n"));
    raised.map(|line| format!("{line}\n")).chain(routes).collect()
}

/// The part of [`power_on`] that is the overlay's, and the rest of it.
pub fn split_power_on(node: Node) -> (String, String) {
    let all = power_on(node);
    let is_overlays = |line: &&str| line.contains(OVERLAY);
    let lines = |wanted: bool| -> String {
        let lines = all.lines().filter(|line| is_overlays(line) == wanted);
        lines.flat_map(|line| [line, "\n"]).collect()
    };
    (lines(true), lines(false))
}

/// The metadata service's address is reachable and on no interface.
const ROUTERD_CLOUD: &str = "\
link set lo up
route add local 169.254.169.254 dev lo table local
addr add 10.88.60.4/24 dev ens5
link set ens5 up
route add default via 10.88.60.1 dev ens5 proto dhcp src 10.88.60.4 metric 100
addr add 198.51.100.1/30 dev und0
link set und0 up
";

const CLOUD_CLIENT: &str = "\
link set lo up
route add local 169.254.169.254 dev lo table local
addr add 10.88.60.7/24 dev ens5
link set ens5 up
route add default via 10.88.60.1 dev ens5 proto dhcp src 10.88.60.7 metric 100
";

const ONPREM_ROUTER: &str = "\
link set lo up
addr add 192.168.77.1/32 dev lo
link add br-lan type bridge
link set lan1 master br-lan up
addr add 10.88.60.1/24 dev br-lan
link set br-lan up
ntable change name arp_cache dev br-lan proxy_delay 0
neigh add proxy 10.88.60.7 dev br-lan
addr add 198.51.100.2/30 dev wan0
link set wan0 up
route add default via 198.51.100.1 dev wan0 proto static
";

const ONPREM_CLIENT: &str = "\
link set lo up
addr add 10.88.60.9/24 dev eth0
link set eth0 up
route add default via 10.88.60.1 dev eth0 proto static
";

/// A stateful rule on the routers, so that conntrack is armed: without one its empty table would
/// prove nothing.
pub const ROUTER_NFT: &str = "\
table inet lab_filter {
  chain forward { type filter hook forward priority 0; ct state established,related accept; }
}
";

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn every_interface_of_an_instance_has_its_cable_its_neighbour_and_its_table() {
        let now = DateTime::UNIX_EPOCH;
        let cloud = Cloud::example(7, now, true);
        let wiring = Wiring::of(&cloud);
        let fabric = Fabric::of(&cloud, &wiring, now);
        let pid = |node| if node == Node::CloudClient { 17 } else { 4 };
        let text = fabric_batch(&cloud, &wiring, &fabric, &pid);
        assert_eq!(wiring.wires.len(), 2);
        for wire in wiring.wires.values() {
            for line in [
                format!("link add {} mtu 9001 type veth", wire.device),
                format!("lladdr {} dev {}", wire.mac, wire.device),
                format!("dev {} onlink table {}", wire.device, wire.mark),
                format!("rule add fwmark {:#x} lookup {}", wire.mark, wire.mark),
            ] {
                assert_eq!(text.matches(&line).count(), 1, "{line:?} in {text}");
            }
        }
        assert!(text.contains("netns 17 address"), "{text}");
        assert!(text.contains("addr replace 10.88.60.1/32 dev lo"), "{text}");
        assert_eq!(new_gateways(&fabric, &fabric), "", "those that are there stay");
    }

    #[test]
    fn what_is_switched_off_comes_back_whole() {
        let off = power_off(Node::RouterdCloud);
        assert_eq!(off, "link set ens5 down\nlink set und0 down\nlink set wg-hybrid down\n");
        let on = power_on(Node::RouterdCloud);
        for device in ["ens5", "und0", "wg-hybrid"] {
            assert!(on.contains(&format!("link set {device} up\n")), "{on}");
        }
        let routes = |text: &str, verb: &str| text.matches(verb).count();
        assert_eq!(
            routes(&on, "route replace "),
            routes(&node_batch(Node::RouterdCloud), "route add ")
        );
        assert!(!on.contains("addr ") && !on.contains("link add"), "{on}");
    }

    #[test]
    fn the_overlay_can_come_later_than_the_rest() {
        let (overlay, rest) = split_power_on(Node::RouterdCloud);
        assert_eq!(
            overlay.lines().count() + rest.lines().count(),
            power_on(Node::RouterdCloud).lines().count()
        );
        assert!(overlay.contains("link set wg-hybrid up\n"), "{overlay}");
        assert!(rest.contains("link set ens5 up\n") && !rest.contains("wg-hybrid"), "{rest}");
        assert_eq!(split_power_on(Node::CloudClient).0, "");
    }

    #[test]
    fn only_routers_forward() {
        for node in Node::ALL {
            let forwards = node_sysctls(node).contains(&("ipv4/ip_forward", "1"));
            assert_eq!(forwards, is_router(node), "{node}");
        }
    }
}

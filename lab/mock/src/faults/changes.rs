//! The changes that somebody makes to a node's kernel or its logins, as one list: how each is in
//! the model, and by which means it is done to a node of the kernel lab.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::hand::{OVERLAY, PLANNER};
use super::kernel::{Deed, Means};
use super::rules::THIEF_MAC;
use crate::machines::{
    BpfProgram, ForwardingEntry, Interface, Link, ListeningSocket, Machine, Namespace, Neighbour,
    NftTool, PERMANENT, PolicyRule, Route, Route6, TcFilter,
};
use lab::node::Node;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineChange {
    /// Two routes that together cover all that the default one does, beside it.
    Halves,
    /// Packets to 203.0.113.0/24 go by a table of their own.
    OwnTable,
    /// A second default route, in the table that is asked last.
    DefaultOfLastResort,
    GatewayNeighbour,
    DefaultMtu,
    DefaultOfIpv6,
    StaticRoute,
    /// A route of another table that delivers the captured address locally.
    AnyIp,
    AddressInNamespace,
    MappedAddress,
    LinkMtu,
    AnotherLink,
    AnotherNeighbour,
    Sysctl,
    LegacyRule,
    Filter,
    ExpressDataPath,
    XfrmPolicy,
    Listener,
    AuthorizedKey,
    NftGone,
    /// One more far end of the overlay.
    ForwardingEntry,
    /// The planner runs as its owner, whoever starts it.
    ProgramMode,
    AnotherMac,
}

const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 1);
/// Nobody's, on the node's own network.
const STRANGE: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 254);
const NOWHERE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24);
/// To it go copies of what a tunnel has no other place for.
const FLOODED: &str = "00:00:00:00:00:00";
const FAR_END: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFNvbWVib2R5RWxzZXNLZXlPZlRoaXNMYWIwMDAw somebody";

/// The interface by which the node reaches others.
fn own_link(node: Node) -> &'static str {
    match node {
        Node::RouterdCloud | Node::CloudClient => "ens5",
        Node::OnpremRouter => "br-lan",
        Node::OnpremClient => "eth0",
    }
}

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap_or_default()
}

fn host(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::from(address)
}

/// To a network by nobody's address, as `ip route add` makes one.
fn to(destination: Ipv4Net, dev: &str) -> Route {
    Route {
        destination,
        via: Some(STRANGE),
        dev: dev.to_owned(),
        metric: None,
        protocol: "boot".to_owned(),
        source: None,
        mtu: None,
        local: false,
    }
}

fn here(destination: Ipv4Net) -> Route {
    Route { via: None, dev: "lo".to_owned(), local: true, ..to(destination, "lo") }
}

impl MachineChange {
    /// Does it to the model's node.
    pub fn apply(self, node: Node, machine: &mut Machine) {
        let dev = own_link(node).to_owned();
        let kernel = &mut machine.kernel;
        match self {
            Self::Halves => {
                let halves = ["0.0.0.0/1", "128.0.0.0/1"].map(|half| to(net(half), &dev));
                machine.routes.extend(halves);
            }
            Self::OwnTable => {
                kernel.rules.push(PolicyRule { priority: 100, to: NOWHERE, table: "100".into() });
                kernel.tables.entry("100".into()).or_default().push(to(net("0.0.0.0/0"), &dev));
            }
            Self::DefaultOfLastResort => {
                kernel.tables.entry("default".into()).or_default().push(to(net("0.0.0.0/0"), &dev));
            }
            Self::GatewayNeighbour => machine.neighbours.push(permanent(GATEWAY, dev)),
            Self::AnotherNeighbour => machine.neighbours.push(permanent(STRANGE, dev)),
            Self::DefaultMtu => {
                let all = machine.routes.iter_mut();
                all.filter(|it| it.destination.prefix_len() == 0)
                    .for_each(|it| it.mtu = Some(1300));
            }
            Self::DefaultOfIpv6 => kernel.routes6.push(Route6 {
                destination: Ipv6Net::default(),
                via: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
                dev,
                protocol: "boot".into(),
            }),
            Self::StaticRoute => machine.routes.push(to(NOWHERE, &dev)),
            Self::AnyIp => {
                kernel.tables.entry("100".into()).or_default().push(here(host(CAPTURED)));
            }
            Self::AddressInNamespace => {
                let interface = other_link("fault0", vec![host(CAPTURED)]);
                let namespace = Namespace { interfaces: vec![interface], routes: Vec::new() };
                kernel.namespaces.insert("fault".into(), namespace);
            }
            Self::MappedAddress => {
                let mapped = Ipv6Net::from(CAPTURED.to_ipv6_mapped());
                kernel.addresses6.entry(dev).or_default().push(mapped);
            }
            Self::LinkMtu => {
                let links = machine.interfaces.iter_mut();
                links.filter(|link| link.name == dev).for_each(|link| link.mtu = 1492);
            }
            Self::AnotherLink => machine.interfaces.push(other_link("fault0", Vec::new())),
            Self::Sysctl => {
                machine.sysctls.insert("net.ipv4.conf.all.send_redirects".into(), "1".into());
            }
            Self::LegacyRule => {
                let rule = "-A FORWARD -s 203.0.113.9/32 -j ACCEPT".to_owned();
                kernel.legacy.entry("ip mangle".into()).or_default().push(rule);
            }
            Self::Filter => {
                kernel.filters.push(TcFilter {
                    dev,
                    hook: "ingress".into(),
                    kind: "matchall".into(),
                });
            }
            Self::ExpressDataPath => {
                kernel.programs.push(BpfProgram {
                    dev,
                    hook: "driver".into(),
                    name: "fault".into(),
                });
            }
            Self::XfrmPolicy => kernel
                .policies
                .push("src 203.0.113.0/24 dst 198.18.0.0/15 \n\tdir out priority 0 ".into()),
            Self::Listener => kernel.listeners.push(ListeningSocket {
                transport: "tcp".into(),
                address: Ipv4Addr::UNSPECIFIED,
                port: 2222,
                process: "sshd".into(),
            }),
            Self::AuthorizedKey => {
                let path = "/home/lab/.ssh/authorized_keys";
                let before = machine.files.contents(path).unwrap_or_default();
                let all = [before, KEY.as_bytes(), b"\n"].concat();
                machine.files.put(path, all, 0o600);
            }
            Self::NftGone => machine.nft.tool = NftTool::Missing,
            Self::ForwardingEntry => kernel.forwarding.push(ForwardingEntry {
                dev: OVERLAY.to_owned(),
                mac: FLOODED.to_owned(),
                destination: FAR_END,
            }),
            Self::ProgramMode => {
                let before = machine.files.contents(PLANNER).unwrap_or_default().to_vec();
                machine.files.put(PLANNER, before, 0o4755);
            }
            Self::AnotherMac => {
                let links = machine.interfaces.iter_mut();
                let own = links.filter(|link| link.name == dev);
                own.for_each(|link| link.mac = THIEF_MAC.to_owned());
            }
        }
    }

    /// Does it to the kernel's; nothing where a node of that lab has no such thing (IPv6 is off
    /// there), or the lab's user may not.
    pub fn deeds(self, node: Node) -> Vec<Deed> {
        let dev = own_link(node);
        let ip = |lines: String| Some(Means::Ip(lines));
        let script = |text: &str| Some(Means::Script(text.to_owned()));
        let means = match self {
            Self::Halves => ip(format!(
                "route add 0.0.0.0/1 via {STRANGE} dev {dev}\nroute add 128.0.0.0/1 via {STRANGE} dev {dev}\n"
            )),
            Self::OwnTable => ip(format!(
                "rule add to {NOWHERE} lookup 100 pref 100\nroute add default via {STRANGE} dev {dev} table 100\n"
            )),
            Self::DefaultOfLastResort => {
                ip(format!("route add default via {STRANGE} dev {dev} table 253\n"))
            }
            Self::GatewayNeighbour => {
                ip(format!("neigh replace {GATEWAY} lladdr {THIEF_MAC} dev {dev} nud permanent\n"))
            }
            Self::AnotherNeighbour => {
                ip(format!("neigh replace {STRANGE} lladdr {THIEF_MAC} dev {dev} nud permanent\n"))
            }
            Self::DefaultMtu => script(DEFAULT_MTU),
            Self::StaticRoute => ip(format!("route add {NOWHERE} via {STRANGE} dev {dev}\n")),
            Self::AnyIp => ip(format!("route add local {CAPTURED} dev lo table 100\n")),
            Self::LinkMtu => ip(format!("link set {dev} mtu 1492\n")),
            Self::AnotherLink => ip("link add fault0 type bridge\n".to_owned()),
            Self::Sysctl => script("echo 1 > /proc/sys/net/ipv4/conf/all/send_redirects"),
            Self::LegacyRule => Some(Means::IptablesLegacy(&[
                "-t",
                "mangle",
                "-A",
                "FORWARD",
                "-s",
                "203.0.113.9",
                "-j",
                "ACCEPT",
            ])),
            Self::Filter => script(&format!("tc qdisc add dev {dev} clsact")),
            Self::XfrmPolicy => {
                ip("xfrm policy add src 203.0.113.0/24 dst 198.18.0.0/15 dir out\n".to_owned())
            }
            Self::Listener => script(LISTENER),
            Self::AuthorizedKey => script(&format!("echo '{KEY}' >> /etc/ssh/authorized_keys")),
            Self::NftGone => Some(Means::NoProgram("nft")),
            Self::ForwardingEntry => {
                Some(Means::Bridge(format!("fdb append {FLOODED} dev {OVERLAY} dst {FAR_END}\n")))
            }
            Self::ProgramMode => script(&format!("planner={PLANNER}\n{OTHER_MODE}")),
            Self::AnotherMac => ip(format!("link set {dev} address {THIEF_MAC}\n")),
            // A namespace made from outside is nobody's on the node: its root could not look into it.
            Self::AddressInNamespace
            | Self::DefaultOfIpv6
            | Self::MappedAddress
            | Self::ExpressDataPath => None,
        };
        means.into_iter().map(|means| Deed { node, means }).collect()
    }
}

/// The route as it is, and its size.
const DEFAULT_MTU: &str = "ip route replace $(ip -4 route show default) mtu 1300";
/// Another file with the same contents: what is bound there is the host's.
const OTHER_MODE: &str = "cp \"$planner\" \"$planner.fault\" && chmod 4755 \"$planner.fault\" \
    && { umount \"$planner\" 2> /dev/null || true; } && mv -f \"$planner.fault\" \"$planner\"";
/// Another sshd; it goes with the lab.
const LISTENER: &str = "$(command -v sshd) -f /etc/ssh/sshd_config -p 2222 2> /dev/null";

fn permanent(address: Ipv4Addr, dev: String) -> Neighbour {
    Neighbour { address, dev, mac: Some(THIEF_MAC.to_owned()), state: PERMANENT.to_owned() }
}

fn other_link(name: &str, addresses: Vec<Ipv4Net>) -> Interface {
    Interface {
        name: name.to_owned(),
        index: 99,
        link: Link::Outside,
        mac: "02:00:0a:58:3c:77".to_owned(),
        mtu: 1500,
        up: false,
        addresses,
    }
}

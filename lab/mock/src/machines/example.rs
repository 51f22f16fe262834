//! The lab of the runbook: two clients, two routers, one overlay, every node on 10.88.60.0/24.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{
    ChainKind, Hook, Interface, Link, ListeningSocket, Machine, Machines, Match, NftAction,
    ProxyNeighbour, Route, Sshd, host_key,
};
use crate::cloud::Cloud;
use lab::manifest::guest_settle_ms_on_ec2;
use lab::node::Node;
use lab::routerd::UNIT;

/// On every node, as its accounts have it.
pub const ROOTS_HOME: &str = "/root";

const ACCOUNTS: &str = "\
root:x:0:0:root:/root:/bin/bash
lab:x:1000:1000::/home/lab:/bin/sh
";

/// The AWS CLI: what it does is the model's own.
pub const AWS_CLI: &str = "/usr/bin/aws";

/// The configuration of routerd on routerd-cloud: the action path alone (contract §6.1).
pub const ROUTER_YAML: &str = include_str!("router.yaml");

/// Installed, as upstream has it; the runbook's lab runs no daemon.
const ROUTERD_SERVICE: &str = "\
[Unit]
Description=routerd declarative router controller

[Service]
ExecStart=/usr/local/sbin/routerd serve --config /usr/local/etc/routerd/router.yaml
Restart=always
";

const ROUTERD: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);
const CLOUD_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
const ONPREM_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 1);
const OVERLAY_CLOUD: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const OVERLAY_ONPREM: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const UPSTREAM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const WAN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// Beyond the on-prem router: what a route table of the VPC could capture.
const BEHIND: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

impl Machines {
    /// The four nodes of the lab. Those on EC2 take MAC and instance from the ENIs that own `.4`
    /// and `.7` in `cloud`.
    pub fn example(seed: u64, cloud: &Cloud) -> Self {
        Self {
            routerd_cloud: routerd_cloud(seed, cloud),
            cloud_client: cloud_client(seed, cloud),
            onprem_router: onprem_router(seed),
            onprem_client: onprem_client(seed),
            guest_settle_ms: guest_settle_ms_on_ec2(),
            ..Self::default()
        }
    }
}

fn routerd_cloud(seed: u64, cloud: &Cloud) -> Machine {
    let mut machine = on_ec2(Node::RouterdCloud, seed, cloud, ROUTERD);
    machine.interfaces.push(interface(3, "wg-hybrid", Link::Overlay, "", 1420, OVERLAY_CLOUD, 32));
    machine.routes.push(route(OVERLAY_ONPREM, 32, None, "wg-hybrid", None, "boot"));
    machine.routes.push(route(ONPREM_CLIENT, 32, None, "wg-hybrid", Some(120), "boot"));
    machine.routes.push(route(Ipv4Addr::new(192, 168, 77, 0), 24, None, "wg-hybrid", None, "boot"));
    make_router(&mut machine);
    install_routerd(&mut machine);
    machine
}

fn cloud_client(seed: u64, cloud: &Cloud) -> Machine {
    on_ec2(Node::CloudClient, seed, cloud, CLOUD_CLIENT)
}

fn onprem_router(seed: u64) -> Machine {
    let mut machine = bare(Node::OnpremRouter, seed);
    machine.interfaces[0].addresses.push(net(BEHIND, 32));
    machine.interfaces.extend([
        interface(2, "br-lan", Link::Lan, "02:00:0a:58:3c:01", 1500, GATEWAY, 24),
        interface(3, "wan0", Link::Outside, "02:00:c6:33:64:02", 1500, WAN, 30),
        interface(4, "wg-hybrid", Link::Overlay, "", 1420, OVERLAY_ONPREM, 32),
    ]);
    machine.routes = vec![
        route(Ipv4Addr::UNSPECIFIED, 0, Some(UPSTREAM), "wan0", None, "static"),
        route(OVERLAY_CLOUD, 32, None, "wg-hybrid", None, "boot"),
        route(CLOUD_CLIENT, 32, None, "wg-hybrid", Some(120), "boot"),
    ];
    machine.proxy_neighbours = vec![ProxyNeighbour { address: CLOUD_CLIENT, dev: "br-lan".into() }];
    make_router(&mut machine);
    machine
}

fn onprem_client(seed: u64) -> Machine {
    let mut machine = bare(Node::OnpremClient, seed);
    let mac = "02:00:0a:58:3c:09";
    machine.interfaces.push(interface(2, "eth0", Link::Lan, mac, 1500, ONPREM_CLIENT, 24));
    machine.routes.push(route(Ipv4Addr::UNSPECIFIED, 0, Some(GATEWAY), "eth0", None, "static"));
    machine
}

/// An instance: its ENI is `ens5`, its default route comes from DHCP.
fn on_ec2(node: Node, seed: u64, cloud: &Cloud, address: Ipv4Addr) -> Machine {
    let mut machine = bare(node, seed);
    let owner = cloud.owner_of(address);
    let mac = owner.map_or_else(String::new, |eni| eni.mac.clone());
    machine.instance_id = owner.and_then(|eni| eni.instance_id.clone());
    machine.interfaces.push(interface(2, "ens5", Link::Vpc, &mac, 9001, address, 24));
    let mut default = route(Ipv4Addr::UNSPECIFIED, 0, Some(GATEWAY), "ens5", Some(100), "dhcp");
    default.source = Some(address);
    machine.routes.push(default);
    machine
}

fn bare(node: Node, seed: u64) -> Machine {
    let mut machine = Machine {
        hostname: node.as_str().into(),
        interfaces: vec![interface(
            1,
            "lo",
            Link::Loopback,
            "00:00:00:00:00:00",
            65536,
            Ipv4Addr::LOCALHOST,
            8,
        )],
        sshd: Sshd { running: true, host_key: host_key(seed, node), users: vec!["lab".into()] },
        ..Machine::default()
    };
    for (key, value) in [
        ("kernel.hostname", node.as_str()),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
        ("net.ipv4.conf.all.send_redirects", "0"),
        ("net.ipv4.ip_forward", "0"),
    ] {
        machine.sysctls.insert(key.into(), value.into());
    }
    for folder in ["/etc", "/var/lib", "/proc", "/run", "/usr/bin", "/usr/sbin", ROOTS_HOME] {
        machine.files.make_directories(folder, 0, 0o755);
    }
    machine.kernel.listeners.push(ListeningSocket {
        transport: "tcp".into(),
        address: Ipv4Addr::UNSPECIFIED,
        port: 22,
        process: "sshd".into(),
    });
    let accounts = "root:x:0:0:root:/root:/bin/sh\nlab:x:1000:1000::/home/lab:/bin/sh\n";
    machine.files.put("/etc/passwd", accounts, 0o644);
    machine.files.put("/etc/ssh/sshd_config", "PasswordAuthentication no\n", 0o644);
    machine.files.make_directories("/home/lab", 1000, 0o755);
    let keys = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtleU9mVGhlT3BlcmF0b3JPZlRoaXNMYWIwMDAw lab\n";
    machine.files.put("/home/lab/.ssh/authorized_keys", keys, 0o600);
    for folder in ["/tmp", "/var/tmp"] {
        machine.files.make_directories(folder, 0, 0o1777);
    }
    machine.files.put("/etc/passwd", ACCOUNTS, 0o644);
    machine.files.put("/etc/hostname", format!("{node}\n"), 0o644);
    machine.files.put(
        "/etc/ssh/ssh_host_ed25519_key.pub",
        format!("{} root@{node}\n", machine.sshd.host_key),
        0o644,
    );
    machine
}

/// Forwards, and has a stateful rule, so that conntrack is armed: without one an empty table would
/// prove nothing.
fn make_router(machine: &mut Machine) {
    machine.sysctls.insert("net.ipv4.ip_forward".into(), "1".into());
    machine.nft.add(
        ("inet", "lab_filter"),
        (ChainKind::Filter, Hook::Forward, 0),
        vec![(vec![Match::EstablishedOrRelated], NftAction::Accept)],
    );
}

fn install_routerd(machine: &mut Machine) {
    let plugins = "/usr/local/libexec/routerd/plugins";
    let files = &mut machine.files;
    files.put("/usr/local/etc/routerd/router.yaml", ROUTER_YAML, 0o644);
    for (path, name) in [
        ("/usr/local/sbin/routerctl".to_owned(), "routerctl"),
        (format!("{plugins}/lab-planner"), "lab-planner"),
        (
            format!("{plugins}/aws-provider-executor/bin/aws-provider-executor"),
            "aws-provider-executor",
        ),
    ] {
        let version = env!("CARGO_PKG_VERSION");
        files.put(&path, format!("#!lab-smoke-program {name} {version}\n"), 0o755);
    }
    files.make_directories("/var/lib/routerd", 0, 0o755);
    files.make_directories("/run/systemd/system", 0, 0o755);
    files.put(&format!("/etc/systemd/system/{UNIT}"), ROUTERD_SERVICE, 0o644);
    files.put(AWS_CLI, "", 0o755);
}

fn interface(
    index: u32,
    name: &str,
    link: Link,
    mac: &str,
    mtu: u32,
    address: Ipv4Addr,
    prefix: u8,
) -> Interface {
    let addresses = vec![net(address, prefix)];
    Interface { name: name.into(), index, link, mac: mac.into(), mtu, up: true, addresses }
}

fn route(
    to: Ipv4Addr,
    prefix: u8,
    via: Option<Ipv4Addr>,
    dev: &str,
    metric: Option<u32>,
    protocol: &str,
) -> Route {
    let destination = net(to, prefix);
    let (dev, protocol) = (dev.into(), protocol.into());
    Route { destination, via, dev, metric, protocol, source: None, mtu: None, local: false }
}

/// The prefix lengths here are constants below 33; a wider one would become a host's.
fn net(address: Ipv4Addr, prefix: u8) -> Ipv4Net {
    Ipv4Net::new(address, prefix).unwrap_or(Ipv4Net::from(address))
}
